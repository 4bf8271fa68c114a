//! Chooses the representation of an instance that a request accepts (`dicom-server AcceptHeaderHandler.cs`).

use http::{HeaderMap, header};
use mime::Mime;

use super::{file::EXPLICIT_LITTLE_ENDIAN, media_type};

pub(super) const DICOM: &str = "application/dicom";
const OCTET_STREAM: &str = "application/octet-stream";
const JPEG_2000: &str = "image/jp2";

const JPEG_2000_LOSSLESS: &str = "1.2.840.10008.1.2.4.90";
/// Requests the transfer syntax of the stored file.
const ORIGINAL: &str = "*";

/// A resource that a request retrieves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    StudyOrSeries,
    Instance,
    Frames,
}

/// The representation of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Representation {
    /// The media type of the body or, if there are several parts, of each part.
    pub(super) media_type: &'static str,
    pub(super) multipart: bool,
    /// The UID of the transfer syntax, or `None` for that of the stored file.
    pub(super) transfer_syntax: Option<String>,
}

/// A media type that the service returns for a resource, in several parts or also in one.
struct Offer {
    media_type: &'static str,
    single_part: bool,
    /// The first one is the default.
    transfer_syntaxes: &'static [&'static str],
}

const DICOM_FILES: Offer = Offer {
    media_type: DICOM,
    single_part: false,
    transfer_syntaxes: &[EXPLICIT_LITTLE_ENDIAN, ORIGINAL, JPEG_2000_LOSSLESS],
};
const ANY_FILES: Offer = Offer {
    media_type: "*/*",
    transfer_syntaxes: &[ORIGINAL, EXPLICIT_LITTLE_ENDIAN, JPEG_2000_LOSSLESS],
    ..DICOM_FILES
};
const FRAMES: Offer = Offer {
    media_type: OCTET_STREAM,
    single_part: true,
    transfer_syntaxes: &[EXPLICIT_LITTLE_ENDIAN, ORIGINAL],
};
const JPEG_2000_FRAMES: Offer =
    Offer { media_type: JPEG_2000, single_part: false, transfer_syntaxes: &[JPEG_2000_LOSSLESS] };
const ANY_FRAMES: Offer =
    Offer { media_type: "*/*", transfer_syntaxes: &[ORIGINAL, EXPLICIT_LITTLE_ENDIAN], ..FRAMES };

impl Resource {
    fn offers(self) -> &'static [Offer] {
        match self {
            Self::StudyOrSeries => &[DICOM_FILES, ANY_FILES],
            Self::Instance => const { &[Offer { single_part: true, ..DICOM_FILES }, ANY_FILES] },
            Self::Frames => &[FRAMES, JPEG_2000_FRAMES, ANY_FRAMES],
        }
    }
}

/// Returns the representation that the service chooses, or `None` if it has none that the request accepts.
///
/// Without an `Accept` header there is none.
pub(super) fn choose(headers: &HeaderMap, resource: Resource) -> Option<Representation> {
    let mut accepted = media_type::parse_all(headers, header::ACCEPT)?;
    accepted.sort_by(|a, b| quality(b).total_cmp(&quality(a)));
    let mut chosen: Option<(Representation, f64)> = None;
    for media_type in &accepted {
        let offered = resource.offers().iter().find_map(|offer| offer.representation(media_type, resource));
        let Some(offered) = offered else { continue };
        let quality = quality(media_type);
        // Of several types with the same quality, one that asks for the original transfer syntax wins.
        let is_better = |(_, best): &(Representation, f64)| {
            quality >= *best && media_type::parameter(media_type, "transfer-syntax") == Some(ORIGINAL)
        };
        if chosen.as_ref().is_none_or(is_better) {
            chosen = Some((offered, quality));
        }
    }
    chosen.map(|(representation, _)| representation)
}

impl Offer {
    fn representation(&self, accepted: &Mime, resource: Resource) -> Option<Representation> {
        let is_multipart = accepted.essence_str() == "multipart/related";
        let media_type =
            if is_multipart { media_type::parameter(accepted, "type")? } else { accepted.essence_str() };
        if !media_type.eq_ignore_ascii_case(self.media_type) {
            return None;
        }
        let is_any = self.media_type == "*/*";
        // The documentation accepts `*/*` for every resource (`v2-conformance-statement.md`).
        if !is_any && !is_multipart && !self.single_part {
            return None;
        }
        let transfer_syntax = match media_type::parameter(accepted, "transfer-syntax") {
            None | Some("") => self.transfer_syntaxes.first(),
            Some(wanted) => self.transfer_syntaxes.iter().find(|syntax| **syntax == wanted),
        };
        Some(Representation {
            media_type: match (is_any, resource) {
                (false, _) => self.media_type,
                (true, Resource::Frames) => OCTET_STREAM,
                (true, _) => DICOM,
            },
            multipart: is_multipart || is_any,
            transfer_syntax: Some(*transfer_syntax?).filter(|syntax| *syntax != ORIGINAL).map(str::to_owned),
        })
    }
}

/// Returns `true` if the request accepts data sets in the DICOM JSON model.
///
/// Without an `Accept` header it does not (`dicom-server AcceptContentFilterAttribute.cs`).
pub(super) fn accepts_json(headers: &HeaderMap) -> bool {
    let accepted = media_type::parse_all(headers, header::ACCEPT).unwrap_or_default();
    let matching = ["application/dicom+json", "application/*", "*/*"];
    accepted.iter().any(|media_type| matching.contains(&media_type.essence_str()))
}

fn quality(media_type: &Mime) -> f64 {
    media_type::parameter(media_type, "q").and_then(|quality| quality.parse().ok()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{Resource::*, *};

    fn headers(accept: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        headers
    }

    /// Returns the chosen representation as text.
    fn chosen(accept: &str, resource: Resource) -> String {
        match choose(&headers(accept), resource) {
            None => "none".to_owned(),
            Some(Representation { media_type, multipart, transfer_syntax }) => {
                let kind = if multipart { "multipart " } else { "" };
                format!("{kind}{media_type} {}", transfer_syntax.as_deref().unwrap_or("original"))
            }
        }
    }

    #[test]
    fn representations_are_those_of_the_conformance_statement() {
        let files = "multipart/related; type=\"application/dicom\"";
        let frames = "multipart/related; type=\"application/octet-stream\"";
        for (accept, resource, expected) in [
            (files.to_owned(), StudyOrSeries, "multipart application/dicom 1.2.840.10008.1.2.1"),
            (format!("{files}; transfer-syntax=*"), StudyOrSeries, "multipart application/dicom original"),
            (format!("{files}; transfer-syntax=\"*\""), Instance, "multipart application/dicom original"),
            (
                format!("{files}; transfer-syntax=1.2.840.10008.1.2.4.90"),
                StudyOrSeries,
                "multipart application/dicom 1.2.840.10008.1.2.4.90",
            ),
            (format!("{files}; transfer-syntax=1.2.840.10008.1.2.4.50"), StudyOrSeries, "none"),
            ("*/*".to_owned(), StudyOrSeries, "multipart application/dicom original"),
            ("application/dicom".to_owned(), StudyOrSeries, "none"),
            ("application/dicom".to_owned(), Instance, "application/dicom 1.2.840.10008.1.2.1"),
            ("application/dicom; transfer-syntax=*".to_owned(), Instance, "application/dicom original"),
            ("application/dicom+json".to_owned(), Instance, "none"),
            ("multipart/related".to_owned(), Instance, "none"),
            ("*/*".to_owned(), Instance, "multipart application/dicom original"),
            (String::new(), Instance, "none"),
            ("not a type".to_owned(), Instance, "none"),
            (frames.to_owned(), Frames, "multipart application/octet-stream 1.2.840.10008.1.2.1"),
            (
                "application/octet-stream; transfer-syntax=*".to_owned(),
                Frames,
                "application/octet-stream original",
            ),
            (
                "multipart/related; type=\"image/jp2\"".to_owned(),
                Frames,
                "multipart image/jp2 1.2.840.10008.1.2.4.90",
            ),
            ("image/jp2".to_owned(), Frames, "none"),
            ("*/*".to_owned(), Frames, "multipart application/octet-stream original"),
            (files.to_owned(), Frames, "none"),
        ] {
            assert_eq!(chosen(&accept, resource), expected, "{accept} {resource:?}");
        }
    }

    #[test]
    fn highest_quality_wins_and_then_the_original_transfer_syntax() {
        for (accept, expected) in [
            ("application/dicom;q=0.5, */*;q=0.9", "multipart application/dicom original"),
            ("application/dicom, */*;q=0.9", "application/dicom 1.2.840.10008.1.2.1"),
            ("application/dicom, application/dicom;transfer-syntax=*", "application/dicom original"),
            (
                "application/dicom, application/dicom;transfer-syntax=*;q=0.9",
                "application/dicom 1.2.840.10008.1.2.1",
            ),
            ("text/html, application/dicom;q=0.1", "application/dicom 1.2.840.10008.1.2.1"),
        ] {
            assert_eq!(chosen(accept, Instance), expected, "{accept}");
        }
    }

    #[test]
    fn json_needs_an_accept_header_that_allows_it() {
        for (accept, accepted) in [
            ("application/dicom+json", true),
            ("text/html, Application/DICOM+JSON;q=0.1", true),
            ("*/*", true),
            ("application/*", true),
            ("application/json", false),
            ("application/dicom", false),
            ("", false),
            ("nonsense", false),
        ] {
            assert_eq!(accepts_json(&headers(accept)), accepted, "{accept}");
        }
    }
}
