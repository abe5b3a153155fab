//! New secrets.

use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use zeroize::Zeroizing;

use super::checksum::{CHECKSUM_LENGTH, checksum};
use super::format::{FormatError, IdAlphabet, Layout, SecretFormat};
use super::secret::Secret;

/// A new credential. It is shown once; what is kept is the id and a hash.
#[derive(Debug)]
#[non_exhaustive]
pub struct Minted {
    /// The part that names the record; empty in an [unnamed](SecretFormat::unnamed) format.
    pub public_id: String,
    /// The whole credential, as its holder will present it.
    pub secret: Secret,
}

/// Why nothing was minted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The operating system gave no random bytes.
    #[error("the system's source of random bytes failed")]
    Random(#[from] SysError),
    /// The id to mint for isn't one of this format.
    #[error("the public id is not one of this format")]
    PublicId,
    /// Keys of this format are [imported](SecretFormat::imported): another system minted them.
    #[error("keys of an imported format are not minted")]
    Imported,
    /// The format itself is wrong, and could not have been [built](super::FormatsBuilder::build).
    #[error("the format is not valid")]
    Format(#[source] FormatError),
}

impl SecretFormat {
    /// A new credential with a new id.
    ///
    /// # Errors
    ///
    /// [`MintError::Random`] when the system has no random bytes, [`MintError::Imported`] for an imported format,
    /// [`MintError::Format`] when this format has a mistake.
    pub fn mint(&self) -> Result<Minted, MintError> {
        self.checked()?;
        let mut public_id = String::with_capacity(self.id_length);
        push_random(&mut public_id, self.id_alphabet, self.id_length)?;
        self.mint_secret_for(&public_id)
    }

    /// A new secret for a record that exists, as a rotation needs it. The id stays.
    ///
    /// # Errors
    ///
    /// As [`mint`](Self::mint), and [`MintError::PublicId`] when `public_id` isn't an id of this format.
    pub fn mint_secret_for(&self, public_id: &str) -> Result<Minted, MintError> {
        self.checked()?;
        let id_is_fine = public_id.len() == self.id_length && self.id_alphabet.spells(public_id);
        if !id_is_fine {
            return Err(MintError::PublicId);
        }

        // Room for everything at once: a string that grows leaves copies of the secret behind.
        let length = self.prefix.len() + self.id_length + 1 + self.secret_length();
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(&self.prefix);
        text.push_str(public_id);
        if let Layout::Separated(separator) = self.layout {
            text.push(char::from(separator));
        }
        push_random(&mut text, IdAlphabet::Alphanumeric, self.random_length)?;
        if matches!(self.layout, Layout::Separated(_)) {
            let sum: [u8; CHECKSUM_LENGTH] = checksum(text.as_bytes());
            text.extend(sum.map(char::from));
        }
        Ok(Minted {
            public_id: public_id.to_owned(),
            secret: Secret::new(std::mem::take(&mut *text)),
        })
    }

    fn checked(&self) -> Result<(), MintError> {
        if matches!(self.layout, Layout::Imported(_)) {
            return Err(MintError::Imported);
        }
        match self.mistakes().pop() {
            Some(mistake) => Err(MintError::Format(mistake)),
            None => Ok(()),
        }
    }
}

/// A random public id of `length` characters, for records whose secret doesn't contain one.
///
/// # Errors
///
/// [`MintError::Random`] when the system has no random bytes.
pub fn random_id(alphabet: IdAlphabet, length: usize) -> Result<String, MintError> {
    let mut id = String::with_capacity(length);
    push_random(&mut id, alphabet, length)?;
    Ok(id)
}

/// Appends `count` characters, each drawn uniformly: bytes that would favour some of them are thrown away.
fn push_random(text: &mut String, alphabet: IdAlphabet, count: usize) -> Result<(), SysError> {
    let characters: &[u8] = match alphabet {
        IdAlphabet::LowerAlphanumeric => b"0123456789abcdefghijklmnopqrstuvwxyz",
        IdAlphabet::Alphanumeric => {
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        }
    };
    let fair = 256 - 256 % characters.len();

    let mut missing = count;
    let mut pool = Zeroizing::new([0_u8; 64]);
    while missing > 0 {
        SysRng.try_fill_bytes(&mut *pool)?;
        let drawn = pool
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < fair)
            .take(missing);
        for byte in drawn {
            text.push(char::from(characters[byte % characters.len()]));
            missing -= 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_the_alphabet_is_drawn_about_as_often_as_any_other() {
        for (alphabet, size) in [
            (IdAlphabet::LowerAlphanumeric, 36_usize),
            (IdAlphabet::Alphanumeric, 62),
        ] {
            let text = random_id(alphabet, size * 1000).unwrap();
            assert!(alphabet.spells(&text));
            let mut counts = std::collections::BTreeMap::new();
            for byte in text.bytes() {
                *counts.entry(byte).or_insert(0_u32) += 1;
            }
            assert_eq!(counts.len(), size);
            // 1,000 expected, a standard deviation of 32: a byte taken modulo 62 without rejection gives
            // eight characters 1,211 each.
            for (byte, count) in counts {
                assert!((800..1200).contains(&count), "{byte}: {count}");
            }
        }
    }
}
