"""What a search is between two steps, and how what it finds is counted."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from . import _descriptor as learnt
from . import _emitters as emitters
from ._archive import Solutions, Store
from ._world import cells

__all__ = ["ArchiveState", "Clock", "Plan", "Tally", "counted", "either"]


class Clock(NamedTuple):
    """What is next.

    Attributes:
        turn: steps of the present pair of chunks: exploring first, then emitters.
        running: slot of the emitter that runs until its chunk is over; -1: none.
        since: steps since the descriptor was trained.
        pause: chunks between its last training and the next.
    """

    turn: Int[Array, ""]
    running: Int[Array, ""]
    since: Int[Array, ""]
    pause: Int[Array, ""]


class Tally(NamedTuple):
    """What was found so far.

    Attributes:
        ends: episodes that ended in each fine cell.
        best: largest reward of each area.
        champion: the genome that got it.
        episodes: played by emitters.
        tested: candidates that were tried out.
        kept: those that became emitters.
        gained: sum over these of their best reward beyond the one at which they were started.
        novel: mean novelty of the parents, in units of the descriptor.
    """

    ends: Int[Array, "cell"]
    best: Float[Array, "area"]
    champion: Float[Array, "area number"]
    episodes: Int[Array, ""]
    tested: Int[Array, ""]
    kept: Int[Array, ""]
    gained: Float[Array, ""]
    novel: Float[Array, ""]


class ArchiveState(eqx.Module):
    """A search between two steps.

    Attributes:
        parents: who is bred next.
        archive: what was kept for its novelty; of MAP-Elites, one solution a cell.
        paid: what was kept for its reward.
        candidates: paid solutions at which no emitter was tried out yet.
        pool: emitters that may go on.
        descriptor: the autoencoder; None if pictures are not encoded.
        clock: what is next.
        tally: what was found.
        time: steps made.
    """

    parents: Solutions
    archive: Store
    paid: Store
    candidates: emitters.Candidates
    pool: emitters.Pool
    descriptor: learnt.Descriptor | None
    clock: Clock
    tally: Tally
    time: Int[Array, ""]


class Plan(NamedTuple):
    """What the episodes of a step are spent on.

    Attributes:
        exploit: on an emitter, not on exploring.
        test: on trying out a candidate.
        candidate: row of that candidate.
        slot: of the emitter otherwise.
    """

    exploit: Bool[Array, ""]
    test: Bool[Array, ""]
    candidate: Int[Array, ""]
    slot: Int[Array, ""]


def either(first: Bool[Array, ""], one: PyTree, other: PyTree) -> PyTree:
    """One tree or the other."""
    return jax.tree.map(lambda a, b: jnp.where(first, a, b), one, other)


def counted(
    tally: Tally, genome: Float[Array, "body number"], place: Float[Array, "body 2"], each: Float[Array, "body area"]
) -> Tally:
    """With more episodes: where they ended, and who was paid most in each area."""
    top = jnp.argmax(each, 0)
    most = jnp.max(each, 0)
    better = most > tally.best
    return tally._replace(
        ends=tally.ends + jnp.sum(cells(place)[:, None] == jnp.arange(len(tally.ends)), 0),
        best=jnp.where(better, most, tally.best),
        champion=jnp.where(better[:, None], genome[top], tally.champion),
    )
