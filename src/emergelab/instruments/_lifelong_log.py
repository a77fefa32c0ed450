"""What `lifelong` reads: a log of learning and evaluation blocks; a lifetime is one (condition, seed)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest

__all__ = ["Block", "Lifetime", "Scaled", "digest", "prepare", "read_log", "smooth"]

_LARGEST = 1e100  # beyond this a value is a failure, and its square leaves the range of floats
_SHARE, _WIDEST = 0.2, 100  # window of the smoothing: a fifth of the block, at most 100 experiences (Baker 2023)
_CLAMP = (0.1, 0.9)
_OTHER_NAMES = {"task": ("task_name",), "block": ("block_num",), "experience": ("exp_num",), "seed": ("run", "run_id")}


@dataclass(frozen=True)
class Block:
    """One stretch of learning ("train") or evaluation ("test") on one task."""

    kind: str
    task: str
    experience: Float[np.ndarray, "n"]
    values: Float[np.ndarray, "n"]

    @property
    def terminal(self) -> float:
        """Terminal performance: mean of the last tenth of a learning block, of the whole of an evaluation block."""
        start = 0 if self.kind == "test" else int(0.9 * len(self.values))
        return float(self.values[start:].mean())


@dataclass(frozen=True)
class Lifetime:
    """The blocks of one learner in the order in which they happened."""

    condition: str
    seed: Any
    blocks: tuple[Block, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """Tasks in the order of their learning blocks."""
        return tuple(b.task for b in self.blocks if b.kind == "train")

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in the order of their first learning block; those that are only evaluated come last."""
        return tuple(dict.fromkeys((*self.order, *(b.task for b in self.blocks))))

    def learning(self, task: str) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """Experience counts and performance of all learning blocks of a task, one after the other."""
        own = [b for b in self.blocks if b.kind == "train" and b.task == task]
        if not own:
            return np.empty(0), np.empty(0)
        return np.concatenate([b.experience for b in own]), np.concatenate([b.values for b in own])


@dataclass(frozen=True)
class Scaled:
    """A lifetime ready to be measured, with the single-task experts that it is held against (task -> curves)."""

    life: Lifetime
    experts: Mapping[str, tuple[Float[np.ndarray, "_"], ...]]


def read_log(
    data: Any, var: str | None, *, task: str, by: str | None, seeds: str, variants: str, role: str
) -> tuple[list[Lifetime], list[str], str]:
    """Lifetimes in a long table, an xarray record with a coordinate "block_type", or folders of l2logger.

    Where some evaluations are made asleep (column "block_subtype"), they take the place of those awake; what happens
    asleep is no learning experience.

    Returns:
        The lifetimes, notes on what was left out, and the name of the performance.
    """
    frame = _frame(data, seeds, role)

    def column(wanted: str, *, required: bool = True) -> str | None:
        generic = "task" if wanted == task else "seed" if wanted == seeds else wanted
        for name in (wanted, generic, *_OTHER_NAMES.get(generic, ())):
            if name in frame.columns:
                return name
        if required:
            raise UserError(f"lifelong: the {role} has no column {wanted!r}{nearest(wanted, map(str, frame.columns))}")
        return None

    of_task, of_experience = column(task), column("experience")
    of_block, of_kind = column("block", required=role == "log"), column("block_type", required=role == "log")
    of_seed = column(seeds, required=False)
    of_condition = by if by and by in frame.columns else None
    used = {of_task, of_block, of_experience, of_kind, of_seed, of_condition}
    var = _performance(frame, var, used, role)
    notes: list[str] = []
    rows = len(frame)
    table = pd.DataFrame(
        {
            "condition": frame[of_condition].astype(str) if of_condition else "all",
            "seed": frame[of_seed] if of_seed else 0,
            "block": pd.to_numeric(frame[of_block], errors="coerce") if of_block else 0,
            "kind": frame[of_kind].astype(str) if of_kind else "train",
            "task": frame[of_task].astype(str),
            "experience": pd.to_numeric(frame[of_experience], errors="coerce"),
            "value": pd.to_numeric(frame[var], errors="coerce"),
        }
    )
    if variants == "agnostic":
        table["task"] = table["task"].str.split("_").str[0]
    keep = table["kind"].isin(["train", "test"])
    if "exp_status" in frame.columns:
        keep &= frame["exp_status"].astype(str) == "complete"
    if "block_subtype" in frame.columns:
        asleep = frame["block_subtype"].astype(str) == "sleep"
        testing = table["kind"] == "test"
        keep &= (asleep == bool((asleep & testing).any())) | ~testing
        keep &= ~asleep | testing
    finite = np.isfinite(table[["block", "experience", "value"]].to_numpy(float)).all(axis=1)
    keep &= finite & (table["value"].abs() <= _LARGEST).to_numpy()
    table = table[keep.to_numpy(bool)]
    if len(table) < rows:
        notes.append(f"{rows - len(table)} of {rows} rows of the {role} are left out: no finite number, or not used")
    return _lifetimes(table, notes, role), notes, var


def _frame(data: Any, seeds: str, role: str) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        return data.reset_index(drop=True)
    if isinstance(data, xr.Dataset | xr.DataArray):
        named = data if isinstance(data, xr.Dataset) or data.name is not None else data.rename("performance")
        return named.to_dataframe().reset_index()
    if isinstance(data, str | Path):
        data = [data]
    if isinstance(data, Sequence) and len(data) and all(isinstance(d, str | Path) for d in data):
        parts = []
        for folder in map(Path, data):
            files = sorted(folder.rglob("data-log.tsv"))
            if not files:
                raise UserError(f"lifelong: {folder} holds no data-log.tsv, so it is not a folder written by l2logger")
            part = pd.concat([pd.read_csv(f, sep="\t") for f in files], ignore_index=True)
            parts.append(part.assign(**{seeds: folder.name}))
        return pd.concat(parts, ignore_index=True)
    raise UserError(
        f"lifelong: the {role} must be a table (pandas), an xarray record with a coordinate 'block_type' or folders "
        f"of l2logger, got {type(data).__name__}"
    )


def _performance(frame: pd.DataFrame, var: str | None, used: set[str | None], role: str) -> str:
    names = [str(c) for c in frame.columns]
    if var is not None:
        if var not in names:
            raise UserError(f"lifelong: the {role} has no column {var!r}{nearest(var, names)}")
        return var
    for usual in ("performance", "reward"):
        if usual in names:
            return usual
    numeric = [str(c) for c in frame.select_dtypes("number").columns if c not in used]
    if len(numeric) != 1:
        raise UserError(f"lifelong: which column of the {role} is the performance? numbers: {', '.join(numeric)}")
    return numeric[0]


def _lifetimes(table: pd.DataFrame, notes: list[str], role: str) -> list[Lifetime]:
    if table.empty:
        return []
    table = table.assign(c=pd.factorize(table["condition"])[0], s=pd.factorize(table["seed"].astype(str))[0])
    table = table.sort_values(["c", "s", "block", "experience"], kind="stable", ignore_index=True)
    keys = ["c", "s", "block", "kind", "task"]
    if table.duplicated([*keys, "experience"]).any():
        notes.append(f"rows of the {role} that share block and experience are averaged")
        whole = {"condition": "first", "seed": "first", "value": "mean"}
        table = table.groupby([*keys, "experience"], sort=False, as_index=False).agg(whole)
    group = table.groupby(keys, sort=False).ngroup().to_numpy()  # numbered in the order of first appearance
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    at = order[starts]
    experience = np.split(table["experience"].to_numpy(float)[order], starts[1:])
    values = np.split(table["value"].to_numpy(float)[order], starts[1:])
    blocks: dict[tuple[int, int], list[Block]] = {}
    labels: dict[tuple[int, int], tuple[str, Any]] = {}
    columns = (table[k].to_numpy()[at] for k in ("c", "s", "kind", "task", "condition", "seed"))
    for i, (c, s, kind, task, condition, seed) in enumerate(zip(*columns, strict=True)):
        blocks.setdefault((c, s), []).append(Block(str(kind), str(task), experience[i], values[i]))
        labels.setdefault((c, s), (str(condition), seed.item() if isinstance(seed, np.generic) else seed))
    return [Lifetime(*labels[key], tuple(own)) for key, own in blocks.items()]


def smooth(values: Float[np.ndarray, "n"], window: int | None = None) -> Float[np.ndarray, "n"]:
    """Moving average with a flat window, the ends reflected; windows below 3 change nothing.

    ``window`` None, or longer than the data: a fifth of the data, at most 100. As in the published code the window
    lies behind its centre, by half a place (even) or one (odd).
    """
    n = len(values)
    width = min(int(_SHARE * n), _WIDEST) if window is None or n < window else window
    if width < 3:
        return values
    mean = np.convolve(np.full(width, 1.0 / width), np.pad(values, width - 1, mode="reflect"), mode="valid")
    return mean[(width - 2) // 2 :][:n]


def prepare(
    lives: Sequence[Lifetime],
    experts: Sequence[Lifetime],
    *,
    smoothing: int | None,
    clamp: bool,
    scale: str | None,
    ranges: Mapping[str, tuple[float, float]] | None,
) -> tuple[list[Scaled], list[str], bool]:
    """Smooth learning curves, clamp, and scale every task to [1, 101], as Baker et al. (2023) do.

    Experts are matched to lifetimes by seed (and condition) if every lifetime finds its own; otherwise all experts
    of a task serve all lifetimes.

    Returns:
        The lifetimes with their experts, notes, and whether the experts are shared by several lifetimes.
    """

    def smoothed(life: Lifetime) -> Lifetime:
        done = [replace(b, values=smooth(b.values, smoothing)) if b.kind == "train" else b for b in life.blocks]
        return replace(life, blocks=tuple(done))

    lives, experts = [smoothed(v) for v in lives], [smoothed(v) for v in experts]
    own, shared = _assign(lives, experts)
    pools: dict[tuple[int, str], list[np.ndarray]] = {}
    for i, life in enumerate(lives):
        for task in life.tasks:
            pool = pools.setdefault(_pool(scale, i, task), [])
            pool += [b.values for b in life.blocks if b.task == task]
            pool += own[i].get(task, [])
    notes: list[str] = []
    limits = {k: _limits(np.concatenate(v), k[1], ranges, clamp, notes) for k, v in pools.items()}
    out = []
    for i, life in enumerate(lives):

        def fit(values: Float[np.ndarray, "_"], task: str, i: int = i) -> Float[np.ndarray, "_"]:
            pool = _pool(scale, i, task)
            low, high = ranges[task] if ranges is not None and task in ranges else limits[pool]
            values = np.clip(values, low, high) if clamp else values
            if scale is None:
                return values
            return 1.0 + 100.0 * (values - low) / (high - low) if high > low else np.full(len(values), np.nan)

        blocks = tuple(replace(b, values=fit(b.values, b.task)) for b in life.blocks)
        held = {t: tuple(fit(v, t) for v in curves) for t, curves in own[i].items() if t in life.tasks}
        out.append(Scaled(replace(life, blocks=blocks), held))
    return out, notes, shared


def _pool(scale: str | None, i: int, task: str) -> tuple[int, str]:
    """The data over which the range of a task is taken."""
    return (i if scale == "lifetime" else 0, "" if scale == "together" else task)


def _assign(lives: Sequence[Lifetime], experts: Sequence[Lifetime]) -> tuple[list[dict[str, list[np.ndarray]]], bool]:
    """Expert curves of each lifetime by task, and whether they are shared."""
    by_condition = {v.condition for v in lives} <= {e.condition for e in experts}

    def curves(chosen: Sequence[Lifetime]) -> dict[str, list[np.ndarray]]:
        found: dict[str, list[np.ndarray]] = {}
        for expert in chosen:
            for task in dict.fromkeys(expert.order):
                found.setdefault(task, []).append(expert.learning(task)[1])
        return found

    matched = [
        [e for e in experts if str(e.seed) == str(v.seed) and (not by_condition or e.condition == v.condition)]
        for v in lives
    ]
    if len(lives) > 1 and all(matched):
        return [curves(m) for m in matched], False
    everyone = curves(experts)
    return [everyone] * len(lives), len(lives) > 1 and bool(experts)


def _limits(
    pool: Float[np.ndarray, "_"],
    task: str,
    ranges: Mapping[str, tuple[float, float]] | None,
    clamp: bool,
    notes: list[str],
) -> tuple[float, float]:
    low, high = np.quantile(pool, _CLAMP) if clamp else (pool.min(), pool.max())
    if low == high and not (ranges and task in ranges):
        notes.append(f"performance{' on ' + task if task else ''} is constant, so it has no scale and no metric")
    return float(low), float(high)


def digest(lives: Sequence[Lifetime], experts: Sequence[Lifetime]) -> str:
    """First 16 hex digits of the SHA-256 of all blocks and labels."""
    h = hashlib.sha256()
    for life in (*lives, *experts):
        h.update(repr((life.condition, str(life.seed))).encode())
        for block in life.blocks:
            h.update(repr((block.kind, block.task)).encode())
            h.update(np.ascontiguousarray(block.values).tobytes())
    return h.hexdigest()[:16]
