//! Tests of the selection, and of each credential when Entra or the managed identity endpoint fails.

mod fake_entra;
mod http_credentials;
mod managed_identity;
mod rebuildable;
mod rerun;
mod secrets;
mod selection;
