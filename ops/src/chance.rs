//! A small source of numbers without order, for traffic and benchmarks. Never for keys or tokens.

/// A xorshift generator.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// A generator; the same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero for ever; the multiplication spreads small seeds.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which must not be zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// A number below `end` other than `not`; `end` must be at least 2.
    pub fn below_but(&mut self, end: u64, not: u64) -> u64 {
        let other = self.below(end - 1);
        other + u64::from(other >= not)
    }

    /// The bytes of a UUID of version 4.
    pub fn uuid(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.bits().to_le_bytes());
        bytes[8..].copy_from_slice(&self.bits().to_le_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range() {
        let mut chance = Chance::new(0);
        let mut seen = [0u32; 4];
        for _ in 0..1_000 {
            let number = chance.below_but(4, 2);
            seen[number as usize] += 1;
        }
        assert_eq!(seen[2], 0);
        assert!(seen.iter().filter(|count| **count > 200).count() == 3);
        assert_eq!(Chance::new(7).bits(), Chance::new(7).bits());
        assert_ne!(Chance::new(7).uuid(), Chance::new(8).uuid());
    }
}
