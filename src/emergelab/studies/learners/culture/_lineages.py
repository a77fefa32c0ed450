"""Generations: minds that watch the minds of the generation before, and what can be changed about it.

Everything here is of one network, after its training, and of many lineages side by side.

A teacher sees what its learner does: in the learner's trial it is forced to see the learner's guesses and rewards
instead of its own. The learner is in a trial only as long as it is right, so at a given position all learners show the
same to a teacher, and what it says there can be computed once a generation (`teach`) and handed to the world as a
table. This is exact, and saves running three teachers beside every learner at every step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.rl.networks import ActorCritic
from emergelab.rl.ppo import unroll
from emergelab.worlds.sequence import Level, MemorySequence, Moment, expected, forced, look, schedule


class Variant(NamedTuple):
    """What is changed about the generations of a lineage.

    Attributes:
        shown: chance to see the others in every trial; below 0 it falls from trial to trial as in training.
        corrupt: share of guesses of all teachers that are replaced by random ones.
        corrupt_best: the same for the best teacher alone.
        keep: the memory that a teacher brings is scaled by this; 0 wipes it out.
        swap: above 0, teachers come from another lineage, which had another sequence.
        shuffle: above 0, teachers sit in random order, and any of a larger generation are taken.
        skip: number of a generation that nobody sees: the next one still watches the one before it.
        members: of a generation; all are watched if there are as many as seats, the best if there are more, the best in
            every seat if there are fewer.
    """

    shown: float = -1.0
    corrupt: float = 0.0
    corrupt_best: float = 0.0
    keep: float = 1.0
    swap: float = 0.0
    shuffle: float = 0.0
    skip: float = -1.0
    members: float = 3.0


class Variants(NamedTuple):
    """Several of them side by side, as arrays; fields as in `Variant`."""

    shown: Float[Array, "variant"]
    corrupt: Float[Array, "variant"]
    corrupt_best: Float[Array, "variant"]
    keep: Float[Array, "variant"]
    swap: Float[Array, "variant"]
    shuffle: Float[Array, "variant"]
    skip: Float[Array, "variant"]
    members: Float[Array, "variant"]


def stacked(variants: Iterable[Variant]) -> Variants:
    """Variants side by side."""
    return Variants(*(jnp.asarray(x, jnp.float32) for x in zip(*variants, strict=True)))


SKIPPED = 1
TESTS: dict[str, Variant] = {
    "as it is": Variant(),
    "never seen": Variant(shown=0.0),
    "always seen": Variant(shown=1.0),
    "of others": Variant(swap=1.0),
    "emptied": Variant(keep=0.0),
    "skipped": Variant(skip=float(SKIPPED)),
    "shuffled": Variant(shuffle=1.0),
    "half wrong": Variant(corrupt=0.5),
    "best wrong": Variant(corrupt_best=1.0),
    "one": Variant(members=1.0),
    "five": Variant(members=5.0),
}
"""Everything that is tried with a trained network, by name, in the order of the observables' axis `test`."""


class Life(NamedTuple):
    """What minds did and were.

    Attributes:
        right: guesses that were right, by trial.
        shown: guesses of the best other that were seen, by trial; wrong ones first, then right ones.
        copied: those of them that were made one's own.
        memory: with the last trial still to come.
        seen: what was seen then, but for the others.
        steps: how long the longest life took.
    """

    right: Float[Array, "lane trial"]
    shown: Float[Array, "lane trial 2"]
    copied: Float[Array, "lane trial 2"]
    memory: PyTree[Array]
    seen: Float[Array, "lane input"]
    steps: Int[Array, ""]


_Carry = tuple[Moment, PyTree, Life]


def live(world: MemorySequence, net: ActorCritic, level: Level, keys: Key[Array, "lane"], trials: int) -> Life:
    """Whole episodes, one a lane, until the last is over.

    Args:
        world: what is played.
        net: who plays; its policy is sampled.
        level: of each lane.
        keys: of each lane's chance events.
        trials: of an episode.
    """
    lanes = keys.shape[0]
    state = jax.vmap(world.reset)(level, jax.vmap(lambda k: jax.random.fold_in(k, 2**31))(keys))
    nothing = jnp.zeros((lanes, trials, 2))
    memory = net.rest(lanes)
    life = Life(nothing[..., 0], nothing, nothing, memory, jnp.zeros((lanes, world.inputs)), jnp.int32(0))

    def going(carry: _Carry) -> Bool[Array, ""]:
        state, _, life = carry
        return jnp.any(state.trial < trials) & (life.steps < trials * world.length)

    def on(carry: _Carry) -> _Carry:
        state, memory, life = carry
        of_action, of_step = (jax.vmap(jax.random.fold_in, (0, None))(keys, 2 * life.steps + i) for i in (0, 1))
        fresh = jnp.broadcast_to(life.steps == 0, (lanes,))
        memory, policy, _ = net(memory, jax.vmap(world.see)(state), fresh)
        action = jax.vmap(jax.random.categorical)(of_action, policy.logits)  # type: ignore[union-attr]
        after = jax.vmap(world.step)(state, action, of_step).state
        # Lanes whose last trial is over play on, and are not counted.
        now = jax.nn.one_hot(state.trial, trials)
        best = state.guesses[:, -1]
        true = jnp.take_along_axis(level.hidden, state.position[:, None], 1)[:, 0]
        kind = jax.nn.one_hot((best == true).astype(jnp.int32), 2) * state.visible[:, None]
        shown = now[:, :, None] * kind[:, None]
        one_left = after.ended & (state.trial == trials - 2)
        # What a mind sees that will be a teacher: its own last guess, and no others.
        seen = jax.vmap(lambda m: look(m._replace(visible=jnp.bool_(False)), world.symbols))(after)
        return after, memory, Life(
            life.right + now * (after.reward > 0)[:, None],
            life.shown + shown,
            life.copied + shown * (action == best)[:, None, None],
            jax.tree.map(lambda new, old: _where(one_left, new, old), memory, life.memory),
            _where(one_left, seen, life.seen),
            life.steps + 1,
        )  # fmt: skip

    return jax.lax.while_loop(going, on, (state, memory, life))[2]


def teach(
    net: ActorCritic, memory: PyTree[Array], seen: Float[Array, "lane input"], hidden: Int[Array, "lane position"],
    symbols: int, fresh: bool = False,
) -> Float[Array, "lane position symbol"]:  # fmt: skip
    """What minds would guess at each position of a sequence, forced to be right before it: log-probabilities.

    Args:
        net: the network whose minds they are.
        memory: of each.
        seen: by each at the first position.
        hidden: the sequence.
        symbols: of the world.
        fresh: whether memories are empty and begin here.
    """
    views = jnp.swapaxes(jax.vmap(lambda s, h: forced(s, h, symbols))(seen, hidden), 0, 1)
    begins = (jnp.arange(views.shape[0]) == 0)[:, None] & jnp.full((1, hidden.shape[0]), fresh)
    policy, _ = unroll(net, memory, views, begins)
    return jnp.swapaxes(jax.nn.log_softmax(policy.logits), 0, 1)  # type: ignore[union-attr]


class Lineages(NamedTuple):
    """What became of lineages: means over them, by variant, generation and trial.

    Attributes:
        score: guesses that were right in each trial.
        alone: in the last trial, by the policy instead of by one draw from it; where variants meddle with memories on
            their way to the next generation, by the draw.
        greedy: the same by the most likely guess.
        best: of the best member of each generation, by the draw.
        spread: standard deviation of a generation's mean between lineages.
        beyond: share of members that got further alone than the best of their teachers had; not a number at first.
        copied: share of seen guesses of the best teacher that were copied; wrong ones first, then right ones.
    """

    score: Float[Array, "variant generation trial"]
    alone: Float[Array, "variant generation"]
    greedy: Float[Array, "variant generation"]
    best: Float[Array, "variant generation"]
    spread: Float[Array, "variant generation"]
    beyond: Float[Array, "variant generation"]
    copied: Float[Array, "variant generation trial 2"]


def grow(
    world: MemorySequence, net: ActorCritic, variants: Variants, key: PRNGKeyArray, *, count: int, members: int,
    generations: int, trials: int,
) -> Lineages:  # fmt: skip
    """Lineages of minds, each of a sequence of its own. Variants share sequences and chance events.

    Sites: `rank` (by what members are chosen and seated), `saved` (the memory that a teacher brings), `advice` (what
    teachers will guess), and those of the network.

    Args:
        world: what is played.
        net: whose minds they are.
        variants: what is changed.
        key: of sequences and of everything left to chance.
        count: lineages.
        members: of a generation, at most; at least as many as the world has others.
        generations: how many.
        trials: of a life.
    """
    v, kinds, k = variants, variants.shown.shape[0], world.symbols
    of_hidden, of_life = jax.random.split(key)
    one_each = jax.random.randint(of_hidden, (count, world.length), 0, k)
    shape = (kinds, count, members)
    hidden = jnp.broadcast_to(one_each[None, :, None], (*shape, world.length))
    flat = hidden.reshape(-1, world.length)
    chance = jnp.where(v.shown[:, None] < 0, schedule(trials, world.slots), v.shown[:, None])
    shown = jnp.broadcast_to(chance[:, None, None], (*shape, world.slots)).reshape(-1, world.slots)
    corrupt = jnp.broadcast_to(v.corrupt[:, None], (kinds, world.others)).at[:, -1].max(v.corrupt_best)
    counted = jnp.arange(members) < v.members[:, None]
    weight = (counted / jnp.sum(counted, 1, keepdims=True))[:, None]

    def mean(x: Float[Array, "variant lineage member"]) -> Float[Array, "variant lineage"]:
        return jnp.sum(x * weight, -1)

    def generation(carry: tuple[Array, Array], x: tuple[Array, PRNGKeyArray]) -> tuple[tuple[Array, Array], Lineages]:
        advice, former = carry
        number, key = x
        of_lanes, of_order = jax.random.split(key)
        lanes = jax.random.split(of_lanes, count * members)
        keys = jnp.broadcast_to(lanes[None], (kinds, count * members)).reshape(-1)
        given = jnp.broadcast_to(advice[:, :, None], (*shape, *advice.shape[2:])).reshape(-1, *advice.shape[2:])
        life = live(world, net, Level(flat, given, shown), keys, trials)
        score = life.right[:, -1].reshape(shape)

        memory = jax.tree.map(lambda m: _handed(m.reshape(*shape, *m.shape[1:]), v), life.memory)
        table = teach(net, memory, life.seen, flat, k).reshape(*shape, world.length, k)
        meddled = ((v.keep != 1) | (v.swap > 0))[:, None, None]
        alone = jnp.where(meddled, score, expected(table, hidden))
        first = jnp.cumprod(jnp.argmax(table, -1) == hidden, -1).sum(-1)
        greedy = jnp.where(meddled, score, first)

        lot = jax.random.uniform(of_order, (count, members))
        rank = el.site("rank", jnp.where(v.shuffle[:, None, None] > 0, lot, score))
        order = jnp.argsort(jnp.where(counted[:, None], rank, -jnp.inf), -1)
        # The best come last. Seats for which there is nobody are the best's, too.
        seats = order[..., members - world.others :]
        taken = jnp.take_along_axis(jnp.broadcast_to(counted[:, None], shape), seats, -1)
        seats = jnp.where(taken, seats, order[..., -1:])
        guess = jax.nn.softmax(jnp.take_along_axis(table, seats[..., None, None], 2))
        noise = corrupt[:, None, :, None, None]
        new = el.site("advice", jnp.log((1 - noise) * guess + noise / k + 1e-9))
        new = jnp.where((v.skip == number)[:, None, None, None, None], advice, new)

        best = jnp.max(jnp.where(counted[:, None], score, 0.0), -1)
        parts = (x.reshape(*shape, trials, 2) for x in (life.copied, life.shown))
        copied, looked = (jnp.sum(x * weight[..., None, None], (1, 2)) for x in parts)
        out = Lineages(
            score=jnp.mean(jax.vmap(mean, -1, -1)(life.right.reshape(*shape, trials)), 1),
            alone=jnp.mean(mean(alone), -1),
            greedy=jnp.mean(mean(greedy), -1),
            best=jnp.mean(best, -1),
            spread=jnp.std(mean(alone), -1),
            beyond=jnp.mean(mean((score > former[..., None]).astype(jnp.float32)), -1),
            copied=jnp.where(looked > 0, copied / jnp.maximum(looked, 1e-9), jnp.nan),
        )  # fmt: skip
        return (new, best), out

    # The first generation watches strangers, who know nothing.
    strangers = jnp.zeros((kinds, count, world.others, world.length, k))
    nobody = jnp.full((kinds, count), jnp.inf)
    numbers = jnp.arange(generations, dtype=jnp.float32)
    _, out = jax.lax.scan(generation, (strangers, nobody), (numbers, jax.random.split(of_life, generations)))
    out = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), out)
    return out._replace(beyond=out.beyond.at[:, 0].set(jnp.nan))


def _handed(memory: Array, v: Variants) -> Array:
    """Memories, with axes (variant, lineage, member, ...), as they reach the next generation; flat again."""
    by_variant = (-1, *[1] * (memory.ndim - 1))
    other = jnp.roll(memory, 1, 1)
    moved = jnp.where(v.swap.reshape(by_variant) > 0, other, memory)
    scaled = (moved * v.keep.reshape(by_variant)).astype(memory.dtype)
    return el.site("saved", scaled.reshape(-1, *memory.shape[3:]))


def one_life(
    world: MemorySequence, net: ActorCritic, key: PRNGKeyArray, *, count: int, trials: int
) -> Float[Array, "trial"]:
    """Guesses that were right in each trial of one long life alone: the mean over lives."""
    of_hidden, of_life = jax.random.split(key)
    hidden = jax.random.randint(of_hidden, (count, world.length), 0, world.symbols)
    nobody = jnp.zeros((count, world.others, world.length, world.symbols))
    level = Level(hidden, nobody, jnp.zeros((count, world.slots)))
    return jnp.mean(live(world, net, level, jax.random.split(of_life, count), trials).right, 0)


def _where(lane: Bool[Array, "lane"], new: Array, old: Array) -> Array:
    return jnp.where(lane.reshape(-1, *[1] * (new.ndim - 1)), new, old)
