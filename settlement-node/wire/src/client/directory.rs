//! The directory of a network as a node tells it: banks, assets and accounts, in parts.

use ledger::{AccountNumber, AccountStatus, AssetCode, AssetNumber, Bic, Label, ParticipantNumber};

use crate::{
    codec::{CodecError, Reader, put_count, put_text},
    limits::{DIRECTORY_ROWS_MAX, TEXT_BYTES_MAX},
};

/// How many participants, assets and accounts there are, or are known. All three are numbered from 0 on,
/// none is ever removed, and what a row says of them does not change, but for status and balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectoryCounts {
    /// Participants.
    pub participants: u32,
    /// Assets.
    pub assets: u32,
    /// Accounts.
    pub accounts: u32,
}

impl DirectoryCounts {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for count in [self.participants, self.assets, self.accounts] {
            out.extend_from_slice(&count.to_le_bytes());
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            participants: reader.u32("number of participants")?,
            assets: reader.u32("number of assets")?,
            accounts: reader.u32("number of accounts")?,
        })
    }

    /// Whether there is nothing beyond this that `all` has.
    pub fn covers(&self, all: &Self) -> bool {
        self.participants >= all.participants
            && self.assets >= all.assets
            && self.accounts >= all.accounts
    }
}

/// A bank as the directory shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantRow {
    /// Number in commands.
    pub number: ParticipantNumber,
    /// BIC.
    pub bic: Bic,
    /// Name for people.
    pub name: String,
    /// X25519 key to which documents for this bank are sealed.
    pub sealing_key: [u8; 32],
}

/// An asset as the directory shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetRow {
    /// Number in commands.
    pub number: AssetNumber,
    /// Code, such as EUR.
    pub code: AssetCode,
    /// Decimals of the minor unit.
    pub exponent: u8,
    /// Issuer.
    pub issuer: ParticipantNumber,
}

/// An account as the directory shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Number in commands.
    pub number: AccountNumber,
    /// Owner.
    pub owner: ParticipantNumber,
    /// Asset.
    pub asset: AssetNumber,
    /// Label, empty for the main account.
    pub label: Label,
    /// Status.
    pub status: AccountStatus,
    /// Posted balance in minor units; only for the session's own bank, 0 for others.
    pub posted: i128,
}

/// A part of the directory at a height: the rows after those that the asker knows, participants before
/// assets before accounts, at most [`DIRECTORY_ROWS_MAX`] of them. Who knows fewer than there are asks again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryAnswer {
    /// Height at which it was read.
    pub height: u64,
    /// How many of each there are at that height.
    pub all: DirectoryCounts,
    /// Participants in order of their numbers.
    pub participants: Vec<ParticipantRow>,
    /// Assets in order of their numbers.
    pub assets: Vec<AssetRow>,
    /// Accounts in order of their numbers.
    pub accounts: Vec<AccountRow>,
}

impl DirectoryAnswer {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.height.to_le_bytes());
        self.all.put(out);
        put_count(out, self.participants.len());
        for row in &self.participants {
            out.extend_from_slice(&row.number.0.to_le_bytes());
            put_text(out, &row.bic.to_string(), 11);
            put_text(out, &row.name, TEXT_BYTES_MAX);
            out.extend_from_slice(&row.sealing_key);
        }
        put_count(out, self.assets.len());
        for row in &self.assets {
            out.extend_from_slice(&row.number.0.to_le_bytes());
            put_text(out, &row.code.to_string(), 12);
            out.push(row.exponent);
            out.extend_from_slice(&row.issuer.0.to_le_bytes());
        }
        put_count(out, self.accounts.len());
        for row in &self.accounts {
            out.extend_from_slice(&row.number.0.to_le_bytes());
            out.extend_from_slice(&row.owner.0.to_le_bytes());
            out.extend_from_slice(&row.asset.0.to_le_bytes());
            put_text(out, &row.label.to_string(), 16);
            out.push(row.status as u8);
            out.extend_from_slice(&row.posted.to_le_bytes());
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let height = reader.u64("height")?;
        let all = DirectoryCounts::read(reader)?;
        let mut directory = Self { height, all, ..Self::default() };
        for _ in 0..reader.count(DIRECTORY_ROWS_MAX, "number of participants")? {
            directory.participants.push(ParticipantRow {
                number: ParticipantNumber(reader.u32("participant")?),
                bic: read_parsed(reader, 11, "BIC")?,
                name: reader.text(TEXT_BYTES_MAX, "name")?,
                sealing_key: reader.array("sealing key")?,
            });
        }
        for _ in 0..reader.count(DIRECTORY_ROWS_MAX, "number of assets")? {
            directory.assets.push(AssetRow {
                number: AssetNumber(reader.u32("asset")?),
                code: read_parsed(reader, 12, "asset code")?,
                exponent: reader.u8("exponent")?,
                issuer: ParticipantNumber(reader.u32("issuer")?),
            });
        }
        for _ in 0..reader.count(DIRECTORY_ROWS_MAX, "number of accounts")? {
            let number = AccountNumber(reader.u32("account")?);
            let owner = ParticipantNumber(reader.u32("owner")?);
            let asset = AssetNumber(reader.u32("asset")?);
            let label = read_parsed(reader, 16, "label")?;
            let code = reader.u8("account status")?;
            let status = AccountStatus::from_number(code)
                .ok_or(CodecError::Unknown { field: "account status", value: u64::from(code) })?;
            let posted = reader.i128("posted")?;
            directory.accounts.push(AccountRow { number, owner, asset, label, status, posted });
        }
        Ok(directory)
    }
}

fn read_parsed<T: std::str::FromStr>(
    reader: &mut Reader,
    limit: usize,
    field: &'static str,
) -> Result<T, CodecError> {
    let text = reader.text(limit, field)?;
    text.parse().map_err(|_| CodecError::Unknown { field, value: text.len() as u64 })
}
