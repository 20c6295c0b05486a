//! What a path does to datagrams: how late they come, which are lost, come twice or change places.
//!
//! Pure: a seed and the datagrams decide everything. Datagrams that arrive together and share one
//! fate stay together, so that a calm path costs no more than a copy.

use std::time::Duration;

use crate::chance::Chance;

/// A datagram that changes places comes this much later than its neighbours, at most.
const HELD_BACK_MAX: Duration = Duration::from_millis(20);
/// The second copy of a datagram comes this much later than the first, at most.
const COPY_AFTER_MAX: Duration = Duration::from_millis(10);

/// What a path does to datagrams. The default is a calm one: at once and whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Nothing comes through.
    pub cut: bool,
    /// Every datagram takes this long.
    pub delay: Duration,
    /// And up to this much more, by chance; the order stays.
    pub jitter: Duration,
    /// So many of 1,000 are lost.
    pub lost: u16,
    /// So many of 1,000 come twice.
    pub doubled: u16,
    /// So many of 1,000 are overtaken by later ones.
    pub overtaken: u16,
}

impl Weather {
    /// Nothing comes through.
    pub const CUT: Weather = Weather {
        cut: true,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        lost: 0,
        doubled: 0,
        overtaken: 0,
    };

    /// Nothing happens to datagrams.
    pub const CALM: Weather = Weather { cut: false, ..Weather::CUT };
}

/// Datagrams with one fate: all of `segment` bytes, the last one of at most so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// How long from now.
    pub(crate) after: Duration,
    /// Whether it keeps its place behind all that came before.
    pub(crate) in_order: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) segment: usize,
}

/// What becomes of datagrams that arrived together, each of `segment` bytes except the last.
///
/// The number of datagrams lost is returned.
pub(crate) fn fate(
    weather: &Weather,
    chance: &mut Chance,
    datagrams: &[u8],
    segment: usize,
    pieces: &mut Vec<Piece>,
) -> u64 {
    let segment = segment.clamp(1, datagrams.len().max(1));
    if weather.cut {
        return datagrams.chunks(segment).count() as u64;
    }
    let after = weather.delay + part(chance, weather.jitter);
    if weather.lost == 0 && weather.doubled == 0 && weather.overtaken == 0 {
        pieces.push(Piece { after, in_order: true, bytes: datagrams.to_vec(), segment });
        return 0;
    }
    let mut lost = 0;
    let mut together = Vec::with_capacity(datagrams.len());
    let mut apart = Vec::new();
    for datagram in datagrams.chunks(segment) {
        if happens(chance, weather.lost) {
            lost += 1;
            continue;
        }
        let alone = |late: Duration| Piece {
            after: after + late,
            in_order: false,
            bytes: datagram.to_vec(),
            segment: datagram.len(),
        };
        if happens(chance, weather.doubled) {
            apart.push(alone(part(chance, COPY_AFTER_MAX)));
        }
        if happens(chance, weather.overtaken) {
            apart.push(alone(part(chance, HELD_BACK_MAX)));
        } else {
            together.extend_from_slice(datagram);
        }
    }
    if !together.is_empty() {
        pieces.push(Piece { after, in_order: true, bytes: together, segment });
    }
    pieces.append(&mut apart);
    lost
}

fn happens(chance: &mut Chance, of_thousand: u16) -> bool {
    of_thousand > 0 && chance.below(1_000) < u64::from(of_thousand)
}

fn part(chance: &mut Chance, whole: Duration) -> Duration {
    match whole.as_micros() as u64 {
        0 => Duration::ZERO,
        micros => Duration::from_micros(chance.below(micros + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousand bursts of ten datagrams; each holds its number.
    fn run(weather: Weather, seed: u64) -> (Vec<(Duration, u32)>, u64) {
        let mut chance = Chance::new(seed);
        let (mut out, mut lost) = (Vec::new(), 0);
        for burst in 0..1_000u32 {
            let bytes: Vec<u8> =
                (0..10).flat_map(|place| (burst * 10 + place).to_le_bytes()).collect();
            let mut pieces = Vec::new();
            lost += fate(&weather, &mut chance, &bytes, 4, &mut pieces);
            for piece in pieces {
                for datagram in piece.bytes.chunks(piece.segment) {
                    let number =
                        datagram.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
                    out.push((piece.after, number));
                }
            }
        }
        (out, lost)
    }

    #[test]
    fn a_calm_path_changes_nothing_and_a_cut_one_passes_nothing() {
        let (out, lost) = run(Weather::CALM, 1);
        assert_eq!(lost, 0);
        assert!(out.iter().map(|(_, number)| *number).eq(0..10_000));
        assert!(out.iter().all(|(after, _)| after.is_zero()));
        assert_eq!(run(Weather::CUT, 1), (Vec::new(), 10_000));
    }

    #[test]
    fn shares_are_as_set_and_a_seed_repeats() {
        let weather = Weather { lost: 50, doubled: 20, overtaken: 30, ..Weather::CALM };
        let (out, lost) = run(weather, 7);
        assert!((400..600).contains(&lost), "{lost} of 10,000 lost at 5 %");
        let copies = out.len() as u64 + lost - 10_000;
        assert!((130..270).contains(&copies), "{copies} of 10,000 doubled at 2 %");
        assert_eq!(run(weather, 7), (out, lost));
        assert_ne!(run(weather, 8).1, 0);
    }

    #[test]
    fn delay_lies_between_its_bounds() {
        let (delay, jitter) = (Duration::from_millis(40), Duration::from_millis(20));
        let (out, _) = run(Weather { delay, jitter, ..Weather::CALM }, 3);
        assert!(out.iter().all(|(after, _)| *after >= delay && *after <= delay + jitter));
        let early = out.iter().filter(|(after, _)| *after < delay + jitter / 2).count();
        assert!((3_500..6_500).contains(&early), "{early}");
    }

    #[test]
    fn a_shorter_last_datagram_stays_one() {
        let weather = Weather { doubled: 1_000, ..Weather::CALM };
        let mut pieces = Vec::new();
        fate(&weather, &mut Chance::new(1), &[1; 10], 4, &mut pieces);
        let sizes: Vec<usize> = pieces
            .iter()
            .flat_map(|piece| piece.bytes.chunks(piece.segment).map(<[u8]>::len))
            .collect();
        assert_eq!(sizes, [4, 4, 2, 4, 4, 2]);
    }
}
