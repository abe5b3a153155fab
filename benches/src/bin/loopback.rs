//! Requests a second over real sockets of this machine, each server beside the bare one.
//!
//! A server has one thread and the client another, so two cores are all that is asked for. Rounds of a guarded server and
//! of the bare one take turns, with the same request in the same bytes, and the ratio is the median of the rounds': what
//! the machine does beside it hits both.

use std::io;
use std::time::Duration;

use axum::Router;
use gatewright_benches::load::{Served, drive};
use gatewright_benches::web::{self, Presented};
use gatewright_benches::{World, record};
use gatewright_core::jwt::Algorithm;

const ROUND: Duration = Duration::from_millis(500);
const ROUNDS: usize = 9;

/// One at 20 ms each answers few requests in half a second.
const SLOW_ROUND: Duration = Duration::from_secs(2);
const SLOW_ROUNDS: usize = 2;

fn main() -> io::Result<()> {
    let world = World::new();
    world.warm();
    let bare = Served::start(web::bare())?;
    let guarded = web::guarded(&world);
    let mut all = Vec::new();
    for (name, router, presented) in [
        ("least", web::least(), Presented::key(&world)),
        ("key", guarded.clone(), Presented::key(&world)),
        ("pat", guarded.clone(), Presented::pat(&world)),
        ("jwt", guarded, Presented::jwt(&world, Algorithm::Rs256)),
    ] {
        all.extend(compare(name, &bare, router, &presented, ROUND, ROUNDS)?);
    }
    for (name, algorithm) in [
        ("jsonwebtoken_hs256", Algorithm::Hs256),
        ("jsonwebtoken_rs256", Algorithm::Rs256),
        ("jsonwebtoken_es256", Algorithm::Es256),
    ] {
        let router = web::decoding(&world, algorithm);
        let presented = Presented::jwt(&world, algorithm);
        all.extend(compare(name, &bare, router, &presented, ROUND, ROUNDS)?);
    }
    let router = web::hashing(&world);
    let presented = Presented::key(&world);
    compare("argon2", &bare, router, &presented, SLOW_ROUND, SLOW_ROUNDS)?;
    record("loopback_bare_rps", median(all), "requests/s");
    Ok(())
}

/// Records the rate of a server and its ratio to the bare one's; answers the bare one's rates.
fn compare(
    name: &str,
    bare: &Served,
    router: Router,
    presented: &Presented,
    time: Duration,
    rounds: usize,
) -> io::Result<Vec<f64>> {
    let server = Served::start(router)?;
    let request = presented.bytes();
    let mut bares = Vec::new();
    let mut rates = Vec::new();
    let mut ratios = Vec::new();
    for round in 0..rounds {
        // Each of the two goes first in every other round.
        let (without, with) = if round.is_multiple_of(2) {
            let without = drive(bare.address(), &request, time)?;
            (without, drive(server.address(), &request, time)?)
        } else {
            let with = drive(server.address(), &request, time)?;
            (drive(bare.address(), &request, time)?, with)
        };
        bares.push(without);
        rates.push(with);
        ratios.push(with / without);
    }
    record(&format!("loopback_{name}_rps"), median(rates), "requests/s");
    record(&format!("loopback_{name}_ratio"), median(ratios), "ratio");
    Ok(bares)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
