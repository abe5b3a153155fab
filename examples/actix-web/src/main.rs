//! Gatewright in front of actix-web: a route for everybody, one for API keys, one for personal access tokens.

use std::sync::Arc;

use actix_web::{App, HttpServer};
use gatewright::actix::{Authenticated, GuardedScope, get};
use gatewright::audit::NoAudit;
use gatewright::gate::{Coherence, Gate};
use gatewright::issuer::{Authority, CredentialIssuer, MintRequest, guard_tag_keys};
use gatewright::policy::{Policy, Realm};
use gatewright::principal::{Tenant, TenantId, TenantKind, UserId};
use gatewright::scope::{ScopeCatalog, ScopeSet};
use gatewright::store::{MembershipStore as _, MemoryStore};

async fn whoami(caller: Authenticated) -> String {
    format!("{}\n", caller.subject())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The store lasts as long as the program. One that is kept is `gatewright::sqlx::SqliteStore`.
    let store = Arc::new(MemoryStore::new());
    let tags = guard_tag_keys(&*store).await?;
    let gate = Gate::builder(store.clone(), Coherence::SingleProcess, tags).build()?;

    let (read, write) = ("links.read", "links.write");
    let (routes, table) = GuardedScope::new(gate.clone(), Realm::builder("links").build())
        .route("/health", get(Policy::public(), async || "fine\n"))
        .route(
            "/links",
            get(Policy::api_key().scope(read), whoami).post(Policy::api_key().scope(write), whoami),
        )
        .route("/me", get(Policy::pat(), whoami))
        .finish()?;
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:0".into());
    let listener = std::net::TcpListener::bind(address)?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("{table}\ncurl {url}/health");

    // What a service does when somebody signs up, and asks for a credential.
    let (acme, alice) = (TenantId::new("ten_1")?, UserId::new("usr_1")?);
    let kind = TenantKind::from_static("workspace");
    let tenant = Tenant::new(acme.clone(), kind, "acme", "free");
    let created = store.create_tenant(tenant, &alice, "owner").await?;
    gate.changes().publish(created);
    let catalog = ScopeCatalog::builder().declare(read, "See links").build()?;
    let audit = Arc::new(NoAudit::default());
    let issuer = CredentialIssuer::new(gate, store, Arc::new(catalog), audit);
    for (brand, path) in [("tnx", "links"), ("patv1", "me")] {
        let scopes = ScopeSet::parse(read)?;
        let request = MintRequest::new(brand, acme.clone(), alice.clone(), scopes);
        let minted = issuer.mint(request, &Authority::operator()).await?;
        let secret = minted.secret.expose();
        println!("curl -H 'authorization: Bearer {secret}' {url}/{path}");
    }
    let server = HttpServer::new(move || App::new().configure(|app| routes.register(app)));
    Ok(server.listen(listener)?.run().await?)
}
