//! [`ForceRefresh`]: the marker of a forced refresh.

use azure_core::credentials::TokenRequestOptions;

/// The marker of a token request that follows a 401, because the service rejected the previous token.
///
/// The marker is in the context of the [`TokenRequestOptions`]. A credential that caches tokens should get a new one.
/// A credential that cannot do so may ignore the marker; the caller then receives the 401.
///
/// # Examples
///
/// ```
/// use azure_core::credentials::TokenRequestOptions;
/// use azure_healthcare_auth::credentials::ForceRefresh;
///
/// /// Decides in `get_token` of a credential that caches its tokens in a file.
/// fn may_use_cache(options: Option<&TokenRequestOptions<'_>>) -> bool {
///     !ForceRefresh::is_in(options)
/// }
/// assert!(may_use_cache(None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ForceRefresh;

impl ForceRefresh {
    /// Returns `true` if the options of a token request contain the marker.
    #[must_use]
    pub fn is_in(options: Option<&TokenRequestOptions<'_>>) -> bool {
        options.is_some_and(|options| options.method_options.context.value::<Self>().is_some())
    }
}
