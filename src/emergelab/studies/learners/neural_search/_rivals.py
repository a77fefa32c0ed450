"""Who the searching agent is compared with, beyond walker and table: minds with a map, and a learner of policies.

`replan` and `frontier` draw a map of the walls that they run into. `ppo` is proximal policy optimisation over cells.
They take more memory than the other minds and live in programs of their own, so that runs without them pay nothing.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.rl import ppo
from emergelab.rl.networks import ActorCritic
from emergelab.rl.policies import Categorical, Policy
from emergelab.rl.rollout import Trajectory

from ._maze import Maze, Real, Whole, distances

__all__ = ["LOT", "RIVALS", "Novice", "Survey", "decided", "learnt", "novice", "planned", "survey", "surveyed"]

RIVALS = ("none", "replan", "frontier", "ppo")
LOT = 32  # behaviours that `ppo` learns from at a time

_RATE = 0.1  # of its tables: a few updates must be enough within one life
_PASSES, _PARTS = 4, 4


class Survey(eqx.Module):
    """A map in the making.

    Attributes:
        met: walls that are known: the frame, and those that were run into.
        been: cells that were entered.
    """

    met: Maze
    been: Bool[Array, "cell"]


def _frame(side: int, rooms: Whole) -> Maze:
    """A maze with no walls but those around it."""
    index = jnp.arange(side)
    right = (index[None, :] >= jnp.asarray(rooms) - 1) | (index[:, None] >= rooms)
    return Maze(right, right.T)


def survey(side: int, rooms: Whole) -> Survey:
    """The map before the first step: all is open, and nothing but the start has been seen."""
    return Survey(_frame(side, rooms), jnp.arange(side * side) == 0)


def planned(
    known: Survey, rooms: Whole, here: Int[Array, ""], goal: Int[Array, ""], explores: bool
) -> tuple[Survey, Int[Array, ""]]:
    """The cell to go to next, on a shortest way through what is not known to be closed.

    Where walls are taken to be absent until they are met, planning anew after each of them gives the ways of D* Lite,
    which only finds them with less work. Where the map leaves no way at all (a wall has moved), it is begun anew.

    Args:
        known: the map.
        rooms: cells a side.
        here: number of the cell that the agent is in.
        goal: of the goal's cell.
        explores: whether to go to the nearest cell that was never entered, until the goal's has been.

    Returns:
        the map that was planned with, and the number of the next cell; `here` if there is none to go to.
    """
    side = known.met.right.shape[0]
    closed = distances(known.met, goal)[here] < 0
    met = Maze(*(jnp.where(closed, a, b) for a, b in zip(_frame(side, rooms), known.met, strict=True)))
    aim = goal
    if explores:
        away = distances(met, here)
        new = ~known.been & (away >= 0)
        nearest = jnp.argmin(jnp.where(new, away, side * side)).astype(jnp.int32)
        aim = jnp.where(known.been[goal] | ~jnp.any(new), goal, nearest)
    left = distances(met, aim)
    row, column = jnp.divmod(here, side)
    barred = jnp.stack([
        met.right[row, column], met.up[row, column],
        (column == 0) | met.right[row, jnp.maximum(column - 1, 0)],
        (row == 0) | met.up[jnp.maximum(row - 1, 0), column],
    ])  # fmt: skip
    number = jnp.clip(here + jnp.array([1, side, -1, -side]), 0, side * side - 1)
    nearer = ~barred & (left[number] == left[here] - 1)
    return Survey(met, known.been), jnp.where(jnp.any(nearer), number[jnp.argmax(nearer)], here).astype(jnp.int32)


def surveyed(known: Survey, before: Int[Array, ""], meant: Int[Array, ""], after: Int[Array, ""]) -> Survey:
    """The map after a run from one cell to a neighbour: a wall between them if the agent is where it was."""
    side = known.met.right.shape[0]
    stopped = (after == before) & (meant != before)
    row, column = jnp.divmod(jnp.minimum(before, meant), side)
    apart = jnp.abs(meant - before)
    right = known.met.right.at[row, column].max(stopped & (apart == 1))
    up = known.met.up.at[row, column].max(stopped & (apart == side))
    return Survey(Maze(right, up), known.been.at[after].set(True))


class Tables(ActorCritic):
    """Policy and value of every cell by itself: what is learnt in one says nothing about the next.

    Attributes:
        logits: of the four ways out of each cell.
        worth: of being there.
    """

    logits: Float[Array, "cell 4"]
    worth: Float[Array, "cell"]

    @property
    def remembers(self) -> bool:
        return False

    def rest(self, batch: int) -> PyTree[Array]:
        return None

    def __call__(
        self, memory: PyTree[Array], seen: Int[Array, "batch"], fresh: Bool[Array, "batch"]
    ) -> tuple[PyTree[Array], Policy, Float[Array, "batch"]]:
        return None, Categorical(el.site("logits", self.logits[seen])), el.site("value", self.worth[seen])


class Novice(eqx.Module):
    """A learner by policy gradient, and what has happened since it last learnt.

    Attributes:
        net: its policy and value.
        memory: the optimiser's.
        count: behaviours so far.
        seen, action, log_prob, value, reward, over: of the last `LOT` of them, in turn.
    """

    net: Tables
    memory: optax.OptState
    count: Int[Array, ""]
    seen: Int[Array, "lot"]
    action: Int[Array, "lot"]
    log_prob: Float[Array, "lot"]
    value: Float[Array, "lot"]
    reward: Float[Array, "lot"]
    over: Bool[Array, "lot"]


def _settings(discount: Real) -> ppo.Settings:
    return ppo.Settings(rate=_RATE, discount=jnp.asarray(discount), passes=_PASSES, parts=_PARTS)


def novice(side: int, discount: Real) -> Novice:
    """The learner before the first step: all ways are alike, and nothing is expected of any cell."""
    net = Tables(jnp.zeros((side * side, 4)), jnp.zeros(side * side))
    whole, real = jnp.zeros(LOT, jnp.int32), jnp.zeros(LOT)
    memory = ppo.memory(net, _settings(discount))
    return Novice(net, memory, jnp.int32(0), whole, whole, real, real, real, jnp.zeros(LOT, bool))


def decided(old: Novice, here: Int[Array, ""], key: PRNGKeyArray) -> tuple[Novice, Int[Array, ""]]:
    """The learner with its next decision on record, and the way out that it takes: right, up, left or down."""
    at = old.count % LOT
    _, policy, value = old.net(None, here[None], jnp.zeros(1, bool))
    action = policy.sample(key).astype(jnp.int32)
    noted = (
        old.seen.at[at].set(here), old.action.at[at].set(action[0]),
        old.log_prob.at[at].set(policy.log_prob(action)[0]), old.value.at[at].set(value[0]),
    )  # fmt: skip
    return eqx.tree_at(lambda x: (x.seen, x.action, x.log_prob, x.value), old, noted), action[0]


def learnt(old: Novice, after: Int[Array, ""], found: Bool[Array, ""], discount: Real, key: PRNGKeyArray) -> Novice:
    """The learner after a behaviour: what came of it is noted, and learnt from once the lot is full.

    Args:
        old: the learner with its decision on record.
        after: number of the cell it came to.
        found: whether it met the goal, which is worth 1; nothing else is worth anything.
        discount: what a reward one behaviour later is worth.
        key: for the order in which the lot is learnt from.
    """
    at = old.count % LOT
    told = (old.count + 1, old.reward.at[at].set(found.astype(jnp.float32)), old.over.at[at].set(found))
    noted = eqx.tree_at(lambda x: (x.count, x.reward, x.over), old, told)

    def improve(noted: Novice, after: Array, key: PRNGKeyArray) -> tuple[Tables, optax.OptState]:
        fresh = jnp.concatenate([jnp.ones(1, bool), noted.over[:-1]])
        trajectory = Trajectory(
            seen=noted.seen[:, None], fresh=fresh[:, None], action=noted.action[:, None],
            log_prob=noted.log_prob[:, None], value=noted.value[:, None], reward=noted.reward[:, None],
            over=noted.over[:, None], beyond=jnp.zeros((LOT, 1)), next_value=noted.net.worth[after][None], memory=None,
        )  # fmt: skip
        net, memory, _ = ppo.improve(noted.net, noted.memory, trajectory, _settings(discount), key)
        assert isinstance(net, Tables)
        return net, memory

    full = noted.count % LOT == 0
    net, memory = el.when(full, improve, (noted, after, key), (noted.net, noted.memory))
    return eqx.tree_at(lambda x: (x.net, x.memory), noted, (net, memory))
