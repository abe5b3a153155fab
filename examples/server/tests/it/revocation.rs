//! A credential that was revoked is refused by the very next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::call::Call;
use crate::world::{HANDLE, World};

#[tokio::test]
async fn a_key_from_login_to_its_end() {
    let world = World::new().await;
    let key = world.key().await;
    let me = world.api.get("/api/v1/users/me").bearer(&key.secret);
    me.send().await.is(200);
    let path = format!("/api/v1/users/api-keys/{}", key.id);
    let delete = world.api.delete(&path).bearer(&world.owner.v1);
    delete.send().await.is(204);
    me.send().await.refuses(401, "token_revoked");
    // The same again changes nothing, and a key can't call in its own revocation's stead.
    delete.send().await.is(204);
    let itself = world.api.delete(&path).bearer(&key.secret);
    itself.send().await.refuses(401, "token_revoked");
    let shown = world.api.get(&path).bearer(&world.owner.v1).send().await;
    assert!(shown.is(200).json()["revoked_at"].is_string());
}

#[tokio::test]
async fn a_personal_access_token_from_login_to_its_end() {
    let world = World::new().await;
    let pat = world.pat(&["links.read"]).await;
    world.links(&pat.secret).await.is(200);
    let path = format!("/v2/handles/{HANDLE}/tokens/{}", pat.id);
    let delete = world.api.delete(&path).bearer(&world.owner.v2);
    delete.send().await.is(204);
    world.links(&pat.secret).await.refuses(401, "token_revoked");
    // Also where it comes by the other field.
    let other = world
        .api
        .get(&format!("/v2/public/handles/{HANDLE}/links"))
        .api_key(&pat.secret);
    other.send().await.refuses(401, "token_revoked");
}

/// A secret that is wrong is not told that there was a key.
#[tokio::test]
async fn only_the_holder_of_the_right_secret_learns_of_the_revocation() {
    let world = World::new().await;
    let pat = world.pat(&["links.read"]).await;
    let path = format!("/v2/handles/{HANDLE}/tokens/{}", pat.id);
    let delete = world.api.delete(&path).bearer(&world.owner.v2);
    delete.send().await.is(204);
    let wrong = crate::world::wrong_secret_for("patv1", &pat.id);
    world.links(&wrong).await.refuses(401, "invalid_token");
}

/// A hundred callers use a credential while it is revoked. What starts after the revocation was answered is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_starts_after_the_answer_passes() {
    let world = World::new().await;
    let key = world.key().await;
    let path = format!("/api/v1/users/api-keys/{}", key.id);
    let delete = world.api.delete(&path).bearer(&world.owner.v1);
    race(world.api.get("/whoami").bearer(&key.secret), delete).await;

    let pat = world.pat(&["links.read"]).await;
    let path = format!("/v2/handles/{HANDLE}/tokens/{}", pat.id);
    let delete = world.api.delete(&path).bearer(&world.owner.v2);
    let links = format!("/v2/public/handles/{HANDLE}/links");
    race(world.api.get(&links).bearer(&pat.secret), delete).await;
}

async fn race(call: Call, revoke: Call) {
    const CALLERS: usize = 100;
    let stop = Arc::new(AtomicBool::new(false));
    let passed = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let call = call.clone();
            let (stop, passed) = (Arc::clone(&stop), Arc::clone(&passed));
            tokio::spawn(async move {
                let mut calls = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let status = call.send().await.status;
                    if status == 200 {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                    calls.push((began, status));
                }
                calls
            })
        })
        .collect();
    while passed.load(Ordering::Relaxed) < 3 * CALLERS {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    revoke.send().await.is(204);
    let revoked = Instant::now();
    for _ in 0..50 {
        call.send().await.refuses(401, "token_revoked");
    }
    stop.store(true, Ordering::Relaxed);

    let (mut before, mut after) = (0, 0);
    for caller in callers {
        for (began, status) in caller.await.unwrap() {
            if began > revoked {
                assert_eq!(
                    status, 401,
                    "a request passed after the revocation was answered"
                );
                after += 1;
            } else if status == 200 {
                before += 1;
            }
        }
    }
    assert!(
        before >= 3 * CALLERS && after > 0,
        "{before} before, {after} after"
    );
}

/// The command line is another process on the same database.
#[tokio::test]
async fn revoking_by_command_holds_when_the_command_returns() {
    let world = World::new().await;
    for _ in 0..3 {
        let key = world.key().await;
        let call = world.api.get("/whoami").bearer(&key.secret);
        call.send().await.is(200);
        let arguments = ["key", "revoke", &key.id, "--workspace", "acme"];
        world.home.run_ok(&arguments, "");
        call.send().await.refuses(401, "token_revoked");
    }
}

/// Taking a role away ends what the user's tokens may do, though they are valid for an hour.
#[tokio::test]
async fn a_removed_collaborator_is_out_with_the_next_request() {
    let world = World::new().await;
    let guest = world.person("guest").await;
    let look = world
        .api
        .get(&format!("/v2/handles/{HANDLE}"))
        .bearer(&guest.v2);
    look.send().await.refuses(404, "not_found");

    let path = format!("/v2/handles/{HANDLE}/collaborators");
    let body = json!({"email": "guest@people.test", "role": "operator"});
    let put = world.api.put(&path, &body).bearer(&world.owner.v2);
    assert!(matches!(put.send().await.status, 200 | 201 | 204));
    look.send().await.is(200);
    let pat = world.pat_of(&guest, HANDLE, &["links.read"]).await;
    world.links(&pat.secret).await.is(200);

    // A lower role holds at once, too.
    let body = json!({"email": "guest@people.test", "role": "creator"});
    let put = world.api.put(&path, &body).bearer(&world.owner.v2);
    assert!(put.send().await.status < 300);
    let tokens = format!("/v2/handles/{HANDLE}/tokens");
    let mint = json!({"name": "more", "scopes": ["links.read"], "expiresInDays": 1});
    let mint = world.api.post(&tokens, &mint).bearer(&guest.v2);
    mint.send().await.refuses(403, "insufficient_role");

    let delete = world
        .api
        .delete(&path)
        .bearer(&world.owner.v2)
        .json(&json!({"email": "guest@people.test"}));
    assert!(delete.send().await.status < 300);
    look.send().await.refuses(404, "not_found");
    mint.send().await.refuses(404, "not_found");
}
