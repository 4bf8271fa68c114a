//! [`FakeTokenEndpoint`]: a fake of the token endpoint of Microsoft Entra.

mod builder;
mod certificate;
mod client_auth;
mod codes;
mod endpoint;
mod failure;
mod form;
mod grant;
mod https;
mod injected;
mod json;
mod received;
mod registration;
mod router;
mod scope;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    builder::FakeTokenEndpointBuilder, endpoint::FakeTokenEndpoint, received::ReceivedTokenRequest,
};
