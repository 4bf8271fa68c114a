//! [`FakeServer`]: the fake services on loopback.

mod builder;
mod dicom_control;
mod fake_server;
mod feed_control;
mod fhir_control;
mod http;
mod limits;
mod pipeline;
mod request;
#[cfg(test)]
mod tests;

pub use self::{builder::FakeServerBuilder, fake_server::FakeServer, request::ReceivedRequest};
