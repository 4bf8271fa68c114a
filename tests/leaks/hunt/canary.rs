//! The canaries: words that stand for what must not be shown, and what each looks like in another dress.

use std::sync::LazyLock;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// What each stands for, and its word: small letters, so that neither a URL nor a quoted text changes it.
pub(crate) const CANARIES: &[(&str, &str)] = &[
    ("token", "canarytoken"),
    // In a token's payload, where nobody asks for it: seen only where the payload itself is.
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

/// How tokens begin, those of the stand-in too.
const HEAD: &str = "eyJ";

/// As Entra makes them, 40 characters.
pub(crate) const SECRET: &str = "abc8Q~canarysecret0123456789canary012345";

pub(crate) static TOKEN: LazyLock<String> = LazyLock::new(|| token("canarytoken-0123456789"));
pub(crate) static OTHER_TOKEN: LazyLock<String> = LazyLock::new(|| token("canarytoken-9876543210"));
pub(crate) static ASSERTION: LazyLock<String> = LazyLock::new(|| token("canaryassertion-0123456789"));

fn token(signature: &str) -> String {
    let claims = r#"{"aud":"https://contoso.example","oid":"someone","exp":4102444800,"more":"canaryclaim"}"#;
    let [head, claims] = [r#"{"alg":"none"}"#, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{head}.{claims}.{signature}")
}

/// A word as it may stand in a text: as it is and in bytes, where case and white space do not matter, and in base64.
struct Dresses {
    name: &'static str,
    folded: Vec<String>,
    exact: Vec<String>,
}

static DRESSES: LazyLock<Vec<Dresses>> = LazyLock::new(|| {
    let head = Dresses { name: "token", folded: Vec::new(), exact: vec![HEAD.to_owned()] };
    let words = CANARIES.iter().map(|&(name, word)| {
        let bytes =
            |show: fn(u8) -> String, between: &str| word.bytes().map(show).collect::<Vec<_>>().join(between);
        let folded = vec![
            word.to_owned(),
            bytes(|byte| byte.to_string(), ","),
            bytes(|byte| format!("{byte:x}"), ","),
            bytes(|byte| format!("0x{byte:x}"), ","),
            bytes(|byte| format!("{byte:x}"), ""),
            bytes(|byte| format!("%{byte:x}"), ""),
            bytes(|byte| format!("\\x{byte:x}"), ""),
        ];
        Dresses { name, folded, exact: (0..3).map(|before| base64(word, before)).collect() }
    });
    words.chain([head]).collect()
});

/// The letters in base64 that nothing but the word decides, where so many bytes stand before it.
fn base64(word: &str, before: usize) -> String {
    let whole = STANDARD_NO_PAD.encode(format!("{}{word}", "\0".repeat(before)));
    let (from, to) = ((before * 8).div_ceil(6), (before + word.len()) * 8 / 6);
    whole[from..to].to_owned()
}

/// What the canaries in a text stand for, each once.
pub(crate) fn found(text: &str) -> Vec<&'static str> {
    let exact: String = text.split_whitespace().collect();
    let folded = exact.to_lowercase();
    let worn = |dresses: &&Dresses| {
        dresses.folded.iter().any(|dress| folded.contains(dress))
            || dresses.exact.iter().any(|dress| exact.contains(dress))
    };
    let mut names: Vec<_> = DRESSES.iter().filter(worn).map(|dresses| dresses.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn a_canary_is_known_in_any_dress() {
    for (name, word) in CANARIES {
        let around = format!("x {word}-{word}/y");
        let bytes = around.as_bytes();
        let each = |show: fn(&u8) -> String| bytes.iter().map(show).collect::<String>();
        for dressed in [
            format!("{around:?}"),
            around.to_uppercase(),
            format!("{bytes:?}"),
            format!("{bytes:#?}"),
            format!("{bytes:x?}"),
            format!("{bytes:02X?}"),
            format!("{:?}", bytes::Bytes::copy_from_slice(bytes)),
            each(|byte| format!("%{byte:02X}")),
            each(|byte| format!("\\x{byte:02x}")),
            each(|byte| format!("{byte:02x}")),
            STANDARD_NO_PAD.encode(&around),
            URL_SAFE_NO_PAD.encode(&around[1..]),
            URL_SAFE_NO_PAD.encode(&around[2..]),
        ] {
            assert_eq!(found(&dressed), [*name], "{dressed}");
        }
    }
    assert_eq!(found(TOKEN.split('.').nth(1).unwrap().trim_start_matches("eyJ")), ["token"]);
    assert_eq!(found("a canary, and its token"), [""; 0]);
}
