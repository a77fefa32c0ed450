"""A claim is one sentence that a paper states, as a test over seeds.

The seed is the unit of replication. A claim fixes its direction and its smallest effect of interest (`margin`) before
looking; then the 95 % interval over seeds decides:

    direction ">"   supported if the whole interval is above  margin, refuted if it is wholly below it
    direction "<"   supported if the whole interval is below -margin, refuted if it is wholly above it
    direction "="   supported if the whole interval is inside (-margin, margin), refuted if it is wholly outside

else inconclusive, with the number of seeds that would settle it. Over the claims of one study the decisions are held
to a family-wise error of 5 % (Holm). What a run does not hold makes a claim "untested".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._effects import Event, contrast, event, level, order, pooled, proportion, ratio, trend
from ._evidence import Sample, Test, Untestable
from .errors import UserError
from .statistics import Estimate, holm, seeds_needed

__all__ = [
    "Claim", "Event", "Test", "contrast", "event", "judge", "level", "order", "pooled", "proportion", "ratio", "trend",
]  # fmt: skip

_ALPHA = 0.05
_VERDICTS = ("supported", "refuted", "inconclusive", "untested")


@dataclass(frozen=True)
class Claim:
    """One sentence that a paper states, as a test over seeds.

    Args:
        text: the sentence, as the paper means it.
        test: `contrast`, `ratio`, `level`, `proportion`, `trend`, `order` or `pooled`.
        direction: ">", "<" or "=".
        margin: smallest effect of interest, > 0, in the unit of the estimate; decided before looking.
        published: what the paper reports, and where.
        about: why the margin is what it is, or how to read the result.
        expect: the verdict on record from our own measurements (see docs/verdicts), or several where the last digits
            of a machine decide between them; `verify` compares with it, the judgement itself never looks at it.
    """

    text: str
    test: Test
    direction: str
    margin: float
    published: str = ""
    about: str = ""
    unit: str = ""
    expect: str | tuple[str, ...] = field(default="supported", kw_only=True)

    @property
    def expected(self) -> tuple[str, ...]:
        """The verdicts on record."""
        return (self.expect,) if isinstance(self.expect, str) else self.expect

    def __post_init__(self) -> None:
        if self.direction not in (">", "<", "="):
            raise UserError(f"claim {self.text!r}: direction must be '>', '<' or '=', got {self.direction!r}")
        if not (isinstance(self.margin, (int, float)) and self.margin > 0 and math.isfinite(self.margin)):
            raise UserError(
                f"claim {self.text!r}: margin must be a number > 0, the smallest effect of interest, got "
                f"{self.margin!r}"
            )
        if not self.expected or not set(self.expected) <= set(_VERDICTS):
            raise UserError(
                f"claim {self.text!r}: expect must be one or several of {', '.join(_VERDICTS)}, got {self.expect!r}"
            )

    def _decide(self, found: Estimate) -> tuple[str, float]:
        """Verdict by the interval, and the two-sided p of that decision."""
        m, low, high = self.margin, found.low, found.high
        if self.direction == "<":
            low, high = -high, -low
        if self.direction == "=":
            inside = max(found.p_greater(-m), found.p_less(m))
            outside = min(found.p_greater(m), found.p_less(-m))
            yes, no = -m < low and high < m, low > m or high < -m
        else:
            # "<" is ">" of the mirrored effect.
            up, down = (found.p_greater, found.p_less) if self.direction == ">" else (
                lambda x: found.p_less(-x), lambda x: found.p_greater(-x))  # fmt: skip
            inside, outside = up(m), down(m)
            yes, no = low > m, high < m
        p = min(1.0, 2 * min(inside, outside)) if math.isfinite(inside) else math.nan
        return ("supported" if yes else "refuted" if no else "inconclusive"), p

    def _distance(self, found: Estimate) -> float:
        """How far the estimate is from where the verdict would turn."""
        if self.direction == "=":
            return abs(abs(found.value) - self.margin)
        return abs(found.value - self.margin) if self.direction == ">" else abs(-found.value - self.margin)


def judge(run: Any, claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Judge claims on a run.

    Returns:
        one JSON-ready mapping a claim: text, verdict, value, low, high, level, direction, margin, unit, seeds,
        p (Holm-adjusted over the claims), p_raw, method, test, published, about, reason, note, more_seeds, by_seed.

    Raises:
        UserError: a claim's function returns something that is no number a seed.
    """
    sample = Sample(run)
    out: list[dict[str, Any]] = []
    for claim in claims:
        row: dict[str, Any] = {
            "text": claim.text, "verdict": "untested", "direction": claim.direction, "margin": float(claim.margin),
            "unit": claim.unit, "test": claim.test.words(), "published": claim.published, "about": claim.about,
            "value": None, "low": None, "high": None, "level": 0.95, "seeds": 0, "p": None, "p_raw": None,
            "method": "", "reason": "", "note": "", "more_seeds": None, "by_seed": [],
        }  # fmt: skip
        try:
            evidence = claim.test.evidence(sample)
        except Untestable as error:
            row["reason"] = str(error)
            out.append(row)
            continue
        found = evidence.estimate
        verdict, p = claim._decide(found)
        row |= {
            "verdict": verdict, "value": _json(found.value), "low": _json(found.low), "high": _json(found.high),
            "level": found.level, "seeds": found.n, "p_raw": _json(p), "method": found.method, "note": evidence.note,
            "by_seed": [_json(x) for x in np.asarray(evidence.seeds, float)],
            "_distance": claim._distance(found), "_estimate": found,
        }  # fmt: skip
        if found.n == 0:
            row |= {"verdict": "inconclusive", "reason": "no seed has a value for this claim"}
        out.append(row)

    adjusted = holm(np.asarray([np.nan if r["p_raw"] is None else r["p_raw"] for r in out]))
    looked = sum(r["p_raw"] is not None for r in out)
    for row, p in zip(out, adjusted, strict=True):
        row["p"] = _json(float(p))
        found = row.pop("_estimate", None)
        distance = row.pop("_distance", 0.0)
        if row["verdict"] in ("supported", "refuted") and not (p < _ALPHA):
            row["reason"] = (
                f"the interval alone says {row['verdict']}, but not after correcting for {looked} claims (Holm p = "
                f"{p:.2g})"
            )
            row["verdict"] = "inconclusive"
        if row["verdict"] == "inconclusive" and found is not None and found.n > 0:
            row["more_seeds"] = _more_seeds(found, distance, looked)
            row["reason"] = row["reason"] or _why(found)
            if row["more_seeds"]:
                row["reason"] += f"; about {row['more_seeds']} more seeds would settle it if the effect is as seen"
        if sample.partial and row["verdict"] != "untested":
            row["note"] = "; ".join(
                filter(
                    None,
                    [
                        row["note"],
                        f"the run is not finished: judged at step {int(sample.data.time.values[-1])}",
                    ],
                )
            )
    return out


def _why(found: Estimate) -> str:
    if not found.claimed:
        return f"{found.n} seeds are too few for an interval (5 at least)"
    return "the interval holds effects on both sides of the margin"


def _more_seeds(found: Estimate, distance: float, looked: int) -> int | None:
    """Seeds to add so that a decision at the corrected level has 80 % power, if the effect is as seen."""
    if not math.isfinite(found.sd) or not math.isfinite(distance) or distance == 0:
        return None
    # A fraction of 0 or 1 shows no spread; the most cautious value consistent with n seeds stands in for it.
    sd = found.sd if found.sd > 0 else math.sqrt(1 / (found.n + 2)) if "Clopper" in found.method else 0.0
    need = seeds_needed(sd, distance, level=1 - _ALPHA / max(1, looked))
    return max(1, need - found.n) if need < 1_000_000 else None


def _json(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None


def to_json(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """Verdicts as JSON text."""
    return json.dumps(list(verdicts), indent=1, allow_nan=False)
