"""Statistics over seeds: intervals, exact tests, corrections for many looks, and times to emergence. NumPy
and SciPy only."""

from emergelab.statistics.corrections import benjamini_hochberg, holm, max_t
from emergelab.statistics.intervals import Estimate, difference, estimate, ratio_of_means
from emergelab.statistics.permutation import Permutation, permutation, relabellings, sign_flips
from emergelab.statistics.power import MOST_SEEDS, seeds_needed
from emergelab.statistics.proportions import ProportionContrast, compare_proportions, proportion
from emergelab.statistics.surrogates import SURROGATES, ar1_coefficient, ar1_noise, surrogates
from emergelab.statistics.survival import (
    KaplanMeier,
    LogRank,
    Turnbull,
    kaplan_meier,
    log_rank,
    median_interval,
    restricted_mean,
    restricted_mean_difference,
    turnbull,
)

__all__ = [
    "MOST_SEEDS",
    "SURROGATES",
    "Estimate",
    "KaplanMeier",
    "LogRank",
    "Permutation",
    "ProportionContrast",
    "Turnbull",
    "ar1_coefficient",
    "ar1_noise",
    "benjamini_hochberg",
    "compare_proportions",
    "difference",
    "estimate",
    "holm",
    "kaplan_meier",
    "log_rank",
    "max_t",
    "median_interval",
    "permutation",
    "proportion",
    "ratio_of_means",
    "relabellings",
    "restricted_mean",
    "restricted_mean_difference",
    "seeds_needed",
    "sign_flips",
    "surrogates",
    "turnbull",
]
