//! Known error texts of services, reduced to what they report about the token.

/// The part of a text that is examined, in characters.
const MAX_TEXT: usize = 1024;

/// The problems that known error texts in a response report.
///
/// The texts are those of ASP.NET's JWT bearer handler, which both services are built on, of the open-source FHIR
/// server Helios, and of Apache's mod_auth_openidc, a common gateway. ASP.NET joins several failures with `;`, and its
/// newer versions quote the rejected value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorHints {
    pub(super) audience_invalid: bool,
    pub(super) issuer_invalid: bool,
    pub(super) expired: bool,
    pub(super) not_yet_valid: bool,
    /// The signature is invalid or its key is unknown.
    pub(super) signature_invalid: bool,
    /// The request arrived without a token.
    pub(super) no_token: bool,
    /// The token is invalid for a reason that the text does not give.
    pub(super) unspecified: bool,
}

impl ErrorHints {
    /// Adds what the first 1,024 characters of `text` report.
    pub(super) fn add(&mut self, text: &str) {
        for failure in without_quoted_values(text).split(';') {
            let has = |words: &str| failure.contains(words);
            let invalid = has("invalid");
            self.audience_invalid |= (has("audience") && invalid) || has("missing required claim: aud");
            self.issuer_invalid |= (has("issuer") && invalid) || has("missing required claim: iss");
            self.expired |= has("expired");
            self.not_yet_valid |=
                has("not yet valid") || has("not valid yet") || has("not valid before") || has("immature");
            self.signature_invalid |=
                (has("signature") && (invalid || has("not found"))) || has("unknown key id");
            self.no_token |= has("no bearer token") || has("missing authorization header");
            self.unspecified |= has("could not be validated");
        }
    }
}

/// Returns the start of the text in lower case, without the parts in single quotes.
///
/// Quoted values come from the token, and an audience such as `https://expired.example` must not match.
fn without_quoted_values(text: &str) -> String {
    let start: String = text.chars().take(MAX_TEXT).collect();
    start.to_ascii_lowercase().split('\'').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_error_texts_are_recognized() {
        let none = ErrorHints::default();
        for (text, expected) in [
            ("The audience is invalid", ErrorHints { audience_invalid: true, ..none }),
            ("The audience '(null)' is invalid", ErrorHints { audience_invalid: true, ..none }),
            (
                "The audience 'https://expired.example' is invalid",
                ErrorHints { audience_invalid: true, ..none },
            ),
            ("Token validation error: Invalid audience", ErrorHints { audience_invalid: true, ..none }),
            (
                "Token validation error: Missing required claim: aud",
                ErrorHints { audience_invalid: true, ..none },
            ),
            (
                "The issuer 'https://sts.windows.net/x/' is invalid",
                ErrorHints { issuer_invalid: true, ..none },
            ),
            ("Token validation error: Invalid issuer", ErrorHints { issuer_invalid: true, ..none }),
            ("The token is expired", ErrorHints { expired: true, ..none }),
            ("The token expired at '02/20/2000 00:00:00'", ErrorHints { expired: true, ..none }),
            ("Token expired", ErrorHints { expired: true, ..none }),
            ("The token is not valid yet", ErrorHints { not_yet_valid: true, ..none }),
            (
                "The token is not valid before '01/15/2045 00:00:00'",
                ErrorHints { not_yet_valid: true, ..none },
            ),
            (
                "Token validation error: Token validation failed: ImmatureSignature",
                ErrorHints { not_yet_valid: true, ..none },
            ),
            ("The signature key was not found", ErrorHints { signature_invalid: true, ..none }),
            ("The signature is invalid", ErrorHints { signature_invalid: true, ..none }),
            ("Invalid signature", ErrorHints { signature_invalid: true, ..none }),
            ("Unknown key ID: x", ErrorHints { signature_invalid: true, ..none }),
            ("Missing Authorization header", ErrorHints { no_token: true, ..none }),
            ("No bearer token found in the request", ErrorHints { no_token: true, ..none }),
            ("JWT token could not be validated", ErrorHints { unspecified: true, ..none }),
            (
                "The audience '(null)' is invalid; The signature key was not found",
                ErrorHints { audience_invalid: true, signature_invalid: true, ..none },
            ),
            ("The token lifetime is invalid; NotBefore: '(null)', Expires: '(null)'", none),
            ("Authentication failed.", none),
            ("The audience; is invalid", none),
            ("", none),
        ] {
            let mut hints = ErrorHints::default();
            hints.add(text);
            assert_eq!(hints, expected, "{text}");
        }
    }

    #[test]
    fn text_beyond_the_length_limit_is_ignored() {
        let mut hints = ErrorHints::default();
        hints.add(&format!("{} token expired", "x".repeat(MAX_TEXT)));
        assert_eq!(hints, ErrorHints::default());
    }
}
