//! Finds a custom section in a component, in the core modules nested in it too: a Rust
//! `#[link_section]` lands in the innermost one.

use wasmparser::{Chunk, Parser, Payload};

/// Deeper nesting than any toolchain makes.
const MAX_DEPTH: usize = 8;
/// More sections than any toolchain makes.
const MAX_PAYLOADS: usize = 1_000_000;

/// Why a component can not be searched.
#[derive(Debug, thiserror::Error)]
pub enum SectionError {
    /// The bytes are not WebAssembly.
    #[error("parse the WebAssembly")]
    Parse(#[source] wasmparser::BinaryReaderError),
    /// The bytes end early.
    #[error("parse the WebAssembly: it ends in the middle of a section")]
    Truncated,
    /// The bytes are a core module, not a component.
    #[error("parse the WebAssembly: it is a core module, not a component (build for wasm32-wasip2)")]
    ParseModule,
    /// The component nests without end.
    #[error("parse the WebAssembly: it nests deeper than {MAX_DEPTH} or has too many sections")]
    Unbounded,
}

/// The bytes of the first custom section `name` in the component `wasm`.
pub(crate) fn find<'a>(wasm: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, SectionError> {
    if Parser::is_core_wasm(wasm) {
        return Err(SectionError::ParseModule);
    }
    let mut parsers = vec![];
    let mut parser = Parser::new(0);
    let mut rest = wasm;
    for _ in 0..MAX_PAYLOADS {
        let (consumed, payload) = match parser.parse(rest, true).map_err(SectionError::Parse)? {
            Chunk::NeedMoreData(_) => return Err(SectionError::Truncated),
            Chunk::Parsed { consumed, payload } => (consumed, payload),
        };
        rest = &rest[consumed..];
        match payload {
            Payload::CustomSection(section) if section.name() == name => return Ok(Some(section.data())),
            Payload::CodeSectionStart { size, .. } => {
                parser.skip_section();
                rest = rest.get(size as usize..).ok_or(SectionError::Truncated)?;
            }
            Payload::ModuleSection { parser: inner, .. } | Payload::ComponentSection { parser: inner, .. } => {
                if parsers.len() == MAX_DEPTH {
                    return Err(SectionError::Unbounded);
                }
                parsers.push(std::mem::replace(&mut parser, inner));
            }
            Payload::End(_) => match parsers.pop() {
                Some(outer) => parser = outer,
                None => return Ok(None),
            },
            _ => {}
        }
    }
    Err(SectionError::Unbounded)
}
