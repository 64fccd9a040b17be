//! The controller dies around every write, the API server fails at every write, and whoever comes next carries on: one
//! certificate, whose key is its own, and nothing left over.
//!
//! With `SIGNET_CHAOS` in the environment every point is tried (`make chaos`), else some of each way.

mod restarts;
mod writes;

/// Whether all is to be tried.
fn everything() -> bool {
    std::env::var_os("SIGNET_CHAOS").is_some()
}
