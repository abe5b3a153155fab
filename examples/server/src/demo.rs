//! `serve --demo`: one of everything, to try the server with.

use std::io::{self, Write as _};
use std::path::Path;

use gatewright_core::credential::{IdAlphabet, MintError, random_id};
use gatewright_core::scope::ScopeSet;
use gatewright_issuer::{Authority, MintRequest};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::accounts::{self, NewUser};
use crate::app::App;
use crate::failure::Failure;
use crate::product::{Connector, PageContent, PurchaseCode};
use crate::realms::MCP_CALL;
use crate::routes::connector_id;
use crate::start::Foundation;

const EMAIL: &str = "demo@example.com";
const WORKSPACE: &str = "demo";
const HANDLE: &str = "demo";
const PLAN: &str = "pro";
const ORG: &str = "acme-corp";
/// A page that visitors pay for.
const PAGE: PageContent<'static> = PageContent {
    title: "The demonstration",
    body: "Whoever reads this has paid for it.",
    paid: true,
};
const PAGE_NAME: &str = "demo-page";
/// How long its purchase code is good, in seconds: a day.
const CODE_SECS: u64 = 86_400;
/// Connectors: what they are called, and their type.
const CONNECTORS: [(&str, &str); 2] = [("Clock", "clock"), ("Text", "text")];
const PAT_SCOPES: &str = "links.read links.write analytics.read webhooks.read webhooks.write";
/// 119 random bits.
const PASSWORD_LENGTH: usize = 20;

/// What a demonstration can be used with. Its secrets are good for nothing once its database is gone.
#[derive(Serialize)]
pub(crate) struct Demo {
    base_url: String,
    email: &'static str,
    #[serde(serialize_with = "exposed")]
    password: Zeroizing<String>,
    workspace: &'static str,
    handle: &'static str,
    #[serde(serialize_with = "exposed")]
    api_key: Zeroizing<String>,
    #[serde(serialize_with = "exposed")]
    pat: Zeroizing<String>,
    org: &'static str,
    #[serde(serialize_with = "exposed")]
    org_key: Zeroizing<String>,
    client_id: String,
    #[serde(serialize_with = "exposed")]
    client_secret: Zeroizing<String>,
    page: &'static str,
    #[serde(serialize_with = "exposed")]
    purchase_code: Zeroizing<String>,
}

impl Demo {
    /// Makes a verified user with a workspace, a handle with a page, an org with two connectors, and a credential of every kind.
    ///
    /// # Errors
    /// [`Failure`] where the database or the system does not go along.
    pub(crate) async fn create(
        foundation: &Foundation,
        app: &App,
        base_url: &str,
    ) -> Result<Self, Failure> {
        let password = random_password()?;
        let user = accounts::create(
            foundation,
            NewUser {
                email: EMAIL,
                password: password.clone(),
                workspace: WORKSPACE,
                handle: Some((HANDLE, PLAN)),
                org: Some(ORG),
                platform_admin: false,
            },
        )
        .await?;
        let handle = user
            .handle
            .ok_or_else(|| Failure::new("the demonstration has no handle"))?;
        let org = user
            .org
            .ok_or_else(|| Failure::new("the demonstration has no org"))?;
        for (name, kind) in CONNECTORS {
            let connector = Connector {
                id: connector_id()?,
                name: name.to_owned(),
                kind: kind.to_owned(),
                created_at: foundation.now(),
            };
            app.product.insert_connector(&org, &connector).await?;
        }
        let code = PurchaseCode::generate()?;
        let (now, product) = (foundation.now(), &app.product);
        product.put_page(&handle, PAGE_NAME, PAGE, now).await?;
        let end = now.saturating_add(CODE_SECS);
        product
            .insert_purchase_code(&handle, PAGE_NAME, &code, &user.user, now, end)
            .await?;
        let scopes = ScopeSet::from(MCP_CALL.clone());
        let authority = Authority::operator();
        let clients = app.clients();
        let request = clients.request(org.clone(), user.user.clone(), scopes.clone());
        let client = clients.register(request.named("demo"), &authority).await?;
        let mint = |brand: &str, tenant, scopes| {
            let request = MintRequest::new(brand, tenant, user.user.clone(), scopes).named("demo");
            let authority = &authority;
            async move {
                let minted = app.credentials.mint(request, authority).await?;
                Ok::<_, Failure>(Zeroizing::new(minted.secret.expose().to_owned()))
            }
        };
        Ok(Self {
            base_url: base_url.to_owned(),
            email: EMAIL,
            password,
            workspace: WORKSPACE,
            handle: HANDLE,
            api_key: mint("tnx", user.workspace, ScopeSet::parse("*")?).await?,
            pat: mint("patv1", handle, ScopeSet::parse(PAT_SCOPES)?).await?,
            org: ORG,
            org_key: mint("apx_live_sk", org, scopes).await?,
            client_id: client.id.to_string(),
            client_secret: Zeroizing::new(client.secret.expose().to_owned()),
            page: PAGE_NAME,
            purchase_code: Zeroizing::new(code.expose().to_owned()),
        })
    }

    /// Lines to paste into a shell.
    pub(crate) fn curls(&self) -> String {
        let Self {
            base_url,
            email,
            password,
            handle,
            api_key,
            pat,
            org,
            org_key,
            client_id,
            client_secret,
            page,
            purchase_code,
            ..
        } = self;
        let (password, api_key, pat) = (&**password, &**api_key, &**pat);
        let code = &**purchase_code;
        let (org_key, client_secret) = (&**org_key, &**client_secret);
        format!(
            "\nTry it:\n\n\
             curl -H 'Authorization: Bearer {api_key}' {base_url}/whoami\n\
             curl -H 'Authorization: Bearer {api_key}' {base_url}/api/v1/users/api-keys\n\
             curl -H 'Authorization: Bearer {pat}' {base_url}/v2/public/handles/{handle}/links\n\
             curl -H 'X-API-Key: {org_key}' {base_url}/api/connectors\n\
             curl -H 'X-API-Key: {org_key}' -H 'Content-Type: application/json' -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{{}}}}' {base_url}/mcp/{org}\n\
             curl -d grant_type=client_credentials -d client_id={client_id} -d client_secret={client_secret} {base_url}/oauth/token\n\
             curl -H 'Content-Type: application/json' -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}' {base_url}/api/v1/users/login\n\
             \nWith a jar for cookies: log in, carry the session on, buy a page, read it.\n\n\
             curl -c cookies.txt -H 'Content-Type: application/json' -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}' {base_url}/v2/auth/login\n\
             curl -b cookies.txt -c cookies.txt -X POST {base_url}/v2/auth/refresh\n\
             curl -b cookies.txt -c cookies.txt -H 'Content-Type: application/json' -d '{{\"code\":\"{code}\"}}' {base_url}/v2/visitor/entitlements\n\
             curl -b cookies.txt -c cookies.txt {base_url}/v2/public/pages/{page}\n"
        )
    }

    /// Writes all of it as JSON into a file that its owner alone can read. The file appears whole or not at all.
    ///
    /// # Errors
    /// The system's, where the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Its mode is 0600 from the start, and stays so in the place of an older file.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        let json = Zeroizing::new(serde_json::to_string_pretty(self)?);
        writeln!(file, "{}", *json)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|failed| failed.error)
    }
}

fn exposed<S: Serializer>(secret: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret)
}

fn random_password() -> Result<Zeroizing<String>, MintError> {
    random_id(IdAlphabet::Alphanumeric, PASSWORD_LENGTH).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Demo {
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        Demo {
            base_url: "http://127.0.0.1:1".to_owned(),
            email: EMAIL,
            password: random_password().unwrap(),
            workspace: WORKSPACE,
            handle: HANDLE,
            api_key: secret("tnx_a"),
            pat: secret("patv1_b"),
            org: ORG,
            org_key: secret("apx_live_sk_c"),
            client_id: "apx_client_d".to_owned(),
            client_secret: secret("apx_secret_e"),
            page: PAGE_NAME,
            purchase_code: secret("f"),
        }
    }

    #[test]
    fn the_file_holds_every_member_and_is_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.json");
        std::fs::write(&path, "something older").unwrap();
        let demo = demo();
        demo.write(&path).unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "base_url": "http://127.0.0.1:1",
                "email": "demo@example.com",
                "password": *demo.password,
                "workspace": "demo",
                "handle": "demo",
                "api_key": "tnx_a",
                "pat": "patv1_b",
                "org": "acme-corp",
                "org_key": "apx_live_sk_c",
                "client_id": "apx_client_d",
                "client_secret": "apx_secret_e",
                "page": "demo-page",
                "purchase_code": "f",
            })
        );
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn every_line_to_paste_is_a_curl_of_this_server() {
        let curls = demo().curls();
        let lines: Vec<_> = curls
            .lines()
            .filter(|line| line.starts_with("curl"))
            .collect();
        assert_eq!(lines.len(), 11);
        assert!(
            lines
                .iter()
                .all(|line| line.contains(" http://127.0.0.1:1/"))
        );
    }
}
