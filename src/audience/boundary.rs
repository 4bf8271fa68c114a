//! What is inside an audience: the one decision whether a URL may carry its token.

use url::Url;

use crate::{Error, ErrorKind, Result};

/// Whether `url` is on the origin of `endpoint` and below its base path.
pub(super) fn admit(endpoint: &Url, url: &Url) -> Result<()> {
    if endpoint.origin() != url.origin() {
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
        let path = rest.ok_or_else(|| refused(endpoint, "is not a URL"))?.trim_start_matches(|c| c != '/');
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

/// Refuses what some server on the way may read as `..`, `/` or the end of the path. Tells what it found.
///
/// Neither a FHIR id, a DICOM UID nor an operation's name needs any of these.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    for code in path.as_bytes().windows(3) {
        let [b'%', high, low] = code else { continue };
        match (high, low.to_ascii_lowercase()) {
            (b'2', b'e') => return Err("an encoded dot"),
            (b'2', b'f') => return Err("an encoded slash"),
            (b'5', b'c') => return Err("an encoded backslash"),
            (b'2', b'5') => return Err("an encoded percent sign"),
            (b'0' | b'1', _) | (b'7', b'f') => return Err("an encoded control character"),
            _ => {}
        }
    }
    // A matrix parameter (`..;x`) is dropped by some servers before they look for dots.
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if path.split('/').any(dots) {
        return Err("a dot segment (`.` or `..`)");
    }
    Ok(())
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
