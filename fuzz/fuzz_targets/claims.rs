//! Arbitrary tokens and claims do not panic, and the output contains no control characters, which could forge log
//! lines.
#![no_main]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let challenge = b"Bearer error=\"invalid_token\", error_description=\"The audience is invalid\"";
    // The first byte selects whether the rest is a token or only the payload of one.
    let token = match data.split_first() {
        Some((0, token)) => token.to_vec(),
        Some((_, claims)) => format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)).into_bytes(),
        None => Vec::new(),
    };
    let output = azure_healthcare_auth::fuzzing::explain_denial(401, challenge, b"", &token);
    assert!(!output.chars().any(char::is_control));
});
