//! The marker values, and [`markers_in`], which finds them in any common encoding.

use std::sync::LazyLock;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// The kind and the text of each marker. The text is lower case, so that neither URLs nor quoting change it.
pub(crate) const MARKERS: &[(&str, &str)] = &[
    ("token", "canarytoken"),
    // An unused claim of a token, which is in the output only if the whole payload is.
    ("token", "canaryclaim"),
    ("secret", "canarysecret"),
    ("assertion", "canaryassertion"),
    ("id", "canaryid"),
    ("name", "canaryname"),
    ("header", "canaryheader"),
    ("body", "canarybody"),
    ("diagnostics", "canarydiagnostics"),
    ("challenge", "canarychallenge"),
    ("user", "canaryuser"),
];

/// The prefix of all tokens, including those of the fake server.
const TOKEN_PREFIX: &str = "eyJ";

/// A client secret in the format of Entra, 40 characters.
pub(crate) const SECRET: &str = "abc8Q~canarysecret0123456789canary012345";

pub(crate) static TOKEN: LazyLock<String> = LazyLock::new(|| token("canarytoken-0123456789"));
pub(crate) static OTHER_TOKEN: LazyLock<String> = LazyLock::new(|| token("canarytoken-9876543210"));
pub(crate) static ASSERTION: LazyLock<String> = LazyLock::new(|| token("canaryassertion-0123456789"));

fn token(signature: &str) -> String {
    let claims = r#"{"aud":"https://contoso.example","oid":"someone","exp":7258118400,"more":"canaryclaim"}"#;
    let [header, claims] = [r#"{"alg":"none"}"#, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.{signature}")
}

/// The encodings of one marker.
struct Encodings {
    kind: &'static str,
    /// Plain text and lists of bytes, which are compared without regard to case and whitespace.
    case_insensitive: Vec<String>,
    /// Base64, and the prefix of tokens.
    case_sensitive: Vec<String>,
}

static ENCODINGS: LazyLock<Vec<Encodings>> = LazyLock::new(|| {
    let prefix = Encodings {
        kind: "token",
        case_insensitive: Vec::new(),
        case_sensitive: vec![TOKEN_PREFIX.to_owned()],
    };
    let markers = MARKERS.iter().map(|&(kind, text)| {
        let bytes = |format: fn(u8) -> String, separator: &str| {
            text.bytes().map(format).collect::<Vec<_>>().join(separator)
        };
        let case_insensitive = vec![
            text.to_owned(),
            bytes(|byte| byte.to_string(), ","),
            bytes(|byte| format!("{byte:x}"), ","),
            bytes(|byte| format!("0x{byte:x}"), ","),
            bytes(|byte| format!("{byte:x}"), ""),
            bytes(|byte| format!("%{byte:x}"), ""),
            bytes(|byte| format!("\\x{byte:x}"), ""),
        ];
        let case_sensitive = (0..3).map(|offset| base64(text, offset)).collect();
        Encodings { kind, case_insensitive, case_sensitive }
    });
    markers.chain([prefix]).collect()
});

/// Returns the base64 characters that depend only on `text`, if `text` starts at this offset in the encoded bytes.
fn base64(text: &str, offset: usize) -> String {
    let encoded = STANDARD_NO_PAD.encode(format!("{}{text}", "\0".repeat(offset)));
    let (from, to) = ((offset * 8).div_ceil(6), (offset + text.len()) * 8 / 6);
    encoded[from..to].to_owned()
}

/// Returns the kinds of the markers in a text, each once.
pub(crate) fn markers_in(text: &str) -> Vec<&'static str> {
    let original: String = text.split_whitespace().collect();
    let lower_case = original.to_lowercase();
    let occurs = |encodings: &&Encodings| {
        encodings.case_insensitive.iter().any(|encoded| lower_case.contains(encoded))
            || encodings.case_sensitive.iter().any(|encoded| original.contains(encoded))
    };
    let mut kinds: Vec<_> = ENCODINGS.iter().filter(occurs).map(|encodings| encodings.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[test]
fn markers_are_found_in_every_encoding() {
    for (kind, marker) in MARKERS {
        let text = format!("x {marker}-{marker}/y");
        let bytes = text.as_bytes();
        let each = |format: fn(&u8) -> String| bytes.iter().map(format).collect::<String>();
        for encoded in [
            format!("{text:?}"),
            text.to_uppercase(),
            format!("{bytes:?}"),
            format!("{bytes:#?}"),
            format!("{bytes:x?}"),
            format!("{bytes:02X?}"),
            format!("{:?}", bytes::Bytes::copy_from_slice(bytes)),
            each(|byte| format!("%{byte:02X}")),
            each(|byte| format!("\\x{byte:02x}")),
            each(|byte| format!("{byte:02x}")),
            STANDARD_NO_PAD.encode(&text),
            URL_SAFE_NO_PAD.encode(&text[1..]),
            URL_SAFE_NO_PAD.encode(&text[2..]),
        ] {
            assert_eq!(markers_in(&encoded), [*kind], "{encoded}");
        }
    }
    assert_eq!(markers_in(TOKEN.split('.').nth(1).unwrap().trim_start_matches("eyJ")), ["token"]);
    assert_eq!(markers_in("a marker, and its token"), [""; 0]);
}
