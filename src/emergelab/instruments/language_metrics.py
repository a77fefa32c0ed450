"""language_metrics: is the emergent language informative, structured, stable, shared?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset
from emergelab.instruments._language_metrics_engine import (
    DISTANCE,
    Engine,
    affordable,
    at_last_of,
    curves_of,
    last_of,
    orders_of,
    plain_curves,
)
from emergelab.instruments._language_metrics_extra import EXTRA
from emergelab.instruments._language_metrics_information import INFORMATION
from emergelab.instruments._language_metrics_read import Languages, read_languages, read_meanings
from emergelab.instruments._language_metrics_tests import (
    against_chance,
    alike,
    contrasts,
    crossplay,
    listening,
    sign_of,
    summary,
    synchrony,
    transmission,
    trends,
    with_generalisation,
)
from emergelab.instruments._language_metrics_words import CANNOT_SEE, cautions, describe, undefined_table, verdict_of
from emergelab.instruments.result import Result, provenance

__all__ = ["language_metrics"]


def language_metrics(
    data: Any,
    var: str | None = None,
    *,
    meanings: str | xr.DataArray | None = None,
    distance: str | xr.DataArray | np.ndarray = "hamming",
    metric: str = "topsim",
    metrics: str = "core",
    normalise: str = "max",
    eos: int | str | None = None,
    generalisation: str | xr.DataArray | None = None,
    accuracy: xr.DataArray | None = None,
    policy: xr.DataArray | None = None,
    margin: float | None = None,
    paired: bool = False,
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    agent: str = "agent",
    item: str = "item",
    position: str = "position",
    attribute: str = "attribute",
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Measure emergent languages, each number against what the same messages give when items swap their messages.

    Chance is not zero: a random code of 100 items has a positional disentanglement of about 0.04. So every metric that
    depends on which item has which message comes with the mean and spread of its relabelled values, a z and a p. A
    metric that is undefined (one word for everything) is NaN with a reason, never 0.

    Args:
        data: a Run, Dataset or DataArray with the messages: strings with dims among (``by``, ``seeds``, ``along``,
            ``agent``, ``item``), or whole numbers with ``position`` as well (negative or NaN: no symbol).
        var: name of the messages; default "messages", or the only variable.
        meanings: attributes (``item``, ``attribute``), values of any type; default the variable "meanings".
        distance: distance of meanings: a name, or a matrix (item, item); with a matrix and no ``meanings`` the metrics
            that need attributes are undefined.
        metric: the metric of the verdict: "topsim" (Spearman), "mantel_r" (Pearson), "posdis", "bosdis",
            "informativeness", "consistency", or with ``metrics="all"`` one of "context_independence", "symbol_match",
            "reconstruction", "residual_entropy", "read_attribute", "read_exact". Choose it before looking.
        metrics: "distance" (topsim, mantel_r), "core" (with disentanglement and information) or "all".
        normalise: edit distance as it is ("raw"), over the longer ("max") or the mean length ("mean").
        eos: symbol at which a message ends; it and what follows are cut.
        generalisation: success on new meanings, dims among (``by``, ``seeds``, ``along``); correlated with all metrics.
        accuracy: success of pairs of agents, dims (``seeds``, "speaker", "listener"): cross-play minus self-play.
        policy: probabilities of a listener's actions, dims (``seeds``, "message", "action", ...): positive listening.
        margin: smallest excess over chance that matters, for "not structured" and "no difference".
        paired: seeds of equal label share their randomness across conditions.
        along: dim of training steps or generations; needs a coordinate.
        by: dim of conditions, or None.
        seeds: dim of seeds (chains). Agents and generations within one are no replicates.
        agent: dim of the agents of one seed; their metrics are averaged.
        item: dim of meanings.
        position: dim of symbols in a message of numbers.
        attribute: dim of attributes.
        level: confidence level.
        draws: relabellings of the items (all of them up to 7 items) and bootstrap draws. Records before the last get
            fewer where there are many languages; params["draws_earlier"] says how many.
        rng: seed or generator.

    Returns:
        A `Result`. One condition: "structured" (above chance together, and in most seeds), "structured in some seeds",
        "not structured" (only with ``margin``), "inconclusive" or "undefined". Two: "more structured" or "less
        structured" (the first against the second), "no difference", "inconclusive"; more: "differ" or "inconclusive".
        Tables: "summary", "seeds", "trends", "contrasts", "sensitivity", "stability", "generalisation", "undefined".
        Diagnostics hold every metric over (condition, seed, time) with _chance, _sd, _z, _p.

    Raises:
        UserError: the arguments do not fit the data or each other, or rapidfuzz is not installed.
    """
    known = {
        "distance": DISTANCE,
        "core": (*DISTANCE, *INFORMATION),
        "all": (*DISTANCE, *INFORMATION, *EXTRA),
    }
    if metrics not in known:
        raise UserError(f"language_metrics: no set of metrics {metrics!r}{nearest(metrics, known)}")
    if metric not in known[metrics]:
        hint = "; it needs metrics='all'" if metric in known["all"] else nearest(metric, known[metrics])
        raise UserError(f"language_metrics: no metric {metric!r}{hint}")
    if normalise not in ("raw", "max", "mean"):
        raise UserError(f"language_metrics: normalise must be raw, max or mean, got {normalise!r}")
    if draws < 99:
        raise UserError(f"language_metrics: draws must be at least 99, got {draws}")
    if not 0 < level < 1:
        raise UserError(f"language_metrics: level must be in (0, 1), got {level}")
    if margin is not None and margin <= 0:
        raise UserError(f"language_metrics: margin must be above 0, got {margin}")
    source = np.random.default_rng(rng)
    block = read_languages(
        data, var, along=along, by=by, seeds=seeds, agent=agent, item=item, position=position, eos=eos
    )
    meaning = read_meanings(data, meanings, distance, len(block.items), block.items, item, attribute)
    outcome = _outcome(data, generalisation, block, along, by, seeds)
    engine = Engine(block, meaning, metrics, normalise, source)
    # a stream of its own: a user who made random messages from the same seed must not meet them again as relabellings
    orders = orders_of(len(block.items), draws, source.spawn(1)[0])
    at_last = last_of(block.present)
    last = engine.at(at_last, orders)
    fewer = affordable(engine, int(block.present.sum() - at_last.sum()), draws)
    curves = curves_of(engine, block, at_last, last, orders, fewer)
    simple = plain_curves(block)
    stable = {"transmission_error": transmission(block)}
    if len(block.agents) > 1:
        stable["synchrony_error"] = synchrony(block)
    last_plain = {name: at_last_of(values, block) for name, values in {**simple, **stable}.items()}
    table, excess = summary(last, last_plain, block.conditions, level, draws, source)
    tables: dict[str, pd.DataFrame] = {"summary": table, "seeds": _seed_table(block, last, last_plain)}
    moving = {name: curves[name]["value"] for name in last} | {f"{metric}_z": curves[metric]["z"]} | simple | stable
    tables["trends"] = trends(moving if block.timed else {}, block.conditions, block.time, level, draws, source)
    parts = against_chance(last[metric], sign_of(metric))
    tables["contrasts"], gaps = contrasts(
        parts["value"] - parts["chance"],
        block.conditions,
        sign=sign_of(metric),
        paired=paired,
        margin=margin,
        level=level,
        draws=draws,
        rng=source,
    )
    tables["sensitivity"] = engine.sensitivity(at_last, orders)
    tables["stability"] = _stability(block, orders, accuracy, policy, seeds, table, metrics, level, draws, source)
    every = {name: values[..., 0] for name, values in last.items()} | last_plain
    if outcome is not None:
        tables["generalisation"] = with_generalisation(every, outcome, block.conditions, draws, source)
    else:
        tables["generalisation"] = pd.DataFrame(columns=["metric", "condition", "rho", "p", "seeds", "disagree"])
    tables["undefined"] = undefined_table(block, meaning, curves, metrics)
    found = verdict_of(block, metric, table, excess, tables["contrasts"], gaps, margin, level, len(orders) - 1)
    warnings = [*block.notes, *cautions(block, metric, tables, engine.pairs.complete, fewer, draws, level)]
    return Result(
        instrument="language_metrics",
        question=f"Is the language of {block.name} structured, informative, stable and shared?",
        verdict=found.verdict,
        estimate=found.estimate,
        headline=found.headline,
        p=found.p,
        null=found.null,
        effect=found.effect,
        n_seeds=len(block.seeds) if block.has_seeds else 1,
        tables=tables,
        diagnostics=_diagnostics(block, curves, simple, stable, metric),
        warnings=tuple(warnings),
        words=describe(block, metric, found.verdict, tables, level),
        cannot_see=CANNOT_SEE,
        params={
            "metric": metric, "metrics": metrics, "distance": meaning.words, "normalise": normalise, "eos": eos,
            "generalisation": getattr(generalisation, "name", generalisation), "margin": margin, "paired": paired,
            "along": along, "by": by, "seeds": seeds, "level": level, "draws": draws, "draws_earlier": fewer,
        },
        provenance=provenance(block.digest, rng),
        _draw=_draw,
    )  # fmt: skip


def _draw(result: Result) -> Any:
    from emergelab.instruments._language_metrics_plot import draw

    return draw(result)


def _outcome(
    data: Any, generalisation: str | xr.DataArray | None, block: Languages, along: str, by: str | None, seeds: str
) -> Float[np.ndarray, "condition seed"] | None:
    """Generalisation at the last record of each seed's language."""
    if generalisation is None:
        return None
    if isinstance(generalisation, str):
        source = as_dataset(data)
        if not isinstance(source, xr.Dataset) or generalisation not in source:
            names = [str(v) for v in source.data_vars] if isinstance(source, xr.Dataset) else []
            raise UserError(f"language_metrics: no variable {generalisation!r}{nearest(generalisation, names)}")
        array = source[generalisation]
    else:
        array = generalisation
    order = [d for d in (by, seeds, along) if d]
    more = [str(d) for d in array.dims if d not in order]
    if more:
        raise UserError(f"language_metrics: generalisation also has the dims {', '.join(more)}; reduce them first")
    if along in array.dims and along in array.coords:
        array = array.sortby(along)
    for d in order:
        if d not in array.dims:
            array = array.expand_dims(d)
    values = array.transpose(*order).values.astype(float)
    values = np.where(np.abs(values) < 1e100, values, np.nan)
    if not by:
        values = values[None]
    c, s, t = block.present.shape[:3]
    if values.shape[:2] != (c, s) or values.shape[2] not in (1, t):
        raise UserError(
            f"language_metrics: generalisation has {values.shape} conditions, seeds and times, the messages {(c, s, t)}"
        )
    return at_last_of(np.broadcast_to(values, (c, s, t)).copy(), block)


def _seed_table(
    block: Languages,
    last: dict[str, Float[np.ndarray, "condition seed draw"]],
    last_plain: dict[str, Float[np.ndarray, "condition seed"]],
) -> pd.DataFrame:
    c, s = block.present.shape[:2]
    columns: dict[str, Any] = {
        "condition": np.repeat(np.array(block.conditions, dtype=object), s),
        "seed": list(block.seeds) * c,
    }
    some = np.asarray(block.present.any(axis=-1))
    place = some.shape[2] - 1 - np.argmax(some[..., ::-1], axis=-1)
    columns["last_record"] = np.where(some.any(axis=-1), block.time[place], np.nan).ravel()
    for name, table in last.items():
        for part, values in against_chance(table, sign_of(name)).items():
            columns[name if part == "value" else f"{name}_{part}"] = values.ravel()
    for name, plain_values in last_plain.items():
        columns[name] = plain_values.ravel()
    return pd.DataFrame(columns)


def _stability(
    block: Languages,
    orders: Int[np.ndarray, "draw item"],
    accuracy: xr.DataArray | None,
    policy: xr.DataArray | None,
    seeds: str,
    table: pd.DataFrame,
    metrics: str,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Change over records, agreement of agents and of seeds, cross-play and listening; one row a quantity."""
    rows = []
    for row in table[table["metric"].isin(["transmission_error", "synchrony_error"])].itertuples():
        rows.append((row.condition, row.metric, row.value, row.low, row.high, np.nan, np.nan, row.seeds))
    some = orders[:100]
    for c, condition in enumerate(block.conditions):
        here = last_of(block.present)[c]
        first = [(s, *np.argwhere(here[s])[0]) for s in range(here.shape[0]) if here[s].any()]
        messages = np.array([block.codes[c, s, t, a] for s, t, a in first])
        if len(first) > 1 and metrics != "distance":
            values, plain_share, count = alike(messages, some, len(block.symbols))
            parts = against_chance(values[None], 1.0)
            same = (condition, "same_language_renamed", values[0], np.nan, np.nan)
            rows.append((*same, float(parts["chance"][0]), float(parts["p"][0]), count))
            rows.append((condition, "same_language", plain_share, np.nan, np.nan, np.nan, np.nan, count))
    for name, given, dims, function in (
        ("crossplay_minus_selfplay", accuracy, ("speaker", "listener"), crossplay),
        ("positive_listening", policy, ("message", "action"), listening),
    ):
        if given is None:
            continue
        given = given if seeds in given.dims else given.expand_dims(seeds)
        missing = [d for d in dims if d not in given.dims]
        if missing:
            raise UserError(f"language_metrics: {name} needs the dims {', '.join(dims)}; {missing[0]!r} is missing")
        e = function(given, seeds, level, draws, rng)
        rows.append(("all", name, e.value, e.low, e.high, np.nan, np.nan, e.n))
    return pd.DataFrame(rows, columns=["condition", "quantity", "value", "low", "high", "chance", "p", "n"])


def _diagnostics(
    block: Languages,
    curves: dict[str, dict[str, Float[np.ndarray, "condition seed time"]]],
    simple: dict[str, Float[np.ndarray, "condition seed time"]],
    stable: dict[str, Float[np.ndarray, "condition seed time"]],
    metric: str,
) -> xr.Dataset:
    dims = ("condition", "seed", block.time_name)
    variables: dict[str, Any] = {}
    for name, parts in curves.items():
        for part, values in parts.items():
            variables[name if part == "value" else f"{name}_{part}"] = (dims, values)
    for name, values in {**simple, **stable}.items():
        variables[name] = (dims, values)
    return xr.Dataset(
        variables,
        coords={"condition": list(block.conditions), "seed": list(block.seeds), block.time_name: block.time},
        attrs={
            "metric": metric,
            "time_name": block.time_name,
            "time_unit": block.time_unit,
            "timed": int(block.timed),
        },
    )
