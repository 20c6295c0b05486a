//! Checkpoints that a ledger is held to, and who must have signed each.
//!
//! Nodes come and go by vote, and the ledger says which of them voted after each block. So a checkpoint is judged when the
//! ledger was applied as far: by a quorum of those that voted there. Those that have left make nothing final any more, and
//! those that came need no policy file. Before that, one node that the genesis file names must have signed it, so that a
//! stranger's note is refused at once. A policy that was given is taken instead, for every checkpoint alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use proof::{
    Hash,
    checkpoint::origin,
    final_rule::{GROUP, quorum},
    note::Note,
    policy::{POLICY_BYTES_MAX, Policy},
};
use settlement_node::finality::Members;
use wire::genesis::Genesis;

use super::CHECKPOINT_BYTES_MAX;
use crate::{replay::Stop, verify::read_file};

/// Who must have signed.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// By a policy that was given.
    Given(Policy),
    /// Those that vote at the size; `known`: at least one node of the genesis file. Any of them may hand the log out.
    Voters { members: Members, logs: String, known: Policy },
}

/// A checkpoint that holds: size, root, and who cosigned it.
pub(super) type HeldTo = (u64, Hash, Vec<String>);

/// Checkpoints by size, each with the notes that have it.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    rule: Rule,
    sizes: BTreeMap<u64, (Hash, Vec<(PathBuf, Note)>)>,
}

impl Rule {
    /// The policy in a file, or the nodes that vote.
    ///
    /// # Errors
    /// The policy knows another log; the genesis file names no keys for checkpoints.
    pub(super) fn of(genesis: &Genesis, file: Option<&Path>) -> Result<Self> {
        if let Some(path) = file {
            return Ok(Self::Given(given(genesis, &read_file(path, POLICY_BYTES_MAX)?)?));
        }
        let members = members(genesis)?;
        let all: BTreeSet<u64> = genesis.nodes.iter().map(|node| node.id).collect();
        let needed = |count: usize| format!("group {GROUP} {count} ");
        let text = members.policy_of(&all).replace(&needed(quorum(all.len())), &needed(1));
        let logs =
            text.lines().filter(|line| is_log(line)).map(|line| format!("{line}\n")).collect();
        Ok(Self::Voters { known: given(genesis, text.as_bytes())?, logs, members })
    }

    /// What every checkpoint satisfies, whatever has become of the nodes.
    pub(super) fn at_least(&self) -> &Policy {
        match self {
            Self::Given(policy) | Self::Voters { known: policy, .. } => policy,
        }
    }

    fn judge(&self, note: &Note, voters: &BTreeSet<u64>) -> Result<Vec<String>> {
        let accepted = match self {
            Self::Given(policy) => policy.judge(note)?,
            Self::Voters { members, logs, .. } => {
                let own = members.policy_of(voters);
                let cosigners = own.lines().filter(|line| !is_log(line));
                let text = cosigners.fold(logs.clone(), |text, line| text + line + "\n");
                Policy::parse(text.as_bytes())?.judge(note)?
            }
        };
        Ok(accepted.cosigned.into_iter().map(|one| one.witness).collect())
    }
}

fn is_log(line: &str) -> bool {
    line.starts_with("log ")
}

fn members(genesis: &Genesis) -> Result<Members> {
    Members::of(genesis)?.context("the genesis file names no keys for checkpoints")
}

/// The policy in a file, or that of the nodes that vote from the beginning; it must know the log of the genesis file.
pub(crate) fn policy(genesis: &Genesis, file: Option<&Path>) -> Result<Policy> {
    let text = match file {
        Some(path) => read_file(path, POLICY_BYTES_MAX)?,
        None => members(genesis)?.policy().into_bytes(),
    };
    given(genesis, &text)
}

fn given(genesis: &Genesis, text: &[u8]) -> Result<Policy> {
    let policy = Policy::parse(text)?;
    let own = origin(&genesis.domain.network);
    ensure!(
        policy.logs().iter().any(|log| log.key.name() == own),
        "the policy does not know the log {own} of the genesis file"
    );
    Ok(policy)
}

impl Signed {
    /// Reads checkpoints.
    ///
    /// # Errors
    /// `Stop::Wrong` when one is none of this log, or two of one size have different roots.
    pub(super) fn read(files: &[PathBuf], rule: Rule, genesis: &Genesis) -> Result<Self, Stop> {
        let own = origin(&genesis.domain.network);
        let mut sizes: BTreeMap<u64, (Hash, Vec<(PathBuf, Note)>)> = BTreeMap::new();
        for path in files {
            let wrong = |what: &dyn std::fmt::Display| wrong(path, what);
            let note = read_file(path, CHECKPOINT_BYTES_MAX)?;
            let note = Note::parse(&note).map_err(|error| wrong(&error))?;
            let found = rule.at_least().judge(&note).map_err(|error| wrong(&error))?.checkpoint;
            if found.origin != own {
                return Err(wrong(&format!("it is of {}", found.origin)));
            }
            let (root, notes) = sizes.entry(found.size).or_insert((found.root, Vec::new()));
            if *root != found.root {
                let size = found.size;
                return Err(wrong(&format!("another root was signed at {size} leaves as well")));
            }
            notes.push((path.clone(), note));
        }
        Ok(Self { rule, sizes })
    }

    /// Takes the checkpoints that a ledger of this size and root, at the end of a block, has come to. `voters` are those
    /// that vote after that block.
    ///
    /// # Errors
    /// `Stop::Wrong` when one is not at the end of a block, has another root, or was not signed by enough of the voters.
    pub(super) fn reached(
        &mut self,
        size: u64,
        root: impl Fn() -> Hash,
        voters: impl Fn() -> BTreeSet<u64>,
    ) -> Result<Option<HeldTo>, Stop> {
        let Some(entry) = self.sizes.first_entry().filter(|entry| *entry.key() <= size) else {
            return Ok(None);
        };
        let (at, (signed, notes)) = entry.remove_entry();
        if at != size {
            let what = format!("the checkpoint at {at} leaves is not at the end of a block");
            return Err(Stop::Wrong(what));
        }
        if signed != root() {
            let what = format!("the ledger does not lead to the root signed at {at} leaves");
            return Err(Stop::Wrong(what));
        }
        let (voters, mut names) = (voters(), Vec::new());
        for (path, note) in &notes {
            let judged = self.rule.judge(note, &voters);
            names = judged.map_err(|error| wrong(path, &format!("{error:#}")))?;
        }
        Ok(Some((at, signed, names)))
    }

    /// The first that was not reached.
    pub(super) fn first_left(&self) -> Option<u64> {
        self.sizes.first_key_value().map(|(size, _)| *size)
    }
}

fn wrong(path: &Path, what: &dyn std::fmt::Display) -> Stop {
    Stop::Wrong(format!("the checkpoint {}: {what}", path.display()))
}
