//! [`InvalidAudience`]: the errors of the audience builders.

use super::{cloud::Cloud, service_kind::ServiceKind, version::DicomVersion};
use crate::{Error, ErrorKind};

/// A setting of an audience, which is also the name of a field in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Endpoint,
    Workspace,
    Service,
    Account,
    #[cfg(feature = "serde")]
    Cloud,
    #[cfg(feature = "serde")]
    Version,
    Resource,
}

impl Field {
    #[cfg(feature = "serde")]
    const ALL: [Self; 7] = [
        Self::Endpoint,
        Self::Workspace,
        Self::Service,
        Self::Account,
        Self::Cloud,
        Self::Version,
        Self::Resource,
    ];

    /// Returns the name of the field in a configuration.
    #[cfg(feature = "serde")]
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Workspace => "workspace",
            Self::Service => "service",
            Self::Account => "account",
            Self::Cloud => "cloud",
            Self::Version => "version",
            Self::Resource => "resource",
        }
    }

    #[cfg(feature = "serde")]
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }

    /// Returns the noun for error messages.
    fn noun(self) -> &'static str {
        match self {
            Self::Endpoint => "service URL",
            Self::Workspace => "workspace name",
            Self::Service => "service name",
            Self::Account => "account name",
            #[cfg(feature = "serde")]
            Self::Cloud => "cloud",
            #[cfg(feature = "serde")]
            Self::Version => "version",
            Self::Resource => "resource",
        }
    }
}

/// The reason why an audience cannot be built.
///
/// A message shows at most the host or origin of a URL, because the rest may be a secret that was pasted by mistake.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAudience {
    #[error("the {} is empty", .0.noun())]
    Empty(Field),
    #[error("the {} `{given}` has upper-case letters: write `{lower}`", .field.noun())]
    UpperCase { field: Field, given: String, lower: String },
    #[error("the {} has {length} characters: it must have 3 to 24", .field.noun())]
    Length { field: Field, length: usize },
    // The name is not shown, because it may be a URL with a password.
    #[error("the {} is not valid: {rule}", .field.noun())]
    Letters { field: Field, rule: &'static str },

    #[error("the service URL is not a URL: write it as `https://host/`")]
    NotAUrl,
    #[error("the service URL contains a space, a control character or a backslash")]
    Characters,
    #[error("the service URL has the scheme `{given}`: write `https`")]
    Scheme { given: String },
    #[error(
        "the service URL for `{host}` starts with `http`, which would send the token unencrypted: write `https` (`http` is for loopback only)"
    )]
    PlainHttp { host: String },
    #[error(
        "the service URL contains a user name or a password: remove it, the token authenticates requests"
    )]
    UserInfo,
    #[error("the service URL has a query: remove it and set the query on the request")]
    Query,
    #[error("the service URL has a fragment (`#`): remove it")]
    Fragment,
    #[error("the host is not written as it would be sent: write `{sent}`")]
    Spelling { sent: String },
    #[error("the host `{host}` ends in a dot: remove the dot")]
    TrailingDot { host: String },
    #[error("the path of the service URL contains {what}: write the path without it")]
    Path { what: &'static str },

    #[error("`{host}` has the port {port}: remove it, services on that domain use the standard port")]
    Port { host: String, port: u16 },
    #[error(
        "the service URL for `{origin}` has a path: the {} service has {paths}, and the path of a request is set on the request",
        .service.label()
    )]
    BasePath { origin: String, service: ServiceKind, paths: &'static str },
    #[error("`{host}` is a {} service: use {instead}", .found.label())]
    OtherService { host: String, found: ServiceKind, instead: &'static str },
    #[error(
        "`{host}` is the domain of all services, which reject tokens for it: write the endpoint of your service, such as {example}"
    )]
    Domain { host: String, example: String },
    #[error("`{host}` is not the host of a {} service: write {example}", .service.label())]
    NotAService { host: String, service: ServiceKind, example: String },
    #[error("`{host}` is in the cloud {found}, and the cloud is set to {set}: remove the cloud")]
    OtherCloud { host: String, found: Cloud, set: Cloud },
    #[error("the service URL ends in `/{found}`, and the version is set to {set}: remove one of the two")]
    OtherVersion { found: DicomVersion, set: DicomVersion },

    #[error(
        "no resource is documented for the {} service in the cloud {cloud}: set the resource that the owner of the service has configured",
        .service.label()
    )]
    NoPreset { service: ServiceKind, cloud: Cloud },
    #[error("the resource ends in `/.default`, which makes it a scope: remove it, the crate adds it")]
    Scope,
    #[error(
        "the resource contains a character that a scope cannot contain (RFC 6749 section 3.3): a space, a quote, a backslash, a control character or a character outside ASCII"
    )]
    ResourceCharacters,
}

impl InvalidAudience {
    /// Returns the setting that has to change.
    #[cfg(feature = "serde")]
    pub(super) fn field(&self) -> Field {
        match *self {
            Self::Empty(field)
            | Self::UpperCase { field, .. }
            | Self::Length { field, .. }
            | Self::Letters { field, .. } => field,
            Self::OtherCloud { .. } => Field::Cloud,
            Self::OtherVersion { .. } => Field::Version,
            Self::NoPreset { .. } | Self::Scope | Self::ResourceCharacters => Field::Resource,
            _ => Field::Endpoint,
        }
    }
}

impl From<InvalidAudience> for Error {
    fn from(invalid: InvalidAudience) -> Self {
        Error::new(ErrorKind::Audience, invalid.to_string())
    }
}
