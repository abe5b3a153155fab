//! The values of the fields about limits, written without allocating.

use std::fmt;
use std::ops::Deref;

use super::LimitState;

/// The value of a `RateLimit` or a `RateLimit-Policy` field, on the stack: every answer to a charged request has both.
#[derive(Clone, Copy)]
pub struct LimitField {
    bytes: [u8; Self::MAX],
    length: u8,
}

impl LimitState {
    /// The value of the `RateLimit-Policy` field, such as `"plan";q=60;w=60` (§4.1 of the draft).
    #[must_use]
    pub fn policy_field(&self) -> LimitField {
        let numbers = [(b'q', self.limit()), (b'w', self.window_secs())];
        LimitField::new(self.kind().as_str(), numbers)
    }

    /// The value of the `RateLimit` field, such as `"plan";r=12;t=31` (§4.2 of the draft).
    #[must_use]
    pub fn field(&self) -> LimitField {
        let numbers = [(b'r', self.remaining()), (b't', self.reset_secs())];
        LimitField::new(self.kind().as_str(), numbers)
    }

    /// Both fields with their names, in lower case.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, LimitField); 2] {
        [
            ("ratelimit-policy", self.policy_field()),
            ("ratelimit", self.field()),
        ]
    }
}

impl LimitField {
    /// Room for the longest name of a bucket and two of the largest numbers.
    const MAX: usize = 48;

    /// A list of one item, a quoted name and two numbers (RFC 9651 §3.1): `"plan";q=60;w=60`.
    fn new(name: &str, parameters: [(u8, u32); 2]) -> Self {
        let mut field = Self {
            bytes: [0; Self::MAX],
            length: 0,
        };
        field.push(b"\"");
        field.push(name.as_bytes());
        field.push(b"\"");
        for (parameter, number) in parameters {
            field.push(&[b';', parameter, b'=']);
            field.push_number(number);
        }
        field
    }

    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.length);
        let Some(place) = self.bytes.get_mut(start..start + bytes.len()) else {
            return;
        };
        place.copy_from_slice(bytes);
        // At most `MAX`.
        self.length += bytes.len() as u8;
    }

    fn push_number(&mut self, mut number: u32) {
        let mut digits = [0; 10];
        let mut first = digits.len();
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            first = place;
            if number == 0 {
                break;
            }
        }
        self.push(digits.get(first..).unwrap_or_default());
    }
}

impl AsRef<[u8]> for LimitField {
    fn as_ref(&self) -> &[u8] {
        let written = self.bytes.get(..usize::from(self.length));
        written.unwrap_or_default()
    }
}

impl Deref for LimitField {
    type Target = str;

    fn deref(&self) -> &str {
        // Names and digits are ASCII.
        std::str::from_utf8(self.as_ref()).unwrap_or_default()
    }
}

impl fmt::Debug for LimitField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for LimitField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl From<LimitField> for String {
    fn from(field: LimitField) -> Self {
        str::to_owned(&field)
    }
}

impl PartialEq<&str> for LimitField {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::BucketKind;

    #[test]
    fn every_name_and_the_largest_numbers_fit() {
        for kind in BucketKind::ALL {
            let name = kind.as_str();
            for (a, b) in [(0, 9), (10, 99), (4_294_967_295, 4_000_000_000)] {
                let field = LimitField::new(name, [(b'q', a), (b'w', b)]);
                assert_eq!(&*field, format!("\"{name}\";q={a};w={b}"));
            }
        }
    }
}
