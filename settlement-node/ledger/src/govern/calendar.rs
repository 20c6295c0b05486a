//! Business days and cut-offs of an asset.
//!
//! The ledger itself runs around the clock. An asset may have business hours: each business day has one session, from
//! the opening to the cut-off, in minutes of UTC. Where the opening is not earlier than the cut-off the session opens
//! on the day before, so a day that opens at 18:45 and ends at 18:00 is the business day of its cut-off. A day is a
//! business day when its day of the week is, and it is no holiday. Between the cut-off of one business day and the
//! opening of the next the asset is closed.
//!
//! A transfer that arrives while an asset of one of its legs is closed is refused; if it asked to be queued it is
//! warehoused until the next opening instead, unless its deadline is earlier. The hours say when an instruction may
//! arrive: what was taken in time and is held or queued settles whenever it can, until its own deadline. Issuing and
//! redeeming know no hours.

use crate::amount::Amount;
use crate::command::Leg;
use crate::id::{AssetNumber, LedgerTime};
use crate::limits::HOLIDAYS_MAX;
use crate::refusal::Refusal;
use crate::state::Ledger;

const MINUTES_PER_DAY: u16 = 24 * 60;
const MINUTE: u64 = 60 * 1_000_000_000;
const DAY: u64 = 24 * 60 * MINUTE;
/// 1 January 1970 was a Thursday; Monday is 0.
const FIRST_WEEKDAY: u32 = 3;
/// Days that are looked at for the next business day: a week beyond all holidays together.
const SEARCH_DAYS: u32 = HOLIDAYS_MAX as u32 + 8;

/// Business hours of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// When the session of a business day opens, in minutes of UTC: 0 to 1,439.
    pub opens: u16,
    /// When it ends, in minutes of UTC: 1 to 1,440.
    pub cut_off: u16,
    /// Days of the week that are business days: bit 0 is Monday, bit 6 Sunday; at least one.
    pub weekdays: u8,
    /// Days that are none all the same, as days since 1 January 1970, ascending; at most 512.
    pub holidays: Vec<u32>,
}

/// A business day of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessDay {
    /// Its date in days since 1 January 1970.
    pub date: u32,
    /// When its session opens; it may be open already.
    pub opens: LedgerTime,
    /// Its cut-off: the session ends just before.
    pub cut_off: LedgerTime,
}

impl BusinessDay {
    /// True when the session is open at this time.
    #[must_use]
    pub fn is_open(&self, time: LedgerTime) -> bool {
        self.opens <= time && time < self.cut_off
    }
}

impl Calendar {
    /// True when all values are within their limits.
    pub(crate) fn is_well_formed(&self) -> bool {
        self.opens < MINUTES_PER_DAY
            && (1..=MINUTES_PER_DAY).contains(&self.cut_off)
            && (1..1 << 7).contains(&self.weekdays)
            && self.holidays.len() <= HOLIDAYS_MAX
            && self.holidays.windows(2).all(|pair| pair[0] < pair[1])
    }

    fn is_business_day(&self, date: u32) -> bool {
        let weekday = (date % 7 + FIRST_WEEKDAY) % 7;
        self.weekdays & 1 << weekday != 0 && self.holidays.binary_search(&date).is_err()
    }

    fn session(&self, date: u32) -> BusinessDay {
        let midnight = u64::from(date) * DAY;
        let opens = midnight + u64::from(self.opens) * MINUTE;
        let evening_before = self.opens >= self.cut_off;
        BusinessDay {
            date,
            opens: LedgerTime(if evening_before { opens.saturating_sub(DAY) } else { opens }),
            cut_off: LedgerTime(midnight + u64::from(self.cut_off) * MINUTE),
        }
    }

    /// The business day whose session is open at this time, or the next one; `None` beyond the end of time.
    #[must_use]
    pub fn business_day(&self, time: LedgerTime) -> Option<BusinessDay> {
        // The 64 bits of a time end in the year 2554, long before those of a date.
        let today = (time.0 / DAY) as u32;
        let last = (u64::MAX / DAY) as u32 - 1;
        let days = today..=today.saturating_add(SEARCH_DAYS).min(last);
        let sessions =
            days.filter(|date| self.is_business_day(*date)).map(|date| self.session(date));
        sessions.into_iter().find(|session| time < session.cut_off)
    }
}

impl Ledger {
    /// The business hours of an asset; `None` where it has none and is always open.
    #[must_use]
    pub fn calendar(&self, asset: AssetNumber) -> Option<&Calendar> {
        self.gov.calendars.get(&asset)
    }

    /// The business day of an asset at this time, or the next one when it is closed; `None` without business hours.
    #[must_use]
    pub fn business_day(&self, asset: AssetNumber, time: LedgerTime) -> Option<BusinessDay> {
        self.calendar(asset)?.business_day(time)
    }

    /// Works out which assets are closed at the time of the block.
    pub(crate) fn look_at_hours(&mut self) {
        let time = self.block_time;
        let gov = &mut self.gov;
        if time < gov.look_again {
            return;
        }
        let before = gov.closed.is_empty();
        gov.closed.clear();
        let mut next = LedgerTime(u64::MAX);
        for (asset, calendar) in &gov.calendars {
            let Some(day) = calendar.business_day(time) else {
                gov.closed.insert(*asset);
                continue;
            };
            if !day.is_open(time) {
                gov.closed.insert(*asset);
            }
            next = next.min(if day.is_open(time) { day.cut_off } else { day.opens });
        }
        gov.look_again = next;
        if !(before && gov.closed.is_empty()) {
            let changed = gov.changed;
            gov.note_change();
            // Which assets are closed follows from the time and is not hashed.
            gov.changed = changed;
        }
    }

    /// Looks at the hours anew, after a calendar was set.
    pub(crate) fn look_at_hours_again(&mut self) {
        self.gov.look_again = LedgerTime(0);
        self.look_at_hours();
    }

    /// When the closed assets of these legs are all open again; `None` when none is closed now. `LedgerTime(u64::MAX)`
    /// is never. Another one may have closed by then.
    pub(crate) fn opening(&self, legs: &[Leg]) -> Option<LedgerTime> {
        if self.gov.closed.is_empty() {
            return None;
        }
        let assets = legs.iter().map(|leg| self.authorised(leg.debit).asset);
        let closed = assets.filter(|asset| self.gov.closed.contains(asset));
        let opening = |asset| {
            let day = self.business_day(asset, self.block_time);
            day.map_or(LedgerTime(u64::MAX), |day| day.opens)
        };
        closed.map(opening).max()
    }

    /// Whether all assets of the legs are open.
    pub(crate) fn check_hours(&self, legs: &[Leg]) -> Result<(), Refusal> {
        if self.opening(legs).is_none() { Ok(()) } else { Err(Refusal::CutOffPassed) }
    }

    /// True when the business hours of the asset are over at the time of the block.
    pub(crate) fn is_closed(&self, asset: AssetNumber) -> bool {
        self.gov.closed.contains(&asset)
    }

    /// Whether this much of an asset is not more than the network lets move at once.
    pub(crate) fn check_leg_limit(
        &self,
        asset: AssetNumber,
        amount: Amount,
    ) -> Result<(), Refusal> {
        let beyond = self.leg_limit(asset).is_some_and(|limit| amount.minor() > limit);
        if beyond { Err(Refusal::AboveNetworkLimit) } else { Ok(()) }
    }

    /// Whether no leg moves more than the network lets it.
    pub(crate) fn check_leg_limits(&self, legs: &[Leg]) -> Result<(), Refusal> {
        let beyond = |leg: &Leg| {
            let limit = self.gov.leg_limits.get(&self.authorised(leg.debit).asset);
            limit.is_some_and(|limit| leg.amount.minor() > *limit)
        };
        if legs.iter().any(beyond) { Err(Refusal::AboveNetworkLimit) } else { Ok(()) }
    }

    /// The most that one leg of a transfer may move of an asset, in minor units; `None` without a limit.
    #[must_use]
    pub fn leg_limit(&self, asset: AssetNumber) -> Option<u64> {
        self.gov.leg_limits.get(&asset).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u64, hour: u64, minute: u64) -> LedgerTime {
        LedgerTime(day * DAY + (hour * 60 + minute) * MINUTE)
    }

    fn weekdays(opens: u16, cut_off: u16) -> Calendar {
        Calendar { opens, cut_off, weekdays: 0b001_1111, holidays: Vec::new() }
    }

    #[test]
    fn business_days_are_those_of_the_week() {
        // 1970-01-01 is a Thursday, so day 2 is a Saturday.
        let calendar = weekdays(7 * 60, 18 * 60);
        let day = |time| calendar.business_day(time).unwrap();
        assert_eq!(day(at(1, 6, 59)).date, 1);
        assert!(!day(at(1, 6, 59)).is_open(at(1, 6, 59)));
        assert!(day(at(1, 7, 0)).is_open(at(1, 7, 0)));
        assert!(day(at(1, 17, 59)).is_open(at(1, 17, 59)));
        let after = day(at(1, 18, 0));
        assert_eq!((after.date, after.opens, after.cut_off), (4, at(4, 7, 0), at(4, 18, 0)));
        let with_holiday = Calendar { holidays: vec![4], ..calendar };
        assert_eq!(with_holiday.business_day(at(2, 0, 0)).unwrap().date, 5);
    }

    #[test]
    fn a_session_may_open_on_the_evening_before() {
        let calendar = weekdays(18 * 60 + 45, 18 * 60);
        let monday = calendar.business_day(at(3, 19, 0)).unwrap();
        assert_eq!((monday.date, monday.opens, monday.cut_off), (4, at(3, 18, 45), at(4, 18, 0)));
        assert!(monday.is_open(at(3, 19, 0)) && !monday.is_open(at(3, 18, 0)));
        // Round the clock but for the weekend.
        let always = weekdays(0, 24 * 60);
        let days = [at(4, 23, 59), at(5, 0, 0), at(8, 23, 59), at(9, 0, 0)];
        let dates = days.map(|time| always.business_day(time).unwrap().date);
        assert_eq!(dates, [4, 5, 8, 11]);
    }

    #[test]
    fn a_year_of_holidays_and_the_end_of_time_are_no_trouble() {
        let holidays: Vec<u32> = (0..HOLIDAYS_MAX as u32).collect();
        let calendar = Calendar { opens: 0, cut_off: 1, weekdays: 1 << 6, holidays };
        let day = calendar.business_day(LedgerTime(0)).unwrap();
        assert!(day.date as usize >= HOLIDAYS_MAX && day.date % 7 == 3);
        assert_eq!(calendar.business_day(LedgerTime(u64::MAX)), None);
    }
}
