//! What somebody new gets: a workspace of their own.

use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::principal::{Subject, Tenant, TenantId, UserId};
use gatewright_core::store::{InsertOutcome, MembershipStore, PageRequest};

use crate::app::App;
use crate::failure::Failure;
use crate::realms::{FIRST_PLAN, WORKSPACE};

/// The fewest and the most characters of a slug that is made of a wish.
const SLUG: std::ops::RangeInclusive<usize> = 3..=40;
/// The random characters behind a slug that is taken.
const SUFFIX_LENGTH: usize = 6;
/// How often a slug is tried, and how often of that with the id that is the user's own. More than one random slug is taken
/// once in billions of times.
const TRIES: usize = 5;
const OWN_TRIES: usize = 3;
/// The random characters of a workspace's id: 113 bits.
const ID_LENGTH: usize = 22;

/// Makes a workspace for a user who belongs to none, of which they are the administrator. Its slug is as near to `wished` as
/// can be: what is taken gets a random ending, so that nobody learns from it who is here already.
///
/// May be called again, at the same time too: a user gets one workspace.
///
/// # Errors
/// [`Failure`] where the database does not answer or the system has no random bytes.
pub(crate) async fn found_workspace(app: &App, user: &UserId, wished: &str) -> Result<(), Failure> {
    // The same whoever calls: of two calls at once, one finds it taken, and then itself to be a member.
    let number = user.as_str().strip_prefix("usr_").unwrap_or(user.as_str());
    let mut number = number.to_owned();
    let wished = slug(wished);
    let mut name = wished.clone();
    for tries in 0..TRIES {
        if tries >= OWN_TRIES {
            // It was theirs before, and they have left it.
            number = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH)?;
        }
        let page = PageRequest::first();
        let places = app.store.memberships(user, &WORKSPACE, &page).await?;
        if !places.items.is_empty() {
            return Ok(());
        }
        let id = TenantId::new(format!("ten_{number}"))?;
        let tenant = Tenant::new(id.clone(), WORKSPACE.clone(), &*name, FIRST_PLAN);
        let created = app.store.create_tenant(tenant, user, "admin").await?;
        if app.gate.changes().publish(created) == InsertOutcome::Inserted {
            app.audit.record(
                AuditEvent::new(AuditKind::RoleChanged, app.gate.clock().now())
                    .subject(Subject::User(user.clone()))
                    .tenant(id)
                    .target(user.as_str()),
            );
            return Ok(());
        }
        let suffix = random_id(IdAlphabet::LowerAlphanumeric, SUFFIX_LENGTH)?;
        let room = SLUG.end() - SUFFIX_LENGTH - 1;
        name = format!("{}-{suffix}", wished.get(..room).unwrap_or(&wished));
    }
    Err(Failure::new("no name was free for a workspace"))
}

/// A slug of what somebody wrote: small letters, digits, and a hyphen for all that stood between.
fn slug(wished: &str) -> String {
    let mut slug = String::new();
    for c in wished.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(*SLUG.end());
    let slug = slug.trim_end_matches('-');
    if slug.len() < *SLUG.start() {
        format!("{slug}-workspace")
            .trim_start_matches('-')
            .to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_whatever_was_wished() {
        for (wished, expected) in [
            ("Acme Inc.", "acme-inc"),
            ("ada", "ada"),
            ("a.b+c", "a-b-c"),
            ("", "workspace"),
            ("é", "workspace"),
            ("ab", "ab-workspace"),
            ("--Ünï--", "n-workspace"),
        ] {
            assert_eq!(slug(wished), expected, "{wished:?}");
            assert!(crate::web::slug("slug", expected).is_ok(), "{expected}");
        }
        assert_eq!(slug(&"x".repeat(99)).len(), 40);
    }
}
