"""`novelty` seed by seed: every curve and every number of each seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from emergelab.instruments._novelty_measures import (
    archive,
    chao2,
    embedding_openness,
    first_seen,
    modes,
    typical_step,
)
from emergelab.instruments._novelty_observer import compression, learnable_strings, learnable_vectors, surprise_growth
from emergelab.instruments._novelty_read import Artefacts
from emergelab.instruments._novelty_tests import annecs, bedau, growth_of

__all__ = ["Extras", "SeedFinding", "look_at"]

NUMBERS = (
    "exponent", "early_rate", "late_rate", "forecast", "delta_bic", "asymptote", "horizon", "learnable", "openness",
    "chao2", "bits", "saved", "new_activity_rate",
)  # fmt: skip
CURVES = ("cumulative", "score", "change", "mode_novelty", "ecology", "complexity", "new_activity")

Extras = dict[str, Float[np.ndarray, "condition seed time item"] | None]


@dataclass(frozen=True)
class SeedFinding:
    """Numbers (condition, seed) and curves (condition, seed, time) by name, and how they were made."""

    numbers: dict[str, Float[np.ndarray, "condition seed"]]
    curves: dict[str, Float[np.ndarray, "condition seed time"]]
    surprise: Float[np.ndarray, "condition seed horizon"]
    types: Int[np.ndarray, "condition seed time taken"]
    classes: list[list[str]]
    conditions: tuple[str, ...]
    axis: str
    threshold: float
    window: int
    thinned: int
    early_solved: int

    def against(self, neutral: SeedFinding | None, late: float) -> SeedFinding:
        """The same with the class of evolutionary activity, and new activity, against a neutral shadow."""
        if neutral is None or self.types.shape[-1] == 0 or neutral.types.shape[-1] == 0:
            return self
        classes: list[list[str]] = []
        fresh, rate = self.curves["new_activity"].copy(), self.numbers["new_activity_rate"].copy()
        for c in range(self.types.shape[0]):
            o = min(c, neutral.types.shape[0] - 1)
            own = []
            for s in range(self.types.shape[1]):
                if (self.types[c, s] >= 0).any():
                    other = neutral.types[o, s % neutral.types.shape[1]]
                    told, fresh[c, s], rate[c, s] = bedau(self.types[c, s], other, late)
                    own.append(told)
            classes.append(own)
        return replace(
            self,
            classes=classes,
            curves={**self.curves, "new_activity": fresh},
            numbers={**self.numbers, "new_activity_rate": rate},
        )

    def table(self, block: Artefacts) -> pd.DataFrame:
        """One row a seed."""
        c, s = self.numbers["exponent"].shape
        columns: dict[str, Any] = {
            "condition": np.repeat(np.array(block.conditions, dtype=object), s),
            "seed": list(block.seeds) * c,
        }
        last = np.full((c, s), np.nan)
        for index in np.ndindex(c, s):
            seen = self.curves["cumulative"][index]
            seen = seen[np.isfinite(seen)]
            last[index] = seen[-1] if len(seen) else np.nan
        columns["final"] = last.ravel()
        columns |= {name: values.ravel() for name, values in self.numbers.items()}
        return pd.DataFrame(columns)


def look_at(
    block: Artefacts,
    extras: Extras,
    threshold: float | None,
    *,
    k: int,
    window: int | None,
    late: float,
    most: int,
    rng: np.random.Generator,
) -> SeedFinding:
    """All measures of all seeds."""
    c, s, t, _ = block.types.shape
    window = window or max(1, t // 10)
    numbers = {name: np.full((c, s), np.nan) for name in NUMBERS}
    curves = {name: np.full((c, s, t), np.nan) for name in CURVES}
    surprise = np.full((c, s, 6), np.nan)
    with_annecs = extras["passed"] is not None
    axis = (
        "ANNECS" if with_annecs else {"curve": block.name, "vectors": "the archive"}.get(block.kind, "distinct types")
    )
    if block.kind == "curve":
        assert block.curve is not None
        for index in np.ndindex(c, s):
            curves["cumulative"][index] = block.curve[index]
            _grow(numbers, index, block.curve[index], block.time, late)
        nothing = np.full((c, s, t, 0), -1, dtype=np.int64)
        return SeedFinding(
            numbers, curves, surprise, nothing, [[] for _ in range(c)], block.conditions, axis, np.nan, window, 0, 0
        )
    taken, thinned = _rarefied(block, most, rng)
    if threshold is None and block.kind == "vectors":
        assert block.vectors is not None
        steps = [typical_step(*_of(block, index, taken)) for index in np.ndindex(c, s)]
        moving = [v for v in steps if v > 0]
        threshold = float(np.median(moving)) if moving else 0.0
    types = np.full((c, s, t, taken.shape[-1]), -1, dtype=np.int64)
    early_solved = 0
    for index in np.ndindex(c, s):
        place = np.maximum(taken[index], 0)
        kept = taken[index] >= 0
        if not kept.any():
            continue
        if block.kind == "vectors":
            vectors, present = _of(block, index, taken)
            types[index], score, between = archive(vectors, present, threshold or 0.0, k)
            with_score = np.isfinite(score)
            count = with_score.sum(axis=1)
            mean = np.where(with_score, score, 0.0).sum(axis=1) / np.where(count > 0, count, np.nan)
            curves["score"][index] = mean
            numbers["horizon"][index], surprise[index] = surprise_growth(between)
            numbers["learnable"][index] = learnable_vectors(vectors, present)
            numbers["openness"][index] = embedding_openness(vectors, present)
        else:
            types[index] = np.where(kept, np.take_along_axis(block.types[index], place, axis=1), -1)
        size = None
        if block.texts is not None:
            texts = np.take_along_axis(block.texts[index], place, axis=1)[kept].tolist()
            numbers["learnable"][index] = learnable_strings(texts)
            told = compression(texts, rng)
            numbers["horizon"][index] = told["horizon"]
            numbers["bits"][index], numbers["saved"][index] = told["bits"], told["saved"]
            size = np.zeros(int(types[index].max()) + 1)
            size[types[index][kept]] = [len(text) for text in texts]
        parents = extras["parents"]
        lineage = None
        if parents is not None and not thinned:
            lineage = np.where(np.isfinite(parents[index]), parents[index], -1).astype(np.int64)
        for name, values in modes(types[index], size, window, lineage).items():
            curves["mode_novelty" if name == "novelty" else name][index] = values
        numbers["chao2"][index] = chao2(types[index])
        new = first_seen(types[index])
        count = np.cumsum(new.sum(axis=1)).astype(float)
        if with_annecs:
            passed, solved = (np.take_along_axis(_given(extras, n)[index], place, axis=1) for n in ("passed", "solved"))
            count, early = annecs(new, passed, solved, block.time)
            early_solved += early
        last = int(np.flatnonzero(kept.any(axis=1))[-1])
        count[last + 1 :] = np.nan
        curves["cumulative"][index] = count
        _grow(numbers, index, count, block.time, late)
    return SeedFinding(
        numbers, curves, surprise, types, [[] for _ in range(c)], block.conditions, axis,
        float(threshold) if threshold is not None else float("nan"), window, thinned, early_solved,
    )  # fmt: skip


def _given(extras: Extras, name: str) -> Float[np.ndarray, "condition seed time item"]:
    values = extras[name]
    assert values is not None
    return values


def _grow(
    numbers: dict[str, Float[np.ndarray, "condition seed"]],
    index: tuple[int, ...],
    count: Float[np.ndarray, "time"],
    time: Float[np.ndarray, "time"],
    late: float,
) -> None:
    g = growth_of(count, time, late)
    for name, value in (
        ("exponent", g.exponent), ("early_rate", g.early), ("late_rate", g.late), ("forecast", g.forecast),
        ("delta_bic", g.delta_bic), ("asymptote", g.asymptote),
    ):  # fmt: skip
        numbers[name][index] = value


def _rarefied(
    block: Artefacts, most: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, "condition seed time taken"], int]:
    """Which items of each record are looked at (-1: none), and how many a record if not all.

    If populations differ in size over time, the same number is drawn from each record, so that growth of the population
    is no novelty. Records with fewer keep what they have.
    """
    c, s, t, items = block.types.shape
    sizes = block.present.sum(axis=-1)
    filled = sizes[sizes > 0]
    if not len(filled):
        return np.full((c, s, t, 1), -1, dtype=np.int64), 0
    # distances cost the square of their number; labels and strings cost next to nothing
    affordable = max(1, (most if block.kind == "vectors" else 40 * most) // t)
    # a tenth of the records may be smaller than what is drawn from the others
    common = int(np.quantile(filled, 0.1)) if filled.min() < filled.max() else int(filled.max())
    few = min(items, max(1, min(common, affordable)))
    if few >= int(filled.max()):
        rank = np.argsort(~block.present, axis=-1, kind="stable")[..., : max(1, int(filled.max()))]
        return np.where(np.take_along_axis(block.present, rank, axis=-1), rank, -1), 0
    keys = np.where(block.present, rng.random(block.present.shape), np.inf)
    rank = np.argsort(keys, axis=-1)[..., :few]
    return np.where(np.take_along_axis(block.present, rank, axis=-1), rank, -1), few


def _of(
    block: Artefacts, index: tuple[int, ...], taken: Int[np.ndarray, "condition seed time taken"]
) -> tuple[Float[np.ndarray, "time taken feature"], Bool[np.ndarray, "time taken"]]:
    assert block.vectors is not None
    place = np.maximum(taken[index], 0)
    return np.take_along_axis(block.vectors[index], place[..., None], axis=1), taken[index] >= 0
