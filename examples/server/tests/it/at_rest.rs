//! What lies on the disk.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::world::World;

/// Whoever steals the database has no credential: neither the files of the running server nor those it leaves behind hold
/// a password, a key, a token or the part of one that is secret.
#[tokio::test]
async fn no_secret_is_written_down() {
    let world = World::new().await;
    let (key, pat) = (world.key().await, world.pat(&["*"]).await);
    let rotate = format!("/api/v1/users/api-keys/{}/rotate", key.id);
    let rotate = world.api.post(&rotate, &json!({})).bearer(&world.owner.v1);
    let rotated = rotate.send().await.is(200).string("secret");
    world.server.keep_secret(&rotated);
    for secret in [&key.secret, &rotated] {
        let whoami = world.api.get("/whoami").bearer(secret);
        whoami.send().await.is(200);
    }
    world.links(&pat.secret).await.is(200);

    let mut secrets = world.server.secrets().lock().unwrap().clone();
    for minted in [&key.secret, &rotated, &pat.secret] {
        let (_, secret) = minted.rsplit_once(['_', '.']).unwrap();
        secrets.push(secret.to_owned());
    }
    let search = || {
        let mut files = 0;
        for file in std::fs::read_dir(world.home.path()).unwrap() {
            let path = file.unwrap().path();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "others can read {}", path.display());
            let bytes = std::fs::read(&path).unwrap();
            for secret in &secrets {
                let found = bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes());
                assert!(!found, "a secret is in {}", path.display());
            }
            // That this would find what is there.
            let id = key.id.as_bytes();
            files += usize::from(bytes.windows(id.len()).any(|part| part == id));
        }
        files
    };
    assert!(search() > 0);
    world.server.stop();
    assert!(search() > 0);
}
