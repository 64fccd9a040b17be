//! Looks for a way out of the sandbox: environment, files, sockets, names, and the cluster.
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};

signet_hostile::guest!("trespass", [], |challenge| {
    let mut found = vec![];
    found.extend(std::env::vars().map(|(name, _)| format!("environment {name}")));
    found.extend(std::env::args().map(|arg| format!("argument {arg}")));
    found.extend(std::fs::read("/etc/hostname").map(|_| "file".to_owned()));
    found.extend(std::fs::write("/tmp/trespass", "x").map(|()| "write".to_owned()));
    found.extend(TcpStream::connect(signet_hostile::config(&challenge, "listener")).map(|_| "tcp".to_owned()));
    found.extend(UdpSocket::bind("127.0.0.1:0").map(|_| "udp".to_owned()));
    found.extend("localhost:80".to_socket_addrs().map(|_| "name".to_owned()));
    found.extend(signet_hostile::kube::get("v1", "Secret", "any").map(|_| "kube get".to_owned()));
    found.extend(signet_hostile::kube::delete("v1", "Service", "any").map(|()| "kube delete".to_owned()));
    found.extend(signet_hostile::kube::service_account_token("default", &[]).map(|_| "token".to_owned()));
    Ok(found.join(", ").into_bytes())
});
