//! Lists by cursor, while they change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::call::{Answer, Api, Call};
use crate::server::Home;
use crate::world::{HANDLE, OWNER, PASSWORD, World};

/// Reads a list to its end, and asserts that nothing in it is repeated.
async fn walk(
    world: &World,
    path: &str,
    token: &str,
    limit: usize,
    name: &str,
) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{path}?limit={limit}&cursor={cursor}");
        let page = world
            .api
            .get(&path)
            .bearer(token)
            .send()
            .await
            .is(200)
            .json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        for item in items {
            let name = item[name].as_str().unwrap().to_owned();
            // At once: a list that repeats itself may have no end.
            assert!(seen.insert(name.clone()), "{name} is there twice");
        }
        match &page["next_cursor"] {
            Value::String(next) => {
                assert_eq!(items.len(), limit, "a short page that is not the last");
                cursor.clone_from(next);
            }
            Value::Null => return seen,
            other => panic!("{other}"),
        }
        assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_complete_and_without_repetition_while_rows_are_added() {
    const THERE: usize = 60;
    let world = World::new().await;
    let pat = world.pat(&["links.read", "links.write"]).await;
    let links = format!("/v2/public/handles/{HANDLE}/links");
    let body = json!({"destinationUrl": "https://example.com", "title": ""});
    for number in 0..THERE {
        let path = format!("{links}/m-{number:03}");
        world
            .api
            .put(&path, &body)
            .bearer(&pat.secret)
            .send()
            .await
            .is(201);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let adding = {
        let (stop, api, links) = (Arc::clone(&stop), world.api.clone(), links.clone());
        let secret = pat.secret.clone();
        tokio::spawn(async move {
            let mut added = 0;
            while !stop.load(Ordering::Relaxed) {
                // Before, amid and after those that are there.
                let place = ["a", "m-030-", "z"][added % 3];
                let path = format!("{links}/{place}{added}");
                api.put(&path, &body).bearer(&secret).send().await.is(201);
                added += 1;
            }
            added
        })
    };
    for limit in [1, 7, 100] {
        let seen = walk(&world, &links, &pat.secret, limit, "slug").await;
        for number in 0..THERE {
            assert!(
                seen.contains(&format!("m-{number:03}")),
                "m-{number:03} is missing"
            );
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(adding.await.unwrap() > 0);
}

/// How a row comes and goes.
enum Way {
    /// Over HTTP: the request that makes the row of this number, and the answer's name of it and the request that ends it.
    Http(fn(&Api, usize) -> Call, fn(&Api, usize, &Answer) -> Row),
    /// Past the server, for what takes a person or a provider: statements with `#` for the number, `$T` for the workspace
    /// and `$U` for the owner. The name of a row is the word and the number.
    Sql {
        insert: &'static [&'static str],
        delete: &'static [&'static str],
        word: &'static str,
    },
}

/// A row, and what ends it, if anything does.
struct Row(String, Option<Call>);

/// A list that changes.
struct List {
    path: String,
    /// The member that tells its items apart.
    name: &'static str,
    way: Way,
}

impl List {
    fn new(path: impl Into<String>, name: &'static str, way: Way) -> Self {
        Self {
            path: path.into(),
            name,
            way,
        }
    }
}

/// What makes the rows of a list.
struct Hand {
    api: Api,
    home: sqlx::SqliteConnection,
    token: String,
    tenant: String,
    user: String,
}

impl Hand {
    async fn run(&mut self, statements: &[&str], number: usize) {
        for statement in statements {
            let statement = statement
                .replace('#', &format!("{number:05}"))
                .replace("$T", &self.tenant)
                .replace("$U", &self.user);
            self.home.execute(AssertSqlSafe(statement)).await.unwrap();
        }
    }

    async fn make(&mut self, way: &Way, number: usize) -> Row {
        match way {
            Way::Http(make, row) => {
                let answer = make(&self.api, number).bearer(&self.token).send().await;
                assert!((200..300).contains(&answer.status), "{answer:?}");
                row(&self.api, number, &answer)
            }
            Way::Sql { insert, word, .. } => {
                self.run(insert, number).await;
                Row(format!("{word}{number:05}"), None)
            }
        }
    }

    async fn end(&mut self, way: &Way, number: usize, row: Row) {
        match (way, row.1) {
            (Way::Sql { delete, .. }, _) => self.run(delete, number).await,
            (_, Some(end)) => {
                let answer = end.bearer(&self.token).send().await;
                assert!((200..300).contains(&answer.status), "{answer:?}");
            }
            (_, None) => {}
        }
    }
}

/// Rows of which every second one ends stay complete, and nothing comes twice, while more come and go between the pages.
async fn stays_complete(world: &World, home: &Home, ids: &(String, String), list: List, jwt: &str) {
    const THERE: usize = 10;
    let hand = async || Hand {
        api: world.api.clone(),
        home: home.connect().await,
        token: jwt.to_owned(),
        tenant: ids.0.clone(),
        user: ids.1.clone(),
    };
    let List { path, name, way } = list;
    let way = Arc::new(way);
    let (mut first, mut there) = (hand().await, BTreeSet::new());
    for number in 0..2 * THERE {
        let row = first.make(&way, number).await;
        if number % 2 == 0 {
            there.insert(row.0);
        } else {
            first.end(&way, number, row).await;
        }
    }
    first.home.close().await.unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let changing = {
        let (stop, way, mut hand) = (Arc::clone(&stop), Arc::clone(&way), hand().await);
        tokio::spawn(async move {
            let mut number = 2 * THERE;
            // Once at the least, and a few live at any time.
            let mut live = std::collections::VecDeque::new();
            loop {
                let row = hand.make(&way, number).await;
                live.push_back((number, row));
                if live.len() > 3 {
                    let (number, row) = live.pop_front().unwrap();
                    hand.end(&way, number, row).await;
                }
                number += 1;
                if stop.load(Ordering::Relaxed) {
                    hand.home.close().await.unwrap();
                    return number;
                }
            }
        })
    };
    for limit in [1, 3, 100] {
        let seen = walk(world, &path, jwt, limit, name).await;
        let missing: Vec<_> = there.difference(&seen).collect();
        assert!(missing.is_empty(), "{path} by {limit} lacks {missing:?}");
    }
    stop.store(true, Ordering::Relaxed);
    assert!(changing.await.unwrap() > 2 * THERE, "{path}");
}

/// The member of the answer that is the row's name, and a request to end it at this path.
fn named(api: &Api, answer: &Answer, member: &str, path: &str) -> Row {
    let name = answer.string(member);
    let end = api.delete(&format!("{path}{name}"));
    Row(name, Some(end))
}

fn session_of(token: &str) -> String {
    let payload = token.split('.').nth(1).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}

fn workspace_lists(user: &str) -> Vec<List> {
    const USERS: &str = "/api/v1/users";
    let keys = || {
        Way::Http(
            |api, number| {
                let body = json!({"name": format!("k{number}")});
                api.post("/api/v1/users/api-keys", &body)
            },
            |api, _, answer| named(api, answer, "prefix", "/api/v1/users/api-keys/"),
        )
    };
    vec![
        List::new(
            format!("{USERS}/sessions"),
            "id",
            Way::Http(
                |api, _| {
                    let body = json!({"email": OWNER, "password": PASSWORD});
                    api.post("/api/v1/users/login", &body)
                },
                |api, _, answer| {
                    let id = session_of(&answer.string("access_token"));
                    let end = api.delete(&format!("/api/v1/users/sessions/{id}"));
                    Row(id, Some(end))
                },
            ),
        ),
        List::new(
            format!("{USERS}/invites"),
            "id",
            Way::Http(
                |api, number| {
                    let email = format!("p{number}@people.test");
                    let body = json!({"email": email, "role": "member"});
                    api.post("/api/v1/users/invites", &body)
                },
                |api, _, answer| named(api, answer, "id", "/api/v1/users/invites/"),
            ),
        ),
        List::new(
            format!("{USERS}/team"),
            "id",
            Way::Sql {
                insert: &[
                    "INSERT INTO accounts (id, email, name, verified, platform_admin, created_at) \
                     VALUES ('usr_#', 'm#@people.test', '', 1, 0, 1700000000)",
                    "INSERT INTO memberships (tenant, user_id, role, kind, slug, email) \
                     VALUES ('$T', 'usr_#', 'member', 'workspace', 'acme', 'm#@people.test')",
                ],
                delete: &["DELETE FROM memberships WHERE user_id = 'usr_#'"],
                word: "usr_",
            },
        ),
        List::new(
            format!("{USERS}/oauth-grants"),
            "id",
            Way::Sql {
                insert: &[
                    "INSERT INTO linked_logins (id, user_id, issuer, subject, email, linked_at) \
                     VALUES ('lnk_#', '$U', 'https://idp.test', '#', 'owner@acme.test', 1700000000)",
                ],
                delete: &["DELETE FROM linked_logins WHERE id = 'lnk_#'"],
                word: "lnk_",
            },
        ),
        List::new(format!("{USERS}/api-keys"), "prefix", keys()),
        List::new(format!("{USERS}/team/{user}/api-keys"), "prefix", keys()),
        List::new("/api/v1/admin/api-keys", "prefix", keys()),
    ]
}

fn handle_lists() -> Vec<List> {
    const HOOKS: &str = "/v2/handles/studio";
    assert!(HOOKS.ends_with(HANDLE));
    vec![
        List::new(
            "/v2/handles",
            "handle",
            Way::Http(
                |api, number| api.post("/v2/handles", &json!({"handle": format!("h-{number:05}")})),
                |_, _, answer| Row(answer.string("handle"), None),
            ),
        ),
        List::new(
            format!("{HOOKS}/pages"),
            "page",
            Way::Http(
                |api, number| {
                    let path = format!("/v2/handles/studio/pages/p-{number:05}");
                    api.put(&path, &json!({"title": "A page", "body": ""}))
                },
                |api, _, answer| named(api, answer, "page", "/v2/handles/studio/pages/"),
            ),
        ),
        List::new(
            format!("{HOOKS}/tokens"),
            "tokenId",
            Way::Http(
                |api, _| {
                    let body = json!({"name": "t", "scopes": ["links.read"], "expiresInDays": 1});
                    api.post("/v2/handles/studio/tokens", &body)
                },
                |api, _, answer| named(api, answer, "tokenId", "/v2/handles/studio/tokens/"),
            ),
        ),
        List::new(
            "/v2/account/domains",
            "domain",
            Way::Http(
                |api, number| {
                    let body = json!({"domain": format!("d{number:05}.example.com")});
                    api.post("/v2/account/domains", &body)
                },
                |_, _, answer| Row(answer.string("domain"), None),
            ),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_of_a_workspace_is_complete_while_rows_come_and_go() {
    let world = World::new().await;
    let me = world.api.get("/api/v1/users/me").bearer(&world.owner.v1);
    let user = me.send().await.is(200).string("id");
    let ids = (tenant_of(&world.home).await, user);
    for list in workspace_lists(&ids.1) {
        stays_complete(&world, &world.home, &ids, list, &world.owner.v1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_of_a_handle_is_complete_while_rows_come_and_go() {
    // Webhooks are for those who pay.
    let change = "UPDATE tenants SET plan = 'pro' WHERE kind = 'handle'";
    let world = World::new().await.changed(change).await;
    let ids = (tenant_of(&world.home).await, String::new());
    for list in handle_lists() {
        stays_complete(&world, &world.home, &ids, list, &world.owner.v2).await;
    }
    let pat = world
        .pat(&[
            "links.read",
            "links.write",
            "webhooks.read",
            "webhooks.write",
        ])
        .await;
    for list in public_lists() {
        stays_complete(&world, &world.home, &ids, list, &pat.secret).await;
    }
}

/// Those that a personal access token reads.
fn public_lists() -> Vec<List> {
    vec![
        List::new(
            "/v2/public/handles/studio/links",
            "slug",
            Way::Http(
                |api, number| {
                    let path = format!("/v2/public/handles/studio/links/l-{number:05}");
                    api.put(
                        &path,
                        &json!({"destinationUrl": "https://example.com", "title": ""}),
                    )
                },
                |api, _, answer| named(api, answer, "slug", "/v2/public/handles/studio/links/"),
            ),
        ),
        List::new(
            "/v2/public/handles/studio/webhooks",
            "id",
            Way::Http(
                |api, number| {
                    let url = format!("https://example.com/{number}");
                    let body = json!({"url": url, "events": ["conversion.recorded"]});
                    api.post("/v2/public/handles/studio/webhooks", &body)
                },
                |api, _, answer| named(api, answer, "id", "/v2/public/handles/studio/webhooks?id="),
            ),
        ),
    ]
}

fn gateway_lists() -> Vec<List> {
    vec![
        List::new(
            "/api/orgs",
            "slug",
            Way::Http(
                |api, number| api.post("/api/orgs", &json!({"slug": format!("org-{number:05}")})),
                |_, _, answer| Row(answer.string("slug"), None),
            ),
        ),
        List::new(
            "/api/connectors",
            "id",
            Way::Http(
                |api, number| api.post("/api/connectors", &json!({"name": format!("C{number}")})),
                |api, _, answer| named(api, answer, "id", "/api/connectors/"),
            ),
        ),
        List::new(
            "/api/api-keys",
            "prefix",
            Way::Http(
                |api, _| api.post("/api/api-keys", &json!({"name": "agent"})),
                |api, _, answer| named(api, answer, "prefix", "/api/api-keys/"),
            ),
        ),
        List::new(
            "/api/oauth-clients",
            "clientId",
            Way::Http(
                |api, _| api.post("/api/oauth-clients", &json!({"name": "etl"})),
                |api, _, answer| named(api, answer, "clientId", "/api/oauth-clients/"),
            ),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_of_an_org_is_complete_while_rows_come_and_go() {
    let world = World::new().await;
    let create = world.api.post("/api/orgs", &json!({"slug": "acme-corp"}));
    create.bearer(&world.owner.v2).send().await.is(201);
    let login = json!({"email": OWNER, "password": PASSWORD, "org": "acme-corp"});
    let login = world.api.post("/api/auth/login", &login).send().await;
    let token = login.is(200).string("access_token");
    let ids = (tenant_of(&world.home).await, String::new());
    for list in gateway_lists() {
        let token = match list.path.as_str() {
            // A token of one org makes no other.
            "/api/orgs" => &world.owner.v2,
            _ => &token,
        };
        stays_complete(&world, &world.home, &ids, list, token).await;
    }
}

async fn tenant_of(home: &Home) -> String {
    let mut connection = home.connect().await;
    let select = "SELECT id FROM tenants WHERE kind = 'workspace' AND slug = 'acme'";
    let id = sqlx::query_scalar(select);
    let id = id.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    id
}

#[tokio::test]
async fn keys_and_tokens_are_listed_once_each_without_their_secrets() {
    let world = World::new().await;
    let (mut keys, mut pats) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        keys.push(world.key().await);
        pats.push(world.pat(&["links.read"]).await);
    }
    let tokens = format!("/v2/handles/{HANDLE}/tokens");
    for (path, jwt, name, minted) in [
        ("/api/v1/users/api-keys", &world.owner.v1, "prefix", &keys),
        ("/api/v1/admin/api-keys", &world.owner.v1, "prefix", &keys),
        (tokens.as_str(), &world.owner.v2, "tokenId", &pats),
    ] {
        for limit in [1, 2, 5, 20] {
            let seen = walk(&world, path, jwt, limit, name).await;
            let expected = minted.iter().map(|minted| minted.id.clone()).collect();
            assert_eq!(seen, expected);
        }
        let all = world.api.get(path).bearer(jwt).send().await.text();
        for minted in minted {
            assert!(!all.contains(&minted.secret), "a secret is shown again");
            assert!(!all.contains(&minted.secret[minted.secret.len() - 12..]));
        }
        assert!(!all.contains("argon2"), "{all}");
    }
}

#[tokio::test]
async fn pages_that_cannot_be_are_refused() {
    let world = World::new().await;
    for path in ["/v2/handles", "/v2/account/domains"] {
        for query in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=x",
            "cursor=%21",
            "limit=1&limit=2",
        ] {
            let call = world
                .api
                .get(&format!("{path}?{query}"))
                .bearer(&world.owner.v2);
            call.send().await.refuses(400, "validation_error");
        }
    }
}
