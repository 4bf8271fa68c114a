//! The compared crates, each configured as its documentation describes.

mod aws;
mod azure;
mod azure_healthcare_auth;
mod gcp;
mod google;
mod object_store;

pub use self::{
    aws::Aws, azure::AzureCore, azure_healthcare_auth::AzureHealthcareAuth, gcp::GcpAuth,
    google::GoogleCloudAuth, object_store::ObjectStore,
};
