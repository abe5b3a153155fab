//! What the gate refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_core::credential::{Credential, SecretFormat, SecretKind};
use gatewright_core::error::Cause;
use gatewright_core::gate::Admission;
use gatewright_core::jwt::Algorithm;
use gatewright_core::time::{Clock, SystemClock, Timestamp};

use crate::fixture::{Call, TENANT};
use crate::{World, block_on};

/// An API key of which one character is another, so that its checksum fails.
#[must_use]
pub fn mistyped_key(world: &World) -> String {
    let mut text = world.api_key().to_owned();
    let last = text.pop().expect("a key");
    text.push(if last == '0' { '1' } else { '0' });
    text
}

/// A token in the middle of which there is a character that no token has.
#[must_use]
pub fn mistyped_token(world: &World) -> String {
    let mut text = world.jwt(Algorithm::Rs256).to_owned();
    let middle = text.len() / 2;
    text.replace_range(middle..=middle, "!");
    text
}

/// A gate, a key of it that was not used yet, and somebody who guesses at the secret. The failure limiter is what stops a guesser; its clock runs
/// ahead by a minute with every look at it, so that what is measured are the rungs behind it, on every guess.
pub struct Guessing {
    world: World,
    public_id: String,
}

impl Guessing {
    /// A world in which somebody guesses.
    ///
    /// # Panics
    ///
    /// If the world's key is none.
    #[must_use]
    pub fn new() -> Self {
        let world = World::with_cheap_hashing(|gate| gate.clock(Arc::new(Hasty::default())));
        // One that nobody has proven: against a proven one a guess ends at the digest of the right text, before the tag.
        let unproven = block_on(world.authority().key(TENANT, "links.read"));
        let classified = world.gate().formats().classify(unproven.as_bytes());
        let Ok(Credential::Secret(key)) = classified else {
            panic!("an API key");
        };
        let public_id = key.public_id().to_owned();
        let guessing = Self { world, public_id };
        // The first guess has the record read.
        let _ = guessing.guesses(1);
        guessing
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The world, with nobody who guesses.
    #[must_use]
    pub fn into_world(self) -> World {
        self.world
    }

    /// A wrong secret behind the real prefix, with the right checksum.
    ///
    /// # Panics
    ///
    /// If the system has no random bytes.
    #[must_use]
    pub fn guess(&self) -> Call {
        let minted = self.format().mint_secret_for(&self.public_id);
        Call::new(minted.expect("a secret").secret.expose())
    }

    /// So many guesses that the guard tag stops.
    ///
    /// # Panics
    ///
    /// If a guess is admitted, or refused for another reason.
    #[must_use]
    pub fn guesses(&self, count: usize) -> Vec<Call> {
        let mut guesses = Vec::with_capacity(count);
        while guesses.len() < count {
            let guess = self.guess();
            match guess.ask(self.world.gate(), self.world.policy()) {
                Admission::Ready(Err(refusal)) => {
                    assert_eq!(refusal.cause(), Some(Cause::TagMismatch));
                    guesses.push(guess);
                }
                // One in 65,536 gets past the tag.
                Admission::Pending(pending) => {
                    assert!(block_on(pending).is_err(), "a guess is admitted");
                }
                _ => panic!("a guess is admitted"),
            }
        }
        guesses
    }

    /// How often argon2 runs in so many guesses.
    ///
    /// # Panics
    ///
    /// If a guess is admitted.
    #[must_use]
    pub fn argon2_runs(&self, guesses: usize) -> u64 {
        let (gate, policy) = (self.world.gate(), self.world.policy());
        let before = gate.stats().hashing.verifications;
        for _ in 0..guesses {
            let decision = block_on(self.guess().ask(gate, policy).decided());
            assert!(decision.is_err(), "a guess is admitted");
        }
        gate.stats().hashing.verifications - before
    }

    fn format(&self) -> &SecretFormat {
        let mut formats = self.world.gate().formats().iter();
        let found = formats.find(|format| format.kind() == SecretKind::ApiKey);
        found.expect("a format of keys")
    }
}

impl Default for Guessing {
    fn default() -> Self {
        Self::new()
    }
}

/// The machine's clock, a minute ahead of itself with every reading of its nanoseconds. Reading it costs what the machine's
/// does.
struct Hasty {
    clock: SystemClock,
    ahead: AtomicU64,
}

impl Default for Hasty {
    fn default() -> Self {
        Self {
            clock: SystemClock::new(),
            ahead: AtomicU64::new(0),
        }
    }
}

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic_nanos(&self) -> u64 {
        let ahead = self.ahead.fetch_add(60_000_000_000, Ordering::Relaxed);
        self.clock.monotonic_nanos() + ahead
    }
}
