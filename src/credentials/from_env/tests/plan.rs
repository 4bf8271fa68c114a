//! What the environment chooses.

use super::super::plan::{Env, Member, check, plan};

const T: (&str, &str) = ("AZURE_TENANT_ID", "tenant");
const C: (&str, &str) = ("AZURE_CLIENT_ID", "client");
const S: (&str, &str) = ("AZURE_CLIENT_SECRET", "canary");
const P: (&str, &str) = ("AZURE_CLIENT_CERTIFICATE_PATH", "/client.pfx");
const W: (&str, &str) = ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "canary");
const F: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/token");
const E: (&str, &str) = ("IDENTITY_ENDPOINT", "http://127.0.0.1:1");
const H: (&str, &str) = ("IDENTITY_HEADER", "canary");
const PROD: (&str, &str) = ("AZURE_TOKEN_CREDENTIALS", "prod");

fn only(name: &'static str) -> (&'static str, &'static str) {
    ("AZURE_TOKEN_CREDENTIALS", name)
}

/// What is chosen, or the error.
fn chosen(variables: &[(&str, &str)]) -> Result<String, String> {
    let get =
        |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
    let members = plan(&Env(&get), None).map_err(|error| format!("{error} {error:?}"))?;
    let shown = format!("{members:?}");
    assert!(!shown.contains("canary"), "{shown}");
    Ok(members.iter().map(short).collect::<Vec<_>>().join(" "))
}

fn short(member: &Member) -> String {
    match member {
        Member::ClientSecret { app, secret } => {
            assert_eq!((&*app.tenant, &*app.client, secret.secret()), ("tenant", "client", "canary"));
            "secret".into()
        }
        #[cfg(feature = "client-certificate")]
        Member::ClientCertificate { app, path, password } => {
            assert_eq!((&*app.tenant, &*app.client, &**path), ("tenant", "client", "/client.pfx"));
            if password.is_some() { "certificate+password".into() } else { "certificate".into() }
        }
        Member::WorkloadIdentity { app, file } => {
            assert_eq!((&*app.tenant, &*app.client, &**file), ("tenant", "client", "/token"));
            "workload".into()
        }
        Member::ManagedIdentity { client, imds } => {
            let client = client.as_ref().map_or(String::new(), |client| format!("+{client}"));
            format!("{}{client}", if *imds { "imds" } else { "managed" })
        }
        Member::AzureCli => "az".into(),
        Member::AzurePowerShell => "pwsh".into(),
        Member::AzureDeveloperCli => "azd".into(),
    }
}

#[test]
fn the_order_is_that_of_the_other_sdks() {
    for (variables, expected) in [
        (&[][..], "imds az pwsh azd"),
        (&[T, C, S], "secret imds+client az pwsh azd"),
        (&[T, C, F], "workload imds+client az pwsh azd"),
        (&[T, C, S, F], "secret workload imds+client az pwsh azd"),
        (&[T, C, S, P, W], "secret imds+client az pwsh azd"),
        (&[C], "imds+client az pwsh azd"),
        (&[T], "imds az pwsh azd"),
        (&[T, C], "imds+client az pwsh azd"),
        (&[E, H], "managed az pwsh azd"),
        (&[E, ("IMDS_ENDPOINT", "http://127.0.0.1:2")], "managed az pwsh azd"),
        (&[("MSI_ENDPOINT", "http://127.0.0.1:2")], "managed az pwsh azd"),
        // Empty is unset.
        (&[T, C, ("AZURE_CLIENT_SECRET", " "), ("AZURE_TOKEN_CREDENTIALS", "")], "imds+client az pwsh azd"),
        (&[PROD], "imds"),
        (&[PROD, T, C, S, F], "secret workload imds+client"),
        (&[only("dev"), T, C, S, F], "az pwsh azd"),
        (&[only(" Dev\n")], "az pwsh azd"),
        (&[only("EnvironmentCredential"), T, C, S, F], "secret"),
        (&[only("WorkloadIdentityCredential"), T, C, S, F], "workload"),
        (&[only("ManagedIdentityCredential"), T, C, S, F], "imds+client"),
        (&[only("managedidentitycredential"), E, H], "managed"),
        (&[only("AzureCliCredential"), T, C, S], "az"),
        (&[only("AZUREPOWERSHELLCREDENTIAL")], "pwsh"),
        (&[only("AzureDeveloperCliCredential")], "azd"),
        // What is not chosen is not judged.
        (&[only("dev"), S, F, H], "az pwsh azd"),
        (&[only("dev"), ("IDENTITY_ENDPOINT", "")], "az pwsh azd"),
        (&[only("AzureCliCredential"), ("AZURE_AUTHORITY_HOST", "nowhere")], "az"),
    ] {
        assert_eq!(chosen(variables).as_deref(), Ok(expected), "{variables:?}");
    }
}

#[test]
fn what_is_half_set_or_not_there_is_an_error_that_names_it() {
    for (variables, expected) in [
        (&[S][..], "AZURE_CLIENT_SECRET is set and AZURE_TENANT_ID is not"),
        (&[S, C], "AZURE_CLIENT_SECRET is set and AZURE_TENANT_ID is not"),
        (&[S, T], "AZURE_CLIENT_SECRET is set and AZURE_CLIENT_ID is not"),
        (&[S, T, ("AZURE_CLIENT_ID", "")], "AZURE_CLIENT_SECRET is set and AZURE_CLIENT_ID is not"),
        (&[T, C, W], "AZURE_CLIENT_CERTIFICATE_PASSWORD is set and AZURE_CLIENT_CERTIFICATE_PATH is not"),
        (&[F, T], "AZURE_FEDERATED_TOKEN_FILE is set and AZURE_CLIENT_ID is not"),
        (&[F, C], "AZURE_FEDERATED_TOKEN_FILE is set and AZURE_TENANT_ID is not"),
        (&[H], "IDENTITY_HEADER is set and IDENTITY_ENDPOINT is not"),
        (&[E], "IDENTITY_ENDPOINT is set and IDENTITY_HEADER is not"),
        (&[("IDENTITY_ENDPOINT", "")], "IDENTITY_ENDPOINT is set and empty"),
        (&[PROD, E, ("IDENTITY_HEADER", " ")], "IDENTITY_HEADER is set and empty"),
        (&[E, H, ("IDENTITY_SERVER_THUMBPRINT", "")], "IDENTITY_SERVER_THUMBPRINT is set and empty"),
        (&[E, ("IMDS_ENDPOINT", "")], "IMDS_ENDPOINT is set and empty"),
        (&[("MSI_ENDPOINT", "")], "MSI_ENDPOINT is set and empty"),
        (&[("MSI_ENDPOINT", "http://127.0.0.1:2"), ("MSI_SECRET", "")], "MSI_SECRET is set and empty"),
        (
            &[only("EnvironmentCredential"), T, C],
            "AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH is not set",
        ),
        (&[only("WorkloadIdentityCredential"), T, C, S], "AZURE_FEDERATED_TOKEN_FILE is not set"),
        (&[T, C, S, ("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")], "AZURE_AUTHORITY_HOST has to be"),
        (
            &[only("VisualStudioCredential")],
            "one of EnvironmentCredential, WorkloadIdentityCredential, Managed",
        ),
        (&[only("InteractiveBrowserCredential")], "can be prod, dev, or one of"),
        (&[only("canary")], "can be prod, dev, or one of"),
    ] {
        let error = chosen(variables).unwrap_err();
        assert!(error.contains(expected) && !error.contains("canary"), "{variables:?}: {error}");
    }
}

#[cfg(feature = "client-certificate")]
#[test]
fn a_certificate_comes_where_there_is_no_secret() {
    assert_eq!(chosen(&[PROD, T, C, P]).as_deref(), Ok("certificate imds+client"));
    assert_eq!(chosen(&[PROD, T, C, P, W]).as_deref(), Ok("certificate+password imds+client"));
    assert!(
        chosen(&[P, C])
            .unwrap_err()
            .contains("AZURE_CLIENT_CERTIFICATE_PATH is set and AZURE_TENANT_ID is not")
    );
}

#[cfg(not(feature = "client-certificate"))]
#[test]
fn a_certificate_needs_a_feature() {
    assert!(chosen(&[T, C, P]).unwrap_err().contains("its feature `client-certificate`"));
}

#[test]
fn a_choice_in_the_code_goes_before_that_of_the_environment() {
    let env = |name: &str| (name == "AZURE_TOKEN_CREDENTIALS").then(|| "prod".to_owned());
    for choice in ["dev", " Dev\n"] {
        let members = plan(&Env(&env), Some(choice)).unwrap();
        assert_eq!(members.iter().map(short).collect::<Vec<_>>(), ["az", "pwsh", "azd"]);
    }
    for choice in ["VisualStudioCredential", "", " "] {
        assert!(plan(&Env(&env), Some(choice)).is_err(), "{choice:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_not_taken_for_one_that_is_unset() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

    let names = [T.0, C.0, S.0, P.0, W.0, F.0, E.0, H.0, PROD.0, "AZURE_AUTHORITY_HOST", "MSI_SECRET"];
    for name in names {
        let get = |other: &str| (other == name).then(|| OsString::from_vec(b"canary\xff".to_vec()));
        let error = check(get).unwrap_err().to_string();
        assert_eq!(error, format!("{name} is set to what is not Unicode"));
    }
    assert!(check(|_| Some("é".into())).is_ok() && check(|_| None).is_ok());
}
