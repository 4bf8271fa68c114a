//! The hunt of `tests/leaks`, where others have been told to print all they can:
//! `azure_core` by its feature `debug`, the others by their features for logs.

#[path = "../leaks/hunt/mod.rs"]
mod hunt;

use hunt::exceptions::{ALWAYS, Exception};

/// Those that come with these features.
const LOUD: &[Exception] = &[
    Exception { by: "INFO typespec_client_core::http::policies::logging", shows: &["name"] },
    Exception {
        by: "DEBUG typespec_client_core::http::policies::logging",
        shows: &["header", "name", "secret", "token"],
    },
    Exception { by: "DEBUG typespec_client_core::http::policies::transport", shows: &["name"] },
    Exception { by: "DEBUG typespec_client_core::http::clients::reqwest", shows: &["name"] },
    // What a tool is started with. The hunt gives it a token, which `azure_identity` and this crate do not.
    Exception { by: "DEBUG process_wrap::tokio::process_group", shows: &["secret", "token"] },
];

/// Who has nothing to hide, and speaks only with these features.
const HEARD: &[&str] = &["TRACE hyper::", "TRACE rustls::"];

#[tokio::test]
async fn this_crate_is_as_quiet_where_others_print_all_they_can() {
    hunt::everything(&[ALWAYS, LOUD], HEARD).await;
}
