//! The classes of faults: each seed switches each of them on or off, and each is counted.

use std::fmt;

/// A kind of thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Class {
    /// A process ends; what it wrote is still there.
    Kill,
    /// A machine loses power: each unsynced sector becomes old, new, torn, or zero.
    PowerLoss,
    /// The net falls into two halves.
    Cut,
    /// One half hears the other but not the other way round.
    OneWayCut,
    /// Nodes in a row hear their neighbours only.
    Chain,
    /// A process stands still, for up to several elections.
    Pause,
    /// A clock jumps, by an hour or by little.
    ClockJump,
    /// A sync fails.
    SyncError,
    /// Reads fail for a while.
    ReadError,
    /// A disk has no room for a while.
    FullDisk,
    /// Bits on a disk change, in log, superblock, history or snapshots.
    Rot,
    /// A write that was done and synced is not on the disk.
    LostWrite,
    /// A write that was done and synced is elsewhere on the disk.
    MisdirectedWrite,
    /// Sessions of gateways break.
    BrokenSession,
    /// The leader is asked to hand over.
    HandOver,
    /// A frame between nodes is lost.
    Loss,
    /// A frame between nodes arrives twice.
    Repeat,
    /// A frame between nodes is late, behind others.
    Late,
    /// A sync takes up to 400 ms.
    SlowSync,
    /// What a node gives to one that is mended is damaged.
    BadPiece,
    /// A session's queue is full.
    FullQueue,
    /// Some minority is still broken when the others are healthy.
    BrokenMinority,
}

/// How many classes there are.
pub const CLASSES: usize = Class::ALL.len();

impl Class {
    /// All of them, in order.
    pub const ALL: [Self; 22] = [
        Self::Kill,
        Self::PowerLoss,
        Self::Cut,
        Self::OneWayCut,
        Self::Chain,
        Self::Pause,
        Self::ClockJump,
        Self::SyncError,
        Self::ReadError,
        Self::FullDisk,
        Self::Rot,
        Self::LostWrite,
        Self::MisdirectedWrite,
        Self::BrokenSession,
        Self::HandOver,
        Self::Loss,
        Self::Repeat,
        Self::Late,
        Self::SlowSync,
        Self::BadPiece,
        Self::FullQueue,
        Self::BrokenMinority,
    ];

    /// Those that strike at a moment of their own, not a frame or a sync here and there.
    pub(super) const STRIKES: [Self; 15] = [
        Self::Kill,
        Self::PowerLoss,
        Self::Cut,
        Self::OneWayCut,
        Self::Chain,
        Self::Pause,
        Self::ClockJump,
        Self::SyncError,
        Self::ReadError,
        Self::FullDisk,
        Self::Rot,
        Self::LostWrite,
        Self::MisdirectedWrite,
        Self::BrokenSession,
        Self::HandOver,
    ];

    /// Its name in a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::PowerLoss => "power_loss",
            Self::Cut => "cut",
            Self::OneWayCut => "one_way_cut",
            Self::Chain => "chain",
            Self::Pause => "pause",
            Self::ClockJump => "clock_jump",
            Self::SyncError => "sync_error",
            Self::ReadError => "read_error",
            Self::FullDisk => "full_disk",
            Self::Rot => "rot",
            Self::LostWrite => "lost_write",
            Self::MisdirectedWrite => "misdirected_write",
            Self::BrokenSession => "broken_session",
            Self::HandOver => "hand_over",
            Self::Loss => "loss",
            Self::Repeat => "repeat",
            Self::Late => "late",
            Self::SlowSync => "slow_sync",
            Self::BadPiece => "bad_piece",
            Self::FullQueue => "full_queue",
            Self::BrokenMinority => "broken_minority",
        }
    }
}

/// A set of classes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Classes(u32);

impl Classes {
    /// Whether a class is in it.
    #[must_use]
    pub const fn has(self, class: Class) -> bool {
        self.0 >> class as usize & 1 == 1
    }

    /// The set with this class, too.
    #[must_use]
    pub const fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class as usize)
    }

    /// Those in it, in order.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.has(*class))
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Class::name)).finish()
    }
}
