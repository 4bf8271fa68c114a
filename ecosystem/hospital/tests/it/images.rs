//! Images: from a modality to the DICOM service and back into the archive.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use axum::http::{Method, StatusCode};
use azure_healthcare_auth_testing::{Fault, RequestFilter, dicom_file};

use crate::support::{Hospital, SETTLE, data_set, files};

impl Hospital {
    /// Sends an image to the service as a modality does.
    async fn add_image(&self, content: &[u8]) {
        let header = ("content-type", "application/dicom");
        assert_eq!(self.send_with("POST /images", header, content.to_vec()).await.status, 202);
    }

    /// Returns the content of the files in a folder of the service.
    fn content(&self, folder: &str) -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(self.folder().join(folder)).into_iter().flatten();
        entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    /// Returns the numbers of images that the DICOM service has stored and rejected.
    async fn uploaded(&self) -> (u64, u64) {
        let status = self.get("/worker").await.body;
        let number = |name: &str| status[name].as_u64().unwrap();
        (number("uploaded"), number("rejected"))
    }
}

const STORE: &str = "POST /v2/studies";

fn store_requests() -> RequestFilter {
    RequestFilter::next(1).method(Method::POST).path_prefix("/v2/studies")
}

#[tokio::test]
async fn images_are_uploaded_together_and_arrive_unchanged_in_the_archive() {
    let mut hospital = Hospital::new().await;
    for image in files(0..7).values() {
        hospital.add_image(image).await;
    }
    // The process was killed while it received this one.
    std::fs::write(hospital.folder().join("outbox/incomplete.part"), "incomplete").unwrap();
    hospital.restart();
    hospital.worker.run_once().await.unwrap();
    assert_eq!((hospital.uploaded().await, hospital.count(STORE)), ((7, 0), 1));
    hospital.copy().await;
    assert_eq!(hospital.archived(), files(0..7));
    assert_eq!(hospital.content("outbox"), ["incomplete".as_bytes()]);
}

#[tokio::test]
async fn compressed_images_are_not_converted() {
    let hospital = Hospital::new().await;
    let mut image = dicom_file(&data_set(0));
    let [uncompressed, compressed] = [b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.5"];
    let position = image.windows(uncompressed.len()).position(|bytes| bytes == uncompressed).unwrap();
    image[position..][..compressed.len()].copy_from_slice(compressed);
    hospital.fake.add_instance_file(image.clone());
    hospital.copy().await;
    assert_eq!(hospital.archived()[&0], image);
}

#[tokio::test]
async fn images_that_the_service_rejects_are_set_aside_and_others_are_stored() {
    let hospital = Hospital::new().await;
    hospital.fake.add_instance(&data_set(1));
    hospital.add_image(&dicom_file(&data_set(0))).await;
    // The service has this one already.
    hospital.add_image(&dicom_file(&data_set(1))).await;
    let invalid = vec![0; 3_000_000];
    hospital.add_image(&invalid).await;
    hospital.worker.run_once().await.unwrap();
    assert_eq!(hospital.uploaded().await, (2, 1));
    assert_eq!((hospital.content("outbox").len(), hospital.content("rejected")), (0, vec![invalid]));
    hospital.copy().await;
    assert_eq!(hospital.archived(), files(0..2));
}

#[tokio::test]
async fn failed_upload_is_sent_again() {
    let hospital = Hospital::new().await;
    hospital.add_image(&dicom_file(&data_set(0))).await;
    for fault in [
        Fault::TruncatedBody,
        Fault::Status(StatusCode::SERVICE_UNAVAILABLE),
        Fault::Status(StatusCode::CONFLICT),
        Fault::MissingRole,
    ] {
        hospital.fake.inject_fault(store_requests(), fault);
        assert!(hospital.worker.run_once().await.is_err());
        assert_eq!(hospital.uploaded().await, (0, 0));
    }
    hospital.worker.run_once().await.unwrap();
    assert_eq!(hospital.uploaded().await, (1, 0));
    let statuses = hospital.received().into_iter().filter(|(line, _)| line == STORE);
    assert_eq!(statuses.map(|(_, status)| status).collect::<Vec<_>>(), [200, 503, 409, 403, 409]);
}

#[tokio::test]
async fn image_in_a_request_that_the_service_cannot_read_is_set_aside() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::UNSUPPORTED_MEDIA_TYPE] {
        let hospital = Hospital::new().await;
        hospital.add_image(&dicom_file(&data_set(0))).await;
        hospital.fake.inject_fault(RequestFilter::next(2).path_prefix("/v2/studies"), Fault::Status(status));
        hospital.worker.run_once().await.unwrap();
        assert_eq!((hospital.uploaded().await, hospital.content("rejected").len()), ((0, 1), 1));
    }
}

#[tokio::test]
async fn failed_upload_does_not_stop_the_archive() {
    let hospital = Hospital::new().await;
    hospital.fake.add_instance(&data_set(0));
    hospital.add_image(&dicom_file(&data_set(1))).await;
    hospital.clock.advance(SETTLE + Duration::from_secs(1));
    hospital.fake.inject_fault(store_requests(), Fault::MissingRole);
    assert!(hospital.worker.run_once().await.is_err());
    assert_eq!(hospital.archived(), files(0..1));
}

#[tokio::test]
async fn nothing_is_lost_if_the_process_is_killed_at_any_time() {
    let mut hospital = Hospital::new().await;
    for number in 0..6 {
        hospital.fake.add_instance(&data_set(number));
        hospital.add_image(&dicom_file(&data_set(6 + number))).await;
    }
    for polls in (0..).step_by(2) {
        hospital.clock.advance(SETTLE + Duration::from_secs(1));
        let is_complete = complete_after(polls, hospital.worker.run_once()).await;
        hospital.restart();
        if is_complete && hospital.content("outbox").is_empty() {
            break;
        }
    }
    hospital.copy().await;
    assert_eq!(hospital.archived(), files(0..12));
}

/// Drops a future after a number of polls. Returns `true` if it was complete.
async fn complete_after(polls: usize, future: impl Future) -> bool {
    let (mut future, mut left) = (pin!(future), polls);
    let is_complete = poll_fn(|context| match left.checked_sub(1) {
        None => Poll::Ready(false),
        Some(rest) => {
            left = rest;
            future.as_mut().poll(context).map(|_| true)
        }
    });
    is_complete.await
}
