//! What one bank is told although it sent nothing: the body of its record, and its form in the history.
//!
//! | kind u8, bank u32 | then | meaning |
//! |---|---|---|
//! | 1, 2 | account u32, line i64, posted i128, available i128 | less is available than the floor; more is posted than the ceiling |
//! | 3, 4 | transfer 16, account u32 | the report of a credit is overdue; it is not waited for any longer |
//! | 5 | quote 16, left u64 | the quote's time is over |
//! | 6 | transfer 16, account u32, time u64 | to the bank that paid: the customer has the money since then |
//! | 7 | transfer 16, account u32, reason 4 | to the bank that paid: the customer could not be credited |

use ledger::{
    AccountNumber, Amount, CreditNotice, FxOutputs, LedgerTime, Notice, NoticeKind,
    ParticipantNumber, QuoteNotice, ReasonCode, TransferId,
};

use crate::codec::{CodecError, Reader};

/// What one bank is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankNotice {
    /// The bank.
    pub bank: ParticipantNumber,
    /// What it is told.
    pub what: What,
}

/// What a bank is told although it sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The balance of an account has passed a line that its owner set.
    Line {
        /// The account.
        account: AccountNumber,
        /// Which line.
        kind: NoticeKind,
        /// The line, in minor units.
        line: i64,
        /// What is posted, in minor units.
        posted: i128,
        /// What is available, in minor units.
        available: i128,
    },
    /// The report of a credit to a customer is overdue.
    ReportOverdue {
        /// The transfer that credited the account.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
    },
    /// The report never came, and is not waited for any longer.
    ReportMissing {
        /// The transfer that credited the account.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
    },
    /// The time of a quote is over.
    QuoteExpired {
        /// The quote.
        quote: TransferId,
        /// What it had not given.
        left: Amount,
    },
    /// The bank that was paid has reported that its customer has the money.
    Credited {
        /// The transfer that credited the account.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
        /// Since when, by that bank's clock.
        at: LedgerTime,
    },
    /// The bank that was paid has reported that it could not credit its customer.
    NotCredited {
        /// The transfer that credited the account.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
        /// Why not, of ExternalStatusReason1Code.
        reason: ReasonCode,
    },
}

impl BankNotice {
    /// A notice about a balance.
    #[must_use]
    pub const fn of_line(notice: &Notice) -> Self {
        let what = What::Line {
            account: notice.account,
            kind: notice.kind,
            line: notice.line,
            posted: notice.posted.minor(),
            available: notice.available.minor(),
        };
        Self { bank: notice.owner, what }
    }

    /// The notices of a block, in the order in which they become records: of quotes, of reports, of balances.
    #[must_use]
    pub fn of_block(outputs: &FxOutputs, lines: &[Notice]) -> Vec<Self> {
        let quotes = outputs.quotes.iter().filter_map(|one| match *one {
            QuoteNotice::Expired { quote, provider, left } => {
                Some(Self { bank: provider, what: What::QuoteExpired { quote, left } })
            }
            _ => None,
        });
        let reports = outputs.credits.iter().filter_map(|one| match *one {
            CreditNotice::Overdue { transfer, account, bank } => {
                Some(Self { bank, what: What::ReportOverdue { transfer, account } })
            }
            CreditNotice::Missing { transfer, account, bank } => {
                Some(Self { bank, what: What::ReportMissing { transfer, account } })
            }
            CreditNotice::Credited { transfer, account, payer: bank, at, .. } => {
                Some(Self { bank, what: What::Credited { transfer, account, at } })
            }
            CreditNotice::Rejected { transfer, account, payer: bank, reason } => {
                Some(Self { bank, what: What::NotCredited { transfer, account, reason } })
            }
            _ => None,
        });
        quotes.chain(reports).chain(lines.iter().map(Self::of_line)).collect()
    }
}

/// The bytes of a notice.
#[must_use]
pub fn encode(notice: &BankNotice) -> Vec<u8> {
    let kind = match notice.what {
        What::Line { kind: NoticeKind::BelowFloor, .. } => 1,
        What::Line { kind: NoticeKind::AboveCeiling, .. } => 2,
        What::ReportOverdue { .. } => 3,
        What::ReportMissing { .. } => 4,
        What::QuoteExpired { .. } => 5,
        What::Credited { .. } => 6,
        What::NotCredited { .. } => 7,
    };
    let mut out = vec![kind];
    out.extend_from_slice(&notice.bank.0.to_le_bytes());
    match notice.what {
        What::Line { account, line, posted, available, .. } => {
            out.extend_from_slice(&account.0.to_le_bytes());
            out.extend_from_slice(&line.to_le_bytes());
            out.extend_from_slice(&posted.to_le_bytes());
            out.extend_from_slice(&available.to_le_bytes());
        }
        What::ReportOverdue { transfer, account } | What::ReportMissing { transfer, account } => {
            out.extend_from_slice(&transfer.0);
            out.extend_from_slice(&account.0.to_le_bytes());
        }
        What::QuoteExpired { quote, left } => {
            out.extend_from_slice(&quote.0);
            out.extend_from_slice(&left.minor().to_le_bytes());
        }
        What::Credited { transfer, account, at } => {
            out.extend_from_slice(&transfer.0);
            out.extend_from_slice(&account.0.to_le_bytes());
            out.extend_from_slice(&at.0.to_le_bytes());
        }
        What::NotCredited { transfer, account, reason } => {
            out.extend_from_slice(&transfer.0);
            out.extend_from_slice(&account.0.to_le_bytes());
            out.extend_from_slice(reason.as_bytes());
        }
    }
    out
}

/// Reads a notice.
///
/// # Errors
/// `CodecError` when the bytes are too few, or the kind has no meaning.
pub fn read(reader: &mut Reader) -> Result<BankNotice, CodecError> {
    let kind = reader.u8("kind of a notice")?;
    let bank = ParticipantNumber(reader.u32("bank of a notice")?);
    let what = match kind {
        1 | 2 => What::Line {
            account: AccountNumber(reader.u32("account of a notice")?),
            kind: if kind == 1 { NoticeKind::BelowFloor } else { NoticeKind::AboveCeiling },
            line: i64::from_le_bytes(reader.array("line of a notice")?),
            posted: reader.i128("posted balance of a notice")?,
            available: reader.i128("available balance of a notice")?,
        },
        3 | 4 => {
            let transfer = TransferId(reader.array("transfer of a notice")?);
            let account = AccountNumber(reader.u32("account of a notice")?);
            match kind {
                3 => What::ReportOverdue { transfer, account },
                _ => What::ReportMissing { transfer, account },
            }
        }
        5 => What::QuoteExpired {
            quote: TransferId(reader.array("quote of a notice")?),
            left: Amount::new(reader.u64("rest of a quote")?),
        },
        6 => What::Credited {
            transfer: TransferId(reader.array("transfer of a notice")?),
            account: AccountNumber(reader.u32("account of a notice")?),
            at: LedgerTime(reader.u64("time of a notice")?),
        },
        7 => What::NotCredited {
            transfer: TransferId(reader.array("transfer of a notice")?),
            account: AccountNumber(reader.u32("account of a notice")?),
            reason: ReasonCode::from_bytes(reader.array("reason of a notice")?)
                .map_err(|_| CodecError::Unknown { field: "reason of a notice", value: 0 })?,
        },
        other => {
            return Err(CodecError::Unknown { field: "kind of a notice", value: other.into() });
        }
    };
    Ok(BankNotice { bank, what })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use proof::record::{self, Record};

    fn each() -> [BankNotice; 7] {
        let line = |kind| What::Line {
            account: AccountNumber(6),
            kind,
            line: -7,
            posted: -(1 << 90),
            available: 8,
        };
        let (transfer, account) = (TransferId([1; 16]), AccountNumber(2));
        [
            line(NoticeKind::BelowFloor),
            line(NoticeKind::AboveCeiling),
            What::ReportOverdue { transfer, account },
            What::ReportMissing { transfer, account },
            What::QuoteExpired { quote: transfer, left: Amount::new(9) },
            What::Credited { transfer, account, at: LedgerTime(10) },
            What::NotCredited {
                transfer,
                account,
                reason: ReasonCode::from_bytes(*b"AC04").unwrap(),
            },
        ]
        .map(|what| BankNotice { bank: ParticipantNumber(5), what })
    }

    #[test]
    fn what_is_written_is_read_and_is_a_record() {
        for notice in each() {
            let bytes = encode(&notice);
            let read_all = |bytes: &[u8]| {
                let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
                let found = read(&mut reader)?;
                reader.end().map(|()| found)
            };
            assert_eq!(read_all(&bytes), Ok(notice));
            let mut leaf = Vec::new();
            record::notice(&mut leaf, &bytes);
            assert_eq!(record::decode(&leaf), Ok(Record::Notice(&bytes)));
            for length in 0..bytes.len() {
                assert!(read_all(&bytes[..length]).is_err(), "{notice:?}");
                record::notice(&mut leaf, &bytes[..length]);
                assert!(record::decode(&leaf).is_err(), "{notice:?}");
            }
        }
        assert!(read(&mut Reader::new(Bytes::from_static(&[8; 80]))).is_err());
    }

    #[test]
    fn the_bytes_are_pinned() {
        let hex = |notice: &BankNotice| -> String {
            encode(notice).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let [below, _, overdue, _, expired, credited, not_credited] = each();
        let line = "f9ffffffffffffff";
        let posted = "0000000000000000000000fcffffffff";
        let available = "08000000000000000000000000000000";
        assert_eq!(hex(&below), format!("010500000006000000{line}{posted}{available}"));
        assert_eq!(hex(&overdue), format!("0305000000{}02000000", "01".repeat(16)));
        let id = "01".repeat(16);
        assert_eq!(hex(&expired), format!("0505000000{id}0900000000000000"));
        assert_eq!(hex(&credited), format!("0605000000{id}020000000a00000000000000"));
        assert_eq!(hex(&not_credited), format!("0705000000{id}0200000041433034"));
    }
}
