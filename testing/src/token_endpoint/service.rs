//! [`TokenService`]: responds to token requests.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::{
    failure::{Context, Failure},
    form::Form,
    grant::{Grant, check_tenant},
    injected::{InjectedError, InjectedErrors},
    json::json_response,
    received::ReceivedTokenRequest,
    registration::Registration,
    scope::Scopes,
};
use crate::{
    clock::{Clock, MAX_TIME},
    guid::is_guid,
    token::NewToken,
};

/// The page of an injected status. Only errors with an AADSTS code have a JSON body.
const STATUS_PAGE: &str = "<!DOCTYPE html><title>Error</title><p>This status was injected by a test.</p>";

pub(super) struct TokenService {
    pub(super) registration: Registration,
    pub(super) roles: Vec<String>,
    pub(super) lifetime: Duration,
    pub(super) clock: Clock,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) errors: InjectedErrors,
    pub(super) requests: Vec<ReceivedTokenRequest>,
    /// The number of responses with a trace id.
    traces: u64,
}

impl TokenService {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another thread cannot leave the state inconsistent, because every change is one push or removal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Responds to a token request and records it.
    pub(super) fn respond(&self, tenant: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let form = Form::read(headers, body);
        // Read the clock before locking, because a test's clock may call a method of the endpoint.
        let now = self.clock.unix();
        let injected = self.state().errors.take();
        let (response, error_code) = match injected {
            Some(InjectedError::Status(status, wait)) => (status_response(status, wait), None),
            Some(InjectedError::Code(code)) => {
                (self.failure(&Failure::new(code), tenant, headers, &form, now), Some(code))
            }
            None => match Grant::check(&self.registration, tenant, &form, now) {
                Ok(grant) => (self.token(&grant, now), None),
                Err(failure) => (self.failure(&failure, tenant, headers, &form, now), Some(failure.code)),
            },
        };
        self.state().requests.push(ReceivedTokenRequest {
            tenant: tenant.to_owned(),
            form,
            headers: headers.clone(),
            status: response.status(),
            error_code,
        });
        response
    }

    /// Returns the error for another tenant, for requests without parameters.
    pub(super) fn wrong_tenant(&self, tenant: &str, headers: &HeaderMap) -> Option<Response> {
        let failure = check_tenant(&self.registration, tenant).err()?;
        Some(self.failure(&failure, tenant, headers, &Form::default(), self.clock.unix()))
    }

    /// Returns the error for a method other than `POST`.
    pub(super) fn wrong_method(&self, method: &http::Method, tenant: &str, headers: &HeaderMap) -> Response {
        let failure = Failure::named(900_561, method.as_str());
        self.failure(&failure, tenant, headers, &Form::default(), self.clock.unix())
    }

    /// Returns a token (Microsoft identity platform documentation `v2-oauth2-client-creds-grant-flow.md` and
    /// `v2-oauth2-on-behalf-of-flow.md`).
    fn token(&self, grant: &Grant, now: u64) -> Response {
        let expires_on = self.expiry(now);
        let user_scopes = grant.user_scopes.as_deref();
        let token = NewToken {
            audience: &grant.resource,
            tenant: &self.registration.tenant,
            app: &self.registration.client,
            user_scopes,
            roles: &self.roles,
            issued_at: now,
            expires_on,
        };
        let expires_in = expires_on.saturating_sub(now);
        let mut body = json!({
            "token_type": "Bearer",
            "expires_in": expires_in,
            "ext_expires_in": expires_in,
            "access_token": token.issue(),
        });
        if let (Some(body), Some(permissions)) = (body.as_object_mut(), user_scopes) {
            let scopes = permissions.split(' ').map(|permission| format!("{}/{permission}", grant.resource));
            body.insert("scope".to_owned(), json!(scopes.collect::<Vec<_>>().join(" ")));
        }
        json_response(StatusCode::OK, &body)
    }

    /// Returns the expiry of a token that is issued at `now`, in seconds since the Unix epoch.
    pub(super) fn expiry(&self, now: u64) -> u64 {
        now.saturating_add(self.lifetime.as_secs()).min(MAX_TIME)
    }

    fn failure(
        &self,
        failure: &Failure,
        tenant: &str,
        headers: &HeaderMap,
        form: &Form,
        now: u64,
    ) -> Response {
        let trace = {
            let mut state = self.state();
            state.traces += 1;
            format!("00000000-0000-4000-8000-{:012x}", state.traces)
        };
        let given = headers.get("client-request-id").and_then(|id| id.to_str().ok());
        let scope = form.get("scope").unwrap_or_default();
        failure.response(&Context {
            client: form.get("client_id").unwrap_or_default(),
            tenant,
            resource: Scopes::parse(scope).map_or(scope, |scopes| scopes.resource),
            scope,
            correlation: given.filter(|id| is_guid(id)).unwrap_or(&trace),
            trace: trace.clone(),
            now,
        })
    }
}

fn status_response(status: StatusCode, wait: Option<Duration>) -> Response {
    let mut response =
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], STATUS_PAGE).into_response();
    if let Some(wait) = wait {
        // Only whole seconds are possible (RFC 9110 §10.2.3).
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
