"""novelty: is the system open-ended, stagnant, or wandering?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError
from emergelab.instruments._novelty_read import Artefacts, beside_artefacts, read_artefacts
from emergelab.instruments._novelty_seed import Extras, SeedFinding, look_at
from emergelab.instruments._novelty_space import TARGET_COLUMNS, illumination_table, read_target, target_table
from emergelab.instruments._novelty_tests import crossplay_table
from emergelab.instruments._novelty_words import CANNOT_SEE, cautions, describe, judge, nearness
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import Estimate, difference, estimate, holm, permutation

__all__ = ["novelty"]

_CURVES = ("cumulative", "score", "change", "mode_novelty", "ecology", "complexity", "new_activity")


def novelty(
    data: Any,
    var: str | None = None,
    *,
    kind: str | None = None,
    shadow: xr.DataArray | xr.Dataset | None = None,
    passed: str | xr.DataArray | None = None,
    solved: str | xr.DataArray | None = None,
    parents: str | xr.DataArray | None = None,
    crossplay: xr.DataArray | None = None,
    target: xr.DataArray | np.ndarray | Sequence[float] | None = None,
    threshold: float | None = None,
    k: int = 10,
    window: int | None = None,
    late: float = 1 / 3,
    margin: float = 0.1,
    most: int = 1500,
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    item: str = "item",
    feature: str = "feature",
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Ask whether new things keep coming, whether they lead anywhere, and whether they can be learned from.

    Three questions of each seed, judged together over seeds. *Sustained*: the exponent of the cumulative number of new
    artefacts in the late part of the record, above ``margin``. *Going somewhere*: what is made lies the farther from
    everything known the longer one waits, which noise around a fixed state does not do. *Learnable*: an observer who
    learns from the past predicts better than one who only remembers. Noise is novel but not learnable, a cycle is
    learnable but not novel. No record shows open-endedness; the answer is "open so far", up to its horizon.

    Args:
        data: a Run, Dataset or DataArray of artefacts, dims among (``by``, ``seeds``, ``along``, ``item``,
            ``feature``).
        var: name of the artefacts; default "artefacts", or the only variable.
        kind: "labels" (whole numbers; opaque types), "strings" (genomes, messages), "vectors" (embeddings, with dim
            ``feature``; never refit the encoder along the way), or "curve" (a ready cumulative count or fitness); None:
            read from the data.
        shadow: the same record of a neutral run (mutation and turnover the same, selection off).
        passed: 1 where an artefact passed the minimal criterion when it was made.
        solved: time at which an agent of that time solved it; NaN never. With ``passed`` the growth judged is ANNECS.
        parents: index of the parent among the items of the record before (for persistence in MODES).
        crossplay: win rates with dims (``seeds``, "player", "opponent"), players in order of time.
        target: one vector in the space of the artefacts (a sequence, or an array with the dim ``feature``), or a series
            (dims ``along`` and ``feature``) that is compared at the times it shares with them. For the table "target".
        threshold: distance beyond which a vector is new to the archive; None: the median distance of an artefact to the
            record before it, over all seeds. Compare systems at one threshold.
        k: neighbours in the novelty score.
        window: records that a type must last to count in MODES; None: a tenth of the record.
        late: share of the record that is "late", in (0, 0.5].
        margin: smallest late exponent that counts as growth (1 is a steady stream, 0 is none).
        most: vectors a seed that are looked at (40 times as many labels or strings); from larger records the same
            number is taken from each time, so that a growing population does not count as novelty.
        along: dim of time; needs a coordinate.
        by: dim of conditions, or None.
        seeds: dim of seeds.
        item: dim of the artefacts of one record; may be missing.
        feature: dim of a vector.
        level: confidence level.
        draws: bootstrap draws and relabellings.
        rng: seed or generator.

    Returns:
        A `Result`. One condition: "open so far", "bounded" (grows, but a law that saturates forecasts it better),
        "wandering" (novel, but not learnable, or no more than the shadow), "stagnant" or "inconclusive". Two: "more
        open" or "less novel" (the first against the second, by late exponent) or "inconclusive"; more: "differ" or
        "inconclusive". Tables: "conditions", "seeds", "contrasts", "shadow", "crossplay", and two more that no verdict
        uses, cosines in the space of the vectors given (no foundation model is run here; Kumar et al. 2024): "target",
        how near each record's mean artefact comes to ``target``, by seed and over seeds (seed "all"), whether it
        rises (one vector) or follows in order (a series), tested over seeds (``p``) and against circularly shifted
        times (``p_shifted``, too liberal for walks: 9% to 16% where 5% are nominal); and "illumination", how near
        the last record of a run is to that of the nearest other run of its condition (lower: the runs cover more),
        with a jackknife interval that is too wide rather than too narrow, and conditions compared by relabelling runs.

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    _check(threshold, k, window, late, margin, most, draws, level)
    if (passed is None) != (solved is None):
        raise UserError("novelty: ANNECS needs both passed=... and solved=...")
    source = np.random.default_rng(rng)
    call: dict[str, Any] = {"along": along, "by": by, "seeds": seeds, "item": item, "feature": feature}
    block = read_artefacts(data, var, kind=kind, **call)
    aim = None if target is None else read_target(target, block, along, feature)
    lead = [by, seeds, along, item]
    extras: Extras = {
        "passed": beside_artefacts(data, passed, block, "passed", lead, along),
        "solved": beside_artefacts(data, solved, block, "solved", lead, along),
        "parents": beside_artefacts(data, parents, block, "parents", lead, along),
    }
    options: dict[str, Any] = {"k": k, "window": window, "late": late, "most": most}
    seen = look_at(block, extras, threshold, rng=source, **options)
    neutral = None
    if shadow is not None:
        other = read_artefacts(shadow, None if isinstance(shadow, xr.DataArray) else var, kind=block.kind, **call)
        nothing: Extras = {"passed": None, "solved": None, "parents": None}
        neutral = look_at(other, nothing, seen.threshold, rng=source, **options)
    seen = seen.against(neutral, late)
    conditions, estimates = _conditions(block, seen, neutral, margin, level, draws, source)
    contrasts, gaps = _contrasts(block, seen, level, draws, source)
    shadow_table = _shadow_table(block, seen, neutral, level, draws, source)
    play = _crossplay(crossplay, block, seeds)
    to_target, near = pd.DataFrame(columns=list(TARGET_COLUMNS)), None
    if aim is not None:
        to_target, near = target_table(block, aim, late, level, draws, source)
    tables = {
        "conditions": conditions,
        "seeds": seen.table(block),
        "contrasts": contrasts,
        "shadow": shadow_table,
        "crossplay": play,
        "target": to_target,
        "illumination": illumination_table(block, level, draws, source),
    }
    verdict, headline, best, p, null, effect = _answer(block, seen, conditions, estimates, contrasts, gaps)
    return Result(
        instrument="novelty",
        question=f"Is {block.name} open-ended, stagnant, or wandering?",
        verdict=verdict,
        estimate=best,
        headline=headline,
        p=p,
        null=null,
        effect=effect,
        n_seeds=len(block.seeds) if block.has_seeds else 1,
        tables=tables,
        diagnostics=_diagnostics(block, seen, near),
        warnings=(*block.notes, *cautions(block, seen, tables, neutral is not None)),
        words=describe(block, seen, tables, verdict, margin) + nearness(to_target, len(block.conditions) > 1),
        cannot_see=CANNOT_SEE,
        params={
            "kind": block.kind, "axis": seen.axis, "shadow": neutral is not None, "threshold": seen.threshold, "k": k,
            "window": seen.window, "late": late, "margin": margin, "most": most, "along": along, "by": by,
            "seeds": seeds, "level": level, "draws": draws,
            "target": None if aim is None else "one vector" if aim.places is None else f"series of {len(aim.places)}",
        },
        provenance=provenance(block.digest, rng),
        _draw=_draw,
    )  # fmt: skip


def _draw(result: Result) -> Any:
    from emergelab.instruments._novelty_plot import draw

    return draw(result)


def _check(
    threshold: float | None,
    k: int,
    window: int | None,
    late: float,
    margin: float,
    most: int,
    draws: int,
    level: float,
) -> None:
    if threshold is not None and not threshold > 0:
        raise UserError(f"novelty: threshold must be above 0, got {threshold}")
    if k < 1 or most < 24 or (window is not None and window < 1):
        raise UserError(f"novelty: k and window must be at least 1 and most at least 24, got {k}, {window}, {most}")
    if not 0 < late <= 0.5:
        raise UserError(f"novelty: late must be in (0, 0.5], got {late}")
    if margin <= 0:
        raise UserError(f"novelty: margin must be above 0, got {margin}")
    if draws < 100:
        raise UserError(f"novelty: draws must be at least 100, got {draws}")
    if not 0 < level < 1:
        raise UserError(f"novelty: level must be in (0, 1), got {level}")


def _conditions(
    block: Artefacts,
    seen: SeedFinding,
    neutral: SeedFinding | None,
    margin: float,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, list[dict[str, Estimate]]]:
    """Every quantity with its interval over seeds, and the verdict of each condition."""
    rows, every = [], []
    for c, condition in enumerate(block.conditions):
        found = {
            name: estimate(seen.numbers[name][c], level=level, draws=draws, rng=rng)
            for name in ("exponent", "forecast", "horizon", "learnable", "late_rate", "early_rate", "openness")
        }
        over = None
        if neutral is not None:
            own, other = seen.numbers["late_rate"][c], neutral.numbers["late_rate"][min(c, len(neutral.conditions) - 1)]
            over = difference(own, other, paired=False, level=level, draws=draws, rng=rng)
        verdict, why = judge(found, seen, c, over, margin)
        every.append(found)
        row: dict[str, Any] = {"condition": condition, "verdict": verdict, "why": why}
        for name, e in found.items():
            row |= {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
        row |= {
            "early_minus_late": estimate(
                seen.numbers["late_rate"][c] - seen.numbers["early_rate"][c], level=level, draws=draws, rng=rng
            ).value,
            "over_shadow": over.value if over else np.nan,
            "over_shadow_low": over.low if over else np.nan,
            "over_shadow_high": over.high if over else np.nan,
            "asymptote": _median(seen.numbers["asymptote"][c]),
            "asymptote_seen": int(np.isfinite(seen.numbers["asymptote"][c]).sum()),
            "chao2": _median(seen.numbers["chao2"][c]),
            "delta_bic": _median(seen.numbers["delta_bic"][c]),
            "seeds": found["exponent"].n,
        }
        rows.append(row)
    return pd.DataFrame(rows), every


def _median(values: Float[np.ndarray, "n"]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _contrasts(
    block: Artefacts, seen: SeedFinding, level: float, draws: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[Estimate]]:
    rows, gaps = [], []
    exponent = seen.numbers["exponent"]
    for a in range(len(block.conditions)):
        for b in range(a + 1, len(block.conditions)):
            gap = difference(exponent[a], exponent[b], paired=False, level=level, draws=draws, rng=rng)
            test = permutation(exponent[a], exponent[b], draws=max(999, draws), rng=rng)
            gaps.append(gap)
            rows.append(
                (
                    block.conditions[a],
                    block.conditions[b],
                    gap.value,
                    gap.low,
                    gap.high,
                    test.p,
                    test.smallest_p,
                    test.draws,
                )
            )
    table = pd.DataFrame(rows, columns=["a", "b", "difference", "low", "high", "p", "smallest_p", "draws"])
    table["p_holm"] = holm(table["p"].to_numpy(dtype=float))
    clear = table["p_holm"] <= 1 - level
    table["verdict"] = np.where(
        clear & (table["difference"] > 0),
        "more novel",
        np.where(clear & (table["difference"] < 0), "less novel", "inconclusive"),
    )
    return table, gaps


def _shadow_table(
    block: Artefacts,
    seen: SeedFinding,
    neutral: SeedFinding | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Late rates and exponents beside those of the neutral shadow, and the class of evolutionary activity."""
    columns = ["condition", "quantity", "value", "shadow", "difference", "low", "high", "p", "activity_class"]
    rows = []
    for c, condition in enumerate(block.conditions if neutral is not None else ()):
        assert neutral is not None
        o = min(c, len(neutral.conditions) - 1)
        for name in ("late_rate", "exponent"):
            a, b = seen.numbers[name][c], neutral.numbers[name][o]
            gap = difference(a, b, paired=False, level=level, draws=draws, rng=rng)
            test = permutation(a, b, draws=max(999, draws), rng=rng)
            classes = seen.classes[c]
            told = max(set(classes), key=classes.count) if classes else ""
            rows.append((condition, name, _mean(a), _mean(b), gap.value, gap.low, gap.high, test.p, told))
    return pd.DataFrame(rows, columns=columns)


def _mean(values: Float[np.ndarray, "n"]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _crossplay(crossplay: xr.DataArray | None, block: Artefacts, seeds: str) -> pd.DataFrame:
    if crossplay is None:
        return pd.DataFrame(columns=["seed", "naive_elo_gain", "late_beats_early", "cyclic_triples", "finding"])
    missing = [d for d in ("player", "opponent") if d not in crossplay.dims]
    if missing:
        raise UserError(f"novelty: crossplay needs the dims player and opponent; {missing[0]!r} is missing")
    if seeds not in crossplay.dims:
        crossplay = crossplay.expand_dims(seeds)
    values = crossplay.transpose(seeds, "player", "opponent").values.astype(float)
    if values.shape[1] != values.shape[2]:
        raise UserError(
            f"novelty: crossplay must be square, got {values.shape[1]} players, {values.shape[2]} opponents"
        )
    if np.nanmin(values, initial=0.0) < 0 or np.nanmax(values, initial=0.0) > 1:
        raise UserError("novelty: crossplay holds win rates, which lie in [0, 1]")
    labels = crossplay[seeds].values.tolist() if seeds in crossplay.coords else range(len(values))
    return crossplay_table(values, tuple(labels))


def _answer(
    block: Artefacts,
    seen: SeedFinding,
    conditions: pd.DataFrame,
    estimates: list[dict[str, Estimate]],
    contrasts: pd.DataFrame,
    gaps: list[Estimate],
) -> tuple[str, str, Estimate, float, Null, Effect]:
    headline = f"late growth exponent of {seen.axis}"
    if len(block.conditions) == 1:
        row, e = conditions.iloc[0], estimates[0]["exponent"]
        p = e.p_two_sided(0.0)
        null = Null("late exponent of 0, over seeds", 0)
        effect = Effect("learnable share of the error", float(row["learnable"]))
        return str(row["verdict"]), headline, e, p, null, effect
    p = contrasts["p_holm"].to_numpy(dtype=float)
    first = int(np.nanargmin(p)) if np.isfinite(p).any() else 0
    row = contrasts.iloc[first]
    verdict = str(row["verdict"])
    if len(contrasts) > 1:
        verdict = "differ" if (contrasts["verdict"] != "inconclusive").any() else "inconclusive"
    null = Null("conditions relabelled over seeds", int(row["draws"]))
    effect = Effect(f"{row['a']} minus {row['b']}", float(row["difference"]))
    return verdict, f"{headline}, {row['a']} minus {row['b']}", gaps[first], float(p[first]), null, effect


def _diagnostics(
    block: Artefacts, seen: SeedFinding, near: Float[np.ndarray, "condition seed time"] | None
) -> xr.Dataset:
    dims = ("condition", "seed", block.time_name)
    variables: dict[str, Any] = {name: (dims, seen.curves[name]) for name in _CURVES}
    variables["surprise"] = (("condition", "seed", "horizon"), seen.surprise)
    if near is not None:
        variables["target_similarity"] = (dims, near)
    return xr.Dataset(
        variables,
        coords={"condition": list(block.conditions), "seed": list(block.seeds), block.time_name: block.time},
        attrs={"axis": seen.axis, "kind": block.kind, "time_name": block.time_name, "time_unit": block.time_unit},
    )
