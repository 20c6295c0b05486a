//! Random histories of quotes, exchanges, returns and reports of credit against the naive model.
//!
//! A history is drawn from its seed, so that a failure names what to run again: `SEED=17 cargo test exchanges`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

// The life cycle draws more than is used here.
#[allow(dead_code)]
mod draw;
#[path = "draw/fx.rs"]
mod draw_fx;
#[allow(dead_code)]
mod model;

use std::collections::BTreeMap;

use draw::Draw;
use draw_fx::{ASSETS, BANKS, Sent, genesis};
use ledger::*;
use model::ModelTurn;
use model::fx::{ModelPlan, Taker};

/// Histories in one run.
const HISTORIES: u64 = 20_000;

fn encoded(ledger: &Ledger) -> Vec<u8> {
    let mut bytes = Vec::new();
    let append = &mut |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    ledger.checkpoint(0).unwrap().encode(append).unwrap();
    bytes
}

type Seen = BTreeMap<(&'static str, u16), u64>;

/// Fills in the form of the model.
fn plan_of(
    paid: Amount,
    delivered: Amount,
    via: Option<AssetNumber>,
    fills: &[Fill],
    first: u8,
) -> ModelPlan {
    let fill = |one: &Fill| (one.quote, one.gave.minor(), one.took.minor());
    let (first, second) = fills.split_at(first.into());
    ModelPlan {
        paid: paid.minor(),
        delivered: delivered.minor(),
        via: via.map(|asset| asset.0),
        fills: [first, second].map(|fills| fills.iter().map(fill).collect()),
        passed: Vec::new(),
    }
}

/// What is asked without being sent is what the model finds.
fn compare_prices(ledger: &Ledger, model: &model::Model, draw: &mut Draw, now: u64, seed: u64) {
    let asset = |draw: &mut Draw| draw.below(u64::from(ASSETS)) as u32;
    let (pays, gets) = (asset(draw), asset(draw));
    if pays == gets {
        return;
    }
    let amount = Amount::new(draw.below(200));
    let exact = if draw.below(2) == 0 { Exact::Delivered(amount) } else { Exact::Spent(amount) };
    let expected = model.best_way(&Taker { pays, gets, exact, own: None, now });
    let found = ledger.exchange_price(AssetNumber(pays), AssetNumber(gets), exact, LedgerTime(now));
    let found = found.map(|plan| {
        let ExchangePlan { paid, delivered, via, first_step, fills, passed } = plan;
        ModelPlan { passed, ..plan_of(paid, delivered, via, &fills, first_step) }
    });
    assert_eq!(found, expected, "seed {seed}: {pays} to {gets}, {exact:?}");
}

/// One history; the ledger is put aside and read back now and then.
fn run(seed: u64, seen: &mut Seen) {
    let (mut ledger, mut model) = genesis();
    let mut draw = Draw::new(seed);
    let mut sent = Sent::default();
    let mut leaf = 0;
    let mut time = 1;
    for height in 1..=draw.below(60) + 4 {
        time += 1 + draw.below(4);
        let context =
            BatchContext { height: Height(height), time: LedgerTime(time), first_leaf: leaf };
        ledger.open_block(context.time);
        model.pass(time);
        compare_prices(&ledger, &model, &mut draw, time, seed);
        if draw.below(10) > 0 {
            let batch = draw.fx_batch(time, &mut sent);
            let (mut outcomes, mut events) = (Vec::new(), Vec::new());
            ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut events);
            for (checked, outcome) in batch.commands.iter().zip(&outcomes) {
                let turn = ModelTurn {
                    submitter: batch.submitter.0,
                    signers: Some(&batch.authorisations),
                    now: context.time,
                    valid_until: batch.valid_until,
                    leaf,
                };
                let expected = model.apply(&turn, &checked.command);
                let found = (outcome.answer.code(), outcome.original);
                assert_eq!(found, expected, "seed {seed}, block {height}: {:?}", checked.command);
                *seen.entry((checked.command.name(), found.0)).or_default() += 1;
                leaf += 1;
            }
        }
        assert_eq!(ledger.close_block(leaf), []);
        let outputs = ledger.take_fx_outputs();
        assert_eq!(outputs.exchanges.len(), model.fx.came.len(), "seed {seed}, block {height}");
        for (one, (id, expected)) in outputs.exchanges.iter().zip(&model.fx.came) {
            assert!(one.check(), "seed {seed}: {one:?}");
            assert_eq!(one.id, *id);
            let found = plan_of(one.paid, one.delivered, one.via, &one.fills, one.first_step);
            let expected = ModelPlan { passed: Vec::new(), ..expected.clone() };
            assert_eq!(found, expected, "seed {seed}, block {height}");
            let kind = if one.via.is_some() { "over a vehicle" } else { "direct" };
            *seen.entry((kind, one.fills.len() as u16)).or_default() += 1;
        }
        for notice in &outputs.quotes {
            if let QuoteNotice::PassedOver { why, .. } = notice {
                *seen.entry(("passed over", *why as u16)).or_default() += 1;
            }
        }
        let root = ledger.seal_block();
        compare_state(&ledger, &model, seed, height);
        ledger.check_invariants().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        if draw.below(12) == 0 {
            assert_eq!(root, ledger.recompute_root(), "seed {seed}, block {height}");
            let bytes = encoded(&ledger);
            let restored = Ledger::restore(&mut &bytes[..], leaf)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(encoded(&restored) == bytes, "seed {seed}, block {height}");
            assert_eq!(restored.state_root(), root);
            ledger = restored;
        }
    }
    // With time alone every quote ends and no report is awaited for ever.
    for _ in 0..2 {
        ledger.open_block(LedgerTime(1 << 62));
        ledger.close_block(leaf);
        ledger.seal_block();
    }
    assert_eq!((ledger.all_quotes().count(), ledger.awaited_reports().count()), (0, 0));
    assert_eq!(ledger.next_due(), None, "seed {seed}");
}

fn compare_state(ledger: &Ledger, model: &model::Model, seed: u64, height: u64) {
    for (view, (number, expected)) in ledger.accounts().zip(&model.accounts) {
        assert_eq!(
            view.posted.minor(),
            expected.balance,
            "seed {seed}, {height}, account {number}"
        );
    }
    for pays in 0..ASSETS {
        for gets in 0..ASSETS {
            let (pays_number, gets_number) = (AssetNumber(pays), AssetNumber(gets));
            let found: Vec<_> = ledger
                .quotes(pays_number, gets_number)
                .map(|one| (one.id, one.left.minor()))
                .collect();
            let expected: Vec<_> =
                model.of_pair(pays, gets).iter().map(|one| (one.terms.id, one.left)).collect();
            assert_eq!(found, expected, "seed {seed}, block {height}");
        }
    }
    let mut found: Vec<_> =
        ledger.awaited_reports().map(|one| (one.transfer, one.account.0, one.by.0)).collect();
    let mut expected: Vec<_> =
        model.fx.reports.iter().map(|one| (one.transfer, one.account, one.by)).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "seed {seed}, block {height}");
    for bank in 0..BANKS {
        let expected = model.fx.cards.get(&bank).copied().unwrap_or_default();
        assert_eq!(ledger.scorecard(ParticipantNumber(bank)), expected, "seed {seed}");
    }
}

/// What must come up in the histories, so that they test what they seem to.
fn check_seen(seen: &Seen) {
    let mut missing = Vec::new();
    let mut need = |what: &'static str, code: u16| {
        if seen.get(&(what, code)).copied().unwrap_or(0) < 20 {
            missing.push((what, code));
        }
    };
    for command in [
        "place-quote",
        "withdraw-quote",
        "exchange",
        "return-exchange",
        "report-credit",
        "set-reporting",
    ] {
        need(command, 1);
        need(command, Refusal::NotAuthorised.code());
    }
    for refusal in [
        Refusal::DeadlinePassed,
        Refusal::DeadlineTooFar,
        Refusal::SameAsset,
        Refusal::LeastTake,
        Refusal::ReplacedGone,
        Refusal::QuoteBookFull,
        Refusal::UnknownAccount,
        Refusal::DebitNotAllowed,
    ] {
        need("place-quote", refusal.code());
    }
    for refusal in [
        Refusal::NoQuotes,
        Refusal::QuotesTooSmall,
        Refusal::PriceBeyondLimit,
        Refusal::InsufficientCover,
        Refusal::AmountZero,
        Refusal::SameAsset,
        Refusal::UnknownCreditAccount,
        Refusal::CreditAccountBlocked,
    ] {
        need("exchange", refusal.code());
    }
    for refusal in [Refusal::OriginalUnknown, Refusal::NotTheReverse, Refusal::ReturnTooLarge] {
        need("return-exchange", refusal.code());
    }
    need("withdraw-quote", Refusal::QuoteNotLive.code());
    need("report-credit", Refusal::NoReportAwaited.code());
    need("report-credit", Refusal::CreditTime.code());
    for fills in 1..=3 {
        need("direct", fills);
        need("over a vehicle", fills + 1);
    }
    for why in
        [PassedOver::SameAccount, PassedOver::Account, PassedOver::BelowLeast, PassedOver::NoCover]
    {
        need("passed over", why as u16);
    }
    assert!(missing.is_empty(), "{missing:?} among {seen:?}");
}

#[test]
fn random_histories_equal_the_model() {
    let mut seen = Seen::new();
    if let Ok(seed) = std::env::var("SEED") {
        return run(seed.parse().unwrap(), &mut seen);
    }
    (0..HISTORIES).for_each(|seed| run(seed, &mut seen));
    check_seen(&seen);
}
