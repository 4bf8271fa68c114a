//! The capability statement and the other public documents.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{call::Call, instant::instant, outcome::Outcome, reply, search, types::RESOURCE_TYPES};
use crate::token::TENANT;

const AUTHORITY: &str = "https://login.microsoftonline.com";

/// `GET /metadata` (`fhir-server CapabilityStatementBuilder.cs`). Lists what the fake supports.
pub(super) fn statement(call: &Call) -> Result<Response, Outcome> {
    let codes = |codes: &[&str]| codes.iter().map(|code| json!({ "code": code })).collect::<Value>();
    let resource = |resource_type: &str| {
        let is_changeable = resource_type != "AuditEvent";
        let mut interactions =
            vec!["create", "read", "vread", "history-type", "history-instance", "search-type"];
        if is_changeable {
            interactions.extend(["update", "patch", "delete"]);
        }
        let parameters = search::parameters(resource_type);
        let parameters = parameters.iter().map(|(name, kind)| json!({"name": name, "type": kind}));
        let mut resource = json!({
            "type": resource_type,
            "profile": format!("http://hl7.org/fhir/StructureDefinition/{resource_type}"),
            "interaction": codes(&interactions),
            "versioning": "versioned",
            "readHistory": true,
            "updateCreate": true,
            "conditionalCreate": true,
            "conditionalUpdate": is_changeable,
            "conditionalDelete": if is_changeable { "multiple" } else { "not-supported" },
            "searchParam": parameters.collect::<Value>(),
        });
        // FHIR does not allow empty arrays.
        if let Some(fields) = resource.as_object_mut() {
            fields.retain(|_, value| value.as_array().is_none_or(|items| !items.is_empty()));
        }
        resource
    };
    let resources = RESOURCE_TYPES.iter().filter(|name| **name != "Parameters").map(|name| resource(name));
    let security = json!({"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
        "code": "OAuth",
    }]});
    // `fhir-server SecurityProvider.cs`
    let endpoints = json!({
        "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
        "extension": [
            {"url": "token", "valueUri": format!("{AUTHORITY}/{TENANT}/oauth2/v2.0/token")},
            {"url": "authorize", "valueUri": format!("{AUTHORITY}/{TENANT}/oauth2/v2.0/authorize")},
        ],
    });
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "url": format!("{}/metadata", call.service.origin),
        "status": "active",
        "date": instant(call.now()),
        "kind": "instance",
        "software": {"name": "azure_healthcare_auth_testing", "version": env!("CARGO_PKG_VERSION")},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/fhir+json", "application/json-patch+json"],
        "rest": [{
            "mode": "server",
            "security": {"extension": [endpoints], "service": [security]},
            "resource": resources.collect::<Value>(),
            "interaction": codes(&["history-system", "batch", "transaction"]),
        }],
    });
    Ok(reply::json(StatusCode::OK, statement.to_string()))
}

/// `GET /.well-known/smart-configuration` (`fhir-server GetSmartConfigurationHandler.cs`).
pub(super) fn smart_configuration(_call: &Call) -> Result<Response, Outcome> {
    let authority = format!("{AUTHORITY}/{TENANT}");
    Ok(plain_json(&json!({
        "issuer": format!("{authority}/v2.0"),
        "jwks_uri": format!("{authority}/discovery/v2.0/keys"),
        "authorization_endpoint": format!("{authority}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{authority}/oauth2/v2.0/token"),
        "capabilities": [
            "client-public",
            "client-confidential-symmetric",
            "client-confidential-asymmetric",
            "authorize-post",
            "launch-standalone",
            "permission-patient",
            "permission-user",
            "permission-offline",
            "permission-v2",
            "sso-openid-connect",
        ],
        "scopes_supported": [
            "openid",
            "fhirUser",
            "launch",
            "launch/patient",
            "offline_access",
            "online_access",
        ],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_jwt", "none"],
        "response_types_supported": ["code"],
    })))
}

/// `GET /$versions` (`fhir-server VersionsResult.cs`).
pub(super) fn versions(_call: &Call) -> Result<Response, Outcome> {
    Ok(plain_json(&json!({"versions": ["4.0"], "default": "4.0"})))
}

/// `GET /health/check` (`fhir-server FhirServerApplicationBuilderExtensions.cs`).
pub(super) fn health(_call: &Call) -> Result<Response, Outcome> {
    Ok(plain_json(&json!({"overallStatus": "Healthy", "details": []})))
}

fn plain_json(value: &Value) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
