//! One hashing thread: its memory and its jobs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use rand::TryRng;
use rand::rngs::SysRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::answer::Promise;
use super::phc::{MAX_OUTPUT_LENGTH, OUTPUT_LENGTH, Phc, SALT_LENGTH};
use super::pool::Shared;
use super::settings::Argon2Settings;
use super::stored::SecretHash;

pub(super) enum Job {
    Verify {
        hash: SecretHash,
        secret: Zeroizing<Vec<u8>>,
        /// Do the whole work, then say no.
        always_false: bool,
        promise: Promise<bool>,
    },
    Hash {
        secret: Zeroizing<Vec<u8>>,
        promise: Promise<Phc>,
    },
    #[cfg(test)]
    Panic(Promise<()>),
    #[cfg(test)]
    Block(std::sync::mpsc::Receiver<()>, Promise<()>),
}

impl Job {
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Verify { promise, .. } => promise.is_abandoned(),
            Self::Hash { promise, .. } => promise.is_abandoned(),
            #[cfg(test)]
            Self::Panic(promise) | Self::Block(_, promise) => promise.is_abandoned(),
        }
    }
}

/// Runs until the pool closes.
pub(super) fn run(shared: &Shared) {
    let mut memory = Memory::new(shared.settings);
    while let Some(job) = shared.next() {
        let outcome = catch_unwind(AssertUnwindSafe(|| work(shared, &mut memory, job)));
        if outcome.is_err() {
            // The promise went down with the job and has answered `None`. The thread carries on, or a bug that
            // one input triggers would take the pool away thread by thread.
            shared.counters.failed.fetch_add(1, Ordering::Relaxed);
            memory.clear();
        }
    }
}

/// An error leaves the promise unfulfilled, which answers `None`.
fn work(shared: &Shared, memory: &mut Memory, job: Job) {
    match job {
        Job::Verify {
            hash,
            secret,
            always_false,
            promise,
        } => {
            let verdict = match &hash {
                SecretHash::Argon2id(phc) => verify(memory, phc, &secret),
                SecretHash::Imported(imported) => Some(imported.verify(&secret)),
            };
            if let Some(verdict) = verdict {
                shared
                    .counters
                    .verifications
                    .fetch_add(1, Ordering::Relaxed);
                let imported = u64::from(hash.is_imported());
                shared
                    .counters
                    .imported
                    .fetch_add(imported, Ordering::Relaxed);
                let allowed = Choice::from(u8::from(!always_false));
                promise.fulfil(bool::from(verdict & allowed));
            } else {
                shared.counters.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        Job::Hash { secret, promise } => {
            if let Some(phc) = hash(memory, shared.settings, &secret) {
                shared.counters.hashes.fetch_add(1, Ordering::Relaxed);
                promise.fulfil(phc);
            } else {
                shared.counters.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        #[cfg(test)]
        Job::Panic(_promise) => panic!("a job that panics"),
        #[cfg(test)]
        Job::Block(until, promise) => {
            let _ = until.recv();
            promise.fulfil(());
        }
    }
}

fn verify(memory: &mut Memory, phc: &Phc, secret: &[u8]) -> Option<Choice> {
    let (salt, expected) = phc.salt_and_output().ok()?;
    let mut buffer = Zeroizing::new([0_u8; MAX_OUTPUT_LENGTH]);
    let output = buffer.get_mut(..expected.len())?;
    memory.argon2id(phc.settings(), secret, &salt, output)?;
    Some((*output).ct_eq(&expected))
}

fn hash(memory: &mut Memory, settings: Argon2Settings, secret: &[u8]) -> Option<Phc> {
    let mut salt = [0_u8; SALT_LENGTH];
    SysRng.try_fill_bytes(&mut salt).ok()?;
    let mut output = Zeroizing::new([0_u8; OUTPUT_LENGTH]);
    memory.argon2id(settings, secret, &salt, &mut *output)?;
    Some(Phc::from_parts(settings, &salt, &*output))
}

/// The blocks of one thread. Kept between jobs, since allocating and faulting in 19 MiB costs a good part of a
/// hash; cleared after each one.
struct Memory {
    blocks: Vec<Block>,
    /// What a job of the pool's own settings needs. A stored hash that needs more doesn't leave it behind.
    usual: usize,
}

impl Memory {
    fn new(settings: Argon2Settings) -> Self {
        Self {
            blocks: Vec::new(),
            usual: settings.blocks(),
        }
    }

    /// `None` if there is no memory or argon2 refuses, which it can't with settings that are within the caps.
    fn argon2id(
        &mut self,
        settings: Argon2Settings,
        secret: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> Option<()> {
        let params = Params::new(
            settings.memory_kib(),
            settings.passes(),
            settings.lanes(),
            Some(output.len()),
        )
        .ok()?;
        let needed = settings.blocks();
        if let Some(missing) = needed.checked_sub(self.blocks.len()) {
            self.blocks.try_reserve_exact(missing).ok()?;
            self.blocks.resize(needed, Block::new());
        }
        let blocks = self.blocks.get_mut(..needed)?;
        let outcome = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(secret, salt, output, &mut *blocks);
        blocks.iter_mut().zeroize();
        if self.blocks.len() > self.usual {
            self.blocks.truncate(self.usual);
            self.blocks.shrink_to_fit();
        }
        outcome.ok()
    }

    fn clear(&mut self) {
        self.blocks.iter_mut().zeroize();
        self.blocks = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_reused_cleared_and_given_back() {
        let usual = Argon2Settings::insecure_for_tests();
        let mut memory = Memory::new(usual);
        let mut output = [0; 32];

        memory
            .argon2id(usual, b"secret", b"saltsalt", &mut output)
            .unwrap();
        assert_eq!(memory.blocks.len(), 64);
        let kept = memory.blocks.as_ptr();
        let zero = |memory: &Memory| {
            memory
                .blocks
                .iter()
                .all(|block| block.as_ref().iter().all(|word| *word == 0))
        };
        assert!(zero(&memory));

        memory
            .argon2id(usual, b"other", b"saltsalt", &mut output)
            .unwrap();
        assert_eq!(memory.blocks.as_ptr(), kept);

        let dear = Argon2Settings::bounded(4096, 1, 4).unwrap();
        memory
            .argon2id(dear, b"secret", b"saltsalt", &mut output)
            .unwrap();
        assert_eq!(memory.blocks.len(), 64);
        assert!(memory.blocks.capacity() < 4096);
        assert!(zero(&memory));

        let cheap = Argon2Settings::bounded(8, 1, 1).unwrap();
        memory
            .argon2id(cheap, b"secret", b"saltsalt", &mut output)
            .unwrap();
        assert_eq!(memory.blocks.len(), 64);
        assert!(zero(&memory));
    }

    #[test]
    fn stale_memory_does_not_change_a_hash() {
        let settings = Argon2Settings::insecure_for_tests();
        let mut memory = Memory::new(settings);
        let (mut first, mut second) = ([0; 32], [0; 32]);
        memory
            .argon2id(settings, b"secret", b"saltsalt", &mut first)
            .unwrap();
        for block in &mut memory.blocks {
            block.as_mut().fill(0xA5A5_A5A5_A5A5_A5A5);
        }
        memory
            .argon2id(settings, b"secret", b"saltsalt", &mut second)
            .unwrap();
        assert_eq!(first, second);
    }
}
