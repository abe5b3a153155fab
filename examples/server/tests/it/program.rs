//! The program as a program: settings, start, end.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, Executor as _};

use crate::call::Api;
use crate::server::{Home, PATIENCE, Server, program, run};
use crate::world::{OWNER, PASSWORD};

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_busy_port_is_said_and_no_success() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = home.run(&["serve", "--listen", &address], "");
    assert!(!output.status.success());
    let told = told(&output);
    assert!(told.contains(&address), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn postgres_is_refused_in_words() {
    let url = "postgres://someone:hunter2hunter2@localhost/db";
    let output = run(&["serve", "--database", url], "");
    assert!(!output.status.success());
    let told = told(&output);
    assert!(told.contains("Postgres"), "{told}");
    assert!(!told.contains("hunter2"), "a secret is repeated: {told}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let home = Home::new();
    let file = home.path().join("gatewright.toml");
    std::fs::write(&file, "limits = 'some'\nlisen = '127.0.0.1:1'\n").unwrap();
    let output = program()
        .args(["serve", "--listen", "nowhere", "--config"])
        .arg(&file)
        .env("GATEWRIGHT_PUBLIC_URL", "ftp://example.com")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = told(&output);
    for expected in ["--listen", "`limits`", "`lisen`", "GATEWRIGHT_PUBLIC_URL"] {
        assert!(told.contains(expected), "{expected} is missing:\n{told}");
    }
}

/// A flag beats the environment, and that the file.
#[tokio::test]
async fn the_nearest_setting_wins() {
    let home = Home::new();
    let file = home.path().join("gatewright.toml");
    let text = format!(
        "database = '{}'\npublic-url = 'https://file.example'\nlimits = 'off'\nlisten = 'nonsense:0'\n",
        home.database()
    );
    std::fs::write(&file, text).unwrap();
    let mut command = program();
    command
        .args(["serve", "--config", file.to_str().unwrap()])
        .args(["--listen", "127.0.0.1:0"])
        .env("GATEWRIGHT_LISTEN", "nonsense:1")
        .env("GATEWRIGHT_LIMITS", "plan");
    let server = Server::start_command(command, false);
    assert!(
        home.database_file().exists(),
        "the file's database is not used"
    );
    // The variable beat the file: there are limits.
    let answer = Api::new(&server).get("/v2/nothing").send().await;
    answer.is(404);
    assert!(!says_no_limits(&server), "{}", server.err());
    server.stop();
}

fn says_no_limits(server: &Server) -> bool {
    let all = format!("{}{}", server.out(), server.err()).to_lowercase();
    all.lines()
        .any(|line| line.contains("limit") && line.contains("off"))
}

#[test]
fn a_server_without_limits_says_so() {
    let home = Home::new();
    let mut server = home.serve();
    let said = server.wait_for(|server| says_no_limits(server).then_some(()));
    assert!(said.is_some(), "{}{}", server.out(), server.err());
    server.stop();
}

#[test]
fn it_prints_the_route_table() {
    let home = Home::new();
    let mut server = home.serve();
    let said = server.wait_for(|server| {
        let out = server.out();
        (out.contains("/v2/handles/{handle}/tokens") && out.contains("/api/v1/users/api-keys"))
            .then_some(())
    });
    assert!(said.is_some(), "{}", server.out());
    server.stop();
}

#[test]
fn sigterm_ends_an_idle_server_without_an_error() {
    let home = Home::new();
    let server = home.serve();
    // An idle connection doesn't keep it.
    let idle = TcpStream::connect(server.authority()).unwrap();
    server.stop();
    drop(idle);
}

/// A request whose body is still on its way when the signal comes is answered.
#[test]
fn sigterm_lets_requests_finish() {
    let home = Home::new();
    let mut server = home.serve();
    let body = r#"{"ctx": "c", "eventType": "purchase", "value": 1, "idempotencyKey": "drain"}"#;
    let (first, second) = body.split_at(20);
    let mut connection = TcpStream::connect(server.authority()).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(
        connection,
        "POST /v2/public/conversions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nexpect: 100-continue\r\n\r\n",
    )
    .unwrap();
    // The server asks for the body once the handler reads it: the request is in flight for certain.
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(first.as_bytes()).unwrap();

    terminate(&mut server);
    assert!(!server.has_ended(), "it left a request behind");

    connection.write_all(second.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(server.wait().success());
}

/// SIGTERM, and it listens no more: now it drains.
fn terminate(server: &mut Server) {
    server.terminate();
    let listens = |server: &Server| {
        let address = server.authority().parse().unwrap();
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    };
    let drains = server.wait_for(|server| (!listens(server)).then_some(()));
    assert!(drains.is_some());
}

/// What was promised by an answer is done, though no connection waits for it.
#[tokio::test]
async fn sigterm_lets_what_was_promised_be_done() {
    let home = Home::new();
    home.user(OWNER, "acme", PASSWORD);
    let mut server = home.serve();
    // Nobody can write, so no link can be mailed before the signal.
    let mut writer = home.connect().await;
    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    let forgotten = json!({ "email": OWNER });
    let asked = Api::new(&server).post("/api/v1/users/forgot-password", &forgotten);
    asked.send().await.is(202);

    terminate(&mut server);
    assert!(!server.has_ended(), "it left a promise behind");

    writer.execute("ROLLBACK").await.unwrap();
    writer.close().await.unwrap();
    assert!(server.wait().success());
    let mails: Vec<_> = std::fs::read_dir(home.path().join("gatewright.db.mail"))
        .unwrap()
        .map(|mail| std::fs::read_to_string(mail.unwrap().path()).unwrap())
        .collect();
    let [mail] = &*mails else {
        panic!("{mails:?}");
    };
    assert!(mail.contains(OWNER) && mail.contains("#token="), "{mail}");
}

#[test]
fn unknown_commands_and_flags_are_no_success() {
    for arguments in [&["no-such-command"][..], &["serve", "--no-such-flag"], &[]] {
        let output = run(arguments, "");
        assert!(!output.status.success(), "{arguments:?}");
        assert!(!told(&output).is_empty(), "{arguments:?}");
    }
}

/// The database is made by whoever comes first, and `migrate` may run again.
#[test]
fn migrating_twice_changes_nothing() {
    let home = Home::new();
    home.run_ok(&["migrate"], "");
    home.run_ok(&["migrate"], "");
    home.serve().stop();
}
