//! Tests of the parser.

use super::*;
use crate::claims::samples::RandomBytes;

/// Formats the parsed header as one line: `Scheme token68 name<value> | …`.
fn parse_to_line(value: &str) -> String {
    let format_challenge = |c: &Challenge| {
        let params: String = c.params().map(|(n, v)| format!(" {n}<{v}>")).collect();
        format!("{} {}{params}", c.scheme(), c.token68().unwrap_or("-"))
    };
    parse(value.as_bytes()).iter().map(format_challenge).collect::<Vec<_>>().join(" | ")
}

#[test]
fn challenges_are_parsed_by_the_grammar_and_leniently() {
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
        (r#"realm="orphan", Bearer a=b"#, "Bearer - a<b>"),
        (r#"Bearer (comment), Basic realm="x""#, "Bearer - | Basic - realm<x>"),
        ("Bearer realm=", "Bearer realm="),
        ("", ""),
    ] {
        assert_eq!(parse_to_line(header), expected, "{header}");
    }
}

#[test]
fn param_ignores_case_and_returns_the_first_match() {
    let challenges = parse(br#"Bearer Error="first", ERROR="second""#);
    assert_eq!(challenges[0].param("error"), Some("first"));
    assert!(challenges[0].is("BEARER") && !challenges[0].is("Basic"));
}

#[test]
fn challenges_of_several_headers_keep_their_order() {
    let mut headers = HeaderMap::new();
    headers.append(WWW_AUTHENTICATE, "Basic realm=a".parse().unwrap());
    headers.append(WWW_AUTHENTICATE, "Bearer, NTLM".parse().unwrap());
    let schemes: Vec<_> = from_headers(&headers).iter().map(|c| c.scheme().to_owned()).collect();
    assert_eq!(schemes, ["Basic", "Bearer", "NTLM"]);
}

#[test]
fn challenges_parameters_and_bytes_are_limited() {
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
fn random_headers_do_not_panic() {
    let mut random = RandomBytes::new(1);
    for _ in 0..2_000 {
        let bytes = random.bytes(80, b"Bearer=\"\\, \t\0\xff=a,=");
        assert!(parse(&bytes).len() <= MAX_CHALLENGES);
    }
}

#[test]
fn debug_output_of_a_challenge_shows_no_values() {
    let challenges = parse(br#"Secretive secret="secret""#);
    assert_eq!(format!("{challenges:?}"), "[Challenge { params: 1, .. }]");
}
