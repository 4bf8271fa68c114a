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
    peer::{Peer, text},
    world::World,
};

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";

#[derive(Clone)]
pub struct AzureCore {
    policy: BearerTokenAuthorizationPolicy,
    /// What follows the policy: an end that answers at once, and one that asks the service.
    end: [Arc<dyn Policy>; 1],
    service: [Arc<dyn Policy>; 1],
}

impl Peer for AzureCore {
    const NAME: &str = "azure_core";
    const LIFE_OF_A_DUE_TOKEN: Duration = Duration::from_secs(240);
    const TIME_UNTIL_DUE: Duration = Duration::ZERO;
    type Request = Request;
    type Authorized = AsyncRawResponse;

    fn new(world: &Arc<World>) -> Self {
        let policy = BearerTokenAuthorizationPolicy::new(world.clone(), [SCOPE]);
        Self {
            policy: policy.with_on_challenge(Arc::new(AskAgain)),
            end: [Arc::new(End)],
            service: [Arc::new(Service(world.clone()))],
        }
    }

    fn request() -> Request {
        let url = "https://contoso-records.fhir.azurehealthcareapis.com/Patient";
        Request::new(Url::parse(url).expect("a URL"), Method::Get)
    }

    async fn authorize(&self, request: &mut Request) -> Result<AsyncRawResponse, String> {
        self.policy.send(&Context::new(), request, &self.end).await.map_err(text)
    }

    async fn send(&self, _: &World) -> Option<Result<(), String>> {
        let sent = self.policy.send(&Context::new(), &mut Self::request(), &self.service).await;
        Some(match sent {
            Ok(response) if response.status() == StatusCode::Ok => Ok(()),
            Ok(_) => Err("401 twice".to_owned()),
            Err(error) => Err(text(error)),
        })
    }
}

/// Asks for a token once more, as there is nothing else in the challenge to follow.
#[derive(Debug)]
struct AskAgain;

#[async_trait]
impl OnChallenge for AskAgain {
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
struct End;

#[async_trait]
impl Policy for End {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), Bytes::new()))
    }
}

struct Service(Arc<World>);

#[async_trait]
impl Policy for Service {
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

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}
