"""Emitters: small searches for reward, each started where one was found, and who of them may go on."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from emergelab.rl import evolution
from emergelab.rl.advantages import Number

from ._archive import Solutions, Store, comers, empty, put, ring

__all__ = [
    "KINDS", "TEAM", "Candidates", "Emitter", "Pool", "ask", "begin", "choose", "is_first", "nobody", "propose",
    "seat", "seated", "tell", "told",
]  # fmt: skip

# `elitist`: the best of parents and children survive. `cma`: separable CMA-ES.
KINDS = ("elitist", "cma")
_ELITIST = 0
TEAM = 6  # solutions of a generation of an emitter
_ENDS = 3  # generations at each end of a record whose means are compared


class Emitter(NamedTuple):
    """A search around a solution that was paid. A pool of them has a leading axis.

    Attributes:
        normal: the distribution that CMA-ES draws from.
        team: the elitist's parents.
        standing: what these were paid; minus infinity before they were tried.
        width: standard deviation of the elitist's mutations.
        place, code: where the solution ends that the emitter was started at, and how that is described.
        begun: what that solution was paid.
        first: mean reward of the first three generations.
        improvement: mean reward of the last three generations beyond that, at least 0.
        best: largest reward so far.
        novel: largest novelty so far.
        idle: steps since `best` rose.
    """

    normal: evolution.Separable
    team: Float[Array, "*slot member number"]
    standing: Float[Array, "*slot member"]
    width: Float[Array, "*slot"]
    place: Float[Array, "*slot 2"]
    code: Float[Array, "*slot code"]
    begun: Float[Array, "*slot"]
    first: Float[Array, "*slot"]
    improvement: Float[Array, "*slot"]
    best: Float[Array, "*slot"]
    novel: Float[Array, "*slot"]
    idle: Int[Array, "*slot"]


class Pool(NamedTuple):
    """Emitters that may go on.

    Attributes:
        emitters: one a slot.
        live: which slots are taken.
    """

    emitters: Emitter
    live: Bool[Array, "slot"]


class Candidates(NamedTuple):
    """Solutions that were paid and at which an emitter may be started.

    Attributes:
        store: the solutions; a row is empty when its turn is over.
        width: how wide each one's emitter will draw at first.
    """

    store: Store
    width: Float[Array, "row"]


def begin(genome: Float[Array, "number"], width: Number, place: Array, code: Array, reward: Number) -> Emitter:
    """An emitter that has not tried anything."""
    reward = jnp.asarray(reward, jnp.float32)
    zero = jnp.zeros(())
    return Emitter(
        normal=evolution.begin(genome, width), team=jnp.broadcast_to(genome, (TEAM, len(genome))),
        standing=jnp.full(TEAM, -jnp.inf), width=jnp.asarray(width, jnp.float32), place=place, code=code, begun=reward,
        first=zero, improvement=zero, best=reward, novel=zero, idle=jnp.int32(0),
    )  # fmt: skip


def nobody(slots: int, rows: int, numbers: int, code: int) -> tuple[Pool, Candidates]:
    """No emitters and no candidates."""
    one = begin(jnp.zeros(numbers), 1.0, jnp.zeros(2), jnp.zeros(code), 0.0)
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (slots, *x.shape)), one)
    return Pool(many, jnp.zeros(slots, bool)), Candidates(empty(rows, numbers, code), jnp.zeros(rows))


def ask(emitter: Emitter, kind: Int[Array, ""], noise: Float[Array, "member number"]) -> Float[Array, "member number"]:
    """A generation to be tried, made of standard normal numbers."""
    mutated = emitter.team + emitter.width * noise
    return jnp.where(kind == _ELITIST, mutated, evolution.ask(emitter.normal, noise))


def tell(
    emitter: Emitter, kind: Int[Array, ""], tried: Float[Array, "member number"], reward: Float[Array, "member"]
) -> tuple[Emitter, Float[Array, ""]]:
    """The emitter after a generation, and the mean reward that counts as the generation's."""
    # Of equal ones the children survive, so a team drifts where nothing is paid.
    both = jnp.concatenate([reward, emitter.standing])
    best = jax.lax.top_k(both, TEAM)[1]
    team, standing = jnp.concatenate([tried, emitter.team])[best], both[best]
    normal = evolution.tell(emitter.normal, tried, reward)
    value = jnp.where(kind == _ELITIST, jnp.mean(standing), jnp.mean(reward))
    return emitter._replace(normal=normal, team=team, standing=standing), value


def told(
    emitter: Emitter, fresh: Bool[Array, ""], values: Float[Array, "generation"], reward: Float[Array, "tried"]
) -> Emitter:
    """The emitter after a step of some generations: whether it has improved on its first three."""
    first = jnp.where(fresh, jnp.mean(values[:_ENDS]), emitter.first)
    best = jnp.maximum(emitter.best, jnp.max(reward))
    return emitter._replace(
        first=first,
        improvement=jnp.maximum(jnp.mean(values[-_ENDS:]) - first, 0.0),
        best=best,
        idle=jnp.where(best > emitter.best, 0, emitter.idle + 1),
    )


def propose(
    candidates: Candidates, found: Solutions, chosen: Bool[Array, "new"], width: Float[Array, "new"]
) -> Candidates:
    """More candidates; when there is no room the oldest go."""
    row = ring(candidates.store, chosen)
    taken, who = comers(row, len(candidates.width))
    wide = jnp.where(taken, width[who], candidates.width)
    return Candidates(put(candidates.store, found, row), wide)


def seat(pool: Pool, emitter: Emitter, wanted: Bool[Array, ""]) -> Pool:
    """The pool with one more emitter: in a free slot, or in that of the one that improves least."""
    slot = jnp.argmin(jnp.where(pool.live, pool.emitters.improvement, -1.0))
    return seated(pool, emitter, jnp.where(wanted, slot, len(pool.live)))


def seated(pool: Pool, emitter: Emitter, slot: Int[Array, ""]) -> Pool:
    """The pool with an emitter in a slot; as it was if the slot is beyond the end."""
    here = jnp.arange(len(pool.live)) == slot

    def one(old: Array, x: Array) -> Array:
        return jnp.where(here.reshape(-1, *(1,) * x.ndim), x, old)

    return Pool(jax.tree.map(one, pool.emitters, emitter), pool.live | here)


def is_first(one: Float[Array, "item"], other: Float[Array, "item"], there: Bool[Array, "item"]) -> Bool[Array, "item"]:
    """Which of those that are there nobody beats: nobody is at least as good in both and better in one."""
    as_good = (one >= one[:, None]) & (other >= other[:, None])
    better = (one > one[:, None]) | (other > other[:, None])
    return there & ~jnp.any(as_good & better & there, -1)


def choose(chosen: Bool[Array, "item"], lot: Float[Array, "item"]) -> Int[Array, ""]:
    """The one of those chosen that drew the largest lot; the first if none is chosen."""
    return jnp.argmax(jnp.where(chosen, lot, -1.0))
