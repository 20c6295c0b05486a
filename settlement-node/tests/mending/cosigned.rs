//! What this node cosigned holds against a state that all others have: it is not installed, the node halts.

use std::path::Path;

use settlement_node::{
    mend::{Ask, MendError, Mender},
    recover::Wounds,
    store::{
        cosigned::Cosigned,
        vfs::{MemVfs, Vfs},
    },
};

use super::{Lone, network, open};

fn cosigned(lone: &Lone) -> Cosigned {
    let sealed = lone.node.chain().sealed();
    Cosigned { at: sealed.at, previous_seal: sealed.previous_seal, frontier: sealed.frontier }
}

#[test]
fn a_state_that_does_not_go_on_from_what_was_cosigned_is_not_installed() {
    let (genesis, key) = network();
    let mut source = Lone::begin(&MemVfs::new(), &genesis, &key);
    let mut other = Lone::begin(&MemVfs::new(), &genesis, &key);
    // The same blocks, but for the ids in them.
    other.next = 1_000_000;
    for lone in [&mut source, &mut other] {
        for _ in 0..10 {
            lone.pay(7);
        }
    }
    let (own, strange) = (cosigned(&source), cosigned(&other));
    assert_eq!(own.at, strange.at);
    assert_ne!(own.frontier, strange.frontier);
    for _ in 0..300 {
        source.pay(5);
    }
    // Beyond every snapshot: the node is held to that later.
    let ahead = cosigned(&source);
    let shelf = source.shelf();
    for (cosigned, installs) in [(own, true), (ahead, true), (strange, false)] {
        let vfs = MemVfs::new();
        let wounds = Wounds { snapshot_above: Some(2), ..Wounds::default() };
        let mut mender = Mender::new(open(&vfs, &genesis), genesis.clone(), wounds);
        mender.hold_to(cosigned);
        let (mut ask, mut ended) = (None, Ok(()));
        for _ in 0..1_000 {
            if mender.is_done() || ended.is_err() {
                break;
            }
            ask = match ask.take() {
                None => mender.tick(&[2]),
                Some(Ask { request, .. }) => {
                    let answered = mender.answer(2, shelf.answer(&request).0);
                    answered.unwrap_or_else(|error| {
                        ended = Err(error);
                        None
                    })
                }
            };
        }
        assert_eq!(mender.is_done(), installs, "{ended:?}");
        assert_eq!(matches!(ended, Err(MendError::Consistency(_))), !installs, "{ended:?}");
        let names = vfs.list(Path::new("/data/snapshots")).unwrap();
        assert_eq!(names.iter().any(|name| name.ends_with(".state")), installs, "{names:?}");
    }
}
