"""The observational family of `causal_emergence`: time series of parts and a macro variable made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._causal_emergence_info import Estimator, Pairs, Variable, joint_codes
from emergelab.instruments._curves import as_dataset, curves

__all__ = ["Macro", "Rule", "Series", "choose_estimator", "grouped", "pairs_of", "prepared", "read_series", "tuples"]

Macro: TypeAlias = str | xr.DataArray | Callable[..., Any]
Rule: TypeAlias = Callable[
    [Float[np.ndarray, "one draw time part channel"]], Float[np.ndarray, "one draw time channel_v"]
]
"""The macro variable as a function of the parts, for one seed."""

_MOST_SYMBOLS = 8  # of every variable, for the discrete estimator to be chosen by itself
_MOST_TUPLES = 120


@dataclass(frozen=True)
class Series:
    """Parts and macro variable on one time axis.

    Attributes:
        x: the parts; NaN where there is no record.
        v: the macro variable.
        time: coordinate of the records, increasing.
        parts: names of the parts.
        conditions: names along the first axis.
        seeds: labels along the second axis.
        has_seeds: whether the data had a seed dim.
        name: name of the parts.
        macro: name of the macro variable.
        time_name: name of the time dim.
        rules: for every condition and seed, the macro variable as a function of the parts; None where it was given
            as an array in which no such function was recognised.
        rule_told: how the function is known, in words; "" if it is not.
        notes: what was done to the data on the way.
    """

    x: Float[np.ndarray, "condition seed time part channel"]
    v: Float[np.ndarray, "condition seed time channel_v"]
    time: Float[np.ndarray, "time"]
    parts: tuple[str, ...]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    has_seeds: bool
    name: str
    macro: str
    time_name: str
    rules: tuple[tuple[Rule | None, ...], ...]
    rule_told: str
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of values, times and labels."""
        h = hashlib.sha256()
        for block in (self.x, self.v, self.time):
            h.update(np.ascontiguousarray(block).tobytes())
        h.update(repr((self.parts, self.conditions, tuple(map(str, self.seeds)))).encode())
        return h.hexdigest()[:16]


def read_series(
    data: Any,
    var: str | None,
    macro: Macro,
    learned: bool,
    along: str,
    parts: str,
    channel: str,
    by: str | None,
    seeds: str,
) -> Series:
    """Parts from ``data``; the macro variable from it too, from an array of its own, or computed from the parts."""
    source = as_dataset(data)
    if isinstance(source, xr.Dataset):
        names = [str(n) for n in source.data_vars if n not in ("ended", "censored")]
        wide = [n for n in names if parts in source[n].dims]
        if var is None and len(wide) == 1:
            var = wide[0]
        if var is None or var not in names:
            asked = "say which variable holds the parts" if var is None else f"no variable {var!r} in the data"
            raise UserError(f"causal_emergence: {asked}{nearest(var or '', names)}")
        array = source[var]
    else:
        array = source.rename(source.name or "x")
    if parts not in array.dims:
        raise UserError(
            f"causal_emergence: {array.name!r} has no dim {parts!r} (the parts of the system)"
            f"{nearest(parts, [str(d) for d in array.dims])}; pass parts=..."
        )
    if array.size == 0:
        raise UserError(f"causal_emergence: {array.name!r} holds no record at all")
    masks = {m: source[m] for m in ("ended", "censored") if isinstance(source, xr.Dataset) and m in source}
    x, like, notes = _block(array, masks, along, parts, channel, by, seeds)
    labels = array[parts].values if parts in array.coords else np.arange(array.sizes[parts])
    if callable(macro) and not isinstance(macro, xr.DataArray):
        rules: tuple[tuple[Rule | None, ...], ...] = _rules(x, macro, learned)
        v = np.stack([np.concatenate([f(x[c : c + 1, s : s + 1]) for s, f in enumerate(row) if f], axis=1)[0]
                      for c, row in enumerate(rules)])  # fmt: skip
        v[~np.isfinite(x).all(axis=(3, 4))] = np.nan
        name, told = getattr(macro, "__name__", "macro"), "given"
        name = "macro" if name == "<lambda>" else name
    else:
        if isinstance(macro, str):
            if not isinstance(source, xr.Dataset) or macro not in source:
                known = [str(n) for n in source.data_vars] if isinstance(source, xr.Dataset) else []
                raise UserError(f"causal_emergence: no macro variable {macro!r} in the data{nearest(macro, known)}")
            given = source[macro]
        elif isinstance(macro, xr.DataArray):
            given = macro
        else:
            raise UserError(
                f"causal_emergence: macro must be a variable's name, a DataArray or a function of the parts, "
                f"got {type(macro).__name__}"
            )
        extra = parts if parts in given.dims else channel
        wide_v, other, more = _block(given.rename(str(given.name or "macro")), masks, along, extra, "", by, seeds)
        same = (other.conditions, other.seeds) == (like.conditions, like.seeds)
        if not same or not np.array_equal(other.time, like.time):
            raise UserError("causal_emergence: the macro variable has other conditions, seeds or times than the parts")
        v, name = wide_v[..., 0], str(given.name or "macro")
        notes += [n for n in more if n not in notes]
        rules, told = _recognised(x, v)
    return Series(
        x=x,
        v=v,
        time=like.time,
        parts=tuple(str(p) for p in labels),
        conditions=like.conditions,
        seeds=like.seeds,
        has_seeds=like.has_seeds,
        name=str(array.name),
        macro=name,
        time_name=along,
        rules=rules,
        rule_told=told,
        notes=tuple(notes),
    )


def _block(
    array: xr.DataArray,
    masks: dict[str, xr.DataArray],
    along: str,
    parts: str,
    channel: str,
    by: str | None,
    seeds: str,
) -> tuple[Float[np.ndarray, "condition seed time part channel"], Any, list[str]]:
    """Every part and channel read as curves, so that times, infinities and ended records are treated as anywhere."""
    for name in (parts, channel):
        if name and name not in array.dims:
            array = array.expand_dims(name)
    columns, notes, like = [], [], None
    for i in range(array.sizes[parts]):
        row = []
        for j in range(array.sizes[channel]) if channel else [None]:
            one = array.isel({parts: i}, drop=True) if j is None else array.isel({parts: i, channel: j}, drop=True)
            like = curves(xr.Dataset({"one": one, **masks}), "one", along=along, by=by, seeds=seeds)
            notes += [n for n in like.notes if n not in notes]
            row.append(like.values)
        columns.append(np.stack(row, axis=-1))
    return np.stack(columns, axis=-2), like, notes


def _rules(
    x: Float[np.ndarray, "condition seed time part channel"], macro: Callable[..., Any], learned: bool
) -> tuple[tuple[Rule, ...], ...]:
    """The user's function, or what it learns from the other seeds, for every condition and seed."""
    if not learned:
        return tuple((_checked(macro),) * x.shape[1] for _ in range(len(x)))
    if x.shape[1] < 2:
        raise UserError("causal_emergence: learned=True fits the macro variable on other seeds, so two are needed")
    fitted = []
    for s in range(x.shape[1]):
        rule = macro(_bare(np.delete(x, s, axis=1)))
        if not callable(rule):
            raise UserError("causal_emergence: with learned=True macro must return a function of the parts")
        fitted.append(_checked(rule))
    return (tuple(fitted),) * len(x)


def _bare(x: Float[np.ndarray, "*lead part channel"]) -> np.ndarray:
    """Without the channels if there is just one."""
    return x[..., 0] if x.shape[-1] == 1 else x


def _checked(macro: Callable[..., Any]) -> Rule:
    def rule(x: Float[np.ndarray, "one draw time part channel"]) -> Float[np.ndarray, "one draw time channel_v"]:
        with np.errstate(all="ignore"):
            v = np.array(macro(_bare(x)), dtype=float)
        if v.shape[:3] != x.shape[:3] or v.ndim not in (3, 4):
            raise UserError(
                f"causal_emergence: the macro function must give one value (or channels) for each of (condition, seed, "
                f"time) = {x.shape[:3]}, got shape {v.shape}"
            )
        v = v.reshape(*v.shape[:3], -1)
        return np.where(np.abs(v) < 1e100, v, np.nan)

    return rule


def _recognised(
    x: Float[np.ndarray, "condition seed time part channel"], v: Float[np.ndarray, "condition seed time channel_v"]
) -> tuple[tuple[tuple[Rule | None, ...], ...], str]:
    """Whether an array is a linear function of the parts, or a table over their few joint states."""
    flat, target = x.reshape(-1, x.shape[3] * x.shape[4]), v.reshape(-1, v.shape[-1])
    known = np.isfinite(flat).all(axis=1) & np.isfinite(target).all(axis=1)
    flat, target = flat[known], target[known]
    found: Rule | None = None
    told = ""
    if len(flat) > 4 * (flat.shape[1] + 1):
        scale = np.maximum(np.abs(flat).max(axis=0), 1e-300)
        design = np.column_stack([np.ones(len(flat)), flat / scale])
        slope = np.linalg.lstsq(design, target, rcond=None)[0]
        left = (target - design @ slope).var(axis=0)
        if (left <= 1e-9 * target.var(axis=0)).all() and (target.var(axis=0) > 0).all():
            found, told = _linear(slope, scale), "recognised as linear"
        else:
            table = _table(flat, target)
            if table is not None:
                found, told = table, "recognised as a table of joint states"
    return ((found,) * x.shape[1],) * len(x), told


def _linear(slope: Float[np.ndarray, "column channel_v"], scale: Float[np.ndarray, "column_x"]) -> Rule:
    def rule(x: Float[np.ndarray, "one draw time part channel"]) -> Float[np.ndarray, "one draw time channel_v"]:
        return np.asarray(slope[0] + (x.reshape(*x.shape[:3], -1) / scale) @ slope[1:])

    return rule


def _table(flat: Float[np.ndarray, "record column"], target: Float[np.ndarray, "record channel_v"]) -> Rule | None:
    states, first, index = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    if len(states) * 5 > len(flat) or not np.array_equal(target[first][index], target):
        return None
    values = {state.tobytes(): target[i] for state, i in zip(states, first, strict=True)}
    unknown = np.full(target.shape[1], np.nan)

    def rule(x: Float[np.ndarray, "one draw time part channel"]) -> Float[np.ndarray, "one draw time channel_v"]:
        rows = np.ascontiguousarray(x.reshape(-1, flat.shape[1]))
        distinct, back = np.unique(rows, axis=0, return_inverse=True)
        looked_up = np.array([values.get(np.ascontiguousarray(row).tobytes(), unknown) for row in distinct])
        return looked_up[back].reshape(*x.shape[:3], -1)

    return rule


def choose_estimator(series: Series, estimator: Estimator | None, bins: int | None) -> tuple[Estimator, bool]:
    """The estimator to use, and whether the data look discrete (few different values in every variable)."""
    few = True
    for c in range(series.x.shape[-1]):
        for j in range(series.x.shape[-2]):
            few &= _symbols(series.x[..., j, c]) <= _MOST_SYMBOLS
    for c in range(series.v.shape[-1]):
        few &= _symbols(series.v[..., c]) <= 2 * _MOST_SYMBOLS
    if estimator is not None:
        return estimator, few
    return ("discrete" if few or bins is not None else "copula"), few


def _symbols(values: Float[np.ndarray, "..."]) -> int:
    return len(np.unique(values[np.isfinite(values)]))


def tuples(parts: int, order: int) -> list[tuple[int, ...]]:
    """All groups of ``order`` parts."""
    chosen = list(combinations(range(parts), order))
    if len(chosen) > _MOST_TUPLES:
        raise UserError(
            f"causal_emergence: {len(chosen)} groups of {order} out of {parts} parts are more than {_MOST_TUPLES}; "
            f"pool parts first or lower order"
        )
    return chosen


def pairs_of(
    x: Float[np.ndarray, "time part channel"],
    v: Float[np.ndarray, "time channel_v"],
    time: Float[np.ndarray, "time"],
    lag: float,
) -> tuple[Pairs, Float[np.ndarray, "pair"]]:
    """Records of one seed beside those ``lag`` later: parts 0 to d - 1, then the macro variable.

    Returns:
        The pairs, and the time of the first record of each.
    """
    now, later = _matches(time, lag)
    known = np.isfinite(x).all(axis=(1, 2)) & np.isfinite(v).all(axis=1)
    both = known[now] & known[later]
    now, later = now[both], later[both]
    blocks: list[Variable] = [*(x[:, j] for j in range(x.shape[1])), v]
    return Pairs(tuple(b[now] for b in blocks), tuple(b[later] for b in blocks)), time[now]


def _matches(time: Float[np.ndarray, "time"], lag: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of records and of those that lie ``lag`` later (within a millionth of it)."""
    at = np.searchsorted(time, time + lag * (1 - 1e-6))
    now = np.flatnonzero(at < len(time))
    later = at[now]
    hit = np.abs(time[later] - time[now] - lag) <= 1e-6 * lag
    return now[hit], later[hit]


def prepared(pairs: Pairs, estimator: Estimator, bins: int | None, jitter: float, rng: np.random.Generator) -> Pairs:
    """The records as the estimator needs them: symbols for the discrete one, with some noise for the others."""
    sides: list[list[Variable]] = [[], []]
    for now, later in zip(pairs.now, pairs.later, strict=True):
        both = np.concatenate([now, later])
        if estimator == "discrete":
            if bins is not None:
                edges = np.quantile(both, np.arange(1, bins) / bins, axis=0)
                cut = [np.searchsorted(e, c, side="right") for e, c in zip(edges.T, both.T, strict=True)]
                both = np.stack(cut, axis=1).astype(float)
            both = joint_codes([both])
        elif jitter > 0:
            both = both + jitter * both.std(axis=0) * rng.standard_normal(both.shape)
        sides[0].append(both[: len(now)])
        sides[1].append(both[len(now) :])
    return Pairs(tuple(sides[0]), tuple(sides[1]))


def grouped(pairs: Pairs, groups: Sequence[tuple[int, ...]], estimator: Estimator) -> Pairs:
    """The same records with groups of parts in the place of parts; the macro variable stays last."""

    def side(variables: tuple[Variable, ...]) -> tuple[Variable, ...]:
        if all(len(g) == 1 for g in groups):
            return (*(variables[g[0]] for g in groups), variables[-1])
        pooled = []
        for g in groups:
            members = [variables[j] for j in g]
            pooled.append(joint_codes(members) if estimator == "discrete" else np.hstack(members))
        return (*pooled, variables[-1])

    return replace(pairs, now=side(pairs.now), later=side(pairs.later))
