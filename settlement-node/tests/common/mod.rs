//! What several tests need: a network of one node and one bank with two accounts.

use ed25519_dalek::SigningKey;
use wire::genesis::{Genesis, hex};

/// The network with this name, whose only bank signs with `key`.
#[allow(dead_code, reason = "not every test begins so")]
pub(crate) fn genesis(network: &str, key: &SigningKey) -> Genesis {
    genesis_with(network, key, "")
}

/// The same, with another line in the file.
pub(crate) fn genesis_with(network: &str, key: &SigningKey, line: &str) -> Genesis {
    let text = format!(
        r#"version = 1
network = "{network}"
time_ns = 1
{line}
nodes = [{{ id = 1, bic = "ALPHDEFF", link_key = "{zero}", address = "127.0.0.1:1", client_address = "127.0.0.1:2" }}]
participants = [{{ bic = "ALPHDEFF", name = "Alpha", signing_keys = ["{key}"], sealing_key = "{zero}", gateway_keys = [] }}]
assets = [{{ code = "EUR", exponent = 2, issuer = "ALPHDEFF" }}]
accounts = [{{ account = "ALPHDEFF/EUR" }}, {{ account = "ALPHDEFF/EUR/other" }}]
funding = [{{ id = "00000000-0000-4000-8000-000000000001", account = "ALPHDEFF/EUR", amount = 1000000000 }}]
"#,
        zero = "00".repeat(32),
        key = hex(key.verifying_key().as_bytes()),
    );
    Genesis::parse(text.as_bytes()).unwrap()
}
