//! What may be the cause of a refusal, where the evidence does not decide.

use super::span::span;
use super::verdict::{Facts, Match, Verdict, unknown};
use crate::claims::UnverifiedClaims;
use crate::text::{LONG, printable};

/// A possible cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likely {
    NeverArrived,
    NoJwt,
    NotAsAsked,
    Ended,
    Clocks,
    Signature,
    Audience,
    Tenant,
    Role,
    StorageRole,
    SignInAgain,
    InBetween,
    OtherReason,
    NotAccepted,
}

impl Facts<'_> {
    /// The verdict on a 401 about which nobody has said anything that decides: what is odd about the answer or the
    /// token comes first, then what is usual.
    pub(crate) fn guess(&self) -> Verdict {
        // A challenge that names an audience but no error is what ASP.NET writes when it has seen no token.
        let unseen = self.never_arrived() || (self.error.is_none() && self.wanted.is_some());
        let not_as_asked = matches!(self.compare(self.asked), Match::Slash | Match::Other);
        let candidates = [
            (unseen, Likely::NeverArrived),
            (self.error == Some("insufficient_claims"), Likely::SignInAgain),
            (self.claims.is_none(), Likely::NoJwt),
            (self.has_ended(), Likely::Ended),
            (not_as_asked, Likely::NotAsAsked),
            (self.said.vague, Likely::Signature),
            (self.said.vague || self.is_early(), Likely::Clocks),
            // What the service has named, and the token has, is not what is wrong.
            (self.wanted.is_none() && !not_as_asked, Likely::Audience),
            (self.error == Some("insufficient_scope"), Likely::Role),
            (!self.is_from_home(), Likely::Tenant),
            (true, Likely::Signature),
            (true, Likely::Clocks),
        ];
        let mut likely = candidates.into_iter().filter_map(|(holds, likely)| holds.then_some(likely));
        let first = likely.next().unwrap_or(Likely::Signature);
        unknown([first, likely.next().unwrap_or(Likely::Clocks)])
    }

    /// The two possible_causes causes in words, where the cause is unknown.
    pub(crate) fn possible_causes(&self, verdict: &Verdict) -> Option<[String; 2]> {
        verdict.likely.map(|two| two.map(|likely| self.likely(likely)))
    }

    fn likely(&self, likely: Likely) -> String {
        let fixed = match likely {
            Likely::NotAsAsked => {
                let asked = printable(self.asked, LONG);
                return format!("the token is for {} though it was asked for {asked}", self.audience());
            }
            Likely::Ended => return self.why_ended(),
            Likely::Signature => {
                return format!("the service does not accept the signature of {}", self.issuer());
            }
            Likely::Audience if self.first_audience().is_some() => {
                return format!("the service is set up with another audience than {}", self.audience());
            }
            Likely::Tenant => return format!("the service does not trust {}", self.issuer()),
            Likely::Role => return self.why_role(),
            Likely::Clocks => {
                match self.claims.and_then(UnverifiedClaims::not_before).map(|at| at.duration_since(self.now))
                {
                    Some(Ok(to_go)) if self.is_early() => {
                        let to_go = span(to_go);
                        return format!(
                            "a clock is wrong: by this machine's, the token is not valid for another {to_go}"
                        );
                    }
                    _ => "a clock is wrong, this machine's or the service's",
                }
            }
            Likely::NeverArrived => {
                "the Authorization header did not reach the service: a proxy took it away"
            }
            Likely::NoJwt => "the token is not a JWT, and the service takes no other",
            Likely::Audience => "the token is not for the audience that the service is set up with",
            Likely::SignInAgain => "the token was revoked, or a policy of the tenant asks for a new sign-in",
            Likely::StorageRole => {
                "in an export or import, the service's own identity has no role on the storage account"
            }
            Likely::InBetween => {
                "a gateway, firewall or network rule in front of the service refused the request"
            }
            Likely::OtherReason => "the server has a reason of its own, which its body tells",
            Likely::NotAccepted => "the service does not accept the token, and says 403 where 401 is usual",
        };
        fixed.to_owned()
    }
}
