//! Tools to test services that Gatewright guards.
//!
//! - [`TestAuthority`]: a gate that is ready for use, and the issuer of every credential that it knows: keys
//!   ([`NewKey`]) and signed tokens ([`TokenBuilder`]);
//! - [`Broken`]: tokens that must be refused, each breaking one rule;
//! - [`Refused`]: assertions on a refusal, from whichever framework, down to its [`Challenge`];
//! - [`JwksServer`]: the authority's keys over HTTP, for a client that fetches them, with outages on demand;
//! - [`Outage`]: a store that can be put out of reach;
//! - [`FakeClock`]: a clock that stands still until it is moved;
//! - [`store_suite!`]: the tests that every store must pass, one suite for many backends;
//! - [`store`]: what the suite asks of a store.
//!
//! A test of a guarded route presents what must pass and what must not:
//!
//! ```
//! use gatewright_core::credential::Field;
//! use gatewright_core::error::ErrorCode;
//! use gatewright_core::gate::Arrival;
//! use gatewright_core::policy::Policy;
//! use gatewright_core::principal::TenantKind;
//! use gatewright_core::role::Roles;
//! use gatewright_core::scope::ScopeSet;
//! use gatewright_testing::{Broken, FakeClock, Refused, TestAuthority};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = FakeClock::at(1_700_000_000);
//! let authority = TestAuthority::builder(TenantKind::from_static("workspace"))
//!     .tenant("acme", "free")
//!     .clock(clock.clone())
//!     .build()
//!     .await;
//! authority.member("usr_2", "acme", "viewer").await;
//!
//! // The service under test: the links of a workspace are for keys with a scope and for users with a role.
//! let roles = Roles::builder()
//!     .role("viewer", ScopeSet::default())
//!     .role("owner", ScopeSet::parse("*")?)
//!     .build()?;
//! let realm = authority.realm("links").roles(roles).build();
//! let links = Policy::api_key().scope("links.read").or(Policy::jwt().role("viewer")).tenant_from("workspace");
//! let links = authority.gate().compile(&links, &realm).unwrap();
//! let call = async |credential: &str| {
//!     let line = format!("Bearer {credential}");
//!     let fields = [(Field::Authorization, line.as_bytes())];
//!     let arrival = Arrival::new().tenant(Some("acme"));
//!     let decision = authority.gate().authenticate(&fields[..], &links, &arrival).decided().await;
//!     decision.map(drop).map_err(|refusal| Refused::from(links.refusal(&refusal, false)))
//! };
//!
//! // A key with the scope passes, one without it is told what it lacks.
//! assert!(call(&authority.key("acme", "links.read").await).await.is_ok());
//! let writer = authority.key("acme", "links.write").await;
//! call(&writer)
//!     .await
//!     .unwrap_err()
//!     .assert_code(ErrorCode::InsufficientScope)
//!     .assert_missing_scopes(&["links.read"])
//!     .assert_hides(&writer);
//!
//! // A member's token passes, and ends in time.
//! let token = authority.token("usr_2").expires_in(60).sign();
//! assert!(call(&token).await.is_ok());
//! clock.advance(60);
//! call(&token).await.unwrap_err().assert_code(ErrorCode::TokenExpired);
//!
//! // The same token, broken, does not. `Broken::ALL` has many more.
//! for broken in [Broken::AlgorithmNone, Broken::HmacWithPublicKeyPem, Broken::WrongAudience] {
//!     let token = authority.token("usr_2").broken(broken).sign();
//!     call(&token)
//!         .await
//!         .expect_err(broken.rule())
//!         .assert_code(broken.code())
//!         .assert_challenge("Bearer", |c| assert_eq!(c.param("error"), Some("invalid_token")))
//!         .assert_not_stored();
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A store passes the suite in one line of its integration tests:
//!
//! ```
//! mod memory_store {
//!     gatewright_testing::store_suite!(gatewright_core::store::MemoryStore::new());
//! }
//! ```

mod authority;
mod clock;
mod jwks;
mod outage;
mod refused;
pub mod store;
mod token;

pub use authority::{NewKey, TestAuthority, TestAuthorityBuilder};
pub use clock::FakeClock;
pub use jwks::{JwksAnswer, JwksServer};
pub use outage::Outage;
pub use refused::{Challenge, ChallengeError, Refused};
pub use token::{Broken, TokenBuilder};
