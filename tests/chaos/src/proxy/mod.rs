//! Who stands between the controller and what it talks to: each proxy sees every request, and may break any.

pub mod api_server;
mod tls;
mod watches;
