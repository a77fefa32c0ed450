"""Labels and embeddings of rollouts, for `diversity`: one row of measures a seed, and the parts of their diversity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from emergelab.errors import UserError
from emergelab.instruments._diversity_measures import (
    chao1,
    coverage,
    effective_rank,
    entropy,
    hill,
    hill_of_shares,
    mean_distance,
    neighbour_entropy,
    normalised,
    rarefied_entropy,
    rarefied_hill,
    similarity,
    vendi,
)
from emergelab.instruments._diversity_read import Block, Found, mode_codes, succeeded
from emergelab.statistics import estimate

__all__ = ["mean_over_last", "of_embeddings", "of_labels", "parts_of", "rows_of"]

_FEW = 5  # seeds with fewer rollouts do not set the number to which all are rarefied
_MOST_POINTS = 240  # points of all seeds whose pooled similarity is decomposed
_DEALT = 199  # ways in which the points are dealt to seeds anew
_LARGEST = 1e100


def of_labels(
    block: Block,
    success: np.ndarray | None,
    *,
    modes: int | Sequence[Any] | None,
    reference: Mapping[Any, float] | None,
    contexts: bool,
    how: str,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Found:
    """Modes of rollouts: values (condition, seed, context, rollout)."""
    notes: list[str] = []
    codes, names, possible = mode_codes(block.values, modes, notes)
    if success is None:
        ok, known = codes >= 0, codes >= 0
        notes.append(
            "no success was given: failures cannot be told from behaviours, and count as what they are labelled"
        )
    else:
        ok, known = succeeded(success)
    unlabelled = int((ok & (codes < 0)).sum())
    if unlabelled:
        notes.append(f"{unlabelled} successful rollouts have no label and are left out")
    used = ok & (codes >= 0)
    shape = (*codes.shape[:3], max(len(names), 1))
    counts = np.zeros(shape)
    where = np.nonzero(used)
    np.add.at(counts, (*where[:3], codes[used]), 1.0)
    pooled = counts.sum(axis=2)
    number = pooled.sum(axis=-1)
    m = _common(number)
    m_context = _common(counts.sum(axis=-1))
    within = mean_over_last(normalised(entropy(counts, how), possible))
    at_m = normalised(rarefied_entropy(pooled, m), possible)
    within_m = mean_over_last(normalised(rarefied_entropy(counts, m_context), possible))
    columns = {
        "rollouts": known.sum(axis=(2, 3)),
        "successes": number,
        "success": np.where(
            known.sum(axis=(2, 3)) > 0, ok.sum(axis=(2, 3)) / np.maximum(known.sum(axis=(2, 3)), 1), np.nan
        ),
        "H": np.minimum(normalised(entropy(pooled, how), possible), 1.0),
        "H_plug_in": normalised(entropy(pooled, "plug-in"), possible),
        "H_rarefied": at_m,
        "D0": hill(pooled, 0),
        "D1": hill(pooled, 1),
        "D2": hill(pooled, 2),
        "D0_rarefied": rarefied_hill(pooled, 0, m),
        "chao1": chao1(pooled),
        "coverage": coverage(pooled),
    }
    if success is None:
        del columns["success"]
    if contexts:
        columns |= {"H_conditional": np.minimum(within, 1.0), "H_conditional_rarefied": within_m}
        columns["information"] = columns["H_plug_in"] - mean_over_last(normalised(entropy(counts, "plug-in"), possible))
    if reference is not None:
        columns["KL"] = _divergence(pooled, _reference(reference, names), notes)
    short = int((number[number > 0] < m).sum())
    if short:
        notes.append(f"{short} seeds have fewer than {m} successful rollouts and are left out where all are cut to {m}")
    main = "H_conditional" if contexts else "H"
    found = Found(
        kind="labels",
        rows=rows_of(block, columns),
        main=main,
        compare="H_conditional_rarefied" if contexts else "H_rarefied",
        able="" if success is None else "success",
        name="behaviour entropy" + (" within contexts" if contexts else ""),
        bounds=(0.0, 1.0),
        observable=str(block.array.name),
        digest=block.digest,
        has_seeds=block.has_seeds,
        notes=notes,
    )
    tests = []
    for i, condition in enumerate(block.conditions):
        found.parts.append(_label_parts(condition, pooled[i], level, draws, rng))
        if contexts:
            tests.append({"condition": condition} | _context_test(codes[i], used[i], shape[-1], possible, draws, rng))
    if contexts:
        found.tables["contexts"] = pd.DataFrame(tests)
    found.tables["modes"] = _mode_table(block, pooled, names)
    sizes = np.unique(np.geomspace(1, max(number.max(), 1), 24).astype(int))
    curve = np.stack([rarefied_hill(pooled, 1, int(k)) for k in sizes], axis=-1)
    found.curve = sizes.astype(float), curve, "successful rollouts", "D1, effective modes"
    return found


def _common(number: Float[np.ndarray, "*shape"]) -> int:
    """The number of rollouts to which all are rarefied: the smallest that is not tiny."""
    enough = number[number >= _FEW]
    some = number[number >= 2]
    return int(enough.min()) if enough.size else int(some.min()) if some.size else 1


def mean_over_last(values: Float[np.ndarray, "condition seed context"]) -> Float[np.ndarray, "condition seed"]:
    """Mean over what is finite along the last axis; NaN where nothing is."""
    seen = np.isfinite(values)
    count = seen.sum(axis=-1)
    return np.where(count > 0, np.where(seen, values, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan)


def rows_of(block: Block, columns: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """One row a condition and seed with the measures by name."""
    return [
        {"condition": condition, "seed": seed} | {name: float(values[i, k]) for name, values in columns.items()}
        for i, condition in enumerate(block.conditions)
        for k, seed in enumerate(block.seeds)
    ]


def _reference(reference: Mapping[Any, float], names: Sequence[str]) -> Float[np.ndarray, "mode"]:
    given = {str(k): float(v) for k, v in reference.items()}
    weights = np.array([given.get(n, 0.0) for n in names])
    if not (np.isfinite(weights).all() and min(given.values(), default=0.0) >= 0 and sum(given.values()) > 0):
        raise UserError("diversity: reference must map modes to shares that are not negative and not all zero")
    return weights / sum(given.values())


def _divergence(
    counts: Float[np.ndarray, "condition seed mode"], reference: Float[np.ndarray, "mode"], notes: list[str]
) -> Float[np.ndarray, "condition seed"]:
    """Kullback-Leibler divergence from the reference in nats; NaN where a mode was used that the reference lacks."""
    n = counts.sum(axis=-1, keepdims=True)
    p = np.where(n > 0, counts / np.maximum(n, 1), np.nan)
    strange = ((counts > 0) & (reference == 0)).any(axis=-1)
    if strange.any():
        notes.append(
            f"{int(strange.sum())} seeds use modes that the reference never does: their divergence is undefined"
        )
    safe = np.where(reference > 0, reference, 1.0)
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0) / safe), 0.0 * p)
    return np.where(strange, np.nan, terms.sum(axis=-1))


def _mode_table(block: Block, pooled: Float[np.ndarray, "condition seed mode"], names: Sequence[str]) -> pd.DataFrame:
    rows = []
    for i, condition in enumerate(block.conditions):
        total = pooled[i].sum()
        for j, name in enumerate(names):
            count = pooled[i, :, j]
            share = float(count.sum() / total) if total > 0 else np.nan
            row = {"condition": condition, "mode": name, "rollouts": int(count.sum()), "share": share}
            rows.append(row | {"seeds": int((count > 0).sum())})
    return pd.DataFrame(rows, columns=["condition", "mode", "rollouts", "share", "seeds"])


def parts_of(condition: str, alpha: float, gamma: float, unit: str) -> dict[str, Any]:
    """The row of a condition in the table "decomposition", without interval and test."""
    nan = float("nan")
    beta = gamma / alpha if alpha > 0 else nan
    out: dict[str, Any] = {"condition": condition, "gamma": gamma, "alpha": alpha, "beta": beta, "unit": unit}
    return out | {"beta_low": nan, "beta_high": nan, "beta_expected": nan, "p_beta": nan}


def _label_parts(
    condition: str, counts: Float[np.ndarray, "seed mode"], level: float, draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Alpha within seeds, gamma of all seeds in equal shares, beta between them (Jost 2007), order 1.

    Few rollouts a seed make seeds look different by chance; dealing all labels to the seeds anew shows by how much.
    """
    counts = counts[counts.sum(axis=1) > 0]
    if not len(counts):
        return parts_of(condition, float("nan"), float("nan"), "effective modes")

    def split(c: Float[np.ndarray, "*rest seed mode"]) -> tuple[Any, Any]:
        p = c / c.sum(axis=-1, keepdims=True)
        alpha = np.log(hill_of_shares(p, 1)).mean(axis=-1)
        return alpha, np.log(hill_of_shares(p.mean(axis=-2), 1))

    alpha, gamma = split(counts)
    out = parts_of(condition, float(np.exp(alpha)), float(np.exp(gamma)), "effective modes")
    if len(counts) > 1:
        sizes = counts.sum(axis=1).astype(int)
        labels = np.repeat(np.arange(counts.shape[1]), counts.sum(axis=0).astype(int))
        seed = np.repeat(np.arange(len(sizes)), sizes)
        n = min(draws, max(99, 4_000_000 // max(len(labels), 1)))
        dealt = rng.permuted(np.tile(labels, (n, 1)), axis=1)
        again = _counted(dealt, seed, len(sizes), counts.shape[1])
        a, g = split(again)
        out["beta_expected"] = float(np.exp(np.mean(g - a)))
        out["p_beta"] = float((1 + np.sum(g - a >= gamma - alpha - 1e-12)) / (1 + n))
        e = estimate(
            counts, lambda c: float(np.subtract(*split(c)[::-1])), level=level, draws=max(min(draws, 200), 100), rng=rng
        )
        out["beta_low"], out["beta_high"] = float(np.exp(e.low)), float(np.exp(e.high))
    return out


def _counted(
    labels: Int[np.ndarray, "draw rollout"], group: Int[np.ndarray, "rollout"], groups: int, modes: int
) -> Float[np.ndarray, "draw group mode"]:
    """Counts of labels in every group, for many assignments at once."""
    n = len(labels)
    place = (np.arange(n)[:, None] * groups + group) * modes + labels
    return np.bincount(place.ravel(), minlength=n * groups * modes).reshape(n, groups, modes).astype(float)


def _context_test(
    codes: Int[np.ndarray, "seed context rollout"],
    used: Bool[np.ndarray, "seed context rollout"],
    modes: int,
    possible: int,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Do starts decide modes? Labels are dealt anew over the contexts of each seed, so that success stays as it is."""
    observed, null = [], []
    contexts = codes.shape[1]
    for own, fine in zip(codes, used, strict=True):
        where, _ = np.nonzero(fine)
        labels = own[fine]
        if len(labels) < 2 or len(np.unique(where)) < 2:
            continue
        n = min(draws, max(99, 4_000_000 // len(labels)))
        dealt = np.concatenate([labels[None], rng.permuted(np.tile(labels, (n, 1)), axis=1)])
        counts = _counted(dealt, where, contexts, modes)
        share = normalised(entropy(counts, "plug-in"), possible)
        inside = share[:, np.bincount(where, minlength=contexts) > 0].mean(axis=1)
        observed.append(inside[0])
        null.append(inside[1:])
    nan = float("nan")
    if not observed or not np.isfinite(observed).all():
        return {"seeds": len(observed), "H_conditional": nan, "H_if_starts_did_not_matter": nan, "p": nan, "draws": 0}
    least = min(map(len, null))
    chance = np.mean([x[:least] for x in null], axis=0)
    mean = float(np.mean(observed))
    return {
        "seeds": len(observed),
        "H_conditional": mean,
        "H_if_starts_did_not_matter": float(chance.mean()),
        "p": float((1 + np.sum(chance <= mean + 1e-12)) / (1 + least)),
        "draws": least,
    }


def of_embeddings(
    block: Block,
    success: np.ndarray | None,
    *,
    kernel: str,
    bandwidth: float | None,
    order: float,
    at: int | None,
    rng: np.random.Generator,
) -> Found:
    """Behaviours as points: values (condition, seed, rollout, feature)."""
    notes: list[str] = []
    points = block.values.astype(float)
    fine = (np.abs(points) <= _LARGEST).all(axis=-1)
    if kernel == "cosine":
        direction = np.where(fine, np.linalg.norm(np.where(fine[..., None], points, 0.0), axis=-1), 0.0) > 1e-150
        if (fine & ~direction).any():
            notes.append(f"{int((fine & ~direction).sum())} points at the origin have no direction and are left out")
        fine &= direction
    ok, known = (fine, fine) if success is None else succeeded(success)
    if success is None:
        notes.append("no success was given: failures cannot be told from behaviours")
    fine &= ok
    number = fine.sum(axis=-1)
    m = at or _common(number.astype(float))
    if bandwidth is None and kernel == "rbf":
        bandwidth = _typical_distance(points[fine], rng)
        notes.append(f"the bandwidth {bandwidth:.4g} is the median distance of all points; fix it before you look")
    columns = {
        name: np.full(number.shape, np.nan) for name in ("VS", "evenness", "distance", "rank", "neighbour_entropy")
    }
    chosen: dict[tuple[int, int], np.ndarray] = {}
    for index in np.ndindex(*number.shape):
        own = points[index][fine[index]]
        if len(own) < max(m, 2):
            continue
        own = own[rng.permutation(len(own))[:m]] if len(own) > m else own
        chosen[index] = own
        score = vendi(similarity(own, kernel, bandwidth), order)
        columns["VS"][index] = score
        columns["evenness"][index] = np.log(score) / np.log(m)
        columns["distance"][index] = mean_distance(own)
        columns["rank"][index] = effective_rank(own)
        columns["neighbour_entropy"][index] = neighbour_entropy(own)
    short = int((number < max(m, 2)).sum())
    if short:
        notes.append(f"{short} seeds have fewer than {max(m, 2)} usable points and are left out")
    counts = {"rollouts": known.sum(axis=-1), "points": np.minimum(number, m)}
    rate = np.where(known.sum(axis=-1) > 0, ok.sum(axis=-1) / np.maximum(known.sum(axis=-1), 1), np.nan)
    able = {} if success is None else {"success": rate}
    found = Found(
        kind="embeddings",
        rows=rows_of(block, counts | able | columns),
        main="evenness",
        compare="evenness",
        able="success" if able else "",
        name=f"evenness of the Vendi score at {m} points",
        bounds=(0.0, 1.0),
        observable=str(block.array.name),
        digest=block.digest,
        has_seeds=block.has_seeds,
        notes=notes,
        blind="Vendi scores depend on the embedding, the kernel and the number of points: compare none across those. ",
    )
    sizes = np.unique(np.geomspace(2, max(m, 2), 10).astype(int))
    curve = np.full((*number.shape, len(sizes)), np.nan)
    for index, own in chosen.items():
        k = similarity(own, kernel, bandwidth)
        curve[index] = [vendi(k[:s, :s], order) for s in sizes]
    found.curve = sizes.astype(float), curve, "behaviours", "Vendi score"
    for i, condition in enumerate(block.conditions):
        own = [p for (c, _), p in chosen.items() if c == i]
        found.parts.append(_point_parts(condition, own, kernel, bandwidth, order, rng))
    return found


def _typical_distance(points: Float[np.ndarray, "n feature"], rng: np.random.Generator) -> float:
    if len(points) < 2:
        return 1.0
    some = points[rng.permutation(len(points))[:400]]
    gaps = np.sqrt(((some[: len(some) // 2] - some[len(some) // 2 : 2 * (len(some) // 2)]) ** 2).sum(axis=1))
    middle = float(np.median(gaps))
    return middle if middle > 0 else 1.0


def _point_parts(
    condition: str,
    seeds: Sequence[Float[np.ndarray, "m feature"]],
    kernel: str,
    bandwidth: float | None,
    order: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Alpha, beta and gamma of the Vendi score; p of beta by dealing points to seeds anew (similarity within seeds)."""
    nan = float("nan")
    if not seeds:
        return parts_of(condition, nan, nan, "effective behaviours")
    each = max(2, min(len(seeds[0]), _MOST_POINTS // len(seeds)))
    cut = [s[:each] for s in seeds]
    k = similarity(np.concatenate(cut), kernel, bandwidth)
    n = len(cut)
    alpha = float(
        np.exp(
            np.mean([np.log(vendi(k[j * each : (j + 1) * each, j * each : (j + 1) * each], order)) for j in range(n)])
        )
    )
    out = parts_of(condition, alpha, vendi(k, order), "effective behaviours")
    if n > 1:
        dealt = rng.permuted(np.tile(np.arange(len(k)), (_DEALT + 1, 1)), axis=1)
        dealt[0] = np.arange(len(k))
        group = dealt.reshape(-1, n, each)
        inside = k[group[..., :, None], group[..., None, :]].sum(axis=(1, 2, 3))
        out["p_beta"] = float(np.mean(inside >= inside[0] - 1e-9 * abs(inside[0])))
    return out
