"""Retention over lag with its decay constant, on the data and on draws of seeds and items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

from emergelab.instruments._retention_events import Memory
from emergelab.instruments._retention_laws import Law, decide, fit_laws, prefers_exponential
from emergelab.statistics import Estimate

__all__ = ["Artefact", "Decay", "Drawn", "Weights", "drawn", "interval", "mean_over_exposures", "measure", "per_seed"]

_LOST = 0.05  # of the first R: what is left below it is noise, and the decay phase is over
_FARTHEST = 6.0  # decades beyond the lags at which an intercept still means something
_FEWEST_ITEMS = 5  # within one run, for an interval over items

Draws = Float[np.ndarray, "draws"]
Weights = tuple[Float[np.ndarray, "draws seed"], Float[np.ndarray, "draws item"]]


@dataclass(frozen=True)
class Drawn:
    """How often each seed and item is taken in each draw; row 0 of each is the data.

    Attributes:
        both, only_seeds, only_items: draws of seeds and items, of seeds alone, of items alone.
        seeds, items: how many there are with any record.
        level: confidence level.
    """

    both: Weights
    only_seeds: Weights
    only_items: Weights
    seeds: int
    items: int
    level: float


def drawn(memory: Memory, has_seeds: bool, level: float, draws: int, rng: np.random.Generator) -> Drawn:
    """Draw seeds and items with a record anew; those without one are never taken."""
    known = np.isfinite(memory.gain).any(axis=2) | np.isfinite(memory.effect).any(axis=2)

    def take(present: Bool[np.ndarray, "n"]) -> tuple[np.ndarray, np.ndarray]:
        n = int(present.sum())
        data = np.ones((1, len(present)))
        rows = np.zeros((draws, len(present)))
        if n:
            rows[:, present] = rng.multinomial(n, np.full(n, 1 / n), size=draws)
        return np.concatenate([data, rows]), np.ones((draws + 1, len(present)))

    (s, every_seed), (i, every_item) = take(known.any(axis=1)), take(known.any(axis=0))
    seeds = int(known.any(axis=1).sum()) if has_seeds else 1
    return Drawn((s, i), (s, every_item), (every_seed, i), seeds, int(known.any(axis=0).sum()), level)


def interval(values: tuple[Draws, Draws, Draws], d: Drawn) -> Estimate:
    """Estimate and its interval over seeds and items, from draws of both, of seeds alone and of items alone.

    Drawing both (Owen 2007) counts what is particular to a cell three times, so the draws of both give the shape, and
    the spread is the two-way variance: over seeds, plus over items, less over cells (Cameron, Gelbach and Miller 2011).
    The quantiles are widened as Student's t is for that many seeds (Hesterberg 2015). Without a dim of seeds items are
    what is drawn, and the interval holds within that run only.
    """
    value, nan, n = float(values[0][0]), float("nan"), d.seeds
    if not np.isfinite(value):
        return Estimate(nan, nan, nan, d.level, "undefined here", n)
    within = n == 1
    if within and d.items < _FEWEST_ITEMS:
        return Estimate(value, nan, nan, d.level, f"one run of {d.items} items: no interval", n)
    if not within and n < 5:
        return Estimate(value, nan, nan, d.level, f"{n} seeds: no interval below 5", n)
    finite = [v[1:][np.isfinite(v[1:])] for v in values]
    if min(len(v) for v in finite) < 0.9 * (len(values[0]) - 1):
        return Estimate(value, nan, nan, d.level, "undefined on too many draws for an interval", n)
    both, by_seed, by_item = (float(np.var(v)) for v in finite)
    units = d.items if within else n
    shrunk_s, shrunk_i = (1 - 1 / max(k, 2) for k in (d.seeds, d.items))
    cells = max(both - by_seed - by_item, 0.0) / (shrunk_s * shrunk_i)
    over_seeds, over_items = by_seed / shrunk_s, by_item / shrunk_i
    variance = over_items if within else max(over_seeds + max(over_items - cells, 0.0), over_items)
    # without variance among the items beyond that of the cells, the seeds alone give the spread
    shape = finite[2] if within else finite[0]
    spread = float(np.std(shape))
    if spread <= 1e-12 * abs(value) or variance == 0.0:
        return Estimate(value, value, value, d.level, "point: every draw agrees", n)
    tail = (1 - d.level) / 2
    wider = float(special.stdtrit(units - 1, tail) / special.ndtri(tail)) * np.sqrt(variance) / spread
    low, high = value + (np.quantile(shape, (tail, 1 - tail)) - value) * wider
    name = "bootstrap of items, within one run only" if within else "two-way bootstrap of seeds and items"
    if not within and d.items < 2:
        name = "bootstrap of seeds"
    low, high = min(float(low), value), max(float(high), value)
    return Estimate(value, low, high, d.level, name, n, float(np.sqrt(variance * units)))


def sums(x: Float[np.ndarray, "seed item k"], w: Weights) -> Float[np.ndarray, "draws k"]:
    """Weighted sums over seeds and items for every draw."""
    return np.einsum("di,dik->dk", w[1], np.tensordot(w[0], x, axes=(1, 0)))


def means(x: Float[np.ndarray, "seed item k"], w: Weights) -> Float[np.ndarray, "draws k"]:
    """Weighted means over the seeds and items that have a value."""
    known = np.isfinite(x)
    count, total = sums(known.astype(float), w), sums(np.where(known, x, 0.0), w)
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)


def mean_over_exposures(effects: Float[np.ndarray, "draws k"]) -> Draws:
    """Mean over those exposures that exist in a draw."""
    known = np.isfinite(effects)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, effects, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def ratio(memory: Memory, w: Weights) -> Float[np.ndarray, "draws lag"]:
    """R: kept over acquired gain, each a mean over the seeds and items that have a record at that lag."""
    known = np.isfinite(memory.gain)
    if not memory.is_ratio:
        return means(memory.gain, w)
    known &= np.isfinite(memory.acquired)[..., None]
    top = sums(np.where(known, memory.gain, 0.0), w)
    bottom = sums(np.where(known, memory.acquired[..., None], 0.0), w)
    size = sums(np.where(known, np.abs(memory.acquired[..., None]), 0.0), w)
    usable = np.abs(bottom) > 1e-9 * size
    return np.where(usable, top / np.where(usable, bottom, 1.0), np.nan)


def line(
    retention: Float[np.ndarray, "draws lag"],
    lag: Float[np.ndarray, "lag"],
    phase: Bool[np.ndarray, "lag"],
    weight: Float[np.ndarray, "lag"],
) -> tuple[Draws, Draws, float]:
    """Loss per decade, decimal logarithm of the intercept, and R2 of the data: least squares over all records."""
    if phase.sum() < 3:
        return np.full(len(retention), np.nan), np.full(len(retention), np.nan), float("nan")
    u, y, w = np.log10(lag[phase]), retention[:, phase], weight[phase] / weight[phase].sum()
    v = u - w @ u
    slope, middle = y @ (w * v) / (w @ v**2), y @ w
    falls = slope < 0
    zero = w @ u - middle / np.where(falls, slope, -1.0)
    zero = np.where(falls & (np.abs(zero - u[-1]) < _FARTHEST), zero, np.nan)
    rest = y[0] - middle[0] - slope[0] * v
    total = float(w @ (y[0] - middle[0]) ** 2)
    flat = not total > 1e-24 * float(np.abs(y[0]).max()) ** 2
    return -slope, zero, float("nan") if flat else 1 - float(w @ rest**2) / total


def decay_phase(retention: Float[np.ndarray, "lag"]) -> Bool[np.ndarray, "lag"]:
    """Lags up to and with the first at which nothing is left."""
    known = np.isfinite(retention)
    if not known.any():
        return known
    start = max(float(retention[known][0]), 0.0)
    gone = np.flatnonzero(known & (retention <= _LOST * start))
    upto = gone[0] + 1 if len(gone) else len(retention)
    return known & (np.arange(len(retention)) < upto)


def half_life(retention: Float[np.ndarray, "draws lag"], lag: Float[np.ndarray, "lag"], half: Draws) -> Draws:
    """First lag at which R is at or below one half, between records on the logarithm of lag; NaN if it never is."""
    known = np.isfinite(retention[0])
    if known.sum() < 2:
        return np.full(len(retention), np.nan)
    y, logs, half = retention[:, known], np.log(lag[known]), half[:, None]
    below = np.where(np.isfinite(y), y, np.inf) <= half
    first = np.argmax(below, axis=1)
    row, before = np.arange(len(y)), np.maximum(first - 1, 0)
    above, under = y[row, before], y[row, first]
    gap = above - under
    part = np.where(gap > 0, (above - half[:, 0]) / np.where(gap > 0, gap, 1.0), 0.0)
    at = np.exp(logs[before] + np.clip(part, 0, 1) * (logs[first] - logs[before]))
    return np.where(below.any(axis=1) & (first > 0) & np.isfinite(above), at, np.nan)


def published(memory: Memory) -> Float[np.ndarray, "lag"]:
    """Mean of the items' own ratios without those beyond two interquartile ranges, nothing taken off."""
    bottom = memory.raw_acquired[..., None]
    usable = np.isfinite(bottom) & (np.abs(bottom) > 1e-12)
    each = np.where(usable, memory.raw_gain / np.where(usable, bottom, 1.0), np.nan)
    each = each.reshape(each.shape[0] * each.shape[1], len(memory.lag))
    out = np.full(len(memory.lag), np.nan)
    for k in range(len(out)):
        x = each[np.isfinite(each[:, k]), k]
        if len(x):
            low, high = np.percentile(x, [25, 75])
            out[k] = x[(x >= low - 2 * (high - low)) & (x <= high + 2 * (high - low))].mean()
    return np.where(np.abs(out) < 1e9, out, np.nan)


@dataclass(frozen=True)
class Artefact:
    """Whether a mean over items hides another law: share of items that an exponential fits better than a power law,
    and by how much over all of them together (in AIC)."""

    share: float
    gain: float

    @property
    def found(self) -> bool:
        """Most items, and all of them together, are exponential."""
        return self.share > 0.5 and self.gain > 10.0


@dataclass(frozen=True)
class Decay:
    """What one condition shows; effects and R in the units of the data.

    Attributes:
        drawn: the draws behind the intervals.
        retention: R at every lag; row 0 is the data.
        bounds: R at every lag with its interval.
        published: R as published (mean of the ratios of items).
        effect: gain of an exposure, mean over exposures; with p.
        rise: mean over the window instead of the maximum, which is what is tested.
        rises: the same for each exposure.
        p_effect: two-sided p of no gain, by the rise.
        gained: seeds with a gain above 0, and seeds with any.
        effects: gain of the first, second, ... exposure.
        slope: decay constant a, the loss of R per decade of lag.
        log_intercept: decimal logarithm of the lag at which the line reaches zero.
        log_half_life: decimal logarithm of the lag at which R first falls to one half of its start.
        last: R at the longest lag, over that at its start.
        r2: of the line.
        phase: lags of the decay phase, on which the line was fitted.
        laws: fitted laws, if there are lags enough.
        family: the family of laws that stands, or "undecided".
        why: the reason.
        artefact: whether items by themselves decay otherwise than their mean.
        binomial: whether the laws were fitted by the binomial likelihood.
    """

    drawn: Drawn
    retention: Float[np.ndarray, "draws lag"]
    lag: Float[np.ndarray, "lag"]
    bounds: list[Estimate]
    published: Float[np.ndarray, "lag"]
    effect: Estimate
    rise: Estimate
    rises: list[Estimate]
    p_effect: float
    gained: tuple[int, int]
    effects: list[Estimate]
    slope: Estimate
    log_intercept: Estimate
    log_half_life: Estimate
    last: Estimate
    r2: float
    phase: Bool[np.ndarray, "lag"]
    weight: Float[np.ndarray, "lag"]
    laws: list[Law]
    family: str
    why: str
    artefact: Artefact
    binomial: bool


def measure(memory: Memory, scale: float, d: Drawn, trials: Float[np.ndarray, "lag"] | None, chance: float) -> Decay:
    """Everything about the gains of one condition.

    Args:
        memory: the gains.
        scale: what they were divided by.
        d: draws of seeds and items.
        trials: yes-or-no answers at every lag, if the scores are such.
        chance: share that is right by chance, for those.
    """
    size = 1.0 if memory.is_ratio else scale
    ways = (d.both, d.only_seeds, d.only_items)
    retention = [ratio(memory, w) * size for w in ways]
    data = retention[0][0]
    phase, usable = decay_phase(data), np.isfinite(data)
    weight = memory.records.sum(axis=(0, 1)).astype(float)
    lines = [line(r, memory.lag, phase, weight) for r in retention]
    effects = [means(memory.effect, w) * scale for w in ways]
    effect = interval(_three([mean_over_exposures(e) for e in effects]), d)
    rises = [means(memory.rise, w) * scale for w in ways]
    rise = interval(_three([mean_over_exposures(e) for e in rises]), d)
    start = [_start(memory, r, usable) for r in retention]
    last = [r[:, np.flatnonzero(usable)[-1]] if usable.any() else np.full(len(r), np.nan) for r in retention]
    halves = [half_life(r, memory.lag, s / 2) for r, s in zip(retention, start, strict=True)]
    laws: list[Law] = []
    family, why = "undecided", "too few lags for laws"
    if usable.sum() >= 4 and float(np.ptp(data[usable])) > 1e-9 * float(np.abs(data[usable]).max()):
        of = None if trials is None else trials[usable]
        laws = fit_laws(memory.lag[usable], data[usable], trials=of, floor=chance)
        family, why = decide(laws)
    return Decay(
        drawn=d,
        retention=retention[0],
        lag=memory.lag,
        bounds=[interval((retention[0][:, k], retention[1][:, k], retention[2][:, k]), d)
                for k in range(len(memory.lag))],
        published=published(memory) * (1.0 if memory.is_ratio else np.nan),
        effect=effect,
        rise=rise,
        rises=[interval((rises[0][:, k], rises[1][:, k], rises[2][:, k]), d) for k in range(memory.rise.shape[2])],
        p_effect=_p(rise),
        gained=_gained(memory),
        effects=[interval((effects[0][:, k], effects[1][:, k], effects[2][:, k]), d)
                 for k in range(memory.effect.shape[2])],
        slope=interval(_three([s for s, _, _ in lines]), d),
        log_intercept=interval(_three([z for _, z, _ in lines]), d),
        log_half_life=interval(_three([_log10(h) for h in halves]), d),
        last=interval(_three([_over(x, s) for x, s in zip(last, start, strict=True)]), d),
        r2=lines[0][2],
        phase=phase,
        weight=weight,
        laws=laws,
        family=family,
        why=why,
        artefact=_artefact(memory),
        binomial=trials is not None,
    )  # fmt: skip


def _three(x: list[Draws]) -> tuple[Draws, Draws, Draws]:
    return x[0], x[1], x[2]


def _log10(x: Draws) -> Draws:
    return np.log10(x, where=x > 0, out=np.full(len(x), np.nan))


def _over(x: Draws, start: Draws) -> Draws:
    usable = np.isfinite(start) & (np.abs(start) > 1e-300)
    with np.errstate(over="ignore"):
        share = x / np.where(usable, start, 1.0)
    return np.where(usable & (np.abs(share) < 1e9), share, np.nan)


def _start(memory: Memory, retention: Float[np.ndarray, "draws lag"], usable: Bool[np.ndarray, "lag"]) -> Draws:
    """Where R begins: 1 if it is a share of what was acquired, else its value at the first lag."""
    if memory.is_ratio or not usable.any():
        return np.ones(len(retention))
    return retention[:, np.flatnonzero(usable)[0]]


def _p(e: Estimate) -> float:
    """Two-sided p that it is 0, by Student's t; none within one run."""
    if not e.claimed or not e.sd > 0 or e.n < 2:
        return float("nan")
    return float(2 * special.stdtr(e.n - 1, -abs(e.value) / (e.sd / np.sqrt(e.n))))


def _gained(memory: Memory) -> tuple[int, int]:
    seeds, items = memory.acquired.shape
    each = mean_over_exposures(means(memory.rise, (np.eye(seeds), np.ones((seeds, items)))))
    known = np.isfinite(each)
    return int((each[known] > 0).sum()), int(known.sum())


def _artefact(memory: Memory) -> Artefact:
    known = np.isfinite(memory.gain)
    count = known.sum(axis=0)
    each = np.where(count > 0, np.where(known, memory.gain, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    wins = prefers_exponential(memory.lag, each)
    wins = wins[np.isfinite(wins)]
    return Artefact(float((wins > 0).mean()), float(wins.sum())) if len(wins) >= 3 else Artefact(float("nan"), 0.0)


def per_seed(memory: Memory, d: Decay, scale: float) -> dict[str, Float[np.ndarray, "seed"]]:
    """The same quantities of every seed by itself, over its items; for contrasts and the table of seeds."""
    seeds, items = memory.acquired.shape
    w = (np.eye(seeds), np.ones((seeds, items)))
    retention = ratio(memory, w) * (1.0 if memory.is_ratio else scale)
    slope, zero, _ = line(retention, memory.lag, d.phase, d.weight)
    usable = np.flatnonzero(np.isfinite(d.retention[0]))
    last = retention[:, usable[-1]] if len(usable) else np.full(seeds, np.nan)
    return {
        "gain of an exposure": mean_over_exposures(means(memory.effect, w) * scale),
        "decay constant a": slope,
        "log10 of the x-intercept": zero,
        "R at the longest lag": last,
        "exponential over power law (AIC)": prefers_exponential(memory.lag, retention / np.abs(retention).max(
            initial=1e-300, where=np.isfinite(retention))),
    }  # fmt: skip
