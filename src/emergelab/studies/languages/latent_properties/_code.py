"""Measures of the study `latent-properties` that the shared ones lack: agent by agent, and codes across seeds."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Int, Num

from emergelab.games import language as lg

from ._scenes import LEVELS, held_out, meanings, pairs

__all__ = ["across_seeds", "by_agent", "cut", "exchanged", "of_property", "padded", "within_seeds"]

Words = Int[Array, "scene position"]
Heard = Float[Array, "scene position symbol"]


def by_agent(words: Words, symbols: int, levels: Int[Array, "scene property"], agents: int) -> Float[Array, "agent"]:
    """The paper's disentanglement of every agent: the mean over its positions of (best - second best) / best."""
    return lg.posdis_by_position(words, symbols, levels, len(LEVELS)).reshape(agents, -1).mean(axis=1)


def of_property(shared: Float[Array, "position property"]) -> Bool[Array, "property position"]:
    """Which positions speak more of a property than of the others, by the information they carry."""
    return shared.argmax(axis=1) == jnp.arange(shared.shape[1])[:, None]


def cut(heard: Heard, where: Bool[Array, "position"], instead: Heard | None = None) -> Heard:
    """Messages without some positions: silent there, or with what is said `instead`."""
    return jnp.where(where[None, :, None], 0.0 if instead is None else instead, heard)


def exchanged(
    one: Float[Array, "pair position symbol"], other: Float[Array, "pair position symbol"],
    where: Bool[Array, "position"],
) -> Float[Array, "pair doubled symbol"]:
    """Pairs of messages, as a listener reads them, with some positions exchanged between the two scenes."""
    here = where[None, :, None]
    return jnp.concatenate([jnp.where(here, other, one), jnp.where(here, one, other)], axis=1)


def padded(x: Num[Array, "n ..."], room: int, fill: float | int = jnp.nan) -> Num[Array, "room ..."]:
    """Rows of `fill` up to `room`, so that all conditions show arrays of one shape."""
    return jnp.pad(x, ((0, room - len(x)), *((0, 0),) * (x.ndim - 1)), constant_values=fill)


# -- across seeds, from what a run has recorded -----------------------------------------------------------------------


def within_seeds(d: xr.Dataset) -> xr.DataArray:
    """How well a plain reader who has learnt a seed's code reads that seed's messages about unseen pairs of levels.

    See `across_seeds`.
    """
    return xr.DataArray(np.diag(_read(d)), dims="seed", coords={"seed": d.seed})


def across_seeds(d: xr.Dataset) -> xr.DataArray:
    """How well it reads the messages of other seeds, on average; chance is 1/4.

    The reader is a least-squares fit of both levels to the symbols at all positions, made on the scenes of training. It
    reads two messages about scenes of held-out levels, and is right if it orders both properties rightly.
    """
    table = _read(d)
    others = ~np.eye(len(table), dtype=bool)
    mean = np.where(others, table, 0.0).sum(axis=0) / np.maximum(others.sum(axis=0), 1)
    return xr.DataArray(np.where(others.any(axis=0), mean, np.nan), dims="seed", coords={"seed": d.seed})


def _read(d: xr.Dataset) -> Float[np.ndarray, "reader speaker"]:
    """Share of pairs of held-out scenes that the reader of one seed orders rightly from the messages of another."""
    tokens = d.tokens.isel(time=-1).transpose("seed", "scene", "position").values.astype(int)
    levels = meanings(tokens.shape[1] // len(LEVELS) ** 2)
    held = held_out(levels)
    asked = pairs(np.flatnonzero(held), levels, 512, seed=1)
    truth = levels[asked[:, 0]] > levels[asked[:, 1]]
    # Positions beyond a condition's own hold -1 in all scenes and match no symbol.
    each = [(t[:, :, None] == np.arange(max(int(tokens.max()) + 1, 1))).reshape(len(t), -1) for t in tokens]
    rows = [np.concatenate([one, np.ones((len(one), 1))], axis=1).astype(float) for one in each]
    fits = [np.linalg.lstsq(r[~held], levels[~held].astype(float), rcond=None)[0] for r in rows]
    table = np.empty((len(fits), len(rows)))
    for i, fit in enumerate(fits):
        for j, row in enumerate(rows):
            guess = row @ fit
            table[i, j] = ((guess[asked[:, 0]] > guess[asked[:, 1]]) == truth).all(axis=1).mean()
    return table
