//! Tokens and noise for the unit tests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A token that is signed by nobody.
pub(crate) fn jws(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({"alg": "RS256", "typ": "JWT"})), part(claims))
}

/// Bytes without a pattern, the same in every run.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) as usize >> 8
    }

    /// Fewer than `longest` bytes, three quarters of them from `alphabet`.
    pub(crate) fn bytes(&mut self, longest: usize, alphabet: &[u8]) -> Vec<u8> {
        let length = self.next() % longest;
        let one = |noise: &mut Self| match noise.next() % 4 {
            0 => noise.next() as u8,
            _ => alphabet[noise.next() % alphabet.len()],
        };
        (0..length).map(|_| one(self)).collect()
    }
}
