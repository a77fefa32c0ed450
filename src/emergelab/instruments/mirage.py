"""mirage: is the jump in the metric or in the system?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError
from emergelab.instruments._base_rates import BaseRates, base_rate_plateaus
from emergelab.instruments._curves import Curves, as_dataset, beside, curves
from emergelab.instruments._item_level import from_tokens
from emergelab.instruments._mirage_link import fit_length, link_test, resolution_test
from emergelab.instruments._mirage_shape import family, smoothness_test, sweep_table
from emergelab.instruments._mirage_words import (
    Kind,
    Parts,
    cautions,
    companions_table,
    curves_table,
    describe,
    diagnostics,
    tests_table,
)
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import Estimate, estimate

__all__ = ["Kind", "mirage"]

_KINDS: tuple[Kind, ...] = ("nll", "log-probability", "perplexity", "probability", "other")
_FEWEST_X = 6

_CANNOT_SEE = (
    "whether the companion was measured on the same outputs; breaks hidden by averaging over tasks or over "
    "tokenisations; a "
    "jump between two records that lie far apart. That a score is a function of a smooth quantity does not "
    "make that quantity "
    "smooth: the third test asks that, within the noise of the data. The emergence score E is a "
    "description, not a test."
)


def mirage(
    data: Any,
    var: str | None = None,
    companion: str | Sequence[str] | xr.DataArray | None = None,
    *,
    kind: Kind | None = None,
    items: int | None = None,
    stderr: float | str | xr.DataArray | None = None,
    target_length: float | None = None,
    tokens: str | xr.DataArray | None = None,
    chance: float = 0.0,
    margin: float = 0.02,
    sharp: float = 0.5,
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    level: float = 0.95,
    draws: int = 499,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Ask whether a smooth change of a finer quantity explains a sharp score entirely.

    Four tests, each with its own sub-verdict: (1) *link*: the score is one monotone function of the companion
    on curves that the function has not seen, within the noise of its items plus ``margin``; (2) *resolution*:
    where the score is zero the companion still improves, and zero of n items is what it predicts; (3)
    *smoothness*: a break (10-90% within ``sharp`` decades of x) describes the companion better than a smooth
    law, on its own scale or as a probability; (4) *sweep*: widths and emergence scores of the same outputs
    under other metrics.

    Args:
        data: a Run, `xarray.Dataset` or `DataArray` with dims among (``by``, ``seeds``, ``along``).
        var: the score, best in [0, 1].
        companion: one or more continuous quantities on the same outputs (log-probability, perplexity, Brier
            score, edit distance ...): names in ``data`` or an array. With several, the one that explains the
            score best is judged and all are listed.
        kind: what the companion is; None: read from its name and range ("ppl" or "perplexity", "logprob",
            "nll" or "loss", values in [0, 1] named "prob"), else "other". Perplexities are turned into their
            logarithm.
        items: test items behind each score; gives the binomial noise and the resolution 1 / items.
        stderr: standard error of the score, if it is known otherwise.
        target_length: tokens that must all be right (K of y = p**K); None: estimated when the companion gives
            a probability.
        tokens: item-level outputs for the sweep: probability (or 0/1) that each target token is right, with
            the dims of the score and "item" and "token".
        chance: score at chance; it is subtracted where zeros and p**K are judged.
        margin: smallest error of the link that matters, in units of the score.
        sharp: decades of x below which a 10-90% rise is a break.
        along: dim of x (steps, parameters, data); must have a coordinate, which is read on a log axis.
        by: dim of conditions, or None.
        seeds: dim of the curves that are held out in turn (seeds, or model sizes).
        level: confidence level.
        draws: permutations and bootstrap draws.
        rng: seed or generator.

    Returns:
        A `Result` with verdict "mirage" (explained, and no break in the companion), "floor" (only the
        resolution test speaks), "genuine" (a break in the companion too, or a residual that depends on x) or
        "undecided" (fewer than 6 values of x, no companion, a score that does not change, or one that sits on
        the label base rates). Tables: "tests", "companions", "sweep", "curves".

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    if margin <= 0 or sharp <= 0:
        raise UserError(f"mirage: margin and sharp must be above 0, got {margin} and {sharp}")
    if draws < 99:
        raise UserError(f"mirage: draws must be at least 99, got {draws}")
    if kind is not None and kind not in _KINDS:
        raise UserError(f"mirage: kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    if items is not None and items < 1:
        raise UserError(f"mirage: items must be at least 1, got {items}")
    if target_length is not None and target_length <= 0:
        raise UserError(f"mirage: target_length must be above 0, got {target_length}")
    if not 0 <= chance < 1:
        raise UserError(f"mirage: chance must be in [0, 1), got {chance}")
    source = np.random.default_rng(rng)
    score = curves(data, var, along=along, by=by, seeds=seeds)
    y = score.values.reshape(-1, len(score.time))
    error = _score_error(data, score, items, stderr, by, seeds)
    reasons, warnings, rates = _obstacles(score, y, error, companion, margin, items)
    warnings = [*score.notes, *warnings]
    candidates = _companions(data, companion, score, by, seeds) if not reasons else []
    parts = [
        _judge(
            y,
            z,
            score.time,
            error,
            name,
            kind,
            items,
            target_length,
            chance,
            margin,
            sharp,
            level,
            draws,
            source,
        )
        for name, z in candidates
    ]
    best = min(parts, key=lambda p: p.link.rmse if np.isfinite(p.link.rmse) else np.inf) if parts else None
    if best is not None and not np.isfinite(best.link.rmse):
        reasons.append("the score and the companion share too few records")
    verdict = _verdict(best, reasons)
    sweep = _sweep(data, tokens, score, y, best, items, min(draws, 200), source)
    warnings += cautions(score, best, sweep, len(y))
    headline = _headline(best, level, draws, source)
    p = best.link.p_residual if best else float("nan")
    return Result(
        instrument="mirage",
        question=f"Is the jump of {score.name} in the metric or in the system?",
        verdict=verdict,
        estimate=headline,
        headline="held-out error of the link",
        p=p,
        null=Null("residual of the link does not depend on x (permutation)", draws if best else 0),
        effect=Effect("R2 of the link", best.link.r2 if best else float("nan")),
        n_seeds=len(y) if score.has_seeds or len(y) > 1 else 1,
        tables={
            "tests": tests_table(best, reasons),
            "companions": companions_table(parts),
            "sweep": sweep,
            "curves": curves_table(score, best),
        },
        diagnostics=diagnostics(score, y, best, rates),
        warnings=tuple(warnings),
        words=describe(score, best, verdict, reasons, margin),
        cannot_see=_CANNOT_SEE,
        params={
            "companion": [p.name for p in parts],
            "kind": best.kind if best else kind,
            "items": items,
            "stderr": stderr.name if isinstance(stderr, xr.DataArray) else stderr,
            "target_length": target_length,
            "chance": chance,
            "margin": margin,
            "sharp": sharp,
            "along": along,
            "by": by,
            "seeds": seeds,
            "level": level,
            "draws": draws,
        },
        provenance=provenance(score.digest, rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._mirage_plot import draw

    return draw(result)


def _score_error(
    data: Any,
    score: Curves,
    items: int | None,
    stderr: float | str | xr.DataArray | None,
    by: str | None,
    seeds: str,
) -> Float[np.ndarray, "curve x"]:
    y = score.values.reshape(-1, len(score.time))
    if stderr is not None:
        block = beside(data, stderr, score, "stderr", by, seeds)
        assert block is not None
        return np.nan_to_num(block.reshape(y.shape))
    if items is None:
        return np.zeros_like(y)
    if np.nanmin(y, initial=0.0) < 0 or np.nanmax(y, initial=0.0) > 1:
        raise UserError(
            f"mirage: items=... needs a score in [0, 1], {score.name!r} leaves that range; give stderr instead"
        )
    # half a success is added to either side: a score of 0 of n has noise too (Agresti and Coull 1998)
    share = np.clip(np.nan_to_num(y), 0.5 / items, 1 - 0.5 / items)
    return np.sqrt(share * (1 - share) / items)


def _obstacles(
    score: Curves,
    y: Float[np.ndarray, "curve x"],
    error: Float[np.ndarray, "curve x"],
    companion: Any,
    margin: float,
    items: int | None,
) -> tuple[list[str], list[str], BaseRates | None]:
    """Reasons for which no verdict is possible, and warnings."""
    reasons, warnings = [], []
    seen = np.isfinite(y)
    n_x = int(seen.any(axis=0).sum())
    if n_x < _FEWEST_X:
        reasons.append(f"only {n_x} distinct values of {score.time_name}, {_FEWEST_X} are needed")
    if companion is None:
        reasons.append("there is no continuous companion")
    rates = base_rate_plateaus(y, None if items is None else 0.25 / items, graded=bool((error > 0).any()))
    if rates is not None:
        told = (
            f"values equal the label base rates: two constant-answer plateaus, {rates.low:.3f} and "
            f"{rates.high:.3f}, add up"
        )
        warnings.append(told + " to one, so a jump between them is a change of the constant answer, not an ability")
        reasons.append("the score sits on the label base rates")
    if seen.any():
        count = seen.sum(axis=0)
        mean = np.nan_to_num(y).sum(axis=0)[count > 0] / count[count > 0]
        noise = float(np.sqrt(np.mean(error[seen] ** 2) / max(1.0, float(np.median(count[count > 0])))))
        if np.ptp(mean) <= margin + 3 * noise:
            reasons.append("the score does not change by more than its noise")
    return reasons, warnings, rates


def _companions(
    data: Any, companion: Any, score: Curves, by: str | None, seeds: str
) -> list[tuple[str, Float[np.ndarray, "curve x"]]]:
    names = [companion] if isinstance(companion, str | xr.DataArray) else list(companion)
    out = []
    for i, one in enumerate(names):
        block = beside(data, one, score, f"companion {one}" if isinstance(one, str) else "companion", by, seeds)
        if block is None:
            continue
        name = one if isinstance(one, str) else str(one.name or f"companion {i + 1}")
        if name == score.name:
            raise UserError(f"mirage: {name!r} cannot be its own companion")
        out.append((name, block.reshape(-1, len(score.time))))
    return out


def _kind_of(name: str, z: Float[np.ndarray, "curve x"]) -> Kind:
    low = name.lower()
    if "ppl" in low or "perplex" in low:
        return "perplexity" if not low.startswith("log") else "nll"
    if "logp" in low or "log_p" in low or "log-p" in low or "loglik" in low:
        return "log-probability"
    if "nll" in low or "loss" in low or "entropy" in low:
        return "nll"
    seen = z[np.isfinite(z)]
    if "prob" in low and seen.size and seen.min() >= 0 and seen.max() <= 1:
        return "probability"
    return "other"


def _judge(
    y: Float[np.ndarray, "curve x"],
    z: Float[np.ndarray, "curve x"],
    x: Float[np.ndarray, "x"],
    error: Float[np.ndarray, "curve x"],
    name: str,
    kind: Kind | None,
    items: int | None,
    target_length: float | None,
    chance: float,
    margin: float,
    sharp: float,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Parts:
    kind = kind or _kind_of(name, z)
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "perplexity":
            z = np.where(z > 0, np.log(z), np.nan)
        p_token = {
            "perplexity": np.exp(-np.maximum(z, 0.0)),
            "nll": np.exp(-np.maximum(z, 0.0)),
            "log-probability": np.exp(np.minimum(z, 0.0)),
            "probability": z,
        }.get(kind)
    link = link_test(y, z, error, margin=margin, draws=draws, rng=rng)
    above = np.maximum(y - chance, 0.0) / (1 - chance)
    length, rmse, interval = float("nan"), float("nan"), None
    if p_token is not None:
        p_token = np.clip(p_token, 0.0, 1.0)
        if target_length is None:
            length, rmse, interval = _length(above, p_token, error / (1 - chance), level, draws, rng)
        else:
            length = float(target_length)
            rmse = float(np.sqrt(np.nanmean((above - p_token**length) ** 2)))
    zero = np.isfinite(y) & (above <= _nothing(chance, items))
    good = 1.0 if np.isfinite(link.r2) and _rising(y, z) else -1.0
    resolution = resolution_test(
        above,
        z,
        zero,
        items=items,
        good=good,
        length=float("nan") if target_length is None else length,
        p_token=p_token,
        draws=draws,
        rng=rng,
    )
    of_score = smoothness_test(y, x, error, sharp=sharp, draws=draws, rng=rng)
    none = np.zeros_like(z)
    of_z, scale = smoothness_test(z, x, none, sharp=sharp, draws=draws, rng=rng), "its own scale"
    if p_token is not None and kind != "probability" and of_z.verdict != "break":
        of_p = smoothness_test(p_token, x, none, sharp=sharp, draws=draws, rng=rng)
        # a steep probability without a floor is a smooth ramp on the log scale: the break shows on the other
        # one
        if of_p.verdict == "break":
            of_z, scale = of_p, "the scale of probabilities"
    return Parts(name, kind, link, resolution, of_score, of_z, scale, z, p_token, length, interval, rmse)


def _nothing(chance: float, items: int | None) -> float:
    """Largest chance-corrected score that is still nothing: zero, or two standard errors of guessing."""
    if chance == 0.0 or items is None:
        return 0.0
    return 2 * float(np.sqrt(chance * (1 - chance) / items)) / (1 - chance)


def _rising(y: Float[np.ndarray, "curve x"], z: Float[np.ndarray, "curve x"]) -> bool:
    seen = np.isfinite(y) & np.isfinite(z)
    return bool(seen.any()) and bool(float((y[seen] - y[seen].mean()) @ (z[seen] - z[seen].mean())) > 0)


def _length(
    y: Float[np.ndarray, "curve x"],
    p: Float[np.ndarray, "curve x"],
    error: Float[np.ndarray, "curve x"],
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float, Estimate | None]:
    """K with its interval over curves (none is claimed for fewer than five curves)."""
    length, rmse = fit_length(y.ravel(), p.ravel(), error.ravel())
    if not np.isfinite(length):
        return length, rmse, None
    step = max(1, y.shape[1] // 100)  # a hundred records of each curve tell K as well as a thousand
    rows = np.stack([y, p, error], axis=1)[..., ::step]
    interval = estimate(
        rows,
        lambda r: fit_length(r[:, 0].ravel(), r[:, 1].ravel(), r[:, 2].ravel())[0],
        level=level,
        draws=100,
        rng=rng,
    )
    return length, rmse, interval


def _verdict(best: Parts | None, reasons: list[str]) -> str:
    if reasons or best is None:
        return "undecided"
    if best.companion.verdict == "break" or best.link.residual_matters:
        return "genuine"
    if best.link.verdict == "explained" and best.companion.verdict == "smooth":
        return "mirage"
    return "floor" if best.resolution.verdict == "floor" else "undecided"


def _sweep(
    data: Any,
    tokens: str | xr.DataArray | None,
    score: Curves,
    y: Float[np.ndarray, "curve x"],
    best: Parts | None,
    items: int | None,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    scores = {score.name: y}
    if best is not None:
        scores[best.name] = best.z
    if tokens is not None:
        source = as_dataset(data)[tokens] if isinstance(tokens, str) else tokens
        scores |= from_tokens(source, score)
    elif best is not None and best.p_token is not None:
        scores |= family(best.p_token, best.length)
    if len(score.time) < 3:
        return pd.DataFrame(columns=["metric", "W_decades", "E", "E_null_95"])
    return sweep_table(scores, score.time, items=items, draws=draws, rng=rng)


def _headline(best: Parts | None, level: float, draws: int, rng: np.random.Generator) -> Estimate:
    nan = float("nan")
    if best is None:
        return Estimate(nan, nan, nan, level, "no test was possible", 0)
    by_curve = best.link.rmse_curve[np.isfinite(best.link.rmse_curve)]
    over = estimate(
        by_curve**2,
        lambda v: float(np.sqrt(np.mean(v))),
        level=level,
        draws=max(draws, 200),
        rng=rng,
        bounds=(0, 1e300),
    )
    return over
