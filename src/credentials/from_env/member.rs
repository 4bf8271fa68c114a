//! The credentials of a plan, built.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use azure_core::{
    cloud::CustomConfiguration,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{ClientOptions, Transport},
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential,
    AzureDeveloperCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::{
    authority::Authority,
    imds::ImdsProbe,
    patience,
    plan::{App, Member},
    rebuilt::Rebuildable,
    tool::{self, Tool},
};
use crate::{
    Result,
    credentials::{AzurePowerShellCredential, ChainedTokenCredential, ProcessExecutor},
};

type Built = azure_core::Result<Arc<dyn TokenCredential>>;

/// The chain of a plan. A transport takes the place of the network.
pub(super) fn chain(plan: Vec<Member>, transport: Option<&Transport>) -> Result<Arc<ChainedTokenCredential>> {
    let alone = plan.len() == 1;
    let chain = plan.into_iter().try_fold(ChainedTokenCredential::new(), |chain, member| {
        Ok::<_, crate::Error>(chain.with(member.name(), member.credential(transport.cloned(), alone)?))
    })?;
    Ok(Arc::new(chain))
}

impl Member {
    fn name(&self) -> &'static str {
        match self {
            Self::ClientSecret { .. } => "client secret",
            #[cfg(feature = "client-certificate")]
            Self::ClientCertificate { .. } => "client certificate",
            Self::WorkloadIdentity { .. } => "workload identity",
            Self::ManagedIdentity { .. } => "managed identity",
            Self::AzureCli => "Azure CLI",
            Self::AzurePowerShell => "Azure PowerShell",
            Self::AzureDeveloperCli => "Azure Developer CLI",
        }
    }

    fn credential(self, transport: Option<Transport>, alone: bool) -> Result<Arc<dyn TokenCredential>> {
        let executor = Some(Arc::new(ProcessExecutor::new()) as _);
        Ok(match self {
            Self::ClientSecret { app, secret } => of_app(app, transport, move |app, client_options| {
                let options = ClientSecretCredentialOptions { client_options };
                let (client, secret) = (app.client.clone(), secret.clone());
                Ok(ClientSecretCredential::new(&app.tenant, client, secret, Some(options))?)
            }),
            #[cfg(feature = "client-certificate")]
            Self::ClientCertificate { app, path, password } => of_app(app, transport, move |app, options| {
                super::certificate::credential(app, &path, password.clone(), options)
            }),
            Self::WorkloadIdentity { app, file } => of_app(app, transport, move |app, client_options| {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    client_id: Some(app.client.clone()),
                    tenant_id: Some(app.tenant.clone()),
                    token_file_path: Some((&file).into()),
                };
                Ok(WorkloadIdentityCredential::new(Some(options))?)
            }),
            Self::ManagedIdentity { client, imds } => {
                let sent_by = transport.clone();
                let credential = Arc::new(Rebuildable::new(move || {
                    let options = ManagedIdentityCredentialOptions {
                        user_assigned_id: client.clone().map(UserAssignedId::ClientId),
                        client_options: patience::options(sent_by.clone()),
                    };
                    Ok(ManagedIdentityCredential::new(Some(options))?)
                }));
                match imds && alone {
                    true => credential,
                    // Where the environment tells its address it is there.
                    false => Arc::new(ImdsProbe::new(credential, transport, !imds)),
                }
            }
            Self::AzureCli => {
                let options = AzureCliCredentialOptions { executor, ..Default::default() };
                Arc::new(Tool { name: "az", credential: AzureCliCredential::new(Some(options))? })
            }
            Self::AzurePowerShell => Arc::new(AzurePowerShellCredential::new().with_timeout(tool::LIMIT)),
            Self::AzureDeveloperCli => {
                let options = AzureDeveloperCliCredentialOptions { executor, ..Default::default() };
                Arc::new(Tool { name: "azd", credential: AzureDeveloperCliCredential::new(Some(options))? })
            }
        })
    }
}

/// The credential of an app registration: one that asks the authority, if the service is in its cloud.
struct OfApp {
    authority: Authority,
    credential: Rebuildable,
}

fn of_app(
    app: App,
    transport: Option<Transport>,
    build: impl Fn(&App, ClientOptions) -> Built + Send + Sync + 'static,
) -> Arc<dyn TokenCredential> {
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = app.authority.url().to_owned();
    let cloud = Arc::new(cloud.into());
    let authority = app.authority.clone();
    let credential = Rebuildable::new(move || {
        let mut options = patience::options(transport.clone());
        options.cloud = Some(Arc::clone(&cloud));
        build(&app, options)
    });
    Arc::new(OfApp { authority, credential })
}

#[async_trait]
impl TokenCredential for OfApp {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        scopes.iter().try_for_each(|scope| self.authority.check_url(scope))?;
        self.credential.get_token(scopes, options).await
    }
}

impl fmt::Debug for OfApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfApp").field("authority", &self.authority).finish_non_exhaustive()
    }
}
