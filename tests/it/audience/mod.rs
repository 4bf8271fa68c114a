mod builders;
mod properties;
mod serde;
mod urls;
