//! How signatures are checked: one alone by the strict rule, many of a block together.
//!
//! Invariant: what [`strict`] accepts, [`together`] accepts. The other way round there is one gap,
//! open only to the owner of a key: a signature with a part of small order passes [`together`]. So
//! a submission is admitted by the strict rule alone, and the other is only for what another node
//! admitted. Nobody without the key passes either: keys of small order are refused in both.
//!
//! What [`together`] says of a signature does not depend on its company: nodes that have checked
//! other parts of a block before must not come to other answers. When the sum of many does not come
//! out, each is asked whether eight times its equation does, where parts of small order vanish.
//! That is exactly what a sum can prove of it.

use std::{cell::RefCell, collections::BTreeMap};

use curve25519_dalek::{
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::IsIdentity,
};
use ed25519_dalek::{Signature, VerifyingKey, verify_batch};
use ledger::Digest;
use sha2::{Digest as _, Sha512};

/// From this number on the common equation costs less than as many single ones.
const TOGETHER_MIN: usize = 4;

/// Keys that a thread remembers.
const KEYS_MAX: usize = 1_024;

/// One signature to be checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    /// What was signed.
    pub(crate) digest: Digest,
    /// The key that should have signed it.
    pub(crate) key: [u8; 32],
    /// The signature.
    pub(crate) signature: [u8; 64],
}

/// Whether a signature is good, by the one strict rule.
pub(crate) fn strict(signed: &Signed) -> bool {
    key_of(&signed.key).is_some_and(|key| {
        key.verify_strict(&signed.digest.0, &Signature::from_bytes(&signed.signature)).is_ok()
    })
}

thread_local! {
    /// Keys that were read before: to decompress one is an eighth of a check, and few banks sign much.
    static KEYS: RefCell<BTreeMap<[u8; 32], VerifyingKey>> = const { RefCell::new(BTreeMap::new()) };
}

/// The key with these bytes, if they are one. The same bytes give the same answer, known or not.
fn key_of(bytes: &[u8; 32]) -> Option<VerifyingKey> {
    KEYS.with_borrow_mut(|known| {
        if let Some(key) = known.get(bytes) {
            return Some(*key);
        }
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        if known.len() >= KEYS_MAX {
            known.clear();
        }
        known.insert(*bytes, key);
        Some(key)
    })
}

/// Checks many signatures; `Err` has the position of the first bad one.
pub(crate) fn together(all: &[Signed]) -> Result<(), usize> {
    if all.len() >= TOGETHER_MIN && sum_comes_out(all) {
        return Ok(());
    }
    all.iter().position(|signed| !strict(signed) && !eightfold(signed)).map_or(Ok(()), Err)
}

/// Whether eight times the equation of a signature comes out (RFC 8032, 5.1.7, with the cofactor).
/// It reads keys, points and scalars as the common equation does: whatever passes that passes here.
fn eightfold(signed: &Signed) -> bool {
    let Some(key) = key_of(&signed.key).filter(|key| !key.is_weak()) else { return false };
    let signature = Signature::from_bytes(&signed.signature);
    let s: Option<Scalar> = Scalar::from_canonical_bytes(*signature.s_bytes()).into();
    let (Some(s), Some(r)) = (s, CompressedEdwardsY(*signature.r_bytes()).decompress()) else {
        return false;
    };
    let mut hash = Sha512::new();
    hash.update(signature.r_bytes());
    hash.update(key.as_bytes());
    hash.update(signed.digest.0);
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let found = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-key.to_edwards(), &s);
    (found - r).mul_by_cofactor().is_identity()
}

/// The common equation. Its coefficients come from all that is checked, not from chance, so every
/// node that checks the same signatures together comes to the same answer.
fn sum_comes_out(all: &[Signed]) -> bool {
    let mut keys = Vec::with_capacity(all.len());
    for signed in all {
        match key_of(&signed.key).filter(|key| !key.is_weak()) {
            Some(key) => keys.push(key),
            None => return false,
        }
    }
    let messages: Vec<&[u8]> = all.iter().map(|signed| &signed.digest.0[..]).collect();
    let signatures: Vec<Signature> =
        all.iter().map(|signed| Signature::from_bytes(&signed.signature)).collect();
    verify_batch(&messages, &signatures, &keys).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    fn signed(number: u8) -> Signed {
        let key = SigningKey::from_bytes(&[number % 3 + 1; 32]);
        let digest = Digest([number; 32]);
        let signature = key.sign(&digest.0).to_bytes();
        Signed { digest, key: key.verifying_key().to_bytes(), signature }
    }

    #[test]
    fn good_signatures_pass_alone_and_in_company() {
        let all: Vec<Signed> = (0..40).map(signed).collect();
        assert!(all.iter().all(strict));
        for count in 0..all.len() {
            assert_eq!(together(&all[..count]), Ok(()), "{count}");
        }
        assert!(sum_comes_out(&all), "the common equation is what accepted them");
    }

    #[test]
    fn each_bad_one_in_company_is_found_and_named() {
        let all: Vec<Signed> = (0..12).map(signed).collect();
        for bad in 0..all.len() {
            for part in 0..4 {
                let mut damaged = all.clone();
                match part {
                    0 => damaged[bad].digest.0[5] ^= 1,
                    1 => damaged[bad].signature[40] ^= 1,
                    2 => damaged[bad].signature[3] ^= 1,
                    _ => damaged[bad].key = damaged[(bad + 1) % 12].key,
                }
                assert_eq!(together(&damaged), Err(bad), "part {part}");
            }
        }
    }

    #[test]
    fn two_errors_do_not_cancel_out() {
        // With equal coefficients these two would: each has what the other lacks.
        let mut all: Vec<Signed> = (0..8).map(|_| signed(7)).collect();
        all[0].signature[32] ^= 1;
        all[1].signature[32] ^= 2;
        assert_eq!(together(&all), Err(0));
        let mut swapped: Vec<Signed> = (0..8).map(signed).collect();
        let first: [u8; 32] = swapped[0].signature[32..].try_into().unwrap();
        let third: [u8; 32] = swapped[3].signature[32..].try_into().unwrap();
        swapped[0].signature[32..].copy_from_slice(&third);
        swapped[3].signature[32..].copy_from_slice(&first);
        assert_eq!(together(&swapped), Err(0));
    }

    /// A signature by the owner of a key whose R has a part of small order beside the right one.
    fn with_small_part(number: u8) -> Signed {
        let secret = Scalar::from(u64::from(number) + 2);
        let public = EdwardsPoint::mul_base(&secret).compress();
        let order_eight = curve25519_dalek::constants::EIGHT_TORSION[1];
        let nonce = Scalar::from(u64::from(number) + 77);
        let r = (EdwardsPoint::mul_base(&nonce) + order_eight).compress();
        let digest = Digest([number; 32]);
        let mut hash = Sha512::new();
        hash.update(r.as_bytes());
        hash.update(public.as_bytes());
        hash.update(digest.0);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(r.as_bytes());
        signature[32..].copy_from_slice((nonce + k * secret).as_bytes());
        Signed { digest, key: public.to_bytes(), signature }
    }

    #[test]
    fn the_answer_about_a_signature_does_not_depend_on_its_company() {
        let odd = with_small_part(9);
        assert!(!strict(&odd), "it is not admitted");
        let mut sums = [0; 2];
        for company in 0..40 {
            let mut all: Vec<Signed> = (0..company).map(signed).collect();
            all.push(odd);
            sums[usize::from(sum_comes_out(&all))] += 1;
            assert_eq!(together(&all), Ok(()), "with {company} others");
            all[usize::from(company / 2)].signature[40] ^= 1;
            assert_eq!(together(&all), Err(usize::from(company / 2)));
        }
        assert!(sums.iter().all(|count| *count > 0), "the sum alone says both: {sums:?}");
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The identity as key and as R, and s = 0: the plain equation holds for every message.
        let mut point = [0; 32];
        point[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let forged = Signed { digest: Digest([9; 32]), key: point, signature };
        assert!(!strict(&forged));
        let mut all: Vec<Signed> = (0..6).map(signed).collect();
        all.push(forged);
        assert_eq!(together(&all), Err(6));
    }
}
