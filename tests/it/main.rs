//! Integration tests, as modules of one program, because linking takes most of the build time.

mod adapters;
mod audience;
mod client;
mod credentials;
mod support;
mod token;
mod wire;
