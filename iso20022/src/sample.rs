//! Valid random messages, made by walking the schema tables; the seed decides everything.
//!
//! A sample follows its schema in every optional element, choice, repetition and facet that chance
//! adds, and keeps the rules of the profile that it is made for: totals are added up, and what the
//! rules still object to is taken out again. For tests, and for integrators who need messages.

mod envelope;
mod mend;
mod random;
mod totals;
mod values;
mod walk;

use crate::finding::Finding;
use crate::limits::Limits;
use crate::message::read;
use crate::name::MessageName;
use crate::profile::Profile;
use crate::table;
use crate::writer::{BuildError, Draft};
use mend::Mender;
use random::Random;
use walk::{Plan, Walk};

/// How often a message is mended before a smaller one is tried.
const MENDINGS_MAX: usize = 200;
/// How many messages are tried, each smaller than the one before.
const ATTEMPTS: u64 = 6;

/// Why there is no sample.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// There is no table for this message, or its table and this crate disagree.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// No attempt satisfied the rules of the profile.
    #[error("no sample of {message} keeps all rules; the last attempt broke {}", .finding.rule)]
    Rules {
        /// The message wanted.
        message: MessageName,
        /// What the rules said to the last attempt.
        finding: Box<Finding>,
    },
}

/// A message that follows its schema; the rules beyond it are not looked at.
///
/// The same message, seed and version of this crate give the same bytes.
///
/// ```
/// let name = "pacs.002.001.10".parse()?;
/// let bytes = iso20022::sample::schema_valid(name, 7)?;
/// let message = iso20022::read(&bytes, &iso20022::Limits::message()).map_err(|e| e.to_string())?;
/// assert!(message.is_schema_valid());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The message is not supported.
pub fn schema_valid(message: MessageName, seed: u64) -> Result<Vec<u8>, SampleError> {
    let draft = walked(message, seed, 0, false)?;
    Ok(draft.write(message)?)
}

/// A message that follows its schema and keeps the rules of a profile.
///
/// ```
/// use iso20022::{Limits, Profile, read, sample};
///
/// let bytes = sample::valid("pacs.008.001.08".parse()?, Profile::Corridor, 1)?;
/// let message = read(&bytes, &Limits::message()).map_err(|error| error.to_string())?;
/// assert!(message.validate(Profile::Corridor).iter().all(|finding| !finding.is_error()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The message is not supported, or chance found none that keeps all rules.
pub fn valid(message: MessageName, profile: Profile, seed: u64) -> Result<Vec<u8>, SampleError> {
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        let mut draft = walked(message, seed, attempt, profile != Profile::Base)?;
        totals::settle(message, &mut draft);
        match mended(message, profile, draft, seed)? {
            Ok(bytes) => return Ok(bytes),
            Err(finding) => last = Some(finding),
        }
    }
    let finding = Box::new(last.expect("there was an attempt"));
    Err(SampleError::Rules { message, finding })
}

/// One walk over the table of a message; later attempts give smaller messages.
fn walked(
    message: MessageName,
    seed: u64,
    attempt: u64,
    plain: bool,
) -> Result<Draft, SampleError> {
    let (table, root) = table::root_of(message).ok_or(BuildError::Unsupported(message))?;
    let name_sum = message
        .as_str()
        .bytes()
        .fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random =
        Random::new(name_sum ^ seed.wrapping_mul(ATTEMPTS).wrapping_add(attempt).rotate_left(32));
    let plan = if attempt + 1 == ATTEMPTS {
        Plan::LEAST
    } else {
        let optional = [0, 15, 30, 55, 85][random.below(5)] >> attempt;
        let elements = [40, 120, 300, 900][random.below(4)] >> attempt;
        Plan { optional, elements, plain }
    };
    let mut walk = Walk::new(table, &mut random, plan);
    Ok(walk.element(&root.element, root.type_id, 0))
}

/// Mends a draft until the rules of the profile have nothing more against it; the first objection
/// left if that does not help.
fn mended(
    message: MessageName,
    profile: Profile,
    mut draft: Draft,
    seed: u64,
) -> Result<Result<Vec<u8>, Finding>, SampleError> {
    let mut mender = Mender::new(message, profile, seed).ok_or(BuildError::Unsupported(message))?;
    let mut mendings = 0;
    loop {
        let bytes = envelope::write(message, profile, &draft)?;
        let mut findings = match read(&bytes, &Limits::batch()) {
            Ok(read) => read.validate(profile),
            Err(unreadable) => unreadable.findings,
        };
        findings.retain(Finding::is_error);
        let Some(first) = findings.first() else { return Ok(Ok(bytes)) };
        // A path with an index holds until something is taken out: so from the back, and afterwards
        // the rules are asked again.
        let changed = findings.iter().rev().any(|finding| mender.mend(&mut draft, finding));
        mendings += 1;
        if !changed || mendings > MENDINGS_MAX {
            return Ok(Err(first.clone()));
        }
        totals::settle(message, &mut draft);
    }
}
