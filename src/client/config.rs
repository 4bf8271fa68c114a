//! [`Config`]: the settings of a client.

use std::time::Duration;

use http::HeaderMap;

use super::pools::ConnectionPools;

/// The settings and connections that a client, its clones and its clients for other audiences share.
pub(super) struct Config {
    pub(super) default_headers: HeaderMap,
    /// The longest response body that is buffered, in bytes.
    pub(super) body_limit: usize,
    pub(super) idle_timeout: Duration,
    pub(super) pools: ConnectionPools,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_headers: HeaderMap::new(),
            body_limit: 64 * 1024 * 1024,
            idle_timeout: Duration::from_secs(60),
            pools: ConnectionPools::default(),
        }
    }
}
