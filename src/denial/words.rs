//! The words in which a refusal is told: why, with the evidence, and what to do.

use std::time::{Duration, SystemTime};

use super::Renewal;
use super::cause::DenialCause;
use super::span::span;
use super::verdict::{Facts, Match, Verdict};
use crate::ServiceKind;
use crate::claims::UnverifiedClaims;
use crate::text::{SHORT, printable};

impl Facts<'_> {
    /// Why, on what evidence, and what has been tried.
    pub(crate) fn reason(&self, verdict: &Verdict, renewal: Renewal) -> String {
        let note = self.note(verdict, renewal);
        match self.possible_causes(verdict) {
            // Before the list, or it would seem to be about its last member.
            Some([first, second]) => {
                format!(
                    "the answer does not tell the cause{note}; the possible_causes: (1) {first}; (2) {second}"
                )
            }
            None => self.why(verdict.cause) + note,
        }
    }

    fn why(&self, cause: DenialCause) -> String {
        match cause {
            DenialCause::WrongAudience => self.why_audience(),
            DenialCause::TrailingSlash => self.why_slash(),
            DenialCause::Expired => self.why_ended(),
            DenialCause::NotYetValid => self.why_early(),
            DenialCause::WrongTenant => self.why_tenant(),
            DenialCause::InvalidSignature => {
                let token = match self.claims {
                    Some(_) => format!(", which {} issued for {}", self.issuer(), self.audience()),
                    None => String::new(),
                };
                format!("the service does not accept the signature of the token{token}")
            }
            DenialCause::MissingRole => self.why_role(),
            DenialCause::NotRoleRelated => match self.known_code() {
                Some("not-supported") => {
                    "not about roles: the server says that this is not supported".to_owned()
                }
                code => {
                    format!("not about roles: the server gives the issue code {}", code.unwrap_or("other"))
                }
            },
            DenialCause::Unknown => "the answer does not tell the cause".to_owned(),
        }
    }

    /// What to do, in one sentence without its full stop.
    pub(crate) fn help(&self, cause: DenialCause) -> String {
        let help = match cause {
            DenialCause::WrongAudience | DenialCause::TrailingSlash => return self.help_audience(),
            // Only the service that such a token is for can check it: Microsoft Graph is the well-known case.
            DenialCause::InvalidSignature if self.compare(self.asked) == Match::Other => {
                return self.help_credential();
            }
            DenialCause::WrongTenant if !self.is_from_home() => return self.help_tenant(),
            DenialCause::WrongTenant => {
                "compare the token's version with the service's authority: v1 and v2 tokens of one tenant name \
                 different issuers"
            }
            DenialCause::InvalidSignature => {
                "have the credential sign in to the cloud and the tenant that the service belongs to"
            }
            DenialCause::Expired if !self.has_time_left() => {
                "use a credential that renews its token, and replace a fixed token by a new one"
            }
            DenialCause::Expired | DenialCause::NotYetValid => {
                "set this machine's clock by NTP, and compare the service's, which is in the `Date` header of the \
                 answer"
            }
            DenialCause::MissingRole if self.service == ServiceKind::Dicom => {
                "assign it \"DICOM Data Reader\", or \"DICOM Data Owner\" to write; a new assignment can take minutes"
            }
            DenialCause::MissingRole => {
                "assign it \"FHIR Data Reader\", or another \"FHIR Data\" role to do more than read; a new assignment \
                 can take minutes"
            }
            DenialCause::NotRoleRelated => {
                "leave the roles as they are: the server's own explanation is in `Denial::body()`"
            }
            DenialCause::Unknown => {
                "check these two in their order; all of the answer is in `Denial::headers()` and `Denial::body()`"
            }
        };
        help.to_owned()
    }

    /// On what else the verdict rests.
    fn note(&self, verdict: &Verdict, renewal: Renewal) -> &'static str {
        match (verdict.alone, renewal) {
            // A 403 is not about the token, so that another was not tried says nothing.
            _ if self.forbidden => "",
            (true, Renewal::NotTried) => "; only the service's word says so",
            (true, Renewal::NothingNew) => {
                "; only the service's word says so, and no other token could be had"
            }
            (true, Renewal::Replayed) => {
                "; only the service's word says so, and a new token was refused as well"
            }
            (false, Renewal::NotTried) => "",
            (false, Renewal::NothingNew) => "; no other token could be had",
            (false, Renewal::Replayed) => "; a new token was refused as well",
        }
    }

    pub(crate) fn why_ended(&self) -> String {
        match self.side(self.claims.and_then(UnverifiedClaims::expires_on)) {
            Some(Ok(ago)) => format!("the token ended {} ago by this machine's clock", span(ago)),
            Some(Err(left)) => format!(
                "the service says that the token has ended, but by this machine's clock it has {} left",
                span(left)
            ),
            None => "the service says that the token has ended; when cannot be read from it".to_owned(),
        }
    }

    fn why_early(&self) -> String {
        let says = "the service says that the token is not valid yet";
        match self.side(self.claims.and_then(UnverifiedClaims::not_before)) {
            Some(Ok(ago)) => format!("{says}, but by this machine's clock it became so {} ago", span(ago)),
            Some(Err(to_go)) => {
                format!("{says}, and by this machine's clock it becomes so in {}", span(to_go))
            }
            None => format!("{says}; when it becomes so cannot be read from it"),
        }
    }

    /// How long ago `time` was, or how far ahead it is.
    fn side(&self, time: Option<SystemTime>) -> Option<Result<Duration, Duration>> {
        time.map(|time| self.now.duration_since(time).map_err(|ahead| ahead.duration()))
    }

    fn has_time_left(&self) -> bool {
        self.claims.and_then(UnverifiedClaims::expires_on).is_some_and(|end| end > self.now)
    }

    fn why_tenant(&self) -> String {
        let issuer = self.issuer();
        match self.trusted {
            Some(_) if self.is_from_home() => {
                let named =
                    self.claims.and_then(UnverifiedClaims::issuer).unwrap_or("which it does not name");
                format!("the service trusts {issuer}, but says that the token's issuer, {named}, is invalid")
            }
            Some(trusted) => {
                let trusted = printable(trusted, SHORT);
                format!("the token was issued by {issuer}, the service trusts tenant {trusted}")
            }
            None => {
                format!(
                    "the token was issued by {issuer}, and the service says that it does not trust that issuer"
                )
            }
        }
    }

    fn help_tenant(&self) -> String {
        match self.trusted {
            Some(trusted) => format!("have the credential sign in to tenant {}", printable(trusted, SHORT)),
            None => {
                format!("have the credential sign in to the service's tenant, {}", owner_knows("authority"))
            }
        }
    }

    pub(crate) fn why_role(&self) -> String {
        let scopes = self.claims.map_or(&[][..], UnverifiedClaims::scopes);
        let scope = match scopes.iter().any(|scope| scope != "user_impersonation") {
            true => ", or the token no scope,",
            false => "",
        };
        format!("{} has no role{scope} that allows this request", self.principal())
    }

    /// The token's audiences as they are named in a sentence.
    pub(crate) fn audience(&self) -> String {
        match self.claims.map_or(&[][..], UnverifiedClaims::audiences) {
            [] => "an audience that cannot be read".to_owned(),
            [one] => one.clone(),
            [one, more @ ..] => format!("{one} (and {} more)", more.len()),
        }
    }

    /// Who issued the token, as it is named in a sentence.
    pub(crate) fn issuer(&self) -> String {
        let tenant = self.claims.and_then(|claims| Some(format!("tenant {}", claims.tenant_id()?)));
        let issuer = || self.claims.and_then(|claims| Some(claims.issuer()?.to_owned()));
        tenant.or_else(issuer).unwrap_or_else(|| "an issuer that cannot be read".to_owned())
    }

    fn principal(&self) -> String {
        let Some((claims, object)) = self.claims.and_then(|claims| Some((claims, claims.object_id()?)))
        else {
            return "the token's principal".to_owned();
        };
        let kind = match claims.principal_type() {
            Some("app") => "service principal",
            Some("user") => "user",
            _ => "principal",
        };
        let app = claims.app_id().map(|app| format!(" (application {app})")).unwrap_or_default();
        format!("{kind} {object}{app}")
    }
}

/// Where the owner of a service finds how it is set up: the property is that of its Azure resource.
pub(crate) fn owner_knows(property: &str) -> String {
    format!(
        "which its owner finds in the Azure portal, in its JSON view (`authenticationConfiguration.{property}`)"
    )
}
