"""What `causal_emergence` says: findings in words, cautions, and the curves behind the figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emergelab.instruments._causal_emergence_matrix import Judged, Matrices
from emergelab.instruments._causal_emergence_measure import Options
from emergelab.instruments._causal_emergence_series import Series

__all__ = [
    "CANNOT_SEE_MATRIX",
    "CANNOT_SEE_SERIES",
    "cautions_of_series",
    "describe_matrices",
    "describe_series",
    "diagnostics_of_matrices",
    "diagnostics_of_series",
]

CANNOT_SEE_MATRIX = (
    "anything but the choice of description: effective information rests on setting every state equally often, an "
    "intervention that nobody may be able to make and that the system itself may never visit, and many object to "
    "it. Groups are groups of single states; above ten states the search may miss the best. The null keeps the "
    "entropies of rows only."
)
CANNOT_SEE_SERIES = (
    "causes: this is prediction, and a driver outside the data predicts too. psi counts what several parts share "
    "once for each of them, so a negative psi says nothing, and with many parts it is nearly always negative. Where "
    "parts predict in ways that the estimator misses (a Gaussian and a curved relation), psi comes out too large. A "
    "macro variable chosen after looking at the same seeds is not covered. The test is one-sided at half of "
    "1 - level and conservative: on parts that a macro variable merely averages it almost never raises a false alarm."
)
_CLOSE = 1e-9


def cautions_of_series(series: Series, options: Options, few: bool) -> list[str]:
    """What the reader must know first, whatever the condition."""
    out = []
    if options.blind:
        out.append(
            f"the data are discrete and the estimator {options.estimator!r} is for continuous ones: a Gaussian cannot "
            "see parity, nor any other relation that no single correlation shows, and neighbours need distances; "
            "nothing is claimed, use estimator='discrete'"
        )
    if not series.rule_told:
        out.append(
            f"{series.macro} was given as an array and is not recognised as a function of the parts: psi could not be "
            "held against parts without interaction, a mere sum of which has a psi above 0 too, and if it holds what "
            "the parts do not, psi and delta are above 0 for that reason; give macro=... as a function"
        )
    if options.estimator == "discrete" and options.bins is None and not few:
        out.append("the variables take many values, so counts of single values are thin; give bins=...")
    if options.hoi is not None:
        out.append("the atoms by hoi carry no correction of bias")
    if (
        options.over == "time"
        and options.windows == 1
        and any(_drifts(series, c) for c in range(len(series.conditions)))
    ):
        out.append(
            "the parts drift in the course of the record: a common trend looks like shared prediction; use windows=... "
            "or over='seeds'"
        )
    if len(series.parts) > 20:
        out.append(f"with {len(series.parts)} parts psi counts what they share up to {len(series.parts)} times")
    return out


def _drifts(series: Series, condition: int) -> bool:
    """Whether first and last third of the record differ by more than their own spread in most parts."""
    n = len(series.time) // 3
    if n < 10:
        return False
    x = series.x[condition].reshape(series.x.shape[1], len(series.time), -1)
    first, last = x[:, :n], x[:, -n:]
    seen = np.isfinite(first).all(axis=1) & np.isfinite(last).all(axis=1)
    with np.errstate(invalid="ignore"):
        gap = np.abs(first.mean(axis=1) - last.mean(axis=1))
        spread = 0.5 * (first.std(axis=1) + last.std(axis=1))
    return bool(seen.any() and np.mean((gap > 1.5 * spread)[seen]) > 0.5)


def _number(value: float) -> str:
    return f"{0.0 if abs(value) < 5e-4 else value:.3f}"


def _span(value: float, low: float, high: float) -> str:
    shown = _number(value)
    return f"{shown} [{_number(low)}, {_number(high)}]" if np.isfinite(low) else shown


def describe_matrices(data: Matrices, answers: Sequence[Judged], verdicts: Sequence[str]) -> str:
    """The finding about matrices in sentences."""
    out = []
    for name, answer, verdict in zip(data.conditions, answers, verdicts, strict=True):
        where = f"In {name}: " if len(answers) > 1 else ""
        table = answer.tables["seeds"]
        usable = table[np.isfinite(table["gain"])]
        if not len(usable):
            out.append(f"{where}No matrix could be coarse-grained. Verdict: {verdict}.")
            continue
        micro, states = usable["ei_micro"].mean(), usable["macro_states"].median()
        n = len(data.states)
        of = f" (means of {len(usable)} matrices)" if len(usable) > 1 else ""
        out.append(
            f"{where}The {n} states carry {micro:.3f} bits of effective information (determinism "
            f"{usable['determinism'].mean():.3f}, degeneracy {usable['degeneracy'].mean():.3f}); the best "
            f"coarse-graining below them has {states:g} states and {usable['ei_macro'].mean():.3f} bits{of}."
        )
        e = answer.value
        out.append(
            f"The gain is {_span(e.value, e.low, e.high)} bits, against {usable['gain_null'].mean():.3f} when the "
            f"entries of every row are shuffled and searched alike (p = {answer.p:.3g}, {answer.draws} draws)."
        )
        if usable["inconsistency"].mean() > _CLOSE:
            out.append(f"Macro rows misdescribe their states by {usable['inconsistency'].mean():.3f} bits a step.")
        if e.value > _CLOSE and verdict == "not shown":
            out.append(
                "A search among coarse-grainings finds some gain in almost any matrix; this one is not beyond it."
            )
        out.append(f"Verdict: {verdict}.")
    return " ".join(out)


def describe_series(series: Series, answers: Sequence[Judged], verdicts: Sequence[str], options: Options) -> str:
    """The finding about series in sentences."""
    out = [
        f"Information in bits at a lag of {' or '.join(f'{g:g}' for g in options.lags)}, {options.estimator} estimator."
    ]
    for name, answer, verdict in zip(series.conditions, answers, verdicts, strict=True):
        where = f"In {name}: " if len(answers) > 1 else ""
        e, extra, n = answer.value, answer.extra, int(answer.extra["replicates"])
        if n == 0:
            out.append(f"{where}In no seed could psi be estimated. Verdict: {verdict}.")
            continue
        rows = answer.tables["criteria"].set_index("quantity")["bits"]
        own, theirs = rows["the macro variable's information on itself"], rows["sum of the parts' information on it"]
        out.append(
            f"{where}{series.macro} holds {_number(own)} bits about its own future and the parts, one by one, "
            f"{_number(theirs)}: psi = {_span(e.value, e.low, e.high)} (p = {extra['p_psi']:.3g}, {n} seeds)."
        )
        if np.isfinite(extra["apart"]):
            more = extra["excess"]
            out.append(
                f"The same parts without interaction would have psi = {_number(extra['apart'])}, so "
                f"{_span(more.value, more.low, more.high)} of it belongs to the whole."
            )
        delta, gamma = extra["delta"], extra["gamma"]
        out.append(
            f"delta is largest for part {extra['delta_part']}, {_span(delta.value, delta.low, delta.high)} "
            f"(p = {extra['p_delta']:.3g}): downward causation is "
            f"{'shown' if extra['p_delta'] <= 1 - options.level else 'not shown'}. "
            f"gamma = {_span(gamma.value, gamma.low, gamma.high)}."
        )
        if np.isfinite(e.high) and e.high < 0:
            out.append("A negative psi is no evidence against emergence.")
        out.append(f"Verdict: {verdict}.")
    return " ".join(out)


def diagnostics_of_matrices(data: Matrices, answers: Sequence[Judged]) -> xr.Dataset:
    """The matrices and the group of every state."""
    groups = np.full((len(answers), len(data.states)), -1)
    for i, answer in enumerate(answers):
        if len(answer.tables["groups"]):
            groups[i] = answer.tables["groups"]["group"].to_numpy()
    return xr.Dataset(
        {
            "matrix": (("condition", "seed", "state", "next"), data.rows),
            "group": (("condition", "state"), groups),
        },
        coords={"condition": list(data.conditions), "seed": list(data.seeds), "state": list(data.states)},
        attrs={"family": "matrix", "kind": data.kind, "name": data.name},
    )


def diagnostics_of_series(series: Series, answers: Sequence[Judged], options: Options) -> xr.Dataset:
    """psi of every seed, the spread of it that chance alone makes, and the macro variable."""
    return xr.Dataset(
        {
            "psi": (("condition", "seed"), np.array([a.per_seed for a in answers])),
            "null_low": (("condition",), np.array([a.extra["null_low"] for a in answers])),
            "null_high": (("condition",), np.array([a.extra["null_high"] for a in answers])),
            "macro": (("condition", "seed", "time", "channel"), series.v),
        },
        coords={"condition": list(series.conditions), "seed": list(series.seeds), "time": series.time},
        attrs={
            "family": "series",
            "name": series.name,
            "macro_name": series.macro,
            "estimator": options.estimator,
            "lag": options.lags[0],
            "lags": list(options.lags),
            "time_name": series.time_name,
        },
    )
