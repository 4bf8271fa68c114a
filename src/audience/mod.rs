//! Endpoints and resources of the services: [`FhirAudience`] and [`DicomAudience`].

mod boundary;
pub(crate) mod cloud;
#[cfg(feature = "serde")]
mod config;
mod dicom;
mod endpoint;
mod fhir;
pub(crate) mod host;
mod invalid;
pub(crate) mod service_kind;
mod version;

use std::fmt;

use url::Url;

use crate::Result;

pub(crate) use boundary::check_host;
#[cfg(any(feature = "client", feature = "reqwest-middleware", feature = "tower"))]
pub(crate) use boundary::check_method;
#[cfg(feature = "tower")]
pub(crate) use boundary::check_uri;
pub use cloud::Cloud;
pub use dicom::{DicomAudience, DicomAudienceBuilder};
pub use fhir::{FhirAudience, FhirAudienceBuilder};
pub use service_kind::ServiceKind;
pub use version::DicomVersion;

mod sealed {
    pub trait Sealed {
        fn target(&self) -> &super::endpoint::Target;
    }
}

/// The endpoint of a service and the resource that its tokens are for.
///
/// Only [`FhirAudience`] and [`DicomAudience`] implement this trait. They are different types, so that a client for one
/// service cannot be used for the other. Generic code takes `A: Audience`. Both types also have these methods as
/// inherent methods.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Audience, DicomAudience, FhirAudience, Result};
///
/// fn describe(audience: &impl Audience) -> String {
///     format!("{} at {} needs {}", audience.service(), audience.endpoint(), audience.scope())
/// }
///
/// # fn main() -> Result<()> {
/// assert_eq!(
///     describe(&FhirAudience::workspace("contoso", "records").build()?),
///     "fhir at https://contoso-records.fhir.azurehealthcareapis.com/ \
///      needs https://contoso-records.fhir.azurehealthcareapis.com/.default",
/// );
/// let imaging = DicomAudience::workspace("contoso", "imaging").build()?;
/// assert_eq!(
///     describe(&imaging),
///     "dicom at https://contoso-imaging.dicom.azurehealthcareapis.com/v2/ \
///      needs https://dicom.healthcareapis.azure.com/.default",
/// );
/// // For `az account get-access-token --resource`:
/// assert_eq!(imaging.resource(), "https://dicom.healthcareapis.azure.com");
/// # Ok(()) }
/// ```
pub trait Audience: sealed::Sealed + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Returns the kind of the service.
    #[must_use]
    fn service(&self) -> ServiceKind;

    /// Returns the base URL of the service. It ends in `/`, and every request goes to a URL below it.
    #[must_use]
    fn endpoint(&self) -> &Url {
        self.target().endpoint()
    }

    /// Returns the resource that tokens are for. It is the value of the `aud` claim.
    ///
    /// Pass it to `az account get-access-token --resource` or to `Get-AzAccessToken -ResourceUrl`.
    #[must_use]
    fn resource(&self) -> &str {
        self.target().resource()
    }

    /// Returns the scope to request at the v2 token endpoint of Microsoft Entra: the resource followed by `/.default`.
    #[must_use]
    fn scope(&self) -> &str {
        self.target().scope()
    }

    /// Resolves a path below the endpoint, or checks an absolute URL, and returns the URL.
    ///
    /// `/Patient` and `Patient` are the same path. `?` starts the query, so validate an id from user input before you
    /// put it into a path.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed) if the URL is outside the audience or if a
    /// server could interpret it as outside: another origin, a path outside the base path, a dot segment (`.` or `..`,
    /// encoded or not), `//host`, a backslash, a control character, user info, a fragment, or an encoded slash,
    /// backslash, `?`, `#`, percent sign or control character in the path.
    ///
    /// # Examples
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, Result};
    /// # fn main() -> Result<()> {
    /// let audience = FhirAudience::from_endpoint("https://fhir.contoso.example/r4").build()?;
    /// assert_eq!(audience.url("/Patient?_count=10")?.as_str(), "https://fhir.contoso.example/r4/Patient?_count=10");
    /// assert!(audience.url("../admin").is_err());
    /// assert!(audience.url("https://fhir.contoso.example/r40/Patient").is_err());
    /// # Ok(()) }
    /// ```
    fn url(&self, path: &str) -> Result<Url> {
        boundary::resolve(self.endpoint(), path)
    }

    /// Checks that a request to `url` may carry the token: the URL has the endpoint's origin and is below its base
    /// path.
    ///
    /// Every part of this crate that attaches a token performs this check first.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`url`](Audience::url). The message contains no part of the URL except its origin.
    ///
    /// # Examples
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, Result};
    /// # fn main() -> Result<()> {
    /// let audience = FhirAudience::workspace("contoso", "records").build()?;
    /// // A `next` link comes from a response body, so check it.
    /// let next = "https://contoso-records.fhir.azurehealthcareapis.com/Patient?ct=W3sidG9r".parse().unwrap();
    /// assert!(audience.check_url(&next).is_ok());
    /// let other_host = "https://contoso-records.example/Patient?ct=W3sidG9r".parse().unwrap();
    /// assert!(audience.check_url(&other_host).is_err());
    /// # Ok(()) }
    /// ```
    fn check_url(&self, url: &Url) -> Result<()> {
        boundary::check_url(self.endpoint(), url)
    }
}

/// Implements what both audiences share: the methods of [`Audience`] as inherent methods, and the text conversions.
macro_rules! audience {
    ($audience:ident, $name:literal, $kind:ident) => {
        impl super::Audience for $audience {
            fn service(&self) -> crate::ServiceKind {
                crate::ServiceKind::$kind
            }
        }

        impl $audience {
            /// Returns the kind of the service.
            #[must_use]
            pub fn service(&self) -> crate::ServiceKind {
                super::Audience::service(self)
            }

            /// Returns the base URL of the service, which ends in `/`.
            #[must_use]
            pub fn endpoint(&self) -> &url::Url {
                super::Audience::endpoint(self)
            }

            /// Returns the resource that tokens are for.
            #[must_use]
            pub fn resource(&self) -> &str {
                super::Audience::resource(self)
            }

            /// Returns the scope that tokens are requested for: the resource followed by `/.default`.
            #[must_use]
            pub fn scope(&self) -> &str {
                super::Audience::scope(self)
            }

            /// Resolves a path below the endpoint, or checks an absolute URL, and returns the URL. See
            /// [`Audience::url`].
            ///
            /// [`Audience::url`]: crate::Audience::url
            ///
            /// # Errors
            ///
            /// Returns [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed) if the URL is outside the
            /// audience.
            pub fn url(&self, path: &str) -> crate::Result<url::Url> {
                super::Audience::url(self, path)
            }

            /// Checks that a request to `url` may carry the token. See [`Audience::check_url`].
            ///
            /// [`Audience::check_url`]: crate::Audience::check_url
            ///
            /// # Errors
            ///
            /// Returns [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed) if the URL is outside the
            /// audience.
            pub fn check_url(&self, url: &url::Url) -> crate::Result<()> {
                super::Audience::check_url(self, url)
            }
        }

        /// Equivalent to [`from_endpoint`](Self::from_endpoint) and `build`.
        impl std::str::FromStr for $audience {
            type Err = crate::Error;

            fn from_str(url: &str) -> crate::Result<Self> {
                Self::from_endpoint(url).build()
            }
        }

        /// Equivalent to [`from_endpoint`](Self::from_endpoint) and `build`.
        impl TryFrom<url::Url> for $audience {
            type Error = crate::Error;

            fn try_from(url: url::Url) -> crate::Result<Self> {
                Self::from_endpoint(url).build()
            }
        }

        /// Writes the base URL.
        impl std::fmt::Display for $audience {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.endpoint().fmt(f)
            }
        }

        impl std::fmt::Debug for $audience {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct($name)
                    .field("endpoint", &self.endpoint().as_str())
                    .field("resource", &self.resource())
                    .finish()
            }
        }
    };
}
use audience;
