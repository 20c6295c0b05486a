//! What participants decide together, and about themselves: proposals and votes, second persons, keys, states.
//!
//! Nothing here may last longer than the run can wait for, and banks with a real gateway keep the key and the
//! state that it needs: a gateway is told of neither.

use ed25519_dalek::SigningKey;
use ledger::{
    AddKey, AdmitParticipant, Amount, AssetNumber, Calendar, Command, Confirm, Content, Ledger,
    LedgerTime, NodeDescription, ParticipantNumber, ParticipantState, Propose, PublicKey,
    RetireKey, RevokeKey, SetFundingLimit, SetSealingKey, TransferId, Vote, VotingPolicy, Withdraw,
};

use wire::genesis::GenesisNode;

use super::{
    asks::{Known, MS},
    rng::Rng,
};

/// Keys that a bank may come to have, the first one included.
pub(super) const KEYS: u8 = 12;

/// A later key of a bank.
pub(super) fn later_key(bank: usize, number: u8) -> SigningKey {
    SigningKey::from_bytes(
        &[[bank as u8 + 1, number, 0x5a, 0x17]; 8].concat().try_into().expect("32"),
    )
}

fn public(bank: usize, number: u8) -> PublicKey {
    PublicKey(later_key(bank, number).verifying_key().to_bytes())
}

/// Something of this kind, of a bank without a gateway.
pub(super) fn command(
    rng: &mut Rng,
    own: usize,
    id: TransferId,
    known: &Known<'_>,
    ledger: &Ledger,
) -> Command {
    let me = ParticipantNumber(own as u32);
    let soon = |rng: &mut Rng| LedgerTime(known.clock + rng.range(0, 6_000) * MS);
    match rng.range(0, 20) {
        0..5 => Command::Propose(Propose {
            id,
            proposer: me,
            expires: soon(rng),
            content: Box::new(content(rng, own, known)),
        }),
        5..11 => {
            let proposals: Vec<TransferId> = ledger.proposals().map(|(id, _)| *id).collect();
            let proposal = some(rng, &proposals, id);
            Command::Vote(Vote { proposal, in_favour: rng.percent(80) })
        }
        11 => Command::Withdraw(Withdraw { id: undecided(rng, ledger, id) }),
        12 | 13 => {
            let acts: Vec<TransferId> = ledger.acts().map(|(id, ..)| *id).collect();
            Command::Confirm(Confirm { id: some(rng, &acts, id) })
        }
        14 | 15 => Command::AddKey(AddKey {
            id,
            participant: me,
            key: public(own, rng.range(1, u64::from(KEYS)) as u8),
            from: rng.percent(30).then(|| soon(rng)),
        }),
        16 => {
            let key = live_key(rng, ledger, me);
            Command::RetireKey(RetireKey {
                participant: me,
                key,
                at: rng.percent(50).then(|| soon(rng)),
            })
        }
        17 => Command::RevokeKey(RevokeKey { participant: me, key: live_key(rng, ledger, me) }),
        18 => {
            let sealing_key = ledger.participants()[own].sealing_key;
            Command::SetSealingKey(SetSealingKey { id, participant: me, sealing_key })
        }
        _ => Command::SetFundingLimit(SetFundingLimit {
            id,
            asset: AssetNumber(rng.range(0, 2) as u32),
            above: rng.percent(70).then(|| Amount::new(rng.range(100, 20_000))),
        }),
    }
}

/// A vote on a proposal of another bank about a node where there is one, else a proposal.
pub(super) fn about_nodes(
    rng: &mut Rng,
    own: usize,
    id: TransferId,
    known: &Known<'_>,
    ledger: &Ledger,
) -> Command {
    let me = ParticipantNumber(own as u32);
    let about_node =
        |content: &Content| matches!(content, Content::AddNode { .. } | Content::RemoveNode { .. });
    let open = ledger.proposals().filter(|(_, one)| one.proposer != me && about_node(&one.content));
    let open: Vec<TransferId> = open.map(|(id, _)| *id).collect();
    if !open.is_empty() && rng.percent(85) {
        let proposal = some(rng, &open, id);
        return Command::Vote(Vote { proposal, in_favour: rng.percent(90) });
    }
    let may_come: Vec<_> = known.genesis.nodes.iter().filter(|node| node.standby).collect();
    let content = Box::new(come_or_go(rng, me, &may_come, known.removable));
    let expires = LedgerTime(known.clock + rng.range(2_000, 8_000) * MS);
    Command::Propose(Propose { id, proposer: me, expires, content })
}

fn some(rng: &mut Rng, of: &[TransferId], otherwise: TransferId) -> TransferId {
    if of.is_empty() { otherwise } else { of[rng.index(of.len())] }
}

fn undecided(rng: &mut Rng, ledger: &Ledger, otherwise: TransferId) -> TransferId {
    let proposals = ledger.proposals().map(|(id, _)| *id);
    let all: Vec<TransferId> = proposals.chain(ledger.acts().map(|(id, ..)| *id)).collect();
    some(rng, &all, otherwise)
}

fn live_key(rng: &mut Rng, ledger: &Ledger, of: ParticipantNumber) -> PublicKey {
    match ledger.participant(of).map(|one| &one.signing_keys[..]) {
        Some(keys) if !keys.is_empty() => keys[rng.index(keys.len())],
        _ => public(of.0 as usize, 0),
    }
}

fn content(rng: &mut Rng, own: usize, known: &Known<'_>) -> Content {
    let asset = AssetNumber(rng.range(0, 2) as u32);
    let bank = rng.index(known.banks);
    let participant = ParticipantNumber(bank as u32);
    let has_gateway = bank < known.gateways;
    match rng.range(0, 20) {
        0..7 => {
            let number = match rng.range(0, 40) {
                _ if has_gateway => 1 + rng.range(0, 3) as u8,
                0 => 5,
                1..24 => 1,
                _ => 1 + rng.range(0, 4) as u8,
            };
            let state = ParticipantState::from_number(number).expect("states are 1 to 5");
            Content::SetState { participant, state }
        }
        7 => {
            let number = rng.range(0, 2);
            Content::Admit(AdmitParticipant {
                bic: format!("NEW{number}DEFF").parse().expect("a BIC"),
                name: format!("New bank {number}"),
                signing_keys: vec![public(100 + number as usize, 0)],
                sealing_key: [9; 32],
            })
        }
        8..11 if known.gateways == 0 => Content::SetCalendar { asset, calendar: hours(rng, known) },
        8..12 => {
            let most = rng.percent(60).then(|| rng.range(3_000, 40_000));
            Content::SetLegLimit { asset, most }
        }
        12 => Content::SetFinality { faulty: rng.range(0, 3) as u16 },
        13 => {
            let needed = rng.range(0, 2) as u16;
            let voters: Vec<u32> = match rng.range(0, 3) {
                0 => (0..known.banks as u32).collect(),
                1 => vec![0, 1],
                _ => Vec::new(),
            };
            let voters = voters.into_iter().map(ParticipantNumber).collect();
            Content::SetVoting(VotingPolicy { needed, voters })
        }
        14 => Content::RemoveNode { id: 40 + rng.range(0, 2) },
        15 => Content::AddNode {
            id: 40 + rng.range(0, 2),
            node: NodeDescription {
                operator: participant,
                link_key: [1; 32],
                address: "a:1".to_owned(),
                client_address: "a:2".to_owned(),
            },
        },
        16 => {
            let asset = ledger::AddAsset {
                code: "CHF".parse().expect("a code"),
                exponent: ledger::Exponent::new(2).expect("small"),
                issuer: participant,
            };
            Content::AddAsset(asset)
        }
        17 => Content::ActivateRules(ledger::ActivateRules { version: ledger::RULES_LAST }),
        _ => {
            let bank = if has_gateway { own } else { bank };
            let signing_keys = vec![public(bank, rng.range(1, u64::from(KEYS)) as u8)];
            Content::ReplaceKeys { participant: ParticipantNumber(bank as u32), signing_keys }
        }
    }
}

/// A node that is there comes, or one of the first leaves.
fn come_or_go(
    rng: &mut Rng,
    operator: ParticipantNumber,
    may_come: &[&GenesisNode],
    removable: usize,
) -> Content {
    if removable > 0 && rng.percent(35) {
        return Content::RemoveNode { id: rng.range(1, removable as u64 + 1) };
    }
    let one = may_come[rng.index(may_come.len())];
    // Who has a key for the same number that is not the node's own is somebody else.
    let link_key = if rng.percent(90) { one.link_key } else { [1; 32] };
    let (address, client_address) = (one.address.to_string(), one.client_address.to_string());
    let node = NodeDescription { operator, link_key, address, client_address };
    Content::AddNode { id: one.id, node }
}

/// Hours around the present minute, or none.
fn hours(rng: &mut Rng, known: &Known<'_>) -> Option<Calendar> {
    if rng.percent(50) {
        return None;
    }
    let minute = (known.clock / (60_000 * MS) % 1_440) as u16;
    let opens = (minute + 1_440 - rng.range(0, 2) as u16) % 1_440;
    let cut_off = ((opens + 1 + rng.range(0, 2) as u16) % 1_440).max(1);
    Some(Calendar { opens, cut_off, weekdays: 0x7f, holidays: Vec::new() })
}
