//! The words about an audience that is not the service's: what the token is for, and how to build it right.

use super::verdict::{Facts, Match};
use super::words::owner_knows;
use crate::ServiceKind;
use crate::audience::PUBLIC_DICOM;
use crate::text::{LONG, printable};

impl Facts<'_> {
    pub(crate) fn why_audience(&self) -> String {
        let audience = self.audience();
        match (
            self.wanted.map(|wanted| (printable(wanted, LONG), self.compare(wanted))),
            self.compare(self.asked),
        ) {
            (Some((wanted, Match::Same)), _) => {
                format!(
                    "the service says that the audience is invalid, though the token is for {wanted} as it wants"
                )
            }
            (Some((wanted, _)), _) => format!("the token is for {audience} but the service wants {wanted}"),
            (None, Match::Other) => format!(
                "the token is for {audience} though it was asked for {}, and the service says that its audience is \
                 invalid",
                printable(self.asked, LONG)
            ),
            (None, _) => format!(
                "the token is for {audience}, and the service says that this audience is invalid without saying \
                 which it wants"
            ),
        }
    }

    pub(crate) fn why_slash(&self) -> String {
        let audience = self.audience();
        let only = "they differ in the trailing slash only";
        match (self.wanted, self.compare(self.asked)) {
            (Some(wanted), _) => {
                format!(
                    "the token is for {audience} but the service wants {}: {only}",
                    printable(wanted, LONG)
                )
            }
            (None, Match::Slash) => format!(
                "the token is for {audience} though it was asked for {}: {only}, and the service says that its \
                 audience is invalid",
                printable(self.asked, LONG)
            ),
            (None, _) => format!(
                "the token is for {audience}, with a trailing slash that such a service's audience does not have, \
                 and the service says that this audience is invalid"
            ),
        }
    }

    pub(crate) fn help_audience(&self) -> String {
        match self.wanted {
            Some(_) if self.wants_a_foreign_token() => {
                "check the address of the service, and give it no such token: no health service wants that audience"
                    .to_owned()
            }
            Some(wanted) if wanted != self.asked => build(wanted),
            Some(wanted) if self.compare(wanted) == Match::Same => self.help_ask_the_owner(),
            Some(_) => self.help_credential(),
            None => match self.compare(self.asked) {
                Match::Other | Match::Slash | Match::Alias => self.help_credential(),
                Match::Same | Match::Unknown => self.help_from_habit(),
            },
        }
    }

    /// The audience is right, and what came back is not for it.
    pub(crate) fn help_credential(&self) -> String {
        if self.compare(self.asked) == Match::Alias {
            return "the application gives out v2 tokens, whose audience is its id: set its \
                    `requestedAccessTokenVersion` to 1, or have the service accept that id"
                .to_owned();
        }
        format!(
            "have the credential return a token for {}, which it is asked for, or replace the fixed token by one",
            printable(self.asked, LONG)
        )
    }

    /// The service does not say what it wants. Most services want what is usual.
    fn help_from_habit(&self) -> String {
        if let Some(usual) = self.slashed_preset() {
            build(usual)
        } else if !self.is_a_known_mistake() {
            self.help_ask_the_owner()
        } else if self.service == ServiceKind::Dicom {
            format!("{}, which all DICOM services of the public cloud share", build(PUBLIC_DICOM))
        } else {
            "build the audience without `.resource(…)`: a FHIR service's audience is its own address, unless its \
             owner has set another"
                .to_owned()
        }
    }

    fn help_ask_the_owner(&self) -> String {
        let property = if self.service == ServiceKind::Dicom { "audiences" } else { "audience" };
        format!(
            "build the audience with `.resource(…)` and the service's own value, {}",
            owner_knows(property)
        )
    }
}

fn build(resource: &str) -> String {
    format!("build the audience with `.resource(\"{}\")`", printable(resource, LONG))
}
