//! [`ChainedTokenCredential`]: the first available credential of several.

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

use super::{
    azure_identity_errors::{is_unavailable, without_boilerplate},
    to_error::redacted_message,
    unavailable_error::CredentialUnavailableError,
};
use crate::{
    error::transient::is_transient,
    redact::{MAX_MESSAGE_LEN, truncate},
};

/// A credential that tries its members in order until one returns a token, and then uses only that member.
///
/// The chain continues after a credential that is *unavailable*: nothing is installed, configured or signed in that it
/// could use. It stops at any other error, such as a wrong secret, an unknown tenant or a failed connection to
/// Microsoft Entra, because the next credential could be an identity other than the intended one. The errors
/// of `azure_identity` are recognized by their messages. Your own credentials return a [`CredentialUnavailableError`] if
/// they are unavailable.
///
/// A member that does not respond delays those after it: the token timeout covers all of them together.
///
/// # Errors
///
/// The error lists each member that was tried, with its name and its message, in which words that may be secrets are
/// redacted. If no member is available, it is itself a [`CredentialUnavailableError`], so that a chain can be a member
/// of another chain.
///
/// # Examples
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
/// assert_eq!(chain.selected(), None); // no token was requested yet
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct ChainedTokenCredential {
    members: Vec<Member>,
    selected: OnceLock<usize>,
}

struct Member {
    name: Cow<'static, str>,
    credential: Arc<dyn TokenCredential>,
}

impl ChainedTokenCredential {
    /// Creates an empty chain. It returns an error for every token request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member at the end. `name` appears in errors and logs.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, credential: Arc<dyn TokenCredential>) -> Self {
        self.members.push(Member { name: name.into(), credential });
        self
    }

    /// Returns the name of the member that the chain uses, or `None` until a member has returned a token.
    #[must_use]
    pub fn selected(&self) -> Option<&str> {
        self.selected_member().map(|member| &*member.name)
    }

    fn selected_member(&self) -> Option<&Member> {
        self.members.get(*self.selected.get()?)
    }
}

/// The names and redacted messages of the members that failed.
#[derive(Default)]
struct Failures<'a>(Vec<(&'a str, String)>);

impl<'a> Failures<'a> {
    fn push(&mut self, member: &'a Member, error: &Error) {
        // The error already names the member, and a troubleshooting link for each member would leave no room for the
        // reasons.
        let message = without_boilerplate(&redacted_message(error));
        self.0.push((&member.name, message));
    }
}

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Three quarters of `MAX_MESSAGE_LEN`, divided among the members. The rest is for their names.
        let max_len = MAX_MESSAGE_LEN * 3 / 4 / self.0.len().max(1);
        let failures = self.0.iter().map(|(name, message)| format!("{name}: {}", truncate(message, max_len)));
        f.write_str(&failures.collect::<Vec<_>>().join("; "))
    }
}

#[async_trait]
impl TokenCredential for ChainedTokenCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let (mut failures, mut transient) = (Failures::default(), false);
        let selected = self.selected_member();
        let members = selected.map_or(&self.members[..], std::slice::from_ref);
        for (index, member) in members.iter().enumerate() {
            let error = match member.credential.get_token(scopes, options.clone()).await {
                Ok(token) => {
                    if self.selected.set(index).is_ok() {
                        tracing::info!(credential = %member.name, "credential selected");
                    }
                    return Ok(token);
                }
                Err(error) => error,
            };
            failures.push(member, &error);
            transient |= is_transient(&error);
            if !is_unavailable(&error) {
                let error = Error::with_message(ErrorKind::Credential, failures.to_string());
                return Err(set_transient(error, transient));
            }
        }
        let message = if failures.0.is_empty() {
            "the credential chain is empty (add a credential to it)".to_owned()
        } else if selected.is_some() {
            format!("the selected credential is no longer available: {failures}")
        } else {
            format!("no credential of the chain is available: {failures}")
        };
        Err(set_transient(CredentialUnavailableError::new(message).into(), transient))
    }
}

/// Marks `error` as transient if `transient` is `true`: adds an error of kind [`Io`](ErrorKind::Io) to its chain and
/// keeps the kind [`Credential`](ErrorKind::Credential) on the outside.
///
/// The errors of the members are not kept as sources, because they may contain a response from Entra or a tool's output.
fn set_transient(error: Error, transient: bool) -> Error {
    if !transient {
        return error;
    }
    let message = error.to_string();
    let source = Error::with_error(ErrorKind::Io, error, message.clone());
    Error::with_error(ErrorKind::Credential, source, message)
}

impl fmt::Debug for ChainedTokenCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the names are shown, because the `Debug` output of another crate's credential may contain secrets.
        let names: Vec<_> = self.members.iter().map(|member| &*member.name).collect();
        f.debug_struct("ChainedTokenCredential")
            .field("members", &names)
            .field("selected", &self.selected())
            .finish()
    }
}
