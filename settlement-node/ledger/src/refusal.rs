//! One table of refusals: number, ISO reason code, what the sender is told, what the operator is told.
//!
//! A refusal is an answer, not an error: it is deterministic, part of the replicated state and recorded.
//! Numbers are 100 and above, grouped by the step of the check order with gaps for later rules, and are never
//! used again for something else. The ISO codes are of ExternalStatusReason1Code. Texts for the sender tell
//! nothing about other participants.

/// Declares the enum and its table from one list, so that no refusal can lack a row.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $iso:literal, $sender:literal, $operator:literal;)*) => {
        /// Why a command was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Refusal {
            $($(#[$doc])* $name = $number,)*
        }

        impl Refusal {
            /// Every refusal, in order of number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The refusal of a number, `None` for a number that is not in the table.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name of the refusal, as in this table: stable, for logs and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The reason in ISO 20022's ExternalStatusReason1Code.
            #[must_use]
            pub const fn iso_code(self) -> &'static str {
                match self {
                    $(Self::$name => $iso,)*
                }
            }

            /// What the sender is told: what is wrong and what to do.
            #[must_use]
            pub const fn sender_text(self) -> &'static str {
                match self {
                    $(Self::$name => $sender,)*
                }
            }

            /// What the operator of a node is told: what the ledger saw.
            #[must_use]
            pub const fn operator_text(self) -> &'static str {
                match self {
                    $(Self::$name => $operator,)*
                }
            }
        }
    };
}

refusals! {
    // 100: authorisation. These leave the id unused.
    /// A participant that must authorise the command has not.
    NotAuthorised = 100, "AG01",
        "The batch does not carry the authorisation that this command needs.",
        "an owner or issuer that must sign is not among the batch's authorisations";
    /// The batch's submitter is unknown or has not signed, or a key is not a live key of its participant.
    SignerNotLive = 101, "DS0H",
        "A key that signed the batch is not registered for its participant. Check the signing key.",
        "submitter not among the authorisations, unknown participant, or key not live: every command refused";
    // 110: form. These leave the id unused.
    /// A value outside its limits, which canonical bytes cannot carry.
    Malformed = 110, "FF01",
        "The command is not well formed.",
        "a count or length is outside the limits; the edge should have stopped it";
    // 120: duplicate.
    /// The id was used before with other content.
    DuplicateId = 120, "AM05",
        "This transaction reference was used before for another transaction. Use a new one.",
        "id seen before with another content digest; the first answer stands";
    // 130: validity.
    /// The batch was ordered after the time its sender gave it.
    ValidityPassed = 130, "TM01",
        "The batch arrived after its validity time. Send it again with a new reference.",
        "ledger time is later than the batch's valid_until: look for delay between gateway and leader";
    /// The transfer was ordered after its own deadline.
    DeadlinePassed = 131, "TM01",
        "The transaction arrived after its own deadline.",
        "ledger time is later than the transfer's deadline";
    /// A transfer that may wait names no deadline.
    DeadlineMissing = 132, "DT01",
        "A transaction that may wait needs a deadline.",
        "release conditions, a later start or queueing asked for without a deadline";
    /// The deadline is further away than a transfer may wait.
    DeadlineTooFar = 133, "DT01",
        "The deadline is too far in the future.",
        "deadline is more than 400 days after the ledger's time";
    /// The transfer could only settle after its deadline.
    StartAfterDeadline = 134, "DT01",
        "The transaction may not settle before its own deadline has passed.",
        "not-before, in the options or as a condition, is later than the deadline";
    // 140: rules.
    /// The command or option is not active in the current rule version.
    RuleNotActive = 140, "AG03",
        "The network does not offer this kind of transaction or option yet.",
        "command or option of a rule version that is not active";
    /// A return asks for something that could make it wait.
    ReturnMayNotWait = 141, "AG03",
        "A return settles at once or not at all: it takes no conditions, start time or queueing.",
        "a transfer that returns another has several legs, conditions, a start time or asks to be queued";
    // 150: legs.
    /// A leg debits and credits the same account.
    SameAccount = 150, "AC01",
        "Debtor and creditor account are the same.",
        "a leg names one account on both sides";
    /// The accounts of a leg hold different assets.
    AssetMismatch = 151, "AM03",
        "Debtor and creditor account are in different currencies.",
        "the accounts of a leg hold different assets";
    // 160: accounts. 160 and 162 are found where signatures are asked for and leave the id unused.
    /// An account to debit, whose owner would have to sign, does not exist.
    UnknownDebitAccount = 160, "AC02",
        "The debtor account does not exist.",
        "debit account number was never assigned: nobody can authorise the debit, the id stays unused";
    /// The account to credit does not exist.
    UnknownCreditAccount = 161, "AC03",
        "The creditor account does not exist.",
        "credit account number was never assigned";
    /// The account of an issue or an administrative command, whose issuer would have to sign, does not exist.
    UnknownAccount = 162, "AC01",
        "The account does not exist.",
        "account number was never assigned: it has no issuer to authorise the command, the id stays unused";
    /// The account to debit is closed.
    DebitAccountClosed = 163, "AC04",
        "The debtor account is closed.",
        "debit account has status closed";
    /// The account to credit is closed.
    CreditAccountClosed = 164, "AC07",
        "The creditor account is closed.",
        "credit account has status closed";
    /// The account to debit is blocked.
    DebitAccountBlocked = 165, "AC06",
        "The debtor account is blocked.",
        "debit account has status blocked";
    /// The account to credit is blocked.
    CreditAccountBlocked = 166, "AC06",
        "The creditor account is blocked.",
        "credit account has status blocked";
    /// The account to debit may only be credited.
    DebitNotAllowed = 167, "AG07",
        "The debtor account may not be debited.",
        "debit account has status credit-only";
    /// The account to credit may only be debited.
    CreditNotAllowed = 168, "AG01",
        "The creditor account may not be credited.",
        "credit account has status debit-only";
    /// The account of an administrative command is closed, which is for ever.
    AccountClosed = 169, "AC04",
        "The account is closed and stays closed.",
        "administrative command on a closed account";
    /// The account to close still has a balance.
    AccountNotEmpty = 170, "NARR",
        "The account still has a balance. Empty it before closing it.",
        "close refused: posted or held is not zero";
    /// An account of this owner, asset and label exists.
    AccountExists = 171, "NARR",
        "An account of this name exists, or existed. Use another label.",
        "owner, asset and label name an account that was opened before";
    // 180: amounts.
    /// A leg moves nothing.
    AmountZero = 180, "AM01",
        "The amount is zero.",
        "a leg, issue or redemption has amount zero";
    /// A balance or total would pass its bound.
    AmountTooLarge = 181, "AM02",
        "The amount is larger than the network can carry.",
        "a balance or the total issued would pass 2^100 minor units; nothing was debited";
    /// A floor above zero.
    FloorPositive = 182, "AM12",
        "A credit line is given as a floor of zero or below.",
        "set-floor with a positive floor";
    // 190: cover.
    /// The account to debit has too little available.
    InsufficientCover = 190, "AM04",
        "The amount available on the debtor account is insufficient.",
        "available is less than the net debit of an account";
    // 200: participants and assets.
    /// No participant has this number.
    UnknownParticipant = 200, "RC01",
        "The participant is not known to the network.",
        "participant number was never assigned";
    /// No asset has this number.
    UnknownAsset = 201, "AM11",
        "The currency or asset is not known to the network.",
        "asset number was never assigned";
    /// A participant with this BIC exists.
    ParticipantExists = 202, "NARR",
        "A participant with this BIC exists.",
        "BIC is registered";
    /// An asset with this code exists.
    AssetExists = 203, "NARR",
        "An asset with this code exists.",
        "asset code is registered";
    /// A signing key is named twice or belongs to another participant.
    KeyInUse = 204, "NARR",
        "A signing key belongs to another participant or is named twice.",
        "signing key is not unique in the network";
    /// A condition names a key that no participant has.
    UnknownKey = 205, "NARR",
        "A key that should approve is not registered in the network.",
        "a condition names a key that is no participant's live key: it could never be met";
    /// A condition names the same approver twice.
    ApproverTwice = 206, "NARR",
        "An approver is named twice in one condition.",
        "a threshold condition names a participant or key twice: one approval would count twice";
    // 210: capacity.
    /// The network has as many participants, assets or accounts as it can hold.
    LimitReached = 210, "NARR",
        "The network cannot hold more of these. Ask its operator.",
        "a limit of the ledger is reached: participants, assets, accounts, or accounts of one participant";
    /// Too many transfers are waiting, of this participant or in all.
    TooManyWaiting = 211, "NARR",
        "Too many transactions of yours or of the network are waiting. Try again later.",
        "the table of waiting transfers is full, for the submitter or as a whole";
    // 220: waiting transfers. 220 is found where signatures are asked for.
    /// No transfer of this id is waiting.
    NotWaiting = 220, "AG09",
        "No transaction of this reference is waiting. Ask for its status.",
        "approve, refuse, reveal, cancel: the transfer is not in the table of waiting ones, or no more";
    /// Who approved cannot refuse, and the other way round.
    AlreadyAnswered = 221, "RCON",
        "You have answered this transaction before, and an answer stands.",
        "refusal after approval by the same approver, or approval after refusal";
    /// A hold binds its debtor until all who take part agree to cancel it.
    HoldBinds = 222, "AG03",
        "A held transaction is cancelled only with the signatures of all who would be paid by it.",
        "cancellation of a hold without the signatures of the owners of all its accounts";
    /// The bytes shown are not the preimage that a condition asks for.
    WrongPreimage = 223, "AM09",
        "The secret shown is not the one that the transaction waits for.",
        "SHA-256 of the preimage is in no open condition of the transfer";
    // 230: returns.
    /// The transfer to return is not known as settled, or not shown as it was.
    OriginalUnknown = 230, "AG09",
        "The original transaction is not known as settled, or is not shown as it was sent.",
        "no settled transfer of this id, or the original given has another content digest";
    /// The return does not go back the way of the original.
    NotTheReverse = 231, "AC01",
        "The return does not lead from the account that was credited to the one that was debited.",
        "the original has no leg from the credit account of the return to its debit account";
    /// More would be returned than the original moved.
    ReturnTooLarge = 232, "AM09",
        "The return, with earlier returns, is more than the original transaction moved.",
        "sum of the returns of this direction would pass what the original moved, or 16 returns were made";
    // 300: how a waiting transfer ends without settling.
    /// An approver or a receiver refused it; the reason is in the command that did.
    RefusedByParty = 300, "MS03",
        "A party whose agreement the transaction needs has refused it.",
        "released: refused by an approver, or by the owner of an account to be credited";
    /// The conditions were not met by the deadline.
    ConditionsNotMet = 301, "AB05",
        "The transaction was not accepted before its deadline.",
        "released at the deadline with open conditions";
    /// No cover was found by the deadline.
    CoverNotFound = 302, "AM04",
        "There was no cover for the transaction before its deadline.",
        "released from the queue at the deadline";
    /// Cancelled by its debtor.
    Cancelled = 303, "CUST",
        "The transaction was cancelled by its debtor before it settled.",
        "released: cancelled by the owner of a debited account, with all others where it was held";
    // 400: limits and reservations. Those of 402 to 406 may be waited out in the queue.
    /// The transfer takes more than the owner of an account lets one payment take.
    PaymentLimit = 400, "AM14",
        "The amount is above the limit that the owner of the debtor account has set for one payment.",
        "net debit of an account is above its owner's payment limit";
    /// The transfer takes more than the issuer lets one payment take.
    PaymentLimitOfIssuer = 401, "AM13",
        "The amount is above the limit that the settlement agent has set for one payment.",
        "net debit of an account is above its issuer's payment limit";
    /// More would be taken within the owner's window than it lets.
    VelocityLimit = 402, "AM21",
        "The amount is above what the owner of the debtor account lets be paid in this period.",
        "taken within the owner's window, with holds and this debit, is above its limit";
    /// More would be taken within the issuer's window than it lets.
    VelocityLimitOfIssuer = 403, "AM13",
        "The amount is above what the settlement agent lets be paid in this period.",
        "taken within the issuer's window, with holds and this debit, is above its limit";
    /// More would be owed to a participant than the owner lets.
    BilateralLimit = 404, "AM23",
        "The amount is above the limit that the debtor bank has set towards the creditor bank.",
        "position towards a participant, with holds and this transfer, is above the bilateral limit";
    /// More would be owed to all others than the owner lets.
    MultilateralLimit = 405, "AM23",
        "The amount is above the limit that the debtor bank has set towards all others.",
        "position towards all others, with holds and this transfer, is above the multilateral limit";
    /// There is cover, but it is reserved for more urgent transfers.
    CoverReserved = 406, "AM04",
        "What is available on the debtor account is reserved for more urgent transactions.",
        "available less what is reserved for higher priorities is less than the net debit of an account";
    /// A limit of a participant towards itself.
    LimitTowardsOneself = 407, "NARR",
        "A limit is set towards another participant.",
        "bilateral limit of an account towards its own owner";
    /// The receivers' wishes to accept are more conditions than a transfer can have.
    TooManyAcceptances = 408, "NARR",
        "More receivers want to accept this transaction than it can wait for. Split it.",
        "conditions and acceptances of credited accounts are more than 16";
    /// The warning would come after the deadline.
    TillAfterDeadline = 409, "DT01",
        "The time of the warning is later than the transaction's deadline.",
        "till is later than the deadline";
    // 450: what the participants decided about one of them or an asset. 450 leaves the id unused.
    /// A blocked participant has signed a command that begins something.
    SignerSuspended = 450, "AG10",
        "The network has blocked the bank: it can only end what it has under way.",
        "a signer is blocked by vote; only refuse, cancel, withdraw and revoke-key are taken";
    /// The owner of a debited account may not pay.
    DebtorSuspended = 451, "AG10",
        "The network does not let the debtor bank pay at present.",
        "owner of a debit account is receive-only, blocked or removed by vote";
    /// The owner of a credited account may not receive.
    CreditorSuspended = 452, "AG11",
        "The network does not let the creditor bank receive at present.",
        "owner of a credit account is send-only, blocked or removed by vote";
    /// A leg moves more than the network lets it.
    AboveNetworkLimit = 453, "AM13",
        "The amount is above the limit of the network for one payment in this currency.",
        "a leg moves more than the leg limit that was set for its asset by vote";
    /// An asset of the transfer is outside its business hours.
    CutOffPassed = 454, "TM01",
        "The cut-off has passed. Send it after the next opening, or ask for it to be queued until then.",
        "an asset of a leg is closed, and the transfer did not ask to wait or its deadline is before the opening";
    // 460: votes. 460 and 461 are found where signatures are asked for and leave the id unused.
    /// None of the signers is a voter.
    NotAVoter = 460, "AG08",
        "The bank has no vote in the network.",
        "signer is no voter by the voting policy, or is blocked";
    /// Who began something does not decide on it as well.
    MakerIsChecker = 461, "DS26",
        "Who has begun it cannot be the one to agree to it. Somebody else must.",
        "the proposer voted on its own proposal, or an act was confirmed with the key that began it";
    /// There is nobody who could check a proposal.
    VotersTooFew = 462, "NARR",
        "There are too few voters for anything to be decided.",
        "less than two voters: maker and checker cannot be different";
    /// The proposal would leave everything as it is.
    NothingToChange = 463, "NARR",
        "It is so already.",
        "content of the proposal equals the present state";
    /// A removed participant stays removed.
    RemovedForEver = 464, "NARR",
        "The participant was removed, which is for ever.",
        "proposal about a removed participant";
    /// Holders of an issuer's money could not be paid out any more.
    MoneyOutstanding = 465, "NARR",
        "The participant issues money that is in circulation. It must be redeemed first.",
        "removal of the issuer of an asset with issued above redeemed";
    // 470: keys.
    /// Too few keys would be left.
    KeyNeeded = 470, "NARR",
        "Too few signing keys would be left. Add another one first.",
        "no other key without an end is live by then; of an issuer with a funding limit, fewer than two";
    /// The key is not one that can end this way.
    KeyNotLive = 471, "NARR",
        "The key is not a live key of the bank, or its end is planned already.",
        "retire or revoke: key unknown, not of this participant, over, planned to end, or not live by then";
    /// A time in the past, or too far ahead.
    TimeOutOfRange = 472, "DT01",
        "The time of the change must be in the future, and within 400 days.",
        "key change for a time that is not after the ledger's, or more than 400 days after it";
    // 480: how proposals and acts end without being carried out.
    /// So many are against a proposal that it cannot be carried.
    VotedDown = 480, "NARR",
        "The proposal was voted down.",
        "ended: too few voters are left that could be in favour";
    /// A proposal found too few votes in time.
    ProposalExpired = 481, "DS24",
        "The proposal found too few votes before it expired.",
        "ended at its time with too few votes in favour";
    /// A proposal or act was withdrawn.
    Withdrawn = 482, "DS02",
        "It was withdrawn by those who began it.",
        "ended: withdrawn by the proposer, or by the issuer whose act it was";
    /// No second person confirmed an act in time.
    NotConfirmed = 483, "DS24",
        "No second person confirmed it in time.",
        "ended: 24 hours without confirmation by another key of the issuer";
    // 500: quotes and exchanges. 502 and 510 are found where signatures are asked for.
    /// A quote or an exchange between accounts of one asset.
    SameAsset = 500, "AM03",
        "Both accounts hold the same currency. Send a payment instead of an exchange.",
        "the two accounts of a quote or exchange hold the same asset";
    /// The least take of a quote is zero or more than the quote.
    LeastTake = 501, "AM12",
        "The least amount of a quote is above zero and not above its amount.",
        "place-quote: least is 0, or above the amount";
    /// No quote of this id is live.
    QuoteNotLive = 502, "AG09",
        "No quote of this reference is on offer. It was taken, withdrawn, replaced, or is over.",
        "withdraw: the quote is not in the book, or no more";
    /// The quote to be replaced is not live any more.
    ReplacedGone = 503, "AG09",
        "The quote to be replaced is no longer on offer. Look whether it was taken before you quote again.",
        "place-quote: the quote that it replaces is not in the book, or no more";
    /// The quote book is full: as a whole, for the provider, for the pair, or for the provider in the pair.
    QuoteBookFull = 504, "NARR",
        "Too many quotes of yours, or for these currencies, are on offer. Withdraw or replace one.",
        "the quote book is full: as a whole, of the provider, of the pair, or of the provider in the pair";
    /// Nobody quotes this pair, directly or over a third asset.
    NoQuotes = 505, "AM03",
        "Nobody offers to exchange these currencies now.",
        "no live quote for the pair, and none on both sides of any vehicle";
    /// The quotes on offer do not suffice for the amount.
    QuotesTooSmall = 506, "AM23",
        "The quotes on offer do not suffice for the amount. Try a smaller one, or later.",
        "the quotes that can be taken, at most 16, do not make up the amount on any way";
    /// The price is beyond the taker's limit.
    PriceBeyondLimit = 507, "AM09",
        "At the best quotes on offer the amount is beyond the limit given for it.",
        "exchange: more than at-most to be paid, or less than at-least to be delivered";
    /// The exchanges of this block have looked at as many quotes as they may.
    TooManyExchanges = 508, "AB04",
        "Too many exchanges at the same moment. Send it again with a new reference.",
        "the quotes that the exchanges of one block look at are used up";
    /// The owner of the credited account accepts what comes, and has not signed: an exchange cannot wait for it.
    ExchangeNotOffered = 509, "AG03",
        "The receiver accepts each payment first, and an exchange cannot wait for that.",
        "exchange to an account with acceptance, without the signature of its owner";
    // 510: reports of credit.
    /// No report of this credit is awaited.
    NoReportAwaited = 510, "AG09",
        "No report of this credit is awaited: it was made, is too late, or was never asked for.",
        "report-credit: transfer and account are not among the awaited reports, or no more";
    /// The time of a credit is before the settlement or in the future.
    CreditTime = 511, "DT01",
        "The time of the credit is before the settlement or in the future.",
        "report-credit: credited before the transfer settled, or after the ledger's time";
    // 600: certificates of erasure.
    /// No settled payment with a document is the one that the certificate shows.
    DocumentUnknown = 600, "NARR",
        "No settled payment with a document is known as the certificate shows it.",
        "erase-document: the payment's id is unknown, not settled, or has another content, or no document";
    /// The participant neither sent the document nor is a reader of it.
    NotAReader = 601, "NARR",
        "Only a bank that sent or received the document can certify that it erased it.",
        "erase-document: owns no account of the payment; or names a sealing key and received nothing";
    /// The document could still be opened with the sealing key in force.
    SealingKeyInUse = 602, "NARR",
        "Change your sealing key and destroy the old one first: it still opens the document.",
        "erase-document: a reader names no sealing key that it destroyed, or the one in force";
    /// This participant has certified it before.
    AlreadyErased = 603, "NARR",
        "The erasure of this document was certified before.",
        "erase-document: a certificate of this participant about this payment is in the ledger";
}

impl Refusal {
    /// The number of the refusal, 100 or above.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// True when what objects may be waited out in the queue: cover, reservations, limits that move on.
    pub(crate) const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::InsufficientCover
                | Self::CoverReserved
                | Self::VelocityLimit
                | Self::VelocityLimitOfIssuer
                | Self::BilateralLimit
                | Self::MultilateralLimit
        )
    }

    /// True when the refused id stays unused, so that the rightful sender may still use it: the refusals of
    /// form and authorisation.
    #[must_use]
    pub const fn leaves_id_unused(self) -> bool {
        matches!(
            self,
            Self::NotAuthorised
                | Self::SignerNotLive
                | Self::Malformed
                | Self::UnknownDebitAccount
                | Self::UnknownAccount
                | Self::NotWaiting
                | Self::SignerSuspended
                | Self::NotAVoter
                | Self::MakerIsChecker
                | Self::QuoteNotLive
                | Self::NoReportAwaited
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_100_and_above_ascending_and_round_trip() {
        assert!(Refusal::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
        for &refusal in Refusal::ALL {
            assert!(refusal.code() >= 100);
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
        }
        assert_eq!(Refusal::from_code(0), None);
        assert_eq!(Refusal::from_code(1), None);
    }

    #[test]
    fn texts_fit_an_iso_text_of_105_characters() {
        for refusal in Refusal::ALL {
            assert!(refusal.sender_text().len() <= 105, "{refusal:?}");
            assert!(!refusal.operator_text().is_empty(), "{refusal:?}");
            assert_eq!(refusal.iso_code().len(), 4, "{refusal:?}");
        }
    }
}
