mod background_refresh;
mod builder;
mod cancellation;
mod forced_refresh;
mod runtimes;
mod scopes;
mod single_flight;
mod wall_clock;
