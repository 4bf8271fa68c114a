//! Audiences in a configuration: read as a URL or as fields, and written so that they are read back (feature `serde`).

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error, MapAccess, Visitor, value::MapAccessDeserializer},
    ser::SerializeStruct,
};

use super::{
    Audience, Cloud, DicomAudience, DicomAudienceBuilder, DicomVersion, FhirAudience, FhirAudienceBuilder,
    address::Site, refusal::Refusal,
};

/// A URL, or the fields of a builder.
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
///
/// The fields are `endpoint`, or `workspace` and `service`, or `account`; beside them `cloud` (`Public`,
/// `UsGovernment`) and `resource`. Nothing else may be there. The format must be one that tells a text from a map.
///
/// # Errors
///
/// What [`build`](FhirAudienceBuilder::build) refuses, with the name of the field first. Of a URL only the host is
/// shown, unless it stands where the name of a field should; the library that reads the format may add the line that
/// an error is in.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> Deserialize<'de> for FhirAudience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UrlOr::<FhirFields>(PhantomData))
    }
}

/// A URL, or the fields of a builder.
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
///
/// The fields are `endpoint`, or `workspace` and `service`; beside them `cloud` (`Public`, `UsGovernment`), `version`
/// (`v1`, `v2`) and `resource`. Nothing else may be there. The format must be one that tells a text from a map.
///
/// # Errors
///
/// What [`build`](DicomAudienceBuilder::build) refuses, with the name of the field first. Of a URL only the host is
/// shown, unless it stands where the name of a field should; the library that reads the format may add the line that
/// an error is in.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> Deserialize<'de> for DicomAudience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UrlOr::<DicomFields>(PhantomData))
    }
}

/// The base URL, or `endpoint` and `resource` where the resource is not the one that goes with that URL.
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use azure_healthcare_auth::FhirAudience;
///
/// let own = FhirAudience::endpoint("https://fhir.contoso.example/r4");
/// let written = |audience| serde_json::to_string(&audience).unwrap();
/// assert_eq!(written(own.clone().build().unwrap()), r#""https://fhir.contoso.example/r4/""#);
/// assert_eq!(
///     written(own.resource("api://contoso").build().unwrap()),
///     r#"{"endpoint":"https://fhir.contoso.example/r4/","resource":"api://contoso"}"#,
/// );
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for FhirAudience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self, self.to_string().parse().is_ok_and(|plain: Self| plain == *self), serializer)
    }
}

/// The base URL, or `endpoint` and `resource` where the resource is not the one that goes with that URL.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for DicomAudience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self, self.to_string().parse().is_ok_and(|plain: Self| plain == *self), serializer)
    }
}

fn write<S: Serializer>(audience: &impl Audience, plain: bool, serializer: S) -> Result<S::Ok, S::Error> {
    if plain {
        return serializer.serialize_str(audience.endpoint().as_str());
    }
    let mut fields = serializer.serialize_struct("Audience", 2)?;
    fields.serialize_field("endpoint", audience.endpoint().as_str())?;
    fields.serialize_field("resource", audience.resource())?;
    fields.end()
}

/// The fields of an audience, as they were written.
trait Fields: DeserializeOwned + Default {
    type Audience;
    const EXPECTED: &'static str;

    fn endpoint(&mut self) -> &mut Option<String>;
    fn check(self) -> Result<Self::Audience, Mistake>;
}

/// A field, and what is wrong with it.
struct Mistake(&'static str, String);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FhirFields {
    endpoint: Option<String>,
    workspace: Option<String>,
    service: Option<String>,
    account: Option<String>,
    cloud: Option<String>,
    resource: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DicomFields {
    endpoint: Option<String>,
    workspace: Option<String>,
    service: Option<String>,
    cloud: Option<String>,
    version: Option<String>,
    resource: Option<String>,
}

impl Fields for FhirFields {
    type Audience = FhirAudience;
    const EXPECTED: &'static str = "the URL of a FHIR service, or fields: `endpoint`, `workspace` and `service`, or \
                                    `account`";

    fn endpoint(&mut self) -> &mut Option<String> {
        &mut self.endpoint
    }

    fn check(self) -> Result<FhirAudience, Mistake> {
        let Self { endpoint, workspace, service, account, cloud, resource } = self;
        let cloud = named("cloud", cloud, Cloud::ALL)?;
        let site = site(endpoint, workspace, service, account)?;
        let by_url = matches!(site, Site::Endpoint(_));
        let built = FhirAudienceBuilder { site, cloud, resource }.checked();
        built.map_err(|refusal| mistake(&refusal, by_url))
    }
}

impl Fields for DicomFields {
    type Audience = DicomAudience;
    const EXPECTED: &'static str =
        "the URL of a DICOM service, or fields: `endpoint`, or `workspace` and `service`";

    fn endpoint(&mut self) -> &mut Option<String> {
        &mut self.endpoint
    }

    fn check(self) -> Result<DicomAudience, Mistake> {
        let Self { endpoint, workspace, service, cloud, version, resource } = self;
        let cloud = named("cloud", cloud, Cloud::ALL)?;
        let version = named("version", version, DicomVersion::ALL)?;
        let site = site(endpoint, workspace, service, None)?;
        let by_url = matches!(site, Site::Endpoint(_));
        let built = DicomAudienceBuilder { site, cloud, resource, version }.checked();
        built.map_err(|refusal| mistake(&refusal, by_url))
    }
}

/// The value that is written by its name. What else was written is not shown: it may be a URL.
fn named<T: fmt::Display>(
    field: &'static str,
    written: Option<String>,
    all: [T; 2],
) -> Result<Option<T>, Mistake> {
    let Some(written) = written else { return Ok(None) };
    let [one, other] = &all;
    let said = format!("write `{one}` or `{other}`");
    let value = all.into_iter().find(|value| value.to_string() == written);
    value.map(Some).ok_or(Mistake(field, said))
}

/// Where the service is, if that is said in one way.
fn site(
    endpoint: Option<String>,
    workspace: Option<String>,
    service: Option<String>,
    account: Option<String>,
) -> Result<Site, Mistake> {
    let wrong = |field, said: &str| Err(Mistake(field, said.to_owned()));
    match (endpoint, workspace, service, account) {
        (Some(url), None, None, None) => Ok(Site::Endpoint(url)),
        (None, Some(workspace), Some(service), None) => Ok(Site::Workspace { workspace, service }),
        (None, None, None, Some(account)) => Ok(Site::Account(account)),
        (None, None, None, None) => wrong("endpoint", "it is missing, and so are `workspace` and `service`"),
        (None, Some(_), None, None) => {
            wrong("service", "it is missing: the address needs it beside `workspace`")
        }
        (None, None, Some(_), None) => {
            wrong("workspace", "it is missing: the address needs it beside `service`")
        }
        (Some(_), _, _, _) => wrong("endpoint", "it says the whole address: leave out the names or it"),
        _ => wrong("account", "it says the whole address: leave out `workspace` and `service` or it"),
    }
}

/// What a builder refuses, in the words of a configuration.
fn mistake(refusal: &Refusal, by_url: bool) -> Mistake {
    let field = match refusal {
        Refusal::Empty { what }
        | Refusal::UpperCase { what, .. }
        | Refusal::Length { what, .. }
        | Refusal::Letters { what, .. } => match *what {
            "resource" => "resource",
            _ if by_url => "endpoint",
            "workspace name" => "workspace",
            "service name" => "service",
            _ => "account",
        },
        Refusal::OtherCloud { .. } => "cloud",
        Refusal::OtherVersion { .. } => "version",
        Refusal::NoPreset { .. } | Refusal::Scope | Refusal::ResourceCharacters => "resource",
        _ => "endpoint",
    };
    let said = match refusal {
        Refusal::OtherCloud { host, found, .. } => {
            format!("`{host}` is in the cloud {found}: leave `cloud` out")
        }
        Refusal::OtherVersion { found, .. } => {
            format!("`endpoint` ends in `/{found}`: leave one of the two out")
        }
        Refusal::NoPreset { service, cloud } => format!(
            "no audience is documented for the {service} service in the cloud {cloud}: write the one that its owner \
             has set, beside `endpoint` or the names"
        ),
        other => other.to_string(),
    };
    Mistake(field, said)
}

struct UrlOr<F>(PhantomData<F>);

impl<'de, F: Fields> Visitor<'de> for UrlOr<F> {
    type Value = F::Audience;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(F::EXPECTED)
    }

    fn visit_str<E: Error>(self, url: &str) -> Result<F::Audience, E> {
        let mut fields = F::default();
        *fields.endpoint() = Some(url.to_owned());
        match fields.check() {
            Ok(audience) => Ok(audience),
            Err(Mistake("resource", said)) => Err(E::custom(format_args!("resource: {said}"))),
            // There is no other field, and whoever reads the text knows where it stands.
            Err(Mistake(_, said)) => Err(E::custom(said)),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<F::Audience, M::Error> {
        let fields = F::deserialize(MapAccessDeserializer::new(map))?;
        fields.check().map_err(|Mistake(field, said)| M::Error::custom(format_args!("{field}: {said}")))
    }
}
