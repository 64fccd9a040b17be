//! Writing DER (X.690): as much of it as requests and certificates need.

/// A value of any type: tag, length, content.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=127) => out.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let bytes: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(bytes.len()).expect("a length has at most eight bytes"));
            out.extend(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

pub(crate) fn sequence(items: &[Vec<u8>]) -> Vec<u8> {
    value(0x30, &items.concat())
}

/// SET OF: the items in ascending order, as DER wants them.
pub(crate) fn set(mut items: Vec<Vec<u8>>) -> Vec<u8> {
    items.sort();
    value(0x31, &items.concat())
}

pub(crate) fn boolean(truth: bool) -> Vec<u8> {
    value(0x01, &[if truth { 0xff } else { 0 }])
}

/// A positive INTEGER from its bytes, the most significant first.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    value(0x02, &content)
}

pub(crate) fn null() -> Vec<u8> {
    value(0x05, &[])
}

pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    value(0x04, content)
}

/// BIT STRING of whole bytes.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    value(0x03, &[&[0], content].concat())
}

/// BIT STRING of named bits, without the zeros at its end.
pub(crate) fn named_bits(set: &[u8]) -> Vec<u8> {
    let Some(last) = set.iter().max() else { return value(0x03, &[0]) };
    let mut bytes = vec![0u8; usize::from(last / 8) + 1];
    for bit in set {
        bytes[usize::from(bit / 8)] |= 0x80 >> (bit % 8);
    }
    value(0x03, &[&[7 - last % 8], bytes.as_slice()].concat())
}

/// OBJECT IDENTIFIER from dots; none when it is not one.
pub(crate) fn oid(dotted: &str) -> Option<Vec<u8>> {
    let arcs: Vec<u64> = dotted.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [first, second, rest @ ..] = arcs.as_slice() else { return None };
    if *first > 2 || (*first < 2 && *second >= 40) {
        return None;
    }
    let mut content = base128(second.checked_add(first * 40)?);
    content.extend(rest.iter().flat_map(|arc| base128(*arc)));
    Some(value(0x06, &content))
}

/// OBJECT IDENTIFIER that is written in this crate.
pub(crate) fn known_oid(dotted: &'static str) -> Vec<u8> {
    oid(dotted).expect("the identifiers of this crate are well formed")
}

fn base128(mut number: u64) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(number & 0x7f).expect("seven bits fit")];
    while number > 0x7f {
        number >>= 7;
        bytes.push(0x80 | u8::try_from(number & 0x7f).expect("seven bits fit"));
    }
    bytes.reverse();
    bytes
}

/// The content of a value with this tag at the start of `der`, and what follows the value.
pub(crate) fn open(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = der.split_at_checked(2)?;
    if head[0] != tag {
        return None;
    }
    let (length, rest) = match head[1] {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length =
                bytes.iter().try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
            (length, rest)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_x690_says() {
        assert_eq!(oid("1.2.840.113549"), Some(vec![6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]));
        assert_eq!(oid("2.999.3"), Some(vec![6, 3, 0x88, 0x37, 3]));
        assert_eq!(oid("1.40"), None);
        assert_eq!(oid("1"), None);
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(named_bits(&[0, 2]), [3, 2, 5, 0xa0]);
        assert_eq!(named_bits(&[8]), [3, 3, 7, 0, 0x80]);
        assert_eq!(value(4, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(value(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn opens_what_it_writes_and_nothing_cut_short() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let der = value(4, &content);
            assert_eq!(open(4, &der), Some((content.as_slice(), [].as_slice())));
            assert_eq!(open(4, &der[..der.len() - 1]), None);
            assert_eq!(open(5, &der), None);
        }
    }
}
