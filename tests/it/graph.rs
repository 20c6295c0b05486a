//! The crate graph: which of our crates may import which, and what a pure crate may not import.
//!
//! The graph is read from the manifests, compared with `graph.golden` and with the table in
//! ARCHITECTURE.md. A new arrow is the largest kind of change there is here: it is made by changing
//! both, in a commit that says why. Set `CORRIDOR_BLESS=1` to write the golden file anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use crate::tidy::{read, root};

/// Crates without I/O, clock, chance or threads.
const PURE: [&str; 6] = ["iso20022", "ledger", "order", "proof", "translate", "wire"];

/// Crates that would bring one of them along.
const IMPURE: [&str; 24] = [
    "arc-swap",
    "async-std",
    "axum",
    "chrono",
    "crossbeam-channel",
    "fastrand",
    "fjall",
    "getrandom",
    "hyper",
    "libc",
    "link",
    "memmap2",
    "mio",
    "quinn",
    "rand",
    "rand_core",
    "rayon",
    "redb",
    "rustix",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tracing-subscriber",
];

/// What the same standard library would bring, with what to use instead.
const IMPURE_PATHS: [(&str, &str); 8] = [
    ("std::fs", "the shell reads and writes files"),
    ("std::env", "behaviour may not depend on the environment"),
    ("std::process", "the shell runs processes"),
    ("std::thread", "the caller chooses the thread"),
    ("std::time", "time is an argument"),
    ("std::net::TcpStream", "the shell talks to the network"),
    ("std::net::UdpSocket", "the shell talks to the network"),
    ("collections::HashMap", "its order differs between processes: use BTreeMap or a sorted Vec"),
];

type Graph = BTreeMap<String, BTreeSet<String>>;

/// All normal and build dependencies of each workspace crate, ours and others'.
fn dependencies() -> Graph {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let names = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        let normal = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
        normal.map(|dependency| text(&dependency["name"])).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), names(package))).collect()
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The arrows between our own crates, but for this one, which may import all of them.
fn own_graph() -> Graph {
    let mut all = dependencies();
    for (name, uses) in &all {
        assert!(!uses.contains("tests"), "{name} imports the tests");
    }
    all.remove("tests");
    let own: BTreeSet<String> = all.keys().cloned().collect();
    all.into_iter().map(|(name, uses)| (name, &uses & &own)).collect()
}

fn to_lines(graph: &Graph) -> String {
    let mut lines = String::new();
    for (name, uses) in graph {
        let uses: Vec<&str> = uses.iter().map(String::as_str).collect();
        let uses = if uses.is_empty() { "-".to_owned() } else { uses.join(", ") };
        lines += &format!("{name}: {uses}\n");
    }
    lines
}

#[test]
fn crate_graph_is_the_golden_one() {
    let path = root().join("tests/it/graph.golden");
    let actual = to_lines(&own_graph());
    if std::env::var_os("CORRIDOR_BLESS").is_some() {
        fs::write(&path, &actual).expect("write the golden file");
    }
    let golden = fs::read_to_string(&path).expect("read the golden file");
    assert_eq!(actual, golden, "the crate graph is not the one of {}", path.display());
}

/// Rows of the table are `| folder | crate | what it is | may import |`.
#[test]
fn table_of_the_architecture_is_the_crate_graph() {
    let graph = own_graph();
    let mut table = Graph::new();
    for line in read("ARCHITECTURE.md").lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", _, name, _, imports, ""] = cells[..] else { continue };
        if !graph.contains_key(name) {
            continue;
        }
        let imports = match imports {
            "-" => BTreeSet::new(),
            "all" => graph.keys().filter(|other| *other != name).cloned().collect(),
            list => list.split(", ").map(str::to_owned).collect(),
        };
        table.insert(name.to_owned(), imports);
    }
    assert_eq!(to_lines(&table), to_lines(&graph), "the table of ARCHITECTURE.md is not true");
}

#[test]
fn pure_crates_import_nothing_impure() {
    let all = dependencies();
    for name in PURE {
        let uses = all.get(name).expect("the pure crate exists");
        for impure in IMPURE {
            assert!(!uses.contains(impure), "{name} is pure and may not depend on {impure}");
        }
    }
}

#[test]
fn pure_crates_name_nothing_impure_of_the_standard_library() {
    let sources = [
        "iso20022/src/",
        "settlement-node/ledger/src/",
        "settlement-node/order/src/",
        "settlement-node/proof/src/",
        "gateway-adapter/translate/src/",
        "settlement-node/wire/src/",
    ];
    let mut found = Vec::new();
    for path in crate::tidy::files() {
        if !path.ends_with(".rs") || !sources.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let source = read(&path);
        let code = source.split("#[cfg(test)]").next().expect("a first part");
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().expect("a first part");
            for (banned, instead) in IMPURE_PATHS {
                if line.contains(banned) {
                    found.push(format!("{path}:{}: {banned}: {instead}", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "pure crates reach out of themselves:\n{}", found.join("\n"));
}
