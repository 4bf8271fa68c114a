mod chain;
mod from_fn;
mod static_token;
mod token_endpoint;
