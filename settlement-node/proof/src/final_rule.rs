//! The finality rule: how many of a network's nodes must have cosigned a checkpoint.
//!
//! With `n` nodes of which `f` may lie, `q = floor((n + f) / 2) + 1` cosignatures are needed: any
//! two such quorums share more than `f` nodes, so at least one honest node, and an honest node
//! never cosigns two roots of one size. `f` is `floor((n - 1) / 3)`, but at least one as soon as
//! there are two nodes.
//!
//! As a policy file the rule is a group called [`GROUP`] of all nodes with threshold `q`.

use crate::{
    key::{KeyError, KeyType, VerifierKey},
    policy::{Member, Policy},
};

/// Name of the group of a network's nodes in its policy.
pub const GROUP: &str = "final";

/// How many of `nodes` nodes may lie without a second final history.
pub fn liars_tolerated(nodes: usize) -> usize {
    match nodes {
        0 | 1 => 0,
        _ => ((nodes - 1) / 3).max(1),
    }
}

/// Cosignatures that make a checkpoint of a network of `nodes` nodes final.
pub fn quorum(nodes: usize) -> usize {
    (nodes + liars_tolerated(nodes)) / 2 + 1
}

/// A node as cosigner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigner {
    /// Name of its cosigning key, and of the witness in the policy; see [`cosigner_name`].
    pub name: String,
    /// The Ed25519 key with which it signs checkpoints, as the log and as a cosigner.
    pub key: [u8; 32],
}

/// Name of a node's cosigning key: its bank's BIC and its number.
pub fn cosigner_name(bic: &str, node: u64) -> String {
    format!("{bic}/node{node}")
}

/// The network's policy as a file: each node may sign as the log, and `q` of them must cosign.
pub fn policy_text(origin: &str, cosigners: &[Cosigner]) -> Result<String, KeyError> {
    let mut text = String::new();
    for Cosigner { key, .. } in cosigners {
        text += &format!("log {}\n", VerifierKey::new(origin, KeyType::Note, key)?);
    }
    for Cosigner { name, key } in cosigners {
        let key = VerifierKey::new(name, KeyType::Cosignature, key)?;
        text += &format!("witness {name} {key}\n");
    }
    text += &format!("group {GROUP} {}", quorum(cosigners.len()));
    for Cosigner { name, .. } in cosigners {
        text += &format!(" {name}");
    }
    Ok(text + &format!("\nquorum {GROUP}\n"))
}

/// How a policy departs from the finality rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Logs of several origins, or none.
    #[error("the policy does not name exactly one log")]
    Logs,
    /// There is no such group of witnesses.
    #[error("the policy has no group `{GROUP}` of witnesses")]
    Group,
    /// Its threshold is not that of the rule.
    #[error("the policy asks for {found} of {nodes} nodes; the finality rule asks for {needed}")]
    Threshold {
        /// What the policy says.
        found: usize,
        /// Nodes of the group.
        nodes: usize,
        /// What the rule says.
        needed: usize,
    },
    /// The group need not be reached.
    #[error("the quorum of the policy can be reached without the group `{GROUP}`")]
    Quorum,
    /// A node that cosigns is not among those that sign as the log, or the other way round.
    #[error("the keys of the log are not those of the nodes of the group `{GROUP}`")]
    Keys,
}

/// Checks that a policy asks for the finality rule of a network: exactly `q` of the nodes, and
/// beside them at most further witnesses that must cosign too.
pub fn check(policy: &Policy) -> Result<(), RuleError> {
    let origin = policy.logs().first().ok_or(RuleError::Logs)?.key.name();
    if policy.logs().iter().any(|log| log.key.name() != origin) {
        return Err(RuleError::Logs);
    }
    let at = policy.groups().iter().position(|group| group.name == GROUP);
    let group = &policy.groups()[at.ok_or(RuleError::Group)?];
    let mut nodes = Vec::new();
    for member in &group.members {
        let Member::Witness(at) = member else { return Err(RuleError::Group) };
        nodes.push(*policy.witnesses()[*at].key.public());
    }
    let needed = quorum(nodes.len());
    if group.threshold != needed {
        let found = group.threshold;
        return Err(RuleError::Threshold { found, nodes: nodes.len(), needed });
    }
    let mut logs: Vec<[u8; 32]> = policy.logs().iter().map(|log| *log.key.public()).collect();
    nodes.sort_unstable();
    logs.sort_unstable();
    if nodes != logs {
        return Err(RuleError::Keys);
    }
    match policy.quorum() {
        Some(Member::Group(quorum)) if Some(quorum) == at => Ok(()),
        Some(Member::Group(quorum)) => {
            let group = &policy.groups()[quorum];
            let all = group.threshold == group.members.len();
            let inside = group.members.iter().any(|member| Some(*member) == at.map(Member::Group));
            if all && inside { Ok(()) } else { Err(RuleError::Quorum) }
        }
        _ => Err(RuleError::Quorum),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::key::NoteSigner;

    fn cosigners(count: u8) -> Vec<Cosigner> {
        let key = |seed: u8| {
            let name = cosigner_name("BANKDEFFXXX", seed.into());
            let signer = NoteSigner::from_seed(&name, KeyType::Cosignature, &[seed; 32]).unwrap();
            Cosigner { name, key: *signer.verifier().public() }
        };
        (1..=count).map(key).collect()
    }

    #[test]
    fn the_file_of_a_network_follows_the_rule() {
        for count in [1, 2, 3, 4, 7] {
            let text = policy_text("corridor/ab", &cosigners(count)).unwrap();
            let policy = Policy::parse(text.as_bytes()).unwrap();
            assert_eq!(check(&policy), Ok(()), "{text}");
            assert_eq!(policy.groups()[0].threshold, quorum(count.into()));
        }
        assert!(policy_text("corridor/a b", &cosigners(1)).is_err());
    }

    #[test]
    fn departures_are_named() {
        let text = policy_text("corridor/ab", &cosigners(5)).unwrap();
        let check_text = |text: &str| check(&Policy::parse(text.as_bytes()).unwrap());
        let low = check_text(&text.replace("group final 4", "group final 3"));
        assert_eq!(low, Err(RuleError::Threshold { found: 3, nodes: 5, needed: 4 }));
        let high = check_text(&text.replace("group final 4", "group final all"));
        assert_eq!(high, Err(RuleError::Threshold { found: 5, nodes: 5, needed: 4 }));
        assert_eq!(check_text(&text.replace("final", "others")), Err(RuleError::Group));
        assert_eq!(
            check_text(&text.replace("quorum final", "quorum none")),
            Err(RuleError::Quorum)
        );
        let outside = NoteSigner::from_seed("reg", KeyType::Cosignature, &[77; 32]).unwrap();
        let with = |rule: &str| {
            let outside = format!("witness reg {}\n{rule}\nquorum both", outside.verifier());
            check_text(&text.replace("quorum final", &outside))
        };
        assert_eq!(with("group both all final reg"), Ok(()));
        assert_eq!(with("group both any final reg"), Err(RuleError::Quorum));
        let first = text.lines().next().unwrap();
        assert_eq!(check_text(&text.replace(&format!("{first}\n"), "")), Err(RuleError::Keys));
        assert_eq!(check_text("quorum none\n"), Err(RuleError::Logs));
    }

    #[test]
    fn the_published_table() {
        for (nodes, needed) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 4), (7, 5), (10, 7)] {
            assert_eq!(quorum(nodes), needed, "{nodes} nodes");
        }
    }

    #[test]
    fn two_quorums_share_an_honest_node_and_one_can_be_reached() {
        for nodes in 1..200 {
            let (q, f) = (quorum(nodes), liars_tolerated(nodes));
            assert!(2 * q - nodes > f, "{nodes} nodes");
            assert!(q <= nodes, "{nodes} nodes");
            assert!(nodes < 4 || q <= nodes - f, "{nodes} nodes: silent liars stop finality");
        }
    }
}
