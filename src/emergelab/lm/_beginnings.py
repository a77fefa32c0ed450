"""What several prompts begin with, computed once and held for all of them.

People of a town are told the same of the hour, each then has a story of its own, and each story is asked under several
orders of the options: what stories begin with is computed first, then the stories, then the questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from . import _passes as passes
from ._llama import Config, Llama, Past
from ._sharing import ROWS, cut_into_runs, padded_height

__all__ = ["COMPUTED", "SLOTS", "Beginnings", "Shelf", "beginnings", "packed"]

COMPUTED = 512  # tokens that are computed at once where nothing is written after them: more do not stay in a cache
SLOTS = 16_384  # tokens held at once; each costs 46 kB in SmolLM2


class Shelf:
    """What many texts look back at, one row each, of which every batch takes some.

    It lies in the memory of the host: there, other numbers of rows need no other programs.

    Attributes:
        slots: of each row.
    """

    def __init__(self, config: Config, rows: int, slots: int) -> None:
        self._held = np.zeros((2 * config.layers, rows, config.kv_heads, slots, config.head), np.float32)
        self._lengths, self.slots = np.zeros(rows, np.int32), slots

    def copy(self, row: int, other: Shelf, its: int) -> None:
        """Begin an empty row with what is in a row of another shelf."""
        n = self._lengths[row] = other._lengths[its]
        self._held[:, row, :, :n] = other._held[:, its, :, :n]

    def put(self, rows: Sequence[int], past: Past) -> None:
        """Add to some rows what the first ones of a batch have left, each after what it has."""
        new = np.stack([np.asarray(a) for a in (*past.keys, *past.values)])
        for i, (row, n) in enumerate(zip(rows, np.asarray(past.lengths).tolist(), strict=False)):
            k = self._lengths[row]
            self._held[:, row, :, k : k + n] = new[:, i, :, :n]
            self._lengths[row] += n

    def take(self, rows: Int[np.ndarray, "row"]) -> Past:
        """Some rows, as a batch."""
        found = tuple(jnp.asarray(held[rows]) for held in self._held)
        half = len(found) // 2
        return Past(found[:half], found[half:], jnp.asarray(self._lengths[rows]))


@dataclass(frozen=True)
class Beginnings:
    """The beginnings of some prompts.

    Attributes:
        lengths: how many tokens of each prompt need not be computed again, those that all share included.
        shelf: what they have left to look back at, but for what all share. Row 0 is empty: it serves prompts that have
            no beginning of their own.
        row: of each prompt, on the shelf.
    """

    lengths: Int[np.ndarray, "prompt"]
    shelf: Shelf
    row: Int[np.ndarray, "prompt"]

    def of(self, prompts: Sequence[int], height: int) -> tuple[Past, ...]:
        """What some prompts look back at, as a batch of so many rows: those that are missing repeat the first."""
        rows = self.row[[*prompts, *([prompts[0]] * (height - len(prompts)))]]
        return (self.shelf.take(rows),) if rows.any() else ()


def beginnings(
    model: Llama,
    interventions: passes.Interventions,
    prompts: Sequence[list[int]],
    n: int,
    shared: tuple[Past, ...],
    share: bool = True,
) -> Beginnings:
    """Compute what runs of prompts begin with, after what such beginnings in turn begin with.

    Args:
        model: weights.
        interventions: at its sites.
        prompts: token ids.
        n: tokens with which all of them begin.
        shared: what these have left to look back at.
        share: False computes nothing.
    """
    row, openings = np.zeros(len(prompts), int), []
    order = sorted(range(len(prompts)), key=lambda i: prompts[i]) if share else []
    for first, last, k in cut_into_runs([prompts[i] for i in order], n):
        if k > n:
            openings.append(prompts[order[first]][:k])
            row[order[first:last]] = len(openings)
    lengths = np.array([n, *map(len, openings)])[row]
    if not openings:
        return Beginnings(lengths, Shelf(model.config, 1, 0), row)
    earlier = beginnings(model, interventions, openings, n, shared)
    left = [ids[k:] for ids, k in zip(openings, earlier.lengths, strict=True)]
    shelf = Shelf(model.config, 1 + len(openings), passes.bucket(max(map(len, openings)) - n))
    for rows in packed(list(map(len, left)), [0] * len(left), COMPUTED, earlier.shelf.slots):
        height = padded_height(len(rows))
        tokens, sizes = passes.padded([left[i] for i in rows], height, passes.bucket(len(left[rows[-1]])))
        _, past = passes.begin(model, interventions, tokens, sizes, (*shared, *earlier.of(rows, height)))
        for i in rows:
            shelf.copy(1 + i, earlier.shelf, int(earlier.row[i]))
        shelf.put([1 + i for i in rows], past)
    return Beginnings(lengths, shelf, row)


def packed(
    lengths: Sequence[int], more: Sequence[int], most: int, held: int, slots: int = SLOTS
) -> Iterator[list[int]]:
    """Indices of texts to be computed together, at most `ROWS`: neighbours of similar length waste little on padding.

    Args:
        lengths: tokens to compute of each text.
        more: tokens that are written after it.
        most: tokens to compute at once; one text may have more.
        held: slots that each text looks back at.
        slots: held at once, those of the texts and of what is written included.
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], more[i]))
    while order:
        take = ROWS
        while take > 1:
            width = passes.bucket(max(lengths[i] for i in order[:take]))
            room = passes.bucket(max(more[i] for i in order[:take]))
            if take * (width + room + held) <= slots and take * width <= most:
                break
            take //= 2
        yield order[:take]
        order = order[take:]
