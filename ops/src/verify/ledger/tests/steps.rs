//! Ledgers in which nodes come and go: only what was decided counts, and only who votes makes final.

use ledger::{Content, NodeDescription, NodeStep, Propose, Seat};
use proof::record::Seal;

use super::*;

/// Three nodes vote and one stands by.
fn making(dir: &Path) -> Making {
    let file = genesis("rules = 2\n", 1);
    fs::write(dir.join("genesis.toml"), &file).unwrap();
    Making::new(Genesis::parse(file.as_bytes()).unwrap())
}

impl Making {
    fn decide(&mut self, number: u8, content: Content) {
        let propose = Command::Propose(Propose {
            id: TransferId([number; 16]),
            proposer: ParticipantNumber(0),
            expires: LedgerTime(1_000),
            content: Box::new(content),
        });
        let submission = self.submission(&[propose], &[0, 1]);
        self.block(block::encode(self.next_time(), [submission].iter()));
    }

    fn pay(&mut self) {
        let submission = self.submission(&[transfer(self.chain.height().0, 1)], &[0]);
        self.block(block::encode(self.next_time(), [submission].iter()));
    }

    fn step(&mut self, node: u64, seat: Seat) {
        self.block(block::encode_step(self.next_time(), NodeStep { node, seat }));
    }

    /// Records of a block of which nobody but their maker says that it may be.
    fn forge(&mut self, mut records: Vec<Vec<u8>>, commands: u32) {
        let seal = Seal {
            height: self.chain.height().0 + 1,
            time: self.next_time().0,
            first_leaf: self.chain.leaves(),
            records: records.len() as u32,
            commands,
            previous: *self.chain.previous_seal(),
            state_root: [0; 32],
        };
        self.records.append(&mut records);
        self.records.push(seal.encode().to_vec());
    }

    fn root(&self) -> Hash {
        let mut frontier = Frontier::new();
        self.records.iter().for_each(|record| {
            frontier.append(record);
        });
        frontier.root()
    }

    /// What is said of the ledger under a checkpoint that these nodes signed.
    fn verdict(&self, dir: &Path, nodes: &[u64]) -> Report {
        mirrored(dir, &self.records);
        let at = FinalAt { height: self.chain.height().0, size: self.records.len() as u64 };
        fs::write(dir.join("checkpoint"), note(&self.genesis, at, self.root(), nodes)).unwrap();
        check(&arguments(dir)).unwrap()
    }
}

fn wrong(report: Report) -> String {
    assert!(!report.valid);
    report.wrong.unwrap()
}

fn step_record(node: u64, seat: Seat) -> Vec<u8> {
    let mut out = Vec::new();
    record::step(&mut out, node, seat as u8);
    out
}

#[test]
fn a_step_that_nothing_demands_is_wrong_and_so_is_a_second_end() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut undecided = making(dir);
    undecided.pay();
    undecided.step(3, Seat::Gone);
    let said = wrong(undecided.verdict(dir, &[1, 2, 3]));
    assert!(said.contains("block 2: nothing demands that node 3 becomes Gone"), "{said}");

    let mut decided = making(dir);
    decided.decide(9, Content::RemoveNode { id: 3 });
    decided.step(3, Seat::Gone);
    let good = decided.verdict(dir, &[1, 2]);
    assert!(good.valid, "{good:?}");
    assert_eq!((good.height, good.final_leaves), (2, good.leaves));
    decided.forge(vec![step_record(3, Seat::Gone)], 0);
    let said = wrong(decided.verdict(dir, &[1, 2]));
    assert!(said.contains("block 3: nothing demands that node 3 becomes Gone"), "{said}");
}

#[test]
fn a_step_has_a_block_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (mut other, mut beside) = (making(dir), making(dir));
    for one in [&mut other, &mut beside] {
        one.decide(9, Content::RemoveNode { id: 3 });
    }
    let from = other.records.len();
    other.pay();
    let mut records = other.records[from..from + 2].to_vec();
    records.push(step_record(3, Seat::Gone));
    beside.forge(records, 1);
    let said = wrong(beside.verdict(dir, &[1, 2, 3]));
    assert!(said.contains("a step is not in a block of its own"), "{said}");
}

#[test]
fn a_checkpoint_is_judged_by_those_that_vote_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut making = making(dir);
    making.pay();
    let at = FinalAt { height: 1, size: making.chain.leaves() };
    let early = note(&making.genesis, at, making.chain.log_root(), &[1, 2, 3]);
    fs::create_dir(dir.join("checkpoints")).unwrap();
    fs::write(dir.join("checkpoints").join(at.size.to_string()), early).unwrap();
    let link_key = SigningKey::from_bytes(&[104; 32]).verifying_key().to_bytes();
    let node = NodeDescription {
        operator: ParticipantNumber(0),
        link_key,
        address: "127.0.0.1:1004".to_owned(),
        client_address: "127.0.0.1:2004".to_owned(),
    };
    making.decide(8, Content::AddNode { id: 4, node });
    making.step(4, Seat::Learner);
    making.step(4, Seat::Voter);
    making.decide(9, Content::RemoveNode { id: 1 });
    // Four vote, of whom three are enough; the one that is to leave is still one of them.
    assert!(making.verdict(dir, &[1, 2, 3]).valid);
    making.step(1, Seat::Gone);
    making.pay();
    let good = making.verdict(dir, &[2, 3, 4]);
    assert!(good.valid, "{good:?}");
    assert_eq!(good.checkpoints.len(), 2, "that of another time holds by those of its time");
    assert_eq!(good.checkpoints[1].cosigned.len(), 3);
    assert!(making.verdict(dir, &[1, 2, 3, 4]).valid, "who has left may still hand it out");
    let said = wrong(making.verdict(dir, &[1, 2, 3]));
    assert!(said.contains("do not reach the quorum") && said.contains("node4"), "{said}");
    // A policy that was given counts instead, as the reader wants it.
    let policy = dir.join("policy");
    let members = settlement_node::finality::Members::of(&making.genesis).unwrap().unwrap();
    fs::write(&policy, members.policy()).unwrap();
    let given = LedgerArguments { policy: Some(policy), ..arguments(dir) };
    assert!(check(&given).unwrap().valid);
}
