//! How many instructions the gate executes, which a busy machine does not change.
//!
//! Needs valgrind, and `gungraun-runner` of the same version as the library.

#![expect(missing_docs, reason = "what the library's macros make has none")]

use std::hint::black_box;
use std::sync::Arc;

use gatewright_benches::fixture::Call;
use gatewright_benches::ours::{Guessing, mistyped_key};
use gatewright_benches::{World, peers};
use gatewright_core::jwt::Algorithm;
use gatewright_core::policy::CompiledPolicy;
use gungraun::{library_benchmark, library_benchmark_group, main};

/// A gate, what it is asked and whether it says yes.
struct Question {
    world: World,
    policy: Arc<CompiledPolicy>,
    call: Call,
}

impl Question {
    fn warm(text: impl Fn(&World) -> String, limited: bool) -> Self {
        let world = World::with_cheap_hashing(|gate| gate);
        world.warm();
        let policy = if limited {
            world.limited_policy()
        } else {
            world.policy()
        };
        let question = Self {
            policy: Arc::clone(policy),
            call: Call::new(&text(&world)),
            world,
        };
        assert!(question.is_admitted());
        question
    }

    fn is_admitted(&self) -> bool {
        self.call.is_admitted(self.world.gate(), &self.policy)
    }
}

fn key() -> Question {
    Question::warm(|world| world.api_key().to_owned(), false)
}

fn pat() -> Question {
    Question::warm(|world| world.pat().to_owned(), false)
}

fn jwt() -> Question {
    Question::warm(|world| world.jwt(Algorithm::Rs256).to_owned(), false)
}

fn key_limited() -> Question {
    Question::warm(|world| world.api_key().to_owned(), true)
}

// What is asked is given back, so that its end is not counted.
#[library_benchmark]
#[bench::api_key(key())]
#[bench::pat(pat())]
#[bench::jwt(jwt())]
#[bench::api_key_limited(key_limited())]
fn warm(question: Question) -> (Question, bool) {
    let admitted = black_box(question.is_admitted());
    (question, admitted)
}

fn malformed_key() -> Question {
    let mut question = key();
    question.call = Call::new(&mistyped_key(&question.world));
    question
}

fn guess() -> Question {
    let guessing = Guessing::new();
    let call = guessing.guesses(1).remove(0);
    let world = guessing.into_world();
    let policy = Arc::clone(world.policy());
    Question {
        world,
        policy,
        call,
    }
}

#[library_benchmark]
#[bench::malformed(malformed_key())]
#[bench::wrong_secret(guess())]
fn refused(question: Question) -> (Question, bool) {
    let refused = question
        .call
        .is_refused(question.world.gate(), &question.policy);
    (question, black_box(refused))
}

fn token(algorithm: Algorithm) -> (World, Algorithm) {
    let world = World::with_cheap_hashing(|gate| gate);
    let (token, keys) = (world.jwt(algorithm), world.keys(algorithm));
    let verified = world.verifier(algorithm).verify(token, keys, world.now());
    assert!(verified.is_ok());
    (world, algorithm)
}

#[library_benchmark]
#[bench::hs256(token(Algorithm::Hs256))]
#[bench::rs256(token(Algorithm::Rs256))]
#[bench::es256(token(Algorithm::Es256))]
#[bench::eddsa(token(Algorithm::EdDsa))]
fn cold((world, algorithm): (World, Algorithm)) -> (World, bool) {
    let (token, keys) = (world.jwt(algorithm), world.keys(algorithm));
    let verified = world.verifier(algorithm).verify(token, keys, world.now());
    let verified = black_box(verified.is_ok());
    (world, verified)
}

fn peer(algorithm: Algorithm) -> peers::Call {
    let world = World::with_cheap_hashing(|gate| gate);
    let call = peers::jsonwebtoken(&world, algorithm);
    assert!(call());
    call
}

#[library_benchmark]
#[bench::hs256(peer(Algorithm::Hs256))]
#[bench::rs256(peer(Algorithm::Rs256))]
#[bench::es256(peer(Algorithm::Es256))]
#[bench::eddsa(peer(Algorithm::EdDsa))]
fn jsonwebtoken(call: peers::Call) -> (peers::Call, bool) {
    let accepted = black_box(call());
    (call, accepted)
}

library_benchmark_group!(name = gate, benchmarks = [warm, refused, cold]);
library_benchmark_group!(name = beside, benchmarks = [jsonwebtoken]);
main!(library_benchmark_groups = [gate, beside]);
