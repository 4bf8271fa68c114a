//! Any claims in any token are read without a panic, and nothing in what is shown of them could forge a line.
#![no_main]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let challenge = b"Bearer error=\"invalid_token\", error_description=\"The audience is invalid\"";
    // The first byte decides whether the rest is a token or what stands in the middle of one.
    let token = match data.split_first() {
        Some((0, token)) => token.to_vec(),
        Some((_, claims)) => format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)).into_bytes(),
        None => Vec::new(),
    };
    let shown = azure_healthcare_auth::fuzzing::denial(401, challenge, b"", &token);
    assert!(!shown.chars().any(char::is_control));
});
