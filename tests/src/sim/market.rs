//! What banks ask about liquidity and exchange: limits, reservations, acceptance, notices; quotes, exchanges over
//! them, and reports of credit.
//!
//! An exchange credits no bank with a real gateway here: what that does with one is not judged in a run.

use ledger::{
    Access, AccountNumber, AccountStatus, Amount, Attest, Command, CreditOutcome, Digest, Exchange,
    ExchangeAmount, Ledger, LedgerTime, Limit, LimitSetter, Pace, ParticipantNumber, PlaceQuote,
    Priority, Rate, RecordAccess, ReportCredit, ReturnExchange, SetAcceptance, SetAccountStatus,
    SetFloor, SetLimit, SetNotices, SetReporting, SetReservation, TransferId, WithdrawQuote,
};

use super::{
    asks::{Known, MS},
    life::ACCEPTED_WITHIN_MAX,
    network::account,
    rng::Rng,
};

/// Something about the own liquidity; seldom about another's.
pub(super) fn liquidity(rng: &mut Rng, own: usize, id: TransferId, known: &Known<'_>) -> Command {
    let of = if rng.percent(5) { rng.index(known.banks) } else { own };
    let account = account(of, rng.index(2));
    match rng.range(0, 14) {
        0..5 => {
            let limit = limit(rng, known);
            let shared = matches!(limit, Limit::Payment { .. } | Limit::Velocity { .. });
            let by = match shared && rng.percent(20) {
                true => LimitSetter::Issuer,
                false => LimitSetter::Owner,
            };
            Command::SetLimit(SetLimit { id, account, by, limit })
        }
        5 | 6 => {
            let priority = if rng.percent(50) { Priority::Urgent } else { Priority::High };
            let amount = if rng.percent(40) { 0 } else { rng.range(0, 6_000) };
            Command::SetReservation(SetReservation { id, account, priority, amount })
        }
        // A gateway's first answer about what waits so is no last one, which is all that is judged.
        7 | 8 if known.gateways == 0 => {
            let within = rng.percent(40).then(|| rng.range(1, ACCEPTED_WITHIN_MAX));
            Command::SetAcceptance(SetAcceptance { id, account, within })
        }
        9 => {
            let mut line = || rng.percent(70).then(|| rng.range(0, 30_000) as i64);
            let (floor, ceiling) = (line(), line());
            Command::SetNotices(SetNotices { id, account, floor, ceiling })
        }
        10 => Command::RecordAccess(Box::new(RecordAccess {
            id,
            participant: ParticipantNumber(own as u32),
            access: Access::ALL[rng.index(4)],
            payment: rng.percent(50).then_some(id),
            what: Digest::of(&id.0),
            reader: "clerk".to_owned(),
            ground: "a question of the auditor".to_owned(),
        })),
        7 | 8 => Command::Attest(Attest {
            id,
            participant: ParticipantNumber(own as u32),
            document: Digest::of(&id.0),
        }),
        11 => {
            let within = rng.range(0, 4_000) * MS;
            Command::SetReporting(SetReporting { id, account, within })
        }
        12 => {
            let number = if rng.percent(60) { 1 } else { 1 + rng.range(0, 4) as u8 };
            let status = AccountStatus::from_number(number).expect("1 to 5 are statuses");
            Command::SetAccountStatus(SetAccountStatus { id, account, status })
        }
        _ => {
            let floor = -(rng.range(0, 5_000) as i64);
            Command::SetFloor(SetFloor { id, account, floor })
        }
    }
}

fn limit(rng: &mut Rng, known: &Known<'_>) -> Limit {
    let most = |rng: &mut Rng| rng.percent(60).then(|| rng.range(500, 20_000));
    match rng.range(0, 4) {
        0 => Limit::Payment { most: most(rng) },
        1 => {
            let (window, rolling) = (1_000 * MS * rng.range(1, 4), rng.percent(50));
            let most = most(rng).map(|amount| Pace { amount, window, rolling });
            Limit::Velocity { most }
        }
        2 => Limit::Bilateral {
            towards: ParticipantNumber(rng.index(known.banks) as u32),
            most: most(rng),
            restart: rng.percent(30),
        },
        _ => Limit::Multilateral { most: most(rng), restart: rng.percent(30) },
    }
}

/// Something about quotes, exchanges and reports.
pub(super) fn exchange(
    rng: &mut Rng,
    own: usize,
    id: TransferId,
    known: &Known<'_>,
    ledger: &Ledger,
) -> Command {
    let me = ParticipantNumber(own as u32);
    let quotes: Vec<TransferId> = ledger.all_quotes().map(|quote| quote.id).collect();
    let some_quote = |rng: &mut Rng| match quotes.len() {
        0 => id,
        count => quotes[rng.index(count)],
    };
    match (rng.range(0, 12), known.exchanged) {
        (0..5, _) => {
            let asset = rng.index(2);
            let term = |rng: &mut Rng| rng.range(1, 30);
            Command::PlaceQuote(PlaceQuote {
                id,
                sells: account(own, asset),
                buys: account(own, 1 - asset),
                rate: Rate::new(term(rng), term(rng)).expect("no term is 0"),
                amount: Amount::new(rng.range(1, 8_000)),
                least: Amount::new(if rng.percent(30) { rng.range(1, 500) } else { 1 }),
                until: LedgerTime(known.clock + rng.range(0, 6_000) * MS),
                replaces: rng.percent(20).then(|| some_quote(rng)),
            })
        }
        (5, _) => Command::WithdrawQuote(WithdrawQuote { quote: some_quote(rng) }),
        (6, Some(original)) => {
            let (bank, asset) = (original.debit.0 as usize / 2, original.credit.0 as usize % 2);
            let bank = if bank < known.gateways { own } else { bank };
            Command::ReturnExchange(ReturnExchange {
                id,
                credit: account(bank, asset),
                amount: Amount::new(rng.range(1, 600)),
                original: original.clone(),
                document: None,
                deadline: None,
            })
        }
        (7, _) => {
            let awaited: Vec<(TransferId, AccountNumber)> = ledger
                .awaited_reports()
                .filter(|report| report.bank == me)
                .map(|report| (report.transfer, report.account))
                .collect();
            let (transfer, account) = match awaited.len() {
                0 => (id, account(own, 0)),
                count => awaited[rng.index(count)],
            };
            let outcome = match rng.percent(25) {
                true => CreditOutcome::Rejected("AC04".parse().expect("a code")),
                false => CreditOutcome::Credited(LedgerTime(known.clock)),
            };
            Command::ReportCredit(ReportCredit { transfer, account, outcome })
        }
        _ => {
            let (asset, plain) = (rng.index(2), known.banks - known.gateways);
            let to = known.gateways + rng.index(plain);
            let loose = rng.percent(70);
            let amount = match rng.percent(50) {
                true => ExchangeAmount::Deliver {
                    exactly: Amount::new(rng.range(1, 3_000)),
                    at_most: Amount::new(if loose { u64::MAX } else { rng.range(1, 9_000) }),
                },
                false => ExchangeAmount::Spend {
                    exactly: Amount::new(rng.range(1, 3_000)),
                    at_least: Amount::new(if loose { 0 } else { rng.range(1, 3_000) }),
                },
            };
            Command::Exchange(Exchange {
                id,
                debit: account(own, asset),
                credit: account(to, 1 - asset),
                amount,
                document: None,
                deadline: None,
            })
        }
    }
}
