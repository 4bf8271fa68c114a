//! Reads and writes `multipart/related` bodies (RFC 2046 §5.1, RFC 2387).

use bytes::{Bytes, BytesMut};
use memchr::memmem;

/// A part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The value of the `Content-Type` header.
    pub(super) content_type: Option<String>,
    pub(super) body: Bytes,
}

/// Returns the parts of a body, or `None` if it is not complete or not valid.
pub(super) fn parse(body: &Bytes, boundary: &str) -> Option<Vec<Part>> {
    let delimiter = format!("\r\n--{boundary}");
    let first = &delimiter["\r\n".len()..];
    // The first delimiter can be at the start of the body. What precedes it is a preamble.
    let mut position = if body.starts_with(first.as_bytes()) {
        first.len()
    } else {
        find(body, delimiter.as_bytes())? + delimiter.len()
    };
    let mut parts = Vec::new();
    loop {
        let rest = body.get(position..)?;
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        // White space can follow a delimiter.
        let line_end = find(rest, b"\r\n")?;
        if !rest.get(..line_end)?.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return None;
        }
        let start = position + line_end + "\r\n".len();
        let length = find(body.get(start - "\r\n".len()..)?, delimiter.as_bytes())?;
        // An empty part ends with the line break that starts it.
        let end = (start - "\r\n".len() + length).max(start);
        parts.push(part(&body.slice(start..end))?);
        position = start - "\r\n".len() + length + delimiter.len();
    }
}

/// Separates the headers of a part from its body.
fn part(part: &Bytes) -> Option<Part> {
    let (headers, body) = if part.starts_with(b"\r\n") {
        (&[][..], part.slice(2..))
    } else {
        let end = find(part, b"\r\n\r\n")?;
        (part.get(..end)?, part.slice(end + 4..))
    };
    let mut content_type = None;
    for line in std::str::from_utf8(headers).ok()?.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-type") {
            content_type = Some(value.trim().to_owned());
        }
    }
    Some(Part { content_type, body })
}

/// Writes parts with the same content type.
pub(super) fn write(parts: &[Part], boundary: &str) -> Bytes {
    let mut body = BytesMut::new();
    for Part { content_type, body: part } in parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        if let Some(content_type) = content_type {
            body.extend_from_slice(format!("Content-Type: {content_type}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body.freeze()
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    memmem::find(text, pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(content_type: Option<&str>, body: &'static [u8]) -> Part {
        Part { content_type: content_type.map(str::to_owned), body: Bytes::from_static(body) }
    }

    #[test]
    fn written_parts_can_be_read() {
        let parts = [
            part(Some("application/dicom"), b"a\r\n--b\r\n\r\n"),
            part(None, b""),
            part(Some("x"), b"--x\0\xFF"),
        ];
        assert_eq!(parse(&write(&parts, "boundary"), "boundary").unwrap(), parts);
        assert_eq!(parse(&write(&[], "boundary"), "boundary").unwrap(), []);
    }

    #[test]
    fn preamble_epilogue_and_spaces_are_ignored() {
        let body = Bytes::from_static(
            b"preamble\r\n--b \t\r\ncontent-TYPE:  a/b \r\nX: y\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\nepilogue",
        );
        assert_eq!(parse(&body, "b").unwrap(), [part(Some("a/b"), b"one"), part(None, b"two")]);
    }

    #[test]
    fn incomplete_bodies_are_errors() {
        let whole = write(&[part(Some("a/b"), b"one"), part(None, b"two")], "b");
        let complete = whole.len() - "\r\n".len();
        for end in 0..complete {
            assert_eq!(parse(&whole.slice(..end), "b"), None, "{end}");
        }
        assert!(parse(&whole.slice(..complete), "b").is_some());
        for invalid in [
            "",
            "--c--",
            "--bx\r\n\r\n\r\n--b--",
            "--b\r\nno-colon\r\n\r\n\r\n--b--",
            "--b\r\nheader: x\r\n--b--",
        ] {
            assert_eq!(parse(&Bytes::from_static(invalid.as_bytes()), "b"), None, "{invalid}");
        }
    }
}
