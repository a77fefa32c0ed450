"""`Result`: what every instrument gives back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from emergelab.errors import UserError, nearest
from emergelab.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Effect", "Interval", "Null", "Result", "provenance"]


@dataclass(frozen=True)
class Interval:
    """An interval; NaN where none is claimed."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True)
class Null:
    """The null distribution a p-value rests on."""

    name: str
    draws: int


@dataclass(frozen=True)
class Effect:
    """The size of what was found, by name."""

    name: str
    value: float


@dataclass(frozen=True)
class Result:
    """Answer of an instrument: the number, its uncertainty, the verdict, and everything needed to check them.

    Attributes:
        instrument: name of the instrument.
        question: the question it was asked.
        verdict: the answer in one or two words.
        estimate: the headline number with its interval.
        headline: what that number is.
        p: p-value of the verdict; NaN where no test was made.
        null: the null distribution behind p.
        effect: effect size by name.
        n_seeds: replicates used; 1 means every interval is within one run only.
        tables: labelled tables by name; the first is the main one.
        diagnostics: curves and intermediate quantities.
        warnings: what the reader must know before believing the verdict.
        words: the finding, in plain sentences.
        cannot_see: what this instrument is blind to.
        params: the arguments of the call.
        provenance: hash of the data, version, seed of the random numbers.
    """

    instrument: str
    question: str
    verdict: str
    estimate: Estimate
    headline: str
    p: float
    null: Null
    effect: Effect
    n_seeds: int
    tables: Mapping[str, pd.DataFrame]
    diagnostics: xr.Dataset
    warnings: tuple[str, ...]
    words: str
    cannot_see: str
    params: Mapping[str, Any]
    provenance: Mapping[str, Any]
    _draw: Callable[[Result], Figure] | None = field(default=None, repr=False, compare=False)

    @property
    def ci(self) -> Interval:
        """Interval of the headline number."""
        e = self.estimate
        return Interval(e.low, e.high, e.level, e.method)

    def to_frame(self, table: str | None = None) -> pd.DataFrame:
        """One of the tables (a copy); the main one if no name is given."""
        if table is None:
            return next(iter(self.tables.values())).copy() if self.tables else pd.DataFrame()
        if table not in self.tables:
            raise UserError(f"{self.instrument}: no table {table!r}{nearest(table, self.tables)}")
        return self.tables[table].copy()

    def to_dataset(self) -> xr.Dataset:
        """The diagnostics with the headline numbers as attributes."""
        attrs = {
            "instrument": self.instrument,
            "verdict": self.verdict,
            self.headline or "estimate": self.estimate.value,
            "low": self.estimate.low,
            "high": self.estimate.high,
            "level": self.estimate.level,
            "p": self.p,
            "n_seeds": self.n_seeds,
        }
        return self.diagnostics.assign_attrs(attrs)

    def plot(self) -> Figure:
        """The figure of this instrument, in the house style."""
        if self._draw is None:
            raise UserError(f"{self.instrument}: there is nothing to draw")
        return self._draw(self)

    def explain(self) -> str:
        """One paragraph of plain words: what was found, how surely, and what the instrument cannot see."""
        caution = " ".join(f"Note: {_sentence(w)}" for w in self.warnings)
        parts = (_sentence(self.words), caution, f"What it cannot see: {self.cannot_see}")
        return " ".join(part for part in parts if part)

    def to_json(self, path: str | Path | None = None) -> str:
        """Everything but the figure as JSON text (NaN becomes null); also written to ``path`` if given."""
        document = {
            "instrument": self.instrument,
            "question": self.question,
            "verdict": self.verdict,
            "headline": self.headline,
            "estimate": self.estimate.to_dict(),
            "p": self.p,
            "null": vars(self.null),
            "effect": vars(self.effect),
            "n_seeds": self.n_seeds,
            "warnings": list(self.warnings),
            "explain": self.explain(),
            "params": dict(self.params),
            "provenance": dict(self.provenance),
            "tables": {name: frame.to_dict(orient="list") for name, frame in self.tables.items()},
        }
        text = json.dumps(_plain(document), indent=2, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n")
        return text

    def __str__(self) -> str:
        return f"{self.instrument}: {self.verdict}; {self.headline} {self.estimate}"


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?" else text + "."


def _plain(value: Any) -> Any:
    """The value in JSON's own types; NaN, NaT and infinities become null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def provenance(digest: str, rng: Any) -> dict[str, Any]:
    """Where a result comes from: hash of the data, version of the package, seed of the random numbers."""
    try:
        version = metadata.version("emergelab")
    except metadata.PackageNotFoundError:
        version = "not installed"
    return {
        "data_sha256": digest,
        "version": version,
        "rng": rng if isinstance(rng, int) else "a given generator",
    }
