//! `corridor verify evidence`: what the files of a node's evidence folder prove, offline and against whom.
//!
//! Each file is a signed checkpoint. Two roots of one size under one node's signatures prove that it told two
//! histories; so does one root beside a checkpoint that a quorum has cosigned. The word of one node against that
//! of another proves that one of them is wrong, and not which.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use proof::{
    Hash,
    checkpoint::Checkpoint,
    final_rule,
    note::{NOTE_BYTES_MAX, Note},
    policy::{POLICY_BYTES_MAX, Policy},
    text::to_base64,
};
use serde::Serialize;

use super::read_file;

/// Arguments of `corridor verify evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArguments {
    /// Signed checkpoints: files of a node's evidence folder, and final checkpoints to hold them against
    #[arg(required = true)]
    notes: Vec<PathBuf>,
    /// The network's policy: the public keys of its nodes
    #[arg(long)]
    policy: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What the files say together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Who signed what, one sentence a file.
    pub files: Vec<String>,
    /// Nodes that are proven to have told two histories, with the sentence that says how.
    pub proven: BTreeMap<String, String>,
    /// Sizes at which nodes contradict each other without proof of which is wrong.
    pub contradictions: Vec<String>,
}

/// Runs `corridor verify evidence`; fails when nothing is proven.
pub(super) fn run(arguments: EvidenceArguments) -> Result<()> {
    let policy = Policy::parse(&read_file(&arguments.policy, POLICY_BYTES_MAX)?)?;
    let mut notes = Vec::new();
    for path in &arguments.notes {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        notes.push((name, read_file(path, NOTE_BYTES_MAX)?));
    }
    let verdict = weigh(&policy, &notes)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&verdict)?);
    } else {
        verdict.files.iter().for_each(|line| println!("{line}"));
        verdict.contradictions.iter().for_each(|line| println!("NOT DECIDED: {line}"));
        verdict.proven.values().for_each(|line| println!("PROVEN: {line}"));
    }
    if verdict.proven.is_empty() {
        bail!("these files prove nothing against any node");
    }
    Ok(())
}

/// Roots by size, with who signed them.
type Signed = BTreeMap<u64, BTreeMap<Hash, BTreeSet<String>>>;

/// Weighs signed checkpoints, each with the name of its file.
///
/// # Errors
/// When the policy is none of a network, or a file is no checkpoint that one of its nodes has signed.
pub fn weigh(policy: &Policy, notes: &[(String, Vec<u8>)]) -> Result<Verdict> {
    final_rule::check(policy)?;
    let (mut signed, mut last) = (Signed::new(), BTreeMap::<u64, (Hash, String)>::new());
    let mut verdict = Verdict::default();
    for (file, bytes) in notes {
        let context = || format!("the file {file}");
        let note = Note::parse(bytes).with_context(context)?;
        let checkpoint = Checkpoint::parse(note.text()).with_context(context)?;
        let signers = signers(policy, &note, &checkpoint).with_context(context)?;
        let (size, root) = (checkpoint.size, checkpoint.root);
        let is_final = policy.judge(&note).is_ok();
        verdict.files.push(format!(
            "{file}: {size} leaves with root {}, signed by {}{}",
            to_base64(&root),
            list(&signers),
            if is_final { "; a quorum: it is final" } else { "" }
        ));
        signed.entry(size).or_default().entry(root).or_default().extend(signers);
        if is_final {
            let before = last.insert(size, (root, file.clone()));
            ensure!(
                before.is_none_or(|(other, _)| other == root),
                "two quorums have cosigned two roots at {size} leaves: more nodes lie than the network bears"
            );
        }
    }
    for (size, roots) in &signed {
        let mut undecided = roots.len() > 1;
        for (root, signers) in roots {
            for signer in signers {
                let other = roots.iter().find(|(other, by)| *other != root && by.contains(signer));
                let how = if other.is_some() {
                    format!("{signer} signed two roots of the log at {size} leaves")
                } else if let Some((certified, file)) = last.get(size)
                    && certified != root
                {
                    format!(
                        "{signer} signed another root at {size} leaves than the quorum did ({file})"
                    )
                } else {
                    continue;
                };
                undecided = false;
                verdict.proven.entry(signer.clone()).or_insert(how);
            }
        }
        if undecided {
            let words: Vec<String> = roots.values().map(list).collect();
            let words = words.join(" against ");
            let line = format!("at {size} leaves it is the word of {words}; one of them is wrong");
            verdict.contradictions.push(line);
        }
    }
    Ok(verdict)
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}

/// The nodes whose signatures stand under a note, as cosigners or as the log. A wrong one condemns the note.
fn signers(policy: &Policy, note: &Note, checkpoint: &Checkpoint) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for line in note.signatures() {
        let as_log = policy.logs().iter().map(|log| &log.key);
        let cosigners = policy.witnesses().iter().map(|witness| &witness.key);
        for key in as_log.chain(cosigners).filter(|key| key.is_named_by(line)) {
            let checked = key.verify(note.text(), &line.signature);
            checked.map_err(|error| anyhow::anyhow!("the line of {} {error}", line.name))?;
            // A node has one key for both; as a cosigner it has a name of its own.
            let own = |witness: &&proof::policy::Witness| witness.key.public() == key.public();
            let name = policy.witnesses().iter().find(own).map(|witness| witness.name.clone());
            names.insert(name.context("the key of the log is no node's")?);
        }
    }
    let known = policy.logs().iter().any(|log| log.key.name() == checkpoint.origin);
    ensure!(known, "it is a checkpoint of {}, which the policy does not know", checkpoint.origin);
    ensure!(!names.is_empty(), "no node of the policy has signed it");
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proof::{
        final_rule::{Cosigner, cosigner_name, policy_text},
        key::{KeyType, NoteSigner},
    };

    use super::*;

    const ORIGIN: &str = "corridor/ab";

    fn signer(node: u8, kind: KeyType) -> NoteSigner {
        let name = cosigner_name("BANKDEFF", node.into());
        let name = if kind == KeyType::Note { ORIGIN } else { &name };
        NoteSigner::from_seed(name, kind, &[node; 32]).unwrap()
    }

    fn policy() -> Policy {
        let cosigner = |node: u8| {
            let signer = signer(node, KeyType::Cosignature);
            Cosigner { name: signer.verifier().name().into(), key: *signer.verifier().public() }
        };
        let cosigners: Vec<Cosigner> = (1..=4).map(cosigner).collect();
        Policy::parse(policy_text(ORIGIN, &cosigners).unwrap().as_bytes()).unwrap()
    }

    fn note(size: u64, root: u8, by: &[(u8, KeyType)]) -> (String, Vec<u8>) {
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root: [root; 32] };
        let text = checkpoint.to_string();
        let lines = by.iter().map(|(node, kind)| signer(*node, *kind).sign(&text, 9)).collect();
        let bytes = Note::new(text, lines).unwrap().to_string().into_bytes();
        (format!("{size}-{root}"), bytes)
    }

    const COSIGNED: KeyType = KeyType::Cosignature;

    fn proven(notes: &[(String, Vec<u8>)]) -> Vec<String> {
        weigh(&policy(), notes).unwrap().proven.into_keys().collect()
    }

    #[test]
    fn two_roots_under_one_name_are_proof() {
        let both = [note(9, 1, &[(4, COSIGNED)]), note(9, 2, &[(4, COSIGNED)])];
        assert_eq!(proven(&both), ["BANKDEFF/node4"]);
        let as_log = [note(9, 1, &[(4, COSIGNED)]), note(9, 2, &[(4, KeyType::Note)])];
        assert_eq!(proven(&as_log), ["BANKDEFF/node4"]);
        let of_two_sizes = [note(9, 1, &[(4, COSIGNED)]), note(10, 2, &[(4, COSIGNED)])];
        assert_eq!(proven(&of_two_sizes), Vec::<String>::new());
    }

    #[test]
    fn a_quorum_decides_between_two_words() {
        let words = vec![note(9, 1, &[(4, COSIGNED)]), note(9, 2, &[(1, KeyType::Note)])];
        let verdict = weigh(&policy(), &words).unwrap();
        assert!(verdict.proven.is_empty());
        assert_eq!(verdict.contradictions.len(), 1);
        let quorum = [(1, KeyType::Note), (1, COSIGNED), (2, COSIGNED), (3, COSIGNED)];
        let decided = [words, vec![note(9, 2, &quorum)]].concat();
        assert_eq!(proven(&decided), ["BANKDEFF/node4"]);
    }

    #[test]
    fn what_nobody_signed_is_no_evidence() {
        let (name, good) = note(9, 1, &[(4, COSIGNED)]);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let weighed = weigh(&policy(), &[(name.clone(), bad)]);
            assert!(weighed.is_err(), "byte {at} may be changed");
        }
        let stranger = note(9, 1, &[(7, COSIGNED)]);
        assert!(weigh(&policy(), &[stranger]).is_err());
    }
}
