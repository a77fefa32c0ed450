"""Every metric of every language under every relabelling, within a bounded time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from emergelab.instruments._language_metrics_distance import (
    Pairs,
    correlations,
    edit_counts,
    pairs_of,
    scaled,
)
from emergelab.instruments._language_metrics_extra import EXTRA, extra
from emergelab.instruments._language_metrics_information import INFORMATION, PLAIN, information, plain
from emergelab.instruments._language_metrics_read import Languages, Meanings
from emergelab.instruments._language_metrics_tests import against_chance, joint, sign_of

__all__ = ["DISTANCE", "Engine", "affordable", "at_last_of", "curves_of", "last_of", "orders_of", "plain_curves"]

DISTANCE = ("topsim", "mantel_r")

_ALL_ORDERS = 7  # items up to which every relabelling is used
_BUDGET = 6.0  # seconds that the records before the last may take, on one core as of 2025
_FEWEST_DRAWS = 49
_TOGETHER = 20_000_000  # pairs of messages held at a time


def orders_of(n: int, draws: int, rng: np.random.Generator) -> Int[np.ndarray, "draw item"]:
    """Relabellings of the items; the first changes nothing. All of them for few items."""
    if 2 <= n <= _ALL_ORDERS and factorial(n) <= max(draws, 2) * 6:
        return np.array(list(permutations(range(n))), dtype=np.int64)
    table = np.tile(np.arange(n), (draws + 1, 1))
    table[1:] = rng.permuted(table[1:], axis=1)
    return table


@dataclass(frozen=True)
class Engine:
    """Computes the metrics of chosen languages under chosen relabellings."""

    block: Languages
    meaning: Meanings
    metrics: str
    normalise: str
    rng: np.random.Generator

    @property
    def pairs(self) -> Pairs:
        # a generator of its own: the sample of pairs must be the same for every record
        return pairs_of(len(self.block.items), np.random.default_rng(0))

    @property
    def names(self) -> tuple[str, ...]:
        more = {"distance": (), "core": INFORMATION, "all": (*INFORMATION, *EXTRA)}[self.metrics]
        return (*DISTANCE, *more)

    def at(
        self, chosen: Bool[np.ndarray, "condition seed time agent"], orders: Int[np.ndarray, "draw item"]
    ) -> dict[str, Float[np.ndarray, "condition seed draw"]]:
        """Metrics at one record of each seed, averaged over its agents."""
        flat = self.tables(chosen, orders)
        where = np.argwhere(chosen)
        out = {}
        for name, values in flat.items():
            total = np.zeros((*chosen.shape[:2], len(orders)))
            count = np.zeros(chosen.shape[:2])
            usable = np.isfinite(values).all(axis=1)
            for (c, s, _, _), row, good in zip(where, values, usable, strict=True):
                if good:
                    total[c, s] += row
                    count[c, s] += 1
            with np.errstate(invalid="ignore", divide="ignore"):
                out[name] = np.where(count[..., None] > 0, total / count[..., None], np.nan)
        return out

    def tables(
        self, chosen: Bool[np.ndarray, "condition seed time agent"], orders: Int[np.ndarray, "draw item"]
    ) -> dict[str, Float[np.ndarray, "language draw"]]:
        """Metrics of every chosen language for every relabelling."""
        codes, lengths = self.block.codes[chosen], self.block.lengths[chosen]
        out = {name: np.full((len(codes), len(orders)), np.nan) for name in self.names}
        pairs = self.pairs
        if len(pairs.first):
            step = max(1, _TOGETHER // max(1, len(pairs.first)))
            for at in range(0, len(codes), step):
                part = slice(at, at + step)
                counts = edit_counts(codes[part], pairs)
                scale = scaled(counts, lengths[part], pairs, self.normalise)
                for name in DISTANCE:
                    out[name][part] = correlations(
                        [scale], self.meaning.distance, pairs, orders, ranks=name == "topsim"
                    )[0]
        attributes = self.meaning.attributes
        if self.metrics != "distance" and attributes is not None and attributes.shape[1]:
            out |= information(codes, attributes.T, orders)
            for k, message in enumerate(codes if self.metrics == "all" else ()):
                for name, row in extra(message, attributes.T, orders).items():
                    out[name][k] = row
        return out

    def cost(self) -> float:
        """Rough seconds for one language and one relabelling."""
        seconds = 4e-10 * len(self.pairs.first)
        attributes = self.meaning.attributes
        if self.metrics != "distance" and attributes is not None:
            values = sum(len(np.unique(column)) for column in attributes.T)
            n, width = self.block.codes.shape[-2:]
            cells = (len(self.block.symbols) + 1) * (2 * width + 1) + n
            seconds += 8e-9 * values * cells
            seconds += 1e-4 if self.metrics == "all" else 0.0
        return seconds

    def sensitivity(
        self, chosen: Bool[np.ndarray, "condition seed time agent"], orders: Int[np.ndarray, "draw item"]
    ) -> pd.DataFrame:
        """Structure at the last record for the other scalings of edit distance and both correlations."""
        rows = []
        codes, lengths = self.block.codes[chosen], self.block.lengths[chosen]
        where, pairs = np.argwhere(chosen), self.pairs
        some = orders[: min(len(orders), 200)]
        columns = ["condition", "normalise", "correlation", "value", "z", "p"]
        if not len(codes) or not len(pairs.first):
            return pd.DataFrame(columns=columns)
        counts = edit_counts(codes, pairs)
        scalings: tuple[str, ...] = ("raw", "max", "mean")
        scales = [scaled(counts, lengths, pairs, how) for how in scalings]
        for name in ("spearman", "pearson"):
            found = correlations(scales, self.meaning.distance, pairs, some, ranks=name == "spearman")
            for how, table in zip(scalings, found, strict=True):
                for c, condition in enumerate(self.block.conditions):
                    own = table[where[:, 0] == c]
                    good = own[np.isfinite(own).all(axis=1)]
                    value = z = p = np.nan
                    if len(good):
                        each = against_chance(good, 1.0)["z"]
                        over = joint(good, 1.0)
                        value = float(good[:, 0].mean())
                        z = float(each[np.isfinite(each)].mean()) if np.isfinite(each).any() else np.nan
                        p = float((over >= over[0] - 1e-7).mean()) if np.isfinite(over[0]) else np.nan
                    rows.append((condition, how, name, value, z, p))
        return pd.DataFrame(rows, columns=columns)


def last_of(present: Bool[np.ndarray, "condition seed time agent"]) -> Bool[np.ndarray, "condition seed time agent"]:
    """The agents at the last record of each seed."""
    some = np.asarray(present.any(axis=-1))
    later = np.cumsum(some[..., ::-1], axis=-1)[..., ::-1]
    return present & (some & (later == 1))[..., None]


def at_last_of(
    values: Float[np.ndarray, "condition seed time"], block: Languages
) -> Float[np.ndarray, "condition seed"]:
    some = last_of(block.present).any(axis=-1)
    return np.where(some.any(axis=-1), np.where(some, values, 0.0).sum(axis=-1), np.nan)


def affordable(engine: Engine, languages: int, draws: int) -> int:
    """Relabellings for each language before the last record, so that all together stay affordable."""
    if languages <= 0:
        return draws
    return int(np.clip(_BUDGET / (engine.cost() * languages), _FEWEST_DRAWS, draws))


def curves_of(
    engine: Engine,
    block: Languages,
    at_last: Bool[np.ndarray, "condition seed time agent"],
    last: dict[str, Float[np.ndarray, "condition seed draw"]],
    orders: Int[np.ndarray, "draw item"],
    fewer: int,
) -> dict[str, dict[str, Float[np.ndarray, "condition seed time"]]]:
    """Value, chance, sd, z and p of each metric at every record."""
    shape = block.present.shape[:3]
    curves = {
        name: {part: np.full(shape, np.nan) for part in ("value", "chance", "sd", "z", "p")} for name in engine.names
    }
    times = np.flatnonzero((block.present & ~at_last).any(axis=(0, 1, 3)))
    some = orders[: fewer + 1]
    per_time = max(1, int(block.present.sum() / max(1, shape[2])))
    together = max(1, int(40_000_000 // max(1, per_time * len(some) * len(engine.names))))
    for begin in range(0, len(times), together):
        span = times[begin : begin + together]
        chosen = np.zeros_like(block.present)
        chosen[:, :, span] = (block.present & ~at_last)[:, :, span]
        flat = engine.tables(chosen, some)
        where = np.argwhere(chosen)
        for name, values in flat.items():
            total, count = np.zeros((*shape[:2], len(span), len(some))), np.zeros((*shape[:2], len(span)))
            good = np.isfinite(values).all(axis=1)
            c, s, t, _ = where[good].T
            place = np.searchsorted(span, t)
            np.add.at(total, (c, s, place), values[good])
            np.add.at(count, (c, s, place), 1.0)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(count[..., None] > 0, total / count[..., None], np.nan)
            for part, block_of in against_chance(mean, sign_of(name)).items():
                seen = chosen[:, :, span].any(axis=-1)
                curves[name][part][:, :, span] = np.where(seen, block_of, curves[name][part][:, :, span])
    here = at_last.any(axis=-1)
    for name, values in last.items():
        for part, block_of in against_chance(values, sign_of(name)).items():
            curves[name][part] = np.where(here, block_of[..., None], curves[name][part])
    return curves


def plain_curves(block: Languages) -> dict[str, Float[np.ndarray, "condition seed time"]]:
    """Metrics that need no meanings, averaged over agents."""
    out = {}
    here = (
        plain(block.codes[block.present], block.lengths[block.present], len(block.symbols))
        if block.present.any()
        else {}
    )
    for name in PLAIN:
        values = np.full(block.present.shape, np.nan)
        if name in here:
            values[block.present] = here[name]
        seen = np.isfinite(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[name] = np.where(seen, values, 0.0).sum(axis=-1) / np.where(
                seen.any(axis=-1), seen.sum(axis=-1), np.nan
            )
    return out
