//! Which addresses a plugin may connect to: public ones, and those in a network that its operator
//! granted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Says what kind of address it is when it may not be reached. An IPv4 address inside an IPv6 one
/// is judged as what it is.
pub(crate) fn judge(ip: IpAddr, granted: &[IpNet]) -> Result<(), &'static str> {
    let ip = embedded(ip.to_canonical());
    if granted.iter().any(|network| network.contains(&ip)) {
        return Ok(());
    }
    match ip {
        IpAddr::V4(ip) => special_v4(ip),
        IpAddr::V6(ip) => special_v6(ip),
    }
    .map_or(Ok(()), Err)
}

/// What a NAT64 gateway (RFC 6052) or a 6to4 relay (RFC 3056) makes of an address.
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => ip,
    }
}

fn special_v4(ip: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (0, ..) => Some("unspecified"),
        (127, ..) => Some("loopback"),
        (169, 254, 169) if ip.octets()[3] == 254 => Some("cloud metadata"),
        (169, 254, _) => Some("link-local"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("private"),
        (100, 64..=127, _) => Some("shared address space"),
        (192, 0, 0) | (198, 18..=19, _) => Some("reserved"),
        (224..=239, ..) => Some("multicast"),
        (240..=255, ..) => Some("reserved"),
        _ => None,
    }
}

const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn special_v6(ip: Ipv6Addr) -> Option<&'static str> {
    match ip.segments()[0] {
        _ if ip.is_unspecified() => Some("unspecified"),
        _ if ip.is_loopback() => Some("loopback"),
        _ if ip == METADATA_V6 => Some("cloud metadata"),
        0xfe80..=0xfebf => Some("link-local"),
        0xfec0..=0xfeff => Some("site-local"),
        0xfc00..=0xfdff => Some("private"),
        0xff00..=0xffff => Some("multicast"),
        0x64 | 0x0 | 0x100 => Some("reserved"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges_each_kind() {
        for (ip, expected) in [
            ("93.184.216.34", None),
            ("2606:4700::1111", None),
            ("127.0.0.1", Some("loopback")),
            ("127.8.9.1", Some("loopback")),
            ("::1", Some("loopback")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("64:ff9b::7f00:1", Some("loopback")),
            ("2002:a9fe:a9fe::1", Some("cloud metadata")),
            ("169.254.169.254", Some("cloud metadata")),
            ("::ffff:169.254.169.254", Some("cloud metadata")),
            ("fd00:ec2::254", Some("cloud metadata")),
            ("169.254.1.1", Some("link-local")),
            ("fe80::1", Some("link-local")),
            ("10.96.0.1", Some("private")),
            ("172.31.0.1", Some("private")),
            ("172.32.0.1", None),
            ("192.168.1.1", Some("private")),
            ("fd12::1", Some("private")),
            ("100.64.0.1", Some("shared address space")),
            ("224.0.0.1", Some("multicast")),
            ("ff02::1", Some("multicast")),
            ("0.0.0.0", Some("unspecified")),
            ("::", Some("unspecified")),
            ("255.255.255.255", Some("reserved")),
            ("::7f00:1", Some("reserved")),
        ] {
            assert_eq!(judge(ip.parse().unwrap(), &[]).err(), expected, "{ip}");
        }
    }

    #[test]
    fn a_granted_network_opens_itself_only() {
        let granted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        assert!(judge("10.1.2.3".parse().unwrap(), &granted).is_ok());
        assert!(judge("::ffff:10.1.2.3".parse().unwrap(), &granted).is_ok());
        assert!(judge("192.168.0.1".parse().unwrap(), &granted).is_err());
    }
}
