"""diversity: how many different behaviours, how much of the space, and are they any good?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from emergelab.errors import UserError
from emergelab.instruments._curves import as_dataset
from emergelab.instruments._diversity_dataset import of_dataset
from emergelab.instruments._diversity_kinds import of_embeddings, of_labels
from emergelab.instruments._diversity_read import Found, beside, pick, read_block
from emergelab.instruments._diversity_space import as_time, of_archive, of_policies
from emergelab.instruments._diversity_tables import (
    PARTS,
    Plan,
    contrast_table,
    curve_table,
    describe,
    judge,
    measure_table,
)
from emergelab.instruments.result import Effect, Null, Result, provenance

__all__ = ["diversity"]

Reference = float | str | None

_CANNOT_SEE = (
    "behaviours that the labels, cells or embedding do not tell apart; whether a rare behaviour is a strategy or a "
    "slip; behaviours that no rollout showed. "
)


def diversity(
    data: Any,
    var: str | None = None,
    *,
    success: str | xr.DataArray | None = None,
    modes: int | Sequence[Any] | None = None,
    reference: Mapping[Any, float] | None = None,
    entropy: Literal["miller-madow", "chao-shen", "plug-in"] = "miller-madow",
    kernel: Literal["cosine", "rbf"] = "cosine",
    bandwidth: float | None = None,
    order: float = 1.0,
    at: int | None = None,
    floor: float = 0.0,
    state: str | Sequence[str] = "state",
    action: str | Sequence[str] = "action",
    reward: str = "reward",
    episode: str = "episode",
    bins: int | Mapping[str, int] | None = None,
    replay: str | None = None,
    random: Reference = None,
    best: Reference = None,
    rollout: str = "rollout",
    context: str = "context",
    feature: str = "feature",
    cell: str | Sequence[str] = "cell",
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    threshold: float = 0.5,
    margin: float | None = None,
    paired: bool = False,
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Measure the diversity of behaviour in every seed, beside its competence, and what the seeds show together.

    The dims tell what the data are:

    * *labels* (``seeds``, [``context``,] ``rollout``): the mode of every rollout. Entropy over successful rollouts as a
      share of that of a uniform choice (and the same within contexts, which takes away diversity that only comes from
      different starts), Hill numbers, rarefaction, unseen modes.
    * *embeddings* (``seeds``, ``rollout``, ``feature``): Vendi score, mean distance, nearest-neighbour entropy,
      effective rank. Rows of a payoff matrix are embeddings too: their rank is the response diversity.
    * *archive* (``seeds``, [``along``,] ``cell``): fitness of every cell, NaN where it is empty. Coverage, QD-score.
    * *policies* (``seeds``, ``state``, ``action``): probabilities of actions at shared states. Entropy, and
      Jensen-Shannon divergence between policies.
    * a pandas table of transitions, data sets as conditions: state-action coverage SACo and trajectory quality TQ.

    Each is split into alpha (within a seed), gamma (all seeds pooled) and beta = gamma / alpha (between seeds).

    Args:
        data: a Run, Dataset or DataArray with the dims above and optionally ``by``; or a table of transitions.
        var: name of the observable; may be left out where it is the only one.
        success: which rollouts succeeded (name or array; above one half is a success). Only those count.
        modes: number of possible modes, or their names; None: those seen (then a warning says so).
        reference: shares of the modes in reference data, such as those of people: KL divergence from it.
        entropy: correction of the bias of small numbers of rollouts.
        kernel: similarity of two embeddings; "rbf" needs a ``bandwidth`` fixed before looking (else the median
            distance is taken, and a warning says so).
        bandwidth: of "rbf", in units of the embedding.
        order: order q of the Vendi score.
        at: number of points a seed at which Vendi scores are compared; None: the fewest of any seed, five or more.
        floor: fitness from which the QD-score counts.
        state: columns of the state in a table; for policies the dim of states.
        action: columns of the action; for policies the dim of actions.
        reward: column of the reward; a return is its sum over an episode.
        episode: column that numbers episodes within a seed.
        bins: equal bins over the range of all data for columns that hold fractions (one number, or by column).
        replay: data set of the whole training, against which SACo is counted.
        random: return of a random policy, or the data set that has it.
        best: return of the best policy, or the data set that has it.
        rollout: dim of rollouts.
        context: dim of contexts (initial states).
        feature: dim of features.
        cell: dim or dims of the cells of an archive.
        along: dim of records of an archive; must have a coordinate.
        by: dim or column of conditions, or None.
        seeds: dim or column of seeds.
        threshold: value of the main measure above which one condition counts as diverse: share of the largest
            entropy, evenness of the Vendi score, coverage, SACo.
        margin: smallest difference of two conditions that matters, for a verdict "no difference".
        paired: seeds of equal label share their randomness across conditions.
        level: confidence level.
        draws: bootstrap draws and relabellings, at least 99.
        rng: seed or generator.

    Returns:
        A `Result`. One condition: "diverse", "narrow" or "inconclusive" against ``threshold``; two: "more diverse",
        "less diverse", "more diverse, less able", "less diverse, more able", "no difference" (only with a ``margin``)
        or "inconclusive"; more: "differ" or "inconclusive". Tables: "seeds", "conditions", "contrasts",
        "decomposition", "curve", and by kind "modes", "contexts", "pairs".

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    if not np.isfinite(threshold):
        raise UserError(f"diversity: threshold must be a number, got {threshold}")
    if margin is not None and not margin > 0:
        raise UserError(f"diversity: margin must be above 0, got {margin}")
    if not 0 < level < 1:
        raise UserError(f"diversity: level must be in (0, 1), got {level}")
    if draws < 99:
        raise UserError(f"diversity: draws must be at least 99, got {draws}")
    if bandwidth is not None and not 0 < bandwidth < np.inf:
        raise UserError(f"diversity: bandwidth must be above 0, got {bandwidth}")
    if not order >= 0:
        raise UserError(f"diversity: order must be at least 0, got {order}")
    if at is not None and at < 2:
        raise UserError(f"diversity: at must be at least 2, got {at}")
    source = np.random.default_rng(rng)
    plan = Plan(threshold, margin, paired, level, max(draws, 100), source)
    cells = [cell] if isinstance(cell, str) else list(cell)
    if isinstance(data, pd.DataFrame):
        given: dict[str, Any] = {"state": state, "action": action, "reward": reward, "episode": episode, "bins": bins}
        found = of_dataset(data, **given, replay=replay, random=random, best=best, by=by, seeds=seeds)
    else:
        array = pick(as_dataset(data), var, [success if isinstance(success, str) else None, "ended", "censored"])
        if set(cells) <= set(array.dims):
            time = as_time(array, along)
            if len(cells) > 1:
                array = array.stack(__cell=cells)
            if time is None:
                array = array.expand_dims(along)
            block = read_block(array, by, seeds, [along, "__cell" if len(cells) > 1 else cells[0]])
            found = of_archive(block, time, floor, along=along)
        elif isinstance(action, str) and action in array.dims and isinstance(state, str):
            found = of_policies(read_block(array, by, seeds, [state, action]))
        elif feature in array.dims:
            block = read_block(array, by, seeds, [rollout, feature])
            won = None if success is None else beside(data, success, block, "success", [rollout])
            scale: dict[str, Any] = {"kernel": kernel, "bandwidth": bandwidth, "order": order, "at": at}
            found = of_embeddings(block, won, **scale, rng=source)
        else:
            contexts = context in array.dims
            block = read_block(array if contexts else array.expand_dims(context), by, seeds, [context, rollout])
            won = None if success is None else beside(data, success, block, "success", [context, rollout])
            found = of_labels(
                block, won, modes=modes, reference=reference, contexts=contexts, how=entropy,
                level=level, draws=draws, rng=source,
            )  # fmt: skip
    return _result(found, plan, rng, {
        "success": f"array {success.name!r}" if isinstance(success, xr.DataArray) else success,
        "modes": modes if modes is None or isinstance(modes, int) else [str(m) for m in modes],
        "reference": None if reference is None else {str(k): float(v) for k, v in reference.items()},
        "entropy": entropy, "kernel": kernel, "bandwidth": bandwidth, "order": order, "at": at, "floor": floor,
        "bins": bins, "replay": replay, "random": random, "best": best, "along": along, "by": by, "seeds": seeds,
        "threshold": threshold, "margin": margin, "paired": paired, "level": level, "draws": draws,
    })  # fmt: skip


def _result(found: Found, plan: Plan, rng: int | np.random.Generator, params: dict[str, Any]) -> Result:
    measures, main = measure_table(found, plan)
    contrasts, kept = contrast_table(found, plan)
    parts = pd.DataFrame(found.parts, columns=PARTS)
    verdict, headline, e, p, null, effect = judge(found, main, contrasts, kept, plan)
    words, warnings = describe(found, measures, contrasts, parts, plan, verdict)
    if not found.has_seeds:
        warnings.insert(0, "there is no dim of seeds: everything here is within one run only")
    counts = [int((np.array([r["condition"] for r in found.rows]) == c).sum()) for c in main]
    seeds = pd.DataFrame(found.rows) if found.rows else pd.DataFrame(columns=["condition", "seed", found.main])
    return Result(
        instrument="diversity",
        question=f"How many different behaviours does {found.observable} show?",
        verdict=verdict,
        estimate=e,
        headline=headline,
        p=p,
        null=Null(null, plan.draws),
        effect=Effect(*effect),
        n_seeds=min(counts, default=0) if found.has_seeds else 1,
        tables={
            "seeds": seeds,
            "conditions": measures,
            "contrasts": contrasts,
            "decomposition": parts,
            "curve": curve_table(found),
            **found.tables,
        },
        diagnostics=_diagnostics(found),
        warnings=(*found.notes, *warnings),
        words=words,
        cannot_see=_CANNOT_SEE + found.blind,
        params={"kind": found.kind, "main": found.main, "compare": found.compare, **params},
        provenance=provenance(found.digest, rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._diversity_plot import draw

    return draw(result)


def _diagnostics(found: Found) -> xr.Dataset:
    attrs = {"kind": found.kind, "main": found.main, "able": found.able, "name": found.name}
    if found.curve is None:
        return xr.Dataset(attrs=attrs | {"x_name": "", "y_name": ""})
    x, y, x_name, y_name = found.curve
    conditions = list(dict.fromkeys(str(r["condition"]) for r in found.rows))
    return xr.Dataset(
        {"curve": (("condition", "seed", "x"), y)},
        coords={"condition": conditions, "x": x},
        attrs=attrs | {"x_name": x_name, "y_name": y_name},
    )
