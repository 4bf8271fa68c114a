//! What a credential said when it gave no token, without what must not be shown.

use azure_core::error::ErrorKind as Kind;
use std::{error::Error as StdError, io};

use super::machine_refusal;
use crate::{Error, ErrorKind, text::is_guid};

/// What is told of a credential's words, in bytes.
pub(crate) const LIMIT: usize = 800;

/// The error for a scope for which the credential gave no token.
///
/// The credential's own error is not kept as a source: it can hold an answer of Entra or the output of a tool, and
/// nothing strips it. Its text is, so that "run `az login`" reaches whoever reads the log.
pub(super) fn error(scope: &str, error: &azure_core::Error) -> Error {
    told(&format!("no token for {scope}"), error)
}

/// For a credential that cannot be made, as in `AzureCliCredential::new(None)?`. Its words are kept, without what could
/// be a secret.
///
/// Where an adapter passed an error of this crate to its pipeline, it is that again. A pipeline's own errors are not for
/// this: their text can show the URL.
impl From<azure_core::Error> for Error {
    fn from(error: azure_core::Error) -> Self {
        let ours = causes(&error).find_map(|cause| cause.downcast_ref::<Self>()).cloned();
        ours.unwrap_or_else(|| told("the credential cannot be used", &error))
    }
}

fn told(what: &str, error: &azure_core::Error) -> Error {
    let said = bounded(&line(error), LIMIT);
    Error::new(ErrorKind::Credential, format!("{what}: {said}")).transient(may_pass(error))
}

/// Whether the cause can go away by itself: a credential of `azure_core` tells it by the kind of its errors, another by
/// the connection that broke.
pub(crate) fn may_pass(error: &azure_core::Error) -> bool {
    let telling = kinds(error).find_map(|kind| match kind {
        Kind::Connection | Kind::Io => Some(true),
        Kind::HttpResponse { status, .. } => Some(is_busy(u16::from(*status))),
        _ => None,
    });
    telling.unwrap_or_else(|| causes(error).filter_map(|cause| cause.downcast_ref()).any(is_broken))
}

fn is_broken(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable, TimedOut, UnexpectedEof,
    };
    matches!(
        error.kind(),
        ConnectionRefused
            | ConnectionReset
            | ConnectionAborted
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
            | BrokenPipe
            | TimedOut
            | UnexpectedEof
    )
}

/// Whether an answer of this status may be another one soon.
pub(crate) fn is_busy(status: u16) -> bool {
    status >= 500 || status == 408 || status == 429
}

/// The kinds of an error and of what caused it, the outermost first.
pub(crate) fn kinds(error: &azure_core::Error) -> impl Iterator<Item = &Kind> {
    causes(error).filter_map(|cause| cause.downcast_ref::<azure_core::Error>()).map(azure_core::Error::kind)
}

/// An error and what caused it, the outermost first.
pub(crate) fn causes(error: &azure_core::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
}

/// What an error says, on one line in which each word that could be a secret is left out.
pub(crate) fn line(error: &azure_core::Error) -> String {
    let mut text = machine_refusal::corrected(error);
    // Of a connection that failed `azure_core` only says that it gave up.
    if kinds(error).any(|kind| matches!(kind, Kind::Connection | Kind::Io))
        && let Some(cause) = causes(error).last().map(ToString::to_string)
        && !text.contains(&cause)
    {
        text = format!("{text}: {cause}");
    }
    one_line(&text)
}

/// A text on one line of limited length, in which each word that could be a secret is left out.
#[cfg(feature = "identity")]
pub(crate) fn clean(text: &str) -> String {
    bounded(&one_line(text), LIMIT)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().map(clean_word).collect::<Vec<_>>().join(" ")
}

/// A line of about `limit` bytes at most. A longer one loses its middle: its beginning says what was tried, the end of
/// a traceback what went wrong.
pub(crate) fn bounded(line: &str, limit: usize) -> String {
    if line.len() <= limit {
        return line.to_owned();
    }
    let places = || line.char_indices().map(|(at, _)| at);
    let head = places().take_while(|&at| at <= limit / 2).last().unwrap_or(0);
    let tail = places().find(|&at| line.len() - at <= limit / 2).unwrap_or(line.len());
    let (head, tail) = (line.get(..head).unwrap_or_default(), line.get(tail..).unwrap_or_default());
    format!("{head} … {tail}")
}

fn clean_word(word: &str) -> String {
    // `key=value`, `"key":"value"` and the like: each part is looked at by itself.
    let mut clean = String::with_capacity(word.len());
    let mut part = String::new();
    for c in word.chars() {
        if c.is_ascii_alphanumeric() || "-._~+/:%@$!*".contains(c) {
            part.push(c);
        } else {
            push(&mut clean, &part);
            part.clear();
            if !c.is_control() {
                clean.push(c);
            }
        }
    }
    push(&mut clean, &part);
    clean
}

fn push(clean: &mut String, part: &str) {
    clean.push_str(if is_opaque(part) { "[left out]" } else { part });
}

/// Whether it looks like a token, a key or a password rather than like a word, a name, an id or a URL.
///
/// Entra's client secrets have 40 letters, digits and `.`, `_`, `~`, `-`, of which the fifth and the sixth are `Q~`; keys
/// and tokens are longer. GUIDs, which a support case needs, are 36 characters long and kept.
fn is_opaque(part: &str) -> bool {
    if part.starts_with("eyJ") || (part.len() >= 20 && part.contains("Q~")) {
        return true;
    }
    // A URL's or path's segments each count for themselves.
    part.split(['/', ':', '.']).any(|segment| {
        segment.len() >= 20
            && !is_guid(segment)
            && segment.bytes().any(|byte| byte.is_ascii_digit())
            && segment.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_needs_is_kept() {
        for text in [
            "ERROR: Please run 'az login' to setup account.",
            "AADSTS7000215: Invalid client secret provided.",
            "AADSTS90002: Tenant 'b0a1c2d3-0000-4000-8000-0123456789ab' not found.",
            "Trace ID: b0a1c2d3-0000-4000-8000-0123456789ab, visit https://aka.ms/azsdk/rust/identity/troubleshoot#azure-cli",
            "AzureDeveloperCliCredential authentication failed. azd not found on PATH",
            "scope https://contoso-records.fhir.azurehealthcareapis.com/.default",
        ] {
            assert_eq!(one_line(text), text);
        }
    }

    #[test]
    fn a_client_secret_is_left_out_whatever_its_letters() {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
        let mut state = 1_u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(LETTERS[(state >> 33) as usize % LETTERS.len()])
        };
        for _ in 0..5_000 {
            let rest: String = (0..34).map(|_| letter()).collect();
            let secret = format!("lDk8Q~{rest}");
            for text in [format!("client_secret={secret} is wrong"), format!("'{secret}'"), secret] {
                assert!(!one_line(&text).contains(&rest), "{text}");
            }
        }
    }

    #[test]
    fn what_could_be_a_secret_is_left_out() {
        let jwt = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2lnbmF0dXJl";
        let secret = "abc8Q~canary0123456789canary0123456789AB";
        for text in [
            format!("got {jwt}"),
            format!("{{\"accessToken\": \"{jwt}\", \"x\": 1}}"),
            format!("accessToken={jwt}&x=y"),
            format!("client_secret={secret}"),
            format!("the secret {secret} is wrong"),
            format!("https://host/path?code={secret}"),
            format!("https://host/{secret}/x"),
        ] {
            let clean = one_line(&text);
            assert!(!clean.contains("eyJ") && !clean.contains("canary"), "{clean}");
            assert!(clean.contains("[left out]"), "{clean}");
        }
    }

    #[test]
    fn a_word_is_a_secret_from_20_letters_and_digits_on() {
        for (word, kept) in [
            ("abcdefghij123456789", true),
            ("abcdefghij1234567890", false),
            ("abcdefghijabcdefghijabcdefghij", true),
            ("123456789012345678901234567890", true),
            ("eyJ", false),
            ("abcdefghijabcdefgQ~", true),
            ("abcdefghijabcdefghQ~", false),
            ("https://host1.example/part2/part3/part4", true),
            ("https://host.example/abcdefghij1234567890", false),
            ("b0a1c2d3-0000-4000-8000-0123456789ab", true),
            ("b0a1c2d3-0000-4000-8000-0123456789ab:", true),
            ("https://host.example/b0a1c2d3-0000-4000-8000-0123456789ab/x", true),
            ("b0a1c2d3-0000-4000-8000-0123456789abc", false),
            ("b0a1c2d3-0000-4000-8000-0123456789ag", false),
        ] {
            assert_eq!(one_line(word) == word, kept, "{word}");
        }
    }

    #[test]
    fn a_service_that_is_busy_answers_so() {
        for (status, busy) in [
            (200, false),
            (404, false),
            (408, true),
            (428, false),
            (429, true),
            (499, false),
            (500, true),
            (503, true),
        ] {
            assert_eq!(is_busy(status), busy, "{status}");
        }
    }

    #[test]
    fn an_error_of_this_crate_that_a_pipeline_passed_on_is_that_again() {
        let ours = Error::new(ErrorKind::UrlNotAllowed, "elsewhere");
        let passed_on = azure_core::Error::with_error(Kind::Credential, ours, "the pipeline failed");
        let passed_on = azure_core::Error::with_error(Kind::Other, passed_on, "again");
        let error = Error::from(passed_on);
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::UrlNotAllowed, "elsewhere"));
        let theirs = azure_core::Error::with_message(Kind::Credential, "az not found");
        assert_eq!(Error::from(theirs).to_string(), "the credential cannot be used: az not found");
    }

    #[test]
    fn a_long_text_keeps_both_ends_on_one_line() {
        let text =
            format!("Traceback é\n{}\nMsalServiceError: HTTP Error: 503", "  File é line\n".repeat(500));
        let clean = bounded(&one_line(&text), LIMIT);
        assert!(
            clean.starts_with("Traceback é File") && clean.ends_with("MsalServiceError: HTTP Error: 503")
        );
        assert!(clean.len() < LIMIT + 20 && !clean.contains('\n'));
    }

    #[test]
    fn the_cause_of_a_failed_connection_is_told_and_said_once() {
        let refused = std::io::Error::other("Connection refused (os error 111)");
        let error = azure_core::Error::with_error(Kind::Connection, refused, "failed to execute");
        let error = azure_core::Error::with_error(Kind::Credential, error, "retry policy expired");
        assert_eq!(line(&error), "retry policy expired: Connection refused (os error 111)");
        let error = azure_core::Error::new(Kind::Io, std::io::Error::other("reset"));
        assert_eq!(line(&error), "reset");
        let inner = std::io::Error::other("inside");
        assert_eq!(line(&azure_core::Error::with_error(Kind::Credential, inner, "told")), "told");
    }

    #[test]
    fn an_entra_that_is_busy_may_pass_and_a_wrong_secret_does_not() {
        let busy = azure_core::Error::with_message(Kind::Io, "connection reset");
        let busy = azure_core::Error::with_error(Kind::Credential, busy, "authentication failed");
        assert!(error("s", &busy).is_transient());
        let wrong = azure_core::Error::with_message(Kind::Credential, "AADSTS7000215");
        assert!(!error("s", &wrong).is_transient());
    }
}
