//! What a challenge's objects are called: a function of the challenge alone, so that any replica
//! finds them again, with or without a receipt.

use signet_solver::http01::Challenge;

/// The name of a challenge's objects, and the labels that tools know them by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// The Ingress, the Service and the EndpointSlice of IPv4.
    pub(crate) object: String,
    /// `acme.cert-manager.io/http-domain`: a label can not hold every name, so it is a checksum.
    pub(crate) domain_label: String,
    /// `acme.cert-manager.io/http-token`, likewise.
    pub(crate) token_label: String,
}

impl Names {
    pub(crate) fn of(challenge: &Challenge) -> Self {
        let hash = fnv1a(&[challenge.host.as_bytes(), b"/", challenge.token.as_bytes()]);
        Self {
            object: format!("cm-acme-http-solver-{hash:016x}"),
            domain_label: adler32(challenge.host.as_bytes()).to_string(),
            token_label: adler32(challenge.token.as_bytes()).to_string(),
        }
    }

    /// The EndpointSlice of IPv6: a slice holds one family.
    pub(crate) fn slice_v6(&self) -> String {
        format!("{}-v6", self.object)
    }

    /// Every EndpointSlice that there can be.
    pub(crate) fn slices(&self) -> [String; 2] {
        [self.object.clone(), self.slice_v6()]
    }
}

/// FNV-1a, 64 bits: names must differ among the challenges of one namespace; nobody gains by
/// making two meet, as tokens are the CA's.
fn fnv1a(parts: &[&[u8]]) -> u64 {
    parts
        .iter()
        .flat_map(|part| part.iter())
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Adler-32 (RFC 1950, section 8.2).
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    });
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(adler32(b""), 1);
        assert_eq!(fnv1a(&[b""]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(&[b"foo", b"bar"]), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn names_are_short_stable_and_differ() {
        let challenge = |host: &str, token: &str| Challenge {
            host: host.to_owned(),
            token: token.to_owned(),
            key_authorization: String::new(),
        };
        let names = Names::of(&challenge("example.com", "t1"));
        assert_eq!(names, Names::of(&challenge("example.com", "t1")));
        assert!(names.slice_v6().len() <= 63);
        assert_ne!(names.object, Names::of(&challenge("example.com", "t2")).object);
        assert_ne!(names.object, Names::of(&challenge("www.example.com", "t1")).object);
    }
}
