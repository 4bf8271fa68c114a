//! What the environment chooses, and what becomes of it where Entra or the machine fails.

mod entra;
mod http;
mod machine;
mod plan;
mod quiet;
mod rebuilt;
