//! Decides whether a URL is allowed, that is, whether a request to it may carry the token.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{Error, ErrorKind, Result};

/// Checks that `url` is on the origin of `endpoint` and below its base path.
pub(super) fn check_url(endpoint: &Url, url: &Url) -> Result<()> {
    // Fast path: a URL that starts with the endpoint is on its origin and has no user info.
    if !url.as_str().starts_with(endpoint.as_str()) {
        if !same_origin(endpoint, url) {
            return Err(other_origin(endpoint, &origin(url)));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid_url(endpoint, "contains a user name or a password"));
        }
    }
    if url.fragment().is_some() {
        return Err(invalid_url(endpoint, "has a fragment (`#`)"));
    }
    check_below_base(endpoint, url.path())
}

/// Does the same for a [`http::Uri`], which is sent verbatim. A [`Url`] parsed from it could differ, because the parser
/// normalizes.
#[cfg(feature = "tower")]
pub(crate) fn check_uri(endpoint: &Url, uri: &http::Uri) -> Result<()> {
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(invalid_url(endpoint, "has no scheme or no host: write the complete URL"));
    };
    let same_scheme = scheme.eq_ignore_ascii_case(endpoint.scheme());
    if !same_scheme || !same_host(endpoint, authority.as_str()) {
        return Err(match authority.as_str().contains('@') {
            true => invalid_url(endpoint, "contains a user name or a password"),
            false => other_origin(endpoint, &format!("{scheme}://{authority}")),
        });
    }
    check_below_base(endpoint, uri.path())
}

/// Rejects methods whose response contains the request with the token (RFC 9110 section 9.3.8) and methods for proxies.
#[cfg(any(feature = "client", feature = "reqwest-middleware", feature = "tower"))]
pub(crate) fn check_method(method: &http::Method) -> Result<()> {
    // Some servers ignore the case of a method.
    if ["CONNECT", "TRACE", "TRACK"].iter().any(|rejected| rejected.eq_ignore_ascii_case(method.as_str())) {
        let message = "the methods CONNECT, TRACE and TRACK are not allowed; nothing was sent";
        return Err(Error::new(ErrorKind::Request, message));
    }
    Ok(())
}

/// Rejects a `Host` header with a host other than the endpoint's, because a gateway may route by it.
pub(crate) fn check_host(endpoint: &Url, host: &[u8]) -> Result<()> {
    match str::from_utf8(host).is_ok_and(|host| same_host(endpoint, host)) {
        true => Ok(()),
        false => Err(not_allowed(&format!("the `Host` header is not the host of {}", origin(endpoint)))),
    }
}

/// Rejects a path that is not below the base path or that a server could interpret as outside.
fn check_below_base(endpoint: &Url, path: &str) -> Result<()> {
    if path.strip_prefix(endpoint.path()).is_some_and(is_plain) {
        return Ok(());
    }
    check_path(path).map_err(|what| invalid_url(endpoint, &format!("contains {what}")))?;
    match is_below(endpoint.path(), path) {
        true => Ok(()),
        false => Err(invalid_url(endpoint, "is outside the base path of the audience")),
    }
}

/// Returns the URL of `given`, which is a path below `endpoint` or an allowed absolute URL.
pub(super) fn resolve(endpoint: &Url, given: &str) -> Result<Url> {
    // Check before parsing, because the parser drops or replaces these characters.
    if given.chars().any(|c| c.is_control() || c == '\\') {
        return Err(invalid_url(endpoint, "contains a control character or a backslash"));
    }
    let (path, query) = match given.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (given, None),
    };
    if given.contains('#') {
        return Err(invalid_url(endpoint, "has a fragment (`#`): write `%23` in a query"));
    }
    let url = if has_scheme(path) {
        let rest = path.split_once("://").map(|(_, rest)| rest).filter(|rest| !rest.starts_with('/'));
        let rest = rest.ok_or_else(|| invalid_url(endpoint, "is not a URL"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(invalid_url(endpoint, "contains a user name or a password"));
        }
        // The parser would remove trailing whitespace.
        if given.ends_with(char::is_whitespace) {
            return Err(invalid_url(endpoint, "ends in a space"));
        }
        check_path(path).map_err(|what| invalid_url(endpoint, &format!("contains {what}")))?;
        Url::parse(given).map_err(|_| invalid_url(endpoint, "is not a URL"))?
    } else {
        if path.starts_with("//") {
            return Err(invalid_url(endpoint, "starts with `//`, which names another host"));
        }
        check_path(path).map_err(|what| invalid_url(endpoint, &format!("contains {what}")))?;
        let mut url = endpoint.clone();
        url.set_path(&format!("{}{}", endpoint.path(), path.strip_prefix('/').unwrap_or(path)));
        url.set_query(query);
        url
    };
    check_url(endpoint, &url)?;
    Ok(url)
}

/// Rejects a path that a server could interpret as containing a dot segment, an additional `/`, or a query or fragment,
/// in any encoding. The error is a description of that part.
///
/// FHIR ids, DICOM UIDs and operation names need none of these characters.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    if is_plain(path) {
        return Ok(());
    }
    for segment in path.split('/') {
        let Ok(plain) = percent_decode_str(segment).decode_utf8() else {
            return Err("percent-encoded bytes that are not UTF-8");
        };
        // Either `%25` was decoded, so a second decoding could change the segment, or `%` is not followed by two hex
        // digits.
        if plain.contains('%') {
            return Err("an encoded percent sign (`%25`), or a `%` without two hex digits");
        }
        if plain.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | '?' | '#')) {
            return Err("an encoded slash, backslash, `?`, `#` or control character");
        }
        // Some servers remove matrix parameters (`..;x`) and spaces before they look for dots.
        let name = plain.split(';').next().unwrap_or_default();
        if matches!(name.trim(), "." | "..") {
            return Err("a dot segment (`.` or `..`)");
        }
    }
    Ok(())
}

/// Returns `true` if a path contains no special character, no encoding and no segment that starts with a dot. Most
/// paths are plain.
fn is_plain(path: &str) -> bool {
    let mut segment_start = true;
    path.bytes().all(|byte| {
        let plain = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'$' => true,
            b'.' => !segment_start,
            _ => false,
        };
        segment_start = byte == b'/';
        plain
    })
}

/// Returns `true` if both URLs have the same origin (RFC 6454 section 5). A URL without a host has none.
fn same_origin(endpoint: &Url, url: &Url) -> bool {
    endpoint.scheme() == url.scheme()
        && endpoint.host_str() == url.host_str()
        && endpoint.port_or_known_default() == url.port_or_known_default()
}

/// Returns `true` if `authority`, a host with an optional port (RFC 9110 section 7.2), is that of `endpoint`.
fn same_host(endpoint: &Url, authority: &str) -> bool {
    if authority == endpoint.authority() {
        return true;
    }
    let host = endpoint.host_str().unwrap_or_default();
    let Some((name, port)) = authority.split_at_checked(host.len()) else { return false };
    let same_port = match port.strip_prefix(':') {
        // A gateway may interpret another spelling of the port (`+443`, `0443`) differently.
        Some(port) => endpoint.port_or_known_default().is_some_and(|own| port == own.to_string()),
        None => port.is_empty() && endpoint.port().is_none(),
    };
    name.eq_ignore_ascii_case(host) && same_port
}

/// Returns `true` if `path` is below `base`, or is `base` with or without its final `/`.
fn is_below(base: &str, path: &str) -> bool {
    path.starts_with(base) || base.strip_suffix('/') == Some(path)
}

/// Returns `true` if the text starts with a scheme (RFC 3986 section 3.1).
fn has_scheme(path: &str) -> bool {
    let head = path.split('/').next().unwrap_or_default();
    head.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn invalid_url(endpoint: &Url, why: &str) -> Error {
    not_allowed(&format!("the URL for {} {why}", origin(endpoint)))
}

fn other_origin(endpoint: &Url, origin_of_url: &str) -> Error {
    let endpoint = origin(endpoint);
    not_allowed(&format!("the URL is on {origin_of_url}, but the token is only for {endpoint}"))
}

fn not_allowed(message: &str) -> Error {
    Error::new(ErrorKind::UrlNotAllowed, format!("{message}; nothing was sent"))
}

/// Returns the scheme, host and port of a URL as text.
fn origin(url: &Url) -> String {
    match url.origin() {
        origin @ url::Origin::Tuple(..) => origin.ascii_serialization(),
        url::Origin::Opaque(_) => "no host".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_header_ignores_case_but_requires_the_exact_port() {
        let (standard, custom) =
            ("https://fhir.contoso.example/r4/", "https://fhir.contoso.example:8443/r4/");
        for (endpoint, host, same) in [
            (standard, "fhir.contoso.example", true),
            (standard, "FHIR.contoso.example", true),
            (standard, "fhir.contoso.example:443", true),
            (standard, "fhir.contoso.example:+443", false),
            (standard, "fhir.contoso.example:0443", false),
            (standard, "fhir.contoso.example:", false),
            (standard, "fhir.contoso.example:8443", false),
            (standard, "fhir.contoso.example.", false),
            (standard, "fhir.contoso.exampl", false),
            (standard, "me@fhir.contoso.example", false),
            (custom, "fhir.contoso.example:8443", true),
            (custom, "fhir.contoso.example:443", false),
            (custom, "fhir.contoso.example", false),
        ] {
            let checked = check_host(&Url::parse(endpoint).unwrap(), host.as_bytes());
            assert_eq!(checked.is_ok(), same, "{endpoint} {host}");
        }
        assert!(check_host(&Url::parse(standard).unwrap(), b"\xff").is_err());
    }
}
