"""A body that learns skills without a reward: it plays them, remembers what came of it, and its own map pays it."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.rl import sac
from emergelab.rl import skill_maps as geometry
from emergelab.worlds.plane import Plane, PlaneLevel, PlaneState, read

from ._measures import covered, noise_share, novelty, opposed, recognised

__all__ = ["MAZE", "SKILLS", "Skills", "SkillsState"]

SKILLS = 48  # played in a test, at equal angles
_NEAREST = 12  # neighbours in a batch that tell how rare a state is, as in Liu and Abbeel (2021)
_FAR = 5.0  # networks see places divided by this, so that all numbers are of one size

# Two rooms and one way around the wall between them.
MAZE = read("""
    ############
    #..........#
    #..........#
    #..........#
    #....##....#
    #....##....#
    #....##....#
    #....##....#
    #....##....#
    #..S.##....#
    #....##....#
    ############
""")


class Transition(eqx.Module):
    """One step of a body, as it is remembered.

    Attributes:
        seen: before the action, as networks see it.
        action: between -1 and 1.
        after: seen after it.
        skill: that was played.
    """

    seen: Float[Array, "*batch number"]
    action: Float[Array, "*batch action"]
    after: Float[Array, "*batch number"]
    skill: Float[Array, "*batch 2"]


class SkillsState(eqx.Module):
    """A learner between two rounds.

    Attributes:
        agent: policy and critics.
        geometry: the map and its price.
        replay: what is remembered.
        slack: of the last gradient step's constraint.
        report: of its policy.
        time: rounds made.
    """

    agent: sac.Agent
    geometry: geometry.Geometry
    replay: sac.Replay
    slack: Float[Array, ""]
    report: sac.Report
    time: Int[Array, ""]


class Skills(el.System):
    """Skills without a reward: METRA and what becomes of it when its parts are taken away."""

    method: str = el.choice(
        "temporal", options=geometry.METHODS, about="what the map learns: METRA, its variants, or DIAYN's position"
    )
    pay: str = el.choice(
        "map", options=("map", "novelty"), static=True,
        about="what the policy is paid for: what the map says, or states that are rare among those remembered",
    )  # fmt: skip
    walls: str = el.choice("open", options=("open", "maze"), about="the plane, or two rooms with one way between them")
    speed: float = el.param(0.15, low=0.0, high=1.0, unit="cell", about="how far an action of 1 moves")
    bend: float = el.param(0.3, low=0.0, about="how far an action of 1 changes a posture; 0: it has none")
    loud: float = el.param(0.0, low=0.0, about="standard deviation of two numbers that are seen and mean nothing")
    rate: float = el.param(1e-3, low=0.0, high=1.0, about="learning rate of policy, critics and map")
    price_rate: float = el.param(1e-3, low=0.0, high=1.0, about="learning rate of the constraint's price")
    price: float = el.param(30.0, low=1e-6, about="price of the constraint at the beginning, lambda")
    give: float = el.param(1e-3, low=0.0, about="most that slack in the constraint is worth, epsilon")
    discount: float = el.param(0.99, low=0.0, high=1.0, about="gamma: what a reward one step later is worth")
    follow: float = el.param(0.005, low=0.0, high=1.0, about="how fast the slow critics follow, a gradient step")
    alpha: float = el.param(0.3, low=1e-6, about="temperature at the beginning, reward a nat")
    entropy: float = el.param(-2.0, unit="nat", about="entropy that the policy is to have")
    episodes: int = el.static(8, low=1, about="episodes of a round")
    length: int = el.static(100, low=2, about="steps of an episode")
    updates: int = el.static(50, low=1, about="gradient steps of a round")
    batch: int = el.static(256, low=2, about="transitions of a gradient step")
    memory: int = el.static(100_000, low=1, about="transitions that are remembered")
    width: int = el.static(64, low=1, about="units of each of two hidden layers")
    chance: int = el.static(0, low=0, high=1, about="1: tests are played with chance, as learning is")
    moments: int = el.static(20, low=1, about="places of a test episode that are recorded beside its beginning")

    observables = (
        el.Observable(
            "coverage", unit="cell", low=0, about="cells of side 1 entered by 48 skills, played without chance"
        ),
        el.Observable("radius", unit="cell", low=0, about="mean distance of a skill's end from its beginning"),
        el.Observable("posture", unit="1", low=0, high=1, about="mean size of the postures at the end"),
        el.Observable("recognised", unit="1", low=-1, high=1, about="cosine of a skill and the one that ends nearest"),
        el.Observable("opposed", unit="1", low=-1, high=1, about="cosine of the ways of opposite skills"),
        el.Observable("noise_share", unit="1", low=0, about="share of the map's variance that noise makes"),
        el.Observable("price", unit="1", low=0, about="lambda, what a unit of the constraint costs"),
        el.Observable("slack", unit="1", about="what is left of the constraint, mean, at most epsilon"),
        el.Observable("policy_entropy", unit="nat", about="of the policy in the last gradient step"),
        el.Observable("places", unit="cell", dims=("skill", "moment", "axis"), about="where skills lead"),
        el.Observable("latent", unit="1", dims=("skill", "moment", "coordinate"), about="the same through the map"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for ok, wrong in (
            (
                self.memory >= self.episodes * self.length,
                f"'memory' must be at least episodes * length = {self.episodes * self.length}, got {self.memory}",
            ),
            (self.length % self.moments == 0, f"'moments' must divide length={self.length}, got {self.moments}"),
        ):
            if not ok:
                raise el.UserError(f"Skills: parameter {wrong}")

    def world(self) -> Plane:
        """The body. Both levels are of the same shape, so that conditions may differ in them."""
        in_maze = jnp.asarray(self.walls) == 1
        level = PlaneLevel(MAZE.wall & in_maze, MAZE.corner, MAZE.start * in_maze)
        return Plane(
            level, speed=jnp.asarray(self.speed), bend=jnp.asarray(self.bend), loud=jnp.asarray(self.loud), postures=2,
            noises=2, limit=self.length,
        )  # fmt: skip

    def seen(self, world: Plane, state: PlaneState) -> Float[Array, "number"]:
        """What networks see: places from where the body began, in numbers of the size of the others."""
        seen = world.see(state)
        return seen.at[:2].set((seen[:2] - state.level.start) / _FAR)

    def init(self, key: PRNGKeyArray) -> SkillsState:
        of_agent, of_map = jax.random.split(key)
        inputs, actions, widths = self.world().numbers, self.world().actions.size, (self.width, self.width)
        agent = sac.agent(of_agent, inputs + 2, actions, widths=widths, alpha=self.alpha)
        row = Transition(*(jnp.zeros(n) for n in (inputs, actions, inputs, 2)))
        nothing = sac.Report(*(jnp.zeros(()) for _ in sac.Report._fields))
        return SkillsState(
            agent, geometry.new(of_map, inputs, 2, widths, self.price), sac.empty(row, self.memory), jnp.zeros(()),
            nothing, jnp.int32(0),
        )  # fmt: skip

    def step(self, state: SkillsState, key: PRNGKeyArray) -> SkillsState:
        """A round: episodes with skills drawn at random, then gradient steps."""
        of_skill, of_play, of_learn = jax.random.split(key, 3)
        angle = jax.random.uniform(of_skill, (self.episodes,), maxval=2 * math.pi)
        skill = jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
        with el.scope("play"):
            rows, _ = self.play(state.agent.nets.actor, skill, of_play, greedy=False)
        replay = sac.put(state.replay, jax.tree.map(lambda x: x.reshape(-1, x.shape[-1]), rows))
        arrays, rest = eqx.partition((state.agent, state.geometry), eqx.is_array)

        def update(arrays: PyTree, key: PRNGKeyArray) -> tuple[PyTree, tuple[Array, sac.Report]]:
            agent, found = eqx.combine(arrays, rest)
            agent, found, left, report = self.learn(agent, found, replay, key)
            return eqx.filter((agent, found), eqx.is_array), (left, report)

        arrays, (left, report) = el.site_scan(update, arrays, jax.random.split(of_learn, self.updates))
        agent, found = eqx.combine(arrays, rest)
        last = jax.tree.map(lambda x: x[-1], report)
        return SkillsState(agent, found, replay, left[-1], last, state.time + 1)

    def learn(
        self, agent: sac.Agent, found: geometry.Geometry, replay: sac.Replay, key: PRNGKeyArray
    ) -> tuple[sac.Agent, geometry.Geometry, Float[Array, ""], sac.Report]:
        """One gradient step of the map, then one of the policy, which the map pays."""
        of_batch, of_policy = jax.random.split(key)
        t = sac.draw(replay, of_batch, self.batch)
        method = jnp.asarray(self.method)
        size = jnp.array([_FAR, _FAR, 1.0, 1.0, 1.0, 1.0])
        told = geometry.Told(t.seen, t.after, t.skill, jnp.sum(((t.after - t.seen) * size) ** 2, -1))
        with el.scope("map"):
            settings = geometry.Settings(method, self.rate, self.price_rate, self.give)
            found, left = geometry.learn(found, told, settings)
        with el.scope("pay"):
            if self.pay == "novelty":
                reward = el.site("paid", novelty(t.after * size, _NEAREST))
            else:
                reward = geometry.paid(found.phi, told, method)
        batch = sac.Batch(
            jnp.concatenate([t.seen, t.skill], -1), t.action, reward, jnp.concatenate([t.after, t.skill], -1),
            jnp.zeros(self.batch),
        )  # fmt: skip
        with el.scope("policy"):
            agent, report = sac.improve(
                agent, batch, sac.Settings(self.rate, self.discount, self.follow, self.entropy), of_policy
            )
        return agent, found, left, report

    def play(
        self, actor: sac.Actor, skill: Float[Array, "skill 2"], key: PRNGKeyArray, *, greedy: bool
    ) -> tuple[Transition, PlaneState]:
        """An episode with each skill: what happened, and the states after each action; time first."""
        world, count = self.world(), len(skill)
        of_reset, of_steps = jax.random.split(key)
        level = world.level(key)
        first = jax.vmap(world.reset, (None, 0))(level, jax.random.split(of_reset, count))
        see = jax.vmap(lambda s: self.seen(world, s))

        def one(states: PlaneState, key: PRNGKeyArray) -> tuple[PlaneState, tuple[Transition, PlaneState]]:
            of_action, of_world = jax.random.split(key)
            seen, meant = see(states), el.site("skill", skill)
            policy = actor(jnp.concatenate([seen, meant], -1))
            action = el.site("action", policy.mode() if greedy else policy.sample(of_action))
            states = jax.vmap(world.step)(states, action, jax.random.split(of_world, count)).state
            return states, (Transition(seen, action, see(states), meant), states)

        return el.site_scan(one, first, jax.random.split(of_steps, self.length))[1]

    def observe(self, state: SkillsState, key: PRNGKeyArray) -> dict[str, Array]:
        of_play, of_noise = jax.random.split(key)
        skill = geometry.circle(SKILLS)
        with el.scope("test"):
            rows, states = self.play(state.agent.nets.actor, skill, of_play, greedy=self.chance == 0)
        start = self.world().level(key).start
        places = jnp.moveaxis(jnp.concatenate([jnp.broadcast_to(start, (1, SKILLS, 2)), states.place]), 0, 1)
        ends = jax.tree.map(lambda x: x[-1], states)
        phi = state.geometry.phi
        stride = self.length // self.moments
        seen = jnp.concatenate([rows.seen[:1], rows.after[stride - 1 :: stride]])
        latent = jax.vmap(phi)(seen)
        redrawn = seen.at[..., 4:].set(self.loud * jax.random.normal(of_noise, seen[..., 4:].shape))
        shown = latent.reshape(-1, 2), jax.vmap(phi)(redrawn).reshape(-1, 2)
        return {
            "coverage": covered(places, start),
            "radius": jnp.mean(jnp.sqrt(jnp.sum((ends.place - start) ** 2, -1))),
            "posture": jnp.mean(jnp.abs(ends.posture)),
            "recognised": recognised(skill, jnp.concatenate([ends.place, ends.posture], -1)),
            "opposed": opposed(ends.place - start),
            "noise_share": noise_share(*shown),
            "price": jnp.exp(state.geometry.log_price),
            "slack": state.slack,
            "policy_entropy": state.report.entropy,
            "places": places[:, ::stride],
            "latent": jnp.moveaxis(latent, 0, 1),
        }
