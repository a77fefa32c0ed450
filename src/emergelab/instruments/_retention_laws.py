"""Laws of forgetting: linear parts are solved exactly, rates are searched on a grid that closes in on the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import optimize, special

__all__ = ["FAMILY", "LAWS", "Law", "decide", "fit_laws", "prefers_exponential"]

Lags = Float[np.ndarray, "lag"]

FAMILY: Mapping[str, str] = {
    "power": "power law",
    "Wickelgren": "power law",
    "logarithmic": "logarithmic",
    "exponential": "exponential",
    "exponential with a floor": "exponential",
    "two exponentials": "exponential",
}
"""Laws of one family are special cases of each other, or nearly; the verdict is about families."""

_TINY = 1e-24  # of the squared size of y: a residual below this is rounding


@dataclass(frozen=True)
class _Form:
    """y = basis(t, rates) @ weights, with t over the longest lag.

    Attributes:
        columns: (t, rates with one row a cell) -> one or two columns for every cell.
        rates: grid of each rate.
        linear: number of weights.
        positive: whether both weights must be at least 0.
        words: the formula.
    """

    columns: Callable[[Lags, Float[np.ndarray, "cell r"]], list[Float[np.ndarray, "cell lag"]]]
    rates: tuple[Float[np.ndarray, "_"], ...]
    linear: int
    words: str
    positive: bool = False


def _ones(t: Lags, r: np.ndarray) -> np.ndarray:
    return np.ones((len(r), len(t)))


LAWS: Mapping[str, _Form] = {
    "power": _Form(lambda t, r: [t ** -r[:, :1]], (np.geomspace(0.003, 3.0, 61),), 1, "a t^-b"),
    "Wickelgren": _Form(lambda t, r: [(1 + r[:, :1] * t) ** -r[:, 1:]],
                        (np.geomspace(0.1, 1e6, 29), np.geomspace(0.01, 3.0, 21)), 1, "a (1 + b t)^-c"),
    "logarithmic": _Form(lambda t, r: [_ones(t, r), np.log(t) + 0 * r[:, :1]], (np.zeros(1),), 2, "a - b ln t"),
    "exponential": _Form(lambda t, r: [np.exp(-r[:, :1] * t)], (np.geomspace(0.01, 3e4, 81),), 1, "a exp(-b t)"),
    "exponential with a floor": _Form(lambda t, r: [_ones(t, r), np.exp(-r[:, :1] * t)],
                                      (np.geomspace(0.05, 3e4, 81),), 2, "a + b exp(-c t)"),
    "two exponentials": _Form(lambda t, r: [np.exp(-r[:, :1] * t), np.exp(-r[:, :1] * (1 + r[:, 1:]) * t)],
                              (np.geomspace(0.01, 3e3, 29), np.geomspace(0.5, 3e4, 21)), 2,
                              "a exp(-c t) + b exp(-d t)", positive=True),
}  # fmt: skip


@dataclass(frozen=True)
class Law:
    """One fitted law.

    Attributes:
        r2: share of the variance over lags.
        aicc: Akaike's criterion corrected for few lags; NaN if there are too few.
        held_out: root mean squared error on the last decade of lags when only earlier ones are fitted; NaN if either
            part is too short.
        parameters: as in the formula, in units of the lags.
        curve: lags -> fitted value.
    """

    name: str
    r2: float
    aicc: float
    held_out: float
    parameters: tuple[float, ...]
    curve: Callable[[Lags], Lags]


def fit_laws(
    lag: Lags,
    y: Lags,
    laws: Sequence[str] = tuple(LAWS),
    trials: Lags | None = None,
    floor: float = 0.0,
) -> list[Law]:
    """Fit every law to a curve over positive lags.

    Args:
        lag: at least three lags.
        y: what is kept.
        laws: names out of `LAWS`.
        trials: yes-or-no answers behind every y; then the binomial likelihood of ``floor + (1 - floor) y`` takes the
            place of least squares, since a share cannot leave [0, 1] and varies less near its ends.
        floor: share that is right by chance.
    """
    out = []
    size = float(np.abs(y).max()) or 1.0
    early = lag <= lag.max() / 10
    total = float(((y - y.mean()) ** 2).sum())
    for name in laws:
        form = LAWS[name]
        free = form.linear + (len(form.rates) if name != "logarithmic" else 0)
        if len(lag) < free:
            continue
        curve, parameters = _fit(name, lag, y, size, trials, floor)
        fitted = curve(lag)
        error = max(float((((fitted - y) / size) ** 2).sum()), _TINY * len(y))
        n, k = len(y), free + (trials is None)  # least squares estimates the spread as well
        aicc = float("nan")
        if n > k + 1:
            loss = n * (np.log(error / n) + 2 * np.log(size)) if trials is None else 2 * _nll(fitted, y, trials, floor)
            aicc = float(loss + 2 * k + 2 * k * (k + 1) / (n - k - 1))
        held_out = float("nan")
        if early.sum() > free and (~early).sum() >= 2:
            part = None if trials is None else trials[early]
            miss = (_fit(name, lag[early], y[early], size, part, floor)[0](lag[~early]) - y[~early]) / size
            held_out = float(np.sqrt(np.mean(miss**2)) * size) if np.isfinite(miss).all() else float("nan")
        r2 = 1 - error * size**2 / total if total > _TINY * size**2 else float("nan")
        out.append(Law(name, r2, aicc, held_out, parameters, curve))
    return out


def _nll(fitted: Lags, y: Lags, trials: Lags, floor: float) -> float:
    p = np.clip(floor + (1 - floor) * fitted, 1e-6, 1 - 1e-6)
    share = floor + (1 - floor) * y
    return float(-(trials * (special.xlogy(share, p) + special.xlog1py(1 - share, -p))).sum())


def _fit(
    name: str, lag: Lags, y: Lags, size: float, trials: Lags | None, floor: float
) -> tuple[Callable[[Lags], Lags], tuple[float, ...]]:
    form, longest = LAWS[name], float(lag.max())
    t, z = lag / longest, y / size
    grids, (rates, weights) = form.rates, _best(form, t, z, form.rates)
    for _ in range(7 if name != "logarithmic" else 0):
        # each round looks between the neighbours of the best cell of the round before, inside the first grid
        steps = [(g[1] / g[0]) ** 1.5 if len(g) > 1 else 1.0 for g in grids]
        grids = tuple(
            np.clip(np.geomspace(r / step, r * step, 9), first.min(), first.max())
            for r, step, first in zip(rates, steps, form.rates, strict=True)
        )
        rates, weights = _best(form, t, z, grids)
        grids = tuple(np.array([1.0, step ** (1 / 4)]) for step in steps)

    def curve(at: Lags, weights: np.ndarray = weights, rates: np.ndarray = rates) -> Lags:
        with np.errstate(over="ignore", under="ignore"):
            columns = form.columns(np.asarray(at, dtype=float) / longest, rates[None])
        return size * sum(w * c[0] for w, c in zip(weights, columns, strict=True))

    if trials is not None:
        count = len(weights)
        # within the first grid: a Wickelgren law of a large exponent would be an exponential
        ends = np.log([[max(g.min(), 1e-12) for g in form.rates], [max(g.max(), 1e-12) for g in form.rates]])

        def within(x: np.ndarray) -> np.ndarray:
            return np.exp(np.clip(x[count:], *ends))

        def loss(x: np.ndarray) -> float:
            return _nll(curve(lag, x[:count], within(x)), y, trials, floor)

        start = np.concatenate([weights, np.log(np.maximum(rates, 1e-12))])
        x = optimize.minimize(loss, start, method="Nelder-Mead", options={"maxfev": 600, "fatol": 1e-7}).x
        weights, rates = x[:count], within(x)
        return lambda at: curve(at, weights, rates), _natural(name, weights * size, rates, longest)
    return curve, _natural(name, weights * size, rates, longest)


def _best(
    form: _Form, t: Lags, z: Lags, grids: tuple[Float[np.ndarray, "_"], ...]
) -> tuple[Float[np.ndarray, "r"], Float[np.ndarray, "k"]]:
    """The cell of the grid with the least squares, and its weights."""
    cells = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, len(grids))
    with np.errstate(under="ignore", over="ignore"):
        columns = form.columns(t, cells)
        first = columns[0]
        own = np.maximum((first**2).sum(axis=1), 1e-300)
        w = first @ z / own
        if form.linear == 1:
            error = ((z - w[:, None] * first) ** 2).sum(axis=1)
            weights = w[:, None]
        else:
            # the part of the second column that the first cannot make
            slope = (first * columns[1]).sum(axis=1) / own
            rest = columns[1] - slope[:, None] * first
            norm = (rest**2).sum(axis=1)
            v = np.where(norm > 1e-10 * (columns[1] ** 2).sum(axis=1), rest @ z / np.maximum(norm, 1e-300), 0.0)
            weights = np.stack([w - v * slope, v], axis=1)
            error = ((z - weights[:, :1] * first - v[:, None] * columns[1]) ** 2).sum(axis=1)
            if form.positive:
                allowed = (weights >= 0).all(axis=1)
                error = np.where(allowed, error, np.inf) if allowed.any() else error
    best = int(np.argmin(error))
    return cells[best], weights[best]


def _natural(name: str, weights: np.ndarray, rates: np.ndarray, longest: float) -> tuple[float, ...]:
    """Parameters in units of the lags, as they were fitted on t / longest."""
    w, r = [float(v) for v in weights], [float(v) for v in rates]
    if name == "power":
        return w[0] * longest ** r[0], r[0]
    if name == "Wickelgren":
        return w[0], r[0] / longest, r[1]
    if name == "logarithmic":
        return w[0] - w[1] * float(np.log(longest)), -w[1]
    if name == "two exponentials":
        return w[0], w[1], r[0] / longest, r[0] * (1 + r[1]) / longest
    return (*w, r[0] / longest)


def decide(laws: Sequence[Law], margin: float = 4.0) -> tuple[str, str]:
    """The family that stands, "undecided" if none does, and the reason.

    Its best law must have an AICc lower by ``margin`` than every law of the other families, and none of those may
    predict the last decade from the earlier ones with less than half of its error.
    """
    scored = [law for law in laws if np.isfinite(law.aicc)]
    families = {FAMILY[law.name] for law in scored}
    if len(families) < 2:
        return "undecided", "too few lags to hold laws against each other"
    best = min(scored, key=lambda law: law.aicc)
    others = [law for law in scored if FAMILY[law.name] != FAMILY[best.name]]
    rival = min(others, key=lambda law: law.aicc)
    if rival.aicc - best.aicc < margin:
        return "undecided", f"{best.name} is ahead of {rival.name} by {rival.aicc - best.aicc:.1f} in AICc only"
    same = [law for law in scored if FAMILY[law.name] == FAMILY[best.name] and np.isfinite(law.held_out)]
    ahead = [law for law in others if np.isfinite(law.held_out)]
    if same and ahead:
        own, other = min(law.held_out for law in same), min(ahead, key=lambda law: law.held_out)
        if own > 2 * other.held_out:
            return "undecided", f"{best.name} has the lowest AICc, but {other.name} predicts the last decade better"
    return FAMILY[best.name], f"{best.name} is ahead of {rival.name} by {rival.aicc - best.aicc:.1f} in AICc"


def prefers_exponential(lag: Lags, curves: Float[np.ndarray, "row lag"]) -> Float[np.ndarray, "row"]:
    """How much better each curve is fitted by an exponential than by a power law, in AIC; NaN below five records."""
    known = np.isfinite(curves)
    n = known.sum(axis=1)
    size = np.abs(np.where(known, curves, 0.0)).max(axis=1, initial=0.0)
    z = np.where(known, curves, 0.0) / np.where(size > 0, size, 1.0)[:, None]
    t = lag / lag.max() if len(lag) else lag
    errors = []
    for name in ("power", "exponential"):
        grid = np.geomspace(LAWS[name].rates[0][0], LAWS[name].rates[0][-1], 241)
        with np.errstate(under="ignore"):
            shape = LAWS[name].columns(t, grid[:, None])[0]
            own = np.maximum(known @ (shape**2).T, 1e-300)
            explained = (z @ shape.T) ** 2 / own
        errors.append((z**2).sum(axis=1) - explained.max(axis=1, initial=0.0))
    power, exponential = (np.maximum(e, _TINY * np.maximum(n, 1)) for e in errors)
    return np.where((n >= 5) & (size > 0), n * np.log(power / exponential), np.nan)
