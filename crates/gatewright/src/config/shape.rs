//! The fields of a configuration.

use std::collections::BTreeMap;

use super::setting::{CoherenceMode, FormatKind, FormatLayout, Jwks, SecretBytes, tables};
use crate::credential::{IdAlphabet, ImportedAlphabet};
use crate::dialect::Dialect;
use crate::jwt::{Algorithm, TypRule};
use crate::limit::Rate;
use crate::scope::Scope;
use crate::source::{Network, ProxyField};

tables! {
    /// A whole gate and its realms.
    GateConfig {
        /// The secrets that are accepted; `tnx`, `patv1`, `apx_live_sk` and `apx_test_sk` if not given.
        formats: Vec<FormatConfig> = FormatConfig::standard();
        /// Whether JWTs are accepted.
        jwt: bool = true;
        /// What a hash costs, and how many run at once.
        hashing: HashingConfig = HashingConfig::default();
        /// How many records, verified tokens and memberships to keep in memory, of each.
        cache_capacity: usize = 100_000, in 1 ..= 100_000_000, unit "entries";
        /// Who else may change what is cached.
        coherence: CoherenceConfig;
        /// The keys of the guard tags, the current one first. They outlive the process and are the same on every node.
        tag_keys: Vec<TagKeyConfig>;
        /// The proxies in front that are believed about where requests came from; nothing but the socket if not given.
        proxies: Option<ProxiesConfig> = None;
        /// The realms. The name is what challenges say.
        realms: BTreeMap<String, RealmConfig> = BTreeMap::new();
    }

    /// One kind of secret; see [`SecretFormat`](crate::credential::SecretFormat).
    FormatConfig {
        /// What it stands for.
        kind: FormatKind;
        /// How its parts follow each other.
        layout: FormatLayout;
        /// What comes before the first underscore that is not its own. Required, but with the imported layouts.
        brand: Option<String> = None;
        /// The length of the public id; that of the layout if not given. Imported keys without one have an id derived from the text.
        id_length: Option<u32> = None, in 0 ..= 64, unit "characters";
        /// The characters of the public id; those of the layout if not given.
        id_alphabet: Option<IdAlphabet> = None;
        /// The random characters, without checksum; those of the layout if not given.
        random_length: Option<u32> = None, in 0 ..= 255, unit "characters";
        /// Also accepts older secrets without a checksum, of these lengths.
        unchecked: Option<LengthsConfig> = None;
        /// What imported keys begin with. Required with `imported`, and with that alone.
        prefix: Option<String> = None;
        /// The characters of imported keys after the prefix. Required with the imported layouts, and with those alone.
        alphabet: Option<ImportedAlphabet> = None;
        /// How many characters follow the prefix of imported keys. Required with the imported layouts, and with those alone.
        lengths: Option<LengthsConfig> = None;
    }

    /// A range of lengths.
    LengthsConfig {
        /// The least.
        least: u32, in 0 ..= 255, unit "characters";
        /// The most.
        most: u32, in 0 ..= 255, unit "characters";
    }

    /// Argon2id ([RFC 9106](https://www.rfc-editor.org/rfc/rfc9106)) and the threads that compute it.
    HashingConfig {
        /// The memory of a new hash.
        memory_kib: u32 = 19_456, in 19_456 ..= 131_072, unit "KiB";
        /// The passes of a new hash.
        passes: u32 = 2, in 2 ..= 10;
        /// The lanes of a new hash.
        lanes: u32 = 1, in 1 ..= 4;
        /// The threads; as many as there are cores, at most 4, if not given.
        threads: Option<u32> = None, in 1 ..= 1_024;
        /// How many hashes may wait before a request is told to come back.
        queue: u32 = 64, in 1 ..= 1_000_000, unit "jobs";
        /// The most memory that a stored hash may ask for.
        max_memory_kib: u32 = 65_536, in 19_456 ..= 131_072, unit "KiB";
    }

    /// How far memory may be trusted over the store; see [`Coherence`](crate::gate::Coherence).
    CoherenceConfig {
        /// Who else may change the store.
        mode: CoherenceMode;
        /// The longest silence of the change feed. Required with `bounded`, not allowed with the others.
        max_silence_secs: Option<u32> = None, in 1 ..= 86_400, unit "seconds";
    }

    /// One key of the guard tags; see [`TagKey`](crate::hash::TagKey).
    TagKeyConfig {
        /// The number by which tags name it.
        id: u32;
        /// 32 bytes.
        secret: SecretBytes;
    }

    /// Proxies in front; see [`TrustedProxies`](crate::source::TrustedProxies).
    ProxiesConfig {
        /// How many of them append to the field, every request passing through all.
        trusted: u32 = 1, in 1 ..= 16, unit "proxies";
        /// The field that they write callers' addresses into. No other is read.
        field: ProxyField;
        /// Where the nearest of them calls from, such as `10.0.0.0/8`; others are not believed. From anywhere if not given.
        networks: Option<Vec<Network>> = None;
    }

    /// A family of routes; see [`Realm`](crate::policy::Realm).
    RealmConfig {
        /// How refusals look.
        dialect: Dialect = Dialect::Canonical;
        /// The ladder of roles, the lowest first.
        roles: Vec<RoleConfig> = Vec::new();
        /// The kind of tenant that paths and credentials name.
        tenant_kind: Option<String> = None;
        /// The plans that tenants may be on.
        plans: BTreeMap<String, PlanConfig> = BTreeMap::new();
        /// The rates that hold.
        limits: LimitsConfig = LimitsConfig::default();
        /// The absolute URL of the protected resource metadata, for challenges.
        resource_metadata: Option<String> = None;
        /// Reads `Authorization` alone, never `X-API-Key`.
        authorization_only: bool = false;
        /// Which pages of other origins may call; none unless origins are given.
        cors: CorsConfig = CorsConfig::default();
        /// The issuers whose tokens are accepted, each once.
        trust: Vec<TrustConfig> = Vec::new();
    }

    /// What browsers are told of pages of other origins; see [`Cors`](crate::cors::Cors).
    CorsConfig {
        /// Such as `https://app.example`; `*` alone for all.
        origins: Vec<String> = Vec::new();
        /// Lets pages send cookies along.
        credentials: bool = false;
        /// The methods that pages may use.
        methods: Vec<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(str::to_owned).into();
        /// The fields that pages may send beside `authorization`, `content-type` and `x-api-key`.
        headers: Vec<String> = Vec::new();
        /// The fields that pages may read beside the challenge, `retry-after` and those of rate limits.
        expose: Vec<String> = Vec::new();
        /// For how long a browser may remember the answer to a preflight.
        max_age_secs: u32 = 600, in 0 ..= 86_400, unit "seconds";
    }

    /// One rung of a ladder; see [`Roles`](crate::role::Roles).
    RoleConfig {
        /// The role.
        name: String;
        /// What it may do beyond what the roles below it may.
        permissions: Vec<Scope> = Vec::new();
    }

    /// What a tenant pays for; see [`Plans`](crate::policy::Plans).
    PlanConfig {
        /// The rate that all credentials of the tenant share.
        rate: Option<Rate> = None;
        /// The calls that all credentials of the tenant share in a calendar month (UTC).
        quota: Option<u32> = None, in 1 ..= 4_294_967_295, unit "calls";
        /// What the plan has and others may not.
        features: Vec<String> = Vec::new();
    }

    /// What is charged; see [`Limits`](crate::policy::Limits).
    LimitsConfig {
        /// Charges admitted calls of a tenant to the rate and the quota of its plan.
        by_plan: bool = false;
        /// Charges admitted calls to their key, or the user or client of a JWT.
        per_credential: Option<Rate> = None;
        /// Charges calls without a credential to their source address.
        per_source: Option<Rate> = None;
        /// Charges calls of a personal access token per tenant, token and source address.
        pat_guard: Option<Rate> = None;
        /// Charges all calls by personal access tokens of a tenant.
        tenant_burst: Option<Rate> = None;
    }

    /// An issuer, how its tokens are checked, and its keys; see [`Verifier`](crate::jwt::Verifier).
    TrustConfig {
        /// Exactly the `iss` of its tokens.
        issuer: String;
        /// One of these must be in `aud`.
        audiences: Vec<String>;
        /// The algorithms that are allowed.
        algorithms: Vec<Algorithm> = vec![Algorithm::Rs256];
        /// What `typ` must be; with `any` its tokens are told apart by `aud` alone.
        typ: TypRule = TypRule::AccessToken;
        /// How far its clock may be from ours.
        leeway_secs: u64 = 0, in 0 ..= 60, unit "seconds";
        /// The age from which a token is refused whatever its `exp` says.
        max_age_secs: Option<u64> = None, in 1 ..= 31_622_400, unit "seconds";
        /// Claims that must be there.
        required_claims: Vec<String> = Vec::new();
        /// Requires `sub`, `client_id`, `iat` and `jti` (RFC 9068 §2.2).
        rfc9068: bool = false;
        /// Reads our own issuer's `tenant` and `epoch`.
        private_claims: bool = false;
        /// Its public keys. Either these or `hs256_secret`.
        jwks: Option<Jwks> = None;
        /// A secret of at least 32 bytes that is shared with it. Whoever has it can also sign.
        hs256_secret: Option<SecretBytes> = None;
        /// The `kid` of tokens that are signed with that secret.
        hs256_kid: Option<String> = None;
    }
}

impl FormatConfig {
    /// What [`Formats::standard`](crate::credential::Formats::standard) accepts.
    fn standard() -> Vec<Self> {
        let format = |brand: &str, kind, layout| Self {
            brand: Some(brand.to_owned()),
            kind,
            layout,
            ..Self::default()
        };
        vec![
            format("tnx", FormatKind::ApiKey, FormatLayout::Separated),
            format("patv1", FormatKind::Pat, FormatLayout::Dotted),
            format("apx_live_sk", FormatKind::ApiKey, FormatLayout::Joined),
            format("apx_test_sk", FormatKind::ApiKey, FormatLayout::Joined),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigErrors, Path};
    use crate::credential::Formats;
    use crate::hash::Argon2Settings;

    #[test]
    fn the_formats_are_the_standard_ones() {
        let mut notes = crate::config::mistake::Notes::default();
        let made =
            crate::config::judge::formats(&FormatConfig::standard(), true, &Path::ROOT, &mut notes);
        assert_eq!(format!("{made:?}"), format!("{:?}", Formats::standard()));
        assert!(notes.settle(Some(())).is_ok());
    }

    #[test]
    fn the_bound_of_proxies_is_that_of_the_source() {
        let read = |trusted: u32| {
            let mut notes = crate::config::mistake::Notes::default();
            let config = GateConfig {
                proxies: Some(ProxiesConfig {
                    trusted,
                    ..ProxiesConfig::default()
                }),
                ..GateConfig::default()
            };
            let _parts = config.judge(&mut notes);
            !notes.is_wrong(&Path::ROOT.field("proxies"))
        };
        let most = crate::source::TrustedProxies::MAX;
        assert_eq!([0, 1, most, most + 1].map(read), [false, true, true, false]);
    }

    /// The bounds that are written here are those of the hashes.
    #[test]
    fn the_bounds_of_hashing_are_those_of_argon2() {
        for (memory, passes, lanes, fits) in [
            (19_456, 2, 1, true),
            (131_072, 10, 4, true),
            (19_455, 2, 1, false),
            (131_073, 2, 1, false),
            (19_456, 1, 1, false),
            (19_456, 11, 1, false),
            (19_456, 2, 0, false),
            (19_456, 2, 5, false),
        ] {
            assert_eq!(Argon2Settings::new(memory, passes, lanes).is_ok(), fits);
            let document = format!(
                "coherence.mode = 'strict'
                 tag_keys = [{{ id = 1, secret = '{}' }}]
                 hashing = {{ memory_kib = {memory}, passes = {passes}, lanes = {lanes} }}",
                "A".repeat(43) + "="
            );
            let sources: crate::config::ConfigSources = toml::from_str(&document).unwrap();
            let read: Result<GateConfig, ConfigErrors> = sources.read();
            assert_eq!(read.is_ok(), fits, "{read:?}");
        }
    }
}
