"""What `language_metrics` says: the verdict, the cautions, the words, and why a metric is undefined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergelab.instruments._language_metrics_read import Languages, Meanings
from emergelab.instruments.result import Effect, Null
from emergelab.statistics import Estimate

__all__ = ["CANNOT_SEE", "Found", "cautions", "describe", "undefined_table", "verdict_of"]

CANNOT_SEE = (
    "whether anybody understands the messages (decodability by a fresh reader is not use by a listener); structure "
    "that is not in the attributes or distances given; synonyms and free word order, which topsim and posdis count "
    "against a language that can be read perfectly well. Page's L takes the generations of a chain for exchangeable, "
    "which drift is not (13% to 22% false alarms where 5% are nominal): p_chains, over whole chains, is the one to "
    "believe, and with five chains it is slightly liberal itself (8%)."
)


@dataclass(frozen=True)
class Found:
    """The headline of the result."""

    verdict: str
    estimate: Estimate
    headline: str
    p: float
    null: Null
    effect: Effect


def verdict_of(
    block: Languages,
    metric: str,
    table: pd.DataFrame,
    excess: Mapping[tuple[str, str], Estimate],
    contrasts: pd.DataFrame,
    gaps: list[Estimate],
    margin: float | None,
    level: float,
    draws: int,
) -> Found:
    rows = table[table["metric"] == metric].set_index("condition")
    if len(block.conditions) == 1:
        row, over = rows.iloc[0], excess[(block.conditions[0], metric)]
        null = Null("items swap their messages, the same swap in all seeds", draws)
        verdict = "inconclusive"
        if not np.isfinite(row["value"]):
            verdict = "undefined"
        elif row["p"] <= 1 - level:
            verdict = "structured" if 2 * row["above_chance"] > row["seeds"] else "structured in some seeds"
        elif margin is not None and over.claimed and abs(over.low) < margin and abs(over.high) < margin:
            verdict = "not structured"
        headline = f"{metric} above chance"
        return Found(verdict, over, headline, float(row["p"]), null, Effect(f"{metric} z", float(row["z"])))
    best = contrasts["p_holm"].to_numpy(dtype=float)
    first = int(np.nanargmin(best)) if np.isfinite(best).any() else 0
    row = contrasts.iloc[first]
    null = Null("conditions relabelled over seeds", int(row["draws"]))
    headline = f"{metric} above chance, {row['a']} minus {row['b']}"
    verdict = str(row["verdict"])
    if not np.isfinite(rows["value"].to_numpy(dtype=float)).any():
        verdict = "undefined"
    elif len(contrasts) > 1:
        headline += f" (the clearest of {len(contrasts)} contrasts)"
        verdict = (
            "differ" if contrasts["verdict"].isin(["more structured", "less structured"]).any() else "inconclusive"
        )
    return Found(verdict, gaps[first], headline, float(best[first]), null, Effect(headline, float(row["difference"])))


def cautions(
    block: Languages,
    metric: str,
    tables: Mapping[str, pd.DataFrame],
    complete: bool,
    fewer: int,
    draws: int,
    level: float,
) -> list[str]:
    out = []
    if not block.has_seeds:
        out.append("there is no dim of seeds: everything here is within one run only")
    seeds = tables["seeds"]
    gone = int(seeds["last_record"].isna().sum())
    if gone:
        out.append(f"{gone} seeds have no language at all and are left out")
    undefined = seeds[seeds[metric].isna() & seeds["last_record"].notna()]
    if len(undefined):
        names = ", ".join(str(s) for s in undefined["seed"].head(6))
        words = undefined["distinct"].le(1).sum()
        why = f" ({words} of them use one message for everything)" if words else ""
        out.append(f"{metric} is undefined, not zero, at the last record of seed {names}{why}")
    panel = tables["sensitivity"]
    for condition, rows in panel.groupby("condition", sort=False):
        clear = rows[rows["p"].le(1 - level) | rows["z"].lt(-2)]
        if len(clear) and clear["z"].gt(0).any() and clear["z"].lt(0).any():
            where = f" in {condition}" if len(block.conditions) > 1 else ""
            out.append(f"the sign of topsim{where} depends on how edit distance is scaled: see the sensitivity table")
    if "generalisation" in tables:
        wrong = tables["generalisation"].query("disagree")["metric"].tolist()
        if wrong:
            out.append(
                f"{', '.join(wrong)} correlate with generalisation over all seeds in the opposite direction to within "
                "conditions: the pooled correlation compares conditions, not languages"
            )
    if not complete:
        out.append("500,000 pairs of items stand for all of them, the same pairs in every language")
    if fewer < draws:
        out.append(f"records before the last were tested with {fewer} relabellings each, the last with {draws}")
    contrasts = tables["contrasts"]
    if len(contrasts) and contrasts["smallest_p"].min() * len(contrasts) > 1 - level:
        out.append(f"with so few seeds no p of a contrast can be below {contrasts['smallest_p'].min():.2g}")
    return out


def describe(block: Languages, metric: str, verdict: str, tables: Mapping[str, pd.DataFrame], level: float) -> str:
    table, parts = tables["summary"], []
    for condition in block.conditions:
        rows = table[table["condition"] == condition].set_index("metric")
        row = rows.loc[metric]
        where = f"In {condition}, " if len(block.conditions) > 1 else ""
        if not np.isfinite(row["value"]):
            parts.append(f"{where}{metric} is undefined in every seed.")
            continue
        told = (
            f"{where}{metric} at the last record is {row['value']:.3g} where chance gives {row['chance']:.3g} "
            f"(z = {row['z']:.2g}, p = {row['p']:.2g} over {int(row['seeds'])} seeds together; above chance in "
            f"{int(row['above_chance'])} of them)"
        )
        told += f", with {rows.loc['distinct', 'value']:.3g} different messages for {len(block.items)} items."
        parts.append(told)
        moves = tables["trends"]
        moves = moves[(moves["condition"] == condition) & (moves["metric"] == f"{metric}_z")]
        if len(moves) and np.isfinite(moves["rho"].iloc[0]):
            m = moves.iloc[0]
            parts.append(
                f"Over {block.time_name} its z has a mean rank correlation of {m['rho']:.2f} with time "
                f"(p over chains {m['p_chains']:.2g}; Page's L = {m['page_L']:.6g}, p = {m['p_page']:.2g})."
            )
    for row in tables["contrasts"].itertuples():
        parts.append(f"{row.a} against {row.b}: {row.difference:+.3g} above chance, p = {row.p:.2g}, {row.verdict}.")
    return f"Verdict: {verdict}. " + " ".join(parts)


def undefined_table(
    block: Languages,
    meaning: Meanings,
    curves: Mapping[str, Mapping[str, Float[np.ndarray, "condition seed time"]]],
    metrics: str,
) -> pd.DataFrame:
    """For every metric: at how many records it has no value or no chance level, and why."""
    here = block.present.any(axis=-1)
    rows = []
    no_attributes = meaning.attributes is None
    for name, parts in curves.items():
        lost = int((here & ~np.isfinite(parts["value"])).sum())
        untested = int((here & np.isfinite(parts["value"]) & ~np.isfinite(parts["z"])).sum())
        if lost:
            rows.append((name, lost, _why(name, no_attributes, meaning)))
        if untested:
            rows.append((name, untested, "no chance level: no relabelling of the items changes it"))
    return pd.DataFrame(rows, columns=["metric", "records", "reason"])


def _why(name: str, no_attributes: bool, meaning: Meanings) -> str:
    if name in ("topsim", "mantel_r"):
        return "all distances of messages (one message for everything) or of meanings are equal"
    if no_attributes:
        return "the attributes of the items are not given, only their distances"
    assert meaning.attributes is not None
    if name in ("posdis", "bosdis"):
        if meaning.attributes.shape[1] < 2:
            return "there is one attribute, so there is no second best to compare with"
        return "no position or symbol varies over the items"
    if name == "residual_entropy":
        return "more than 6 positions, or too many ways to share them out, or attributes that do not vary"
    if name in ("read_attribute", "read_exact"):
        return "fewer than 10 items"
    if name == "reconstruction":
        return "messages do not vary, or there are as many attribute values as items"
    return "attributes do not vary"
