"""Data sets of transitions for `diversity`: coverage of states and actions (SACo) and quality of trajectories (TQ)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from emergelab.errors import UserError, nearest
from emergelab.instruments._diversity_read import Found

__all__ = ["of_dataset"]


def of_dataset(
    table: pd.DataFrame,
    *,
    state: str | Sequence[str],
    action: str | Sequence[str],
    reward: str,
    episode: str,
    bins: int | Mapping[str, int] | None,
    replay: str | None,
    random: float | str | None,
    best: float | str | None,
    by: str | None,
    seeds: str,
) -> Found:
    """SACo and TQ of every data set (condition) and seed (Schweighofer et al. 2022).

    A condition named as ``replay``, ``random`` or ``best`` is the reference; seeds are matched where both have them.
    """
    notes: list[str] = []
    states, actions = ([c] if isinstance(c, str) else list(c) for c in (state, action))
    names = [str(c) for c in table.columns]
    for column in (*states, *actions, reward):
        if column not in names:
            raise UserError(f"diversity: the data set has no column {column!r}{nearest(column, names)}")
    table = table.reset_index(drop=True)
    condition = table[by].astype(str) if by and by in names else pd.Series("all", index=table.index)
    seed = table[seeds] if seeds in names else pd.Series(0, index=table.index)
    known = sorted(set(condition))
    for role, label in (("replay", replay), ("random", random), ("best", best)):
        if isinstance(label, str) and label not in known:
            raise UserError(f"diversity: {role}: no data set {label!r}{nearest(label, known)}")
    codes = np.stack([_codes(table[c], c, bins, notes) for c in (*states, *actions)], axis=1)
    _, pair = np.unique(codes, axis=0, return_inverse=True) if len(codes) else (None, np.empty(0, int))
    frame = pd.DataFrame({"condition": condition, "seed": seed.astype(str), "pair": pair.ravel()})
    frame["reward"] = pd.to_numeric(table[reward], errors="coerce")
    wild = ~(frame["reward"].abs() <= 1e100) & frame["reward"].notna()
    frame.loc[wild, "reward"] = np.nan
    frame["episode"] = table[episode].astype(str) if episode in names else np.arange(len(frame)).astype(str)
    if episode not in names:
        notes.append(
            f"there is no column {episode!r}: every row counts as a whole trajectory, its {reward!r} as its return"
        )
    labels = {str(s): s.item() if isinstance(s, np.generic) else s for s in seed}
    rows: list[dict[str, Any]] = []
    for (c, s), own in frame.groupby(["condition", "seed"], sort=False):
        returns = own.groupby("episode", sort=False)["reward"].sum(min_count=1).dropna()
        row = {"condition": c, "seed": labels[str(s)], "transitions": len(own), "pairs": int(own["pair"].nunique())}
        rows.append(row | {"episodes": len(returns), "return": float(returns.mean()) if len(returns) else np.nan})
    _relative(rows, replay, random, best, notes)
    parts = []
    for c in dict.fromkeys(r["condition"] for r in rows):
        alpha = float(np.mean([r["pairs"] for r in rows if r["condition"] == c]))
        gamma = float(frame.loc[frame["condition"] == c, "pair"].nunique())
        nan = float("nan")
        part = {"condition": c, "gamma": gamma, "alpha": alpha, "beta": gamma / alpha if alpha else nan}
        parts.append(part | {"unit": "state-action pairs", "beta_low": nan, "beta_high": nan, "beta_expected": nan})
        parts[-1]["p_beta"] = nan
    digest = hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()[:16]
    has_quality = any(np.isfinite(r["TQ"]) for r in rows)
    return Found(
        kind="dataset",
        rows=rows,
        main="SACo",
        compare="SACo",
        able="TQ" if has_quality else "",
        name="state-action coverage",
        bounds=None,
        observable="transitions",
        digest=digest,
        has_seeds=seeds in names,
        parts=parts,
        notes=notes,
        blind="The grid on which states are counted sets their number. ",
    )


def _codes(column: pd.Series, name: str, bins: int | Mapping[str, int] | None, notes: list[str]) -> np.ndarray:
    """Integer codes of a column: its values, or equal bins over the range of all data sets."""
    wanted = bins.get(name) if isinstance(bins, Mapping) else bins
    values = column.to_numpy()
    numeric = np.issubdtype(np.asarray(values).dtype, np.number)
    if not numeric:
        return pd.factorize(column.astype(str))[0]
    x = np.asarray(values, dtype=float)
    whole = np.isfinite(x)
    if not whole.all():
        notes.append(f"{int((~whole).sum())} values of {name!r} are not finite and count as one state of their own")
    fractions = bool((x[whole] != np.round(x[whole])).any())
    if wanted is None:
        if fractions:
            raise UserError(
                f"diversity: {name!r} holds fractions, so every state would be unique; give a grid such as bins=100"
            )
        return pd.factorize(np.where(whole, x, np.nan), use_na_sentinel=True)[0]
    if wanted < 1:
        raise UserError(f"diversity: bins must be at least 1, got {wanted}")
    if not fractions and isinstance(bins, int):
        return pd.factorize(np.where(whole, x, np.nan))[0]  # whole numbers need no grid
    low, high = (x[whole].min(), x[whole].max()) if whole.any() else (0.0, 0.0)
    scaled = (np.where(whole, x, low) / 2 - low / 2) / max(high / 2 - low / 2, 1e-300)
    return np.where(whole, np.minimum((scaled * wanted).astype(int), wanted - 1), -1)


def _relative(
    rows: list[dict[str, Any]],
    replay: str | None,
    random: float | str | None,
    best: float | str | None,
    notes: list[str],
) -> None:
    """SACo against the replay data, TQ between the random and the best policy."""
    place = {(r["condition"], str(r["seed"])): r for r in rows}

    def of(reference: float | str | None, row: Mapping[str, Any], key: str) -> float:
        if reference is None:
            return float("nan")
        if not isinstance(reference, str):
            return float(reference)
        own = place.get((reference, str(row["seed"])))
        pool = [own] if own is not None else [r for r in rows if r["condition"] == reference]
        seen = [r[key] for r in pool if np.isfinite(r[key])]
        return float(np.mean(seen)) if seen else float("nan")

    unequal = False
    for row in rows:
        base = of(replay, row, "pairs")
        row["SACo"] = row["pairs"] / base if base > 0 else np.nan
        unequal |= replay is not None and abs(of(replay, row, "transitions") / row["transitions"] - 1) > 0.1
        low, high = of(random, row, "return"), of(best, row, "return")
        row["TQ"] = (row["return"] - low) / (high - low) if high != low else np.nan
    if replay is None:
        notes.append("no replay data are named, so there is no SACo: pass replay= the data set of the whole training")
    if unequal:
        notes.append("data sets and replay data differ in size by more than a tenth, and SACo by size alone")
    above = sum(bool(r["SACo"] > 1) for r in rows)
    if above:
        notes.append(f"{above} data sets hold more pairs than the replay data: SACo is above 1 there")
