//! Tokens and random bytes for the unit tests.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Returns a JWT with an invalid signature.
pub(crate) fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({"alg": "RS256", "typ": "JWT"})), part(claims))
}

/// A generator of pseudorandom bytes, the same in every run.
pub(crate) struct RandomBytes(u64);

impl RandomBytes {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) as usize >> 8
    }

    /// Returns fewer than `max` bytes, about three quarters of them from `alphabet`.
    pub(crate) fn bytes(&mut self, max: usize, alphabet: &[u8]) -> Vec<u8> {
        let length = self.next() % max;
        let next_byte = |random: &mut Self| match random.next() % 4 {
            0 => random.next() as u8,
            _ => alphabet[random.next() % alphabet.len()],
        };
        (0..length).map(|_| next_byte(self)).collect()
    }
}
