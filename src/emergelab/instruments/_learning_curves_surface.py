"""One surface for models of several sizes: L(N, D) = E + A / N^alpha + B / D^beta, fitted to all their curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import Curves, as_dataset, curves
from emergelab.instruments._learning_curves_choose import BASELINES, baseline_forecasts
from emergelab.instruments._learning_curves_data import binned
from emergelab.instruments._learning_curves_seeds import FEWEST_SEEDS
from emergelab.instruments._learning_curves_surface_fit import (
    Surface,
    edge,
    fit_surface,
    interval,
    parameters,
    predict,
)
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import Estimate

__all__ = ["surface_of"]

_NAN = float("nan")
_FEWEST_SIZES = 4  # three identify E, A and alpha; one more is held out
_FEWEST_PLACES = 3  # the same along data
_DELTA = 1e-3  # of Huber's loss on log residuals (Hoffmann et al. 2022)
_TIE = 1.05  # as for the laws of one curve: an error within 5% of the log-linear baseline's is as good
_COLLINEAR = 0.9  # correlation of ln N with ln D above which their exponents cannot be told apart
_NAMES = ("E", "A", "B", "alpha", "beta", "a", "b")
_CANNOT_SEE = (
    "anything the sum of two powers has not: a break, an interaction of size and data, overfitting where data repeat, "
    "a learning rate that decays (Hoffmann et al. fitted the ends of runs whose schedules ended there). The exponents "
    "a and b hold where compute is proportional to N D, and say nothing of other costs. One size held out tests "
    "one step up in size, not ten."
)


@dataclass(frozen=True)
class Points:
    """Mean log losses of every size along data.

    Attributes:
        size: N of every row, increasing.
        x: D of every column.
        logs: log loss of every seed; NaN where missing.
        weight: records behind each column.
        used: which means are fitted: at least half of the seeds of the size have a record.
    """

    size: Float[np.ndarray, "size"]
    x: Float[np.ndarray, "x"]
    logs: Float[np.ndarray, "size seed x"]
    weight: Float[np.ndarray, "x"]
    used: Bool[np.ndarray, "size x"]

    def means(self, share: Float[np.ndarray, "r size seed"]) -> Float[np.ndarray, "r size x"]:
        """Mean log loss under weights of the seeds; NaN where no weighted seed has a record."""
        seen = np.isfinite(self.logs)
        total = np.einsum("rns,nsx->rnx", share, seen.astype(float))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.einsum("rns,nsx->rnx", share, np.where(seen, self.logs, 0.0)) / total
        return np.where((total > 0) & self.used, mean, np.nan)


def surface_of(
    data: Any,
    var: str | None,
    size: str,
    *,
    burn_in: float | None,
    huber: bool,
    paired: bool,
    along: str,
    by: str | None,
    seeds: str,
    level: float,
    draws: int,
    rng: np.random.Generator,
    given: Any,
    draw: Any,
) -> Result:
    """The result of `learning_curves` with ``size``."""
    read, sizes, dim = _read(data, var, size, along, by, seeds)
    p, notes = _points(read, sizes, burn_in)
    delta = _DELTA if huber else 1e3
    mean = p.means(np.ones((1, *p.logs.shape[:2])))[0]
    row, column = np.nonzero(p.used)
    n, d, y, weight = np.log(p.size)[row], np.log(p.x)[column], mean[row, column], p.weight[column]
    many = len(np.unique(n))
    why = ""
    if many < _FEWEST_SIZES or len(np.unique(d)) < _FEWEST_PLACES:
        why = f"{many} sizes at {len(np.unique(d))} places, {_FEWEST_SIZES} and {_FEWEST_PLACES} are needed"
    elif np.ptp(y) <= 1e-9:
        why = "the loss does not change"
    loose = False
    table, method, count = np.full((3, 7), np.nan), why, read.values.shape[1]
    ahead, error = _held_out(p, np.full_like(mean, np.nan)), np.full(3, np.nan)
    if not why:
        s = fit_surface(n, d, y, weight, delta)
        centre = (float(n.mean()), float(d.mean()))
        value = parameters(s.theta[None], s, centre)
        spread, count, free, method = _resampled(p, s, paired, draws, rng)
        table = np.vstack([value, interval(parameters(spread, s, centre), value[0], count, free, level)])
        with np.errstate(over="ignore"):
            table[:, :3] = np.exp(table[:, :3])
        table[~np.isfinite(table)] = np.nan
        rest = n < np.log(p.size[row]).max()
        if len(np.unique(d[rest])) >= _FEWEST_PLACES and len(np.unique(n[rest])) >= _FEWEST_SIZES - 1:
            part = fit_surface(n[rest], d[rest], y[rest], weight[rest], delta)
            places = np.broadcast_to(np.log(p.x), mean.shape) - d[rest].mean()
            wide = np.broadcast_to(np.log(p.size)[:, None], mean.shape) - n[rest].mean()
            guess = predict(part.theta, wide.ravel(), places.ravel())[0].reshape(mean.shape) + part.shift
            ahead = _held_out(p, guess)
            gap = np.log(ahead.iloc[:, 3:].to_numpy()) - np.log(ahead[["seen"]].to_numpy())
            error = np.sqrt((gap**2).mean(axis=0)) if len(ahead) else error
        notes += _cautions(n, d, s, along, size, method)
        often = edge(spread)[:, 1:].any(axis=1).sum() > (1 - level) / 2 * len(spread)
        loose = bool(edge(s.theta[None])[:, 1:].any() or often)
    base = float(np.min(error[1:]))
    if why or not np.isfinite(error).all():
        verdict, why = "undecided", why or "nothing of the largest size can be compared with smaller ones"
    elif error[0] < error[1] and error[0] <= _TIE * error[2]:
        verdict, why = ("refused", "the data do not determine both exponents") if loose else ("lawful", "")
    else:
        verdict, why = "refused", "at the size held out the surface forecasts no better than the baselines"
    best, low, high = (float(v) for v in table[:, 5])
    a = Estimate(best, low, high, level, method, count)
    if verdict != "lawful":
        a = Estimate(_NAN, _NAN, _NAN, level, f"{verdict}: {why}", count)
    ratio = float(error[0]) / base if base > 0 else _NAN
    frame = pd.DataFrame({"parameter": _NAMES, "value": table[0], "low": table[1], "high": table[2]})
    return Result(
        instrument="learning_curves",
        question=f"Which surface does {read.name} follow along {along} and {size}, and where does it lead?",
        verdict=verdict,
        estimate=a,
        headline="a, exponent of compute in the optimal size",
        p=_NAN,
        null=Null("none", 0),
        effect=Effect("forecast error at the size held out over that of the better baseline", ratio),
        n_seeds=len(read.seeds) if read.has_seeds else 1,
        tables={"surface": frame, "surface_forecast": ahead},
        diagnostics=xr.Dataset(
            {"mean": (("size", "x"), np.exp(mean)), "fitted": (("size", "x"), _everywhere(p, table[0]))},
            coords={"size": p.size, "x": p.x},
            attrs={"observable": read.name, "unit": read.unit, "time_name": along, "time_unit": read.time_unit,
                   "size_name": size},
        ),
        warnings=tuple(notes),
        words=_words(read, frame, ahead, error, verdict, why),
        cannot_see=_CANNOT_SEE,
        params={"size": size, "burn_in": burn_in, "huber": huber, "paired": paired, "along": along, "by": dim,
                "seeds": seeds, "level": level, "draws": draws},
        provenance=provenance(read.digest, given),
        _draw=draw,
    )  # fmt: skip


def _read(
    data: Any, var: str | None, size: str, along: str, by: str | None, seeds: str
) -> tuple[Curves, Float[np.ndarray, "size"], str]:
    """Curves with one condition a size, the sizes, and the dim along which they vary."""
    source = as_dataset(data)
    known = sorted({str(name) for name in (*source.dims, *source.coords)} - {along, seeds})
    if size not in source.coords or source[size].ndim != 1:
        what = "has no coordinate" if size in source.dims else "is no dim and no coordinate along one dim"
        raise UserError(f"learning_curves: size={size!r} {what}{nearest(size, known)}; it must hold the sizes N")
    dim = str(source[size].dims[0])
    if dim in (along, seeds):
        raise UserError(f"learning_curves: sizes must have a dim of their own, {size!r} runs along {dim!r}")
    try:
        values = np.asarray(source[size].values).astype(float)
    except (TypeError, ValueError):
        raise UserError(f"learning_curves: the sizes in {size!r} must be numbers, got {source[size].dtype}") from None
    if not (np.isfinite(values) & (values > 0)).all():
        raise UserError(f"learning_curves: the sizes in {size!r} must be finite and above 0")
    if by and by != dim and source.sizes.get(by) == 1:
        source = source.isel({by: 0}, drop=True)
    read = curves(source, var, along=along, by=dim, seeds=seeds)
    if len(read.values) != len(values):
        raise UserError(f"learning_curves: {read.name!r} does not vary along {dim!r}, the dim of the sizes {size!r}")
    return read, values, dim


def _points(read: Curves, sizes: Float[np.ndarray, "size"], burn_in: float | None) -> tuple[Points, list[str]]:
    notes = list(read.notes)
    keep = (read.time > 0) & (read.time >= (burn_in or 0.0))
    if (~keep).any():
        notes.append(f"{int((~keep).sum())} records at or before x = 0 or before the burn-in are left out")
    order = np.argsort(sizes, kind="stable")
    block = read.values[order][..., keep]
    lost = int((block <= 0).sum())
    if lost:
        notes.append(f"{lost} values at or below 0 have no logarithm and are treated as missing")
    logs = np.where(block > 0, np.log(np.where(block > 0, block, 1.0)), np.nan)
    x, weight = read.time[keep], np.ones(int(keep.sum()))
    if len(x):
        flat, x, weight, _ = binned(logs.reshape(-1, len(x)), x, np.ones(len(x), dtype=bool))
        logs = flat.reshape(*logs.shape[:2], -1)
    seen = np.isfinite(logs)
    ever = seen.any(axis=2).sum(axis=1)
    used = seen.sum(axis=1) >= np.maximum(1, (ever + 1) // 2)[:, None]
    return Points(sizes[order], x, logs, weight, used), notes


def _resampled(
    p: Points, s: Surface, paired: bool, draws: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "r 5"], int, int, str]:
    """Surfaces of resampled seeds, or of resampled curves where a size has too few seeds; units, freedom, label."""
    sizes, seeds = p.logs.shape[:2]
    alive: Bool[np.ndarray, "size seed"]
    alive = np.logical_and(np.isfinite(p.logs).any(axis=2), p.used.any(axis=1, keepdims=True))
    least = int(np.min(alive.sum(axis=1)[alive.any(axis=1)]))
    curve = np.ones((1, sizes))
    if least >= FEWEST_SEEDS:
        if paired:
            share = np.repeat(rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)[:, None], sizes, axis=1)
        else:
            odds = alive / np.maximum(alive.sum(axis=1, keepdims=True), 1)
            odds[~alive.any(axis=1)] = 1 / seeds
            share = rng.multinomial(alive.sum(axis=1), odds, size=(draws, sizes))
        mean = p.means(share.astype(float))
        free, count, method = (least - 1) * (1 if paired else int(alive.any(axis=1).sum())), least, "seeds"
    else:
        there = np.flatnonzero(alive.any(axis=1))
        count = len(there)
        free, method = count - 1, "curves, within one run a size"
        if count < FEWEST_SEEDS:
            return np.full((0, 5), np.nan), count, free, f"{count} curves: no interval below {FEWEST_SEEDS}"
        pick = rng.integers(0, count, (2 * draws, count))
        curve = np.stack([(there[pick] == k).sum(axis=1) for k in range(sizes)], axis=1).astype(float)
        names = np.unique(p.size, return_inverse=True)[1]
        distinct = sum((curve[:, names == k].sum(axis=1) > 0).astype(int) for k in range(names.max() + 1))
        curve = curve[distinct >= _FEWEST_SIZES - 1][:draws]  # fewer cannot tell E, A and alpha apart
        mean = np.broadcast_to(p.means(np.ones((1, sizes, seeds))), (len(curve), *p.used.shape))
    weight = np.broadcast_to(curve[:, :, None] * p.weight, mean.shape)[:, p.used]
    y = mean[:, p.used] - s.shift
    weight = np.where(np.isfinite(y), weight, 0.0)
    axes = s.whitened(np.broadcast_to(p.weight, p.used.shape)[p.used])
    theta = [s.solve(np.nan_to_num(v), w, s.theta, s.delta, axes)[0] for v, w in zip(y, weight, strict=True)]
    return np.array(theta), count, free, f"bootstrap over {method}"


def _held_out(p: Points, guess: Float[np.ndarray, "size x"]) -> pd.DataFrame:
    """The largest size: seen, forecast from the smaller ones by the surface, and by the baselines along size."""
    mean = p.means(np.ones((1, *p.logs.shape[:2])))[0]
    able = p.size[p.used.any(axis=1)]
    rows = []
    smaller = np.flatnonzero((p.size < able.max()) & p.used.any(axis=1)) if len(able) else np.empty(0, int)
    u = np.log(p.x)
    # a smaller model whose records end before is taken to stay where it was
    filled = [np.interp(u, u[p.used[k]], mean[k, p.used[k]], left=np.nan) for k in smaller]
    for k in np.flatnonzero(p.size == able.max()) if len(smaller) else ():
        for j in np.flatnonzero(p.used[k] & np.isfinite(guess[k])):
            below = np.array([row[j] for row in filled])
            ok = np.isfinite(below)
            if ok.any():
                n = np.log(p.size[smaller][ok])
                last, line = baseline_forecasts(below[ok], np.ones(int(ok.sum())), n, np.log(p.size[k : k + 1]))[:, 0]
                rows.append((p.size[k], p.x[j], *np.exp([mean[k, j], guess[k, j], last, line])))
    columns = ["size", "x", "seen", "predicted", "last_value", "log_linear"]
    return pd.DataFrame(rows, columns=columns, dtype=float)


def _everywhere(p: Points, value: Float[np.ndarray, "7"]) -> Float[np.ndarray, "size x"]:
    e, a, b, alpha, beta = value[:5]
    return e + a * p.size[:, None] ** -alpha + b * p.x[None] ** -beta


def _cautions(
    n: Float[np.ndarray, "p"], d: Float[np.ndarray, "p"], s: Surface, along: str, size: str, method: str
) -> list[str]:
    out = []
    r = float(np.corrcoef(n, d)[0, 1])
    if abs(r) > _COLLINEAR:
        out.append(
            f"{size} and {along} are nearly collinear (correlation of logarithms {r:.3f}): their exponents cannot be "
            "told apart, and a and b mean little"
        )
    for name, v in ((size, n), (along, d)):
        if np.ptp(v) < np.log(10):
            out.append(f"{name} covers {np.ptp(v) / np.log(10):.2g} decades, less than one: its exponent is a guess")
    stuck = [name for name, at in zip(_NAMES, edge(s.theta[None])[0], strict=False) if at]
    if stuck:
        out.append(f"{', '.join(stuck)} at the edge of what is tried, or of no weight: not determined by the data")
    if "seeds" not in method:
        out.append(f"intervals of the surface: {method}; nothing is claimed over seeds")
    return out


def _words(
    read: Curves, table: pd.DataFrame, ahead: pd.DataFrame, error: Float[np.ndarray, "3"], verdict: str, why: str
) -> str:
    v = dict(zip(table["parameter"], table["value"], strict=True))
    out = []
    if np.isfinite(table["value"]).all():
        out.append(
            f"{read.name} = {v['E']:.4g} + {v['A']:.4g} / N^{v['alpha']:.4g} + {v['B']:.4g} / D^{v['beta']:.4g}."
        )
    if verdict == "lawful":
        out.append(
            f"With compute C proportional to N D the best size grows as C^{v['a']:.3g}, the data as C^{v['b']:.3g}."
        )
    if np.isfinite(error).all():
        out.append(
            f"Fitted without the largest size ({ahead['size'].iloc[0]:.4g}) it errs there by {error[0]:.3g} log units, "
            f"{BASELINES[0]} along size by {error[1]:.3g}, {BASELINES[1]} of size, by {error[2]:.3g}."
        )
    return " ".join([*out, f"Verdict: {verdict}{f' ({why})' if why else ''}."])
