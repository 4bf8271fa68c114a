//! The archive: no change of the DICOM service is lost, and none is copied twice.

use std::time::Duration;

use axum::http::StatusCode;
use azure_healthcare_auth_testing::{ChangeTiming, FakeChange, Fault, RequestFilter, dicom_file};

use serde_json::json;

use crate::support::{Hospital, SETTLE, data_set, files, uids};

impl Hospital {
    fn delete(&self, number: usize) {
        let [study, series, sop] = uids(number);
        assert!(self.fake.delete_instance(&study, &series, &sop));
    }
}

const DOWNLOAD: &str = "GET /v2/studies/";

#[tokio::test]
async fn changes_are_copied_once_they_have_settled_and_only_once() {
    let hospital = Hospital::new().await;
    (0..5).for_each(|number| hospital.fake.add_instance(&data_set(number)));
    hospital.clock.advance(SETTLE);
    hospital.worker.run_once().await.unwrap();
    assert_eq!(hospital.archived(), files([]));
    hospital.copy().await;
    assert_eq!((hospital.archived(), hospital.count(DOWNLOAD)), (files(0..5), 5));
    hospital.fake.add_instance(&data_set(5));
    hospital.copy().await;
    assert_eq!((hospital.archived(), hospital.count(DOWNLOAD)), (files(0..6), 6));

    // The time of the service and one page with the last change.
    hospital.fake.clear_requests();
    hospital.copy().await;
    let paths = ["GET /v2/changefeed/latest", "GET /v2/changefeed"].map(|line| (line.to_owned(), 200));
    assert_eq!(hospital.received(), paths);
}

#[tokio::test]
async fn only_the_current_version_of_an_instance_is_downloaded() {
    let hospital = Hospital::new().await;
    let mut instance = data_set(0);
    for version in ["1", "2", "3"] {
        instance["00100020"]["Value"][0] = json!(version);
        hospital.fake.add_instance(&instance);
        if version != "1" {
            hospital.copy().await;
            assert_eq!(hospital.archived()[&0], dicom_file(&instance));
        }
    }
    assert_eq!(hospital.count(DOWNLOAD), 2);
}

#[tokio::test]
async fn worker_waits_while_the_clock_of_the_service_is_before_the_cursor() {
    let hospital = Hospital::new().await;
    // The token for DICOM is older than the time to which the clock returns.
    hospital.worker.run_once().await.unwrap();
    hospital.fake.add_instance(&data_set(0));
    hospital.copy().await;
    hospital.clock.set(hospital.clock.now() - Duration::from_secs(5));
    hospital.worker.run_once().await.unwrap();
    assert_eq!(hospital.archived(), files([0]));
}

#[tokio::test]
async fn changes_that_tie_with_each_other_and_with_the_cursor_are_copied() {
    let hospital = Hospital::new().await;
    hospital.fake.add_instance(&data_set(0));
    hospital.copy().await;
    for number in 1..8 {
        // All have the timestamp of the first change.
        let since = SETTLE + Duration::from_secs(1);
        hospital.fake.set_next_change_timing(ChangeTiming::new().started_before(since));
        hospital.fake.add_instance(&data_set(number));
    }
    hospital.worker.run_once().await.unwrap();
    assert_eq!((hospital.archived(), hospital.count(DOWNLOAD)), (files(0..8), 8));
}

#[tokio::test]
async fn no_change_is_lost_if_each_becomes_visible_before_it_settles() {
    let hospital = Hospital::new().await;
    let seconds = |number: usize, factor: usize| Duration::from_secs((number * factor % 29) as u64);
    for number in 0..60 {
        // Between its timestamp and its visibility is less than `SETTLE`, in which up to 28 later changes are visible.
        let (before, after) = (seconds(number, 7) / 2, seconds(number, 11) / 2);
        let timing = ChangeTiming::new().started_before(before).visible_after(after);
        hospital.fake.set_next_change_timing(timing.skip_sequences((number * 13 % 5) as u64 * 300));
        hospital.fake.add_instance(&data_set(number));
        hospital.clock.advance(Duration::from_millis(700));
        hospital.worker.run_once().await.unwrap();
    }
    hospital.copy().await;
    assert_eq!((hospital.archived(), hospital.count(DOWNLOAD)), (files(0..60), 60));
}

#[tokio::test]
async fn worker_continues_after_a_restart_with_the_first_batch_that_is_not_complete() {
    let mut hospital = Hospital::new().await;
    (0..7).for_each(|number| hospital.fake.add_instance(&data_set(number)));
    // The second download of the second batch fails.
    let fourth = RequestFilter::nth(4).path_prefix("/v2/studies/");
    hospital.fake.inject_fault(fourth, Fault::TruncatedBody);
    hospital.clock.advance(SETTLE + Duration::from_secs(1));
    assert!(hospital.worker.run_once().await.is_err());
    assert_eq!(hospital.archived(), files(0..3));

    hospital.restart();
    hospital.fake.clear_requests();
    hospital.worker.run_once().await.unwrap();
    assert_eq!((hospital.archived(), hospital.count(DOWNLOAD)), (files(0..7), 5));

    hospital.restart();
    hospital.fake.clear_requests();
    hospital.worker.run_once().await.unwrap();
    assert_eq!(hospital.count(DOWNLOAD), 0);
}

#[tokio::test]
async fn damaged_cursor_stops_the_worker() {
    let hospital = Hospital::new().await;
    hospital.fake.add_instance(&data_set(0));
    hospital.copy().await;
    std::fs::write(hospital.folder().join("archive/cursor.json"), "").unwrap();
    assert_eq!(hospital.worker.run_once().await.unwrap_err().to_string(), "the stored cursor is damaged");
}

#[tokio::test]
async fn deleted_instances_are_removed_and_not_downloaded() {
    let hospital = Hospital::new().await;
    (0..3).for_each(|number| hospital.fake.add_instance(&data_set(number)));
    hospital.copy().await;
    hospital.delete(1);
    hospital.fake.add_instance(&data_set(3));
    hospital.delete(3);
    hospital.copy().await;
    assert_eq!((hospital.archived(), hospital.count(DOWNLOAD)), (files([0, 2]), 3));
    let status = hospital.get("/worker").await.body;
    assert_eq!((&status["stored"], &status["removed"]), (&json!(3), &json!(1)));
}

#[tokio::test]
async fn instance_that_is_deleted_after_the_feed_was_read_does_not_stop_the_worker() {
    let hospital = Hospital::new().await;
    (0..2).for_each(|number| hospital.fake.add_instance(&data_set(number)));
    let download = RequestFilter::nth(1).path_prefix("/v2/studies/");
    hospital.fake.inject_fault(download, Fault::Status(StatusCode::NOT_FOUND));
    hospital.copy().await;
    assert_eq!(hospital.archived(), files([1]));
}

#[tokio::test]
async fn uids_that_are_not_valid_are_not_used_as_paths() {
    for uid in ["..", "", "2.25.", "2.25/3", "1".repeat(65).as_str()] {
        let hospital = Hospital::new().await;
        hospital.fake.add_change(FakeChange::create([uid, "2.25.2", "2.25.3"]));
        hospital.clock.advance(SETTLE + Duration::from_secs(1));
        assert!(hospital.worker.run_once().await.is_err(), "{uid}");
        assert_eq!(hospital.count(DOWNLOAD), 0);
    }
}

#[tokio::test]
async fn running_worker_continues_after_a_failure_and_reports_what_it_does() {
    let hospital = Hospital::new().await;
    hospital.fake.add_instance(&data_set(0));
    hospital.clock.advance(SETTLE + Duration::from_secs(1));
    hospital.fake.inject_fault(RequestFilter::next(1), Fault::MissingRole);
    let observed = async {
        hospital.until("/worker", |reply| reply.body["error"].is_string()).await;
        hospital.until("/worker", |reply| reply.body["passes"] != 0).await;
    };
    tokio::select! {
        () = hospital.worker.run() => unreachable!(),
        () = observed => {}
    }
    let status = hospital.get("/worker").await.body;
    assert_eq!((&status["stored"], &status["error"]), (&json!(1), &json!(null)));
}
