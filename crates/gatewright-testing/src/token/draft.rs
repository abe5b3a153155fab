//! A token before it is signed, and every place where it may be bent.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::TestKey;

/// The members of a token, who signs them, and what is done to the bytes on the way: nothing, unless said.
pub(super) struct Draft {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) signer: Signer,
    /// Changes the header's JSON.
    pub(super) bend_header: fn(Vec<u8>) -> Vec<u8>,
    /// Changes the payload's JSON.
    pub(super) bend_payload: fn(Vec<u8>) -> Vec<u8>,
    /// Writes the payload's segment.
    pub(super) encode_payload: fn(&[u8]) -> String,
    /// Changes the payload after it was signed.
    pub(super) swap_payload: fn(String) -> String,
    /// Changes the signature.
    pub(super) bend_signature: fn(Vec<u8>) -> Vec<u8>,
    /// Changes the whole token.
    pub(super) finish: fn(String) -> String,
}

pub(super) enum Signer {
    Key(Arc<TestKey>),
    /// HMAC with SHA-256, keyed by these bytes.
    Hmac(Vec<u8>),
    /// An empty signature.
    Nobody,
}

impl Draft {
    pub(super) fn new(key: Arc<TestKey>) -> Self {
        Self {
            header: Map::new(),
            claims: Map::new(),
            signer: Signer::Key(key),
            bend_header: |json| json,
            bend_payload: |json| json,
            encode_payload: |json| encode(json),
            swap_payload: |segment| segment,
            bend_signature: |signature| signature,
            finish: |token| token,
        }
    }

    pub(super) fn sign(self) -> String {
        let header = (self.bend_header)(json(&self.header));
        let header = encode(&header);
        let payload = (self.bend_payload)(json(&self.claims));
        let payload = (self.encode_payload)(&payload);
        let signed = format!("{header}.{payload}");
        let signature = match self.signer {
            Signer::Key(key) => key.sign(signed.as_bytes()),
            Signer::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            Signer::Nobody => Vec::new(),
        };
        let signature = encode(&(self.bend_signature)(signature));
        let payload = (self.swap_payload)(payload);
        (self.finish)(format!("{header}.{payload}.{signature}"))
    }
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn json(members: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(members).unwrap()
}
