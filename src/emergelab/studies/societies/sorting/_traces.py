"""What can be asked of a recorded run: curves over its swaps, delayed gratification of a trace of errors."""

from __future__ import annotations

from itertools import starmap

import numpy as np
import xarray as xr
from jaxtyping import Float, Real

POINTS = np.linspace(0.0, 1.0, 101)
"""Fractions of a run's swaps at which curves are compared, as in the paper."""


def over_swaps(d: xr.Dataset, name: str) -> Float[np.ndarray, "seed point"]:
    """An observable's curve against the fraction of the run's own swaps, seed by seed, at `POINTS`."""
    swaps = d["swaps"].transpose("seed", "time").values.astype(float)
    values = d[name].transpose("seed", "time").values.astype(float)
    done = np.maximum(swaps[:, -1:], 1.0)
    return np.stack(list(starmap(lambda x, y: np.interp(POINTS, x, y), zip(swaps / done, values, strict=True))))


def max_of_mean(curves: Float[np.ndarray, "seed point"]) -> float:
    """Peak of the mean curve: not the mean of the peaks, which is larger for any noisy curve."""
    return float(np.max(np.mean(curves, axis=0)))


def delayed_gratification(errors: Real[np.ndarray, "swap"], mode: str = "mean") -> float:
    """Net gain per unit of detour, (fall - rise) / rise, over an error's rises and the falls after them.

    Args:
        errors: an error after each swap. Swaps that leave it as it is count for nothing.
        mode: "mean" over complete pairs of rise and fall, or "code": what the authors' function returns,
            which is the
            sum over pairs if the trace ends on a rise, and the mean otherwise.

    Returns:
        0 if there is no complete pair.
    """
    if mode not in ("mean", "code"):
        raise ValueError(f"delayed_gratification: mode must be 'mean' or 'code', got {mode!r}")
    changes = np.diff(np.asarray(errors, float))
    changes = changes[changes != 0]
    if not changes.size:
        return 0.0
    # Sums over maximal stretches of one sign; from the first rise on they alternate rise, fall, rise, ...
    starts = np.flatnonzero(np.concatenate([[True], np.diff(np.sign(changes)) != 0]))
    stretches = np.add.reduceat(changes, starts)
    stretches = stretches[int(stretches[0] < 0) :]
    pairs = len(stretches) // 2
    rises, falls = stretches[0 : 2 * pairs : 2], -stretches[1 : 2 * pairs : 2]
    if not pairs:
        return 0.0
    gains = (falls - rises) / rises
    return float(np.sum(gains) if mode == "code" and len(stretches) % 2 else np.mean(gains))


def block_shuffled(errors: Real[np.ndarray, "swap"], block: int, rng: np.random.Generator) -> Float[np.ndarray, "swap"]:
    """The same trace with its changes in another order: blocks of changes are kept, their order is drawn.

    A null for foresight: what remains of delayed gratification in it is owed to the kinds of changes, not to
    plans longer than a block.
    """
    changes = np.diff(np.asarray(errors, float))
    blocks = [changes[i : i + block] for i in range(0, len(changes), block)]
    again = [blocks[i] for i in rng.permutation(len(blocks))]
    return np.concatenate([[float(errors[0])], float(errors[0]) + np.cumsum(np.concatenate([np.zeros(0), *again]))])
