//! [`authenticate`]: checks the application that sends a token request.

use super::{failure::Failure, form::Form, registration::Registration};
use crate::token::TokenClaims;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The audience of a federated token (Microsoft Entra documentation `workload-identity-federation-considerations.md`).
pub(super) const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

/// Checks the client id, and the secret or the assertion.
pub(super) fn authenticate(registration: &Registration, form: &Form, now: u64) -> Result<(), Failure> {
    let missing = |name: &str| Failure::named(900_144, name);
    if form.get("client_id").ok_or(missing("client_id"))? != registration.client {
        return Err(Failure::new(700_016));
    }
    if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type").ok_or(missing("client_assertion_type"))? != ASSERTION_TYPE {
            return Err(Failure::new(9_002_313));
        }
        let claims = TokenClaims::of(assertion).ok_or(Failure::new(50027))?;
        return check_assertion(registration, &claims, now);
    }
    match form.get("client_secret") {
        None => Err(Failure::new(7_000_218)),
        Some(secret) if secret == registration.secret => Ok(()),
        Some(_) => Err(Failure::new(7_000_215)),
    }
}

/// Checks a JWT of the application itself or of a workload's identity provider. Its signature is not checked.
fn check_assertion(registration: &Registration, claims: &TokenClaims, now: u64) -> Result<(), Failure> {
    let fail = |code| Err(Failure::new(code));
    // Entra rejects a list, even one that contains the expected audience (panva/openid-client issue 348).
    let Some(audience) = claims.text("aud") else { return fail(50027) };
    if !is_current(claims, now) {
        return fail(700_024);
    }
    let subject = claims.text("sub").unwrap_or_default();
    if claims.issuer() != registration.client {
        return check_federated(registration, claims.issuer(), audience, subject);
    }
    if subject != registration.client {
        return fail(700_021);
    }
    // Both are in use (documentation `certificate-credentials.md`).
    if audience != registration.token_url() && audience != registration.issuer() {
        return fail(700_023);
    }
    Ok(())
}

/// Compares the issuer, the audience and the subject exactly (documentation
/// `workload-identity-federation-considerations.md`).
fn check_federated(
    registration: &Registration,
    issuer: &str,
    audience: &str,
    subject: &str,
) -> Result<(), Failure> {
    if registration.federated.is_empty() {
        return Err(Failure::new(70025));
    }
    let subjects = || {
        let matching = registration.federated.iter().filter(|federated| federated.issuer == issuer);
        matching.map(|federated| federated.subject.as_str())
    };
    if subjects().next().is_none() {
        return Err(Failure::new(700_211));
    }
    if audience != EXCHANGE_AUDIENCE {
        return Err(Failure::new(700_212));
    }
    if subjects().any(|expected| expected == subject) {
        return Ok(());
    }
    let differs_in_case = subjects().any(|expected| expected.eq_ignore_ascii_case(subject));
    Err(Failure::new(if differs_in_case { 7_002_138 } else { 700_213 }))
}

/// Returns `true` if the token has an expiry and is valid now. A clock skew is not tolerated.
pub(super) fn is_current(claims: &TokenClaims, now: u64) -> bool {
    let expires_on = claims.time("exp").unwrap_or_default();
    let not_before = claims.time("nbf").unwrap_or_default();
    (not_before..expires_on).contains(&now)
}
