//! Searches.

mod criterion;
mod matching;
mod page;
mod parameter;
mod period;
mod query;
mod reference;
mod text;

use axum::response::Response;
use http::{StatusCode, header};

use self::{
    criterion::{Context, Criterion, invalid_operation},
    matching::{criterion, matches_all},
    page::{MAX_COUNT, Page, Position},
    query::Query,
};
pub(crate) use self::{matching::matching, parameter::values_at, period::Period, reference::Reference};
use super::{call::Call, outcome::Outcome, reply, store::Store};

/// The number of resources in a page if the search has no `_count` (`fhir-server CoreFeatureConfiguration.cs`).
const DEFAULT_COUNT: usize = 10;

/// `GET /{type}` and `POST /{type}/_search`.
pub(crate) fn search(call: &Call) -> Result<Response, Outcome> {
    let mut query = Query::parse(call.query.as_bytes());
    if call.path.ends_with("/_search") {
        query = query.with_form(call.header(&header::CONTENT_TYPE), &call.body)?;
    }
    let context =
        Context { resource_type: call.resource_type(), origin: &call.service.origin, now: Some(call.now()) };
    let search = Search::parse(context, &query)?;
    let store = call.service.store();
    let page = search.run(context, &store)?;
    Ok(reply::json(StatusCode::OK, page.bundle(call, &query)))
}

/// `GET /` and `POST /_search`.
pub(crate) fn search_all(_call: &Call) -> Result<Response, Outcome> {
    Err(Outcome::unsupported("searches of all resource types"))
}

/// Returns the search parameters of a resource type, by name and type, for the capability statement.
pub(crate) fn parameters(resource_type: &str) -> Vec<(&'static str, &'static str)> {
    parameter::names(resource_type)
}

/// A search with everything that determines its result.
#[derive(Debug)]
struct Search {
    criteria: Vec<Criterion>,
    count: usize,
    /// The `_count` of the request if it exceeds the limit.
    excessive_count: Option<i64>,
    /// Set if the response contains only the number of resources.
    count_only: bool,
    total: bool,
    descending: bool,
    after: Option<Position>,
}

impl Search {
    /// Reads the parameters of a search (`fhir-server SearchOptionsFactory.cs`).
    fn parse(context: Context<'_>, query: &Query) -> Result<Self, Outcome> {
        let mut search = Self {
            criteria: Vec::new(),
            count: DEFAULT_COUNT,
            excessive_count: None,
            count_only: false,
            total: false,
            descending: false,
            after: None,
        };
        for (name, value) in query.iter() {
            match name {
                "ct" if search.after.is_some() => {
                    return Err(invalid_operation("A search must not have several parameters `ct`."));
                }
                "ct" => {
                    let invalid = || Outcome::invalid("The continuation token is invalid.");
                    search.after = Some(Position::parse(value).ok_or_else(invalid)?);
                }
                "_format" | "_pretty" => {}
                "_count" => search.set_count(value)?,
                "_summary" => match value.to_ascii_lowercase().as_str() {
                    "count" => search.count_only = true,
                    "false" => {}
                    "true" | "text" | "data" => {
                        return Err(Outcome::unsupported("`_summary` other than `count`"));
                    }
                    _ => return Err(Outcome::invalid("The value of `_summary` is invalid.")),
                },
                "_sort" => match value {
                    "_lastUpdated" => search.descending = false,
                    "-_lastUpdated" => search.descending = true,
                    _ => return Err(Outcome::unsupported("`_sort` by anything but `_lastUpdated`")),
                },
                name if name.eq_ignore_ascii_case("_total") => match value.to_ascii_lowercase().as_str() {
                    "accurate" => search.total = true,
                    "none" => search.total = false,
                    "estimate" => {
                        let diagnostics = "The service does not support `_total=estimate`.";
                        return Err(Outcome::new(StatusCode::FORBIDDEN, "not-supported", diagnostics));
                    }
                    _ => return Err(Outcome::invalid("`_total` must be `accurate` or `none`.")),
                },
                name => search.criteria.push(criterion(context, name, value)?),
            }
        }
        Ok(search)
    }

    /// Reads `_count`: zero is a search for the number of resources, and a high value has a limit.
    fn set_count(&mut self, value: &str) -> Result<(), Outcome> {
        let invalid = || Outcome::invalid("`_count` must be a number that is not negative.");
        let count: i64 = value.trim().parse().map_err(|_| invalid())?;
        if count > i64::from(i32::MAX) {
            return Err(Outcome::new(StatusCode::BAD_REQUEST, "too-long", "`_count` is too high."));
        }
        let count_or_limit = usize::try_from(count).map_err(|_| invalid())?.min(MAX_COUNT);
        self.count_only |= count == 0;
        self.excessive_count = usize::try_from(count).is_ok_and(|count| count > MAX_COUNT).then_some(count);
        self.count = count_or_limit;
        Ok(())
    }

    /// Runs the search. Its order is that of the last change, oldest first (`fhir-server SqlServerSearchService.cs`).
    fn run<'a>(&self, context: Context<'_>, store: &'a Store) -> Result<Page<'a>, Outcome> {
        let found =
            || store.current(context.resource_type).filter(|resource| matches_all(&self.criteria, resource));
        let mut page = Page { excessive_count: self.excessive_count, ..Page::default() };
        if self.count_only {
            page.total = Some(found().count());
            return Ok(page);
        }
        page.total = self.total.then(|| found().count());
        let mut resources: Vec<_> = found().collect();
        if self.descending {
            resources.reverse();
        }
        let rest = resources.into_iter().filter(|resource| match self.after {
            None => true,
            Some(after) if self.descending => Position::of(resource) < after,
            Some(after) => Position::of(resource) > after,
        });
        page.resources = rest.take(self.count + 1).collect();
        // As in the real service, there is a next page only if it is not empty at this time.
        if page.resources.len() > self.count {
            page.resources.truncate(self.count);
            page.next = page.resources.last().map(|resource| Position::of(resource));
        }
        Ok(page)
    }
}
