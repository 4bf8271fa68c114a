//! [`router`]: the paths of the token endpoint.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::json;

use super::{json::json_response, service::TokenService};

pub(super) fn router(service: Arc<TokenService>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token).fallback(wrong_method))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .route("/common/discovery/instance", get(instance))
        .fallback(unsupported)
        .method_not_allowed_fallback(unsupported)
        .with_state(service)
}

type Service = State<Arc<TokenService>>;

async fn token(
    State(service): Service,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    service.respond(&tenant, &headers, &body)
}

async fn wrong_method(
    State(service): Service,
    Path(tenant): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    service.wrong_method(&method, &tenant, &headers)
}

/// Returns the OpenID configuration of the tenant (Microsoft identity platform documentation `v2-protocols-oidc.md`).
async fn configuration(State(service): Service, Path(tenant): Path<String>, headers: HeaderMap) -> Response {
    if let Some(response) = service.wrong_tenant(&tenant, &headers) {
        return response;
    }
    let registration = &service.registration;
    let base = format!("{}/{}", registration.authority, registration.tenant);
    let body = json!({
        "issuer": registration.issuer(),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": registration.token_url(),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    json_response(StatusCode::OK, &body)
}

/// Returns no keys, because the tokens are not signed.
async fn keys() -> Response {
    json_response(StatusCode::OK, &json!({ "keys": [] }))
}

/// Returns the hosts of the cloud, which clients of the MSAL libraries request first.
async fn instance(State(service): Service) -> Response {
    let registration = &service.registration;
    let host = registration.authority.trim_start_matches("https://");
    let configuration = format!("{}/.well-known/openid-configuration", registration.issuer());
    let body = json!({
        "tenant_discovery_endpoint": configuration,
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    });
    json_response(StatusCode::OK, &body)
}

async fn unsupported(method: Method, uri: Uri) -> Response {
    let description = format!("the fake token endpoint does not support {method} {}", uri.path());
    let body = json!({ "error": "not_implemented", "error_description": description });
    json_response(StatusCode::NOT_IMPLEMENTED, &body)
}
