//! Bcrypt hashes that another system made: read and verified, never made.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::imported::ImportError;

/// All that bcrypt takes of a text, in bytes.
const MAX_TEXT_LENGTH: usize = 72;
/// Each step doubles the work; 14 takes about a second, and a stored hash must not ask for minutes.
const COSTS: std::ops::RangeInclusive<u32> = 4..=14;
const SALT_CHARACTERS: usize = 22;
const OUTPUT_CHARACTERS: usize = 31;

pub(super) struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    output: [u8; 23],
    /// Longer texts are cut, not refused.
    truncates: bool,
}

impl Bcrypt {
    /// `$2b$<2 digits of cost>$<22 of salt><31 of hash>`. The versions `2a`, `2b` and `2y` mean the same for the ASCII
    /// texts that credentials are.
    pub(super) fn parse(text: &str, truncates: bool) -> Result<Self, ImportError> {
        let (version, rest) = text
            .strip_prefix('$')
            .and_then(|text| text.split_once('$'))
            .ok_or(ImportError::Bcrypt)?;
        if !matches!(version, "2a" | "2b" | "2y") {
            return Err(ImportError::BcryptVersion);
        }
        let (cost, encoded) = rest.split_once('$').ok_or(ImportError::Bcrypt)?;
        if cost.len() != 2 || !cost.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ImportError::Bcrypt);
        }
        let cost = cost.parse().map_err(|_| ImportError::Bcrypt)?;
        if !COSTS.contains(&cost) {
            return Err(ImportError::BcryptCost);
        }
        let (salt, output) = encoded
            .split_at_checked(SALT_CHARACTERS)
            .filter(|(_, output)| output.len() == OUTPUT_CHARACTERS)
            .ok_or(ImportError::Bcrypt)?;
        Ok(Self {
            cost,
            salt: decode(salt)?,
            output: decode(output)?,
            truncates,
        })
    }

    /// A text with a NUL is refused: implementations differ in whether they stop there.
    pub(super) fn verify(&self, secret: &[u8]) -> Choice {
        if secret.contains(&0) || (secret.len() > MAX_TEXT_LENGTH && !self.truncates) {
            return Choice::from(0);
        }
        // The text and the NUL that ends it in C, as far as they fit.
        let mut key = Zeroizing::new([0_u8; MAX_TEXT_LENGTH]);
        let taken = secret.len().min(MAX_TEXT_LENGTH);
        let length = (taken + 1).min(MAX_TEXT_LENGTH);
        key.iter_mut()
            .zip(secret)
            .for_each(|(byte, of_secret)| *byte = *of_secret);
        let Some(key) = key.get(..length) else {
            return Choice::from(0);
        };
        let computed = Zeroizing::new(bcrypt::bcrypt(self.cost, self.salt, key));
        // 23 of the 24 bytes are stored, since 1997.
        computed
            .first_chunk::<23>()
            .map_or(Choice::from(0), |computed| computed.ct_eq(&self.output))
    }
}

/// Bits after the last whole byte are ignored: some systems took salts that had them, and wrote them down.
fn decode<const N: usize>(text: &str) -> Result<[u8; N], ImportError> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet::BCRYPT, config)
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(ImportError::Bcrypt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_right(stored: &str, truncates: bool, text: &[u8]) -> bool {
        bool::from(Bcrypt::parse(stored, truncates).unwrap().verify(text))
    }

    /// From `TestBCrypt.java` of jBCrypt and from the self-tests of Openwall's crypt_blowfish, `wrapper.c`.
    #[test]
    fn agrees_with_jbcrypt_and_crypt_blowfish() {
        for (text, stored) in [
            (
                "",
                "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
            ),
            (
                "a",
                "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
            ),
            (
                "abcdefghijklmnopqrstuvwxyz",
                "$2a$08$aTsUwsyowQuzRrDqFflhgekJ8d9/7Z3GV3UcgvzQW3J5zMyrTvlz.",
            ),
            (
                "U*U",
                "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            ),
            (
                "U*U*",
                "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK",
            ),
            (
                "U*U*U",
                "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
            ),
        ] {
            for version in ["$2a$", "$2b$", "$2y$"] {
                let stored = stored.replace("$2a$", version);
                for truncates in [false, true] {
                    assert!(is_right(&stored, truncates, text.as_bytes()), "{stored}");
                    let wrong = format!("{text}x");
                    assert!(!is_right(&stored, truncates, wrong.as_bytes()), "{stored}");
                }
            }
        }
    }

    /// Of 72 characters and "chars after 72 are ignored", from the same self-tests.
    const OF_72: &str = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
    const FIRST_72: &[u8] =
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    #[test]
    fn past_72_bytes_a_text_is_refused_or_cut_as_the_import_says() {
        let longer = [FIRST_72, b"chars after 72 are ignored"].concat();
        assert!(is_right(OF_72, false, FIRST_72));
        assert!(!is_right(OF_72, false, &longer));
        assert!(is_right(OF_72, true, FIRST_72));
        assert!(is_right(OF_72, true, &longer));
        assert!(!is_right(OF_72, true, &FIRST_72[..71]));
    }

    #[test]
    fn a_nul_ends_nothing_and_is_never_right() {
        const OF_A: &str = "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe";
        for text in [&b"a\0"[..], b"a\0b", b"\0"] {
            assert!(!is_right(OF_A, true, text));
        }
    }

    #[test]
    fn refusals_name_the_rule() {
        const REST: &str = "m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe";
        for (text, expected) in [
            (String::new(), ImportError::Bcrypt),
            ("$2b$".to_owned(), ImportError::Bcrypt),
            (format!("$2${REST}"), ImportError::BcryptVersion),
            (format!("$2x$06${REST}"), ImportError::BcryptVersion),
            (format!("$2b$03${REST}"), ImportError::BcryptCost),
            (format!("$2b$15${REST}"), ImportError::BcryptCost),
            (format!("$2b$31${REST}"), ImportError::BcryptCost),
            (format!("$2b$6${REST}"), ImportError::Bcrypt),
            (format!("$2b$+6${REST}"), ImportError::Bcrypt),
            (format!("$2b$006${REST}"), ImportError::Bcrypt),
            (format!("$2b$06${REST}e"), ImportError::Bcrypt),
            (format!("$2b$06${}", &REST[1..]), ImportError::Bcrypt),
            (format!("$2b$06$+{}", &REST[1..]), ImportError::Bcrypt),
            (format!("$2b$06$é{}", &REST[2..]), ImportError::Bcrypt),
            (format!("$2b$06${REST}\n"), ImportError::Bcrypt),
        ] {
            assert_eq!(Bcrypt::parse(&text, false).err(), Some(expected), "{text}");
        }
    }
}
