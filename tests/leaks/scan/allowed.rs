//! [`check_output`]: fails if the output contains a marker that is not in the list of allowed ones.

use std::collections::BTreeMap;

use super::{capture::Output, marker::markers_in};

/// Markers in the output of a dependency that this crate cannot prevent.
pub(crate) struct AllowedMarkers {
    /// The level and the target of the event or span.
    pub(crate) source: &'static str,
    /// The kinds of the markers.
    pub(crate) markers: &'static [&'static str],
}

/// The markers that are allowed with any features of the dependencies. `docs/security.md` explains how to avoid each.
pub(crate) const DEFAULT: &[AllowedMarkers] = &[
    // The pipeline of `azure_core`, which the credentials of `azure_identity` also use.
    AllowedMarkers { source: "INFO typespec_client_core::http::policies::logging", markers: &["id"] },
    AllowedMarkers {
        source: "DEBUG typespec_client_core::http::policies::logging",
        markers: &["id", "challenge"],
    },
    AllowedMarkers { source: "DEBUG typespec_client_core::http::policies::transport", markers: &["id"] },
    AllowedMarkers { source: "DEBUG typespec_client_core::http::clients::reqwest", markers: &["id"] },
];

/// Fails if the output contains a marker that is not allowed, or does not contain one that is allowed.
pub(crate) fn check_output(outputs: &[Output], allowed: &[&[AllowedMarkers]]) {
    let allowed: Vec<&AllowedMarkers> = allowed.iter().copied().flatten().collect();
    let mut leaks = BTreeMap::new();
    let mut seen = Vec::new();
    for output in outputs {
        for marker in markers_in(&output.text) {
            let matches =
                |entry: &&AllowedMarkers| entry.source == output.source && entry.markers.contains(&marker);
            match allowed.iter().copied().find(matches) {
                Some(entry) => seen.push((entry.source, marker)),
                None => drop(leaks.insert((&output.source, marker), (&output.section, &output.text))),
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    for AllowedMarkers { source, markers } in allowed {
        for marker in *markers {
            assert!(seen.contains(&(source, marker)), "{source} does not log {marker}: remove the entry");
        }
    }
}
