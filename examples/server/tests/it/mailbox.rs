//! Where mail goes in tests: an SMTP server of others, on loopback.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::companion::{Companion, PATIENCE, python};

/// A running server, `aiosmtpd` in Python. It speaks no TLS, and ends when this is dropped.
pub(crate) struct SmtpServer {
    companion: Companion,
    port: u64,
    /// How many of its mails were taken by [`mail_to`](Self::mail_to), by their place.
    taken: Vec<usize>,
}

/// A mail that it received, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl SmtpServer {
    /// Starts one, on a free port.
    pub(crate) fn start() -> Self {
        Self::start_on(0)
    }

    pub(crate) fn start_on(port: u16) -> Self {
        let mut command = python("smtp.py");
        command.arg(port.to_string());
        let (companion, hello) = Companion::start(command);
        Self {
            companion,
            port: hello["port"].as_u64().unwrap(),
            taken: Vec::new(),
        }
    }

    /// The value of `--smtp-url`.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Answers every RCPT so from now on; lets them pass if `None`.
    pub(crate) fn reply(&mut self, reply: Option<&str>) {
        self.companion.ask(&json!({"do": "reply", "reply": reply}));
    }

    /// All that it received so far, oldest first.
    pub(crate) fn mails(&mut self) -> Vec<Received> {
        let answer = self.companion.ask(&json!({"do": "mails"}));
        let text = |mail: &Value, name: &str| mail[name].as_str().unwrap().to_owned();
        let mails = answer["mails"].as_array().unwrap().iter();
        mails
            .map(|mail| Received {
                from: text(mail, "from"),
                to: serde_json::from_value(mail["to"].clone()).unwrap(),
                subject: text(mail, "subject"),
                text: text(mail, "text"),
            })
            .collect()
    }

    /// Waits for the next mail to this address, each of which is answered once.
    pub(crate) async fn mail_to(&mut self, address: &str) -> Received {
        let began = Instant::now();
        loop {
            for (place, mail) in self.mails().into_iter().enumerate() {
                if !self.taken.contains(&place) && mail.to == [address] {
                    self.taken.push(place);
                    return mail;
                }
            }
            assert!(began.elapsed() < PATIENCE, "no mail came to {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Received {
    /// The token in the fragment of its link.
    pub(crate) fn token(&self) -> &str {
        let (_, rest) = self.text.split_once("#token=").expect("no link");
        rest.split_whitespace().next().expect("no token")
    }
}

/// A port of loopback that nobody listens on for now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
