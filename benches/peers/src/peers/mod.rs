//! The crates that are compared, each as its documentation sets it up.

mod aws;
mod azure;
mod gcp;
mod google;
mod object_store;
mod ours;

pub use self::{
    aws::Aws, azure::AzureCore, gcp::GcpAuth, google::GoogleCloudAuth, object_store::ObjectStore, ours::Ours,
};
