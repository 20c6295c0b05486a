//! Proofs against published vectors, against the recursive definitions of RFC 6962, and damaged.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::tree::leaf_hash;

/// The recursive definitions of RFC 6962 sections 2.1 to 2.1.2, written for clarity only.
mod reference {
    use super::*;

    pub(super) fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [one] => *one,
            more => {
                let k = more.len().next_power_of_two() / 2;
                node_hash(&root(&more[..k]), &root(&more[k..]))
            }
        }
    }

    pub(super) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (mut path, other) = if index < k {
            (self::path(index, &leaves[..k]), &leaves[k..])
        } else {
            (self::path(index - k, &leaves[k..]), &leaves[..k])
        };
        path.push(root(other));
        path
    }

    pub(super) fn proof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (mut proof, other) = if old <= k {
            (self::proof(old, &leaves[..k], whole), &leaves[k..])
        } else {
            (self::proof(old - k, &leaves[k..], false), &leaves[..k])
        };
        proof.push(root(other));
        proof
    }
}

struct Leaves(Vec<Hash>);

impl Subtrees for Leaves {
    type Error = std::convert::Infallible;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        let (start, count) = ((index as usize) << level, 1 << level);
        Ok(reference::root(&self.0[start..start + count]))
    }
}

fn leaves(count: usize) -> Leaves {
    Leaves((0..count).map(|number| leaf_hash(&number.to_le_bytes())).collect())
}

fn from_hex(text: &str) -> Hash {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    std::array::from_fn(|at| byte(2 * at))
}

/// The tree of eight leaves that implementations of Certificate Transparency test with.
fn published() -> Leaves {
    let inputs: [&[u8]; 8] = [
        b"",
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[
            0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
            0x6e, 0x6f,
        ],
    ];
    Leaves(inputs.iter().map(|input| leaf_hash(input)).collect())
}

#[test]
fn published_roots_and_proofs() {
    let tree = published();
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (size, hex) in (1..).zip(roots) {
        assert_eq!(root(&tree, size), Ok(from_hex(hex)), "size {size}");
    }
    let hashes = |list: &[&str]| list.iter().map(|hex| from_hex(hex)).collect::<Vec<_>>();
    let first_of_eight = hashes(&[
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]);
    assert_eq!(inclusion(&tree, 0, 8).unwrap(), first_of_eight);
    assert_eq!(
        inclusion(&tree, 5, 8).unwrap(),
        hashes(&[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
    assert_eq!(consistency(&tree, 1, 8).unwrap(), first_of_eight);
    assert_eq!(
        consistency(&tree, 6, 8).unwrap(),
        hashes(&[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
    assert_eq!(
        consistency(&tree, 2, 5).unwrap(),
        hashes(&[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ])
    );
}

#[test]
fn proofs_are_those_of_the_definition_and_verify_at_every_size() {
    let tree = leaves(70);
    for size in 1..=70usize {
        let whole = &tree.0[..size];
        let root = reference::root(whole);
        for index in 0..size {
            let path = inclusion(&tree, index as u64, size as u64).unwrap();
            assert_eq!(path, reference::path(index, whole), "{index} of {size}");
            let checked = verify_inclusion(&whole[index], index as u64, size as u64, &path, &root);
            assert_eq!(checked, Ok(()), "{index} of {size}");
        }
        for old in 0..=size {
            let path = consistency(&tree, old as u64, size as u64).unwrap();
            if old > 0 {
                assert_eq!(path, reference::proof(old, whole, true), "{old} to {size}");
            }
            let before = reference::root(&whole[..old]);
            let checked = verify_consistency((old as u64, &before), (size as u64, &root), &path);
            assert_eq!(checked, Ok(()), "{old} to {size}");
        }
    }
}

#[test]
fn every_other_place_length_and_root_is_refused() {
    let tree = leaves(23);
    let roots: Vec<Hash> = (0..=23).map(|size| reference::root(&tree.0[..size])).collect();
    for size in 1..=23u64 {
        for index in 0..size {
            let path = inclusion(&tree, index, size).unwrap();
            let leaf = &tree.0[index as usize];
            for other in (0..24).filter(|other| *other != index) {
                let root = &roots[size as usize];
                assert!(verify_inclusion(leaf, other, size, &path, root).is_err());
            }
            for (other, root) in roots.iter().enumerate().filter(|(at, _)| *at != size as usize) {
                assert!(verify_inclusion(leaf, index, size, &path, root).is_err());
                assert!(verify_inclusion(leaf, index, other as u64, &path, root).is_err());
            }
            damaged(&path, |path| {
                verify_inclusion(leaf, index, size, path, &roots[size as usize]).is_err()
            });
        }
        for old in 1..size {
            let path = consistency(&tree, old, size).unwrap();
            let at = |number: u64| &roots[number as usize];
            for other in (0..=size).filter(|other| *other != old) {
                assert!(verify_consistency((other, at(other)), (size, at(size)), &path).is_err());
                assert!(verify_consistency((old, at(other)), (size, at(size)), &path).is_err());
            }
            let back = verify_consistency((size, at(size)), (old, at(old)), &path);
            assert_eq!(back, Err(PathError::Shrunk { old: size, new: old }));
            damaged(&path, |path| {
                verify_consistency((old, at(old)), (size, at(size)), path).is_err()
            });
        }
    }
    assert!(verify_consistency((0, &[1; 32]), (5, &roots[5]), &[]).is_err());
    assert!(verify_consistency((5, &[1; 32]), (5, &roots[5]), &[]).is_err());
}

/// Calls `refused` with the path cut, prolonged, and with each bit of each hash flipped.
fn damaged(path: &[Hash], refused: impl Fn(&[Hash]) -> bool) {
    if !path.is_empty() {
        assert!(refused(&path[1..]) && refused(&path[..path.len() - 1]));
    }
    assert!(refused(&[path, &[[7; 32]]].concat()));
    assert!(refused(&[&[[7; 32]], path].concat()));
    for at in 0..path.len() * 32 {
        let mut changed = path.to_vec();
        changed[at / 32][at % 32] ^= 1 << (at % 8);
        assert!(refused(&changed));
    }
}

#[test]
fn the_largest_sizes_do_not_overflow() {
    for (index, size) in [(0, u64::MAX), (u64::MAX - 1, u64::MAX), (1 << 63, u64::MAX)] {
        for length in 0..=66 {
            let path = vec![[1; 32]; length];
            assert!(verify_inclusion(&[0; 32], index, size, &path, &[2; 32]).is_err());
            assert!(verify_consistency((index, &[0; 32]), (size, &[2; 32]), &path).is_err());
        }
    }
}

proptest! {
    #[test]
    fn any_proof_is_judged_without_panic(
        index: u64, size: u64, path in proptest::collection::vec(any::<Hash>(), 0..70),
        leaf: Hash, root: Hash,
    ) {
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root).is_err());
        let _ = verify_consistency((index, &leaf), (size, &root), &path);
    }
}
