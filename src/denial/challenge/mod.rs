//! The challenges of a `WWW-Authenticate` header, as RFC 9110 §11.6.1 writes them.

#[cfg(test)]
mod tests;

use std::fmt;

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// What is read of all the headers together, in bytes; the rest is passed over.
const MAX_BYTES: usize = 16 * 1024;
const MAX_CHALLENGES: usize = 16;
const MAX_PARAMS: usize = 32;

/// One challenge of a `WWW-Authenticate` header: a scheme, and either a token68 or parameters.
///
/// The values are what the server wrote, unescaped and otherwise unchanged: sanitise them before you print them.
/// `Debug` shows none of them.
///
/// ```
/// use azure_healthcare_auth::{Audience, Denial, HealthcareClient};
/// # use azure_healthcare_auth::testing::{FakeServer, FakeCredential, ChallengeFormat};
///
/// /// The audience that the service wants, where it tells.
/// fn wanted(denial: &Denial) -> Option<&str> {
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
/// assert_eq!(wanted(denial), Some(audience.resource()));
///
/// for challenge in denial.challenges() {
///     let names: Vec<_> = challenge.params().map(|(name, _)| name).collect();
///     assert_eq!(names, ["authorization_uri", "resource_id", "realm", "error", "error_description"]);
///     assert_eq!((challenge.scheme(), challenge.token68()), ("Bearer", None));
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// The authentication scheme as the server spelt it, `Bearer` for example. Never panics.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the scheme is `scheme`, in any case (RFC 9110 §11.1). Never panics.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The token68 that stood in place of parameters, as with `Negotiate`. Never panics.
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The value of the parameter `name`, in any case; of the first one, where it stands twice. Never panics.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Name and value of every parameter, in the server's order and spelling. Never panics.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("params", &self.params.len()).finish_non_exhaustive()
    }
}

/// The challenges of all `WWW-Authenticate` headers, in their order; at most 16, from the first 16 KiB.
pub(crate) fn from_headers(headers: &HeaderMap) -> Vec<Challenge> {
    let mut left = MAX_BYTES;
    let mut found = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let bytes = value.as_bytes();
        let read = bytes.get(..left).unwrap_or(bytes);
        left -= read.len();
        found.extend(parse(read));
    }
    found.truncate(MAX_CHALLENGES);
    found
}

/// The challenges of one header value. What is not of the grammar is passed over up to the next comma.
pub(crate) fn parse(value: &[u8]) -> Vec<Challenge> {
    let mut input = Input { rest: value.get(..MAX_BYTES).unwrap_or(value) };
    let mut found: Vec<Challenge> = Vec::new();
    loop {
        input.skip(|b| matches!(b, b' ' | b'\t' | b','));
        if input.rest.is_empty() {
            return found;
        }
        let name = input.take(is_token);
        if name.is_empty() {
            // Up to the comma, so that one server's mistake does not hide the challenge of the next.
            input.skip(|b| b != b',');
            continue;
        }
        if let Some(value) = input.value() {
            // A parameter before any scheme belongs to nobody.
            if let Some(last) = found.last_mut().filter(|last| last.params.len() < MAX_PARAMS) {
                last.params.push((name, value));
            }
            continue;
        }
        if found.len() == MAX_CHALLENGES {
            return found;
        }
        let token68 = input.token68();
        found.push(Challenge { scheme: name, token68, params: Vec::new() });
    }
}

/// What is left to read. Every method moves forward or leaves it as it is.
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        self.split(wanted);
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> String {
        String::from_utf8_lossy(self.split(wanted)).into_owned()
    }

    fn split(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| !wanted(b)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// `BWS "=" BWS ( token / quoted-string )`, or nothing and nothing read.
    fn value(&mut self) -> Option<String> {
        let mut ahead = Input { rest: self.rest };
        ahead.skip(is_blank);
        ahead.rest = ahead.rest.strip_prefix(b"=")?;
        ahead.skip(is_blank);
        let value = match ahead.rest.strip_prefix(b"\"") {
            Some(rest) => {
                ahead.rest = rest;
                ahead.quoted()
            }
            // Real servers leave the quotes out where the grammar wants them, around addresses above all.
            None => ahead.take(|b| !matches!(b, b',' | b' ' | b'\t' | b'"')),
        };
        self.rest = ahead.rest;
        Some(value)
    }

    /// The rest of a quoted-string (RFC 9110 §5.6.4); one that is not closed ends with the header.
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

    /// A token68 that fills the place up to the next comma, or nothing and nothing read.
    fn token68(&mut self) -> Option<String> {
        let mut ahead = Input { rest: self.rest };
        if ahead.split(is_blank).is_empty() {
            return None;
        }
        let text = ahead.take(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
        let padding = ahead.take(|b| b == b'=');
        ahead.skip(is_blank);
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
