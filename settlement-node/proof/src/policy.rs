//! Trust policies (C2SP tlog-policy): which logs are meant, and whose cosignatures are enough.
//!
//! A policy is the verifier's own: everything else that it reads comes from others. A checkpoint
//! is accepted when one of the listed logs signed it and the quorum has cosigned it. Signatures of
//! unknown keys are passed over; one of a known key that does not verify condemns the whole note.
//! Beyond the specification: names and addresses must be UTF-8, and sizes are bounded.

mod parse;

use std::collections::BTreeMap;

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    key::{KeyError, SignatureError, VerifierKey},
    note::Note,
};

/// Longest policy that is read, in bytes.
pub const POLICY_BYTES_MAX: usize = 128 << 10;
/// Most logs, most witnesses and most groups, each.
pub const NAMES_MAX: usize = 256;
/// Name of the quorum that no cosignature is needed for.
const NONE: &str = "none";

/// Why a text is no policy. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than is read.
    #[error("the policy has {0} bytes; at most {POLICY_BYTES_MAX} are read")]
    TooLong(usize),
    /// A line is not ended, or holds a control character or broken UTF-8.
    #[error("line {0} of the policy is not a line of text")]
    Text(usize),
    /// A line that no policy has.
    #[error("line {line} of the policy: {what}")]
    Line {
        /// Which line.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A key cannot be read.
    #[error("line {line} of the policy: {error}")]
    Key {
        /// Which line.
        line: usize,
        /// What is wrong with it.
        error: KeyError,
    },
    /// No quorum line.
    #[error("the policy does not say which quorum is enough")]
    NoQuorum,
}

/// A key that may have signed as the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its key; the key's name is the log's origin.
    pub key: VerifierKey,
    /// Where it can be reached.
    pub url: Option<String>,
}

/// Somebody who cosigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Name within the policy.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where it can be reached.
    pub url: Option<String>,
}

/// A member of a group, or the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// By its number in [`Policy::witnesses`].
    Witness(usize),
    /// By its number in [`Policy::groups`].
    Group(usize),
}

/// Some of whose members must have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name within the policy.
    pub name: String,
    /// How many members are enough.
    pub threshold: usize,
    /// Witnesses, and groups that stand before this one.
    pub members: Vec<Member>,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// What must have cosigned; nothing for `quorum none`.
    quorum: Option<Member>,
}

/// Why a note is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no checkpoint.
    #[error("what is signed is no checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The policy knows no log of this origin.
    #[error("the checkpoint is of {0}, which the policy does not know")]
    Origin(String),
    /// A signature of a known key does not verify.
    #[error("the signature that names {name} {error}")]
    Signature {
        /// Whose it should be.
        name: String,
        /// What is wrong with it.
        error: SignatureError,
    },
    /// No listed log signed.
    #[error("no key of the log {0} has signed the checkpoint")]
    NotSigned(String),
    /// Those who cosigned are not enough.
    #[error(
        "the cosignatures do not reach the quorum of the policy: {} of {} witnesses cosigned ({}); missing: {}",
        .cosigned.len(), .cosigned.len() + .missing.len(), list(.cosigned), list(.missing)
    )]
    Quorum {
        /// Witnesses that cosigned.
        cosigned: Vec<String>,
        /// Witnesses that did not.
        missing: Vec<String>,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// A witness's cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Name of the witness in the policy.
    pub witness: String,
    /// When it says that it signed, in seconds since 1970.
    pub time: u64,
}

/// A checkpoint that satisfies a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The earliest cosignature of each witness that cosigned, in the order of the policy.
    pub cosigned: Vec<Cosigned>,
    /// Witnesses of the policy that did not.
    pub missing: Vec<String>,
}

impl Policy {
    /// Reads a policy.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        parse::policy(bytes)
    }

    /// The listed logs.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The listed witnesses.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The groups; each refers only to those before it.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What must have cosigned; nothing for `quorum none`.
    pub fn quorum(&self) -> Option<Member> {
        self.quorum
    }

    /// Whether those who cosigned, by their number among the witnesses, are enough.
    pub fn is_quorum(&self, cosigned: impl Fn(usize) -> bool) -> bool {
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let counts = |member: &&Member| match **member {
                Member::Witness(at) => cosigned(at),
                Member::Group(at) => groups[at],
            };
            groups.push(group.members.iter().filter(counts).count() >= group.threshold);
        }
        match self.quorum {
            None => true,
            Some(Member::Witness(at)) => cosigned(at),
            Some(Member::Group(at)) => groups[at],
        }
    }

    /// Judges a note.
    pub fn judge(&self, note: &Note) -> Result<Accepted, Refused> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let of_origin = |log: &&Log| log.key.name() == checkpoint.origin;
        let logs: Vec<&Log> = self.logs.iter().filter(of_origin).collect();
        if logs.is_empty() {
            return Err(Refused::Origin(checkpoint.origin));
        }
        let mut signed = false;
        let mut times: BTreeMap<usize, u64> = BTreeMap::new();
        for line in note.signatures() {
            let wrong = |error| Refused::Signature { name: line.name.clone(), error };
            for log in logs.iter().filter(|log| log.key.is_named_by(line)) {
                log.key.verify(note.text(), &line.signature).map_err(wrong)?;
                signed = true;
            }
            for (at, witness) in self.witnesses.iter().enumerate() {
                if !witness.key.is_named_by(line) {
                    continue;
                }
                let time = witness.key.verify(note.text(), &line.signature).map_err(wrong)?;
                let time = time.expect("witnesses have cosignature keys");
                times.entry(at).and_modify(|first| *first = time.min(*first)).or_insert(time);
            }
        }
        if !signed {
            return Err(Refused::NotSigned(checkpoint.origin));
        }
        let (mut cosigned, mut missing) = (Vec::new(), Vec::new());
        for (at, witness) in self.witnesses.iter().enumerate() {
            match times.get(&at) {
                Some(time) => {
                    cosigned.push(Cosigned { witness: witness.name.clone(), time: *time })
                }
                None => missing.push(witness.name.clone()),
            }
        }
        if !self.is_quorum(|at| times.contains_key(&at)) {
            let cosigned = cosigned.into_iter().map(|cosigned| cosigned.witness).collect();
            return Err(Refused::Quorum { cosigned, missing });
        }
        Ok(Accepted { checkpoint, cosigned, missing })
    }
}

#[cfg(test)]
mod tests;
