//! Lists the data partitions (`dicom-server PartitionController.cs`).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use azure_core::time::{OffsetDateTime, to_rfc3339};
use http::StatusCode;
use serde_json::{Value, json};

use super::{reply, service::DicomService};

pub(super) async fn list(State(service): State<Arc<DicomService>>) -> Response {
    if !service.has_partitions {
        return reply::text(StatusCode::BAD_REQUEST, "Data partitions are not enabled.");
    }
    let store = service.store();
    let entries: Vec<Value> = (1..)
        .zip(store.partitions())
        .map(|(key, partition)| {
            let created = to_rfc3339(&OffsetDateTime::from(partition.created)).replace('Z', "+00:00");
            json!({"partitionKey": key, "partitionName": partition.name, "createdDate": created})
        })
        .collect();
    reply::json(&entries)
}
