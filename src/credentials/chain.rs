//! [`ChainedTokenCredential`]: the first of several that is there.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
};

use super::{CredentialUnavailableError, availability::is_unavailable};
use crate::token::complaint;

/// Asks credentials in their order until one gives a token, and from then on that one alone.
///
/// It goes on from a credential that is *not available here*: nothing is installed, set up or signed in that it could
/// ask. It stops at one that is there and *was refused*, as by a wrong secret, by a tenant that is not found or by an
/// Entra that cannot be reached: the next one would be another identity than the one that was meant. Credentials of
/// one's own say "not available here" by [`CredentialUnavailableError`]; those of `azure_identity` are known by what they say.
///
/// A member that gives no answer holds up those behind it: the time that a credential may take is that of them all.
///
/// # Errors
///
/// One error tells what each member said that was asked, by its name, without words that look like a secret. Where
/// none is available it is itself an [`CredentialUnavailableError`], so that a chain can be a member of another.
///
/// ```
/// use std::sync::Arc;
///
/// use azure_healthcare_auth::credentials::ChainedTokenCredential;
/// use azure_identity::{AzureCliCredential, ManagedIdentityCredential};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let chain = Arc::new(
///     ChainedTokenCredential::new()
///         .with("Azure CLI", AzureCliCredential::new(None)?)
///         .with("managed identity", ManagedIdentityCredential::new(None)?),
/// );
/// assert_eq!(chain.selected(), None); // nobody was asked yet
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct ChainedTokenCredential {
    members: Vec<Member>,
    answered: OnceLock<usize>,
}

struct Member {
    name: Cow<'static, str>,
    credential: Arc<dyn TokenCredential>,
}

impl ChainedTokenCredential {
    /// A chain without members, which gives no token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member behind those that are there. Its name stands in errors and logs.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, credential: Arc<dyn TokenCredential>) -> Self {
        self.members.push(Member { name: name.into(), credential });
        self
    }

    /// The name of the member that gave the first token, and is asked for all others.
    #[must_use]
    pub fn selected(&self) -> Option<&str> {
        self.answering().map(|member| &*member.name)
    }

    fn answering(&self) -> Option<&Member> {
        self.members.get(*self.answered.get()?)
    }
}

/// What the members said that were asked. All of them together find room in an error's text.
#[derive(Default)]
struct Said<'a>(Vec<(&'a str, String)>);

impl<'a> Said<'a> {
    fn push(&mut self, member: &'a Member, error: &Error) {
        let line = complaint::line(error);
        // The name is told already, and a link for each would leave no room for the rest.
        let line = line.split_once(" authentication failed. ").map_or(&*line, |(_, said)| said);
        let line = line.split_once(" To troubleshoot, visit").map_or(line, |(said, _)| said);
        self.0.push((&member.name, line.to_owned()));
    }
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let room = complaint::LIMIT * 3 / 4 / self.0.len().max(1);
        let lines = self.0.iter().map(|(name, line)| format!("{name}: {}", complaint::bounded(line, room)));
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}

#[async_trait]
impl TokenCredential for ChainedTokenCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let (mut said, mut may_pass) = (Said::default(), false);
        let members = match self.answering() {
            Some(member) => std::slice::from_ref(member),
            None => &self.members[..],
        };
        for (place, member) in members.iter().enumerate() {
            let error = match member.credential.get_token(scopes, options.clone()).await {
                Ok(token) => {
                    if self.answered.set(place).is_ok() {
                        tracing::info!(credential = %member.name, "gives the tokens from now on");
                    }
                    return Ok(token);
                }
                Err(error) => error,
            };
            said.push(member, &error);
            may_pass |= complaint::may_pass(&error);
            if !is_unavailable(&error) {
                let error = Error::with_message(ErrorKind::Credential, said.to_string());
                return Err(passing(may_pass, error));
            }
        }
        let said = match said.0.is_empty() {
            true => "the chain of credentials has no members".to_owned(),
            false => format!("no credential is available here: {said}"),
        };
        Err(passing(may_pass, CredentialUnavailableError::new(said).into()))
    }
}

/// The error, from which it can be told whether it may pass by itself.
///
/// The errors of the members are not kept: they can hold an answer of Entra or the output of a tool.
fn passing(may_pass: bool, error: Error) -> Error {
    match may_pass {
        true => {
            let said = error.to_string();
            let cause = Error::with_error(ErrorKind::Io, error, said.clone());
            Error::with_error(ErrorKind::Credential, cause, said)
        }
        false => error,
    }
}

impl fmt::Debug for ChainedTokenCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A credential's `Debug` is its author's: it may show anything.
        let names: Vec<_> = self.members.iter().map(|member| &*member.name).collect();
        f.debug_struct("ChainedTokenCredential")
            .field("members", &names)
            .field("selected", &self.selected())
            .finish()
    }
}
