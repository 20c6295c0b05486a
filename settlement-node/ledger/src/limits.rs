//! Every bound of the ledger, by name.
//!
//! The edge (wire, gateway) checks them before it allocates; the ledger checks them again and refuses, so that
//! a batch that slipped through cannot make it do unbounded work. Changing a limit changes which commands are
//! accepted and is therefore a change of the rules, not of the configuration.

/// Most commands in one batch. At least one; a batch with more is refused as a whole.
pub const COMMANDS_PER_BATCH_MAX: usize = 8_192;

/// Most authorisations (participant and key) in one batch.
pub const AUTHORISATIONS_PER_BATCH_MAX: usize = 16;

/// Most legs in one transfer. At least one.
pub const LEGS_MAX: usize = 64;

/// Most release conditions in one transfer.
pub const CONDITIONS_MAX: usize = 16;

/// Most members of one threshold condition.
pub const THRESHOLD_MEMBERS_MAX: usize = 16;

/// Most bytes of UTF-8 in a participant's name. At least one.
pub const PARTICIPANT_NAME_BYTES_MAX: usize = 140;

/// Most live signing keys of a participant. At least one.
pub const SIGNING_KEYS_MAX: usize = 8;

/// Most characters of an asset code. At least one.
pub const ASSET_CODE_LEN_MAX: usize = 12;

/// Most characters of an account label. An empty label is the participant's main account in that asset.
pub const LABEL_LEN_MAX: usize = 16;

/// Most decimal places of an asset.
pub const EXPONENT_MAX: u8 = 18;

/// Most participants of one network.
pub const PARTICIPANTS_MAX: usize = 1 << 16;

/// Most assets of one network.
pub const ASSETS_MAX: usize = 1 << 16;

/// Most accounts of one network.
pub const ACCOUNTS_MAX: usize = 1 << 26;

/// Most accounts of one participant, over all assets.
pub const ACCOUNTS_PER_PARTICIPANT_MAX: u32 = 1 << 16;

/// Bound of any balance and of the total issued of any asset, in minor units: a credit that would pass it is
/// refused before anything is debited. Far above any sum of 64-bit amounts that can occur, far below overflow.
pub const BALANCE_MAX: i128 = 1 << 100;

/// Transfer ids in one generation of the duplicate table: about one million.
pub const GENERATION_IDS: usize = 1 << 20;

/// First number that is not a leaf of the record log: leaves are written in 48 bits.
pub const LEAF_END: u64 = 1 << 48;

/// Most bytes of one command in canonical form; the longest is a transfer with 64 legs and full conditions.
pub const COMMAND_BYTES_MAX: usize = 16 * 1024;

/// Most transfers that wait (warehoused, held or queued) in one network at a time.
pub const WAITING_MAX: usize = 1 << 18;

/// Most waiting transfers submitted by one participant: nobody can take all the room.
pub const WAITING_PER_PARTICIPANT_MAX: u32 = 1 << 16;

/// Longest time from a transfer's submission to its deadline, in nanoseconds: 400 days of 24 hours.
pub const WAIT_NANOSECONDS_MAX: u64 = 400 * 86_400 * 1_000_000_000;

/// Most waiting transfers whose time has come that one block acts on; the next block goes on.
pub const DUE_PER_BLOCK_MAX: usize = 4_096;

/// Most bytes of the name of who reads party data. At least one.
pub const ACCESS_READER_BYTES_MAX: usize = 64;
/// Most bytes of the ground on which party data is read. At least one.
pub const ACCESS_GROUND_BYTES_MAX: usize = 140;
/// Most bytes of a preimage. At least one.
pub const PREIMAGE_BYTES_MAX: usize = 128;

/// Most transfers that return parts of one direction of a transfer.
pub const RETURNS_MAX: u8 = 16;

/// Most attempts of one block to settle queued transfers; the next block goes on.
pub const RELEASE_ATTEMPTS_MAX: usize = 1_024;

/// How far by-passing looks into the queue of an account.
pub const RELEASE_DEPTH_MAX: usize = 64;

/// How far bilateral offsetting looks into the queue of the other side.
pub const PAIR_DEPTH_MAX: usize = 16;

/// Most legs that one multilateral offsetting looks at.
pub const OFFSET_LEGS_MAX: usize = 8_192;

/// Least ledger time between two multilateral offsettings, in nanoseconds.
pub const OFFSET_INTERVAL_NANOSECONDS: u64 = 200_000_000;

/// Most voters that a voting policy names. None is all participants.
pub const VOTERS_MAX: usize = 64;

/// Most proposals that wait for votes at a time.
pub const PROPOSALS_MAX: usize = 256;

/// Most waiting proposals of one proposer.
pub const PROPOSALS_PER_PARTICIPANT_MAX: usize = 16;

/// Most acts that wait for a second person at a time.
pub const ACTS_MAX: usize = 4_096;

/// Most of one issuer.
pub const ACTS_PER_PARTICIPANT_MAX: usize = 256;

/// How long an act waits for its second person, in nanoseconds: 24 hours.
pub const CONFIRM_NANOSECONDS: u64 = 86_400 * 1_000_000_000;

/// Most keys that a participant adds over time; a vote may replace them as many times again.
pub const KEYS_EVER_MAX: usize = 512;

/// Most keys that begin or end by time in one block; the next block goes on.
pub const KEYS_DUE_PER_BLOCK_MAX: usize = 4_096;

/// Most places of waiting transfers that one block looks at for removed participants.
pub const SWEEP_PER_BLOCK_MAX: usize = 4_096;

/// Most assets with business hours.
pub const CALENDARS_MAX: usize = 1_024;

/// Most holidays of one calendar.
pub const HOLIDAYS_MAX: usize = 512;

/// Most voting nodes about which something was decided.
pub const NODES_DECIDED_MAX: usize = 256;

/// Most characters of a node's address. At least one.
pub const NODE_ADDRESS_BYTES_MAX: usize = 255;
/// Most bilateral limits of one account.
pub const BILATERAL_LIMITS_MAX: usize = 256;

/// Shortest window of a velocity limit, in nanoseconds: a second.
pub const VELOCITY_WINDOW_NANOSECONDS_MIN: u64 = 1_000_000_000;

/// Longest window of a velocity limit, in nanoseconds: 400 days of 24 hours.
pub const VELOCITY_WINDOW_NANOSECONDS_MAX: u64 = 400 * 86_400 * 1_000_000_000;

/// Most live quotes of one network.
pub const QUOTES_MAX: usize = 1 << 14;

/// Most live quotes of one provider.
pub const QUOTES_PER_PROVIDER_MAX: u32 = 1 << 10;

/// Most live quotes of one pair of assets, in one direction: an exchange may have to look at all of them.
pub const QUOTES_PER_PAIR_MAX: usize = 64;

/// Most live quotes of one provider in one direction of a pair: nobody can take all the room.
pub const QUOTES_PER_PROVIDER_AND_PAIR_MAX: usize = 4;

/// Longest time from a quote's placing to its end, in nanoseconds: 7 days of 24 hours.
pub const QUOTE_NANOSECONDS_MAX: u64 = 7 * 86_400 * 1_000_000_000;

/// Largest term of a rate: 10^18.
pub const RATE_TERM_MAX: u64 = 1_000_000_000_000_000_000;

/// Most quotes that one exchange takes, over both steps.
pub const FILLS_MAX: usize = 16;

/// Most vehicle currencies over which one exchange tries to go.
pub const VEHICLES_MAX: usize = 8;

/// How many assets that are quoted for what is paid an exchange looks at to find vehicles.
pub const VEHICLES_LOOKED_AT_MAX: usize = 64;

/// Quotes that the exchanges of one block look at before further ones are refused.
pub const EXCHANGE_LOOKS_PER_BLOCK_MAX: usize = 1 << 20;

/// Most quotes, and most reports, past their time that one block acts on; the next block goes on.
pub const FX_DUE_PER_BLOCK_MAX: usize = 4_096;

/// Most credits in one network whose report is awaited.
pub const REPORTS_MAX: usize = 1 << 18;

/// Most credits of one bank whose report is awaited.
pub const REPORTS_PER_BANK_MAX: u32 = 1 << 16;

/// Most accounts whose bank reports each credit.
pub const REPORTING_ACCOUNTS_MAX: usize = 1 << 16;

/// Longest time from settlement to the report of the credit, in nanoseconds: 7 days of 24 hours. A report that is
/// late is waited for as long again as it had, then it is missing.
pub const REPORT_NANOSECONDS_MAX: u64 = 7 * 86_400 * 1_000_000_000;
