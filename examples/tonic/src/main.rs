//! Gatewright in front of tonic: a health service for those who may see it. Credentials come as metadata.

use std::sync::Arc;

use gatewright::audit::NoAudit;
use gatewright::gate::{Coherence, Gate};
use gatewright::issuer::{Authority, CredentialIssuer, MintRequest, guard_tag_keys};
use gatewright::policy::{Policy, Realm};
use gatewright::principal::{Tenant, TenantId, TenantKind, UserId};
use gatewright::scope::{ScopeCatalog, ScopeSet};
use gatewright::store::{MembershipStore as _, MemoryStore};
use gatewright::tower::{GateLayer, GrpcRefusal, Guard};
use tonic::transport::{Server, server::TcpIncoming};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The store lasts as long as the program. One that is kept is `gatewright::sqlx::SqliteStore`.
    let store = Arc::new(MemoryStore::new());
    let tags = guard_tag_keys(&*store).await?;
    let gate = Gate::builder(store.clone(), Coherence::SingleProcess, tags).build()?;

    let policy = Policy::api_key().scope("health.read").or(Policy::pat());
    let policy = gate.compile(&policy, &Realm::builder("health").build());
    let policy = policy.map_err(|mistakes| format!("{mistakes:?}"))?;
    let guard = Guard::rendering(gate.clone(), policy, GrpcRefusal::default());
    let (_reporter, health) = tonic_health::server::health_reporter();
    let mut server = Server::builder().layer(GateLayer::guarding(guard));
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:0".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("grpc.health.v1.Health at http://{}", listener.local_addr()?);

    // What a service does when somebody signs up, and asks for a credential.
    let (acme, alice) = (TenantId::new("ten_1")?, UserId::new("usr_1")?);
    let kind = TenantKind::from_static("workspace");
    let tenant = Tenant::new(acme.clone(), kind, "acme", "free");
    let created = store.create_tenant(tenant, &alice, "owner").await?;
    gate.changes().publish(created);
    let catalog = ScopeCatalog::builder()
        .declare("health.read", "See whether the service is well")
        .declare("links.read", "See links")
        .build()?;
    let audit = Arc::new(NoAudit::default());
    let issuer = CredentialIssuer::new(gate, store, Arc::new(catalog), audit);
    for (brand, scope, outcome) in [
        ("tnx", "health.read", "OK"),
        ("patv1", "links.read", "OK"),
        ("tnx", "links.read", "PERMISSION_DENIED"),
    ] {
        let scopes = ScopeSet::parse(scope)?;
        let request = MintRequest::new(brand, acme.clone(), alice.clone(), scopes);
        let minted = issuer.mint(request, &Authority::operator()).await?;
        let secret = minted.secret.expose();
        println!("authorization: Bearer {secret} gets {outcome}");
    }
    let server = server.add_service(health);
    Ok(server
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?)
}
