//! A guard tag and the number it is stored as are worth the same.

#![no_main]

use gatewright_core::hash::GuardTag;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stored: u64| {
    match GuardTag::from_u64(stored) {
        Some(tag) => {
            assert!(stored < 1 << 48);
            assert_eq!(tag.to_u64(), stored);
            assert_eq!(u64::from(tag.key_id) * 65_536 + u64::from(tag.bits), stored);
        }
        None => assert!(stored >= 1 << 48),
    }
});
