"""The system of the study `skills-offline`: a map of places and a policy of skills, learnt from recorded walks only."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.training import announced
from emergelab.worlds.plane import PlaneLevel, slide

from . import _prompts as prompts
from ._maze import BARE, BOX, CENTRES, HEIGHT, MAZE, PROBES, ROOMS, WALLS, WIDTH, rooms, ways
from ._networks import Net, Slow, shapes

__all__ = ["METHODS", "SkillsOffline", "State", "Walks"]

METHODS = ("skills", "goal cloning", "cloning")
_HEAVIEST = 100.0


class Walks(NamedTuple):
    """Recorded walks.

    Attributes:
        place: x and y, one more than actions.
        action: what was done.
    """

    place: Float[Array, "walk moment 2"]
    action: Float[Array, "walk time 2"]


class Batch(NamedTuple):
    """Steps of the data, and what each is to be learnt with.

    Attributes:
        before, action, after: the step.
        goal: for the map: somewhere later in the walk, or anywhere.
        later: somewhere later in the walk.
        skill: a direction, of length 1.
    """

    before: Float[Array, "batch 2"]
    action: Float[Array, "batch 2"]
    after: Float[Array, "batch 2"]
    goal: Float[Array, "batch 2"]
    later: Float[Array, "batch 2"]
    skill: Float[Array, "batch dim"]


class State(eqx.Module):
    """What a learner is after a step.

    Attributes:
        net: all that learns.
        slow: moving average of its map and its values.
        memory: the optimiser's.
        walks: the data.
        skills: directions drawn once, one for each place in a batch.
        loss: of the last gradient step, map, value and policy; 0 before the first.
        time: steps made.
    """

    net: Net
    slow: Slow
    memory: optax.OptState
    walks: Walks
    skills: Float[Array, "batch dim"]
    loss: Float[Array, "3"]
    time: Int[Array, ""]


def _seen(place: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """A place as networks get it: from about -1.7 to 1.7."""
    return (place - jnp.array([4.0, 2.5])) * jnp.array([0.43, 0.68])


def _length(x: Float[Array, "*batch dim"]) -> Float[Array, "*batch"]:
    """Euclidean length, with a derivative at zero, too."""
    return jnp.sqrt(jnp.sum(jnp.square(x), -1) + 1e-6)


def _lots(key: PRNGKeyArray, *shapes: tuple[int, ...]) -> list[Float[Array, "..."]]:
    """Numbers in [0, 1) in several shapes, all drawn in one go: generators are most of what there is to compile."""
    sizes = [math.prod(shape) for shape in shapes]
    drawn = jnp.split(jax.random.uniform(key, (sum(sizes),)), np.cumsum(sizes)[:-1])
    return [x.reshape(shape) for x, shape in zip(drawn, shapes, strict=True)]


def _normal(lot: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Standard normal numbers from numbers in [0, 1)."""
    return math.sqrt(2) * jax.lax.erf_inv(2 * jnp.maximum(lot, 1e-7) - 1)


def _limited(action: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """Actions no longer than 1."""
    return action / jnp.maximum(jnp.sqrt(jnp.sum(jnp.square(action), -1, keepdims=True)), 1.0)


def _tilted(surprise: Float[Array, "batch"], expectile: Any) -> Float[Array, "batch"]:
    """Weights of squared errors whose minimum is an expectile: good surprises by it, bad ones by its complement."""
    return jnp.where(surprise > 0, expectile, 1 - expectile)


def _worth(
    net: Slow, seen: Float[Array, "batch 2"], asked: Float[Array, "batch dim"], norm: Float[Array, ""]
) -> Float[Array, "batch"]:
    """What following a skill from a place is worth."""
    return net.value(jnp.concatenate([seen, asked], -1), norm)[..., 0]


def _share(name: str, dims: tuple[str, ...], about: str, **more: Any) -> el.Observable:
    return el.Observable(name, dims, unit="1", about=about, low=0.0, high=1.0, **more)


class SkillsOffline(el.System):
    """A Hilbert representation of a maze and a policy that can be prompted, learnt from what a stroller recorded."""

    method: str = el.choice("skills", options=METHODS, about="what the policy is asked with, and how it learns")
    walled: int = el.param(1, low=0, high=1, about="1 is the maze, 0 the same ground without inner walls")
    home: int = el.param(6, low=1, high=6, about="rooms in which walks of the data begin, from one end of the chain")
    norm: float = el.param(1.0, low=0.0, high=1.0, unit="1", about="layer normalisation, from none to full")
    expectile: float = el.param(
        0.95, low=0.01, high=0.99, unit="1", about="weight of good surprises in the map's error"
    )
    fixed: int = el.param(0, low=0, high=1, about="1 learns with the same few skills all along, 0 with new ones")
    freeze: int = el.param(2_000_000_000, low=0, unit="step", about="step from which on the map learns no more")
    rate: float = el.param(2e-3, low=0.0, high=1.0, about="learning rate")
    discount: float = el.param(0.99, low=0.0, high=1.0, unit="1", about="of the map's steps to a goal")
    patience: float = el.param(0.8, low=0.0, high=1.0, unit="1", about="discount of a skill's rewards")
    keen: float = el.param(0.7, low=0.01, high=0.99, unit="1", about="expectile of a skill's value")
    heat: float = el.param(6.0, low=0.0, about="how sharply the policy prefers better actions")
    own: float = el.param(0.625, low=0.0, high=1.0, unit="1", about="share of goals that come later in the same walk")
    follow: float = el.param(0.02, low=0.0, high=1.0, unit="1", about="how fast the slow networks follow")
    wander: float = el.param(1.0, low=0.0, high=10.0, unit="1", about="share of the policy's spread in trials")
    vague: float = el.param(0.05, low=0.0, unit="1", about="noise of imagined pictures; spots are 0.5 high")
    persistence: float = el.param(0.8, low=0.0, high=0.99, unit="1", about="of the stroller's pace from step to step")
    stride: float = el.param(0.6, low=0.01, high=0.9, unit="cell", about="longest step")
    dims: int = el.static(4, low=2, high=512, about="dimensions of the map")
    width: int = el.static(64, low=4, high=4096, about="units of hidden layers")
    walks: int = el.static(256, low=2, about="walks in the data")
    length: int = el.static(40, low=2, about="steps of a walk")
    batch_size: int = el.static(64, low=1, about="steps of the data in a gradient step")
    updates: int = el.static(20, low=1, about="gradient steps in a step")
    horizon: int = el.static(60, low=1, about="steps of a trial")
    known: int = el.static(256, low=2, about="steps of the data that prompts may use")

    observables = (
        el.Observable("loss_map", unit="1", about="error of the map", low=0.0),
        el.Observable("loss_value", unit="1", about="error of the value of skills", low=0.0),
        _share("reached", ("prompt", "pair"), "whether the goal was reached", nan_ok=True),
        el.Observable("nearer", ("prompt", "pair"), unit="cell", about="way made towards the goal", nan_ok=True),
        el.Observable("way", ("pair",), unit="cell", about="shortest way from start to goal", low=0.0),
        el.Observable("miss", ("pair",), unit="cell", about="imagined places from what they are taken for", low=0.0),
        el.Observable("map", ("probe", "dim"), unit="1", about="where places are in the map"),
        el.Observable("pace", unit="1", about="mean length of a step of the data in the map", low=0.0),
        _share("met", ("room",), "share of the data's moments in each room"),
        el.Observable("path", ("pair", "moment", "axis"), unit="cell", about="walks of the prompt `goal`"),
        el.Observable("aim", ("pair", "axis"), unit="cell", about="goals of the trials"),
    )

    # -- data ---------------------------------------------------------------------------------------------------------

    def level(self) -> PlaneLevel:
        """The maze, or its outer walls only."""
        wall = jnp.where(jnp.asarray(self.walled) > 0, MAZE.wall, BARE.wall)
        return PlaneLevel(wall, jnp.asarray(MAZE.corner), jnp.asarray(MAZE.start))

    def walls(self) -> Float[Array, "wall 2 2"]:
        """The walls that stand."""
        return jnp.where(jnp.asarray(self.walled) > 0, WALLS, BOX)

    def moved(self, place: Float[Array, "*batch 2"], action: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Where an action leads: at most `stride` in any direction, and along a wall that is in the way."""
        flat = (self.stride * _limited(action)).reshape(-1, 2)
        return jax.vmap(slide, (None, 0, 0))(self.level(), place.reshape(-1, 2), flat).reshape(place.shape)

    def stroll(self, lot: Float[Array, "walk 3"], noise: Float[Array, "moment walk 2"]) -> Walks:
        """Walks whose pace and direction change smoothly and at random, and that slide along walls.

        Args:
            lot: numbers in [0, 1): room and place in which walks begin.
            noise: standard normal numbers.
        """
        begin = jnp.asarray(CENTRES)[(lot[:, 0] * self.home).astype(jnp.int32)] + 1.8 * (lot[:, 1:] - 0.5)
        keep = jnp.asarray(self.persistence)

        def one(carry: tuple[Array, Array], noise: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
            place, pace = carry
            action = _limited(pace)
            after = self.moved(place, action)
            return (after, keep * pace + jnp.sqrt(1 - keep**2) * noise), (action, after)

        _, (action, after) = jax.lax.scan(one, (begin, noise[0]), noise[1:])
        place = jnp.concatenate([begin[None], after])
        return Walks(jnp.swapaxes(place, 0, 1), jnp.swapaxes(action, 0, 1))

    def batch(self, walks: Walks, skills: Float[Array, "batch dim"], key: PRNGKeyArray) -> Batch:
        """Steps of the data, drawn evenly."""
        lot, skill = _lots(key, (6, self.batch_size), (self.batch_size, self.dims))

        def whole(lot: Float[Array, "batch"], below: int | Int[Array, "batch"]) -> Int[Array, "batch"]:
            return jnp.minimum((lot * below).astype(jnp.int32), below - 1)

        walk, time = whole(lot[0], self.walks), whole(lot[1], self.length)
        later = walks.place[walk, time + 1 + whole(lot[2], self.length - time)]
        other = walks.place[whole(lot[3], self.walks), whole(lot[4], self.length + 1)]
        goal = jnp.where((lot[5] < self.own)[:, None], later, other)
        new = prompts.unit(_normal(skill))
        skill = jnp.where(jnp.asarray(self.fixed) > 0, skills, new)
        return Batch(walks.place[walk, time], walks.action[walk, time], walks.place[walk, time + 1], goal, later, skill)

    # -- learning -----------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> State:
        of_net = shapes(self.dims, self.width)
        lot, noise, skill, *weight = _lots(
            key, (self.walks, 3), (self.length + 1, self.walks, 2), (self.batch_size, self.dims), *of_net
        )
        net = Net.make([_normal(w) for w in weight], self.dims, self.width)
        memory = optax.scale_by_adam().init(net)
        walks, skills = self.stroll(lot, _normal(noise)), prompts.unit(_normal(skill))
        return State(net, net.fast, memory, walks, skills, jnp.zeros(3), jnp.int32(0))

    def step(self, state: State, key: PRNGKeyArray) -> State:
        pace = jnp.asarray(self.rate)

        def one(carry: tuple[Net, Slow, Any], key: PRNGKeyArray) -> tuple[tuple[Net, Slow, Any], Float[Array, "3"]]:
            net, slow, memory = carry
            batch = self.batch(state.walks, state.skills, key)
            gradient, loss = el.site_grad(lambda net: self.loss(net, slow, batch), has_aux=True)(net)
            gradient = announced("grad", gradient)
            direction, memory = optax.scale_by_adam().update(gradient, memory, net)
            update = jax.tree.map(lambda d: -pace * d, direction)
            open_ = (state.time < self.freeze).astype(jnp.float32)
            update = eqx.tree_at(lambda n: n.fast.phi, update, jax.tree.map(lambda u: open_ * u, update.fast.phi))
            net = optax.apply_updates(net, announced("update", update))
            slow = jax.tree.map(lambda s, f: s + self.follow * (f - s), slow, net.fast)
            return (net, slow, memory), loss

        start = (state.net, state.slow, state.memory)
        (net, slow, memory), loss = el.site_scan(one, start, jax.random.split(key, self.updates))
        return State(net, slow, memory, state.walks, state.skills, jnp.mean(loss, 0), state.time + 1)

    def loss(self, net: Net, slow: Slow, batch: Batch) -> tuple[Float[Array, ""], Float[Array, "3"]]:
        """What a gradient step makes smaller: the errors of map, value and policy, which share no weights.

        Sites: `learn.map` (places before steps, then goals), `learn.slow` (before, after, goals), `learn.reward` and
        `learn.advantage` (of skills).
        """
        norm, size = jnp.asarray(self.norm), self.batch_size
        with el.scope("learn"):
            places = _seen(jnp.concatenate([batch.before, batch.after, batch.goal]))
            before, after, goal = jnp.split(el.site("slow", slow.phi(places, norm)), 3)
            here, there = jnp.split(
                el.site("map", net.fast.phi(jnp.concatenate([places[:size], places[-size:]]), norm)), 2
            )
            # A step costs 1 until the goal is there: minus the distance in the map is to be the return.
            aim = -1.0 - self.discount * _length(after - goal)
            surprise = aim + _length(before - goal)
            error_map = jnp.mean(_tilted(surprise, self.expectile) * jnp.square(aim + _length(here - there)))

            reward = el.site("reward", jnp.sum((after - before) * batch.skill, -1))
            asked = self._asked(batch.skill)
            value = _worth(net.fast, places[:size], asked, norm)
            later = reward + self.patience * _worth(slow, places[size:-size], asked, norm)
            surprise = later - _worth(slow, places[:size], asked, norm)
            error_value = jnp.mean(_tilted(surprise, self.keen) * jnp.square(later - value))

            gain = jax.lax.stop_gradient(later - value)
            scale = jax.lax.rsqrt(jnp.mean(jnp.square(reward)) + 1e-12)
            gain = el.site("advantage", gain * scale)
            skilled = jnp.asarray(self.method) == METHODS.index("skills")
            weight = jnp.where(skilled, jnp.minimum(jnp.exp(self.heat * gain), _HEAVIEST), 1.0)
            asked = self._context(asked, _seen(batch.later))
            off = (batch.action - self._mean(net, places[:size], asked)) * jnp.exp(-net.log_std)
            surprise_of = jnp.sum(0.5 * jnp.square(off) + net.log_std, -1)
            error_policy = jnp.mean(weight * surprise_of) / jnp.mean(weight)
        errors = jnp.stack([error_map, error_value, error_policy])
        return jnp.sum(errors), errors

    # -- acting -------------------------------------------------------------------------------------------------------

    def _asked(self, skill: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
        """A skill as networks get it: with elements of about 1."""
        return skill * jnp.sqrt(float(self.dims))

    def _context(self, asked: Float[Array, "*batch dim"], goal: Float[Array, "*batch 2"]) -> Float[Array, "*batch dim"]:
        """What the policy gets besides the place: a skill, a goal, or nothing."""
        padded = jnp.concatenate([goal, jnp.zeros((*goal.shape[:-1], self.dims - 2))], -1)
        by_method = (asked, jnp.broadcast_to(padded, asked.shape), jnp.zeros_like(asked))
        method = jnp.asarray(self.method)
        return sum(jnp.where(method == i, context, 0.0) for i, context in enumerate(by_method))

    def _mean(
        self, net: Net, seen: Float[Array, "*batch 2"], asked: Float[Array, "*batch dim"]
    ) -> Float[Array, "*batch 2"]:
        return jnp.tanh(net.policy(jnp.concatenate([seen, asked], -1), jnp.asarray(self.norm)))

    def wishes(
        self,
        state: State,
        start: Float[Array, "pair 2"],
        goal: Float[Array, "pair 2"],
        lot: Float[Array, "step"],
        noise: Float[Array, "pair frame pixel"],
    ) -> tuple[prompts.Wishes, Float[Array, "pair"]]:
        """What is asked in trials, and how far imagined places are from what they were taken for.

        Args:
            state: of the learner.
            start, goal: of each trial.
            lot: numbers in [0, 1): the steps of the data that are used.
            noise: of imagined pictures.
        """
        at = (lot * self.walks * self.length).astype(jnp.int32)
        walk, time = jnp.minimum(at // self.length, self.walks - 1), at % self.length
        before, after = state.walks.place[walk, time], state.walks.place[walk, time + 1]
        far = self.map(state, jnp.concatenate([before, after, goal, jnp.asarray(PROBES)]))
        begun, ended, goals, probes = jnp.split(far, np.cumsum([self.known, self.known, len(goal)]))
        rewards = prompts.rewards(before, after, goal, self.walls())
        dense, sparse = jnp.split(prompts.fitted(ended - begun, jnp.concatenate(rewards, 1)), 2)
        meant, seen = prompts.imagined(rooms(start), goal, noise)
        taken = prompts.recognised(seen, prompts.picture(after))
        miss = jnp.mean(jnp.sqrt(jnp.sum(jnp.square(meant - after[taken]), -1)), -1)
        spread = jnp.var(probes, 0)
        rank = jnp.sum(spread[:, None] < spread, -1)
        keep = (rank >= self.dims // 2).astype(jnp.float32)
        return prompts.Wishes(goals, ended, dense, sparse, ended[taken], keep), miss

    def map(self, state: State, place: Float[Array, "*batch 2"]) -> Float[Array, "*batch dim"]:
        """Where places are in the map."""
        return state.slow.phi(_seen(place), jnp.asarray(self.norm))

    def trials(
        self,
        state: State,
        start: Float[Array, "pair 2"],
        goal: Float[Array, "pair 2"],
        wishes: prompts.Wishes,
        noise: Float[Array, "time prompt pair 2"],
    ) -> tuple[Float[Array, "prompt pair 2"], Bool[Array, "prompt pair"], Float[Array, "moment pair 2"]]:
        """Every prompt from every start: where it ended, whether it came to the goal, and the walks of the first one.

        Sites: `ask.here` (the map at the agents' places), `ask.z` (the direction), `ask.action`.
        """
        shape = (len(prompts.PROMPTS), *start.shape)
        goals = jnp.broadcast_to(_seen(goal), shape)

        def one(carry: tuple[Array, Array], x: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
            (place, done), (time, noise) = carry, x
            here = el.site("here", self.map(state, place))
            z = el.site("z", prompts.directions(wishes, here, time))
            asked = self._context(self._asked(z), goals)
            action = self._mean(state.net, _seen(place), asked) + self.wander * jnp.exp(state.net.log_std) * noise
            after = self.moved(place, el.site("action", action))
            done = done | (jnp.sum(jnp.square(after - goal), -1) < prompts.RADIUS**2)
            return (after, done), after[0]

        begin = (jnp.broadcast_to(start, shape), jnp.zeros(shape[:-1], bool))
        with el.scope("ask"):
            (end, done), path = el.site_scan(one, begin, (jnp.arange(self.horizon), noise))
        return end, done, jnp.concatenate([start[None], path])

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        pairs = len(prompts.PAIRS)
        ends, lot, noise, shake = _lots(
            key, (2, pairs, 2), (self.known,), (pairs, prompts.FRAMES, HEIGHT * WIDTH),
            (self.horizon, len(prompts.PROMPTS), pairs, 2),
        )  # fmt: skip
        start, goal = prompts.wish(ends)
        wishes, miss = self.wishes(state, start, goal, lot, self.vague * _normal(noise))
        end, done, path = self.trials(state, start, goal, wishes, _normal(shake))
        # From where trials began, and from where they ended, to their own goals.
        left = ways(jnp.concatenate([start[None], end]).reshape(-1, 2), goal, self.walls())
        own = jnp.arange(pairs)
        way, *left = left.reshape(-1, pairs, pairs)[:, own, own]
        # Without skills there is but one way to ask.
        skilled = jnp.asarray(self.method) == METHODS.index("skills")
        asked = (skilled | (jnp.arange(len(prompts.PROMPTS)) == 0))[:, None]
        place = state.walks.place[:, :: self.length // 2]
        return {
            "loss_map": state.loss[0], "loss_value": state.loss[1],
            "reached": jnp.where(asked, done.astype(jnp.float32), jnp.nan),
            "nearer": jnp.where(asked, way - jnp.stack(left), jnp.nan),
            "way": way, "miss": miss, "map": self.map(state, jnp.asarray(PROBES)),
            "pace": jnp.mean(_length(jnp.diff(self.map(state, state.walks.place[:8]), axis=1))),
            "met": jnp.mean(jax.nn.one_hot(rooms(place), ROOMS), (0, 1)),
            "path": jnp.swapaxes(path, 0, 1), "aim": goal,
        }  # fmt: skip
