//! Arbitrary response bodies do not panic, and the output contains no control characters, which could forge log lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let output = azure_healthcare_auth::fuzzing::explain_denial(403, b"", body, b"");
    assert!(!output.chars().any(char::is_control));
});
