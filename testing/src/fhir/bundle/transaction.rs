//! [`process`]: all entries or none.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::Arc,
};

use http::Method;
use url::form_urlencoded;

use super::{
    super::{
        call::Call,
        criteria::matching,
        json::Json,
        outcome::{Issue, Outcome},
        reference,
        store::{Store, new_id},
    },
    entry::{Entry, Reply},
    run::{Route, run},
};

/// Processes the entries on a copy of the store, which replaces the store if all of them succeed.
pub(super) fn process(call: &Call, route: Route, mut entries: Vec<Entry>) -> Result<Vec<Reply>, Outcome> {
    // No other request and no test can change the store in between.
    let mut store = call.service.store();
    let mut known = check(&store, &call.service.origin, &entries)?;
    assign_ids(&mut entries, &mut known);
    let references = known.into_iter().map(|(url, target)| (url, target.reference())).collect();
    entries.iter_mut().filter_map(|entry| entry.resource.as_mut()).for_each(|resource| {
        reference::resolve(resource, &references);
    });
    let working = Arc::new(call.service.with_store(store.clone(), call.now()));
    let replies = run(&working, route, call, &entries, |entry, reply| {
        if !reply.status.is_client_error() && !reply.status.is_server_error() {
            return Ok(());
        }
        let method = entry.method.as_ref().map_or("", Method::as_str);
        let diagnostics = format!("The transaction failed at the entry `{method} {}`.", entry.url);
        let all = [vec![Issue::new("processing", diagnostics)], reply.issues()].concat();
        Err(Outcome::with_issues(reply.status, all))
    })?;
    *store = mem::take(&mut *working.store());
    Ok(replies)
}

/// A resource to which a full URL refers.
struct Reference {
    resource_type: String,
    id: String,
}

impl Reference {
    fn reference(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }
}

/// Rejects what a transaction must not contain, and returns the existing resources that entries match, by full URL
/// (`fhir-server TransactionBundleValidator.cs`).
fn check(store: &Store, origin: &str, entries: &[Entry]) -> Result<HashMap<String, Reference>, Outcome> {
    let mut known = HashMap::new();
    let mut targets = HashSet::new();
    for entry in entries {
        if entry.url.is_empty() {
            return Err(Outcome::invalid("An entry of a transaction needs `request.url`."));
        }
        let Some(method) = &entry.method else {
            return Err(Outcome::invalid("An entry of a transaction needs a valid `request.method`."));
        };
        let has_query = entry.url.contains('?');
        if method == Method::POST && entry.url.contains("_search") || method == Method::DELETE && has_query {
            let diagnostics = "A transaction supports neither posted searches nor conditional deletes.";
            return Err(Outcome::invalid(diagnostics));
        }
        if entry.resource_type().as_deref() == Some("Bundle") {
            return Err(Outcome::invalid("A transaction cannot contain a Bundle."));
        }
        // Only entries that change a resource must be about different ones.
        if method == Method::GET || entry.url.contains('$') {
            continue;
        }
        let target = match criteria(entry, method)? {
            Some((resource_type, criteria)) => {
                let found = matching(store, resource_type, criteria, origin)?;
                match found.as_slice() {
                    [] => None,
                    [only] => {
                        let reference =
                            Reference { resource_type: resource_type.to_owned(), id: only.id().to_owned() };
                        let target = reference.reference();
                        known.extend(entry.full_url.clone().map(|url| (url, reference)));
                        Some(target)
                    }
                    _ => {
                        let diagnostics = "The criteria of an entry match several resources.";
                        return Err(Outcome::precondition_failed(diagnostics));
                    }
                }
            }
            None if method == Method::POST => entry.full_url.clone(),
            None => Some(entry.url.clone()),
        };
        if target.is_some_and(|target| !targets.insert(target.to_lowercase())) {
            return Err(Outcome::invalid("Several entries of the transaction are about the same resource."));
        }
    }
    Ok(known)
}

/// Returns the resource type and the criteria of a conditional entry.
fn criteria<'a>(entry: &'a Entry, method: &Method) -> Result<Option<(&'a str, &'a str)>, Outcome> {
    let query = entry.url.split_once('?');
    let has_criteria = query.is_some_and(|(_, query)| {
        form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name != "_meta-history")
    });
    match (method, &entry.if_none_exist) {
        (&Method::POST, Some(criteria)) => Ok(Some((&entry.url, criteria.trim_start_matches('?')))),
        (&Method::PUT, _) if has_criteria => Ok(query),
        (_, None) if !has_criteria => Ok(None),
        _ => Err(Outcome::invalid("An entry of the transaction cannot be conditional.")),
    }
}

/// Assigns ids to the resources that are created, so that other entries can refer to them (`fhir-server
/// BundleHandler.cs`).
fn assign_ids(entries: &mut [Entry], known: &mut HashMap<String, Reference>) {
    for entry in entries {
        let is_create = entry.method == Some(Method::POST)
            || entry.method == Some(Method::PUT) && entry.url.contains('?');
        let (Some(url), Some(resource_type)) = (&entry.full_url, entry.resource_type()) else { continue };
        if !is_create || known.contains_key(url) {
            continue;
        }
        let id = new_id();
        if let Some(fields) = entry.resource.as_mut().and_then(Json::as_object_mut) {
            fields.set("id", Json::string(&id));
        }
        known.insert(url.clone(), Reference { resource_type, id: id.clone() });
        entry.assigned_id = Some(id);
    }
}
