//! What became of a transfer that waited, in 35 bytes: the body of its record, and its form in the history.
//!
//! | bytes | field |
//! |---|---|
//! | 16 | the transfer's id |
//! | u64 | leaf of its first answer |
//! | u16 | where it stands now: 2 warehoused, 3 held, 4 queued, 1 settled, 100 and above released |
//! | u8 | what brought that about: 1 a command, 2 time, 3 cover, 4 together with others; 20 nothing yet, but its till |
//! | u64 | leaf of the command; the number that those that settled together share; otherwise 0 |

use ledger::{Answer, Cause, Progress, TransferId};
use proof::record::PROGRESS_BODY_BYTES;

use crate::codec::{CodecError, Reader};

/// The bytes of a progress.
#[must_use]
pub fn encode(progress: &Progress) -> [u8; PROGRESS_BODY_BYTES] {
    let (cause, number) = match progress.cause {
        Cause::Command(leaf) => (1, leaf),
        Cause::Time => (2, 0),
        Cause::Cover => (3, 0),
        Cause::Together(number) => (4, u64::from(number)),
        Cause::Till => (20, 0),
    };
    let mut out = [0; PROGRESS_BODY_BYTES];
    out[..16].copy_from_slice(&progress.id.0);
    out[16..24].copy_from_slice(&progress.leaf.to_le_bytes());
    out[24..26].copy_from_slice(&progress.answer.code().to_le_bytes());
    out[26] = cause;
    out[27..].copy_from_slice(&number.to_le_bytes());
    out
}

/// Reads a progress.
///
/// # Errors
/// `CodecError` when the bytes are too few, or a number has no meaning.
pub fn read(reader: &mut Reader) -> Result<Progress, CodecError> {
    let unknown = |field, value| CodecError::Unknown { field, value };
    let id = TransferId(reader.array("transfer of a progress")?);
    let leaf = reader.u64("first leaf of a progress")?;
    let code = reader.u16("answer of a progress")?;
    let answer = Answer::from_code(code).ok_or(unknown("answer of a progress", code.into()))?;
    let cause = reader.u8("cause of a progress")?;
    let number = reader.u64("number of a progress")?;
    let cause = match (cause, number) {
        (1, leaf) => Cause::Command(leaf),
        (2, 0) => Cause::Time,
        (3, 0) => Cause::Cover,
        (4, number) => Cause::Together(
            u32::try_from(number).map_err(|_| unknown("number of a progress", number))?,
        ),
        (20, 0) => Cause::Till,
        (cause, _) => return Err(unknown("cause of a progress", cause.into())),
    };
    Ok(Progress { id, leaf, answer, cause })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use ledger::{Refusal, Stage};
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_pinned() {
        let progress = Progress {
            id: TransferId([7; 16]),
            leaf: 9,
            answer: Answer::Refused(Refusal::ConditionsNotMet),
            cause: Cause::Command(10),
        };
        let hex: String = encode(&progress).iter().map(|byte| format!("{byte:02x}")).collect();
        let id = "07".repeat(16);
        assert_eq!(hex, format!("{id}09000000000000002d01010a00000000000000"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            id in any::<[u8; 16]>(),
            leaf in any::<u64>(),
            answer in 0..Refusal::ALL.len() + 4,
            cause in 0..5u8,
            number in any::<u64>(),
        ) {
            let answer = match answer.checked_sub(4) {
                Some(at) => Answer::Refused(Refusal::ALL[at]),
                None => match Stage::from_number(answer as u16 + 1) {
                    Some(stage) => Answer::Waiting(stage),
                    None => Answer::Settled,
                },
            };
            let cause = match cause {
                0 => Cause::Command(number),
                1 => Cause::Time,
                2 => Cause::Cover,
                3 => Cause::Till,
                _ => Cause::Together(number as u32),
            };
            let progress = Progress { id: TransferId(id), leaf, answer, cause };
            let bytes = Bytes::copy_from_slice(&encode(&progress));
            for length in 0..bytes.len() {
                prop_assert!(read(&mut Reader::new(bytes.slice(..length))).is_err());
            }
            let mut reader = Reader::new(bytes);
            prop_assert_eq!(read(&mut reader), Ok(progress));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn what_is_read_has_one_spelling(bytes in any::<[u8; PROGRESS_BODY_BYTES]>(), small in any::<bool>()) {
            let mut bytes = bytes;
            if small {
                // Random numbers seldom mean anything: lead them near to those that do.
                let code = u16::from(bytes[24]) % 6;
                bytes[24..26].copy_from_slice(&code.to_le_bytes());
                bytes[26] %= 6;
                let number = bytes[27] % 2;
                bytes[27..].fill(number);
            }
            if let Ok(progress) = read(&mut Reader::new(Bytes::copy_from_slice(&bytes))) {
                prop_assert_eq!(encode(&progress), bytes);
            }
        }
    }
}
