//! The table files, in order of family. A new family is a file in `tables/` and its name here.

use super::Entry;

macro_rules! entries {
    ($($family:literal)*) => {
        [$(Entry::new($family, include_str!(concat!("../../../tables/", $family, ".tbl")))),*]
    };
}

/// Types that several families use.
pub(super) static SHARED: &str = include_str!("../../../tables/shared.tbl");

/// All families.
#[rustfmt::skip]
pub(super) static ENTRIES: [Entry; 124] = entries![
    "admi.002" "admi.004" "admi.005" "admi.006" "admi.007" "admi.009" "admi.010" "admi.011"
    "admi.017" "admi.024" "camt.003" "camt.004" "camt.005" "camt.006" "camt.007" "camt.008"
    "camt.009" "camt.010" "camt.011" "camt.012" "camt.013" "camt.014" "camt.015" "camt.016"
    "camt.017" "camt.018" "camt.019" "camt.020" "camt.021" "camt.023" "camt.024" "camt.025"
    "camt.026" "camt.027" "camt.028" "camt.029" "camt.030" "camt.031" "camt.033" "camt.034"
    "camt.035" "camt.036" "camt.037" "camt.038" "camt.039" "camt.046" "camt.047" "camt.048"
    "camt.049" "camt.050" "camt.051" "camt.052" "camt.053" "camt.054" "camt.055" "camt.056"
    "camt.057" "camt.058" "camt.059" "camt.060" "camt.061" "camt.062" "camt.063" "camt.064"
    "camt.065" "camt.066" "camt.067" "camt.068" "camt.069" "camt.070" "camt.071" "camt.078"
    "camt.079" "camt.080" "camt.101" "camt.102" "camt.103" "camt.104" "camt.105" "camt.106"
    "camt.107" "camt.108" "camt.109" "camt.110" "camt.111" "fxtr.008" "fxtr.013" "fxtr.014"
    "fxtr.015" "fxtr.016" "fxtr.017" "fxtr.030" "fxtr.031" "fxtr.032" "fxtr.033" "fxtr.034"
    "fxtr.035" "fxtr.036" "fxtr.037" "fxtr.038" "head.001" "head.002" "pacs.002" "pacs.003"
    "pacs.004" "pacs.007" "pacs.008" "pacs.009" "pacs.010" "pacs.028" "pacs.029" "pain.001"
    "pain.002" "pain.006" "pain.007" "pain.008" "pain.009" "pain.010" "pain.011" "pain.012"
    "pain.013" "pain.014" "pain.017" "pain.018"
];
