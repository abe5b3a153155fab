//! One suite, many backends: what a store promises in its documentation, as tests.
//!
//! [`store_suite!`](crate::store_suite) makes one test of each case, so that a failure names the promise that was
//! broken. A case gets a fresh, empty store and runs on several threads.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "the suite is test code: a panic is how it says that a store failed"
)]

mod fixture;

use std::future::Future;
use std::sync::Arc;

use gatewright_core::store::{
    AccountStore, CredentialStore, InviteStore, KeyStore, LinkedLoginStore, MailedTokenStore,
    MembershipStore, RevocationStore, SessionStore,
};

/// Every trait that the suite tests, on one type.
pub trait Store:
    CredentialStore
    + MembershipStore
    + AccountStore
    + RevocationStore
    + SessionStore
    + KeyStore
    + MailedTokenStore
    + InviteStore
    + LinkedLoginStore
    + 'static
{
}

impl<S> Store for S where
    S: CredentialStore
        + MembershipStore
        + AccountStore
        + RevocationStore
        + SessionStore
        + KeyStore
        + MailedTokenStore
        + InviteStore
        + LinkedLoginStore
        + 'static
{
}

/// Runs one case; for [`store_suite!`](crate::store_suite).
#[doc(hidden)]
pub fn run<S: Store, G, C: Future<Output = ()>>(
    fresh: impl Future<Output = (S, G)>,
    case: impl FnOnce(Arc<S>) -> C,
) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let (store, _guard) = fresh.await;
            case(Arc::new(store)).await;
        });
}

/// Declares the modules of the suite, lists their cases, and makes [`store_suite!`](crate::store_suite) of the same list,
/// so that a case cannot be written and forgotten: one that is not listed is unreachable, which is a warning.
macro_rules! suite {
    ($d:tt $($module:ident { $($case:ident,)+ })+) => {
        $(mod $module;)+

        #[doc(hidden)]
        pub mod case {
            $(pub use super::$module::{$($case),+};)+
        }

        /// Makes a test of every promise that a store gives, each with a store of its own.
        ///
        /// The argument is an expression for a fresh, empty store; it may `.await`. A store that needs something
        /// kept until its test ends, such as a temporary directory, comes as `guarded` pair of the two.
        ///
        /// ```
        /// # use gatewright_core::store::MemoryStore;
        /// mod plain {
        ///     use super::*;
        ///     gatewright_testing::store_suite!(MemoryStore::new());
        /// }
        ///
        /// mod guarded {
        ///     use super::*;
        ///
        ///     async fn in_a_directory() -> (MemoryStore, Directory) {
        ///         (MemoryStore::new(), Directory)
        ///     }
        ///
        ///     struct Directory;
        ///
        ///     gatewright_testing::store_suite!(guarded in_a_directory().await);
        /// }
        /// # fn main() {}
        /// ```
        #[macro_export]
        macro_rules! store_suite {
            (guarded $d fresh:expr) => {
                $($(
                    #[test]
                    fn $case() {
                        $crate::store::run(async { $d fresh }, $crate::store::case::$case);
                    }
                )+)+
            };
            ($d fresh:expr) => {
                $crate::store_suite!(guarded ($d fresh, ()));
            };
        }
    };
}

suite! { $
    credentials {
        a_stored_credential_comes_back_whole,
        an_unknown_id_finds_nothing,
        an_id_is_unique_for_its_kind_alone,
        a_taken_id_is_refused_even_after_a_revocation,
        of_many_insertions_of_one_id_one_succeeds,
        insertions_at_once_are_all_listed_once,
        a_credential_shows_its_tenant_as_it_is_now,
        another_tenant_neither_sees_nor_changes_a_credential,
        the_last_use_only_moves_forward,
        a_use_is_written_to_its_own_column_alone,
    }
    lists {
        a_page_holds_no_more_than_its_limit,
        pages_together_are_the_list_oldest_first,
        a_filter_leaves_out_other_kinds_and_owners,
        a_list_is_whole_while_rows_are_inserted,
    }
    revoking {
        a_revoked_credential_stays_and_says_so,
        a_second_revocation_changes_nothing_but_is_published,
        of_many_revocations_one_takes_effect,
        a_read_that_starts_after_a_revocation_sees_it,
    }
    rotating {
        a_rotation_puts_the_new_secret_first,
        a_grace_ends_with_the_credential,
        a_second_rotation_drops_the_oldest_secret,
        a_revocation_ends_a_grace,
        what_is_not_live_is_not_rotated,
        rotations_at_once_leave_two_secrets,
        a_rotation_does_not_revive_what_is_revoked_meanwhile,
        a_hash_is_swapped_only_where_it_stands,
        an_imported_hash_is_kept_and_swapped,
        a_swap_keeps_the_grace,
        of_many_swaps_of_one_hash_one_succeeds,
        a_swap_does_not_revive_what_was_rotated_away,
    }
    tenants {
        a_membership_is_found_by_id_and_by_slug,
        a_platform_administrator_belongs_everywhere,
        an_id_or_slug_is_never_used_twice,
        of_many_tenants_of_one_slug_one_is_created,
        a_member_gets_and_changes_a_role,
        a_removed_member_is_gone,
        the_last_of_a_role_stays,
        of_two_last_owners_removed_at_once_one_stays,
        a_changed_role_leaves_an_owner,
        of_two_last_owners_demoted_at_once_one_stays,
        memberships_are_listed_by_slug_within_a_kind,
        members_are_listed_by_mail_address,
        a_change_of_plan_is_published,
    }
    accounts {
        a_stored_account_comes_back_whole,
        a_mail_address_is_one_in_any_case,
        of_many_accounts_of_one_address_one_is_created,
        a_new_password_ends_every_token,
        a_password_is_changed_only_where_the_expected_one_stands,
        a_password_is_swapped_only_where_it_stands,
        of_many_swaps_of_one_password_one_succeeds,
        an_address_is_proven_once,
        of_many_proofs_of_one_address_one_counts,
        a_name_changes_and_nothing_else,
    }
    mailed {
        a_mailed_token_comes_back_whole,
        a_mailed_token_is_spent_once_for_its_purpose,
        a_mailed_token_that_is_kept_stays_as_it_is,
        an_expired_mailed_token_is_worth_nothing,
        of_many_who_spend_one_mailed_token_one_succeeds,
        passwords_are_stripped_by_user_and_purpose,
        mailed_tokens_are_voided_by_user_and_purpose,
        only_expired_mailed_tokens_are_forgotten,
    }
    invites {
        an_invite_comes_back_whole,
        a_later_invite_replaces_the_earlier_one,
        an_invites_id_and_token_are_unique,
        an_invite_needs_a_tenant,
        of_many_invites_of_one_address_one_is_left,
        an_expired_invite_is_worth_nothing,
        a_withdrawn_invite_is_gone,
        an_accepted_invite_makes_a_member,
        a_member_who_accepts_keeps_their_role,
        of_many_who_accept_one_invite_one_joins,
        an_invite_is_withdrawn_or_accepted,
        invites_are_listed_oldest_first,
        a_list_of_invites_is_whole_while_rows_come_and_go,
    }
    links {
        a_link_comes_back_whole,
        a_subject_is_found_at_its_issuer_alone,
        a_subject_is_linked_once,
        of_many_links_of_one_subject_one_is_made,
        a_link_is_ended_by_its_own_account,
        the_last_way_in_stays,
        of_the_last_two_links_ended_at_once_one_stays,
        links_are_listed_oldest_first,
        a_list_of_links_is_whole_while_rows_come_and_go,
    }
    tokens {
        an_epoch_starts_at_zero_and_rises,
        users_and_clients_have_their_own_epochs,
        epochs_raised_at_once_all_count,
        an_ended_session_says_so,
        a_denied_token_says_so,
        only_what_has_passed_is_forgotten,
        a_later_note_never_shortens_an_earlier_one,
    }
    sessions {
        a_session_comes_back_whole,
        a_known_session_or_token_is_not_opened,
        of_many_sessions_of_one_token_one_is_opened,
        a_rotation_replaces_the_current_token,
        only_the_current_token_is_replaced,
        of_twenty_rotations_of_one_token_one_wins,
        a_session_that_is_over_is_not_carried_on,
        live_sessions_are_listed_oldest_first,
        a_list_of_sessions_is_whole_while_they_come_and_go,
        an_end_takes_the_sessions_that_are_meant,
        a_second_end_changes_nothing_but_is_published,
        of_many_ends_one_takes_each_session,
        a_rotation_does_not_outlive_an_end,
        a_new_password_ends_the_other_sessions,
        a_login_of_an_epoch_that_is_over_opens_nothing,
        no_login_outlives_a_new_password,
        no_rotation_outlives_a_new_password,
        a_removed_member_loses_the_tenants_sessions,
        what_ended_long_ago_is_forgotten,
        a_sealed_child_goes_with_its_grace,
    }
    keys {
        signing_keys_come_back_whole_and_oldest_first,
        signing_keys_are_replaced_only_where_they_stand,
        of_many_replacements_one_succeeds,
        a_tag_key_is_stored_once,
        of_many_tag_keys_of_one_id_one_is_stored,
    }
}
