//! The challenges of `WWW-Authenticate` headers (RFC 9110 §11.6.1).

#[cfg(test)]
mod tests;

use std::fmt;

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// The longest part of all header values together that is parsed, in bytes.
const MAX_BYTES: usize = 16 * 1024;
const MAX_CHALLENGES: usize = 16;
const MAX_PARAMS: usize = 32;

/// One challenge of a `WWW-Authenticate` header: a scheme, and either a token68 or parameters (RFC 9110 §11.6.1).
///
/// The values are those of the server, unescaped but not sanitized: sanitize them before you print them. `Debug` shows
/// none of them.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Denial, HealthcareClient};
/// # use azure_healthcare_auth_testing::{FakeServer, FakeCredential, ChallengeFormat};
///
/// /// Returns the audience that the service expects, if the response names it.
/// fn expected_audience(denial: &Denial) -> Option<&str> {
///     denial.challenges().iter().filter(|c| c.is("Bearer")).find_map(|c| c.param("resource_id"))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = FakeServer::builder().challenge_format(ChallengeFormat::OpenSource).start().await;
/// # let credential = std::sync::Arc::new(FakeCredential::new().with_audience("api://other"));
/// # let audience = fake_server.fhir();
/// let fhir = HealthcareClient::new(audience.clone(), credential);
/// // WWW-Authenticate: Bearer authorization_uri="…", resource_id="…", realm="…", error="invalid_token", …
/// let error = fhir.get("Patient").send().await.unwrap_err();
/// let Some(denial) = error.denial() else { return Err(error) };
/// assert_eq!(expected_audience(denial), Some(audience.resource()));
///
/// for challenge in denial.challenges() {
///     let names: Vec<_> = challenge.params().map(|(name, _)| name).collect();
///     assert_eq!(names, ["authorization_uri", "resource_id", "realm", "error", "error_description"]);
///     assert_eq!((challenge.scheme(), challenge.token68()), ("Bearer", None));
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// Returns the authentication scheme as the server wrote it, for example `Bearer`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns `true` if the scheme is `scheme`, ignoring case (RFC 9110 §11.1).
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// Returns the token68 of a challenge that has one instead of parameters, such as `Negotiate`.
    #[must_use]
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// Returns the value of the first parameter with this name, ignoring case.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the names and values of all parameters, in the server's order and spelling.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("params", &self.params.len()).finish_non_exhaustive()
    }
}

/// Returns the challenges of all `WWW-Authenticate` headers in their order, at most 16 from the first 16 KiB.
pub(super) fn from_headers(headers: &HeaderMap) -> Vec<Challenge> {
    let mut remaining = MAX_BYTES;
    let mut challenges = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let bytes = value.as_bytes();
        let bytes = bytes.get(..remaining).unwrap_or(bytes);
        remaining -= bytes.len();
        challenges.extend(parse(bytes));
    }
    challenges.truncate(MAX_CHALLENGES);
    challenges
}

/// Parses one header value. Text that does not match the grammar is skipped up to the next comma.
fn parse(value: &[u8]) -> Vec<Challenge> {
    let mut input = Input { rest: value.get(..MAX_BYTES).unwrap_or(value) };
    let mut challenges: Vec<Challenge> = Vec::new();
    loop {
        input.take(|b| matches!(b, b' ' | b'\t' | b','));
        if input.rest.is_empty() {
            return challenges;
        }
        let name = input.take_text(is_token);
        if name.is_empty() {
            // Skip only to the comma, so that one malformed challenge does not hide the next one.
            input.take(|b| b != b',');
            continue;
        }
        if let Some(value) = input.value() {
            // A parameter that precedes all schemes belongs to no challenge.
            if let Some(last) = challenges.last_mut().filter(|last| last.params.len() < MAX_PARAMS) {
                last.params.push((name, value));
            }
            continue;
        }
        if challenges.len() == MAX_CHALLENGES {
            return challenges;
        }
        let token68 = input.token68();
        challenges.push(Challenge { scheme: name, token68, params: Vec::new() });
    }
}

/// The unparsed rest of a header value.
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Consumes bytes as long as they match.
    fn take(&mut self, matches: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| !matches(b)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn take_text(&mut self, matches: impl Fn(u8) -> bool) -> String {
        String::from_utf8_lossy(self.take(matches)).into_owned()
    }

    /// Parses `BWS "=" BWS ( token / quoted-string )`. Consumes nothing if it returns `None`.
    fn value(&mut self) -> Option<String> {
        let mut ahead = Input { rest: self.rest };
        ahead.take(is_blank);
        ahead.rest = ahead.rest.strip_prefix(b"=")?;
        ahead.take(is_blank);
        let value = match ahead.rest.strip_prefix(b"\"") {
            Some(rest) => {
                ahead.rest = rest;
                ahead.quoted()
            }
            // Some servers omit the quotes that the grammar requires, especially around URLs.
            None => ahead.take_text(|b| !matches!(b, b',' | b' ' | b'\t' | b'"')),
        };
        self.rest = ahead.rest;
        Some(value)
    }

    /// Parses the rest of a quoted-string (RFC 9110 §5.6.4). An unclosed one extends to the end of the header.
    fn quoted(&mut self) -> String {
        let mut text = Vec::new();
        let mut escaped = false;
        while let Some((&byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            match byte {
                b'\\' if !escaped => escaped = true,
                b'"' if !escaped => break,
                _ => {
                    text.push(byte);
                    escaped = false;
                }
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Parses a token68 that extends to the next comma. Consumes nothing if it returns `None`.
    fn token68(&mut self) -> Option<String> {
        let mut ahead = Input { rest: self.rest };
        if ahead.take(is_blank).is_empty() {
            return None;
        }
        let text = ahead.take_text(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
        let padding = ahead.take_text(|b| b == b'=');
        ahead.take(is_blank);
        let alone = matches!(ahead.rest.first(), None | Some(b','));
        (alone && !text.is_empty()).then(|| {
            self.rest = ahead.rest;
            text + &padding
        })
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
