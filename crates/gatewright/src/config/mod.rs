//! A whole gate from one structure: a document of any serde format, environment variables that override it, and files that
//! hold secrets. All mistakes are reported at once, each with its path. The value of a secret field is never repeated;
//! names, such as that of a role or an origin, are where a message needs them.
//!
//! - [`ConfigSources`]: the input as it was given; [`GateConfig`]: the settings, read and checked or written in code;
//! - [`Configured`]: the gate and its realms, and [`reload_keys`](Configured::reload_keys) for use while they run;
//! - [`ConfigErrors`], [`Mistake`], [`Path`], [`Origin`]: what is wrong, where, and which source said so.
//!
//! ```
//! use std::sync::Arc;
//!
//! use gatewright::config::ConfigSources;
//! use gatewright::credential::Field;
//! use gatewright::error::ErrorCode;
//! use gatewright::gate::Arrival;
//! use gatewright::policy::Policy;
//! use gatewright::store::MemoryStore;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let document = r#"
//!     [coherence]
//!     mode = "single-process"
//!
//!     [realms.links]
//!     dialect = "problem"
//!     limits = { per_source = "60/min" }
//! "#;
//! let variables = [
//!     ("APP__TAG_KEYS__0__ID", "1"),
//!     // A service would name a file: APP__TAG_KEYS__0__SECRET_FILE=/run/secrets/tag-key
//!     ("APP__TAG_KEYS__0__SECRET", "rz4b5Vhxz8bWqpJ0bOcbxGw7hUhyq5cOdWsvGwG8YXg="),
//! ];
//! let sources: ConfigSources = toml::from_str(document)?;
//! let configured = sources.overlay_env("APP", variables).read()?.build(Arc::new(MemoryStore::new()))?;
//!
//! let (gate, realm) = (configured.gate(), configured.realm("links").ok_or("no such realm")?);
//! let compile = |policy| gate.compile(&policy, realm).map_err(|mistakes| format!("{mistakes:?}"));
//! let (open, closed) = (compile(Policy::public())?, compile(Policy::api_key())?);
//! let nobody: &[(Field, &[u8])] = &[];
//!
//! assert!(gate.authenticate(nobody, &open, &Arrival::new()).decided().await.is_ok());
//! let refusal = gate.authenticate(nobody, &closed, &Arrival::new()).decided().await.unwrap_err();
//! assert_eq!(refusal.code(), ErrorCode::MissingBearerToken);
//!
//! // Two mistakes, one by the document and one by a variable, and neither hides the other.
//! let sources: ConfigSources = toml::from_str(&document.replace("problem", "prose"))?;
//! let variables = variables.into_iter().chain([("APP__HASHING__PASSES", "1")]);
//! let errors = sources.overlay_env("APP", variables).read().unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "hashing.passes (APP__HASHING__PASSES): must be 2 to 10\n\
//!      realms.links.dialect: must be one of: canonical, detail, problem, oauth, json-rpc",
//! );
//! # Ok(())
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(example())
//! # }
//! ```
//!
//! # Secrets
//!
//! Any field can be given by the name of a file instead: `secret_file = "/run/secrets/tag"` in the document, or a variable
//! whose name ends in `_FILE`. The content, without the white space around it, is the value. To give both is a mistake; a
//! path that is not absolute begins where the program was started.
//!
//! No `Debug`, no message and no error of this module shows a secret. The parser of a document is not a part of it: an
//! error of the `toml` crate, for one, quotes the line it is about, and only its `message()` should reach a log.
//!
//! # The fields
//!
//! A rate is written `60/min`, `30/s`, `1000/h`, `5/day` or `10/90s`, or as a table of `max`, `per_secs` and perhaps
//! `burst`, which is `max` if not given. A JWK Set is written as a table, or as text in JSON.
//!
#![doc = include_str!("reference.md")]

mod build;
mod judge;
mod mistake;
mod path;
mod reload;
mod setting;
mod shape;
mod sources;
mod tree;

pub use build::{BuildError, Configured, IgnoredKey};
pub use mistake::{ConfigErrors, Mistake, MistakeKind, Origin};
pub use path::Path;
pub use reload::Reloaded;
pub use setting::{CoherenceMode, FormatKind, FormatLayout, Jwks, SecretBytes};
pub use shape::{
    CoherenceConfig, CorsConfig, FormatConfig, GateConfig, HashingConfig, LengthsConfig,
    LimitsConfig, PlanConfig, ProxiesConfig, RealmConfig, RoleConfig, TagKeyConfig, TrustConfig,
};
pub use sources::ConfigSources;

#[cfg(test)]
mod tests {
    use super::GateConfig;
    use super::setting::Setting as _;

    #[test]
    fn the_reference_says_what_the_code_does() {
        let mut tables = Vec::new();
        GateConfig::describe("", &mut tables);
        let expected = tables.join("\n");
        assert!(
            include_str!("reference.md") == expected,
            "reference.md should be:\n{expected}"
        );
    }
}
