//! The signed batch: 1 to 8,192 commands of one bank under one signature of each bank that must authorise them.
//!
//! ```text
//! header   version u16 = 1 | network 32 | epoch u32 | submitter u32 | valid until u64 | commands u32 | length u32
//! commands canonical bytes (ledger::Command), one after the other, `length` bytes in all
//! signers  count u8, then for each: participant u32 | key 32
//! proof    for each signer: Ed25519 signature 64
//! ```
//! Each signature covers SHA-256("corridor batch v1\0" || header || commands || signers): a digest,
//! so that its cost does not grow with the batch, and the list of signers, so that nobody can add or
//! take away one. A batch is admitted by `verify_strict`; what another node admitted, in company.
//!
//! A transfer that names a document must bring it as an attachment, so that nobody on the way can
//! keep it from its reader.
//!
//! [`SignedBatch`] is what was received; [`VerifiedBatch`] is the same once every signature and every
//! attachment was checked. Only the latter goes further. That a key belongs to its participant is
//! for the ledger to say, in order.

use std::ops::Range;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use ledger::{
    Authorisation, Batch, CheckedCommand, Command, ContentDigest, Digest, LedgerTime,
    ParticipantNumber, PublicKey,
};
use sha2::{Digest as _, Sha256};

use crate::{
    codec::{CodecError, Reader, put_bytes, put_count},
    document,
    limits::{
        ATTACHMENT_BYTES_MAX, BATCH_BYTES_MAX, SIGNATURES_PER_BATCH_MAX, SUBMISSION_BYTES_MAX,
    },
    signature::{self, Signed},
};

/// Version of the batch format.
pub const VERSION: u16 = 1;
const DOMAIN: &[u8] = b"corridor batch v1\0";
/// Length of the header in bytes.
pub const HEADER_BYTES: usize = 2 + 32 + 4 + 4 + 8 + 4 + 4;
const SIGNER_BYTES: usize = 4 + 32;
const SIGNATURE_BYTES: usize = 64;

/// Why a batch is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes do not have the form of a batch.
    #[error("batch: {0}")]
    Form(#[from] CodecError),
    /// A command inside cannot be read.
    #[error("command {position} of the batch: {reason}")]
    Command {
        /// Position from 0.
        position: u32,
        /// What is wrong.
        reason: String,
    },
    /// Signed for another network or epoch.
    #[error("batch is signed for another network or epoch")]
    OtherNetwork,
    /// No command or too many.
    #[error("batch has {0} commands")]
    Count(usize),
    /// A signature does not verify.
    #[error("signature {0} of the batch does not verify")]
    Signature(usize),
    /// Two signatures by one participant, or none at all.
    #[error("signatures of the batch are missing or repeated")]
    Signers,
    /// An attachment does not belong to its command.
    #[error("attachment of command {0} does not match the command's document digest")]
    Attachment(u32),
    /// A transfer names a document that is not there.
    #[error("{missing} documents that the batch names are not attached")]
    Unattached {
        /// How many.
        missing: usize,
    },
}

/// The network that a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Network id: SHA-256 of the genesis file.
    pub network: [u8; 32],
    /// Epoch of the network, raised by governance; 1 from genesis.
    pub epoch: u32,
}

/// Sealed bytes that travel beside a command, outside the Merkle leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Position of the command in its batch, from 0.
    pub position: u32,
    /// Digest of the salted document.
    pub salted: Digest,
    /// The sealed document.
    pub sealed: Bytes,
}

/// A batch as received: form checked, signatures not yet.
#[derive(Clone, Debug)]
pub struct SignedBatch {
    bytes: Bytes,
    commands: Range<usize>,
    /// End of the list of signers, and so of what is signed.
    signed_end: usize,
    count: u32,
    digest: Digest,
}

impl SignedBatch {
    /// Checks the form of a batch.
    pub fn decode(bytes: Bytes) -> Result<Self, BatchError> {
        if bytes.len() > BATCH_BYTES_MAX {
            return Err(CodecError::TooLarge {
                field: "batch",
                value: bytes.len(),
                limit: BATCH_BYTES_MAX,
            }
            .into());
        }
        let mut reader = Reader::new(bytes.clone());
        let version = reader.u16("batch version")?;
        if version != VERSION {
            return Err(
                CodecError::Unknown { field: "batch version", value: u64::from(version) }.into()
            );
        }
        reader.take(32 + 4 + 4 + 8, "batch header")?;
        let count = reader.count(ledger::limits::COMMANDS_PER_BATCH_MAX, "number of commands")?;
        if count == 0 {
            return Err(BatchError::Count(0));
        }
        let length = reader.count(BATCH_BYTES_MAX, "length of commands")?;
        reader.take(length, "commands")?;
        let commands = HEADER_BYTES..HEADER_BYTES + length;
        let signers = usize::from(reader.u8("number of signers")?);
        if signers == 0 || signers > SIGNATURES_PER_BATCH_MAX {
            return Err(BatchError::Signers);
        }
        reader.take(signers * SIGNER_BYTES, "signers")?;
        let signed_end = bytes.len() - reader.remaining();
        reader.take(signers * SIGNATURE_BYTES, "signatures")?;
        reader.end()?;
        let digest = signed_digest(&bytes[..signed_end]);
        Ok(Self { bytes, commands, signed_end, count: count as u32, digest })
    }

    /// The bytes as received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Header bytes, as a batch record carries them.
    pub fn header(&self) -> &[u8] {
        &self.bytes[..HEADER_BYTES]
    }

    /// Bytes of the signers and their signatures, as a batch record carries them.
    pub fn signatures(&self) -> &[u8] {
        &self.bytes[self.commands.end..]
    }

    /// The digest that is signed: the batch's name in answers.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Number of commands, at least one.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Never: a batch without commands is not decoded.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("inside the header"))
    }

    /// Reads commands without checking signatures: for bytes from this node's own checked log.
    pub fn trusted(self, domain: &Domain) -> Result<VerifiedBatch, BatchError> {
        let authorisations = self.signers(domain)?;
        self.open(authorisations)
    }

    /// Checks every signature strictly and reads every command.
    pub fn verify(self, domain: &Domain) -> Result<VerifiedBatch, BatchError> {
        let authorisations = self.signers(domain)?;
        if let Some(bad) = self.signed().position(|signed| !signature::strict(&signed)) {
            return Err(BatchError::Signature(bad));
        }
        self.open(authorisations)
    }

    /// Checks batches that nodes have admitted, all signatures together: the rule for what stands in a block,
    /// see [`RawSubmission::verify_together`]. The documents are not asked for.
    ///
    /// # Errors
    /// [`BatchError::Signature`] with the position among all signatures; else as [`SignedBatch::verify`].
    pub fn verify_together(
        all: Vec<Self>,
        domain: &Domain,
    ) -> Result<Vec<VerifiedBatch>, BatchError> {
        let signed: Vec<Signed> = all.iter().flat_map(Self::signed).collect();
        signature::together(&signed).map_err(BatchError::Signature)?;
        all.into_iter().map(|batch| batch.trusted(domain)).collect()
    }

    fn open(self, authorisations: Vec<Authorisation>) -> Result<VerifiedBatch, BatchError> {
        let submitter = ParticipantNumber(self.u32_at(38));
        let valid_until = LedgerTime(u64::from_le_bytes(
            self.bytes[42..50].try_into().expect("inside the header"),
        ));
        let (commands, ends) = self.read_commands()?;
        Ok(VerifiedBatch {
            batch: Batch { submitter, valid_until, authorisations, commands },
            ends,
            signed: self,
        })
    }

    /// Who signed, if it was for this network, each once, and the submitter among them.
    fn signers(&self, domain: &Domain) -> Result<Vec<Authorisation>, BatchError> {
        if self.bytes[2..34] != domain.network || self.u32_at(34) != domain.epoch {
            return Err(BatchError::OtherNetwork);
        }
        let mut out: Vec<Authorisation> = Vec::with_capacity(1);
        for row in self.bytes[self.commands.end + 1..self.signed_end].chunks_exact(SIGNER_BYTES) {
            let participant =
                ParticipantNumber(u32::from_le_bytes(row[..4].try_into().expect("4 bytes")));
            if out.iter().any(|signer| signer.participant == participant) {
                return Err(BatchError::Signers);
            }
            out.push(Authorisation {
                participant,
                key: PublicKey(row[4..].try_into().expect("32 bytes")),
            });
        }
        let submitter = ParticipantNumber(self.u32_at(38));
        match out.iter().any(|signer| signer.participant == submitter) {
            true => Ok(out),
            false => Err(BatchError::Signers),
        }
    }

    /// The signatures with what they should be of, in the order of the signers.
    fn signed(&self) -> impl Iterator<Item = Signed> {
        let signers = self.bytes[self.commands.end + 1..self.signed_end].chunks_exact(SIGNER_BYTES);
        let signatures = self.bytes[self.signed_end..].chunks_exact(SIGNATURE_BYTES);
        signers.zip(signatures).map(|(signer, signature)| Signed {
            digest: self.digest,
            key: signer[4..].try_into().expect("32 bytes"),
            signature: signature.try_into().expect("64 bytes"),
        })
    }

    fn read_commands(&self) -> Result<(Vec<CheckedCommand>, Vec<u32>), BatchError> {
        let mut rest = &self.bytes[self.commands.clone()];
        let mut commands = Vec::with_capacity(self.len());
        let mut ends = Vec::with_capacity(self.len());
        let mut end = HEADER_BYTES as u32;
        for position in 0..self.count {
            let (command, consumed) = Command::decode(rest)
                .map_err(|error| BatchError::Command { position, reason: error.to_string() })?;
            let (own, after) = rest.split_at(consumed);
            commands.push(CheckedCommand { command, content: ContentDigest::of(own) });
            end += consumed as u32;
            ends.push(end);
            rest = after;
        }
        if !rest.is_empty() {
            return Err(CodecError::LeftOver(rest.len()).into());
        }
        Ok((commands, ends))
    }
}

/// A batch whose every signature was checked.
#[derive(Clone, Debug)]
pub struct VerifiedBatch {
    signed: SignedBatch,
    batch: Batch,
    /// End of each command in the batch's bytes.
    ends: Vec<u32>,
}

impl VerifiedBatch {
    /// What the ledger applies.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The signed form.
    pub fn signed(&self) -> &SignedBatch {
        &self.signed
    }

    /// Canonical bytes of the command at `position`, shared with the batch.
    pub fn command_bytes(&self, position: usize) -> Bytes {
        self.signed.bytes.slice(self.span(position))
    }

    /// Canonical bytes of the command at `position`.
    pub fn command_slice(&self, position: usize) -> &[u8] {
        &self.signed.bytes[self.span(position)]
    }

    fn span(&self, position: usize) -> Range<usize> {
        let start = match position.checked_sub(1) {
            Some(before) => self.ends[before] as usize,
            None => HEADER_BYTES,
        };
        start..self.ends[position] as usize
    }
}

/// Writes and signs a batch.
#[derive(Debug)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
}

impl BatchBuilder {
    /// Starts a batch of `submitter` that no ledger time after `valid_until` accepts.
    pub fn new(domain: &Domain, submitter: ParticipantNumber, valid_until: LedgerTime) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&domain.network);
        bytes.extend_from_slice(&domain.epoch.to_le_bytes());
        bytes.extend_from_slice(&submitter.0.to_le_bytes());
        bytes.extend_from_slice(&valid_until.0.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes, count: 0 }
    }

    /// Adds a command. The caller keeps below the limits of commands and bytes.
    pub fn push(&mut self, command: &Command) {
        command.encode(&mut self.bytes);
        self.count += 1;
    }

    /// Adds a command by its canonical bytes.
    pub fn push_bytes(&mut self, command: &[u8]) {
        self.bytes.extend_from_slice(command);
        self.count += 1;
    }

    /// Number of commands so far.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether no command was added yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Signs with each of `signers` and returns the batch's bytes and its digest.
    pub fn sign(self, signers: &[(ParticipantNumber, &SigningKey)]) -> (Bytes, Digest) {
        let named = signers.iter().map(|(participant, key)| Authorisation {
            participant: *participant,
            key: PublicKey(key.verifying_key().to_bytes()),
        });
        let unsigned = self.for_signers(named);
        let digest = unsigned.digest();
        let mut bytes = unsigned.0;
        for (_, key) in signers {
            bytes.extend_from_slice(&key.sign(&digest.0).to_bytes());
        }
        (Bytes::from(bytes), digest)
    }

    /// Ends the batch for signers that need not be at hand: each signs the digest, which covers the list of them.
    pub fn for_signers(
        mut self,
        signers: impl ExactSizeIterator<Item = Authorisation>,
    ) -> UnsignedBatch {
        let length = (self.bytes.len() - HEADER_BYTES) as u32;
        self.bytes[50..54].copy_from_slice(&self.count.to_le_bytes());
        self.bytes[54..58].copy_from_slice(&length.to_le_bytes());
        self.bytes.push(signers.len() as u8);
        for signer in signers {
            self.bytes.extend_from_slice(&signer.participant.0.to_le_bytes());
            self.bytes.extend_from_slice(&signer.key.0);
        }
        UnsignedBatch(self.bytes)
    }
}

/// A batch that names its signers and lacks their signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedBatch(Vec<u8>);

impl UnsignedBatch {
    /// Reads one; its form is checked, and that it is for this network.
    ///
    /// # Errors
    /// As [`SignedBatch::decode`].
    pub fn decode(bytes: Vec<u8>, domain: &Domain) -> Result<(Self, Batch), BatchError> {
        let this = Self(bytes);
        let count = this.clone().signers()?;
        let batch = this.with_signatures(&vec![[0; SIGNATURE_BYTES]; count])?.trusted(domain)?;
        Ok((this, batch.batch))
    }

    fn signers(self) -> Result<usize, BatchError> {
        let bytes = Bytes::from(self.0);
        let mut reader = Reader::new(bytes);
        reader.take(HEADER_BYTES - 4, "batch header")?;
        let length = reader.count(BATCH_BYTES_MAX, "length of commands")?;
        reader.take(length, "commands")?;
        Ok(usize::from(reader.u8("number of signers")?))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What each signer signs.
    #[must_use]
    pub fn digest(&self) -> Digest {
        signed_digest(&self.0)
    }

    /// The signed batch, whose signatures are given in the order of the signers. They are not checked here.
    ///
    /// # Errors
    /// As [`SignedBatch::decode`], also when there are more or fewer signatures than signers.
    pub fn with_signatures(
        &self,
        signatures: &[[u8; SIGNATURE_BYTES]],
    ) -> Result<SignedBatch, BatchError> {
        let mut bytes = self.0.clone();
        signatures.iter().for_each(|signature| bytes.extend_from_slice(signature));
        SignedBatch::decode(Bytes::from(bytes))
    }
}

fn signed_digest(signed: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(signed);
    Digest(hasher.finalize().into())
}

/// A batch with the sealed documents of its commands, as submitted and as a block carries it.
#[derive(Clone, Debug)]
pub struct RawSubmission {
    /// The signed batch.
    pub batch: SignedBatch,
    /// Attachments, in rising position.
    pub attachments: Vec<Attachment>,
    bytes: Bytes,
}

/// Writes a submission from a signed batch's bytes and its attachments.
pub fn encode_submission(batch: &[u8], attachments: &[Attachment]) -> Bytes {
    let sealed: usize = attachments.iter().map(|attachment| attachment.sealed.len() + 40).sum();
    let mut out = Vec::with_capacity(8 + batch.len() + sealed);
    put_bytes(&mut out, batch);
    put_count(&mut out, attachments.len());
    for attachment in attachments {
        out.extend_from_slice(&attachment.position.to_le_bytes());
        out.extend_from_slice(&attachment.salted.0);
        put_bytes(&mut out, &attachment.sealed);
    }
    Bytes::from(out)
}

/// The submitter that a submission names, without a look at anything else of it.
pub fn submitter_of(submission: &[u8]) -> Option<ParticipantNumber> {
    let at = 4 + 38;
    submission.get(at..at + 4)?.first_chunk().map(|raw| ParticipantNumber(u32::from_le_bytes(*raw)))
}

impl RawSubmission {
    /// Checks the form of a submission.
    pub fn decode(bytes: Bytes) -> Result<Self, BatchError> {
        if bytes.len() > SUBMISSION_BYTES_MAX {
            return Err(CodecError::TooLarge {
                field: "submission",
                value: bytes.len(),
                limit: SUBMISSION_BYTES_MAX,
            }
            .into());
        }
        let mut reader = Reader::new(bytes.clone());
        let batch = SignedBatch::decode(reader.bytes(BATCH_BYTES_MAX, "batch")?)?;
        let count = reader.count(batch.len(), "number of attachments")?;
        let mut attachments: Vec<Attachment> = Vec::with_capacity(count);
        for _ in 0..count {
            let position = reader.u32("attachment position")?;
            let rising = attachments.last().is_none_or(|last| last.position < position);
            if position as usize >= batch.len() || !rising {
                return Err(BatchError::Attachment(position));
            }
            let salted = Digest(reader.array("salted digest")?);
            let sealed = reader.bytes(ATTACHMENT_BYTES_MAX, "sealed document")?;
            attachments.push(Attachment { position, salted, sealed });
        }
        reader.end()?;
        Ok(Self { batch, attachments, bytes })
    }

    /// The bytes as received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Checks every signature strictly, every command's form and every attachment's digest.
    pub fn verify(self, domain: &Domain) -> Result<Submission, BatchError> {
        let batch = self.batch.verify(domain)?;
        Submission { batch, attachments: self.attachments, bytes: self.bytes }.with_attachments()
    }

    /// Checks submissions that another node admitted, all signatures together.
    pub fn verify_together(all: Vec<Self>, domain: &Domain) -> Result<Vec<Submission>, BatchError> {
        let mut signed = Vec::with_capacity(all.len());
        for submission in &all {
            signed.extend(submission.batch.signed());
        }
        signature::together(&signed).map_err(BatchError::Signature)?;
        let open = |raw: Self| raw.trusted(domain).and_then(Submission::with_attachments);
        all.into_iter().map(open).collect()
    }

    /// Reads it without checking signatures: for bytes from this node's own checked log.
    pub fn trusted(self, domain: &Domain) -> Result<Submission, BatchError> {
        let batch = self.batch.trusted(domain)?;
        Ok(Submission { batch, attachments: self.attachments, bytes: self.bytes })
    }
}

/// A checked batch with its checked attachments.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The batch.
    pub batch: VerifiedBatch,
    /// Attachments, in rising position.
    pub attachments: Vec<Attachment>,
    bytes: Bytes,
}

impl Submission {
    /// The bytes as submitted, for the block.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Itself, if each attachment is what its command names, and none is missing.
    fn with_attachments(self) -> Result<Self, BatchError> {
        let commands = &self.batch.batch.commands;
        for attachment in &self.attachments {
            let expected = document::commitment(
                &attachment.salted,
                &document::sealed_digest(&attachment.sealed),
            );
            let named = commands[attachment.position as usize].command.document();
            if named != Some(expected) {
                return Err(BatchError::Attachment(attachment.position));
            }
        }
        let has_document = |checked: &&CheckedCommand| checked.command.document().is_some();
        let named = commands.iter().filter(has_document).count();
        if named != self.attachments.len() {
            return Err(BatchError::Unattached { missing: named - self.attachments.len() });
        }
        Ok(self)
    }
}
