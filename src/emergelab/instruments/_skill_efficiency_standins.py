"""Operational stand-ins for "skill acquired per experience": each is a number per system, seed and task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from emergelab.instruments._skill_efficiency_read import Learning

__all__ = ["STANDINS", "Reached", "area", "ingredients", "reach", "standins", "surplus"]

STANDINS = ("threshold", "area", "final", "surplus", "score")
"""Names; for "threshold" and "surplus" small is good, for the others large."""


@dataclass(frozen=True)
class Reached:
    """Experience at which the skill threshold is reached and kept for ``k`` records.

    Attributes:
        at: experience of the first of them; NaN if never.
        after: experience of the record before (0: none), a lower bound.
        bound: ``at``, or the last experience seen if never: a lower bound then.
        never: seen, but not reached.
    """

    at: Float[np.ndarray, "system seed task"]
    after: Float[np.ndarray, "system seed task"]
    bound: Float[np.ndarray, "system seed task"]
    never: Bool[np.ndarray, "system seed task"]


def reach(
    skill: Float[np.ndarray, "system seed task record"],
    axis: Float[np.ndarray, "system record"],
    theta: Float[np.ndarray, "task"],
    k: int,
) -> Reached:
    """First of ``k`` consecutive records (those that exist) with skill at or above ``theta``."""
    shape = skill.shape[:3]
    at, after, bound = np.full(shape, np.nan), np.zeros(shape), np.full(shape, np.nan)
    never = np.zeros(shape, dtype=bool)
    for index in np.ndindex(*shape):
        row = skill[index]
        seen = np.flatnonzero(np.isfinite(row))
        if not len(seen):
            continue
        good = row[seen] >= theta[index[2]]
        run = min(k, len(seen))
        total = np.convolve(good, np.ones(run), mode="valid")
        first = np.flatnonzero(total >= run - 0.5)
        x = axis[index[0]]
        if len(first):
            i = int(first[0])
            at[index] = bound[index] = x[seen[i]]
            after[index] = x[seen[i - 1]] if i else 0.0
        else:
            bound[index], never[index] = x[seen[-1]], True
    return Reached(at, after, bound, never)


def area(
    skill: Float[np.ndarray, "system seed task record"],
    axis: Float[np.ndarray, "system record"],
    low: Float[np.ndarray, "task"],
    high: Float[np.ndarray, "task"],
) -> Float[np.ndarray, "system seed task"]:
    """Mean skill over log experience, as a share of the way from ``low`` to ``high``; by trapezoids."""
    out = np.full(skill.shape[:3], np.nan)
    for index in np.ndindex(*skill.shape[:3]):
        seen = np.isfinite(skill[index])
        width = high[index[2]] - low[index[2]]
        if seen.sum() < 2 or width <= 0:
            continue
        x = np.log(axis[index[0]][seen])
        y = (skill[index][seen] - low[index[2]]) / width
        out[index] = float(np.trapezoid(y, x) / (x[-1] - x[0]))
    return out


def surplus(
    skill: Float[np.ndarray, "system seed task record"],
    axis: Float[np.ndarray, "system record"],
    theta: Float[np.ndarray, "task"],
) -> Float[np.ndarray, "system seed task"]:
    """Shortfall below ``theta`` summed over experience (surplus description length of Whitney et al. 2020).

    With a log loss in bits turned round as skill it is bits above the tolerance. What was missing before the first
    record is counted as at the first record.
    """
    out = np.full(skill.shape[:3], np.nan)
    for index in np.ndindex(*skill.shape[:3]):
        seen = np.isfinite(skill[index])
        if not seen.any():
            continue
        x = axis[index[0]][seen]
        missing = np.maximum(theta[index[2]] - skill[index][seen], 0.0)
        out[index] = float(missing[0] * x[0] + (np.diff(x) * (missing[1:] + missing[:-1]) / 2).sum())
    return out


def last_skill(skill: Float[np.ndarray, "system seed task record"]) -> Float[np.ndarray, "system seed task"]:
    """Skill at the last record that exists."""
    seen = np.isfinite(skill)
    place = skill.shape[-1] - 1 - np.argmax(seen[..., ::-1], axis=-1)
    value = np.take_along_axis(skill, place[..., None], axis=-1)[..., 0]
    return np.where(seen.any(axis=-1), value, np.nan)


def ingredients(
    data: Learning,
    reached: Reached,
    theta: Float[np.ndarray, "task"],
    low: Float[np.ndarray, "task"],
    high: Float[np.ndarray, "task"],
    memoriser: Float[np.ndarray, "system seed task"] | None,
    prior: Float[np.ndarray, "system"] | None,
    budget: float,
) -> dict[str, Float[np.ndarray, "system seed task"]]:
    """theta, generalisation difficulty, prior and experience of each system, seed and task, and their score.

    Shares of the way from ``low`` to ``high``. GD: skill at the threshold (or at the end, if it is never reached)
    that neither a memoriser with the same experience nor the system before any experience had. P: the declared prior in
    units of experience over the budget, else the share of the threshold that was there zero-shot. E: experience to the
    threshold over the budget. Score: theta * GD / (P + E); 0 where the threshold is never reached.
    """
    width = np.where(high > low, high - low, np.nan)
    share = (theta - low) / width
    skill = np.where(reached.never, last_skill(data.skill), np.broadcast_to(theta, reached.at.shape))
    skill = np.where(np.isfinite(reached.bound), (skill - low) / width, np.nan)
    before = np.where(np.isfinite(data.zero_shot), (data.zero_shot - low) / width, 0.0)
    memory = np.zeros_like(skill) if memoriser is None else (memoriser - low) / width
    gap = np.clip(skill - np.maximum(np.maximum(before, memory), 0.0), 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        had = np.clip(np.where(share > 0, before / share, 0.0), 0.0, 1.0)
        p = had if prior is None else np.broadcast_to(prior[:, None, None] / budget, skill.shape)
        e = reached.bound / budget
        score = np.where(reached.never, 0.0, np.broadcast_to(share, skill.shape) * gap / (p + e))
    score = np.where(np.isfinite(reached.bound) & np.isfinite(score), score, np.nan)
    return {
        "theta": np.broadcast_to(share, skill.shape).copy(), "GD": gap, "P": np.array(p), "E": e, "score": score,
    }  # fmt: skip


def standins(
    data: Learning,
    reached: Reached,
    axis: Float[np.ndarray, "system record"],
    theta: Float[np.ndarray, "task"],
    low: Float[np.ndarray, "task"],
    high: Float[np.ndarray, "task"],
    score: Float[np.ndarray, "system seed task"],
) -> dict[str, Float[np.ndarray, "system seed task"]]:
    """Every stand-in, turned so that large is good."""
    # never reached is worse than reached at the very end
    threshold = np.where(reached.never, -np.log(reached.bound) - 1.0, -np.log(np.maximum(reached.bound, 1e-300)))
    return {
        "threshold": threshold,
        "area": area(data.skill, axis, low, high),
        "final": last_skill(data.skill),
        "surplus": -surplus(data.skill, axis, theta),
        "score": score,
    }
