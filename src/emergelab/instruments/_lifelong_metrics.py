"""The six metrics of a lifetime after Baker et al. (2023), for `lifelong`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from emergelab.instruments._lifelong_log import Lifetime, Scaled, smooth

__all__ = ["CONTRASTS", "LOGS", "Measured", "measure"]

LOGS = {"FT": "FT_log", "BT": "BT_log", "RP": "RP_log", "SE": "SE_log"}
"""Metrics that are ratios, and the column of their logarithms."""
CONTRASTS = {"FT": "FT_contrast", "BT": "BT_contrast", "RP": "RP_contrast", "SE": "SE_contrast"}
"""The same as contrasts (r - 1) / (r + 1), which stay finite where a ratio is zero."""

_WEAK = 0.2  # below this share of the experts' saturation a sample efficiency is set to zero
_PLACES = 200  # places tried for the knee of a saturating curve


@dataclass(frozen=True)
class Measured:
    """What one lifetime shows.

    Attributes:
        values: metric -> number; NaN where it is undefined.
        tasks: one row a task.
        pairs: one row a pair of evaluations that frames the learning of another task.
        by_expert: column of RP or SE -> one number an expert, averaged over tasks; as many as every task has.
    """

    values: dict[str, float]
    tasks: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    by_expert: dict[str, Float[np.ndarray, "_"]]


def measure(scaled: Scaled, *, maintenance: str, saturation: str, aggregate: str) -> Measured:
    """All six metrics; those of the tasks are averaged (or their median taken) over tasks, the transfers over pairs."""
    life = scaled.life
    terminal = np.array([b.terminal for b in life.blocks])
    pairs = _transfers(life, terminal)
    found = [_of_task(scaled, task, terminal, maintenance, saturation) for task in life.tasks]
    tasks = [row for row, _ in found]
    values = {n: _together([t[n] for t in tasks], aggregate) for n in ("PM", "RP", "SE", "PR", "train", "test")}
    by_expert = {}
    for name in ("RP", "SE"):
        held = [ratios[name] for _, ratios in found if len(ratios[name])]
        fewest = min(map(len, held), default=0)
        for column, change in ((LOGS[name], _log), (CONTRASTS[name], _contrast)):
            values[column] = _together([t[column] for t in tasks], "mean")
            by_expert[column] = np.mean([change(r)[:fewest] for r in held], axis=0) if held else np.empty(0)
    for name, direction in (("FT", "forward"), ("BT", "backward")):
        # every pair of tasks counts once, with the first evaluations that frame it
        first = [p for p in pairs if p["direction"] == direction and p["occasion"] == 1]
        values[name] = _together([p["ratio"] for p in first], aggregate)
        values[LOGS[name]] = _together([p["log_ratio"] for p in first], "mean")
        values[CONTRASTS[name]] = _together([p["contrast"] for p in first], "mean")
    return Measured(values, tasks, pairs, by_expert)


def _together(values: Iterable[Any], how: str) -> float:
    seen = [v for v in values if math.isfinite(v)]
    if not seen:
        return float("nan")
    return float(np.median(seen)) if how == "median" else float(sum(seen) / len(seen))


def _of_task(
    scaled: Scaled, task: str, terminal: Float[np.ndarray, "block"], maintenance: str, saturation: str
) -> tuple[dict[str, Any], dict[str, Float[np.ndarray, "_"]]]:
    """The row of a task, and its RP and SE against every expert."""
    blocks = scaled.life.blocks
    train = [i for i, b in enumerate(blocks) if b.task == task and b.kind == "train"]
    test = [i for i, b in enumerate(blocks) if b.task == task and b.kind == "test"]
    kept = _maintained(train, test, terminal, maintenance)
    waits = _recovery_times([blocks[i].values for i in train], terminal[train])
    experience, curve = scaled.life.learning(task)
    against = scaled.experts.get(task, ()) if len(curve) else ()
    area = np.array([_area(curve, expert) for expert in against])
    level, reached = _saturation(curve, saturation)
    rises = len(curve) > 0 and _slope(experience, curve) >= 0
    speed = np.array([_efficiency(level, reached, *_saturation(e, saturation), rises=rises) for e in against])
    row = {
        "task": task,
        "learning_blocks": len(train),
        "evaluations": len(test),
        "experiences": len(curve),
        "experts": len(against),
        "expert_experiences": float(np.mean([len(e) for e in against])) if against else np.nan,
        "PM": float(np.mean(kept)) if kept else np.nan,
        "PR": 0.0 - _theil_sen(waits) if len(waits) > 1 else np.nan,
        "RP": _together(area, "mean"),
        "SE": _together(speed, "mean"),
        "RP_log": _over_experts(area, _log),
        "SE_log": _over_experts(speed, _log),
        "RP_contrast": _over_experts(area, _contrast),
        "SE_contrast": _over_experts(speed, _contrast),
        "train": _together([blocks[i].values.mean() for i in train], "mean"),
        "test": _together([blocks[i].values.mean() for i in test], "mean"),
        "saturation": level,
        "experiences_to_saturation": reached,
        "recovery_times": ", ".join(f"{w:g}" for w in waits),
    }
    return row, {"RP": area, "SE": speed}


def _maintained(
    train: Sequence[int], test: Sequence[int], terminal: Float[np.ndarray, "block"], maintenance: str
) -> list[float]:
    """Later evaluations minus the reference: the first evaluation after learning, or the end of the learning."""
    firsts = [next((t for t in test if t > x), None) for x in train]
    references = [t for t in firsts if t is not None]
    out = []
    for t in test:
        before = [r for r in references if r < t]
        if before and t not in references:
            against = before[-1] if maintenance == "evaluation" else max(x for x in train if x < t)
            out.append(float(terminal[t] - terminal[against]))
    return out


def _recovery_times(
    curves: Sequence[Float[np.ndarray, "_"]], terminal: Float[np.ndarray, "train"]
) -> Float[np.ndarray, "again"]:
    """Experiences until the terminal value of the learning block before is reached again; one more than there are
    if it never is."""
    waits = []
    for before, curve in zip(terminal[:-1], curves[1:], strict=True):
        there = curve >= before
        waits.append(float(np.argmax(there)) if there.any() else len(curve) + 1.0)
    return np.array(waits)


def _theil_sen(y: Float[np.ndarray, "n"]) -> float:
    """Median of the slopes of all pairs (Theil 1950, Sen 1968)."""
    i, j = np.triu_indices(len(y), 1)
    return float(np.median((y[j] - y[i]) / (j - i)))


def _area(curve: Float[np.ndarray, "n"], expert: Float[np.ndarray, "m"]) -> float:
    n = min(len(curve), len(expert))
    below = float(expert[:n].sum())
    return float(curve[:n].sum()) / below if below > 0 else float("nan")


def _efficiency(level: float, reached: float, expert_level: float, expert_reached: float, *, rises: bool) -> float:
    """Sample efficiency; 0 for a curve that falls or stays below a fifth of the expert, NaN without saturation."""
    if not (reached > 0 and expert_reached > 0 and expert_level > 0):
        return float("nan")
    if level < _WEAK * expert_level or not rises:
        return 0.0
    return (level / expert_level) * (expert_reached / reached)


def _saturation(curve: Float[np.ndarray, "n"], how: str) -> tuple[float, float]:
    """Level of saturation and experiences until it is reached; NaN where there is none.

    "maximum": the largest value of the smoothed curve and its place, as published. "change point": the knee of a
    straight rise into a plateau, least squares.
    """
    n = len(curve)
    if n == 0 or not np.isfinite(curve).all():
        return float("nan"), float("nan")
    if how == "maximum":
        smoothed = smooth(curve)
        top = float(smoothed.max())
        return top, float(np.argmax(smoothed >= top - 1e-9 * abs(top)))
    if n < 4:
        return float("nan"), float("nan")
    knees = np.unique(np.linspace(1, n - 1, min(n - 1, _PLACES)).astype(int))
    ramp = np.minimum(np.arange(n)[None, :], knees[:, None]).astype(float)
    centred = ramp - ramp.mean(axis=1, keepdims=True)
    slope = centred @ curve / (centred**2).sum(axis=1)
    explained = np.where(slope > 0, slope**2 * (centred**2).sum(axis=1), -1.0)
    best = int(np.argmax(explained))
    if explained[best] <= 1e-12 * float(curve @ curve):
        return float(curve.mean()), float("nan")
    return float(curve.mean() + slope[best] * (knees[best] - ramp[best].mean())), float(knees[best])


def _slope(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    return float((x - x.mean()) @ (y - y.mean()))


def _transfers(life: Lifetime, terminal: Float[np.ndarray, "block"]) -> list[dict[str, Any]]:
    """Pairs (a, b): evaluations of b just before and just after a learning block of a.

    Forward if b has had no learning block before that block of a, backward if it has.
    """
    kinds = [(b.kind, b.task) for b in life.blocks]
    at = {key: [i for i, k in enumerate(kinds) if k == key] for key in dict.fromkeys(kinds)}
    out = []
    for a in life.tasks:
        for b in life.tasks:
            if a == b:
                continue
            test = at.get(("test", b), [])
            start = min(at.get(("train", b), []), default=len(kinds))
            counted = {"forward": 0, "backward": 0}
            for before, after in pairwise(test):
                inside = [x for x in at.get(("train", a), []) if before < x < after]
                for direction, fits in (
                    ("forward", any(x < start for x in inside)),
                    ("backward", any(x > start for x in inside)),
                ):
                    if fits:
                        counted[direction] += 1
                        pair = _pair(float(terminal[before]), float(terminal[after]))
                        among = {k[1] for k in kinds[before + 1 : after] if k[0] == "train"}
                        out.append(
                            {"from": a, "to": b, "direction": direction, "occasion": counted[direction]}
                            | pair
                            | {"alone": len(among) == 1}
                        )
    return out


def _pair(before: float, after: float) -> dict[str, float]:
    nan = float("nan")
    positive = before > 0 and after > 0
    return {
        "before": before,
        "after": after,
        "ratio": after / before if before != 0 else nan,
        "log_ratio": float(np.log(after / before)) if positive else nan,
        "contrast": (after - before) / (after + before) if min(before, after) >= 0 < before + after else nan,
    }


def _log(ratios: Float[np.ndarray, "_"]) -> Float[np.ndarray, "_"]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(ratios > 0, np.log(ratios), np.nan)


def _contrast(ratios: Float[np.ndarray, "_"]) -> Float[np.ndarray, "_"]:
    return np.where(ratios >= 0, (ratios - 1) / (np.abs(ratios) + 1), np.nan)


def _over_experts(
    ratios: Float[np.ndarray, "_"], change: Callable[[Float[np.ndarray, "_"]], Float[np.ndarray, "_"]]
) -> float:
    """Mean over experts on another scale; NaN if a ratio that exists has no place on it."""
    seen = change(ratios[np.isfinite(ratios)])
    return float(seen.mean()) if len(seen) else float("nan")
