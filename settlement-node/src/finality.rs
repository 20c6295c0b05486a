//! What is final, and who abused a signature: the tally of the nodes' cosignatures.
//!
//! Pure: verified cosignatures and the node's own roots go in, the certificate and findings come out.
//! A size is final when the quorum of those that vote there has cosigned the very root that this node has computed itself. Everything
//! is bounded: roots of the last blocks, and for each node the cosignatures of the last sizes.
//!
//! Two roots of one size are never passed over: a node that cosigned both is a liar by its own hand; one
//! that cosigned another root than this node computed is taken for one, until more nodes say the same than
//! can lie: then it is this node that computed wrongly, and it must stop.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proof::{
    Hash,
    checkpoint::{Checkpoint, origin},
    final_rule::{Cosigner, cosigner_name, liars_tolerated, policy_text, quorum},
    key::{KeyError, KeyType, NoteSigner, VerifierKey},
    note::{Note, NoteError, SignatureLine},
};
use wire::{
    cosign::{Cosignature, FinalAt, SIGNATURE_BYTES},
    genesis::{Genesis, GenesisNode},
};

/// Own roots that are remembered, one a block.
const ROOTS_MAX: usize = 4_096;
/// Cosignatures of each node that are remembered.
const COSIGNATURES_MAX: usize = 32;

/// The nodes of a network as cosigners.
#[derive(Clone, Debug)]
pub struct Members {
    origin: String,
    cosigners: BTreeMap<u64, Cosigner>,
    /// Those that vote from the beginning.
    first: BTreeSet<u64>,
    keys: BTreeMap<u64, VerifierKey>,
    /// The same keys as those of the log.
    logs: BTreeMap<u64, VerifierKey>,
}

impl Members {
    /// The cosigners of a network; nothing when its genesis file names none.
    ///
    /// # Errors
    /// When a key is none that can sign.
    pub fn of(genesis: &Genesis) -> Result<Option<Self>, KeyError> {
        let origin = origin(&genesis.domain.network);
        let (mut keys, mut logs, mut cosigners) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for node in &genesis.nodes {
            let Some(key) = node.cosign_key else { return Ok(None) };
            let name = name_of(node);
            keys.insert(node.id, VerifierKey::new(&name, KeyType::Cosignature, &key)?);
            // The same key must do as the log's.
            logs.insert(node.id, VerifierKey::new(&origin, KeyType::Note, &key)?);
            cosigners.insert(node.id, Cosigner { name, key });
        }
        let voting = genesis.nodes.iter().filter(|node| !node.standby);
        let first = voting.map(|node| node.id).collect();
        Ok(Some(Self { origin, cosigners, first, keys, logs }))
    }

    /// Origin of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The network's policy file, as of the nodes that vote from the beginning.
    pub fn policy(&self) -> String {
        self.policy_of(&self.first)
    }

    /// The policy file of a time at which these nodes vote.
    pub fn policy_of(&self, voters: &BTreeSet<u64>) -> String {
        let voting = self.cosigners.iter().filter(|(id, _)| voters.contains(id));
        let cosigners: Vec<Cosigner> = voting.map(|(_, one)| one.clone()).collect();
        policy_text(&self.origin, &cosigners).expect("the keys were checked")
    }

    /// The text that is signed for a size and root.
    pub fn text(&self, size: u64, root: &Hash) -> String {
        Checkpoint { origin: self.origin.clone(), size, root: *root }.to_string()
    }

    /// Whether a cosignature is of a node.
    pub fn verifies(&self, node: u64, said: &Cosignature) -> bool {
        let text = self.text(said.size, &said.root);
        self.keys.get(&node).is_some_and(|key| key.verify(&text, &said.signature).is_ok())
    }

    /// A node's cosignature as a line of a note.
    pub fn line(&self, node: u64, said: &Cosignature) -> Option<SignatureLine> {
        let key = self.keys.get(&node)?;
        let (name, id) = (key.name().to_owned(), key.id());
        Some(SignatureLine { name, id, signature: said.signature.to_vec() })
    }

    /// The first node that has signed a note as the log, with its line. Lines of others say nothing.
    pub fn signed_as_log(&self, note: &Note) -> Option<(u64, SignatureLine)> {
        let verified = |line: &SignatureLine, key: &VerifierKey| {
            key.is_named_by(line) && key.verify(note.text(), &line.signature).is_ok()
        };
        note.signatures().iter().find_map(|line| {
            let signer = self.logs.iter().find(|(_, key)| verified(line, key));
            signer.map(|(node, _)| (*node, line.clone()))
        })
    }

    /// The first node whose cosignature stands under a note.
    pub fn cosigner_of(&self, note: &Note) -> Option<u64> {
        note.signatures().iter().find_map(|line| {
            let verified = |key: &VerifierKey| {
                key.is_named_by(line) && key.verify(note.text(), &line.signature).is_ok()
            };
            self.keys.iter().find(|(_, key)| verified(key)).map(|(node, _)| *node)
        })
    }
}

fn name_of(node: &GenesisNode) -> String {
    cosigner_name(&node.bic.to_string(), node.id)
}

/// The cosigners, and this node among them.
#[derive(Clone, Debug)]
pub struct Cosigning {
    /// All of them.
    pub members: Members,
    /// This node's id.
    pub node: u64,
    as_log: NoteSigner,
    as_cosigner: NoteSigner,
}

impl Cosigning {
    /// The node with this seed; nothing when the genesis file names another key for it, or none.
    ///
    /// # Errors
    /// When a key of the genesis file is none that can sign.
    pub fn new(genesis: &Genesis, node: u64, seed: &[u8; 32]) -> Result<Option<Self>, KeyError> {
        let Some(members) = Members::of(genesis)? else { return Ok(None) };
        let Some(own) = genesis.nodes.iter().find(|known| known.id == node) else {
            return Ok(None);
        };
        let as_cosigner = NoteSigner::from_seed(&name_of(own), KeyType::Cosignature, seed)?;
        let as_log = NoteSigner::from_seed(&members.origin, KeyType::Note, seed)?;
        let same = own.cosign_key == Some(*as_cosigner.verifier().public());
        Ok(same.then_some(Self { members, node, as_log, as_cosigner }))
    }

    /// Cosigns a size and root at a time in seconds since 1970. The caller has made durable that it does.
    pub fn cosign(&self, size: u64, root: &Hash, time: u64) -> Cosignature {
        let line = self.as_cosigner.sign(&self.members.text(size, root), time);
        let signature: [u8; SIGNATURE_BYTES] =
            line.signature.try_into().expect("time and signature have 72 bytes");
        Cosignature { size, root: *root, signature }
    }

    /// Signs as the log. Only for what this node has cosigned, or a quorum has.
    pub fn sign_as_log(&self, size: u64, root: &Hash) -> SignatureLine {
        self.as_log.sign(&self.members.text(size, root), 0)
    }
}

/// An abused signature, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A node cosigned two roots of one size.
    Equivocation {
        /// Who.
        node: u64,
        /// The two.
        both: [Cosignature; 2],
    },
    /// A node cosigned another root than this one computed.
    OtherRoot {
        /// Who.
        node: u64,
        /// What it cosigned.
        theirs: Cosignature,
        /// The root of this node.
        own: Hash,
    },
    /// A node signed another log than this one computed, as a witness was asked to believe.
    OtherLog {
        /// Who.
        node: u64,
        /// The size.
        size: u64,
        /// What it signed.
        theirs: Hash,
        /// How.
        line: SignatureLine,
        /// The root of this node.
        own: Hash,
    },
    /// More nodes than can lie cosigned one other root: this node has computed wrongly.
    Outvoted {
        /// The size.
        size: u64,
        /// Their root.
        theirs: Hash,
        /// The root of this node.
        own: Hash,
    },
}

/// A checkpoint with the cosignatures of a quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Up to where everything is final.
    pub at: FinalAt,
    /// The root there.
    pub root: Hash,
    /// Who votes there.
    pub voters: Arc<BTreeSet<u64>>,
    /// Cosignatures by node, at least as many as the quorum of these.
    pub cosignatures: BTreeMap<u64, Cosignature>,
}

impl Certificate {
    /// The signed checkpoint: one line of the log, by this node, then the cosignatures.
    ///
    /// # Errors
    /// When a network has more nodes than a note has lines.
    pub fn note(&self, cosigning: &Cosigning) -> Result<Note, NoteError> {
        let members = &cosigning.members;
        let mut lines = vec![cosigning.sign_as_log(self.at.size, &self.root)];
        lines.extend(self.cosignatures.iter().filter_map(|(node, said)| members.line(*node, said)));
        Note::new(members.text(self.at.size, &self.root), lines)
    }
}

/// The tally.
#[derive(Debug)]
pub struct Finality {
    /// Who votes, each with the first size from which on.
    voters: BTreeMap<u64, Arc<BTreeSet<u64>>>,
    /// Own root and block number by size.
    roots: BTreeMap<u64, (Hash, u64)>,
    /// By node and size.
    said: BTreeMap<u64, BTreeMap<u64, Cosignature>>,
    fenced: BTreeSet<u64>,
    /// Those of them that have signed two roots of one size, as was told.
    proven: BTreeSet<u64>,
    outvoted: bool,
    certificate: Option<Certificate>,
}

impl Finality {
    /// The tally of a network.
    pub fn new(members: &Members) -> Self {
        Self {
            voters: BTreeMap::from([(0, Arc::new(members.first.clone()))]),
            roots: BTreeMap::new(),
            said: members.keys.keys().map(|node| (*node, BTreeMap::new())).collect(),
            fenced: BTreeSet::new(),
            proven: BTreeSet::new(),
            outvoted: false,
            certificate: None,
        }
    }

    /// The newest certificate.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Nodes whose cosignatures no longer count.
    pub fn fenced(&self) -> &BTreeSet<u64> {
        &self.fenced
    }

    /// The root that this node computed at a size, if it is remembered.
    pub fn own_root(&self, size: u64) -> Option<Hash> {
        self.roots.get(&size).map(|(root, _)| *root)
    }

    /// A node is known to have abused a signature; whether that is news.
    pub fn accuse(&mut self, node: u64) -> bool {
        self.said.contains_key(&node) && self.fenced.insert(node)
    }

    /// These nodes vote from a size on; sizes come in rising order.
    pub fn voters_from(&mut self, size: u64, voters: &Arc<BTreeSet<u64>>) {
        if self.voters_at(size) != voters {
            self.voters.insert(size, Arc::clone(voters));
        }
        // Of sizes before the oldest root nothing is counted any more.
        let oldest = self.roots.first_key_value().map_or(size, |(oldest, _)| *oldest);
        while self.voters.range(..=oldest).nth(1).is_some() {
            self.voters.pop_first();
        }
    }

    fn voters_at(&self, size: u64) -> &Arc<BTreeSet<u64>> {
        let era = self.voters.range(..=size).next_back().or(self.voters.first_key_value());
        era.expect("there is always one").1
    }

    /// Notes a root that this node computed, at the end of a block.
    pub fn computed(&mut self, at: FinalAt, root: Hash) -> Vec<Finding> {
        self.roots.insert(at.size, (root, at.height));
        if self.roots.len() > ROOTS_MAX {
            self.roots.pop_first();
        }
        let said = self.said.iter().filter_map(|(node, said)| Some((*node, *said.get(&at.size)?)));
        let mut findings = Vec::new();
        for (node, said) in said.collect::<Vec<_>>() {
            findings.extend(self.compare(node, &said));
        }
        self.count(at.size);
        findings
    }

    /// Whether a cosignature says something new and is worth its verification.
    pub fn is_news(&self, node: u64, said: &Cosignature) -> bool {
        let Some(known) = self.said.get(&node) else { return false };
        match known.get(&said.size) {
            Some(before) => before.root != said.root,
            None => {
                known.len() < COSIGNATURES_MAX
                    || known.first_key_value().is_some_and(|(oldest, _)| said.size > *oldest)
            }
        }
    }

    /// Takes a verified cosignature.
    pub fn take(&mut self, node: u64, said: Cosignature) -> Vec<Finding> {
        let Some(known) = self.said.get_mut(&node) else { return Vec::new() };
        if let Some(before) = known.get(&said.size) {
            if before.root == said.root {
                return Vec::new();
            }
            let both = [*before, said];
            self.fenced.insert(node);
            // Also of a node that is fenced already: one word against another convinces no stranger, this does.
            return match self.proven.insert(node) {
                true => vec![Finding::Equivocation { node, both }],
                false => Vec::new(),
            };
        }
        known.insert(said.size, said);
        if known.len() > COSIGNATURES_MAX {
            known.pop_first();
        }
        let findings = self.compare(node, &said).into_iter().collect();
        self.count(said.size);
        findings
    }

    /// Compares a cosignature with the own root of its size, if that is known.
    fn compare(&mut self, node: u64, said: &Cosignature) -> Option<Finding> {
        let (own, _) = *self.roots.get(&said.size)?;
        let voters = Arc::clone(self.voters_at(said.size));
        // What those say that do not vote finds nobody out: nothing depends on it.
        if said.root == own || !voters.contains(&node) {
            return None;
        }
        let same = |(id, known): &(&u64, &BTreeMap<u64, Cosignature>)| {
            let other = known.get(&said.size).filter(|_| voters.contains(id));
            other.is_some_and(|other| other.root == said.root)
        };
        if self.said.iter().filter(same).count() > liars_tolerated(voters.len()) {
            let first = !std::mem::replace(&mut self.outvoted, true);
            let (size, theirs) = (said.size, said.root);
            return first.then_some(Finding::Outvoted { size, theirs, own });
        }
        let news = self.fenced.insert(node);
        news.then_some(Finding::OtherRoot { node, theirs: *said, own })
    }

    /// Looks whether a size has become final, or its certificate has grown.
    fn count(&mut self, size: u64) {
        let Some((root, height)) = self.roots.get(&size).copied() else { return };
        if self.outvoted || self.certificate.as_ref().is_some_and(|last| last.at.size > size) {
            return;
        }
        let voters = Arc::clone(self.voters_at(size));
        let cosignatures: BTreeMap<u64, Cosignature> = self
            .said
            .iter()
            .filter(|(node, _)| voters.contains(node) && !self.fenced.contains(node))
            .filter_map(|(node, said)| Some((*node, *said.get(&size)?)))
            .filter(|(_, said)| said.root == root)
            .collect();
        if cosignatures.len() >= quorum(voters.len()) {
            let at = FinalAt { height, size };
            self.certificate = Some(Certificate { at, root, voters, cosignatures });
        }
    }
}

#[cfg(test)]
mod tests;
