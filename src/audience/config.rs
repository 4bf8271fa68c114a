//! Deserializes audiences from a URL or from fields, and serializes them in the same form (feature `serde`).

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error, MapAccess, Visitor, value::MapAccessDeserializer},
    ser::SerializeStruct,
};

use super::{
    Audience,
    cloud::Cloud,
    dicom::{DicomAudience, DicomAudienceBuilder},
    endpoint::EndpointSpec,
    fhir::{FhirAudience, FhirAudienceBuilder},
    invalid::{Field, InvalidAudience},
    version::DicomVersion,
};

/// Deserializes a URL, or the settings of [`FhirAudienceBuilder`] as fields.
///
/// The fields are `endpoint`, or `workspace` and `service`, or `account`; and optionally `cloud` (`public`,
/// `us-government`) and `resource`. Any other field is an error. The format must be self-describing.
///
/// # Errors
///
/// Fails for the same reasons as [`build`](FhirAudienceBuilder::build). The message starts with the name of the field and
/// shows at most the host of a URL. The deserializer may add the line of its input.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use azure_healthcare_auth::FhirAudience;
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     fhir: FhirAudience,
/// }
///
/// let records = FhirAudience::workspace("contoso", "records").build().unwrap();
/// for fhir in [
///     r#""https://contoso-records.fhir.azurehealthcareapis.com""#,
///     r#"{ "endpoint": "https://contoso-records.fhir.azurehealthcareapis.com" }"#,
///     r#"{ "workspace": "contoso", "service": "records" }"#,
/// ] {
///     let settings: Settings = serde_json::from_str(&format!(r#"{{ "fhir": {fhir} }}"#)).unwrap();
///     assert_eq!(settings.fhir, records);
/// }
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> Deserialize<'de> for FhirAudience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UrlOr::<FhirFields>(PhantomData))
    }
}

/// Deserializes a URL, or the settings of [`DicomAudienceBuilder`] as fields.
///
/// The fields are `endpoint`, or `workspace` and `service`; and optionally `cloud` (`public`, `us-government`), `version`
/// (`v1`, `v2`) and `resource`. Any other field is an error. The format must be self-describing.
///
/// # Errors
///
/// Fails for the same reasons as [`build`](DicomAudienceBuilder::build). The message starts with the name of the field and
/// shows at most the host of a URL. The deserializer may add the line of its input.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use azure_healthcare_auth::{DicomAudience, DicomVersion};
///
/// let imaging = r#"{ "workspace": "contoso", "service": "imaging", "version": "v1" }"#;
/// let imaging: DicomAudience = serde_json::from_str(imaging).unwrap();
/// assert_eq!(imaging, DicomAudience::workspace("contoso", "imaging").version(DicomVersion::V1).build().unwrap());
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> Deserialize<'de> for DicomAudience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UrlOr::<DicomFields>(PhantomData))
    }
}

/// Serializes the base URL, or `endpoint` and `resource` if the resource is not the default for that URL.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use azure_healthcare_auth::FhirAudience;
///
/// let records = FhirAudience::from_endpoint("https://fhir.contoso.example/r4");
/// let json = |audience| serde_json::to_string(&audience).unwrap();
/// assert_eq!(json(records.clone().build().unwrap()), r#""https://fhir.contoso.example/r4/""#);
/// assert_eq!(
///     json(records.resource("api://contoso").build().unwrap()),
///     r#"{"endpoint":"https://fhir.contoso.example/r4/","resource":"api://contoso"}"#,
/// );
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for FhirAudience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let has_default_resource = self.to_string().parse().is_ok_and(|default: Self| default == *self);
        serialize(self, has_default_resource, serializer)
    }
}

/// Serializes the base URL, or `endpoint` and `resource` if the resource is not the default for that URL.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for DicomAudience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let has_default_resource = self.to_string().parse().is_ok_and(|default: Self| default == *self);
        serialize(self, has_default_resource, serializer)
    }
}

fn serialize<S: Serializer>(
    audience: &impl Audience,
    has_default_resource: bool,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if has_default_resource {
        return serializer.serialize_str(audience.endpoint().as_str());
    }
    let mut fields = serializer.serialize_struct("Audience", 2)?;
    fields.serialize_field("endpoint", audience.endpoint().as_str())?;
    fields.serialize_field("resource", audience.resource())?;
    fields.end()
}

/// The settings of an audience as fields.
trait Fields: DeserializeOwned {
    type Audience;
    const EXPECTED: &'static str;

    fn from_url(url: &str) -> Self;
    fn build(self) -> Result<Self::Audience, InvalidField>;
}

/// A field with an invalid value.
struct InvalidField {
    field: Field,
    message: String,
}

impl InvalidField {
    fn new(field: Field, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.field {
            Field::Endpoint => "endpoint",
            Field::Workspace => "workspace",
            Field::Service => "service",
            Field::Account => "account",
            Field::Cloud => "cloud",
            Field::Version => "version",
            Field::Resource => "resource",
        };
        write!(f, "{name}: {}", self.message)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FhirFields {
    endpoint: Option<String>,
    workspace: Option<String>,
    service: Option<String>,
    account: Option<String>,
    cloud: Option<Cloud>,
    resource: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DicomFields {
    endpoint: Option<String>,
    workspace: Option<String>,
    service: Option<String>,
    cloud: Option<Cloud>,
    version: Option<DicomVersion>,
    resource: Option<String>,
}

impl Fields for FhirFields {
    type Audience = FhirAudience;
    const EXPECTED: &'static str = "the URL of a FHIR service, or the field `endpoint`, or the fields `workspace` and \
                                    `service`, or the field `account`";

    fn from_url(url: &str) -> Self {
        Self { endpoint: Some(url.to_owned()), ..Self::default() }
    }

    fn build(self) -> Result<FhirAudience, InvalidField> {
        let Self { endpoint, workspace, service, account, cloud, resource } = self;
        let spec = endpoint_spec(endpoint, workspace, service, account)?;
        let is_url = matches!(spec, EndpointSpec::Url(_));
        FhirAudienceBuilder { spec, cloud, resource }
            .checked()
            .map_err(|invalid| invalid_field(&invalid, is_url))
    }
}

impl Fields for DicomFields {
    type Audience = DicomAudience;
    const EXPECTED: &'static str =
        "the URL of a DICOM service, or the field `endpoint`, or the fields `workspace` and `service`";

    fn from_url(url: &str) -> Self {
        Self { endpoint: Some(url.to_owned()), ..Self::default() }
    }

    fn build(self) -> Result<DicomAudience, InvalidField> {
        let Self { endpoint, workspace, service, cloud, version, resource } = self;
        let spec = endpoint_spec(endpoint, workspace, service, None)?;
        let is_url = matches!(spec, EndpointSpec::Url(_));
        DicomAudienceBuilder { spec, cloud, resource, version }
            .checked()
            .map_err(|invalid| invalid_field(&invalid, is_url))
    }
}

/// Returns the endpoint if the fields determine it in exactly one way.
fn endpoint_spec(
    endpoint: Option<String>,
    workspace: Option<String>,
    service: Option<String>,
    account: Option<String>,
) -> Result<EndpointSpec, InvalidField> {
    match (endpoint, workspace, service, account) {
        (Some(url), None, None, None) => Ok(EndpointSpec::Url(url)),
        (None, Some(workspace), Some(service), None) => Ok(EndpointSpec::Workspace { workspace, service }),
        (None, None, None, Some(account)) => Ok(EndpointSpec::Account(account)),
        (None, None, None, None) => {
            let message = "the field is missing, and so are `workspace` and `service`";
            Err(InvalidField::new(Field::Endpoint, message))
        }
        (None, Some(_), None, None) => {
            Err(InvalidField::new(Field::Service, "the field is missing: `workspace` requires it"))
        }
        (None, None, Some(_), None) => {
            Err(InvalidField::new(Field::Workspace, "the field is missing: `service` requires it"))
        }
        (Some(_), _, _, _) => {
            Err(InvalidField::new(Field::Endpoint, "remove either `endpoint` or the names"))
        }
        _ => {
            let message = "remove either `account`, or `workspace` and `service`";
            Err(InvalidField::new(Field::Account, message))
        }
    }
}

fn invalid_field(invalid: &InvalidAudience, is_url: bool) -> InvalidField {
    let field = match invalid.field() {
        // The name is part of the URL.
        Field::Workspace | Field::Service | Field::Account if is_url => Field::Endpoint,
        field => field,
    };
    InvalidField::new(field, invalid.to_string())
}

struct UrlOr<F>(PhantomData<F>);

impl<'de, F: Fields> Visitor<'de> for UrlOr<F> {
    type Value = F::Audience;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(F::EXPECTED)
    }

    fn visit_str<E: Error>(self, url: &str) -> Result<F::Audience, E> {
        F::from_url(url).build().map_err(|invalid| match invalid.field {
            // The input has no fields.
            Field::Endpoint => E::custom(invalid.message),
            _ => E::custom(invalid),
        })
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<F::Audience, M::Error> {
        F::deserialize(MapAccessDeserializer::new(map))?.build().map_err(M::Error::custom)
    }
}
