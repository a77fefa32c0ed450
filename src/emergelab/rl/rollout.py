"""Episodes, many at a time: playing on for a number of steps, and playing whole episodes to see how good a network is.

A *lane* is one of the environments that are played side by side. Learners keep their lanes from update to update, so
episodes may be longer than what one update sees; an episode that ends is followed by another one at once.

Sites: `play.seen`, `play.action`, `play.reward` and those of the network (`play.logits`, `play.value`, `play.h`); while
an episode is played for its own sake, `test.` stands in front of them instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num, PRNGKeyArray, PyTree

from emergelab import scope, site, site_scan, when
from emergelab.worlds.world import Continuous, World

from .networks import ActorCritic
from .policies import Policy

__all__ = ["Episodes", "Lanes", "Levels", "Trajectory", "act", "begin", "evaluate", "play", "value"]

# Levels of the episodes that follow, one a lane; the argument that is asked says which lanes are to have a new one.
Levels = Callable[[PRNGKeyArray], PyTree[Array]]


class Lanes(eqx.Module):
    """Environments that are being played.

    Attributes:
        state: of each world.
        memory: of the network, for each.
        fresh: whether an episode begins with what is seen next.
        total: reward so far in the running episode.
        length: steps so far in it.
        last_total: of the episode that ended last; not a number before the first end.
        last_length: of that episode.
        ended: episodes that have ended so far.
    """

    state: PyTree[Array]
    memory: PyTree[Array]
    fresh: Bool[Array, "lane"]
    total: Float[Array, "lane"]
    length: Int[Array, "lane"]
    last_total: Float[Array, "lane"]
    last_length: Int[Array, "lane"]
    ended: Int[Array, "lane"]


class Trajectory(NamedTuple):
    """What happened, time first.

    Attributes:
        seen: before each action.
        fresh: whether an episode began with it.
        action: as the policy drew it.
        log_prob: of the action, under the policy that drew it.
        value: as the network judged what it saw.
        reward: for the action.
        over: whether the episode ended with the action, for whatever reason.
        beyond: value of what would have come after the action where a limit of time cut the episode off, else 0.
        next_value: value of what is seen after the last action.
        memory: of the network before the first action.
    """

    seen: PyTree[Array]
    fresh: Bool[Array, "time lane"]
    action: Num[Array, "time lane *action"]
    log_prob: Float[Array, "time lane"]
    value: Float[Array, "time lane"]
    reward: Float[Array, "time lane"]
    over: Bool[Array, "time lane"]
    beyond: Float[Array, "time lane"]
    next_value: Float[Array, "lane"]
    memory: PyTree[Array]


class Episodes(NamedTuple):
    """Whole episodes, one a lane.

    Attributes:
        total: reward of each, up to its end or to the last step played.
        length: its steps.
        finished: whether it ended before the steps ran out.
    """

    total: Float[Array, "lane"]
    length: Int[Array, "lane"]
    finished: Bool[Array, "lane"]


def act(world: World, action: Num[Array, "*action"]) -> Num[Array, "*action"]:
    """The action as a world gets it: real numbers are clipped to what it allows."""
    if isinstance(world.actions, Continuous):
        return jnp.clip(action, world.actions.low, world.actions.high)
    return action


def begin(world: World, net: ActorCritic, lanes: int, key: PRNGKeyArray, levels: PyTree[Array] | None = None) -> Lanes:
    """Lanes at the beginning of an episode each.

    Args:
        world: what is played.
        net: who will play.
        lanes: how many.
        key: of levels and first states.
        levels: one a lane; the world's own distribution if not given.
    """
    of_level, of_state = jax.random.split(key)
    if levels is None:
        levels = jax.vmap(world.level)(jax.random.split(of_level, lanes))
    state = jax.vmap(world.reset)(levels, jax.random.split(of_state, lanes))
    nothing = jnp.zeros(lanes)
    return Lanes(
        state=state, memory=net.rest(lanes), fresh=jnp.ones(lanes, bool), total=nothing,
        length=jnp.zeros(lanes, jnp.int32), last_total=nothing + jnp.nan, last_length=jnp.zeros(lanes, jnp.int32),
        ended=jnp.zeros(lanes, jnp.int32),
    )  # fmt: skip


def value(net: ActorCritic, lanes: Lanes, seen: PyTree[Array]) -> Float[Array, "lane"]:
    """What the network expects from what is seen, with its memory as it is."""
    return net(lanes.memory, seen, lanes.fresh)[2]


def play(
    world: World, net: ActorCritic, lanes: Lanes, key: PRNGKeyArray, steps: int, levels: Levels | None = None
) -> tuple[Lanes, Trajectory]:
    """Play on in every lane for a number of steps.

    Args:
        world: what is played.
        net: who plays; its policy is sampled.
        lanes: where they are.
        key: of everything that is left to chance.
        steps: how many, in each lane.
        levels: from a key to one level a lane, for the episodes that begin; the world's own distribution if not given.

    Returns:
        The lanes afterwards, and what happened.
    """
    count = lanes.fresh.shape[0]
    draw = levels or (lambda k: jax.vmap(world.level)(jax.random.split(k, count)))
    first = lanes.memory

    def one(lanes: Lanes, key: PRNGKeyArray) -> tuple[Lanes, tuple[PyTree, ...]]:
        of_action, of_step, of_level, of_reset = jax.random.split(key, 4)
        seen = _announced("seen", jax.vmap(world.see)(lanes.state))
        memory, policy, judged = net(lanes.memory, seen, lanes.fresh)
        action = site("action", policy.sample(of_action))
        log_prob = policy.log_prob(action)
        outcome = jax.vmap(world.step)(lanes.state, act(world, action), jax.random.split(of_step, count))
        reward = site("reward", outcome.reward)
        over = outcome.terminated | outcome.truncated
        beyond = _beyond(world, net, memory, outcome.state, outcome.truncated)
        again = jax.vmap(world.reset)(draw(of_level), jax.random.split(of_reset, count))
        state = jax.tree.map(lambda new, old: _where(over, new, old), again, outcome.state)
        total, length = lanes.total + reward, lanes.length + 1
        after = Lanes(
            state=state, memory=memory, fresh=over, total=jnp.where(over, 0.0, total),
            length=jnp.where(over, 0, length), last_total=jnp.where(over, total, lanes.last_total),
            last_length=jnp.where(over, length, lanes.last_length), ended=lanes.ended + over,
        )  # fmt: skip
        return after, (seen, lanes.fresh, action, log_prob, judged, reward, over, beyond)

    with scope("play"):
        lanes, happened = site_scan(one, lanes, jax.random.split(key, steps))
        with scope("after"):
            after = value(net, lanes, jax.vmap(world.see)(lanes.state))
    seen, fresh, action, log_prob, judged, reward, over, beyond = happened
    return lanes, Trajectory(seen, fresh, action, log_prob, judged, reward, over, beyond, after, first)


def evaluate(
    world: World, net: ActorCritic, key: PRNGKeyArray, *, lanes: int, steps: int,
    levels: PyTree[Array] | None = None, greedy: bool = False,
) -> Episodes:  # fmt: skip
    """Play one episode a lane, from its beginning.

    Args:
        world: what is played.
        net: who plays.
        key: of everything that is left to chance.
        lanes: how many episodes.
        steps: most steps of an episode.
        levels: one a lane; the world's own distribution if not given.
        greedy: the policy's mode is played; else it is sampled.
    """
    of_begin, of_play = jax.random.split(key)
    start = begin(world, net, lanes, of_begin, levels)

    def one(
        carry: tuple[Lanes, Bool[Array, "lane"]], key: PRNGKeyArray
    ) -> tuple[tuple[Lanes, Bool[Array, "lane"]], None]:
        lanes, done = carry
        of_action, of_step = jax.random.split(key)
        seen = _announced("seen", jax.vmap(world.see)(lanes.state))
        memory, policy, _ = net(lanes.memory, seen, lanes.fresh)
        action = site("action", _choose(policy, of_action, greedy))
        keys = jax.random.split(of_step, lanes.fresh.shape[0])
        outcome = jax.vmap(world.step)(lanes.state, act(world, action), keys)
        # What an episode that is over would still bring does not count.
        reward = jnp.where(done, 0.0, site("reward", outcome.reward))
        lanes = eqx.tree_at(
            lambda y: (y.state, y.memory, y.fresh, y.total, y.length), lanes,
            (outcome.state, memory, jnp.zeros_like(done), lanes.total + reward, lanes.length + ~done),
        )  # fmt: skip
        return (lanes, done | outcome.terminated | outcome.truncated), None

    with scope("test"):
        (end, done), _ = site_scan(one, (start, jnp.zeros(lanes, bool)), jax.random.split(of_play, steps))
    return Episodes(end.total, end.length, done)


def _choose(policy: Policy, key: PRNGKeyArray, greedy: bool) -> Num[Array, "lane *action"]:
    return policy.mode() if greedy else policy.sample(key)


def _beyond(
    world: World, net: ActorCritic, memory: PyTree[Array], state: PyTree[Array], cut: Bool[Array, "lane"]
) -> Float[Array, "lane"]:
    """Value of where episodes were cut off (Pardo et al. 2018); computed only in steps in which one is."""

    def work(memory: PyTree[Array], state: PyTree[Array], cut: Bool[Array, "lane"]) -> Float[Array, "lane"]:
        with scope("beyond"):
            judged = net(memory, jax.vmap(world.see)(state), jnp.zeros_like(cut))[2]
        return jnp.where(cut, judged, 0.0)

    return when(jnp.any(cut), work, (memory, state, cut), jnp.zeros(cut.shape))


def _where(lane: Bool[Array, "lane"], new: Array, old: Array) -> Array:
    return jnp.where(lane.reshape(lane.shape + (1,) * (new.ndim - 1)), new, old)


def _announced(name: str, seen: PyTree[Array]) -> PyTree[Array]:
    """Observations as a site; those of several parts as one site each, `seen.PART`."""
    parts, form = jax.tree_util.tree_flatten_with_path(seen)
    if len(parts) == 1:
        return jax.tree.unflatten(form, [site(name, parts[0][1])])
    dotted = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in parts]
    return jax.tree.unflatten(form, [site(f"{name}.{d}", x) for d, (_, x) in zip(dotted, parts, strict=True)])
