//! Which shared libraries a program needs, and where its loader finds them in an image that has no
//! loader cache. The program's own loader is asked: it knows its search path better than we do.

use std::path::{Path, PathBuf};
use std::process::Command;

use object::endian::Endianness;
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};

use crate::error::Error;

type Header = object::elf::FileHeader64<Endianness>;

/// A shared library, or the loader itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedLibrary {
    /// Where it is on this machine.
    pub source: PathBuf,
    /// Where the loader finds it in an image.
    pub destination: String,
}

/// The loader of a program and every library that it loads; nothing when it is linked statically.
///
/// # Errors
/// The program is not a 64-bit ELF file, its loader is not on this machine, or a library is not.
pub fn shared_libraries(program: &Path) -> Result<Vec<SharedLibrary>, Error> {
    let Some(interpreter) = interpreter(program)? else { return Ok(Vec::new()) };
    let listed = list(program, &interpreter)?;
    // Libraries may be known by the machine's loader cache only, or by a path in the program. A folder in
    // which every loader looks is that of its C library.
    let beside = |path: &str| Path::new(path).parent().map(Path::to_owned);
    let folder = listed.iter().find(|(name, _)| name.starts_with("libc.")).and_then(|(_, path)| beside(path));
    let folder = folder.or_else(|| beside(&interpreter)).unwrap_or_else(|| "/lib".into());
    let mut libraries = vec![SharedLibrary { source: PathBuf::from(&interpreter), destination: interpreter }];
    for (name, path) in listed {
        // Absolute when the program names it by its path.
        let destination = folder.join(&name).display().to_string();
        if destination != libraries[0].destination {
            libraries.push(SharedLibrary { source: path.into(), destination });
        }
    }
    Ok(libraries)
}

/// The loader that the program names, when it names one.
fn interpreter(program: &Path) -> Result<Option<String>, Error> {
    let not_elf = |error: object::Error| Error::Program { path: program.to_owned(), reason: error.to_string() };
    let data = ReadCache::new(std::fs::File::open(program).map_err(Error::read(program))?);
    let header = Header::parse(&data).map_err(not_elf)?;
    let endian = header.endian().map_err(not_elf)?;
    for segment in header.program_headers(endian, &data).map_err(not_elf)? {
        if let Some(path) = segment.interpreter(endian, &data).map_err(not_elf)? {
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}

/// The names that the loader resolves for a program, with the files that it resolves them to.
fn list(program: &Path, interpreter: &str) -> Result<Vec<(String, String)>, Error> {
    let failed = |reason| Error::Loader { path: program.to_owned(), interpreter: interpreter.to_owned(), reason };
    let mut command = Command::new(interpreter);
    command.arg("--list").arg(program).env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH");
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Some(library) = text.lines().find_map(|line| line.strip_suffix(" => not found")) {
        return Err(Error::Library { path: program.to_owned(), library: library.trim().to_owned() });
    }
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(resolved(&text))
}

/// Reads `NAME => PATH (ADDRESS)`. What has no arrow is the loader, or the kernel's own library.
fn resolved(listed: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let path = rest.rsplit_once(" (").map_or(rest, |(path, _)| path);
        Some((name.to_owned(), path.to_owned()))
    };
    listed.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_loader_prints() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\t\
                      /lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(resolved(listed), [("libm.so.6".to_owned(), "/lib/x86_64-linux-gnu/libm.so.6".to_owned())]);
    }

    #[test]
    fn this_test_has_a_loader_and_a_c_library() {
        let libraries = shared_libraries(&std::env::current_exe().unwrap()).unwrap();
        let named = |part: &str| libraries.iter().any(|library| library.destination.contains(part));
        assert!(named("/ld-") && named("/libc."), "{libraries:?}");
        for library in &libraries {
            assert!(library.source.is_file(), "{library:?}");
        }
    }

    #[test]
    fn a_text_is_no_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "#!/bin/sh\n").unwrap();
        assert!(matches!(shared_libraries(file.path()), Err(Error::Program { .. })));
    }
}
