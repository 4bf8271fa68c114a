//! What a service's own words say is wrong with a token. The words are matched here and kept nowhere.

/// How much of a text is listened to, in characters.
const MAX_TEXT: usize = 1024;

/// The well-known sentences that were heard.
///
/// They are those of ASP.NET's bearer handler, which both services are built on (it strings several together with
/// `;`, and newer versions quote the value that they refuse), of the open-source FHIR server Helios, and of Apache's
/// mod_auth_openidc, a common gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The audience is invalid.
    pub(crate) audience: bool,
    /// The issuer is invalid.
    pub(crate) issuer: bool,
    /// The token has ended.
    pub(crate) ended: bool,
    /// The token is not valid yet.
    pub(crate) early: bool,
    /// The signature is invalid, or its key unknown.
    pub(crate) signature: bool,
    /// There was no token at all.
    pub(crate) unseen: bool,
    /// The token did not pass, and not why.
    pub(crate) vague: bool,
}

impl Said {
    /// Adds what `text` says. Only its first 1,024 characters are listened to.
    pub(crate) fn read(&mut self, text: &str) {
        for clause in spoken(text).split(';') {
            let has = |words: &str| clause.contains(words);
            let invalid = has("invalid");
            self.audience |= (has("audience") && invalid) || has("missing required claim: aud");
            self.issuer |= (has("issuer") && invalid) || has("missing required claim: iss");
            self.ended |= has("expired");
            self.early |=
                has("not yet valid") || has("not valid yet") || has("not valid before") || has("immature");
            self.signature |= (has("signature") && (invalid || has("not found"))) || has("unknown key id");
            self.unseen |= has("no bearer token") || has("missing authorization header");
            self.vague |= has("could not be validated");
        }
    }
}

/// The service's own words, lower case: what stands between single quotes is the token's, and an audience may well
/// be called `https://expired.example`.
fn spoken(text: &str) -> String {
    let heard: String = text.chars().take(MAX_TEXT).collect();
    heard.to_ascii_lowercase().split('\'').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_sentence_is_heard() {
        let none = Said::default();
        for (text, expected) in [
            ("The audience is invalid", Said { audience: true, ..none }),
            ("The audience '(null)' is invalid", Said { audience: true, ..none }),
            ("The audience 'https://expired.example' is invalid", Said { audience: true, ..none }),
            ("Token validation error: Invalid audience", Said { audience: true, ..none }),
            ("Token validation error: Missing required claim: aud", Said { audience: true, ..none }),
            ("The issuer 'https://sts.windows.net/x/' is invalid", Said { issuer: true, ..none }),
            ("Token validation error: Invalid issuer", Said { issuer: true, ..none }),
            ("The token is expired", Said { ended: true, ..none }),
            ("The token expired at '02/20/2000 00:00:00'", Said { ended: true, ..none }),
            ("Token expired", Said { ended: true, ..none }),
            ("The token is not valid yet", Said { early: true, ..none }),
            ("The token is not valid before '01/15/2045 00:00:00'", Said { early: true, ..none }),
            (
                "Token validation error: Token validation failed: ImmatureSignature",
                Said { early: true, ..none },
            ),
            ("The signature key was not found", Said { signature: true, ..none }),
            ("The signature is invalid", Said { signature: true, ..none }),
            ("Invalid signature", Said { signature: true, ..none }),
            ("Unknown key ID: x", Said { signature: true, ..none }),
            ("Missing Authorization header", Said { unseen: true, ..none }),
            ("No bearer token found in the request", Said { unseen: true, ..none }),
            ("JWT token could not be validated", Said { vague: true, ..none }),
            (
                "The audience '(null)' is invalid; The signature key was not found",
                Said { audience: true, signature: true, ..none },
            ),
            ("The token lifetime is invalid; NotBefore: '(null)', Expires: '(null)'", none),
            ("Authentication failed.", none),
            ("The audience; is invalid", none),
            ("", none),
        ] {
            let mut said = Said::default();
            said.read(text);
            assert_eq!(said, expected, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_heard_up_to_its_limit() {
        let mut said = Said::default();
        said.read(&format!("{} token expired", "x".repeat(MAX_TEXT)));
        assert_eq!(said, Said::default());
    }
}
