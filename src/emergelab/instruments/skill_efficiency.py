"""skill_efficiency: how much experience does a system need for a skill, and how much prior?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset
from emergelab.instruments._skill_efficiency_code import code_bits
from emergelab.instruments._skill_efficiency_read import Learning, per_task, read_learning
from emergelab.instruments._skill_efficiency_standins import Reached, ingredients, last_skill, reach, standins
from emergelab.instruments._skill_efficiency_tables import (
    axes_table,
    codelength_table,
    ingredients_table,
    systems_table,
    tasks_table,
)
from emergelab.instruments._skill_efficiency_tests import mean_ranks, pairs_table, stability_table
from emergelab.instruments._skill_efficiency_words import CANNOT_SEE, answer, cautions, describe, one_system
from emergelab.instruments.result import Result, provenance

__all__ = ["skill_efficiency"]

_SWEEP = (0.5, 0.7, 0.85, 1.15)  # thresholds of the sensitivity table, as shares of the way to theta


def skill_efficiency(
    data: Any,
    var: str | None = None,
    *,
    theta: float | Mapping[str, float] | xr.DataArray,
    direction: str = "up",
    k: int = 3,
    chance: float | Mapping[str, float] | xr.DataArray | None = None,
    ceiling: float | Mapping[str, float] | xr.DataArray | None = None,
    memoriser: str | xr.DataArray | None = None,
    prior: Mapping[str, float] | None = None,
    code: Mapping[str, str | bytes | Path] | None = None,
    costs: Mapping[str, Mapping[str, float] | xr.DataArray] | None = None,
    probability: str | xr.DataArray | None = None,
    outcomes: int = 2,
    attempts: int = 3,
    margin: float | None = None,
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    task: str = "task",
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Compare systems by the experience they need to reach a skill that was named beforehand.

    Chollet's (2019) measure, skill acquired per unit of prior and experience weighted by generalisation difficulty, is
    not computable. Five operational stand-ins are, each labelled: experience to the threshold (the verdict rests on it
    alone), area under the curve on log experience, skill at the end of the budget, shortfall summed over experience,
    and theta * GD / (P + E) with every ingredient shown. How far they agree is part of the answer.

    Args:
        data: a Run, Dataset or DataArray of success or loss on **held-out** examples, dims among (``by``,
            ``seeds``, ``task``) and ``along``. With dims "attempt" and "cell" a task is solved if all cells are right
            in one of the first ``attempts`` attempts.
        var: name of the skill; may be left out if there is only one variable.
        theta: the skill threshold, for all tasks or one a task. Choose it before looking at the curves.
        direction: "up", or "down" for a loss.
        k: consecutive records at or beyond the threshold that count as reached.
        chance: skill of guessing; default: the lowest first record of the task.
        ceiling: best possible skill; default: the highest median record of the task.
        memoriser: skill of a memoriser (look-up table, nearest neighbour) with the same experience, dims among
            (``by``, ``seeds``, ``task``); what it reaches is no generalisation. None: 0 of the way from
            chance, and the result says so.
        prior: what each system had before, in units of experience: how much more a system stripped of it needs. None:
            the share of the threshold that is there zero-shot (record at experience 0).
        code: source or weights of each system, as text, bytes or the `pathlib.Path` of one file. Its compressed size
            (the smaller of raw LZMA2 and raw deflate) is shown as ``code_bits_upper_bound`` in "ingredients": an upper
            bound of the prior in bits that no score, rank or verdict uses, as most of what compresses badly is no
            knowledge of the task.
        costs: other axes, by name: cost of a unit of experience for each system (FLOPs an example, joules a step), as a
            mapping or an array over ``by``. The order of systems is compared along each.
        probability: what a learner gave to each outcome before it saw it, with the dims of the skill, one record an
            example: gives prequential code lengths.
        outcomes: number of possible outcomes, for the uniform code.
        attempts: attempts allowed.
        margin: ratio of experience that matters, above 1, for "no difference".
        along: dim of experience (examples, interactions, tokens); its coordinate counts them. A record at 0 is the
            zero-shot skill.
        by: dim of systems, or None.
        seeds: dim of seeds.
        task: dim of tasks; may be missing.
        level: confidence level.
        draws: relabellings and bootstrap draws.
        rng: seed or generator.

    Returns:
        A `Result`. Two systems: "less experience" or "more experience" (the first against the second at theta), "no
        difference" (only with ``margin``) or "inconclusive". More: "ranked" (20 tasks or more, a clear pair, and
        stand-ins that agree with a mean Kendall tau of 0.5), "differ" or "inconclusive". One: "reached", "not reached"
        or "inconclusive" (share of seeds, or of tasks). Tables: "pairs", "systems", "tasks", "ingredients", "ranks",
        "stability", "axes", "codelength".

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    _check(direction, k, margin, attempts, outcomes, draws, level)
    sign = 1.0 if direction == "up" else -1.0
    source = np.random.default_rng(rng)
    call: dict[str, Any] = {"along": along, "by": by, "seeds": seeds, "task": task}
    block = read_learning(data, var, sign=sign, attempts=attempts, **call)
    wanted = per_task(theta, block.tasks, task, "theta")
    assert wanted is not None
    level_of = sign * wanted
    bits = code_bits(code, block.systems)
    low, high = _range(
        block, per_task(chance, block.tasks, task, "chance"), per_task(ceiling, block.tasks, task, "ceiling"), sign
    )
    axis = np.broadcast_to(block.experience, (len(block.systems), len(block.experience)))
    reached = reach(block.skill, axis, level_of, k)
    pairs, gaps = pairs_table(reached, block.systems, margin=margin, level=level, draws=draws, rng=source)
    budget = float(block.experience[-1])
    memory = _memoriser(data, memoriser, block, sign, attempts, call)
    parts = ingredients(block, reached, level_of, low, high, memory, _prior(prior, block), budget)
    every = standins(block, reached, axis, level_of, low, high, parts["score"])
    ranks = {name: mean_ranks(values) for name, values in every.items()}
    for share in _SWEEP:
        swept = low + share * (level_of - low)
        other = reach(block.skill, axis, swept, k)
        late = np.where(other.never, np.nanmax(np.log(axis)) + 1.0, np.log(np.maximum(other.bound, 1e-300)))
        ranks[f"threshold at {share:g} theta"] = mean_ranks(-late)
    stability = stability_table(ranks)
    tables = {
        "pairs": pairs,
        "systems": systems_table(block, reached, every, level, draws, source),
        "tasks": tasks_table(block, reached, every),
        "ingredients": ingredients_table(block, parts, bits, level, draws, source),
        "ranks": pd.DataFrame({"system": list(block.systems), **ranks}),
        "stability": stability,
        "axes": axes_table(block, level_of, k, costs, by, level, draws, source),
        "codelength": codelength_table(data, probability, block, outcomes, call, level, draws, source),
    }
    several = len(block.systems) > 1
    found = answer(block, tables, gaps, level) if several else one_system(block, reached, level)
    return Result(
        instrument="skill_efficiency",
        question=f"How much experience does {block.name} of {_told(theta)} take?",
        verdict=found.verdict,
        estimate=found.estimate,
        headline=found.headline,
        p=found.p,
        null=found.null,
        effect=found.effect,
        n_seeds=len(block.seeds) if block.has_seeds else 1,
        tables=tables,
        diagnostics=_diagnostics(block, reached, low, high, level_of, sign),
        warnings=(*block.notes, *cautions(block, reached, tables, memoriser is not None, prior is not None, level)),
        words=describe(block, tables, found.verdict, _told(theta)),
        cannot_see=CANNOT_SEE,
        params={
            "theta": _told(theta), "direction": direction, "k": k, "chance": _told(chance), "ceiling": _told(ceiling),
            "memoriser": memoriser is not None, "prior": dict(prior) if prior else "zero-shot",
            "code": code is not None, "costs": list(costs or ()), "attempts": attempts, "margin": margin,
            "along": along, "by": by, "seeds": seeds, "task": task, "level": level, "draws": draws,
        },
        provenance=provenance(block.digest, rng),
        _draw=_draw,
    )  # fmt: skip


def _draw(result: Result) -> Any:
    from emergelab.instruments._skill_efficiency_plot import draw

    return draw(result)


def _told(value: Any) -> Any:
    if isinstance(value, xr.DataArray):
        return f"array {value.name!r}"
    return dict(value) if isinstance(value, Mapping) else value


def _check(
    direction: str, k: int, margin: float | None, attempts: int, outcomes: int, draws: int, level: float
) -> None:
    if direction not in ("up", "down"):
        raise UserError(f'skill_efficiency: direction must be "up" or "down", got {direction!r}')
    if k < 1 or attempts < 1:
        raise UserError(f"skill_efficiency: k and attempts must be at least 1, got {k} and {attempts}")
    if margin is not None and margin <= 1:
        raise UserError(f"skill_efficiency: margin is a ratio of experience above 1, got {margin}")
    if outcomes < 2:
        raise UserError(f"skill_efficiency: outcomes must be at least 2, got {outcomes}")
    if draws < 99:
        raise UserError(f"skill_efficiency: draws must be at least 99, got {draws}")
    if not 0 < level < 1:
        raise UserError(f"skill_efficiency: level must be in (0, 1), got {level}")


def _range(
    block: Learning,
    chance: Float[np.ndarray, "task"] | None,
    ceiling: Float[np.ndarray, "task"] | None,
    sign: float,
) -> tuple[Float[np.ndarray, "task"], Float[np.ndarray, "task"]]:
    """Skill at chance and at the ceiling of each task, in the upright orientation."""
    tasks = len(block.tasks)
    low = np.full(tasks, np.nan) if chance is None else sign * chance
    high = np.full(tasks, np.nan) if ceiling is None else sign * ceiling
    for t in range(tasks):
        own = block.skill[:, :, t]
        if chance is None:
            firsts = [row[np.isfinite(row)][0] for row in own.reshape(-1, own.shape[-1]) if np.isfinite(row).any()]
            zero = block.zero_shot[:, :, t]
            low[t] = min([*firsts, *zero[np.isfinite(zero)]], default=np.nan)
        if ceiling is None:
            best = [
                np.median(v[np.isfinite(v)])
                for v in own.transpose(0, 2, 1).reshape(-1, own.shape[1])
                if np.isfinite(v).any()
            ]
            high[t] = max(best, default=np.nan)
    return low, high


def _memoriser(
    data: Any,
    memoriser: str | xr.DataArray | None,
    block: Learning,
    sign: float,
    attempts: int,
    call: Mapping[str, Any],
) -> Float[np.ndarray, "system seed task"] | None:
    """Skill of the memoriser at its last record, for each system, seed and task."""
    if memoriser is None:
        return None
    if isinstance(memoriser, str):
        source = as_dataset(data)
        if not isinstance(source, xr.Dataset) or memoriser not in source:
            names = [str(n) for n in source.data_vars] if isinstance(source, xr.Dataset) else []
            raise UserError(f"skill_efficiency: no variable {memoriser!r} for the memoriser{nearest(memoriser, names)}")
        array = source[memoriser]
    else:
        array = memoriser
    if call["along"] not in array.dims:
        array = array.expand_dims({call["along"]: [1.0]})
    other = read_learning(array.rename("memoriser"), None, sign=sign, attempts=attempts, **call)
    value = last_skill(other.skill)
    if value.shape[1] != len(block.seeds):
        value = np.nanmean(value, axis=1, keepdims=True) if value.shape[1] else value
    try:
        return np.broadcast_to(value, block.zero_shot.shape).copy()
    except ValueError:
        raise UserError(
            f"skill_efficiency: the memoriser has {value.shape} systems, seeds and tasks, "
            f"the skill {block.zero_shot.shape}"
        ) from None


def _prior(prior: Mapping[str, float] | None, block: Learning) -> Float[np.ndarray, "system"] | None:
    if prior is None:
        return None
    missing = [s for s in block.systems if s not in prior]
    if missing:
        raise UserError(f"skill_efficiency: prior has no value for {missing[0]!r}{nearest(missing[0], prior)}")
    values = np.array([float(prior[s]) for s in block.systems])
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise UserError("skill_efficiency: a prior is an amount of experience, 0 or more")
    return values


def _diagnostics(
    block: Learning,
    reached: Reached,
    low: Float[np.ndarray, "task"],
    high: Float[np.ndarray, "task"],
    theta: Float[np.ndarray, "task"],
    sign: float,
) -> xr.Dataset:
    dims = ("system", "seed", "task")
    return xr.Dataset(
        {
            "skill": ((*dims, "experience"), sign * block.skill),
            "reached": (dims, reached.at),
            "after": (dims, reached.after),
            "never": (dims, reached.never),
            "zero_shot": (dims, sign * block.zero_shot),
            "low": (("task",), sign * low),
            "high": (("task",), sign * high),
            "theta": (("task",), sign * theta),
        },
        coords={
            "system": list(block.systems),
            "seed": list(block.seeds),
            "task": list(block.tasks),
            "experience": block.experience,
        },
        attrs={
            "observable": block.name, "unit": block.unit, "axis": block.axis, "axis_unit": block.axis_unit,
        },
    )  # fmt: skip
