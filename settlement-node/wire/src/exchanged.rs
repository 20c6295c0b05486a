//! At which rates an exchange settled: the body of its record, and its form in the history.
//!
//! | bytes | field |
//! |---|---|
//! | 16 | the exchange's id |
//! | u64 | leaf of its command |
//! | u64, u64 | what the debtor paid, what the creditor received |
//! | u32 | the asset between the two; all bits set when there is none |
//! | u8 | how many of the fills are of the first step |
//! | u8 | number of fills, 1 to 16 |
//! | 56 each | quote 16, accounts that gave and received u32 each, rate (pay, get) u64 each, gave u64, took u64 |

use ledger::{
    AccountNumber, Amount, AssetNumber, Exchanged, Fill, Rate, TransferId, limits::FILLS_MAX,
};
use proof::record::{EXCHANGE_HEAD_BYTES, FILL_BYTES};

use crate::codec::{CodecError, Reader};

const DIRECT: u32 = u32::MAX;

/// The bytes of an exchange that settled.
#[must_use]
pub fn encode(exchanged: &Exchanged) -> Vec<u8> {
    let Exchanged { id, leaf, paid, delivered, via, first_step, fills } = exchanged;
    let mut out = Vec::with_capacity(EXCHANGE_HEAD_BYTES + fills.len() * FILL_BYTES);
    out.extend_from_slice(&id.0);
    for number in [*leaf, paid.minor(), delivered.minor()] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&via.map_or(DIRECT, |asset| asset.0).to_le_bytes());
    // At most 16 fills: the ledger takes no more.
    out.extend_from_slice(&[*first_step, fills.len() as u8]);
    for Fill { quote, sells, buys, rate, gave, took } in fills {
        out.extend_from_slice(&quote.0);
        out.extend_from_slice(&sells.0.to_le_bytes());
        out.extend_from_slice(&buys.0.to_le_bytes());
        for number in [rate.pay(), rate.get(), gave.minor(), took.minor()] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    out
}

/// Reads an exchange that settled.
///
/// # Errors
/// `CodecError` when the bytes are too few, a number has no meaning, or the fills do not add up.
pub fn read(reader: &mut Reader) -> Result<Exchanged, CodecError> {
    let unknown = |field, value| CodecError::Unknown { field, value };
    let id = TransferId(reader.array("exchange")?);
    let leaf = reader.u64("leaf of an exchange")?;
    let paid = Amount::new(reader.u64("amount paid")?);
    let delivered = Amount::new(reader.u64("amount delivered")?);
    let via = Some(reader.u32("asset between")?).filter(|via| *via != DIRECT).map(AssetNumber);
    let first_step = reader.u8("fills of the first step")?;
    let count = reader.u8("number of fills")?;
    if count == 0 || usize::from(count) > FILLS_MAX {
        return Err(unknown("number of fills", count.into()));
    }
    let mut fills = Vec::with_capacity(count.into());
    for _ in 0..count {
        let quote = TransferId(reader.array("quote of a fill")?);
        let sells = AccountNumber(reader.u32("account that gave")?);
        let buys = AccountNumber(reader.u32("account that received")?);
        let (pay, get) = (reader.u64("rate of a fill")?, reader.u64("rate of a fill")?);
        let rate = Rate::new(pay, get).ok_or(unknown("rate of a fill", pay))?;
        let gave = Amount::new(reader.u64("what a fill gave")?);
        let took = Amount::new(reader.u64("what a fill took")?);
        fills.push(Fill { quote, sells, buys, rate, gave, took });
    }
    let exchanged = Exchanged { id, leaf, paid, delivered, via, first_step, fills };
    if exchanged.check() { Ok(exchanged) } else { Err(unknown("sum of the fills", paid.minor())) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;

    fn fill(quote: u8, rate: (u64, u64), gave: u64, took: u64) -> Fill {
        Fill {
            quote: TransferId([quote; 16]),
            sells: AccountNumber(1),
            buys: AccountNumber(2),
            rate: Rate::new(rate.0, rate.1).unwrap(),
            gave: Amount::new(gave),
            took: Amount::new(took),
        }
    }

    /// 100 buys 160 of a third asset at two quotes, and that 110.
    fn over_a_vehicle() -> Exchanged {
        Exchanged {
            id: TransferId([7; 16]),
            leaf: 9,
            paid: Amount::new(101),
            delivered: Amount::new(110),
            via: Some(AssetNumber(3)),
            first_step: 2,
            fills: vec![
                fill(1, (100, 160), 80, 50),
                fill(2, (101, 160), 80, 51),
                fill(3, (145, 100), 110, 160),
            ],
        }
    }

    fn read_all(bytes: &[u8]) -> Result<Exchanged, CodecError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
        let found = read(&mut reader)?;
        reader.end().map(|()| found)
    }

    #[test]
    fn the_bytes_are_pinned() {
        let mut exchanged = over_a_vehicle();
        exchanged.via = None;
        exchanged.first_step = 1;
        exchanged.fills.truncate(1);
        (exchanged.paid, exchanged.delivered) = (Amount::new(50), Amount::new(80));
        let hex: String = encode(&exchanged).iter().map(|byte| format!("{byte:02x}")).collect();
        let (id, quote) = ("07".repeat(16), "01".repeat(16));
        let head = format!("{id}090000000000000032000000000000005000000000000000ffffffff0101");
        let rate = "6400000000000000a000000000000000";
        let amounts = "50000000000000003200000000000000";
        assert_eq!(hex, format!("{head}{quote}0100000002000000{rate}{amounts}"));
        assert_eq!(hex.len() / 2, EXCHANGE_HEAD_BYTES + FILL_BYTES);
        assert_eq!(read_all(&encode(&exchanged)), Ok(exchanged));
    }

    #[test]
    fn what_is_written_is_read_and_nothing_that_does_not_add_up() {
        let exchanged = over_a_vehicle();
        let bytes = encode(&exchanged);
        assert_eq!(read_all(&bytes), Ok(exchanged.clone()));
        for length in 0..bytes.len() {
            assert!(read_all(&bytes[..length]).is_err());
        }
        let mut wrong = vec![exchanged.clone(); 6];
        wrong[0].paid = Amount::new(102);
        wrong[1].delivered = Amount::new(109);
        wrong[2].first_step = 1;
        wrong[3].via = None;
        // One unit of what is paid too few for the rate, and one that would have bought more.
        wrong[4].fills[0].took = Amount::new(49);
        wrong[4].paid = Amount::new(100);
        wrong[5].fills[0].took = Amount::new(51);
        wrong[5].paid = Amount::new(102);
        for one in wrong {
            assert!(read_all(&encode(&one)).is_err(), "{one:?}");
        }
        let mut no_fills = bytes[..EXCHANGE_HEAD_BYTES].to_vec();
        no_fills[EXCHANGE_HEAD_BYTES - 1] = 0;
        assert!(read_all(&no_fills).is_err());
    }
}
