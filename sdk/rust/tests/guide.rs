//! The authors' guide shows the example's files; this keeps the two the same.

use std::path::Path;

/// A block of the guide is marked with the file that it shows, in a comment on the line before.
#[test]
#[cfg(not(target_arch = "wasm32"))]
fn the_guide_shows_the_example_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = std::fs::read_to_string(root.join("docs/authors/first-solver.md")).unwrap();
    let mut shown = Vec::new();
    for marked in guide.split("<!-- ").skip(1) {
        let (file, rest) = marked.split_once(" -->\n```").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let (block, _) = rest.split_once("\n```\n").unwrap();
        let expected = std::fs::read_to_string(root.join(file)).unwrap();
        assert_eq!(format!("{block}\n"), expected, "docs/authors/first-solver.md shows another {file}");
        shown.push(file.rsplit('/').next().unwrap().to_owned());
    }
    assert_eq!(shown, ["api.py", "Cargo.toml", "solver.json", "lib.rs", "config.toml", "tests.rs"]);
}
