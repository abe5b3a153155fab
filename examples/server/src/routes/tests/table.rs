use serde_json::Value;

use super::{Server, answer, refused};

/// Everything that is served, with what it asks for.
const ROUTES: &str = "
GET /whoami JWT | PAT | API_KEY | EXTERNAL
POST /mcp JWT member+ | API_KEY
POST /mcp/{org} JWT | API_KEY | EXTERNAL
GET /openapi.json NONE
POST /api/v1/users/login NONE
GET /api/v1/users/me JWT member+ | API_KEY users.read
PATCH /api/v1/users/me JWT member+ | API_KEY users.write
POST /api/v1/users/signup NONE
POST /api/v1/users/verify-email NONE
POST /api/v1/users/resend-verification NONE
POST /api/v1/users/forgot-password NONE
POST /api/v1/users/reset-password NONE
POST /api/v1/users/change-password JWT member+ | API_KEY users.write
GET /api/v1/users/sessions JWT member+ | API_KEY sessions.read
DELETE /api/v1/users/sessions/{id} JWT member+ | API_KEY sessions.write
GET /api/v1/users/team JWT manager+ | API_KEY team.read
PATCH /api/v1/users/team/{user} JWT admin+ | API_KEY team.write
DELETE /api/v1/users/team/{user} JWT admin+ | API_KEY team.write
GET /api/v1/users/team/{user}/api-keys JWT manager+ | API_KEY team.keys.read
DELETE /api/v1/users/team/{user}/api-keys JWT admin+ | API_KEY team.keys.write
GET /api/v1/users/invites JWT admin+ | API_KEY team.write
POST /api/v1/users/invites JWT admin+ | API_KEY team.write
DELETE /api/v1/users/invites/{id} JWT admin+ | API_KEY team.write
POST /api/v1/users/invites/accept NONE
GET /api/v1/users/google/authorize NONE
GET /api/v1/users/google/callback NONE
GET /api/v1/users/oauth-grants JWT member+ | API_KEY users.read
DELETE /api/v1/users/oauth-grants/{id} JWT member+ | API_KEY users.write
GET /api/v1/users/api-keys JWT member+ | API_KEY keys.read
POST /api/v1/users/api-keys JWT member+ | API_KEY keys.write
GET /api/v1/users/api-keys/{prefix} JWT member+ | API_KEY keys.read
DELETE /api/v1/users/api-keys/{prefix} JWT member+ | API_KEY keys.write
POST /api/v1/users/api-keys/{prefix}/rotate JWT member+ | API_KEY keys.write
GET /api/v1/admin/api-keys JWT admin+ | API_KEY team.keys.read
POST /api/v1/admin/api-keys JWT admin+ | API_KEY team.keys.write
POST /v2/auth/login NONE
GET /v2/handles JWT
POST /v2/handles JWT
GET /v2/handles/{handle} JWT creator+
PATCH /v2/handles/{handle} JWT operator+
PUT /v2/handles/{handle}/collaborators JWT owner+
DELETE /v2/handles/{handle}/collaborators JWT owner+
GET /v2/handles/{handle}/tokens JWT operator+
POST /v2/handles/{handle}/tokens JWT operator+
DELETE /v2/handles/{handle}/tokens/{tokenId} JWT operator+
POST /v2/handles/{handle}/tokens/{tokenId}/rotate JWT operator+
GET /v2/handles/{handle}/links/{slug} JWT creator+
PUT /v2/handles/{handle}/links/{slug} JWT creator+
GET /v2/public/handles/{handle}/links JWT operator+ | PAT links.read
GET /v2/public/handles/{handle}/links/{slug} JWT operator+ | PAT links.read
PUT /v2/public/handles/{handle}/links/{slug} JWT operator+ | PAT links.write
DELETE /v2/public/handles/{handle}/links/{slug} JWT operator+ | PAT links.write
GET /v2/public/handles/{handle}/analytics PAT analytics.read
GET /v2/public/handles/{handle}/webhooks PAT webhooks.read plan:webhooks
POST /v2/public/handles/{handle}/webhooks PAT webhooks.write plan:webhooks
DELETE /v2/public/handles/{handle}/webhooks PAT webhooks.write plan:webhooks
GET /v2/account/domains JWT
POST /v2/account/domains JWT
GET /v2/billing/plan JWT
POST /v2/billing/checkout-session JWT
POST /v2/billing/checkout-session/{id}/complete JWT
POST /v2/public/conversions NONE
GET /v2/coverage NONE
POST /api/auth/login NONE
GET /api/orgs JWT | API_KEY mcp:call
POST /api/orgs JWT
GET /api/api-keys JWT admin+ | API_KEY mcp:call
POST /api/api-keys JWT admin+
DELETE /api/api-keys/{prefix} JWT admin+
GET /api/oauth-clients JWT admin+ | API_KEY mcp:call
POST /api/oauth-clients JWT admin+
DELETE /api/oauth-clients/{clientId} JWT admin+
GET /api/sso JWT admin+ | API_KEY mcp:call
PUT /api/sso JWT admin+
DELETE /api/sso JWT admin+
GET /api/connectors JWT admin+ | API_KEY mcp:call
POST /api/connectors JWT admin+
DELETE /api/connectors/{id} JWT admin+
GET /api/audit JWT admin+ | API_KEY mcp:call
POST /oauth/token NONE
POST /oauth/revoke NONE
POST /oauth/introspect NONE
GET /oauth/authorize NONE
POST /oauth/authorize NONE
GET /.well-known/jwks.json NONE
GET /.well-known/oauth-authorization-server NONE
GET /.well-known/oauth-protected-resource NONE
GET /.well-known/oauth-protected-resource/mcp NONE
GET /.well-known/oauth-protected-resource/mcp/{org} NONE
";

#[tokio::test]
async fn the_table_has_every_route_with_what_it_asks_for() {
    let server = Server::start().await;
    let mut expected: Vec<&str> = ROUTES.trim().lines().collect();
    let table = server.table.to_string();
    let mut served: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    expected.sort_unstable();
    served.sort_unstable();
    assert_eq!(served, expected);
}

#[tokio::test]
async fn the_coverage_map_is_the_table() {
    let server = Server::start().await;
    let (status, map) = server.get("/v2/coverage", "").await;
    assert_eq!(status, 200);
    assert_eq!(
        map["routes"],
        serde_json::to_value(server.table.rows()).unwrap()
    );
}

/// Every guarded route refuses whoever presents nothing, in its realm's dialect, with a challenge.
#[tokio::test]
async fn nothing_is_open_that_the_table_does_not_call_public() {
    let server = Server::start().await;
    for row in server.table.rows().iter().filter(|row| !row.public) {
        let path = row.path.replace(['{', '}'], "");
        let response = server.request(&row.method, &path).send().await.unwrap();
        let challenged = response.headers().contains_key("www-authenticate");
        assert!(challenged, "{} {}", row.method, row.path);
        let refusal = refused(answer(response).await);
        assert_eq!(refusal, (401, "missing_bearer_token".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_the_dialect_of_their_family() {
    let server = Server::start().await;
    let (status, body) = server.get("/api/v1/nothing", "").await;
    assert_eq!((status, &body["code"]), (404, &"not_found".into()));
    let (status, body) = server.get("/v2/nothing", "").await;
    assert_eq!((status, &body["error"]["code"]), (404, &"not_found".into()));
    let refusal = server.call("PUT", "/v2/handles", "", Value::Null).await;
    assert_eq!(refused(refusal), (405, "method_not_allowed".to_owned()));
}
