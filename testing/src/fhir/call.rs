//! [`Call`]: a request to the FHIR service with everything that a handler needs.

use std::{borrow::Cow, future::Ready, sync::Arc};

use axum::{
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    response::Response,
};
use azure_core::time::OffsetDateTime;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, header};
use http_body_util::BodyExt;
use url::form_urlencoded;

use super::{format, interaction, outcome::Outcome, service::FhirService, types::is_resource_type};
use crate::context::{Caller, RequestId};

/// A handler of the FHIR service.
pub(crate) type Handle = fn(&Call) -> Result<Response, Outcome>;

/// A request whose body is complete and whose token was accepted.
pub(crate) struct Call {
    pub(crate) service: Arc<FhirService>,
    /// The time of the request. A handler must not read the clock while it holds a lock, because a test's clock may call
    /// a method of the fake server.
    now: OffsetDateTime,
    /// The id of the request.
    pub(crate) id: String,
    pub(crate) roles: Vec<String>,
    pub(crate) method: Method,
    /// The path as it arrived, without a trailing slash.
    pub(crate) path: String,
    /// The query as it arrived, without the question mark.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The id that a transaction has assigned to the resource of this request.
    pub(crate) assigned_id: Option<String>,
    /// The decoded parameters of the path, or `None` if they are not UTF-8.
    params: Option<Vec<(String, String)>>,
}

/// Assigns an id to the resource that a request creates, as a request extension.
#[derive(Clone)]
pub(crate) struct AssignedId(pub(crate) String);

impl FromRequest<Arc<FhirService>> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, service: &Arc<FhirService>) -> Result<Self, Self::Rejection> {
        let (mut head, body) = request.into_parts();
        let params = RawPathParams::from_request_parts(&mut head, service).await;
        let params = params
            .map(|params| params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        Ok(Self {
            service: service.clone(),
            now: service.now(),
            id: head.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            roles: head.extensions.remove::<Caller>().unwrap_or_default().roles,
            assigned_id: head.extensions.remove::<AssignedId>().map(|id| id.0),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            method: head.method,
            headers: head.headers,
            // The body is complete in memory.
            body: body.collect().await.map(|body| body.to_bytes()).unwrap_or_default(),
            params: params.ok(),
        })
    }
}

impl Call {
    /// Returns the time of the request, with the precision of the store.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// Returns the decoded parameter of the path, or an empty text if there is none.
    fn param(&self, name: &str) -> &str {
        self.params.iter().flatten().find(|(param, _)| param == name).map_or("", |(_, value)| value)
    }

    /// Returns the resource type of the path.
    pub(crate) fn resource_type(&self) -> &str {
        self.param("type")
    }

    /// Returns the resource id of the path.
    pub(crate) fn resource_id(&self) -> &str {
        self.param("id")
    }

    /// Returns the version id of the path.
    pub(crate) fn version_id(&self) -> &str {
        self.param("version")
    }

    /// Returns the query, after the form of a posted search (`fhir-server SearchPostReroutingMiddleware.cs`).
    fn query_and_form(&self) -> Cow<'_, str> {
        let is_form = self.header(&header::CONTENT_TYPE).is_some_and(|content_type| {
            format::is_media_type(content_type, "application/x-www-form-urlencoded")
        });
        if self.method == Method::POST && self.path.ends_with("/_search") && is_form {
            format!("{}&{}", String::from_utf8_lossy(&self.body), self.query).into()
        } else {
            self.query.as_str().into()
        }
    }

    /// Returns the name of the operation in the path of a resource, such as `$lastn`.
    fn operation(&self) -> Option<&str> {
        ["type", "id", "compartment"]
            .map(|name| self.param(name))
            .into_iter()
            .find(|text| text.starts_with('$'))
    }

    /// Returns the value of a header, or `None` if it is missing or blank.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.trim().is_empty())
    }

    /// Returns the decoded parameters of the query.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// Returns the first value of a parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut parameters = form_urlencoded::parse(self.query.as_bytes());
        parameters.find(|(parameter, _)| parameter == name).map(|(_, value)| value.into_owned())
    }

    /// Calls a handler after the checks that the service makes for all paths.
    fn respond(&self, handle: Handle) -> Response {
        let known_type = self.params.as_ref().is_some_and(|params| {
            params
                .iter()
                .all(|(param, value)| param != "type" || value.starts_with('$') || is_resource_type(value))
        });
        let respond = || {
            // `axum` sends HEAD to the handler of GET. The real server has no HEAD (`fhir-server FhirController.cs`).
            if self.method == Method::HEAD {
                return Err(Outcome::method_not_allowed());
            }
            if !known_type {
                return Err(Outcome::unknown_path());
            }
            // The known operations have paths of their own. The real server responds to others with 404, as if they were ids.
            // Here they are unsupported, so that a test can see which operation is missing and handle it.
            if let Some(name) = self.operation() {
                return Err(Outcome::unsupported(&format!("the operation `{name}`")));
            }
            let content_type =
                format::check(&self.method, &self.path, &self.query_and_form(), &self.headers)?;
            interaction::check(self.resource_type(), &self.method)?;
            Ok(format::label(handle(self)?, content_type))
        };
        respond().unwrap_or_else(|outcome| outcome.into_response(&self.id, self.now()))
    }
}

/// Converts a handler to one of `axum` that checks the type and the formats of the request itself.
pub(crate) fn on_operation(
    handle: Handle,
) -> impl Fn(Call) -> Ready<Response> + Clone + Send + Sync + 'static {
    move |call| {
        let is_head = call.method == Method::HEAD;
        let response = if is_head { Err(Outcome::method_not_allowed()) } else { handle(&call) };
        std::future::ready(response.unwrap_or_else(|outcome| outcome.into_response(&call.id, call.now())))
    }
}

/// Converts a handler to one of `axum`.
pub(crate) fn on(handle: Handle) -> impl Fn(Call) -> Ready<Response> + Clone + Send + Sync + 'static {
    move |call| std::future::ready(call.respond(handle))
}
