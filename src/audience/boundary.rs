//! What is inside an audience: the one decision whether a URL may carry its token.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{Error, ErrorKind, Result};

/// Whether `url` is on the origin of `endpoint` and below its base path.
pub(super) fn admit(endpoint: &Url, url: &Url) -> Result<()> {
    if !same_origin(endpoint, url) {
        let (ours, theirs) = (origin(endpoint), origin(url));
        return Err(foreign(format!(
            "the URL is on {theirs} and the audience is {ours}: the token stays there"
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(endpoint, "holds a user name or a password"));
    }
    if url.fragment().is_some() {
        return Err(refused(endpoint, "has a fragment (`#`)"));
    }
    check_path(url.path()).map_err(|what| refused(endpoint, &format!("holds {what}")))?;
    if !below(endpoint.path(), url.path()) {
        return Err(refused(endpoint, "is outside the base path of the audience"));
    }
    Ok(())
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
    admit(endpoint, &url)?;
    Ok(url)
}

/// Refuses what some server on the way may read as `..`, `/` or the end of the path, however it is encoded. Tells what
/// it found.
///
/// Neither a FHIR id, a DICOM UID nor an operation's name needs any of these.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    for segment in path.split('/') {
        let Ok(plain) = percent_decode_str(segment).decode_utf8() else {
            return Err("an encoding that is not UTF-8");
        };
        // Decoded a second time it would be something else; and what is no encoding stands as it is.
        if plain.contains('%') {
            return Err("a percent sign that encodes nothing, or itself");
        }
        if plain.chars().any(|c| c.is_control() || c == '/' || c == '\\') {
            return Err("an encoded slash, backslash or control character");
        }
        // A matrix parameter (`..;x`) and spaces are dropped by some servers before they look for dots.
        let name = plain.split(';').next().unwrap_or_default();
        if matches!(name.trim(), "." | "..") {
            return Err("a dot segment (`.` or `..`)");
        }
    }
    Ok(())
}

/// RFC 6454 section 5. An opaque URL has no host, and so is nobody's.
fn same_origin(endpoint: &Url, url: &Url) -> bool {
    endpoint.scheme() == url.scheme()
        && endpoint.host_str() == url.host_str()
        && endpoint.port_or_known_default() == url.port_or_known_default()
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

fn foreign(message: String) -> Error {
    Error::new(ErrorKind::ForeignUrl, format!("{message}; nothing was sent"))
}

/// The origin as text: scheme, host and port, nothing else.
fn origin(url: &Url) -> String {
    match url.origin() {
        origin @ url::Origin::Tuple(..) => origin.ascii_serialization(),
        url::Origin::Opaque(_) => "no host".into(),
    }
}
