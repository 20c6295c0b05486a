//! What auditors find in the history of a network with the second rules: the trail of accesses to party data, page by
//! page, and the leaf that says what an exchange moved, also where notices follow it.
#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::Arc};

use ed25519_dalek::SigningKey;
use ledger::{
    Access, AccountNumber, Amount, Attest, Command, Digest, Exchange, ExchangeAmount, LedgerTime,
    ParticipantNumber, PlaceQuote, Rate, RecordAccess, SetNotices, TransferId,
};
use settlement_node::{
    access::{Page, Wanted},
    chain::{AppliedBlock, Chain},
    forms::history_block,
    old_ids::OldIdsOnDisk,
    past::Past,
    prepare::PreparedBlock,
    statement::{Known, Statements},
    store::{
        history::{History, HistoryOptions},
        runs::RunSets,
        vfs::{MemVfs, Vfs},
    },
};
use wire::{
    batch::{BatchBuilder, encode_submission},
    block,
    genesis::{Genesis, hex},
};

const BANK: ParticipantNumber = ParticipantNumber(0);

fn genesis(key: &SigningKey) -> Genesis {
    let text = format!(
        r#"version = 1
network = "trail"
time_ns = 1
rules = 2
nodes = [{{ id = 1, bic = "ALPHDEFF", link_key = "{zero}", address = "127.0.0.1:1", client_address = "127.0.0.1:2" }}]
participants = [{{ bic = "ALPHDEFF", name = "Alpha", signing_keys = ["{key}"], sealing_key = "{zero}", gateway_keys = [] }}]
assets = [{{ code = "EUR", exponent = 2, issuer = "ALPHDEFF" }}, {{ code = "JPY", exponent = 0, issuer = "ALPHDEFF" }}]
accounts = [{{ account = "ALPHDEFF/EUR" }}, {{ account = "ALPHDEFF/JPY" }}, {{ account = "ALPHDEFF/EUR/desk" }}, {{ account = "ALPHDEFF/JPY/desk" }}]
funding = [{{ id = "00000000-0000-4000-8000-000000000001", account = "ALPHDEFF/EUR", amount = 100000 }}, {{ id = "00000000-0000-4000-8000-000000000002", account = "ALPHDEFF/JPY/desk", amount = 100000 }}]
"#,
        zero = "00".repeat(32),
        key = hex(key.verifying_key().as_bytes()),
    );
    Genesis::parse(text.as_bytes()).unwrap()
}

struct Network {
    vfs: Arc<dyn Vfs>,
    key: SigningKey,
    genesis: Genesis,
    chain: Chain,
    history: History,
    past: Past,
}

impl Network {
    fn new() -> Self {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let key = SigningKey::from_bytes(&[5; 32]);
        let genesis = genesis(&key);
        let chain = Chain::genesis(&genesis, [1, 2]).unwrap();
        let options = HistoryOptions::default();
        let history = History::open(Arc::clone(&vfs), Path::new("/history"), options).unwrap();
        let runs = RunSets::open(Arc::clone(&vfs), Path::new("/runs")).unwrap();
        let past = Past {
            history: history.reader(),
            domain: genesis.domain,
            old_ids: Arc::new(OldIdsOnDisk(runs)),
        };
        Self { vfs, key, genesis, chain, history, past }
    }

    fn block(&mut self, commands: &[Command]) -> AppliedBlock {
        let mut builder = BatchBuilder::new(&self.genesis.domain, BANK, LedgerTime(u64::MAX));
        commands.iter().for_each(|command| builder.push(command));
        let (batch, _) = builder.sign(&[(BANK, &self.key)]);
        let time = LedgerTime((self.chain.height().0 + 1) * 1_000);
        let bytes = block::encode(time, [encode_submission(&batch, &[])].iter());
        let runs = RunSets::open(Arc::clone(&self.vfs), Path::new("/runs")).unwrap();
        let old = OldIdsOnDisk(runs);
        let prepared = PreparedBlock::trusted(bytes, &self.genesis.domain, &old, 0).unwrap();
        let index = self.chain.log_index() + 1;
        let applied = self.chain.apply(index, Arc::new(prepared), &old).unwrap();
        self.history.append(&history_block(&applied)).unwrap();
        self.history.flush().unwrap();
        applied
    }
}

fn id(number: u8) -> TransferId {
    let mut bytes = [number; 16];
    (bytes[6], bytes[8]) = (0x40, 0x80);
    TransferId(bytes)
}

fn access(number: u8, payment: Option<u8>, ground: &str) -> Command {
    Command::RecordAccess(Box::new(RecordAccess {
        id: id(number),
        participant: BANK,
        access: Access::Opened,
        payment: payment.map(id),
        what: Digest([number; 32]),
        reader: "clerk".to_owned(),
        ground: ground.to_owned(),
    }))
}

#[test]
fn the_trail_has_each_access_once_in_order_and_in_pages_that_repeat() {
    let mut network = Network::new();
    let attest = Attest { id: id(99), participant: BANK, document: Digest([9; 32]) };
    for height in 1..=20_u8 {
        let of = height % 3;
        let own = access(height, Some(200 + of), "a complaint");
        // A repetition, and the same id with other words, are no accesses.
        let other = access(height, Some(200 + of), "another ground");
        network.block(&[Command::Attest(attest.clone()), own.clone(), own, other]);
    }
    let all = Wanted { participant: None, payment: None, from: 1, to: 20, rows: 1_000 };
    let page = network.past.accesses(&all).unwrap();
    assert_eq!(page.next, None);
    let found: Vec<(u64, u64, TransferId)> =
        page.rows.iter().map(|row| (row.height, row.time.0, row.id)).collect();
    let expected: Vec<_> =
        (1..=20_u8).map(|number| (number.into(), u64::from(number) * 1_000, id(number))).collect();
    assert_eq!(found, expected);
    let first = &page.rows[0];
    // Leaf 0 is genesis, 1 the batch, 2 the attestation.
    assert_eq!((first.leaf, first.participant, first.access), (3, BANK, Access::Opened));
    assert_eq!((first.reader.as_str(), first.ground.as_str()), ("clerk", "a complaint"));
    assert_eq!((first.what, first.payment), (Digest([1; 32]), Some(id(201))));
    // In pages, of any height, for one payment or bank.
    let (mut rows, mut from) = (Vec::new(), 4);
    loop {
        let wanted = Wanted { from, to: 11, rows: 3, ..all };
        let Page { rows: more, next } = network.past.accesses(&wanted).unwrap();
        assert!(more.len() <= 3);
        rows.extend(more);
        let Some(next) = next else { break };
        from = next;
    }
    assert_eq!(rows, page.rows[3..11]);
    let of = |payment| network.past.accesses(&Wanted { payment: Some(id(payment)), ..all });
    assert_eq!(of(200).unwrap().rows.len(), 6);
    assert_eq!(of(7).unwrap().rows, []);
    let bank = |number| {
        let participant = Some(ParticipantNumber(number));
        network.past.accesses(&Wanted { participant, ..all }).unwrap().rows.len()
    };
    assert_eq!((bank(0), bank(1)), (20, 0));
}

#[test]
fn movements_of_an_exchange_name_its_record_also_where_notices_follow() {
    let mut network = Network::new();
    let quote = PlaceQuote {
        id: id(1),
        sells: AccountNumber(3),
        buys: AccountNumber(2),
        rate: Rate::new(100, 161).unwrap(),
        amount: Amount::new(90_000),
        least: Amount::new(1),
        until: LedgerTime(1_000_000),
        replaces: None,
    };
    let notices =
        SetNotices { id: id(2), account: AccountNumber(0), floor: Some(99_500), ceiling: None };
    let exchange = Exchange {
        id: id(3),
        debit: AccountNumber(0),
        credit: AccountNumber(1),
        amount: ExchangeAmount::Deliver { exactly: Amount::new(1_000), at_most: Amount::new(622) },
        document: None,
        deadline: None,
    };
    let commands =
        [Command::PlaceQuote(quote), Command::SetNotices(notices), Command::Exchange(exchange)];
    let applied = network.block(&commands);
    assert_eq!((applied.exchanges.len(), applied.notices.len()), (1, 1));
    let mut statements =
        Statements::open(&network.vfs, Path::new("/data"), network.past.clone(), &network.genesis)
            .unwrap();
    let view = network.chain.ledger().account(AccountNumber(0)).unwrap();
    let known = Known { account: 0, height: 1, balance: view.posted.minor() };
    statements.catch_up(known).unwrap();
    let wanted = settlement_node::statement::Wanted {
        as_of: 1,
        from: 0,
        before: u64::MAX,
        after: 0,
        limit: 10,
    };
    let page = statements.page(0, &wanted).unwrap();
    let paid = page.rows.last().unwrap().movement;
    // Genesis, the batch and three commands come before the exchange; the notice and the seal after it.
    assert_eq!((paid.change, paid.leaf), (-622, 5));
}
