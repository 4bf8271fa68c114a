//! [`Refusal`]: every reason for which an audience is not built, and what to write instead.

use crate::{Error, ErrorKind};

/// Texts end without a full stop, name the value that was given and say what to write.
///
/// A URL is shown by its host or origin alone: what else it holds may be a secret that was pasted by mistake.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the {what} is empty")]
    Empty { what: &'static str },
    #[error("the {what} `{given}` has upper-case letters: write `{lower}`")]
    UpperCase { what: &'static str, given: String, lower: String },
    #[error("the {what} has {length} characters: it has 3 to 24")]
    Length { what: &'static str, length: usize },
    // What is not a name is not shown: it may be a URL with a password in it.
    #[error("the {what} is not a name: {rule}")]
    Letters { what: &'static str, rule: &'static str },

    #[error("the service URL is not a URL: write it as `https://host/`")]
    NotAUrl,
    #[error("the service URL holds a space, a control character or a backslash")]
    Characters,
    #[error("the service URL has the scheme `{given}`: write `https`")]
    Scheme { given: String },
    #[error(
        "the service URL for `{host}` starts with `http`, which would show the token to everybody on the way: write `https` (`http` is for loopback alone)"
    )]
    Plain { host: String },
    #[error("the service URL holds a user name or a password: leave it out, the token is what signs in")]
    UserInfo,
    #[error("the service URL has a query: leave it out, and give it with the request")]
    Query,
    #[error("the service URL has a fragment (`#`): leave it out")]
    Fragment,
    #[error("the host is not written the way it would be sent: write `{sent}`")]
    Spelling { sent: String },
    #[error("the host `{host}` ends in a dot: leave the dot out")]
    TrailingDot { host: String },
    #[error("the path of the service URL holds {what}: write the path plainly")]
    Path { what: &'static str },

    #[error("`{host}` has the port {port}: services on that domain have none, leave it out")]
    Port { host: String, port: u16 },
    #[error(
        "`{origin}` is given with a path: the {service} service has {paths}, and the path of a request is given with the request"
    )]
    BasePath { origin: String, service: &'static str, paths: &'static str },
    #[error("`{host}` is a {found} service: use {instead}")]
    OtherService { host: String, found: &'static str, instead: &'static str },
    #[error(
        "`{host}` is the domain of all services, and as an audience it is refused by each: write the address of yours, such as {example}"
    )]
    Domain { host: String, example: String },
    #[error("`{host}` is not the address of a {service} service: write {example}")]
    NotAService { host: String, service: &'static str, example: String },
    #[error("`{host}` is in the cloud {found}, and the builder was told {told}: leave out `.cloud(…)`")]
    OtherCloud { host: String, found: super::Cloud, told: super::Cloud },
    #[error("the URL ends in `/{found}` and the builder was told version {told}: leave one of the two out")]
    OtherVersion { found: super::DicomVersion, told: super::DicomVersion },

    #[error(
        "no audience is documented for the {service} service in the cloud {cloud}: give the one that its owner has set with `.resource(…)`"
    )]
    NoPreset { service: &'static str, cloud: super::Cloud },
    #[error("the resource ends in `/.default`, as a scope does: leave that out, it is added")]
    Scope,
    #[error(
        "the resource holds a character that a scope cannot hold (RFC 6749 section 3.3): a space, a quote, a backslash, a control character or one outside ASCII"
    )]
    ResourceCharacters,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::new(ErrorKind::Audience, refusal.to_string())
    }
}
