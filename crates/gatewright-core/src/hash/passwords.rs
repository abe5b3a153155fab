//! Passwords, where the account may not exist.

use rand::TryRng;
use rand::rngs::SysRng;

use super::answer::Answer;
use super::phc::{OUTPUT_LENGTH, Phc, SALT_LENGTH};
use super::pool::{HashPool, HashStats, PoolConfig, PoolError, QueueFull};
use super::tag::KeyError;

/// The longest password that is hashed, in bytes: 128 characters of four bytes.
pub const MAX_PASSWORD_LENGTH: usize = 512;

/// Passwords have a pool of their own, so that a flood of logins doesn't keep API keys from being verified.
///
/// What is allowed as a password (8–128 characters, not a common one) isn't decided here.
#[derive(Clone, Debug)]
pub struct Passwords {
    pool: HashPool,
    /// Stands in for the hash of an account that doesn't exist.
    nobody: Phc,
}

impl Passwords {
    /// Starts the pool.
    ///
    /// # Errors
    ///
    /// [`PasswordError::Pool`] when a thread can't be started, [`PasswordError::Key`] when the system has no random
    /// bytes.
    pub fn start(config: PoolConfig) -> Result<Self, PasswordError> {
        let pool = HashPool::start(config)?;
        let (mut salt, mut output) = ([0; SALT_LENGTH], [0; OUTPUT_LENGTH]);
        let fill = |bytes: &mut [u8]| SysRng.try_fill_bytes(bytes).map_err(KeyError::Random);
        fill(&mut salt)?;
        fill(&mut output)?;
        let nobody = Phc::from_parts(pool.settings(), &salt, &output);
        Ok(Self { pool, nobody })
    }

    /// Compares a password with that of an account, or with nobody's: without an account, and for a password above
    /// [`MAX_PASSWORD_LENGTH`], the same work is done and the answer is `false`. So time doesn't tell whether an
    /// account exists.
    ///
    /// An account whose hash still has older settings does differ in cost, until its next login renews the hash;
    /// see [`needs_rehash`](Self::needs_rehash).
    ///
    /// # Errors
    ///
    /// [`QueueFull`] when as many jobs wait as may.
    pub fn verify(&self, stored: Option<&Phc>, password: &[u8]) -> Result<Answer<bool>, QueueFull> {
        match stored {
            Some(phc) if password.len() <= MAX_PASSWORD_LENGTH => self.pool.verify(phc, password),
            stored => {
                let phc = stored.unwrap_or(&self.nobody);
                let hashed = password.get(..MAX_PASSWORD_LENGTH).unwrap_or(password);
                self.pool.verify_in_vain(phc, hashed)
            }
        }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    ///
    /// [`PasswordError::TooLong`] above [`MAX_PASSWORD_LENGTH`], [`PasswordError::QueueFull`] when as many jobs
    /// wait as may.
    pub fn hash(&self, password: &[u8]) -> Result<Answer<Phc>, PasswordError> {
        if password.len() > MAX_PASSWORD_LENGTH {
            return Err(PasswordError::TooLong);
        }
        Ok(self.pool.hash(password)?)
    }

    /// Whether a hash should be renewed, now that its password is at hand.
    #[must_use]
    pub fn needs_rehash(&self, stored: &Phc) -> bool {
        stored.needs_rehash(&self.pool.settings())
    }

    /// The pool's counters.
    #[must_use]
    pub fn stats(&self) -> HashStats {
        self.pool.stats()
    }
}

/// Why a password was not hashed, or [`Passwords`] not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Above [`MAX_PASSWORD_LENGTH`].
    #[error("the password is too long")]
    TooLong,
    /// The pool is busy.
    #[error(transparent)]
    QueueFull(#[from] QueueFull),
    /// A thread could not be started.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// No random bytes.
    #[error(transparent)]
    Key(#[from] KeyError),
}
