//! [`Exception`]: what others print all the same, and the sentence on all that was printed.

use std::collections::BTreeMap;

use super::{canary::found, witness::Print};

/// What somebody else prints, which this crate cannot mend.
pub(crate) struct Exception {
    /// The level and the target.
    pub(crate) by: &'static str,
    /// What the canaries stand for that it shows.
    pub(crate) shows: &'static [&'static str],
}

/// Those that there are whatever the features of others. `docs/security.md` says what to do about each.
pub(crate) const ALWAYS: &[Exception] = &[
    // The policy of `azure_core`'s pipeline, and that of the credentials of `azure_identity`.
    Exception { by: "INFO typespec_client_core::http::policies::logging", shows: &["id"] },
    Exception { by: "DEBUG typespec_client_core::http::policies::logging", shows: &["id", "challenge"] },
    Exception { by: "DEBUG typespec_client_core::http::policies::transport", shows: &["id"] },
    Exception { by: "DEBUG typespec_client_core::http::clients::reqwest", shows: &["id"] },
];

/// Fails if anybody shows a canary who is no exception, and if an exception shows it no longer.
pub(crate) fn judge(prints: &[Print], exceptions: &[&[Exception]]) {
    let exceptions: Vec<&Exception> = exceptions.iter().copied().flatten().collect();
    let mut leaks = BTreeMap::new();
    let mut shown = Vec::new();
    for print in prints {
        for name in found(&print.text) {
            let excepted =
                |exception: &&Exception| exception.by == print.by && exception.shows.contains(&name);
            match exceptions.iter().copied().find(excepted) {
                Some(exception) => shown.push((exception.by, name)),
                None => drop(leaks.insert((&print.by, name), (&print.way, &print.text))),
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    for exception in exceptions {
        for name in exception.shows {
            assert!(shown.contains(&(exception.by, name)), "{} no longer shows {name}", exception.by);
        }
    }
}
