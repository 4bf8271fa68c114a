//! [`Query`]: the parameters of a search, by name.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use url::form_urlencoded;

use crate::fhir::{format::is_media_type, outcome::Outcome};

/// What ASP.NET Core's link generator encodes in a query: all that `UrlEncoder.Default` does not allow in a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'@');

/// The parameters of a search, with the values of equal names together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, Vec<String>)>);

impl Query {
    /// Adds the parameters of the form of a posted search (`fhir-server SearchPostReroutingMiddleware.cs`).
    ///
    /// A form without a `Content-Type` is ignored, so that the search returns every resource.
    pub(super) fn with_form(mut self, content_type: Option<&str>, form: &[u8]) -> Result<Self, Outcome> {
        let Some(content_type) = content_type else { return Ok(self) };
        if is_media_type(content_type, "multipart/form-data") {
            return Err(Outcome::unsupported("multipart forms"));
        }
        if !is_media_type(content_type, "application/x-www-form-urlencoded") {
            let diagnostics =
                "The `Content-Type` of a posted search must be `application/x-www-form-urlencoded`.";
            return Err(Outcome::invalid(diagnostics));
        }
        for (name, mut values) in Self::parse(form).0 {
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                // The values of the form come first.
                Some((_, known)) => {
                    values.append(known);
                    *known = values;
                }
                None => self.0.push((name, values)),
            }
        }
        for (_, values) in &mut self.0 {
            let all = std::mem::take(values);
            all.into_iter().for_each(|value| {
                if !values.contains(&value) {
                    values.push(value)
                }
            });
        }
        Ok(self)
    }

    pub(super) fn parse(text: &[u8]) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text) {
            match query.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value.into_owned()),
                None => query.0.push((name.into_owned(), vec![value.into_owned()])),
            }
        }
        query
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), value.as_str())))
    }

    /// Returns the parameters of the next page: without `_total`, and with another continuation token (`fhir-server
    /// UrlResolver.cs`).
    pub(super) fn next(&self, continuation_token: String) -> Self {
        let mut next = self.clone();
        next.0.retain(|(name, _)| !name.eq_ignore_ascii_case("_total"));
        match next.0.iter_mut().find(|(name, _)| name == "ct") {
            Some((_, values)) => *values = vec![continuation_token],
            None => next.0.push(("ct".to_owned(), vec![continuation_token])),
        }
        next
    }

    /// Returns a URL with these parameters.
    pub(super) fn url(&self, path: &str) -> String {
        let encode = |text: &str| percent_encode(text.as_bytes(), ENCODED).to_string();
        let pairs: Vec<_> =
            self.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        format!("{path}{}{}", if pairs.is_empty() { "" } else { "?" }, pairs.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_together_in_links() {
        let query = Query::parse(b"name=a&_total=accurate&birthdate=ge2000&name=b+c");
        assert_eq!(query.url("/Patient"), "/Patient?name=a&name=b%20c&_total=accurate&birthdate=ge2000");
        assert_eq!(Query::default().url("/Patient"), "/Patient");
    }

    #[test]
    fn link_to_the_next_page_drops_the_total_and_replaces_the_token() {
        let first = Query::parse(b"_total=accurate&_count=2").next("a+/=".to_owned());
        assert_eq!(first.url(""), "?_count=2&ct=a%2B%2F%3D");
        assert_eq!(first.next("b".to_owned()).url(""), "?_count=2&ct=b");
    }

    #[test]
    fn links_encode_what_the_real_service_encodes() {
        let query = Query::parse(b"identifier=https%3A%2F%2Fexample.com%7C1,2");
        assert_eq!(query.url(""), "?identifier=https%3A%2F%2Fexample.com%7C1,2");
    }
}
