//! How people present themselves, and what they want to be told.

use gatewright_core::principal::UserId;
use gatewright_core::store::StoreError;

use super::Product;

/// A user's profile. Their name and address belong to their account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserProfile {
    /// A picture of them, over https.
    pub(crate) avatar_url: Option<AvatarUrl>,
    /// What they want to be told.
    pub(crate) notifications: Notifications,
}

/// What of a profile shall be another from now on; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProfileChange {
    /// Another picture, or none.
    pub(crate) avatar_url: Option<Option<AvatarUrl>>,
    /// Whether to be told news of the service.
    pub(crate) product: Option<bool>,
    /// Whether to be told what happened in a week.
    pub(crate) weekly_digest: Option<bool>,
}

/// What a user wants to be told by mail. What concerns the security of their account they are always told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notifications {
    /// News of the service.
    pub(crate) product: bool,
    /// What happened in a week.
    pub(crate) weekly_digest: bool,
}

/// A URL of the scheme https, with a host and without user information, of at most [`MAX_LENGTH`](Self::MAX_LENGTH)
/// characters. The server never fetches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AvatarUrl(Box<str>);

impl AvatarUrl {
    /// The most characters.
    pub(crate) const MAX_LENGTH: usize = 2_048;

    /// The URL, or `None` where it is no such URL.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_LENGTH || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let url: axum::http::Uri = text.parse().ok()?;
        let authority = url.authority()?;
        let fits = url.scheme_str() == Some("https")
            && !authority.host().is_empty()
            && !authority.as_str().contains('@');
        fits.then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Product {
    /// The user's profile; an empty one where they never wrote one.
    pub(crate) async fn user_profile(&self, user: &UserId) -> Result<UserProfile, StoreError> {
        let row: Option<(Option<String>, bool, bool)> = sqlx::query_as(
            "SELECT avatar_url, product, weekly_digest FROM user_profiles WHERE user = ?1",
        )
        .bind(user.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let Some((avatar_url, product, weekly_digest)) = row else {
            return Ok(UserProfile::default());
        };
        let avatar_url = avatar_url.map(|url| {
            AvatarUrl::parse(&url).ok_or(StoreError::Corrupt("user_profiles.avatar_url"))
        });
        Ok(UserProfile {
            avatar_url: avatar_url.transpose()?,
            notifications: Notifications {
                product,
                weekly_digest,
            },
        })
    }

    /// Changes what the change names of the user's profile, in one step: two changes at once lose nothing of each other.
    pub(crate) async fn change_user_profile(
        &self,
        user: &UserId,
        change: &ProfileChange,
    ) -> Result<(), StoreError> {
        let avatar_url = change.avatar_url.as_ref();
        self.write(async |mut transaction| {
            sqlx::query(
                "INSERT INTO user_profiles (user, avatar_url, product, weekly_digest) \
                 VALUES (?1, ?3, COALESCE(?4, 0), COALESCE(?5, 0)) \
                 ON CONFLICT (user) DO UPDATE SET \
                 avatar_url = CASE WHEN ?2 THEN ?3 ELSE avatar_url END, \
                 product = COALESCE(?4, product), weekly_digest = COALESCE(?5, weekly_digest)",
            )
            .bind(user.as_str())
            .bind(avatar_url.is_some())
            .bind(avatar_url.and_then(Option::as_ref).map(AvatarUrl::as_str))
            .bind(change.product)
            .bind(change.weekly_digest)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Shop;
    use super::*;

    #[test]
    fn an_avatar_is_reached_over_https() {
        let long = format!(
            "https://a.example/{}",
            "x".repeat(AvatarUrl::MAX_LENGTH - 18)
        );
        for good in [
            "https://a.example",
            "https://a.example:8443/me.png?s=64#x",
            &long,
        ] {
            assert_eq!(AvatarUrl::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "http://a.example/",
            "HTTP://a.example/",
            "//a.example/",
            "/me.png",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "https://",
            "https:///me.png",
            "https://me@a.example/",
            "https://a.example/\r\nx",
            "https://a.example/ä",
            &format!("{long}x"),
        ] {
            assert_eq!(AvatarUrl::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_profile_is_the_users_own_and_empty_at_first() {
        let shop = Shop::open().await;
        let product = &shop.product;
        let (me, other) = (&shop.owner, &shop.other);
        assert_eq!(
            product.user_profile(me).await.unwrap(),
            UserProfile::default()
        );
        let change = async |change: ProfileChange| {
            product.change_user_profile(me, &change).await.unwrap();
            product.user_profile(me).await.unwrap()
        };
        let avatar = AvatarUrl::parse("https://a.example/me.png");
        let changed = change(ProfileChange {
            avatar_url: Some(avatar.clone()),
            weekly_digest: Some(true),
            ..ProfileChange::default()
        });
        let mut expected = UserProfile {
            avatar_url: avatar,
            notifications: Notifications {
                product: false,
                weekly_digest: true,
            },
        };
        assert_eq!(changed.await, expected);
        assert_eq!(change(ProfileChange::default()).await, expected);
        assert_eq!(
            product.user_profile(other).await.unwrap(),
            UserProfile::default()
        );
        let changed = change(ProfileChange {
            avatar_url: Some(None),
            product: Some(true),
            weekly_digest: None,
        });
        expected.avatar_url = None;
        expected.notifications.product = true;
        assert_eq!(changed.await, expected);
    }
}
