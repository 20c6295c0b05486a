//! What a formatter and a compiler do not see: leftovers, giant files, prose that points nowhere.
//!
//! Each complaint names the file, the line and the remedy. The list of exceptions may only shrink.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Longest source file in lines: longer ones hold two concepts.
const LINES_MAX: usize = 600;

/// Files that may be longer, with the reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// Pieces of a text that would find itself if they stood here in one piece.
const LEFTOVERS: [&str; 8] = [
    concat!("FIX", "ME"),
    concat!("TO", "DO:"),
    concat!("// TO", "DO"),
    concat!("// X", "XX"),
    concat!("// HA", "CK"),
    concat!("to", "do!("),
    concat!("unim", "plemented!("),
    concat!("d", "bg!("),
];

/// Paths of one machine.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Hosts that packages come from: which one is used is a matter of each machine's own set-up.
const REGISTRY_HOSTS: [&str; 5] = [
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("crates.io", "-index"),
    concat!("deb.deb", "ian.org"),
    concat!("archive.ubu", "ntu.com"),
];

/// The repository's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is below the root")
}

/// A file of the repository as text.
pub(crate) fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"));
    String::from_utf8(bytes).unwrap_or_else(|error| panic!("{path} is not UTF-8: {error}"))
}

/// All files of the repository that are not ignored, by path from the root, sorted.
pub(crate) fn files() -> BTreeSet<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let mut files = BTreeSet::new();
    match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
            files.extend(names.split_terminator('\0').map(str::to_owned));
        }
        // An unpacked archive, or a machine without git.
        _ => walk(root(), &mut files),
    }
    // Deleted, but not yet in a commit.
    files.retain(|path| root().join(path).is_file());
    assert!(files.len() > 50, "the files of the repository were not found");
    files
}

fn walk(folder: &Path, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path: PathBuf = entry.expect("the entry is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if ["target", "corridor-demo", ".git"].contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else {
            let path = path.strip_prefix(root()).expect("below the root");
            files.insert(path.to_string_lossy().into_owned());
        }
    }
}

fn is_script(path: &str) -> bool {
    path.starts_with("ops/scripts/") || path == ".ci/run"
}

/// Files that people write, where white space matters to nobody but the reader.
fn is_written(path: &str) -> bool {
    let endings = [".rs", ".toml", ".md", ".txt", ".yaml", ".yml", ".sh"];
    endings.iter().any(|ending| path.ends_with(ending)) || is_script(path)
}

/// Text of any kind.
fn is_text(path: &str) -> bool {
    let endings = [".xml", ".json", ".out", ".golden", ".tbl", ".csv", ".html", ".css", ".service"];
    is_written(path) || endings.iter().any(|ending| path.ends_with(ending))
}

/// Looks at each line of each chosen file and fails with all complaints at once.
fn check_lines(chosen: impl Fn(&str) -> bool, complaint: impl Fn(&str, &str) -> Option<String>) {
    let mut complaints = Vec::new();
    for path in files().iter().filter(|path| chosen(path)) {
        for (number, line) in read(path).lines().enumerate() {
            if let Some(text) = complaint(path, line) {
                complaints.push(format!("{path}:{}: {text}", number + 1));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn no_leftovers_in_the_code() {
    check_lines(
        |path| path.ends_with(".rs") || is_script(path),
        |_, line| {
            let found = LEFTOVERS.iter().find(|leftover| line.contains(**leftover))?;
            Some(format!("`{found}`: finish it, or open an issue"))
        },
    );
}

#[test]
fn no_unbounded_queues_outside_tests() {
    let mut found = Vec::new();
    for path in files().iter().filter(|path| path.ends_with(".rs") && path.contains("/src/")) {
        let source = read(path);
        let code = source.split("#[cfg(test)]").next().expect("a first part");
        for name in [concat!("unbounded", "("), concat!("unbounded_", "channel(")] {
            if code.contains(name) {
                found.push(format!("{path}: `{name}`: every queue has a named limit"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn source_files_are_of_readable_length() {
    let allowed = |path: &str| LONG_FILES.iter().any(|(long, _)| *long == path);
    let mut long = Vec::new();
    for path in files().iter().filter(|path| path.ends_with(".rs")) {
        let lines = read(path).lines().count();
        if lines > LINES_MAX && !allowed(path) {
            long.push(format!("{path}: {lines} lines: split it by concept"));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn source_files_say_what_they_are() {
    let mut silent = Vec::new();
    for path in files() {
        // A module of unit tests is described by the module that it tests.
        if !path.ends_with(".rs") || path.ends_with("/tests.rs") {
            continue;
        }
        if !read(&path).starts_with("//!") {
            silent.push(format!("{path}: begins without `//!`: say what it is and what it is not"));
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn text_is_clean() {
    check_lines(is_written, |_, line| {
        if line.ends_with([' ', '\t']) {
            return Some("white space at the end".to_owned());
        }
        if line.contains('\t') {
            return Some("a tab: use spaces".to_owned());
        }
        let strange = line.chars().find(|character| {
            character.is_control()
                || matches!(character, '\u{feff}' | '\u{200b}'..='\u{200f}')
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })?;
        Some(format!("invisible character {:?}", strange))
    });
    for path in files().iter().filter(|path| is_written(path)) {
        let text = read(path);
        assert!(text.is_empty() || text.ends_with('\n'), "{path}: no line end at the end");
        assert!(!text.ends_with("\n\n"), "{path}: empty lines at the end");
    }
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    check_lines(is_text, |_, line| {
        let found =
            MACHINE_PATHS.iter().chain(&REGISTRY_HOSTS).find(|name| line.contains(**name))?;
        Some(format!("`{found}`: means something on one machine only"))
    });
    // The lock file names the one registry that deny.toml allows, and no other source.
    for line in read("Cargo.lock").lines().filter(|line| line.starts_with("source = ")) {
        let (kind, _) =
            line.trim_start_matches("source = \"").split_once('+').expect("kind+address");
        assert!(kind == "registry" && line.contains("crates.io"), "Cargo.lock: {line}");
    }
}

#[test]
fn the_commands_of_the_readme_exist() {
    let readme = read("README.md");
    for command in ["cargo run --release --bin corridor -- demo", "ops/scripts/test"] {
        assert!(
            readme.lines().any(|line| line.trim() == command),
            "README.md: no line `{command}`"
        );
    }
    assert!(read("ops/src/main.rs").contains("Demo("), "the program has the subcommand `demo`");
    for script in ["ops/scripts/test", ".ci/run"] {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            fs::metadata(root().join(script)).expect("the script exists").permissions().mode();
        assert!(mode & 0o111 != 0, "{script} cannot be run");
        assert!(read(script).contains("set -euo pipefail"), "{script}: goes on after an error");
    }
}

/// A path in back quotes or in a link that names something of this repository must name it rightly.
#[test]
fn documents_point_at_files_that_exist() {
    let rooms = ["settlement-node", "gateway-adapter", "iso20022", "ops", "tests"];
    let mut wrong = Vec::new();
    let files = files();
    for document in files.iter().filter(|path| path.ends_with(".md")) {
        // A decision is frozen: it may name what has been moved since.
        if document.starts_with("ops/docs/decisions/") || document == "CHANGELOG.md" {
            continue;
        }
        let text = read(document);
        for quoted in text.split('`').skip(1).step_by(2) {
            let in_a_room = quoted.split_once('/').is_some_and(|(room, _)| rooms.contains(&room));
            let plain =
                quoted.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
            if in_a_room && plain && !root().join(quoted).exists() {
                wrong.push(format!("{document}: `{quoted}` does not exist"));
            }
        }
        let folder = Path::new(document).parent().unwrap_or(Path::new(""));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty()
                && !target.contains(':')
                && !root().join(folder).join(target).exists()
            {
                wrong.push(format!("{document}: link to {target}, which does not exist"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn decisions_are_dated_and_complete() {
    let mut count = 0;
    for path in files() {
        let Some(name) = path.strip_prefix("ops/docs/decisions/") else { continue };
        count += 1;
        let (date, rest) = name.split_at_checked(11).unwrap_or((name, ""));
        let digits_and_dashes = date.len() == 11
            && date.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 | 10 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let slug = rest.strip_suffix(".md").unwrap_or("");
        let plain = !slug.is_empty()
            && slug
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(
            digits_and_dashes && plain,
            "{path}: the name must be YYYY-MM-DD-what-was-decided.md"
        );
        let text = read(&path);
        assert!(text.starts_with("# "), "{path}: begins without a title");
        for part in ["## Context", "## Choice", "## Consequence"] {
            assert!(text.contains(part), "{path}: has no part `{part}`");
        }
    }
    assert!(count > 0, "the decisions were not found");
}
