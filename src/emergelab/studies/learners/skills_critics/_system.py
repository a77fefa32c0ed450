"""An arm that learns skills on a table, paid by its own map, for reaching discs and for keeping away from the edge."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.rl import multi_critic, sac, skill_maps
from emergelab.worlds.plane import Table, TableState

from ._measures import MOVED, entered, recognised, settled
from ._rewards import OBJECTIVES, closeness, danger, unsafe

__all__ = ["LEGS", "SKILLS", "SkillsCritics", "SkillsCriticsState"]

LEGS = 8  # skills of which sequences of two are made
SKILLS = LEGS * LEGS  # played in a test, as many as there are sequences
_SIZE = 2.0  # networks see places times this: from -1 to 1
_LEAST = 0.05  # the least standard deviation that a reward is divided by
_NONE = multi_critic.NORMALISERS.index("none")
_TEMPORAL = skill_maps.METHODS.index("temporal")
_GIVE = 1e-3  # the most that slack in the map's constraint is worth


class Transition(eqx.Module):
    """One step, as it is remembered.

    Attributes:
        seen: tip, first disc, second disc, before the action.
        action: between -1 and 1.
        after: seen after it.
        skill: that was played.
    """

    seen: Float[Array, "*batch 6"]
    action: Float[Array, "*batch 2"]
    after: Float[Array, "*batch 6"]
    skill: Float[Array, "*batch 2"]


class SkillsCriticsState(eqx.Module):
    """A learner between two rounds.

    Attributes:
        agent: policy and critics.
        skills: the map that pays them.
        replay: what is remembered.
        slack: what was left of the map's constraint in the last gradient step.
        report: of the policy in that step.
        time: rounds made.
    """

    agent: sac.Agent
    skills: skill_maps.Geometry
    replay: sac.Replay
    slack: Float[Array, ""]
    report: multi_critic.Report
    time: Int[Array, ""]


class SkillsCritics(el.System):
    """Skills under several rewards: a critic for each, or one for their sum."""

    discovery: float = el.param(1.0, low=0.0, about="weight of the skills' own reward")
    reach: float = el.param(1.0, low=0.0, about="weight of the reward for being near a disc")
    safety: float = el.param(1.0, low=0.0, about="weight of the reward for keeping away from the edge")
    unit: float = el.param(1.0, low=0.0, about="what contact with a disc is paid, in the units of the reward for it")
    normaliser: str = el.choice(
        "advantage", options=multi_critic.NORMALISERS, about="what critics' words are divided by before they are added"
    )
    scaled: str = el.choice(
        "no", options=("no", "yes"), about="whether rewards are divided by their spread in the batch"
    )
    merging: str = el.choice("no", options=("no", "yes"), about="whether critics are merged into one of the sum")
    merge: int = el.param(100, low=0, unit="round", about="from when on, if they are")
    sees: str = el.choice("all", options=("all", "discs"), about="what the skills' map sees: tip and discs, or discs")
    edge: float = el.param(0.4, low=0.1, high=0.49, about="where the table's border begins; its side is 1")
    speed: float = el.param(0.05, low=0.0, about="how far an action of 1 moves the tip, in x and in y")
    contact: float = el.param(0.08, low=0.0, about="distance at which the tip touches a disc; more than speed")
    rate: float = el.param(2e-3, low=0.0, high=1.0, about="learning rate of policy, critics and map")
    brisk: float = el.param(10.0, low=0.0, about="how many times as fast the temperature learns")
    price: float = el.param(30.0, low=1e-6, about="price of the map's constraint at the beginning")
    discount: float = el.param(0.9, low=0.0, high=1.0, about="gamma: what a reward one step later is worth")
    follow: float = el.param(0.02, low=0.0, high=1.0, about="how fast the slow critics follow, a gradient step")
    alpha: float = el.param(0.1, low=1e-6, about="temperature at the beginning, reward a nat")
    entropy: float = el.param(-2.0, unit="nat", about="entropy that the policy is to have")
    critics: int = el.static(3, low=1, high=3, about="3: a critic for each reward; 1: one for their weighted sum")
    episodes: int = el.static(8, low=1, about="episodes of a round")
    length: int = el.static(40, low=2, about="steps of an episode")
    updates: int = el.static(50, low=1, about="gradient steps of a round")
    batch: int = el.static(256, low=2, about="transitions of a gradient step")
    memory: int = el.static(100_000, low=1, about="transitions that are remembered")
    width: int = el.static(64, low=1, about="units of each of two hidden layers")
    moments: int = el.static(10, low=1, about="places of a test episode that are recorded beside its beginning")

    observables = (
        el.Observable("worst", unit="1", low=0, high=1, about="least of the three objectives: told, near, safe"),
        el.Observable("told", unit="1", low=-1, high=1, about="how well a skill is told from where tip and discs end"),
        el.Observable("near", unit="1", low=0, high=1, about="closeness to a disc, mean over steps; 1 in contact"),
        el.Observable("safe", unit="1", low=0, high=1, about="share of steps with nothing in the table's border"),
        el.Observable("touched", unit="1", low=0, high=1, about="share of skills that move a disc"),
        el.Observable("handled", unit="1", low=0, high=1, about="share of skills that do, and are safe all along"),
        el.Observable("displaced", unit="side", low=0, about="how far the discs are displaced by a skill, added up"),
        el.Observable("discs_told", unit="1", low=-1, high=1, about="as told, by where the discs end alone"),
        el.Observable("entered", unit="cell", low=0, about="cells of a tenth of the side that discs enter"),
        el.Observable("placed", unit="cell", low=0, about="cells to which a skill brings a disc safely"),
        el.Observable("chained", unit="cell", low=0, about="cells to which two skills in a row bring a disc safely"),
        el.Observable("slack", unit="1", about="what is left of the map's constraint, at most a thousandth"),
        el.Observable("alpha", unit="1", low=0, about="temperature"),
        el.Observable("policy_entropy", unit="nat", about="of the policy in the last gradient step"),
        el.Observable(
            "scales", unit="1", low=0, dims=("objective",), about="what critics' words are divided by", nan_ok=True
        ),
        el.Observable("tips", unit="side", dims=("skill", "moment", "axis"), about="where skills lead the tip"),
        el.Observable("discs", unit="side", dims=("skill", "moment", "disc", "axis"), about="and the discs"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for ok, wrong in (
            (self.critics != 2, "'critics' must be 1 or 3, got 2"),
            (
                self.memory >= self.episodes * self.length,
                f"'memory' must be at least episodes * length = {self.episodes * self.length}, got {self.memory}",
            ),
            (self.length % 2 == 0, f"'length' must be even, for sequences of two skills, got {self.length}"),
            (self.length % self.moments == 0, f"'moments' must divide length={self.length}, got {self.moments}"),
        ):
            if not ok:
                raise el.UserError(f"SkillsCritics: parameter {wrong}")

    def world(self) -> Table:
        return Table(jnp.asarray(self.speed), jnp.asarray(self.contact), limit=self.length)

    def weights(self) -> Float[Array, "objective"]:
        return jnp.stack([jnp.asarray(w, jnp.float32) for w in (self.discovery, self.reach, self.safety)])

    def init(self, key: PRNGKeyArray) -> SkillsCriticsState:
        of_agent, of_map = jax.random.split(key)
        widths = (self.width, self.width)
        agent = multi_critic.agent(of_agent, 6 + 2, 2, self.critics, widths=widths, alpha=self.alpha)
        row = Transition(*(jnp.zeros(n) for n in (6, 2, 6, 2)))
        each, one = jnp.zeros(self.critics), jnp.zeros(())
        nothing = multi_critic.Report(one, each, each, one, one)
        return SkillsCriticsState(
            agent, skill_maps.new(of_map, 6, 2, widths, self.price), sac.empty(row, self.memory), one, nothing,
            jnp.int32(0),
        )  # fmt: skip

    def step(self, state: SkillsCriticsState, key: PRNGKeyArray) -> SkillsCriticsState:
        """A round: episodes with skills drawn at random, then gradient steps."""
        of_skill, of_play, of_learn = jax.random.split(key, 3)
        angle = jax.random.uniform(of_skill, (self.episodes,), maxval=2 * math.pi)
        skill = jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
        with el.scope("play"):
            rows, _ = self.play(state.agent.nets.actor, skill, skill, of_play, greedy=False)
        replay = sac.put(state.replay, jax.tree.map(lambda x: x.reshape(-1, x.shape[-1]), rows))
        arrays, rest = eqx.partition((state.agent, state.skills), eqx.is_array)

        def update(arrays: PyTree, key: PRNGKeyArray) -> tuple[PyTree, tuple[Array, multi_critic.Report]]:
            agent, found = eqx.combine(arrays, rest)
            agent, found, left, report = self.learn(agent, found, replay, state.time, key)
            return eqx.filter((agent, found), eqx.is_array), (left, report)

        arrays, (left, report) = el.site_scan(update, arrays, jax.random.split(of_learn, self.updates))
        agent, found = eqx.combine(arrays, rest)
        last = jax.tree.map(lambda x: x[-1], report)
        return SkillsCriticsState(agent, found, replay, left[-1], last, state.time + 1)

    def rewards(self, phi: skill_maps.Phi, t: Transition) -> Float[Array, "objective batch"]:
        """What is paid for transitions: for the skill, for reaching, for safety."""
        tip, discs = t.after[:, :2] / _SIZE, t.after[:, 2:].reshape(-1, 2, 2) / _SIZE
        along = skill_maps.paid(phi, self.told(t), jnp.int32(_TEMPORAL))
        return jnp.stack([along, self.unit * closeness(tip, discs, self.contact), -danger(tip, discs, self.edge)])

    def told(self, t: Transition) -> skill_maps.Told:
        """What the skills' map sees of transitions."""
        sight = jnp.ones(6).at[:2].set(jnp.where(jnp.asarray(self.sees) == 0, 1.0, 0.0))
        seen, after = t.seen * sight, t.after * sight
        return skill_maps.Told(seen, after, t.skill, jnp.sum((after - seen) ** 2, -1))

    def grouping(self, time: Int[Array, ""]) -> tuple[Array, Array, Array]:
        """What each critic learns of the rewards (a row each), how it is weighted, and what it is divided by."""
        weights, normaliser = self.weights(), jnp.asarray(self.normaliser)
        if self.critics == 1:
            return weights[None], jnp.ones(1), normaliser
        merged = (jnp.asarray(self.merging) == 1) & (time >= self.merge)
        total = jnp.zeros((3, 3)).at[0].set(weights)
        first = jnp.array([1.0, 0.0, 0.0])
        return (
            jnp.where(merged, total, jnp.eye(3)),
            jnp.where(merged, first, weights),
            jnp.where(merged, _NONE, normaliser),
        )

    def learn(
        self,
        agent: sac.Agent,
        found: skill_maps.Geometry,
        replay: sac.Replay,
        time: Int[Array, ""],
        key: PRNGKeyArray,
    ) -> tuple[sac.Agent, skill_maps.Geometry, Float[Array, ""], multi_critic.Report]:
        """One gradient step of the map, then one of critics and policy."""
        of_batch, of_policy = jax.random.split(key)
        t = sac.draw(replay, of_batch, self.batch)
        with el.scope("map"):
            how = skill_maps.Settings(jnp.int32(_TEMPORAL), self.rate, self.rate, _GIVE)
            found, left = skill_maps.learn(found, self.told(t), how)
        with el.scope("pay"):
            reward = el.site("rewards", self.rewards(found.phi, t))
            spread = jnp.maximum(jnp.std(reward, -1, keepdims=True), _LEAST)
            reward = jnp.where(jnp.asarray(self.scaled) == 1, reward / spread, reward)
            grouping, weights, normaliser = self.grouping(time)
            batch = multi_critic.Batch(
                jnp.concatenate([t.seen, t.skill], -1), t.action, el.site("grouping", grouping) @ reward,
                jnp.concatenate([t.after, t.skill], -1), jnp.zeros(self.batch),
            )  # fmt: skip
        with el.scope("policy"):
            # Each critic judges its own reward and nothing else: entropy stands in the policy's loss alone.
            settings = multi_critic.Settings(
                sac.Settings(self.rate, self.discount, self.follow, self.entropy), weights, normaliser, 0.0, self.brisk
            )
            agent, report = multi_critic.improve(agent, batch, settings, of_policy)
        return agent, found, left, report

    def play(
        self,
        actor: sac.Actor,
        skill: Float[Array, "way 2"],
        later: Float[Array, "way 2"],
        key: PRNGKeyArray,
        *,
        greedy: bool,
    ) -> tuple[Transition, TableState]:
        """An episode with each skill, `later` from half-time on: what happened, and the states after each action.

        Time is the first axis of what is returned.
        """
        world, count = self.world(), len(skill)
        first = jax.vmap(world.reset, (None, 0))(world.level(key), jax.random.split(key, count))
        see = jax.vmap(lambda s: _SIZE * world.see(s))

        def one(states: TableState, x: tuple[Array, PRNGKeyArray]) -> tuple[TableState, tuple[Transition, TableState]]:
            time, key = x
            of_action, of_world = jax.random.split(key)
            seen, meant = see(states), el.site("skill", jnp.where(time < self.length // 2, skill, later))
            policy = actor(jnp.concatenate([seen, meant], -1))
            action = el.site("action", policy.mode() if greedy else policy.sample(of_action))
            states = jax.vmap(world.step)(states, action, jax.random.split(of_world, count)).state
            return states, (Transition(seen, action, see(states), meant), states)

        return el.site_scan(one, first, (jnp.arange(self.length), jax.random.split(key, self.length)))[1]

    def observe(self, state: SkillsCriticsState, key: PRNGKeyArray) -> dict[str, Array]:
        actor, skill, legs = state.agent.nets.actor, skill_maps.circle(SKILLS), skill_maps.circle(LEGS)
        with el.scope("test"):
            rows, states = self.play(actor, skill, skill, key, greedy=True)
        with el.scope("chain"):
            _, chain = self.play(actor, jnp.repeat(legs, LEGS, 0), jnp.tile(legs, (LEGS, 1)), key, greedy=True)
        level = self.world().level(key)
        wrong, chain_wrong = (unsafe(s.tip, s.discs, self.edge) for s in (states, chain))
        ends = states.discs[-1]
        moved = jnp.sqrt(jnp.sum((ends - level.discs) ** 2, -1))
        touched = jnp.max(moved, -1) > MOVED
        told, near = (
            recognised(skill, rows.after[-1] / _SIZE),
            jnp.mean(closeness(states.tip, states.discs, self.contact)),
        )
        safe = 1 - jnp.mean(wrong)
        stride = self.length // self.moments
        start = jnp.broadcast_to(level.discs, (1, SKILLS, 2, 2))
        ways = jnp.moveaxis(jnp.concatenate([start, states.discs]), 0, 1)
        begun = jnp.broadcast_to(level.tip, (1, SKILLS, 2))
        tips = jnp.moveaxis(jnp.concatenate([begun, states.tip[stride - 1 :: stride]]), 0, 1)
        scales = jnp.full(len(OBJECTIVES), jnp.nan).at[: self.critics].set(state.report.scale)
        return {
            "worst": jnp.clip(jnp.minimum(jnp.minimum(told, near), safe), 0.0, 1.0),
            "told": told,
            "near": near,
            "safe": safe,
            "touched": jnp.mean(touched),
            "handled": jnp.mean(touched & ~jnp.any(wrong, 0)),
            "displaced": jnp.mean(jnp.sum(moved, -1)),
            "discs_told": recognised(skill, ends.reshape(SKILLS, 4)),
            "entered": entered(ways),
            "placed": settled(ends, level.discs, ~jnp.any(wrong, 0)),
            "chained": settled(chain.discs[-1], level.discs, ~jnp.any(chain_wrong, 0)),
            "slack": state.slack,
            "alpha": jnp.exp(state.agent.nets.log_alpha),
            "policy_entropy": state.report.entropy,
            "scales": scales,
            "tips": tips,
            "discs": ways[:, ::stride],
        }
