//! The settings of an `AuthenticatorBuilder`.

use azure_healthcare_auth::Authenticator;

use crate::support::{HOUR, SECOND, TestCredential, fhir, token_valid_for};

#[test]
fn debug_output_of_builder_omits_the_credential() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let builder = Authenticator::builder(fhir(), credential).token_timeout(5 * SECOND);
    let debug = format!("{builder:?}");
    assert!(debug.contains("token_timeout: 5s") && !debug.contains("TestCredential"), "{debug}");
}
