//! [`HealthcareClientBuilder`]: a client with settings other than the defaults.

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use azure_core::credentials::TokenCredential;
use http::{HeaderName, HeaderValue};

use super::{
    HealthcareClient,
    auth::Auth,
    config::Config,
    headers,
    pools::{ConfigureHttp, ConnectionPools, Location},
};
use crate::{Audience, Authenticator, Error, ErrorKind, HealthcareAuth, Result};

impl<A: Audience> HealthcareClient<A> {
    /// Returns a builder for a client that gets its tokens from `credential`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use azure_healthcare_auth::{ErrorKind, HealthcareClient};
    /// # use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
    /// let fhir = HealthcareClient::builder(audience, credential)
    ///     .configure_http(|http| http.user_agent("contoso-statistics/2.1"))
    ///     .idle_timeout(Duration::from_secs(5 * 60)) // some searches take minutes
    ///     .body_limit(4 * 1024)
    ///     .build()?;
    ///
    /// let error = fhir.get("Patient").query("_count", "1000").send().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TooLarge);
    /// # Ok(()) }
    /// ```
    pub fn builder(audience: A, credential: Arc<dyn TokenCredential>) -> HealthcareClientBuilder<A> {
        HealthcareClientBuilder::from(Authenticator::new(audience, credential))
    }

    /// Returns a builder for a client that gets its tokens from `auth`.
    ///
    /// `auth` is an [`Authenticator`], or an `Arc` of any [`HealthcareAuth`]. Pass an `Authenticator` by value:
    /// [`for_audience`](HealthcareClient::for_audience) fails for a client that was built from an `Arc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, HealthcareClient};
    /// # use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
    /// let auth = Authenticator::new(audience, credential.clone());
    /// let fhir = HealthcareClient::builder_from_auth(auth.clone()).body_limit(1024 * 1024).build()?;
    /// fhir.get("Patient").send().await?.error_for_status()?;
    /// assert!(auth.expires_on().is_some()); // the authenticator and the client share the token
    /// # Ok(()) }
    /// ```
    pub fn builder_from_auth(auth: impl Into<HealthcareClientBuilder<A>>) -> HealthcareClientBuilder<A> {
        auth.into()
    }
}

/// A builder for a [`HealthcareClient`].
///
/// Created by [`HealthcareClient::builder`] and [`HealthcareClient::builder_from_auth`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use azure_healthcare_auth::HealthcareClient;
/// # use azure_healthcare_auth_testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = FakeServer::start().await;
/// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
/// let fhir = HealthcareClient::builder(audience, credential)
///     .configure_http(|http| http.connect_timeout(Duration::from_secs(5)))
///     .default_header("prefer", "handling=strict")
///     .idle_timeout(Duration::from_secs(30))
///     .body_limit(16 * 1024 * 1024)
///     .build()?;
/// fhir.get("Patient").send().await?.error_for_status()?;
/// # Ok(()) }
/// ```
#[must_use = "a client is created by `build()`"]
pub struct HealthcareClientBuilder<A> {
    auth: Auth<A>,
    configure: Option<ConfigureHttp>,
    /// The settings so far, or the first error in a header.
    config: Result<Config>,
}

impl<A: Audience> HealthcareClientBuilder<A> {
    fn new(auth: Auth<A>) -> Self {
        Self { auth, configure: None, config: Ok(Config::default()) }
    }

    fn update(mut self, update: impl FnOnce(&mut Config) -> Result<()>) -> Self {
        if let Ok(config) = &mut self.config
            && let Err(error) = update(config)
        {
            self.config = Err(error);
        }
        self
    }

    /// Configures the underlying `reqwest` 0.13 client, for example its proxies, certificates and timeouts.
    ///
    /// `configure` receives a builder with this crate's defaults: a connect timeout of 20 s, and the user agent
    /// `azure_healthcare_auth/` followed by the crate's version. It returns that builder with your changes. The client
    /// then applies the settings that cannot be changed: it does not follow redirects, it does not log connections
    /// verbosely, and it uses no proxy for a service on this machine.
    ///
    /// The client keeps `configure` and calls it once for each connection pool that it creates: one for services on
    /// this machine, and one for all others. Calling this method again replaces `configure`.
    ///
    /// Avoid these settings of `reqwest`:
    ///
    /// * `default_headers`: use [`default_header`](Self::default_header), which checks the header.
    /// * `read_timeout`: use [`idle_timeout`](Self::idle_timeout), because `read_timeout` also limits the total time of
    ///   an upload.
    /// * `retry`: the client does not know about these retries, and [`Response::attempts`](crate::Response::attempts)
    ///   does not count them.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use azure_healthcare_auth::{FhirAudience, HealthcareClient};
    /// use azure_identity::ManagedIdentityCredential;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let audience = FhirAudience::workspace("contoso", "records").build()?;
    /// let proxy = reqwest::Proxy::https("http://proxy.contoso.example:3128")?;
    /// let certificate = reqwest::Certificate::from_pem(&std::fs::read("proxy.pem")?)?;
    /// let fhir = HealthcareClient::builder(audience, ManagedIdentityCredential::new(None)?)
    ///     .configure_http(move |http| http.proxy(proxy.clone()).tls_certs_merge([certificate.clone()]))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn configure_http(
        self,
        configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        Self { configure: Some(Arc::new(configure)), ..self }
    }

    /// Sets a header that is sent with every request, unless the request sets a header with the same name.
    ///
    /// A value that is marked [sensitive](HeaderValue::set_sensitive) stays sensitive. If the header is invalid or
    /// reserved for the client, as described at [`RequestBuilder::header`](crate::RequestBuilder::header),
    /// [`build`](Self::build) returns an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::HealthcareClient;
    /// # use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
    /// let fhir = HealthcareClient::builder(audience, credential)
    ///     .default_header("x-ms-azurefhir-audit-site", "ward-7")
    ///     .build()?;
    /// fhir.get("Patient").send().await?.error_for_status()?;
    /// # Ok(()) }
    /// ```
    pub fn default_header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.update(|config| {
            let (name, value) = headers::parse(name, value)
                .map_err(|message| Error::new(ErrorKind::Request, format!("default header: {message}")))?;
            config.default_headers.insert(name, value);
            Ok(())
        })
    }

    /// Sets the maximum size, in bytes, of a response body that [`send`](crate::RequestBuilder::send) buffers. Default:
    /// 64 MiB.
    ///
    /// A longer body is an error of kind [`TooLarge`](ErrorKind::TooLarge). Use
    /// [`stream`](crate::RequestBuilder::stream) to read a body without a limit.
    pub fn body_limit(self, bytes: usize) -> Self {
        self.update(|config| {
            config.body_limit = bytes;
            Ok(())
        })
    }

    /// Sets how long a request may go without progress. Default: 60 s.
    ///
    /// The timeout applies to the wait for the response headers, and to the time between two chunks of a request or
    /// response body. It does not limit the total time of a download, or of an upload with
    /// [`Body::stream`](crate::Body::stream). A request body from memory has to be sent completely within the timeout.
    /// The timeout is paused while the caller is not reading a [streamed](crate::RequestBuilder::stream) response. When
    /// it expires, the request or the read fails with [`ErrorKind::Timeout`].
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.update(|config| {
            config.idle_timeout = timeout;
            Ok(())
        })
    }

    /// Creates the client.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Request`] if a default header is invalid or reserved for the client, or if `reqwest`
    /// rejects the settings of [`configure_http`](Self::configure_http).
    pub fn build(self) -> Result<HealthcareClient<A>> {
        let mut config = self.config?;
        if let Some(configure) = self.configure {
            config.pools = ConnectionPools::new(configure);
            config.pools.client(Location::of(self.auth.audience().endpoint()))?;
        }
        Ok(HealthcareClient::with_config(self.auth, Arc::new(config)))
    }
}

/// See [`HealthcareClient::builder_from_auth`].
impl<A: Audience> From<Authenticator<A>> for HealthcareClientBuilder<A> {
    fn from(authenticator: Authenticator<A>) -> Self {
        Self::new(Auth::Authenticator(authenticator))
    }
}

/// See [`HealthcareClient::builder_from_auth`].
impl<A: Audience> From<Arc<dyn HealthcareAuth<Audience = A>>> for HealthcareClientBuilder<A> {
    fn from(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self {
        Self::new(Auth::Custom(auth))
    }
}

/// See [`HealthcareClient::builder_from_auth`].
impl<T: HealthcareAuth + 'static> From<Arc<T>> for HealthcareClientBuilder<T::Audience> {
    fn from(auth: Arc<T>) -> Self {
        Self::new(Auth::Custom(auth))
    }
}

impl<A: Audience> fmt::Debug for HealthcareClientBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("HealthcareClientBuilder");
        debug.field("audience", self.auth.audience());
        // Header values may be secrets.
        match &self.config {
            Ok(config) => {
                debug.field("body_limit", &config.body_limit).field("idle_timeout", &config.idle_timeout)
            }
            Err(error) => debug.field("error", error),
        };
        debug.finish_non_exhaustive()
    }
}
