//! The tally: when a size is final, who is found out, and that no two final histories come about.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn genesis(nodes: u64) -> Genesis {
    use std::fmt::Write as _;
    let mut text =
        String::from("version = 1\nnetwork = \"test\"\ntime_ns = 5\nparticipants = []\n");
    text += "assets = []\naccounts = []\nfunding = []\n";
    for id in 1..=nodes {
        let public = |seed: u8| {
            let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
            wire::genesis::hex(key.verifying_key().as_bytes())
        };
        write!(
            text,
            "[[nodes]]\nid = {id}\nbic = \"BANKDEFF\"\nlink_key = \"{}\"\ncosign_key = \"{}\"\n\
             address = \"127.0.0.1:{}\"\nclient_address = \"127.0.0.1:{}\"\n",
            public(100 + id as u8),
            public(id as u8),
            1000 + id,
            2000 + id
        )
        .unwrap();
    }
    Genesis::parse(text.as_bytes()).unwrap()
}

fn cosigning(nodes: u64, id: u64) -> Cosigning {
    Cosigning::new(&genesis(nodes), id, &[id as u8; 32]).unwrap().unwrap()
}

fn said(nodes: u64, id: u64, size: u64, root: u8) -> Cosignature {
    cosigning(nodes, id).cosign(size, &[root; 32], 1_700_000_000)
}

fn at(size: u64) -> FinalAt {
    FinalAt { height: size / 10, size }
}

/// One word against another fences a node here; that it has signed both roots convinces everybody, and is told as well.
#[test]
fn a_fenced_node_that_signs_both_roots_is_still_found_out() {
    let own = cosigning(4, 1);
    let mut tally = Finality::new(&own.members);
    tally.computed(at(10), [5; 32]);
    let first = tally.take(2, said(4, 2, 10, 6));
    assert!(matches!(first[..], [Finding::OtherRoot { node: 2, .. }]), "{first:?}");
    assert!(tally.fenced().contains(&2));
    let second = tally.take(2, said(4, 2, 10, 5));
    assert!(matches!(second[..], [Finding::Equivocation { node: 2, .. }]), "{second:?}");
    assert_eq!(tally.take(2, said(4, 2, 10, 7)), [], "once is enough");
}

#[test]
fn a_quorum_makes_final_and_the_note_satisfies_the_policy() {
    let own = cosigning(4, 1);
    let mut tally = Finality::new(&own.members);
    assert_eq!(tally.computed(at(10), [5; 32]), []);
    for id in [1, 3] {
        assert!(tally.is_news(id, &said(4, id, 10, 5)));
        assert_eq!(tally.take(id, said(4, id, 10, 5)), []);
        assert!(!tally.is_news(id, &said(4, id, 10, 5)));
        assert_eq!(tally.certificate(), None);
    }
    tally.take(4, said(4, 4, 10, 5));
    let certificate = tally.certificate().unwrap().clone();
    assert_eq!(certificate.at, FinalAt { height: 1, size: 10 });
    let policy = proof::policy::Policy::parse(own.members.policy().as_bytes()).unwrap();
    proof::final_rule::check(&policy).unwrap();
    let note = certificate.note(&own).unwrap();
    let accepted = policy.judge(&note).unwrap();
    assert_eq!((accepted.checkpoint.size, accepted.cosigned.len()), (10, 3));
    // One that comes late is added.
    tally.take(2, said(4, 2, 10, 5));
    assert_eq!(tally.certificate().unwrap().cosignatures.len(), 4);
}

#[test]
fn nothing_is_final_before_this_node_has_computed_it() {
    let own = cosigning(4, 1);
    let mut tally = Finality::new(&own.members);
    for id in 2..=4 {
        tally.take(id, said(4, id, 10, 5));
    }
    assert_eq!(tally.certificate(), None);
    assert_eq!(tally.computed(at(10), [5; 32]), []);
    assert_eq!(tally.certificate().unwrap().at.size, 10);
}

#[test]
fn two_roots_of_one_size_by_one_node_are_found() {
    let own = cosigning(4, 1);
    let mut tally = Finality::new(&own.members);
    tally.computed(at(10), [5; 32]);
    tally.take(2, said(4, 2, 10, 5));
    let [Finding::Equivocation { node: 2, both }] = &tally.take(2, said(4, 2, 10, 6))[..] else {
        panic!("not found")
    };
    assert_eq!((both[0].root, both[1].root), ([5; 32], [6; 32]));
    assert!(tally.take(2, said(4, 2, 10, 7)).is_empty(), "said once");
    // What it says counts no more.
    tally.take(1, said(4, 1, 10, 5));
    tally.take(3, said(4, 3, 10, 5));
    assert_eq!(tally.certificate(), None);
    tally.take(4, said(4, 4, 10, 5));
    assert_eq!(tally.certificate().unwrap().cosignatures.len(), 3);
}

#[test]
fn one_with_another_root_is_fenced_and_more_than_can_lie_stop_this_node() {
    let own = cosigning(4, 1);
    let mut tally = Finality::new(&own.members);
    tally.take(2, said(4, 2, 10, 6));
    let found = tally.computed(at(10), [5; 32]);
    assert!(matches!(found[..], [Finding::OtherRoot { node: 2, own: [5, ..], .. }]), "{found:?}");
    assert_eq!(tally.fenced().iter().copied().collect::<Vec<_>>(), [2]);
    let found = tally.take(3, said(4, 3, 10, 6));
    assert!(
        matches!(found[..], [Finding::Outvoted { size: 10, theirs: [6, ..], .. }]),
        "{found:?}"
    );
    for id in [1, 2, 3, 4] {
        tally.take(id, said(4, id, 20, 8));
    }
    tally.computed(at(20), [8; 32]);
    assert_eq!(tally.certificate(), None, "this node says nothing more");
}

#[test]
fn memory_is_bounded_and_old_news_is_none() {
    let own = cosigning(4, 1);
    let mut tally = Finality::new(&own.members);
    for size in 1..=10_000 {
        tally.computed(at(size), [1; 32]);
        if size % 100 == 0 {
            tally.take(2, said(4, 2, size, 1));
        }
    }
    assert_eq!(tally.roots.len(), ROOTS_MAX);
    assert_eq!(tally.said[&2].len(), COSIGNATURES_MAX);
    assert!(!tally.is_news(2, &said(4, 2, 5, 1)));
    assert!(!tally.is_news(9, &said(4, 2, 20_000, 1)), "no node of this network");
    assert!(tally.take(9, said(4, 2, 20_000, 1)).is_empty());
}

#[test]
fn signatures_and_keys_are_checked() {
    let own = cosigning(4, 1);
    let good = said(4, 2, 10, 5);
    assert!(own.members.verifies(2, &good));
    assert!(!own.members.verifies(3, &good) && !own.members.verifies(9, &good));
    for bit in 0..72 * 8 {
        let mut changed = good;
        changed.signature[bit / 8] ^= 1 << (bit % 8);
        assert!(!own.members.verifies(2, &changed));
    }
    let other = Cosigning::new(&genesis(4), 1, &[2; 32]).unwrap();
    assert!(other.is_none(), "the key is another node's");
}

proptest! {
    /// Honest nodes in two halves with two histories, as a lying leader could make them, and as many
    /// liars as the rule tolerates, who cosign both: no two final roots of one size come about, and
    /// who cosigned both is found out by whoever hears both.
    #[test]
    fn liars_make_no_second_final_history(
        nodes in 2u64..=7,
        split in any::<u8>(),
        order in proptest::collection::vec((1u64..=7, 1u64..=7, 5u8..=6), 0..150),
    ) {
        let liars = liars_tolerated(nodes as usize) as u64;
        let root_of = |node: u64| if split & (1 << node) == 0 { 5 } else { 6 };
        let mut tallies: BTreeMap<u64, Finality> = (liars + 1..=nodes)
            .map(|node| {
                let mut tally = Finality::new(&cosigning(nodes, node).members);
                tally.computed(at(10), [root_of(node); 32]);
                tally.take(node, said(nodes, node, 10, root_of(node)));
                (node, tally)
            })
            .collect();
        for (from, to, root) in order {
            if from > nodes {
                continue;
            }
            let Some(tally) = tallies.get_mut(&to) else { continue };
            let root = if from <= liars { root } else { root_of(from) };
            tally.take(from, said(nodes, from, 10, root));
        }
        let finals: BTreeSet<Hash> = tallies
            .values()
            .filter_map(|tally| tally.certificate().map(|certificate| certificate.root))
            .collect();
        prop_assert!(finals.len() <= 1, "two final histories");
    }
}

#[test]
fn the_quorum_is_that_of_those_who_vote_at_the_size() {
    let own = cosigning(4, 1);
    let voters = |ids: &[u64]| Arc::new(ids.iter().copied().collect::<BTreeSet<u64>>());
    let mut tally = Finality::new(&own.members);
    tally.voters_from(0, &voters(&[1, 2, 3]));
    assert_eq!(tally.computed(at(10), [5; 32]), []);
    // From the step on node 4 votes and node 1 does not.
    tally.voters_from(20, &voters(&[2, 3, 4]));
    assert_eq!(tally.computed(at(20), [6; 32]), []);
    for id in [2, 3, 4] {
        assert_eq!(tally.take(id, said(4, id, 10, 5)), []);
        assert_eq!(tally.certificate(), None, "node 4 does not count at 10");
    }
    tally.take(1, said(4, 1, 10, 5));
    let first = tally.certificate().unwrap().clone();
    assert_eq!((first.at.size, first.cosignatures.len()), (10, 3));
    for id in [1, 2, 3] {
        tally.take(id, said(4, id, 20, 6));
        assert_eq!(tally.certificate(), Some(&first), "node 1 does not count at 20");
    }
    tally.take(4, said(4, 4, 20, 6));
    let second = tally.certificate().unwrap().clone();
    assert_eq!((second.at.size, &second.voters), (20, &voters(&[2, 3, 4])));
    // Each satisfies the policy of its time and not the other's.
    let of_first = own.members.policy_of(&first.voters);
    let of_second = own.members.policy_of(&second.voters);
    let judges = |policy: &str, certificate: &Certificate, by: &Cosigning| {
        let policy = proof::policy::Policy::parse(policy.as_bytes()).unwrap();
        proof::final_rule::check(&policy).unwrap();
        policy.judge(&certificate.note(by).unwrap()).is_ok()
    };
    let other = cosigning(4, 2);
    assert!(judges(&of_first, &first, &own) && !judges(&of_second, &first, &other));
    assert!(judges(&of_second, &second, &other) && !judges(&of_first, &second, &other));
}

#[test]
fn who_does_not_vote_finds_nobody_out_and_outvotes_nobody() {
    let own = cosigning(5, 1);
    let mut tally = Finality::new(&own.members);
    let three: Arc<BTreeSet<u64>> = Arc::new([1, 2, 3].into());
    tally.voters_from(0, &three);
    tally.computed(at(10), [5; 32]);
    for id in [4, 5] {
        assert_eq!(tally.take(id, said(5, id, 10, 9)), []);
    }
    // Two roots of one size are evidence, whoever signs them.
    let found = tally.take(4, said(5, 4, 10, 8));
    assert!(matches!(found[..], [Finding::Equivocation { node: 4, .. }]));
}
