//! Deserializes audiences from a URL or from fields, and serializes them in the same form (feature `serde`).

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, MapAccess, Visitor},
    ser::SerializeStruct,
};

use super::{
    Audience,
    dicom::{DicomAudience, DicomAudienceBuilder},
    endpoint::EndpointSpec,
    fhir::{FhirAudience, FhirAudienceBuilder},
    invalid::{Field, InvalidAudience},
};
use crate::named::ParseNameError;

/// Deserializes a URL, or the settings of [`FhirAudienceBuilder`] as fields.
///
/// The fields are `endpoint`, or `workspace` and `service`, or `account`; and optionally `cloud` (`public`,
/// `us-government`) and `resource`. Any other field is an error. The format must be self-describing.
///
/// # Errors
///
/// Fails for the same reasons as [`build`](FhirAudienceBuilder::build). The message names the field, unless
/// the input is a URL, and shows at most the host of a URL. The deserializer may add the line of its input.
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
        deserializer.deserialize_any(UrlOrFields(PhantomData))
    }
}

/// Deserializes a URL, or the settings of [`DicomAudienceBuilder`] as fields.
///
/// The fields are `endpoint`, or `workspace` and `service`; and optionally `cloud` (`public`, `us-government`),
/// `version` (`v1`, `v2`) and `resource`. Any other field is an error. The format must be self-describing.
///
/// # Errors
///
/// Fails for the same reasons as [`build`](DicomAudienceBuilder::build). The message names the field, unless
/// the input is a URL, and shows at most the host of a URL. The deserializer may add the line of its input.
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
        deserializer.deserialize_any(UrlOrFields(PhantomData))
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

/// An audience that can be built from fields.
trait FromFields: Sized {
    const EXPECTED: &'static str;
    const FIELDS: &'static [&'static str];

    fn from_fields(fields: Fields) -> Result<Self, InvalidField>;
}

/// The values of the fields.
#[derive(Default)]
struct Fields {
    endpoint: Option<String>,
    workspace: Option<String>,
    service: Option<String>,
    account: Option<String>,
    cloud: Option<String>,
    version: Option<String>,
    resource: Option<String>,
}

impl Fields {
    fn get_mut(&mut self, field: Field) -> &mut Option<String> {
        match field {
            Field::Endpoint => &mut self.endpoint,
            Field::Workspace => &mut self.workspace,
            Field::Service => &mut self.service,
            Field::Account => &mut self.account,
            Field::Cloud => &mut self.cloud,
            Field::Version => &mut self.version,
            Field::Resource => &mut self.resource,
        }
    }
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
        write!(f, "{}: {}", self.field.as_str(), self.message)
    }
}

impl FromFields for FhirAudience {
    const EXPECTED: &'static str = "the URL of a FHIR service, or the field `endpoint`, or the fields `workspace` and \
                                    `service`, or the field `account`";
    const FIELDS: &'static [&'static str] =
        &["endpoint", "workspace", "service", "account", "cloud", "resource"];

    fn from_fields(fields: Fields) -> Result<Self, InvalidField> {
        let cloud = parse(Field::Cloud, fields.cloud)?;
        let spec = endpoint_spec(fields.endpoint, fields.workspace, fields.service, fields.account)?;
        let is_url = matches!(spec, EndpointSpec::Url(_));
        let builder = FhirAudienceBuilder { spec, cloud, resource: fields.resource };
        builder.checked().map_err(|invalid| invalid_field(&invalid, is_url))
    }
}

impl FromFields for DicomAudience {
    const EXPECTED: &'static str =
        "the URL of a DICOM service, or the field `endpoint`, or the fields `workspace` and `service`";
    const FIELDS: &'static [&'static str] =
        &["endpoint", "workspace", "service", "cloud", "version", "resource"];

    fn from_fields(fields: Fields) -> Result<Self, InvalidField> {
        let cloud = parse(Field::Cloud, fields.cloud)?;
        let version = parse(Field::Version, fields.version)?;
        let spec = endpoint_spec(fields.endpoint, fields.workspace, fields.service, None)?;
        let is_url = matches!(spec, EndpointSpec::Url(_));
        let builder = DicomAudienceBuilder { spec, cloud, resource: fields.resource, version };
        builder.checked().map_err(|invalid| invalid_field(&invalid, is_url))
    }
}

fn parse<T: FromStr<Err = ParseNameError>>(
    field: Field,
    name: Option<String>,
) -> Result<Option<T>, InvalidField> {
    name.map(|name| name.parse().map_err(|error: ParseNameError| InvalidField::new(field, error.to_string())))
        .transpose()
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

/// Deserializes a URL or fields.
struct UrlOrFields<A>(PhantomData<A>);

impl<'de, A: FromFields> Visitor<'de> for UrlOrFields<A> {
    type Value = A;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A::EXPECTED)
    }

    fn visit_str<E: Error>(self, url: &str) -> Result<A, E> {
        let fields = Fields { endpoint: Some(url.to_owned()), ..Fields::default() };
        A::from_fields(fields).map_err(|invalid| match invalid.field {
            // The input has no fields.
            Field::Endpoint => E::custom(invalid.message),
            _ => E::custom(invalid),
        })
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<A, M::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<String>()? {
            let known = A::FIELDS.contains(&name.as_str()).then(|| Field::from_name(&name)).flatten();
            let field = known.ok_or_else(|| M::Error::unknown_field(&name, A::FIELDS))?;
            let value = map.next_value_seed(FieldValue(field))?;
            if fields.get_mut(field).is_some() {
                return Err(M::Error::duplicate_field(field.as_str()));
            }
            *fields.get_mut(field) = value;
        }
        A::from_fields(fields).map_err(M::Error::custom)
    }
}

/// Deserializes the value of a field: a string or nothing. The error for another type names the field.
struct FieldValue(Field);

impl<'de> DeserializeSeed<'de> for FieldValue {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldValue {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string for the field `{}`", self.0.as_str())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}
