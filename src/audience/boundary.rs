//! What is inside an audience: the one decision whether a URL may carry its token.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{Error, ErrorKind, Result};

/// Whether `url` is on the origin of `endpoint` and below its base path.
pub(super) fn check_url(endpoint: &Url, url: &Url) -> Result<()> {
    // What begins with the whole endpoint, as nearly all do, is on its origin and names no user.
    if !url.as_str().starts_with(endpoint.as_str()) {
        if !same_origin(endpoint, url) {
            return Err(elsewhere(endpoint, &origin(url)));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(endpoint, "holds a user name or a password"));
        }
    }
    if url.fragment().is_some() {
        return Err(refused(endpoint, "has a fragment (`#`)"));
    }
    inside(endpoint, url.path())
}

/// The same for a URI that is sent as it stands. A [`Url`] made of it would be mended, and not be what is sent.
#[cfg(feature = "tower")]
pub(crate) fn check_uri(endpoint: &Url, uri: &http::Uri) -> Result<()> {
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refused(endpoint, "names no host: write the whole of it"));
    };
    let same_scheme = scheme == endpoint.scheme() || scheme.eq_ignore_ascii_case(endpoint.scheme());
    if !same_scheme || !same_host(endpoint, authority.as_str()) {
        return Err(match authority.as_str().contains('@') {
            true => refused(endpoint, "holds a user name or a password"),
            false => elsewhere(endpoint, &format!("{scheme}://{authority}")),
        });
    }
    inside(endpoint, uri.path())
}

/// Refuses what would show the token to who reads the answer (RFC 9110 section 9.3.8), or is for proxies.
#[cfg(any(feature = "client", feature = "reqwest-middleware", feature = "tower"))]
pub(crate) fn check_method(method: &http::Method) -> Result<()> {
    // Some servers do not look at the case of a method.
    if ["CONNECT", "TRACE", "TRACK"].iter().any(|refused| refused.eq_ignore_ascii_case(method.as_str())) {
        let message = "CONNECT, TRACE and TRACK are not for these services; nothing was sent";
        return Err(Error::new(ErrorKind::Request, message));
    }
    Ok(())
}

/// Refuses a `Host` header that names another host than the URL: what stands between may go by it.
pub(crate) fn check_host(endpoint: &Url, host: &[u8]) -> Result<()> {
    match str::from_utf8(host).is_ok_and(|host| same_host(endpoint, host)) {
        true => Ok(()),
        false => Err(foreign(format!("the `Host` header is not that of {}", origin(endpoint)))),
    }
}

/// Refuses a path that is not below the base, or might not be on some server.
fn inside(endpoint: &Url, path: &str) -> Result<()> {
    if path.strip_prefix(endpoint.path()).is_some_and(is_plain) {
        return Ok(());
    }
    check_path(path).map_err(|what| refused(endpoint, &format!("holds {what}")))?;
    match below(endpoint.path(), path) {
        true => Ok(()),
        false => Err(refused(endpoint, "is outside the base path of the audience")),
    }
}

/// The URL of `given`, a path below the base of `endpoint` or an absolute URL that is inside already.
pub(super) fn resolve(endpoint: &Url, given: &str) -> Result<Url> {
    // What the parser would drop or turn into something else is refused before it sees it.
    if given.chars().any(|c| c.is_control() || c == '\\') {
        return Err(refused(endpoint, "holds a control character or a backslash"));
    }
    let (path, query) = match given.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (given, None),
    };
    if given.contains('#') {
        return Err(refused(endpoint, "has a fragment (`#`): write `%23` in a query"));
    }
    let url = if has_scheme(path) {
        let rest = path.split_once("://").map(|(_, rest)| rest).filter(|rest| !rest.starts_with('/'));
        let rest = rest.ok_or_else(|| refused(endpoint, "is not a URL"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(refused(endpoint, "holds a user name or a password"));
        }
        // The parser would cut it off.
        if given.ends_with(char::is_whitespace) {
            return Err(refused(endpoint, "ends in a space"));
        }
        check_path(path).map_err(|what| refused(endpoint, &format!("holds {what}")))?;
        Url::parse(given).map_err(|_| refused(endpoint, "is not a URL"))?
    } else {
        if path.starts_with("//") {
            return Err(refused(endpoint, "starts with `//`, which names another host"));
        }
        check_path(path).map_err(|what| refused(endpoint, &format!("holds {what}")))?;
        let mut url = endpoint.clone();
        url.set_path(&format!("{}{}", endpoint.path(), path.strip_prefix('/').unwrap_or(path)));
        url.set_query(query);
        url
    };
    check_url(endpoint, &url)?;
    Ok(url)
}

/// Refuses what some server on the way may read as `..`, `/` or the end of the path, however it is encoded. Tells what
/// it found.
///
/// Neither a FHIR id, a DICOM UID nor an operation's name needs any of these.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    if is_plain(path) {
        return Ok(());
    }
    for segment in path.split('/') {
        let Ok(plain) = percent_decode_str(segment).decode_utf8() else {
            return Err("an encoding that is not UTF-8");
        };
        // Decoded a second time it would be something else; and what is no encoding stands as it is.
        if plain.contains('%') {
            return Err("a percent sign that encodes nothing, or itself");
        }
        if plain.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | '?' | '#')) {
            return Err("an encoded slash, backslash, `?`, `#` or control character");
        }
        // A matrix parameter (`..;x`) and spaces are dropped by some servers before they look for dots.
        let name = plain.split(';').next().unwrap_or_default();
        if matches!(name.trim(), "." | "..") {
            return Err("a dot segment (`.` or `..`)");
        }
    }
    Ok(())
}

/// Whether there is nothing in a path to look at twice, as in most: nothing encoded, and no segment that begins with a
/// dot.
fn is_plain(path: &str) -> bool {
    let mut begins = true;
    path.bytes().all(|byte| {
        let plain = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'$' => true,
            b'.' => !begins,
            _ => false,
        };
        begins = byte == b'/';
        plain
    })
}

/// RFC 6454 section 5. An opaque URL has no host, and so is nobody's.
fn same_origin(endpoint: &Url, url: &Url) -> bool {
    endpoint.scheme() == url.scheme()
        && endpoint.host_str() == url.host_str()
        && endpoint.port_or_known_default() == url.port_or_known_default()
}

/// Whether `authority`, a host and perhaps a port (RFC 9110 section 7.2), is that of `endpoint`.
fn same_host(endpoint: &Url, authority: &str) -> bool {
    if authority == endpoint.authority() {
        return true;
    }
    let host = endpoint.host_str().unwrap_or_default();
    let Some((name, port)) = authority.split_at_checked(host.len()) else { return false };
    let same_port = match port.strip_prefix(':') {
        // Written otherwise (`+443`, `0443`) it may be another port to who stands between.
        Some(port) => endpoint.port_or_known_default().is_some_and(|ours| port == ours.to_string()),
        None => port.is_empty() && endpoint.port().is_none(),
    };
    name.eq_ignore_ascii_case(host) && same_port
}

/// `base` ends in `/`. The base itself may be written without.
fn below(base: &str, path: &str) -> bool {
    path.starts_with(base) || base.strip_suffix('/') == Some(path)
}

/// Whether it starts like an absolute URL (RFC 3986 section 3.1), rather than like a path.
fn has_scheme(path: &str) -> bool {
    let head = path.split('/').next().unwrap_or_default();
    head.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn refused(endpoint: &Url, why: &str) -> Error {
    foreign(format!("the URL for {} {why}", origin(endpoint)))
}

fn elsewhere(endpoint: &Url, theirs: &str) -> Error {
    let ours = origin(endpoint);
    foreign(format!("the URL is on {theirs} and the audience is {ours}: the token stays there"))
}

fn foreign(message: String) -> Error {
    Error::new(ErrorKind::UrlNotAllowed, format!("{message}; nothing was sent"))
}

/// The origin as text: scheme, host and port, nothing else.
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
    fn a_host_is_the_endpoints_in_any_case_and_with_its_port_as_it_is_written() {
        let (standard, own) = ("https://fhir.contoso.example/r4/", "https://fhir.contoso.example:8443/r4/");
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
            (own, "fhir.contoso.example:8443", true),
            (own, "fhir.contoso.example:443", false),
            (own, "fhir.contoso.example", false),
        ] {
            let admitted = check_host(&Url::parse(endpoint).unwrap(), host.as_bytes());
            assert_eq!(admitted.is_ok(), same, "{endpoint} {host}");
        }
        assert!(check_host(&Url::parse(standard).unwrap(), b"\xff").is_err());
    }
}
