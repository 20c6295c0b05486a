//! The OpenAPI documents and the routers name the same paths, methods and parameters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::tidy::{files, read};

/// Methods by path, from the router's own lines.
fn routes(folders: &[&str]) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for file in files().iter().filter(|path| folders.iter().any(|one| path.starts_with(one))) {
        let source = read(file);
        // A node that mends says less, at the same paths.
        let source = source.split("async fn serve_mending").next().expect("a first part");
        for route in source.split(".route(").skip(1) {
            let mut quoted = route.split('"');
            let path = quoted.nth(1).expect("a route has a path").replace("{*", "{");
            let rest = quoted.next().expect("a route has a handler");
            let call = rest.split(".route(").next().expect("a first part");
            for method in ["get", "post"] {
                if call.trim_start_matches([',', ' ', '\n']).starts_with(&format!("{method}(")) {
                    found.entry(path.clone()).or_default().insert(method);
                }
            }
        }
    }
    found
}

fn check(document: &str, folders: &[&str]) {
    let text = read(document);
    let parsed: Value = serde_json::from_str(&text).expect("the document is JSON");
    assert_eq!(parsed["openapi"], "3.1.0", "{document}");
    assert_eq!(parsed["info"]["version"], env!("CARGO_PKG_VERSION"), "{document}");
    let sources: String = files()
        .iter()
        .filter(|path| folders.iter().any(|folder| path.starts_with(folder)))
        .map(|path| read(path))
        .collect();
    let mut said: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (path, item) in parsed["paths"].as_object().expect("paths") {
        for method in ["get", "post"] {
            let Some(operation) = item.get(method) else { continue };
            said.entry(path.clone()).or_default().insert(method);
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty(), "{document}: {path} says nothing of itself");
            assert!(operation["responses"].is_object(), "{document}: {path} has no answers");
            let mut in_path = BTreeSet::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().expect("a parameter has a name");
                match parameter["in"].as_str() {
                    Some("path") => {
                        assert!(in_path.insert(name.to_owned()), "{path}: {name} twice")
                    }
                    Some("query") => {
                        let field = format!(" {name}: ");
                        assert!(
                            sources.contains(&field),
                            "{document}: nobody reads {name} of {path}"
                        );
                    }
                    other => assert_eq!(other, Some("header"), "{document}: {path} {name}"),
                }
            }
            let wanted: BTreeSet<String> = path
                .split('{')
                .skip(1)
                .map(|part| part.split('}').next().expect("a name").to_owned())
                .collect();
            assert_eq!(in_path, wanted, "{document}: parameters of {path}");
        }
    }
    assert_eq!(said, routes(folders), "{document} and the router name other paths");
}

#[test]
fn the_documents_name_what_the_routers_serve() {
    check("ops/docs/openapi/node.json", &["settlement-node/src/shell/http"]);
    check("ops/docs/openapi/gateway.json", &["gateway-adapter/src/http"]);
}
