//! [`check`]: the formats that a request accepts and sends.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use url::form_urlencoded;

use super::outcome::{FHIR_JSON, Outcome};

/// A format of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// JSON, and the content type of the response.
    Json(&'static str),
    /// Supported by the real server only.
    Xml,
}

impl Format {
    /// Reads a media type. The names are those of `Hl7.Fhir.Rest.ContentType`, which fhir-server uses.
    fn of(media_type: &str) -> Option<Self> {
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match media_type.as_str() {
            "application/fhir+json" | "application/json+fhir" => Self::Json(FHIR_JSON),
            "application/json" => Self::Json("application/json; charset=utf-8"),
            "text/json" => Self::Json("text/json; charset=utf-8"),
            "application/fhir+xml" | "application/xml+fhir" | "application/xml" | "text/xml" => Self::Xml,
            _ => return None,
        })
    }
}

/// Checks the formats of a request and returns the content type of its response.
///
/// The order is that of `fhir-server ValidateFormatParametersAttribute.cs`.
pub(crate) fn check(
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<&'static str, Outcome> {
    let parameter = |name: &str| {
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        parameters.find(|(parameter, _)| parameter == name).map(|(_, value)| value)
    };
    if parameter("_pretty").is_some_and(|pretty| !is_boolean(&pretty)) {
        return Err(Outcome::invalid("The parameter `_pretty` must be `true` or `false`."));
    }
    let accepted = accepted(parameter("_format").as_deref(), headers)?;
    match *method {
        // A posted search sends a form (`fhir-server SearchPostReroutingMiddleware.cs`).
        Method::POST if path.ends_with("/_search") => {}
        Method::POST | Method::PUT => check_content_type(headers)?,
        Method::PATCH => check_patch_type(headers)?,
        _ => {}
    }
    Ok(accepted)
}

/// Sets the content type of a response that contains a resource.
pub(crate) fn label(mut response: Response, content_type: &'static str) -> Response {
    if let Some(value) = response.headers_mut().get_mut(header::CONTENT_TYPE)
        && value == FHIR_JSON
    {
        *value = HeaderValue::from_static(content_type);
    }
    response
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// Returns the content type of the response. `_format` takes precedence over `Accept` (`fhir-server
/// FormatParametersValidator.cs`).
fn accepted(parameter: Option<&str>, headers: &HeaderMap) -> Result<&'static str, Outcome> {
    let not_acceptable = |what: &str| {
        let diagnostics = format!("The service cannot respond in a format that {what} accepts.");
        Outcome::new(StatusCode::NOT_ACCEPTABLE, "not-supported", diagnostics)
    };
    if let Some(parameter) = parameter.filter(|parameter| !parameter.is_empty()) {
        let format = match parameter {
            "json" => Some(Format::Json(FHIR_JSON)),
            "xml" => Some(Format::Xml),
            other => Format::of(other),
        };
        return content_type(format.ok_or_else(|| not_acceptable("the parameter `_format`"))?);
    }
    let ranges = media_ranges(headers);
    if ranges.is_empty() {
        return Ok(FHIR_JSON);
    }
    let formats = ranges.iter().filter_map(|range| match range.as_str() {
        "*/*" => Some(Format::Json(FHIR_JSON)),
        range => Format::of(range),
    });
    content_type(formats.into_iter().next().ok_or_else(|| not_acceptable("the header `Accept`"))?)
}

fn content_type(format: Format) -> Result<&'static str, Outcome> {
    match format {
        Format::Json(content_type) => Ok(content_type),
        Format::Xml => Err(Outcome::unsupported("XML")),
    }
}

/// Returns the media ranges of `Accept`, the preferred ones first.
fn media_ranges(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges: Vec<_> = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .map(|range| {
            let quality = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("q="));
            let quality: f32 = quality.and_then(|quality| quality.trim().parse().ok()).unwrap_or(1.0);
            (range.split(';').next().unwrap_or_default().trim().to_owned(), quality)
        })
        .collect();
    ranges.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    ranges.into_iter().map(|(range, _)| range).collect()
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Outcome> {
    match sent(headers).map(Format::of) {
        Some(Some(Format::Json(_))) => Ok(()),
        Some(Some(Format::Xml)) => Err(Outcome::unsupported("XML")),
        Some(None) => Err(unsupported_media_type("The service does not read this `Content-Type`.")),
        None => Err(unsupported_media_type("The request needs a `Content-Type` header.")),
    }
}

/// Checks the format of a patch (`fhir-server FhirController.cs`, `Data/R4/BaseCapabilities.json`).
fn check_patch_type(headers: &HeaderMap) -> Result<(), Outcome> {
    if sent(headers).is_some_and(is_json_patch) || matches!(sent(headers), Some(sent) if is_fhir_json(sent)) {
        return Ok(());
    }
    Err(unsupported_media_type("The body of a patch must be a JSON Patch or FHIR Parameters in JSON."))
}

/// Returns `true` if the content type is that of a JSON Patch (RFC 6902).
pub(crate) fn is_json_patch(content_type: &str) -> bool {
    is_media_type(content_type, "application/json-patch+json")
}

fn is_fhir_json(content_type: &str) -> bool {
    is_media_type(content_type, "application/fhir+json")
}

/// Returns `true` if a content type is this media type, with any parameters.
pub(super) fn is_media_type(content_type: &str, media_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|sent| sent.trim().eq_ignore_ascii_case(media_type))
}

fn sent(headers: &HeaderMap) -> Option<&str> {
    Some(headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default())
}

/// 415 (`fhir-server OperationOutcomeExceptionFilterAttribute.cs`).
fn unsupported_media_type(diagnostics: &str) -> Outcome {
    Outcome::framework(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    fn status<T>(result: Result<T, Outcome>) -> u16 {
        result.map_or_else(|outcome| outcome.status().as_u16(), |_| 200)
    }

    #[test]
    fn response_has_the_preferred_json_type() {
        for (accept, expected) in [
            (&[][..], FHIR_JSON),
            (&["*/*"], FHIR_JSON),
            (&["application/fhir+json"], FHIR_JSON),
            (&["Application/JSON; charset=utf-8"], "application/json; charset=utf-8"),
            (&["text/html, application/json;q=0.5, application/fhir+json; q=0.9"], FHIR_JSON),
            (&["text/html", "text/json"], "text/json; charset=utf-8"),
            (&["application/fhir+xml;q=0.1, */*;q=0.2"], FHIR_JSON),
        ] {
            let headers = headers(header::ACCEPT, accept);
            assert_eq!(accepted(None, &headers), Ok(expected), "{accept:?}");
            assert_eq!(accepted(Some("json"), &headers), Ok(FHIR_JSON), "{accept:?}");
        }
    }

    #[test]
    fn other_accepted_formats_are_errors() {
        for (parameter, accept, expected) in [
            (None, "text/html", 406),
            (None, "application/*", 406),
            (None, "application/dicom+json", 406),
            (None, "application/fhir+xml", 501),
            (None, "text/xml, application/json;q=0.9", 501),
            (Some("xml"), "application/json", 501),
            (Some("html"), "application/json", 406),
            (Some("ttl"), "*/*", 406),
            (Some(""), "application/json", 200),
            (Some("application/fhir+json"), "text/html", 200),
        ] {
            let headers = headers(header::ACCEPT, &[accept]);
            assert_eq!(status(accepted(parameter, &headers)), expected, "{parameter:?} {accept}");
        }
    }

    #[test]
    fn resources_must_be_json_and_patches_of_a_known_type() {
        for (content_type, resource, patch) in [
            (Some("application/fhir+json"), 200, 200),
            (Some("Application/FHIR+json; charset=utf-8"), 200, 200),
            (Some("application/json"), 200, 415),
            (Some("application/json-patch+json"), 415, 200),
            (Some("application/fhir+xml"), 501, 415),
            (Some("text/plain"), 415, 415),
            (Some(""), 415, 415),
            (None, 415, 415),
        ] {
            let headers = headers(header::CONTENT_TYPE, content_type.as_slice());
            assert_eq!(status(check_content_type(&headers)), resource, "{content_type:?}");
            assert_eq!(status(check_patch_type(&headers)), patch, "{content_type:?}");
        }
    }
}
