"""change_points: where does the regime of a trajectory change, how surely, and is it the same place in all seeds?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._change_points_find import Errors, Found, Options, find
from emergelab.instruments._change_points_pieces import Count
from emergelab.instruments._change_points_seeds import Change, aligned, axis_of, consensus, is_odd, order_row
from emergelab.instruments._change_points_states import (
    check_states,
    map_states,
    map_tables,
    map_words,
    training_map,
)
from emergelab.instruments._change_points_words import CANNOT_SEE, cautions, describe, verdict_of
from emergelab.instruments._curves import Curves, beside, curves
from emergelab.instruments.result import Result, provenance

__all__ = ["change_points"]

Known: TypeAlias = float | str | xr.DataArray | None
"""A known standard error: a number, the name of a variable, an array, or nothing."""

_TRANSFORMS = ("none", "log", "logit", "rank")


def change_points(
    data: Any,
    var: str | Sequence[str] | None = None,
    *,
    cost: str = "mean",
    count: Count = "test",
    null: str = "trend+ar1",
    transform: str = "none",
    axis: str = "auto",
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    min_size: float | None = None,
    clip: float | None = 5.0,
    stderr: Known | Mapping[str, Known] = None,
    lags: int = 2,
    states: int | str | None = None,
    companion: str | Sequence[str] | None = None,
    hazard: float = 0.01,
    fraction: float = 0.5,
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Find where the regime of each seed changes, and say whether seeds change at the same place.

    A seed is first asked whether it changes at all: the largest studentised difference between neighbouring windows,
    over all places and window lengths, against the same maximum on surrogates that have its trend and its
    autocorrelation but no change. Only then are changes located: the best segmentation under a penalty measured from
    the noise inside the pieces, from which every change is dropped that does not pass a test of its own between its
    neighbours. "No change" is therefore a possible answer, and the usual one on noise.

    A change is known only to lie between two records, on grids as irregular as they come. Where the median gap of the
    grid is far from the rest ("auto": widest gap above twenty times the narrowest), slopes and shared places are read
    on the log axis; the autocorrelation of the null is always that of neighbouring records.

    With ``states`` a training map is drawn as well (Hu et al. 2023): a hidden Markov model over the observables of
    ``var``, its states shared by all seeds and conditions. Any slow curve can be cut into states, so steps between
    them are claimed only in seeds that pass the test of any change; where none does there is no map.

    Args:
        data: a Run, an `xarray.Dataset` or a `DataArray`, with dims among (``by``, ``seeds``, ``along``).
        var: name of the observable; several names are segmented jointly.
        cost: what changes: the level ("mean"), the "slope", the spread ("variance"), level and spread ("normal"), the
            marginal "distribution", the correlation of neighbours ("autocorrelation"), the level by "rank" (deaf to
            wild values, as Mann and Whitney's test), or the coefficients of an autoregression ("ar").
        count: "test": as many changes as pass their tests; "penalty": as many as the noise-aware penalty asks for;
            "bayes": the most probable segmentation into normal pieces; or a number of changes. Only "test" answers
            "no change" with a known error.
        null: what a record without a change is made of: "trend+ar1", "ar1" (both driven by the record's own
            innovations), or a name known to `emergelab.statistics.surrogates`.
        transform: "none", "log", "logit" or "rank", taken before anything else; "log" and "logit" put zeros (and
            ones) half of the smallest gap between two values away from the edge.
        axis: "linear", "log" or "auto": how time is read for slopes and for shared places.
        along: dim of time; it must have a coordinate.
        by: dim of conditions, or None. It may be missing.
        seeds: dim of seeds. If it is missing, everything is "within-run only".
        min_size: shortest regime, in units of time; None: five records, fewer where there are less than forty.
        clip: excursions shorter than a regime are cut to this many robust standard deviations; None: none are.
        stderr: known standard error of each record (a number, a variable's name or an array), or a mapping from
            observables to such; without a mapping it is that of the first observable.
        lags: of the autoregression of ``cost="ar"``.
        states: number of states of a training map; "bic" (one to six, by a BIC that counts correlated records as
            fewer), "held-out" (the fewest that are within one standard error of the best at seeds left out), or None.
        companion: other observables whose largest change is ordered against this one's, seed by seed.
        hazard: for ``count="bayes"``: prior chance of a change at a record, in (0, 1).
        fraction: "aligned" and "scattered" are said only if more than this share of seeds change.
        level: confidence level; tests are made at 1 - ``level``.
        draws: surrogates of the first test and random shifts, at least 99; tests of single changes take at most 299
            surrogates and intervals at most 399 redrawn records.
        rng: seed or generator.

    Returns:
        A `Result`. Verdicts: "no change" (in no seed); "aligned" (more than ``fraction`` of seeds change at one
        place, and shifted seeds do not do that by chance); "scattered" (more than ``fraction`` change, at places that
        are not shown to be the same); "in some seeds"; "changes" (one seed); "untested" (too few records); "differs
        by condition". Tables: "changes" (first), "seeds", "consensus", "order"; with ``states`` also "map_sizes",
        "map_states", "map_steps", "map_drivers", "map_seeds", and the state of every record in the diagnostics.

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    _check(count, transform, axis, clip, hazard, fraction, level, draws, stderr, min_size, lags)
    check_states(states)
    source = np.random.default_rng(rng)
    names = [var] if var is None or isinstance(var, str) else list(var)
    if not names:
        raise UserError("change_points: var is an empty list; name at least one observable")
    channels = [curves(data, name, along=along, by=by, seeds=seeds) for name in names]
    first = channels[0]
    _alike(channels)
    size = _records(min_size, first.time)
    options = Options(cost, count, null, transform, axis, size, clip, hazard, level, draws, lags)
    search = options.search(len(first.time))
    search.check("change_points")
    errors = _errors(data, stderr, channels, by, seeds)
    warnings = list(dict.fromkeys(note for c in channels for note in c.notes))
    found = find(channels, options, errors, source, warnings)
    tested = np.array([int(np.isfinite(row).sum()) for row in found.p_any], dtype=int)
    table, places = consensus(found.changes, first.conditions, tested, first.time, axis, level)
    lining = []
    for i in range(len(first.conditions)):
        own = [c for c in found.changes if c.condition == i]
        # seeds with a record of their own length are shifted on the common axis
        lining.append(aligned(own, sorted({c.seed for c in own}), len(first.time), search.size, draws, source))
    order = _order(data, companion, first, found, options, source, along, by, seeds)
    seed_table = _seed_table(channels, found)
    if not first.has_seeds:
        warnings.append("there is no dim of seeds: everything here is within one run only")
    warnings += cautions(first, search, found.p_any, tested, seed_table, count, null)
    answer = verdict_of(first, found.changes, found.p_any, tested, table, places, lining, fraction, level, search)
    change_table = _change_table(first, found.changes)
    words = describe(
        _title(channels), first, search, count, found.changes, tested, table, lining, order, answer.verdict
    )
    tables = {"changes": change_table, "seeds": seed_table, "consensus": table, "order": order}
    diagnostics = _diagnostics(channels, found, axis)
    if states is not None:
        drawn = training_map(channels, errors, transform, states, found.p_adjusted, 1 - level, source)
        maps = map_tables(drawn, channels, level)
        tables |= maps
        words += " " + map_words(drawn, maps, first.time_unit)
        diagnostics["state"] = (("condition", "seed", "time"), map_states(drawn, first))
        if drawn.model is not None and len(channels) == 1:
            warnings.append("a map of one observable is a cut of its values; a map is meant for several")
    return Result(
        instrument="change_points",
        question=f"Where does the regime of {_title(channels)} change, and is it the same place in all seeds?",
        verdict=answer.verdict,
        estimate=answer.estimate,
        headline=answer.headline,
        p=answer.p,
        null=answer.null,
        effect=answer.effect,
        n_seeds=len(first.seeds) if first.has_seeds else 1,
        tables=tables,
        diagnostics=diagnostics,
        warnings=tuple(warnings),
        words=words,
        cannot_see=CANNOT_SEE,
        params={
            "var": list(names), "cost": cost, "count": count, "null": null, "transform": transform, "axis": axis,
            "along": along, "by": by, "seeds": seeds, "min_size": min_size, "records_a_piece": search.size,
            "clip": clip, "stderr": _named(stderr), "lags": lags, "states": states,
            "companion": companion, "hazard": hazard, "fraction": fraction, "level": level, "draws": draws,
        },
        provenance=provenance(first.digest, rng),
        _draw=_draw,
    )  # fmt: skip


def _draw(result: Result) -> Any:
    from emergelab.instruments._change_points_plot import draw

    return draw(result)


def _check(
    count: Count,
    transform: str,
    axis: str,
    clip: float | None,
    hazard: float,
    fraction: float,
    level: float,
    draws: int,
    stderr: Any,
    min_size: float | None,
    lags: int,
) -> None:
    who = "change_points"
    if transform not in _TRANSFORMS:
        raise UserError(f"{who}: no transform {transform!r}{nearest(transform, _TRANSFORMS)}")
    if axis not in ("auto", "linear", "log"):
        raise UserError(f'{who}: axis must be "auto", "linear" or "log", got {axis!r}')
    if isinstance(count, str) and count not in ("test", "penalty", "bayes"):
        raise UserError(f'{who}: count must be "test", "penalty", "bayes" or a number of changes, got {count!r}')
    if not isinstance(count, str) and count < 1:
        raise UserError(f"{who}: count must be at least 1, got {count}")
    if clip is not None and not clip >= 3:
        raise UserError(f"{who}: clip must be at least 3 standard deviations, got {clip}")
    if not 0 < hazard < 1 or not 0 < fraction < 1 or not 0 < level < 1:
        raise UserError(f"{who}: hazard, fraction and level must be in (0, 1), got {hazard}, {fraction} and {level}")
    if draws < 99:
        raise UserError(f"{who}: draws must be at least 99, got {draws}")
    if stderr is not None and transform != "none":
        raise UserError(f'{who}: stderr belongs to the data as given; use transform="none" with it')
    if min_size is not None and not min_size > 0:
        raise UserError(f"{who}: min_size must be above 0, got {min_size}")
    if not 1 <= lags <= 20:
        raise UserError(f"{who}: lags must be from 1 to 20, got {lags}")


def _errors(
    data: Any, stderr: Known | Mapping[str, Known], channels: list[Curves], by: str | None, seeds: str
) -> Errors:
    """Known standard errors of every observable, None where nothing is known."""
    of = dict(stderr) if isinstance(stderr, Mapping) else {channels[0].name: stderr}
    names = [c.name for c in channels]
    for name in of:
        if name not in names:
            raise UserError(f"change_points: stderr is given for {name!r}, which is not in var{nearest(name, names)}")
    return [beside(data, of.get(c.name), c, "stderr", by, seeds) for c in channels]


def _named(stderr: Known | Mapping[str, Known]) -> Any:
    """Standard errors as they are written down among the arguments."""
    if isinstance(stderr, Mapping):
        return {k: _named(v) for k, v in stderr.items()}
    return f"array {stderr.name!r}" if isinstance(stderr, xr.DataArray) else stderr


def _alike(channels: list[Curves]) -> None:
    first = channels[0]
    for other in channels[1:]:
        if (
            other.conditions != first.conditions
            or other.seeds != first.seeds
            or not np.array_equal(other.time, first.time)
        ):
            raise UserError(
                f"change_points: {other.name!r} has other conditions, seeds or times than {first.name!r}; "
                "observables that are segmented jointly need the same ones"
            )


def _records(min_size: float | None, time: Float[np.ndarray, "time"]) -> int | None:
    """A shortest regime in time as a number of records, by the median gap."""
    if min_size is None or len(time) < 2:
        return None
    return max(2, int(np.ceil(min_size / float(np.median(np.diff(time))) - 1e-9)))


def _title(channels: list[Curves]) -> str:
    return " and ".join(c.name for c in channels)


def _order(
    data: Any,
    companion: str | Sequence[str] | None,
    first: Curves,
    found: Found,
    options: Options,
    rng: np.random.Generator,
    along: str,
    by: str | None,
    seeds: str,
) -> pd.DataFrame:
    """Order of the largest changes of this observable and of each companion."""
    wanted = [] if companion is None else [companion] if isinstance(companion, str) else list(companion)
    rows = []
    for name in wanted:
        other = curves(data, name, along=along, by=by, seeds=seeds)
        _alike([first, other])
        theirs = find([other], options, [None], rng, [])
        for i, condition in enumerate(first.conditions):
            mine = [c for c in found.changes if c.condition == i]
            rows.append(
                order_row(mine, [c for c in theirs.changes if c.condition == i], condition, name, options.level)
            )
    columns = "condition companion both_change companion_first companion_last share share_low share_high p median_lead"
    return pd.DataFrame(rows, columns=columns.split())


def _change_table(data: Curves, changes: list[Change]) -> pd.DataFrame:
    rows = [
        {
            "condition": data.conditions[c.condition],
            "seed": data.seeds[c.seed],
            "after": c.after,
            "upto": c.upto,
            "after_low": c.low,
            "upto_high": c.high,
            "before": c.before_level,
            "later": c.after_level,
            "size": c.size,
            "p": c.p,
            "shape": c.shape,
            "step_bic": c.step_bic,
            "channel": c.channel,
        }
        for c in changes
    ]
    columns = "condition seed after upto after_low upto_high before later size p shape step_bic channel"
    return pd.DataFrame(rows, columns=columns.split())


def _seed_table(channels: list[Curves], found: Found) -> pd.DataFrame:
    data = channels[0]
    outer = data.values.shape[:2]
    number = np.zeros(outer, dtype=int)
    for c in found.changes:
        number[c.condition, c.seed] += 1
    return pd.DataFrame(
        {
            "condition": np.repeat(np.array(data.conditions, dtype=object), outer[1]),
            "seed": list(data.seeds) * outer[0],
            "changes": number.ravel(),
            "p": found.p_any.ravel(),
            "p_adjusted": found.p_adjusted.ravel(),
            "records": found.records.ravel(),
            "phi": found.phi.ravel(),
            "distance_z": found.z.ravel(),
            "odd": is_odd(found.z.ravel()),
        }
    )


def _diagnostics(channels: list[Curves], found: Found, axis: str) -> xr.Dataset:
    data = channels[0]
    log = axis_of(data.time, axis)[1]
    mark = np.zeros(data.values.shape, dtype=bool)
    for c in found.changes:
        mark[c.condition, c.seed, c.record] = True
    dims = ("condition", "seed", "time")
    out = xr.Dataset(
        {
            "value": ((*dims, "channel"), np.stack([c.values for c in channels], axis=-1)),
            "change": (dims, mark),
            "distance_z": (dims[:2], found.z),
        },
        coords={
            "condition": list(data.conditions),
            "seed": list(data.seeds),
            "time": data.time,
            "channel": [c.name for c in channels],
        },
        attrs={
            "observable": _title(channels),
            "unit": data.unit,
            "time_name": data.time_name,
            "time_unit": data.time_unit,
            "log_axis": int(log),
        },
    )
    if found.posterior is not None:
        out["posterior"] = (dims, found.posterior)
    return out
