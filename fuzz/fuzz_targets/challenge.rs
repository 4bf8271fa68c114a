//! Any `WWW-Authenticate` header is read without a panic, and nothing in what is shown of it could forge a line.
#![no_main]

libfuzzer_sys::fuzz_target!(|header: &[u8]| {
    let shown = azure_healthcare_auth::fuzzing::denial(401, header, b"", b"");
    assert!(!shown.chars().any(char::is_control));
});
