//! Redaction of text that may contain secrets, such as the error message of a credential.

use crate::text::is_guid;

/// The length, in bytes, to which the message of a credential is truncated.
pub(crate) const MAX_MESSAGE_LEN: usize = 800;

const PLACEHOLDER: &str = "[redacted]";

/// Joins `text` into one line of about [`MAX_MESSAGE_LEN`] bytes at most and redacts each word that may be a secret.
pub(crate) fn redact(text: &str) -> String {
    truncate(&redact_words(text), MAX_MESSAGE_LEN)
}

/// Joins `text` into one line and redacts each word that may be a secret.
pub(crate) fn redact_words(text: &str) -> String {
    text.split_whitespace().map(redact_word).collect::<Vec<_>>().join(" ")
}

/// Truncates `line` to about `max_len` bytes by removing its middle.
///
/// Both ends are kept, because the start of a message shows what failed and the end of a traceback shows why.
pub(crate) fn truncate(line: &str, max_len: usize) -> String {
    if line.len() <= max_len {
        return line.to_owned();
    }
    let boundaries = || line.char_indices().map(|(index, _)| index);
    let head_end = boundaries().take_while(|&index| index <= max_len / 2).last().unwrap_or(0);
    let tail_start = boundaries().find(|&index| line.len() - index <= max_len / 2).unwrap_or(line.len());
    let head = line.get(..head_end).unwrap_or_default();
    let tail = line.get(tail_start..).unwrap_or_default();
    format!("{head} … {tail}")
}

/// Redacts the parts of `word` that may be secrets: `key=value`, `"key":"value"` and the like have several parts.
fn redact_word(word: &str) -> String {
    let mut redacted = String::with_capacity(word.len());
    let mut part = String::new();
    for c in word.chars() {
        if c.is_ascii_alphanumeric() || "-._~+/:%@$!*".contains(c) {
            part.push(c);
        } else {
            push_part(&mut redacted, &part);
            part.clear();
            if !c.is_control() {
                redacted.push(c);
            }
        }
    }
    push_part(&mut redacted, &part);
    redacted
}

fn push_part(redacted: &mut String, part: &str) {
    redacted.push_str(if may_be_secret(part) { PLACEHOLDER } else { part });
}

/// Returns `true` if `part` looks like a token, a key or a password, not like a word, a name, an id or a URL.
///
/// A client secret of Entra has 40 characters (letters, digits, `.`, `_`, `~`, `-`), of which the fifth and sixth are
/// `Q~`. Keys and tokens are longer. GUIDs have 36 characters and are kept, because a support request needs them.
fn may_be_secret(part: &str) -> bool {
    if part.starts_with("eyJ") || (part.len() >= 20 && part.contains("Q~")) {
        return true;
    }
    // The segments of a URL or path are checked separately.
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
    fn error_messages_without_secrets_are_unchanged() {
        for text in [
            "ERROR: Please run 'az login' to setup account.",
            "AADSTS7000215: Invalid client secret provided.",
            "AADSTS90002: Tenant 'b0a1c2d3-0000-4000-8000-0123456789ab' not found.",
            "Trace ID: b0a1c2d3-0000-4000-8000-0123456789ab, visit https://aka.ms/azsdk/rust/identity/troubleshoot#azure-cli",
            "AzureDeveloperCliCredential authentication failed. azd not found on PATH",
            "scope https://contoso-records.fhir.azurehealthcareapis.com/.default",
        ] {
            assert_eq!(redact_words(text), text);
        }
    }

    #[test]
    fn random_client_secrets_are_redacted() {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
        let mut state = 1_u64;
        let mut random_char = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(ALPHABET[(state >> 33) as usize % ALPHABET.len()])
        };
        for _ in 0..5_000 {
            let random: String = (0..34).map(|_| random_char()).collect();
            let secret = format!("lDk8Q~{random}");
            for text in [format!("client_secret={secret} is wrong"), format!("'{secret}'"), secret] {
                assert!(!redact_words(&text).contains(&random), "{text}");
            }
        }
    }

    #[test]
    fn tokens_and_client_secrets_are_redacted_wherever_they_appear() {
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
            let redacted = redact_words(&text);
            assert!(!redacted.contains("eyJ") && !redacted.contains("canary"), "{redacted}");
            assert!(redacted.contains(PLACEHOLDER), "{redacted}");
        }
    }

    #[test]
    fn length_and_format_decide_what_is_redacted() {
        for (word, unchanged) in [
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
            assert_eq!(redact_words(word) == word, unchanged, "{word}");
        }
    }

    #[test]
    fn long_text_is_truncated_in_the_middle() {
        let text =
            format!("Traceback é\n{}\nMsalServiceError: HTTP Error: 503", "  File é line\n".repeat(500));
        let line = truncate(&redact_words(&text), MAX_MESSAGE_LEN);
        assert!(line.starts_with("Traceback é File") && line.ends_with("MsalServiceError: HTTP Error: 503"));
        assert!(line.len() < MAX_MESSAGE_LEN + 20 && !line.contains('\n'));
    }
}
