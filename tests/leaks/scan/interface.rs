//! Lists what the scan must cover, from the source code: all public names and all events of the crate.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The files that export public names of the library and of the testing crate.
const EXPORTS: &[&str] = &[
    include_str!("../../../src/lib.rs"),
    include_str!("../../../src/adapters/mod.rs"),
    include_str!("../../../src/credentials/mod.rs"),
    include_str!("../../../testing/src/lib.rs"),
];

/// The public modules of `lib.rs`: those in [`EXPORTS`], and those that export nothing to cover.
const MODULES: &[&str] = &["adapters", "credentials", "guide", "fuzzing"];

/// The enums of which the scan must cover every variant.
const ENUMS: &[(&str, &str)] = &[
    ("ErrorKind", include_str!("../../../src/error/kind.rs")),
    ("DenialCause", include_str!("../../../src/denial/cause.rs")),
    ("Fault", include_str!("../../../testing/src/fault/mod.rs")),
    ("ChallengeFormat", include_str!("../../../testing/src/token/challenge.rs")),
];

/// Public names without values, which the scan cannot cover.
const TRAITS_AND_ALIASES: &[&str] = &["Audience", "HealthcareAuth", "Result"];

/// Returns the public types, functions and variants (`Type::Variant`).
pub(crate) fn public_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in EXPORTS {
        for export in source.split("pub use ").skip(1) {
            let export = export.split(';').next().unwrap();
            let list = export.rsplit("::").next().unwrap().trim_matches(['{', '}']);
            names.extend(list.split(',').map(|name| name.trim().to_owned()));
        }
    }
    for (name, source) in ENUMS {
        let body = source.split_once(&format!("pub enum {name} {{\n")).unwrap().1;
        let body = body.split_once("\n}").unwrap().0;
        let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
        let variants = variants.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
        let word = |line: &str| line.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
        names.extend(variants.map(|line| format!("{name}::{}", word(line))));
    }
    names.retain(|name| !name.is_empty() && !TRAITS_AND_ALIASES.contains(&name.as_str()));
    names
}

const MACROS: &[&str] = &["trace!(", "debug!(", "info!(", "warn!(", "error!("];

/// Returns the messages of all events in the crate's source code.
pub(crate) fn events() -> BTreeSet<String> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|path| path.join("src/lib.rs").exists());
    let mut events = BTreeSet::new();
    let sources =
        files(&root.unwrap().join("src")).into_iter().filter(|file| file.extension() == Some("rs".as_ref()));
    for file in sources {
        let source = fs::read_to_string(file).unwrap();
        for event in source
            .split("tracing::")
            .skip(1)
            .filter(|event| MACROS.iter().any(|name| event.starts_with(name)))
        {
            let until_message = event.split("\")").next().unwrap();
            events.insert(until_message.rsplit('"').next().unwrap().to_owned());
        }
    }
    events
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn events_are_found_in_the_source_code() {
    let events = events();
    assert!(events.contains("request rejected or denied") && events.contains("token received"), "{events:?}");
    assert!(events.iter().all(|event| event.len() < 50), "{events:?}");
}

#[test]
fn public_names_are_found_in_the_source_code() {
    let names = public_names();
    for known in [
        "Denial",
        "HealthcareClientBuilder",
        "BearerService",
        "StaticTokenCredential",
        "ReceivedRequest",
        "DenialCause::MissingRole",
    ] {
        assert!(names.contains(known), "{names:#?}");
    }
    for module in EXPORTS[0].split("\npub mod ").skip(1) {
        let module = module.split(';').next().unwrap();
        assert!(
            MODULES.contains(&module),
            "`{module}` is not in `MODULES`: does it export names that the scan must cover?"
        );
    }
}
