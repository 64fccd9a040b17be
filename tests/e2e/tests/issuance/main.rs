//! Certificates that are issued: the guide's flows, names proven in every way, self-signed ones of
//! every kind of key, and the marks that tools know objects by. All on one lab, each test with names
//! of its own.

mod dns01;
mod dns_ways;
mod edges;
mod gateway;
mod guide;
mod http01;
mod issuer_ref;
mod marks;
mod names;
mod nameservers;
mod self_signed;
