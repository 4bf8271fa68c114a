//! What is read of a header.

use super::*;
use crate::claims::samples::Noise;

/// A header as one line: `Scheme token68 name<value> | …`.
fn read(value: &str) -> String {
    let show = |c: &Challenge| {
        let params: String = c.params().map(|(n, v)| format!(" {n}<{v}>")).collect();
        format!("{} {}{params}", c.scheme(), c.token68().unwrap_or("-"))
    };
    parse(value.as_bytes()).iter().map(show).collect::<Vec<_>>().join(" | ")
}

#[test]
fn headers_are_read_as_the_grammar_says() {
    for (header, expected) in [
        ("Bearer", "Bearer -"),
        (r#"Bearer error="invalid_token""#, "Bearer - error<invalid_token>"),
        (r#"bEARER ERROR = "a", x=y"#, "bEARER - ERROR<a> x<y>"),
        (
            r#"Bearer error_description="The \"audience\", \\ is\ninvalid""#,
            r#"Bearer - error_description<The "audience", \ isninvalid>"#,
        ),
        (r#"Basic realm="a, Bearer b", Bearer realm="c""#, "Basic - realm<a, Bearer b> | Bearer - realm<c>"),
        ("Negotiate, Bearer", "Negotiate - | Bearer -"),
        (
            "Negotiate a87421000492aa874209af8bc028==, NTLM",
            "Negotiate a87421000492aa874209af8bc028== | NTLM -",
        ),
        (
            r#"Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple""#,
            r#"Newauth - realm<apps> type<1> title<Login to "apps"> | Basic - realm<simple>"#,
        ),
        (r#", ,Bearer , , realm="a",,"#, "Bearer - realm<a>"),
        (r#"Bearer error="a" error_description="b""#, "Bearer - error<a> error_description<b>"),
        (
            r#"Bearer authorization_uri=https://login.example/x, resource_id="y""#,
            "Bearer - authorization_uri<https://login.example/x> resource_id<y>",
        ),
        (r#"Bearer error="never closed"#, "Bearer - error<never closed>"),
        (r#"Bearer error="ends with \"#, r#"Bearer - error<ends with >"#),
        (r#"realm="nobody's", Bearer a=b"#, "Bearer - a<b>"),
        (r#"Bearer (comment), Basic realm="x""#, "Bearer - | Basic - realm<x>"),
        ("Bearer realm=", "Bearer realm="),
        ("", ""),
    ] {
        assert_eq!(read(header), expected, "{header}");
    }
}

#[test]
fn the_first_of_two_parameters_counts_and_names_have_no_case() {
    let found = parse(br#"Bearer Error="first", ERROR="second""#);
    assert_eq!(found[0].param("error"), Some("first"));
    assert!(found[0].is("BEARER") && !found[0].is("Basic"));
}

#[test]
fn challenges_of_several_headers_stand_in_their_order() {
    let mut headers = HeaderMap::new();
    headers.append(WWW_AUTHENTICATE, "Basic realm=a".parse().unwrap());
    headers.append(WWW_AUTHENTICATE, "Bearer, NTLM".parse().unwrap());
    let schemes: Vec<_> = from_headers(&headers).iter().map(|c| c.scheme().to_owned()).collect();
    assert_eq!(schemes, ["Basic", "Bearer", "NTLM"]);
}

#[test]
fn no_header_is_too_long_for_the_limits() {
    let many = parse("a,".repeat(50_000).as_bytes());
    assert_eq!(many.len(), MAX_CHALLENGES);
    let long = parse(format!("Bearer {}", "a=b,".repeat(50_000)).as_bytes());
    assert_eq!(long[0].params().count(), MAX_PARAMS);
    let mut headers = HeaderMap::new();
    for _ in 0..3 {
        headers.append(WWW_AUTHENTICATE, format!("x a={}", "b".repeat(MAX_BYTES - 4)).parse().unwrap());
    }
    assert_eq!(from_headers(&headers).len(), 1);
    let mut headers = HeaderMap::new();
    headers.append(WWW_AUTHENTICATE, format!("x a={}", "b".repeat(16_000)).parse().unwrap());
    assert_eq!(from_headers(&headers)[0].param("a").map(str::len), Some(16_000));
    let mut headers = HeaderMap::new();
    for _ in 0..3 {
        headers.append(WWW_AUTHENTICATE, "a,b,c,d,e,f,g,h".parse().unwrap());
    }
    assert_eq!(from_headers(&headers).len(), MAX_CHALLENGES);
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let mut noise = Noise::new(1);
    for _ in 0..2_000 {
        let bytes = noise.bytes(80, b"Bearer=\"\\, \t\0\xff=a,=");
        assert!(parse(&bytes).len() <= MAX_CHALLENGES);
    }
}

#[test]
fn debug_shows_no_value() {
    let found = parse(br#"Secretive secret="secret""#);
    assert_eq!(format!("{found:?}"), "[Challenge { params: 1, .. }]");
}
