use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    Bytes,
    credentials::TokenRequestOptions,
    http::{
        AsyncRawResponse, Context, Method, Request, StatusCode, Url,
        headers::{AUTHORIZATION, Headers, WWW_AUTHENTICATE},
        policies::{
            Policy, PolicyResult,
            auth::{Authorizer, BearerTokenAuthorizationPolicy, OnChallenge},
        },
    },
};

use crate::{
    issuer::Issuer,
    peer::{Peer, to_string},
};

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";

#[derive(Clone)]
pub struct AzureCore {
    policy: BearerTokenAuthorizationPolicy,
    /// The last policy of a cached hit, which responds at once.
    ok: [Arc<dyn Policy>; 1],
    /// The last policy of a whole request, which calls the service.
    service: [Arc<dyn Policy>; 1],
}

impl Peer for AzureCore {
    const NAME: &str = "azure_core";
    const LIFETIME_OF_DUE_TOKEN: Duration = Duration::from_secs(240);
    const TIME_UNTIL_DUE: Duration = Duration::ZERO;
    type Request = Request;
    type Authorized = AsyncRawResponse;

    fn new(issuer: &Arc<Issuer>) -> Self {
        let policy = BearerTokenAuthorizationPolicy::new(issuer.clone(), [SCOPE]);
        Self {
            policy: policy.with_on_challenge(Arc::new(RequestTokenAgain)),
            ok: [Arc::new(OkPolicy)],
            service: [Arc::new(ServicePolicy(issuer.clone()))],
        }
    }

    fn request() -> Request {
        let url = "https://contoso-records.fhir.azurehealthcareapis.com/Patient";
        Request::new(Url::parse(url).expect("the URL is valid"), Method::Get)
    }

    async fn authorize(&self, request: &mut Request) -> Result<AsyncRawResponse, String> {
        self.policy.send(&Context::new(), request, &self.ok).await.map_err(to_string)
    }

    async fn send(&self, _: &Issuer) -> Option<Result<(), String>> {
        let sent = self.policy.send(&Context::new(), &mut Self::request(), &self.service).await;
        Some(match sent {
            Ok(response) if response.status() == StatusCode::Ok => Ok(()),
            Ok(_) => Err("401 twice".to_owned()),
            Err(error) => Err(to_string(error)),
        })
    }
}

/// Requests a token again after a 401. The challenge contains no other instructions.
#[derive(Debug)]
struct RequestTokenAgain;

#[async_trait]
impl OnChallenge for RequestTokenAgain {
    async fn on_challenge(
        &self,
        _: &Context,
        request: &mut Request,
        authorizer: &dyn Authorizer,
        _: &Headers,
    ) -> azure_core::Result<()> {
        authorizer.authorize(request, &[SCOPE], TokenRequestOptions::default()).await
    }
}

#[derive(Debug)]
struct OkPolicy;

#[async_trait]
impl Policy for OkPolicy {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), Bytes::new()))
    }
}

struct ServicePolicy(Arc<Issuer>);

#[async_trait]
impl Policy for ServicePolicy {
    async fn send(&self, _: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let mut headers = Headers::new();
        let status = if self.0.serve(request.headers().get_str(&AUTHORIZATION)?).await {
            StatusCode::Ok
        } else {
            headers.insert(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"");
            StatusCode::Unauthorized
        };
        Ok(AsyncRawResponse::from_bytes(status, headers, Bytes::new()))
    }
}

impl fmt::Debug for ServicePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServicePolicy")
    }
}
