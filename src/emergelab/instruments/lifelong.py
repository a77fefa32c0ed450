"""lifelong: does a learner keep what it learned, and does one task help another, over a whole sequence of tasks?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from emergelab.errors import UserError, nearest
from emergelab.instruments._lifelong_log import Lifetime, digest, prepare, read_log
from emergelab.instruments._lifelong_matrix import Matrices, from_array, from_lifetimes, matrix_metrics
from emergelab.instruments._lifelong_metrics import CONTRASTS, LOGS, Measured, measure
from emergelab.instruments._lifelong_tables import (
    FROM_LOGS,
    FROM_MATRICES,
    NAMES,
    Lifetimes,
    Plan,
    contrast_table,
    metric_table,
    order_table,
    trade_off_table,
)
from emergelab.instruments._lifelong_words import CANNOT_SEE, cautions, describe, order_name
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import Estimate

__all__ = ["lifelong"]

_OF_MATRIX = ("ACC", "BWT", "FWT", "forgetting", "intransigence", "plasticity", "LA", "anytime", "gap")
_OF_LOG = ("PM", "FT", "BT", "RP", "SE", "PR", "train", "test")
_TASK_COLUMNS = [
    "condition",
    "seed",
    "task",
    "PM",
    "RP",
    "SE",
    "PR",
    "experts",
    "experiences",
    "experiences_to_saturation",
]
_PAIR_COLUMNS = ["condition", "seed", "from", "to", "direction", "occasion", "before", "after", "ratio", "alone"]


def lifelong(
    data: Any,
    var: str | None = None,
    *,
    experts: Any = None,
    trained: str | Sequence[Any] | xr.DataArray | None = None,
    baseline: float | str | Mapping[str, float] | xr.DataArray | None = None,
    reference: float | str | Mapping[str, float] | xr.DataArray | None = None,
    metric: str | None = None,
    margin: float | None = None,
    control: str | None = None,
    along: str = "stage",
    task: str = "task",
    by: str | None = "condition",
    seeds: str = "seed",
    variants: Literal["aware", "agnostic"] = "aware",
    smoothing: int | None = None,
    clamp: bool = False,
    scale: Literal["task", "lifetime", "together"] | None = "task",
    ranges: Mapping[str, tuple[float, float]] | None = None,
    maintenance: Literal["evaluation", "training"] = "evaluation",
    saturation: Literal["maximum", "change point"] = "maximum",
    aggregate: Literal["mean", "median"] = "mean",
    orders: Literal["auto", "random", "fixed"] = "auto",
    paired: bool = False,
    level: float = 0.95,
    draws: int = 1999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Measure continual learning over lifetimes; a lifetime is one seed that meets tasks in one order.

    Two kinds of data are read. A *log* of learning and evaluation blocks gives the six metrics of Baker et al. (2023):
    performance maintenance PM, forward and backward transfer FT and BT, relative performance RP, sample efficiency SE,
    performance recovery PR; and a matrix R besides. A *matrix* R (performance on task j after stage i) gives ACC, BWT,
    FWT, forgetting, intransigence, plasticity, learning accuracy LA, anytime performance and the stability gap. Each
    metric is tested against its neutral value over lifetimes (ratios on the log scale), Holm over the metrics.

    Args:
        data: a log: a pandas table with the columns (``by``, ``seeds``, "block", "block_type" of "train" or "test",
            ``task``, "experience", performance), also under the names of l2logger ("block_num", "task_name",
            "exp_num", "run"); an xarray record with a coordinate "block_type" and the others; or one or several
            folders written by l2logger. Or a matrix: a Run, Dataset or DataArray with dims among (``by``, ``seeds``)
            and ``along``, ``task``; several records a stage are welcome.
        var: the performance, more is better; may be left out where it is plain.
        experts: log of single-task experts, needed for RP and SE: columns ``task``, "experience", performance, and
            ``seeds``. Lifetimes are matched to experts of their own seed where all have one.
        trained: matrix only: which task each record has learned, as labels along ``along`` (a name, a list or an
            array). None: read from the labels of ``along``, or the tasks in their order.
        baseline: matrix only: performance of an untrained learner by task, for FWT and plasticity. None: records
            before the first learning.
        reference: matrix only: performance of a learner trained on a task alone or on all at once, for intransigence.
        metric: the claim is about this one; None: PM for a log, BWT for a matrix. Name it before looking.
        margin: smallest value of the metric (for a ratio: of ratio - 1) that matters; needed to say that nothing
            changed.
        control: a condition that meets the same blocks without learning; PM and BWT are counted from its values, so
            noise of the evaluations does not look like forgetting.
        along: dim of the stages of a matrix.
        task: dim or column of tasks.
        by: dim or column of conditions (methods), or None.
        seeds: dim or column of lifetimes.
        variants: "agnostic" takes the part of a task's name before "_" for the task.
        smoothing: window of the moving average over learning curves; None: a fifth of the block, at most 100; 1: none.
        clamp: cut performance to the 10% and 90% quantiles of each task first.
        scale: performance is scaled to [1, 101]: over all lifetimes and experts of a "task" (for one lifetime this is
            the published way), within each "lifetime" (hides a collapse), or over all tasks "together"; None: not.
        ranges: known ends of the scale by task, instead of those of the data.
        maintenance: "evaluation" holds later evaluations against the first one after learning, "training" against the
            end of the learning block.
        saturation: "maximum" of the smoothed curve, as published (it grows with the length of a noisy record), or the
            "change point" where a straight rise ends.
        aggregate: mean or median over the tasks or pairs of a lifetime.
        orders: "random": the order of tasks is the unit wherever lifetimes share orders; "fixed": the lifetime is;
            "auto": the order is where there are five or more.
        paired: lifetimes of equal seed and order share their randomness across conditions.
        level: confidence level.
        draws: bootstrap draws and relabellings, at least 99.
        rng: seed or generator.

    Returns:
        A `Result`. One condition: on PM and BWT "improves", "forgets", "keeps" (only with a ``margin``) or
        "inconclusive", with like words for the other metrics; two: "better", "worse", "no difference" (only with a
        ``margin``), "inconclusive"; more: "differ" or "inconclusive". No verdict is given below ten lifetimes a
        condition. Tables: "lifetimes", "metrics", "contrasts", "tasks", "pairs", "matrix", "trade_offs", "orders".

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    _check(margin, level, draws, smoothing)
    for name, value, known in (
        ("variants", variants, ("aware", "agnostic")),
        ("scale", scale, ("task", "lifetime", "together", None)),
        ("maintenance", maintenance, ("evaluation", "training")),
        ("saturation", saturation, ("maximum", "change point")),
        ("aggregate", aggregate, ("mean", "median")),
        ("orders", orders, ("auto", "random", "fixed")),
    ):
        if value not in known:
            raise UserError(f"lifelong: {name} must be one of {', '.join(map(str, known))}, got {value!r}")
    by_expert: dict[str, dict[str, Any]] = {}
    family: tuple[str, ...]
    metrics: tuple[str, ...]
    shared, tasks, pairs = False, pd.DataFrame(columns=_TASK_COLUMNS), pd.DataFrame(columns=_PAIR_COLUMNS)
    if _is_log(data):
        if trained is not None or baseline is not None or reference is not None:
            raise UserError("lifelong: trained, baseline and reference belong to a matrix; a log holds them itself")
        names: dict[str, Any] = {"task": task, "by": by, "seeds": seeds, "variants": variants}
        lives, notes, name = read_log(data, var, role="log", **names)
        held, more, _ = ([], [], "") if experts is None else read_log(experts, var, role="experts", **names)
        scaled, also, shared = prepare(lives, held, smoothing=smoothing, clamp=clamp, scale=scale, ranges=ranges)
        measured = [measure(s, maintenance=maintenance, saturation=saturation, aggregate=aggregate) for s in scaled]
        matrices = from_lifetimes([s.life for s in scaled], [s.experts for s in scaled])
        labels = [{"condition": v.condition, "seed": v.seed} for v in lives]
        lifetimes = pd.DataFrame(
            [
                at
                | {"order": order_name(v.order), "tasks": len(v.tasks)}
                | m.values
                | _matrix_row(matrices, v.condition, v.seed)
                for at, v, m in zip(labels, lives, measured, strict=True)
            ],
            columns=["condition", "seed", "order", "tasks", *_OF_LOG, *LOGS.values(), *CONTRASTS.values(), *_OF_MATRIX],
        )
        if lives:
            tasks = pd.DataFrame([at | row for at, m in zip(labels, measured, strict=True) for row in m.tasks])
            rows = [at | row for at, m in zip(labels, measured, strict=True) for row in m.pairs]
            pairs = pd.DataFrame(rows) if rows else pairs
        if shared:
            by_expert = _by_expert(lives, measured)
        family, metrics, code = FROM_LOGS, (*FROM_LOGS, *_OF_MATRIX), digest(lives, held)
        notes, has_seeds = [*notes, *more, *also], len(lives) > 1
    else:
        if experts is not None:
            raise UserError("lifelong: experts belong to a log; give a matrix its reference=...")
        matrices = from_array(data, var, trained, baseline, reference, along=along, task=task, by=by, seeds=seeds)
        lifetimes = _from_matrices(matrices)
        family, metrics, code, name = FROM_MATRICES, _OF_MATRIX, matrices.digest, matrices.name
        notes, has_seeds = list(matrices.notes), matrices.has_seeds
    metric = metric or family[0]
    if metric not in family:
        raise UserError(f"lifelong: the verdict cannot be about metric {metric!r}{nearest(metric, family)}")
    all_ = Lifetimes(_columns(lifetimes), by_expert)
    conditions = all_.conditions
    if control is not None and control not in conditions:
        raise UserError(f"lifelong: no condition {control!r} to be the control{nearest(control, conditions)}")
    source = np.random.default_rng(rng)
    plan = Plan(family, metric, margin, control, orders, paired, level, max(draws, 100), source)
    table, found = metric_table(all_, metrics, plan)
    contrasts, differences = contrast_table(all_, family, plan)
    trades = trade_off_table(all_, plan)
    verdict, headline, estimate, p, null, effect = _verdict(table, found, contrasts, differences, plan)
    if not has_seeds:
        notes.append("there is one lifetime: everything here is within one run only")
    if scale == "lifetime" and len(lifetimes) > 1:
        notes.append("each lifetime is scaled by its own range, which hides a lifetime that collapsed as a whole")
    return Result(
        instrument="lifelong",
        question=f"Does {name} last and carry over from task to task?",
        verdict=verdict,
        estimate=estimate,
        headline=headline,
        p=p,
        null=null,
        effect=effect,
        n_seeds=min((int((all_.columns["condition"] == c).sum()) for c in conditions), default=0),
        tables={
            "lifetimes": lifetimes,
            "metrics": table,
            "contrasts": contrasts,
            "tasks": tasks,
            "pairs": pairs,
            "matrix": _matrix_table(matrices),
            "trade_offs": trades,
            "orders": order_table(all_, plan),
        },
        diagnostics=_diagnostics(matrices, name, "log" if family is FROM_LOGS else "matrix"),
        warnings=(*notes, *cautions(lifetimes, table, tasks, pairs, shared=shared, smoothed=smoothing != 1, plan=plan)),
        words=describe(table, contrasts, trades, plan, verdict),
        cannot_see=CANNOT_SEE,
        params={
            "metric": metric,
            "margin": margin,
            "control": control,
            "along": along,
            "task": task,
            "by": by,
            "seeds": seeds,
            "variants": variants,
            "smoothing": smoothing,
            "clamp": clamp,
            "scale": scale,
            "ranges": None if ranges is None else {k: list(v) for k, v in ranges.items()},
            "maintenance": maintenance,
            "saturation": saturation,
            "aggregate": aggregate,
            "orders": orders,
            "paired": paired,
            "level": level,
            "draws": draws,
        },
        provenance=provenance(code, rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._lifelong_plot import draw

    return draw(result)


def _check(margin: float | None, level: float, draws: int, smoothing: int | None) -> None:
    if margin is not None and not margin > 0:
        raise UserError(f"lifelong: margin must be above 0, got {margin}")
    if not 0 < level < 1:
        raise UserError(f"lifelong: level must be in (0, 1), got {level}")
    if draws < 99:
        raise UserError(f"lifelong: draws must be at least 99, got {draws}")
    if smoothing is not None and smoothing < 1:
        raise UserError(f"lifelong: smoothing must be at least 1, got {smoothing}")


def _is_log(data: Any) -> bool:
    if isinstance(data, pd.DataFrame | str | Path):
        return True
    if isinstance(data, xr.Dataset | xr.DataArray):
        return "block_type" in data.coords or (isinstance(data, xr.Dataset) and "block_type" in data)
    return isinstance(data, Sequence) and len(data) > 0 and all(isinstance(d, str | Path) for d in data)


def _columns(lifetimes: pd.DataFrame) -> dict[str, np.ndarray]:
    words = ("condition", "seed", "order")
    return {str(c): np.asarray(lifetimes[c], dtype=object if c in words else float) for c in lifetimes.columns}


def _by_expert(lives: Sequence[Lifetime], measured: Sequence[Measured]) -> dict[str, dict[str, Any]]:
    """Mean over the lifetimes of a condition of RP and SE against every expert that they share."""
    out: dict[str, dict[str, Any]] = {}
    for condition in dict.fromkeys(v.condition for v in lives):
        own = [m.by_expert for v, m in zip(lives, measured, strict=True) if v.condition == condition]
        for column in own[0]:
            fewest = min(len(b[column]) for b in own)
            rows = np.stack([b[column][:fewest] for b in own])
            complete = rows[np.isfinite(rows).all(axis=1)]
            out.setdefault(column, {})[condition] = complete.mean(axis=0) if len(complete) else np.empty(0)
    return out


def _matrix_row(matrices: Matrices, condition: str, seed: Any) -> dict[str, float]:
    at = matrices.conditions.index(condition), [str(s) for s in matrices.seeds].index(str(seed))
    return matrix_metrics(matrices.values[at], matrices.trained[at], matrices.baseline[at], matrices.reference[at])


def _from_matrices(m: Matrices) -> pd.DataFrame:
    rows = []
    for i, condition in enumerate(m.conditions):
        for k, seed in enumerate(m.seeds):
            if not np.isfinite(m.values[i, k]).any():
                continue
            steps = m.trained[i, k]
            taught = [m.tasks[j] for j in steps[np.flatnonzero(np.diff(steps, prepend=-2))] if j >= 0]
            found = matrix_metrics(m.values[i, k], steps, m.baseline[i, k], m.reference[i, k])
            order = order_name(taught)
            rows.append({"condition": condition, "seed": seed, "order": order, "tasks": len(set(taught))} | found)
    return pd.DataFrame(rows, columns=["condition", "seed", "order", "tasks", *_OF_MATRIX])


def _matrix_table(m: Matrices) -> pd.DataFrame:
    """R as a long table, one row a condition, record and task: mean and spread over lifetimes."""
    seen = np.isfinite(m.values)
    count = seen.sum(axis=1)
    mean = np.where(count > 0, np.where(seen, m.values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
    square = np.where(seen, (np.nan_to_num(m.values) - np.nan_to_num(mean)[:, None]) ** 2, 0.0).sum(axis=1)
    sd = np.where(count > 1, np.sqrt(square / np.maximum(count - 1, 1)), np.nan)
    index = pd.MultiIndex.from_product([m.conditions, m.records, m.tasks], names=["condition", "record", "task"])
    columns = {"lifetimes": count.ravel(), "mean": mean.ravel(), "sd": sd.ravel()}
    return pd.DataFrame(columns, index=index).reset_index()


def _diagnostics(m: Matrices, name: str, kind: str) -> xr.Dataset:
    dims = ("condition", "seed")
    return xr.Dataset(
        {
            "R": ((*dims, "record", "task"), m.values),
            "trained": ((*dims, "record"), m.trained),
            "baseline": ((*dims, "task"), m.baseline),
            "reference": ((*dims, "task"), m.reference),
        },
        coords={
            "condition": list(m.conditions),
            "seed": [str(s) for s in m.seeds],
            "record": list(m.records),
            "task": list(m.tasks),
        },
        attrs={"observable": name, "unit": m.unit, "kind": kind},
    )


def _verdict(
    table: pd.DataFrame,
    found: Mapping[tuple[str, str], Estimate],
    contrasts: pd.DataFrame,
    differences: Sequence[Estimate],
    plan: Plan,
) -> tuple[str, str, Estimate, float, Null, Effect]:
    nan = float("nan")
    about = NAMES[plan.metric]
    of_metric = contrasts["metric"] == plan.metric
    if of_metric.any():
        rows = contrasts[of_metric]
        best = int(np.nanargmin(rows["p_holm"])) if rows["p_holm"].notna().any() else 0
        row, e = rows.iloc[best], differences[int(rows.index[best])]
        decided = rows["verdict"].isin(["better", "worse"]).any()
        verdict = str(row["verdict"]) if len(rows) == 1 else "differ" if decided else "inconclusive"
        headline = f"{about} ({row['scale']}), {row['a']} minus {row['b']}"
        headline += f" (the clearest of {len(rows)} contrasts)" if len(rows) > 1 else ""
        null = Null("signs of differences flipped" if plan.paired else "lifetimes relabelled", plan.draws)
        return verdict, headline, e, float(row["p_holm"]), null, _effect(e)
    own = table[(table["metric"] == plan.metric) & (table["condition"] != plan.control)] if len(table) else table
    if own.empty:
        nothing = Estimate(nan, nan, nan, plan.level, "no lifetime", 0)
        return "inconclusive", about, nothing, nan, Null("none", 0), Effect("mean / sd of lifetimes", nan)
    row = own.iloc[0]
    e = found[str(row["condition"]), plan.metric]
    headline = about if row["scale"] == "difference" else f"{about} ({row['scale']})"
    null = Null(f"{plan.metric} at its neutral value ({e.method})", plan.draws)
    return str(row["verdict"]), headline, e, float(row["p_holm"]), null, _effect(e)


def _effect(e: Estimate) -> Effect:
    sized = np.isfinite(e.sd) and e.sd > 0
    return Effect("mean / sd of lifetimes", float(e.value / e.sd) if sized else float("nan"))
