//! Metadata of the authorization server (RFC 8414) and of protected resources (RFC 9728).

use gatewright_issuer::{AuthorizationServerMetadata, MetadataError, ProtectedResourceMetadata};
use serde_json::{json, to_value};

use crate::world::scopes;

const TOKEN: &str = "https://gateway.example/oauth/token";
const JWKS: &str = "https://gateway.example/.well-known/jwks.json";

fn server(issuer: &str) -> Result<AuthorizationServerMetadata, MetadataError> {
    AuthorizationServerMetadata::new(issuer, TOKEN, JWKS)
}

#[test]
fn a_server_says_what_it_has_and_nothing_empty() {
    let issuer = "https://gateway.example";
    let least = json!({
        "issuer": issuer,
        "token_endpoint": TOKEN,
        "jwks_uri": JWKS,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    assert_eq!(
        to_value(server(issuer).unwrap()).unwrap(),
        least,
        "RFC 8414 §3.2"
    );

    let all = server(issuer)
        .and_then(|metadata| metadata.with_revocation("https://gateway.example/oauth/revoke"))
        .and_then(|metadata| {
            metadata.with_introspection("https://gateway.example/oauth/introspect")
        })
        .and_then(|metadata| metadata.with_documentation("https://gateway.example/docs"))
        .and_then(|metadata| {
            metadata.with_authorization("https://gateway.example/oauth/authorize", ["code"])
        })
        .unwrap()
        .with_scopes(&scopes("offline_access mcp:call"));
    let mut expected = least;
    for (name, value) in [
        (
            "revocation_endpoint",
            json!("https://gateway.example/oauth/revoke"),
        ),
        (
            "introspection_endpoint",
            json!("https://gateway.example/oauth/introspect"),
        ),
        (
            "revocation_endpoint_auth_methods_supported",
            json!(["client_secret_basic", "client_secret_post"]),
        ),
        (
            "introspection_endpoint_auth_methods_supported",
            json!(["client_secret_basic", "client_secret_post"]),
        ),
        (
            "service_documentation",
            json!("https://gateway.example/docs"),
        ),
        (
            "authorization_endpoint",
            json!("https://gateway.example/oauth/authorize"),
        ),
        ("response_types_supported", json!(["code"])),
        ("scopes_supported", json!(["mcp:call"])),
    ] {
        expected[name] = value;
    }
    assert_eq!(to_value(all).unwrap(), expected);

    // For clients that ask for the member, and learn from it that they cannot begin there.
    let none = server(issuer)
        .and_then(|metadata| metadata.with_authorization(TOKEN, None::<String>))
        .unwrap();
    let none = to_value(none).unwrap();
    assert_eq!(none["response_types_supported"], json!([]));
}

#[test]
fn a_resource_says_where_its_tokens_come_from() {
    let resource = "https://gateway.example/mcp/acme";
    let metadata = ProtectedResourceMetadata::new(resource, "https://gateway.example").unwrap();
    let mut expected = json!({
        "resource": resource,
        "authorization_servers": ["https://gateway.example"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(to_value(&metadata).unwrap(), expected, "RFC 9728 §2");
    let metadata = metadata
        .with_authorization_server("https://idp.example/acme")
        .unwrap()
        .with_scopes(&scopes("mcp:call offline_access"))
        .with_name("Acme");
    expected["authorization_servers"] =
        json!(["https://gateway.example", "https://idp.example/acme"]);
    expected["scopes_supported"] = json!(["mcp:call"]);
    expected["resource_name"] = json!("Acme");
    assert_eq!(to_value(&metadata).unwrap(), expected);
    let none = metadata.with_scopes(&scopes("offline_access"));
    assert_eq!(to_value(none).unwrap().get("scopes_supported"), None);
}

#[test]
fn well_known_paths_are_inserted_behind_the_host() {
    for (rule, issuer, path) in [
        ("RFC 8414 §3.1", "https://example.com", ""),
        (
            "RFC 8414 §3.1, issuer1",
            "https://example.com/issuer1",
            "/issuer1",
        ),
        (
            "RFC 8414 §3.1, terminating slash",
            "https://example.com/",
            "",
        ),
        (
            "RFC 8414 §3.1, terminating slash",
            "https://example.com/issuer1/",
            "/issuer1",
        ),
    ] {
        let expected = format!("/.well-known/oauth-authorization-server{path}");
        let metadata = server(issuer).unwrap();
        assert_eq!(metadata.well_known_path(), expected, "{rule}");
        assert_eq!(to_value(metadata).unwrap()["issuer"], issuer, "identical");
    }
    for (rule, resource, rest) in [
        ("RFC 9728 §3.1", "https://resource.example.com", ""),
        (
            "RFC 9728 §3.1, slash after the host",
            "https://resource.example.com/",
            "",
        ),
        (
            "RFC 9728 §3.1, resource1",
            "https://resource.example.com/resource1",
            "/resource1",
        ),
        (
            "RFC 9728 §3.1, query",
            "https://resource.example.com/a?b=c",
            "/a?b=c",
        ),
        (
            "RFC 9728 §3.1, query alone",
            "https://resource.example.com/?b=c",
            "?b=c",
        ),
    ] {
        let metadata = ProtectedResourceMetadata::new(resource, "https://as.example.com").unwrap();
        let path = format!("/.well-known/oauth-protected-resource{rest}");
        assert_eq!(metadata.well_known_path(), path, "{rule}");
        let url = format!("https://resource.example.com{path}");
        assert_eq!(metadata.well_known_url(), url, "{rule}");
        assert_eq!(
            to_value(metadata).unwrap()["resource"],
            resource,
            "identical"
        );
    }
}

#[test]
fn urls_that_clients_could_not_trust_are_not_published() {
    for (issuer, mistake) in [
        ("https://gateway.example?a=b", MetadataError::Query),
        ("https://gateway.example#a", MetadataError::Url),
        ("gateway.example", MetadataError::Url),
        ("http://gateway.example", MetadataError::NotHttps),
    ] {
        assert_eq!(server(issuer).unwrap_err(), mistake);
        let resource = ProtectedResourceMetadata::new("https://resource.example", issuer);
        assert_eq!(resource.unwrap_err(), mistake);
    }
    assert!(
        server("http://127.0.0.1:8080").is_ok(),
        "on one's own machine"
    );
    let issuer = "https://gateway.example";
    let token = AuthorizationServerMetadata::new(issuer, "/oauth/token", JWKS);
    assert_eq!(token.unwrap_err(), MetadataError::Url);
}
