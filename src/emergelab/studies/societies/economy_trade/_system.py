"""The system of the study `economy-trade`: workers with one policy learn to live in an economy, under a tax."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Num, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.games.inequality import equality
from emergelab.games.taxes import US_CUTS, tax
from emergelab.rl import ppo
from emergelab.rl.networks import ActorCritic, FeedForward
from emergelab.rl.policies import Categorical, Policy, allowed
from emergelab.rl.rollout import Trajectory
from emergelab.worlds.gather_trade_build import GOODS, Economy, GatherTradeBuild, Level, Sight

PAY = (4.0, 6.0, 10.0, 16.0)
"""Coins for a house, from the least skilled worker to the most skilled."""
MOMENTS = (0, 20, 40, 60, 80, 100)
"""Percentages of an episode at which it is filmed."""


class Worker(ActorCritic):
    """A network that never does what is not allowed.

    Attributes:
        inner: from what is known to what would be done, were all allowed.
    """

    inner: FeedForward

    @property
    def remembers(self) -> bool:
        return False

    def rest(self, batch: int) -> PyTree[Array]:
        return None

    def __call__(
        self, memory: PyTree[Array], seen: PyTree[Array], fresh: Bool[Array, "batch"]
    ) -> tuple[PyTree[Array], Policy, Float[Array, "batch"]]:
        _, policy, value = self.inner(None, seen.known, fresh)
        assert isinstance(policy, Categorical)
        return None, allowed(policy, seen.may), value


class TradeState(eqx.Module):
    """Workers between two updates.

    Attributes:
        net: of all workers.
        memory: the optimiser's.
        report: of the last update; zeros before the first.
        time: updates made.
    """

    net: Worker
    memory: optax.OptState
    report: ppo.Report
    time: Int[Array, ""]


class Film(NamedTuple):
    """One economy at some moments of an episode."""

    grown: Bool[Array, "moment good y x"]
    house: Int[Array, "moment y x"]
    at: Int[Array, "moment worker 2"]
    coin: Float[Array, "moment worker"]


def _per(name: str, dims: tuple[str, ...], unit: str, about: str, **more: Any) -> el.Observable:
    return el.Observable(name, dims=dims, unit=unit, about=about, **more)


class EconomyTrade(el.System):
    """Four workers who gather, trade and build, under a tax by brackets; one step is one update of their policy."""

    rates: Any = el.param((0.0,) * len(US_CUTS), low=0.0, high=1.0, unit="1", about="marginal tax rate of each bracket")
    pay: Any = el.param(PAY, low=0.0, unit="coins", about="for a house, by worker")
    market: Any = el.param(1.0, low=0.0, high=1.0, about="whether there is a market: 1, or 0 for none")
    regrow: Any = el.param(0.02, low=0.0, high=1.0, about="chance of a bare source to grow a unit, each step")
    burden: Any = el.param(0.1, low=0.0, about="utility that a unit of labour costs")
    warm: Any = el.param(40, low=0, high=100_000, about="updates until labour costs all of that; at first it is free")
    bend: Any = el.param(0.23, low=0.0, high=0.99, about="how fast a coin loses worth in utility")
    rate: Any = el.param(2e-3, low=0.0, high=1.0, about="learning rate")
    discount: Any = el.param(0.99, low=0.0, high=1.0, about="gamma: what a reward one step later is worth")
    trace: Any = el.param(0.95, low=0.0, high=1.0, about="lambda: how far an advantage looks ahead")
    clip: Any = el.param(0.2, low=0.0, about="how far a probability may move in one update, as a ratio minus 1")
    entropy: Any = el.param(0.01, about="weight of the policy's entropy, in tens of utility a nat")
    economies: int = el.static(4, low=1, about="played side by side between two updates")
    tests: int = el.static(16, low=1, about="played to see what the workers do")
    year: int = el.static(50, low=2, unit="steps", about="length of a tax year; an episode has two")
    passes: int = el.static(2, low=1, about="passes over what happened, each update")
    parts: int = el.static(2, low=1, about="gradient steps each pass")
    width: int = el.static(64, low=1, about="units of each of the two hidden layers")

    observables = (
        _per("productivity", (), "coins", "mean coins of a worker at the end of an episode", low=0),
        _per("equality", (), "1", "of coins at the end: 1 - Gini n / (n - 1)", high=1),
        _per("utility", (), "1", "mean gain in utility of a worker over an episode"),
        _per("revenue", (), "1", "taxes over incomes", low=0, high=1),
        _per("specialisation", (), "bit", "mutual information of whose a coin is and what it was earned by", low=0),
        _per("spread", (), "1", "how unlike a worker's incomes of two years are: difference over sum", low=0, high=1),
        _per("timing", (), "1", "tax saved by the timing of incomes, over tax on incomes spread evenly"),
        _per("deals", (), "1", "deals in an episode", low=0),
        _per("paid", (), "coins", "mean price of a unit; not a number where nothing is sold", nan_ok=True),
        _per("entropy_left", (), "nat", "entropy of the policy in the last update", low=0),
        _per("built", ("worker",), "1", "share of what a worker earned that came from building", nan_ok=True),
        _per("houses", ("worker",), "1", "houses built in an episode", low=0),
        _per("gathered", ("worker",), "1", "units gathered in an episode", low=0),
        _per("sold", ("worker",), "1", "units sold in an episode", low=0),
        _per("bought", ("worker",), "1", "units bought in an episode", low=0),
        _per("labour", ("worker",), "1", "labour done in an episode", low=0),
        _per("coins", ("worker",), "coins", "at the end of an episode", low=0),
        _per("income", ("worker", "year"), "coins", "taxable income", low=0),
        _per("film_ground", ("moment", "y", "x"), "1", "one economy: 0 bare, 1 wood, 2 stone, 3 + i house of worker i"),
        _per("film_at", ("moment", "worker", "axis"), "cells", "y and x of its workers"),
        _per("film_coins", ("moment", "worker"), "coins", "of its workers"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        moments = self.economies * len(PAY) * 2 * self.year
        if moments % self.parts:
            raise el.UserError(f"EconomyTrade: parameter 'parts' must divide {moments} moments, got {self.parts}")

    def world(self, time: Int[Array, ""] | None = None) -> GatherTradeBuild:
        """What is played at a time in training; after it if no time is given."""
        share = 1.0 if time is None else jnp.minimum(time / jnp.maximum(jnp.asarray(self.warm), 1), 1.0)
        levy = jax.tree_util.Partial(tax, cuts=jnp.asarray(US_CUTS), rates=jnp.asarray(self.rates))
        return GatherTradeBuild(
            pay=jnp.asarray(self.pay), levy=levy, regrow=jnp.asarray(self.regrow),
            market=jnp.asarray(self.market) > 0.5, bend=jnp.asarray(self.bend), burden=share * jnp.asarray(self.burden),
            year=self.year,
        )  # fmt: skip

    def settings(self) -> ppo.Settings:
        """How workers learn."""
        return ppo.Settings(
            rate=jnp.asarray(self.rate), discount=self.discount, trace=self.trace, clip=self.clip,
            entropy=self.entropy, passes=self.passes, parts=self.parts,
        )  # fmt: skip

    def init(self, key: PRNGKeyArray) -> TradeState:
        world = self.world()
        net = Worker(FeedForward(key, world.inputs, world.actions, widths=(self.width, self.width)))
        nothing = ppo.Report(*(jnp.zeros(()) for _ in ppo.Report._fields))
        return TradeState(net, ppo.memory(net, self.settings()), nothing, jnp.int32(0))

    def step(self, state: TradeState, key: PRNGKeyArray) -> TradeState:
        of_play, of_update = jax.random.split(key)
        with el.scope("play"):
            _, trajectory, _ = episodes(self.world(state.time), state.net, of_play, self.economies)
        net, memory, report = ppo.improve(state.net, state.memory, trajectory, self.settings(), of_update)
        return TradeState(net, memory, report, state.time + 1)

    def observe(self, state: TradeState, key: PRNGKeyArray) -> dict[str, Array]:
        world = self.world()
        with el.scope("test"):
            end, trajectory, film = episodes(world, state.net, key, self.tests)
        told = end.ledger
        per = {
            "houses": told.houses, "gathered": jnp.sum(told.gathered, -1), "sold": told.sold, "bought": told.bought,
            "labour": end.labour, "coins": end.coin, "income": told.income,
        }  # fmt: skip
        out = {name: jnp.mean(x.astype(jnp.float32), axis=0) for name, x in per.items()}
        earned = jnp.stack([jnp.sum(told.from_building, 0), jnp.sum(told.from_selling, 0)], axis=1)
        first, second = told.income[..., 0], told.income[..., 1]
        some = first + second > 0
        unlike = jnp.where(some, jnp.abs(first - second) / jnp.where(some, first + second, 1.0), 0.0)
        even = 2 * jax.vmap(world.levy)((first + second) / 2)
        deals = jnp.sum(told.sold)
        total = jnp.sum(earned, axis=1)
        return out | {
            "productivity": jnp.mean(end.coin),
            "equality": jnp.mean(jax.vmap(equality)(end.coin)),
            "utility": jnp.sum(trajectory.reward) / (self.tests * len(PAY) * SCALE),
            "revenue": jnp.sum(told.tax) / jnp.maximum(jnp.sum(told.income), 1e-9),
            "specialisation": information(earned),
            "spread": jnp.sum(unlike) / jnp.maximum(jnp.sum(some), 1),
            "timing": 1 - _over(jnp.sum(told.tax), jnp.sum(even), 1.0),
            "deals": deals / self.tests,
            "paid": _over(jnp.sum(told.from_selling), deals, jnp.nan),
            "entropy_left": state.report.entropy,
            "built": jnp.where(total > 0, earned[:, 0] / jnp.where(total > 0, total, 1.0), jnp.nan),
            "film_ground": _ground(film), "film_at": film.at, "film_coins": film.coin,
        }  # fmt: skip


SCALE = 0.1
"""Rewards are tenths of utility, so that values are of the order of 1."""


def episodes(world: GatherTradeBuild, net: Worker, key: PRNGKeyArray, count: int) -> tuple[Economy, Trajectory, Film]:
    """Whole episodes, each from its beginning.

    Args:
        world: what is played.
        net: what all workers do.
        key: of everything that is left to chance.
        count: how many.

    Returns:
        The economies at the end; what happened, all workers of all economies as lanes; and a film of the first economy.
    """
    of_level, of_play = jax.random.split(key)
    level: Level = jax.vmap(world.level)(jax.random.split(of_level, count))
    begin: Economy = jax.vmap(world.reset)(level, jax.random.split(of_level, count))
    lanes = count * world.workers
    quiet = jnp.zeros(lanes, bool)

    def flat(x: Array) -> Array:
        return x.reshape(lanes, *x.shape[2:])

    def one(state: Economy, key: PRNGKeyArray) -> tuple[Economy, tuple]:
        of_action, of_step = jax.random.split(key)
        sight = jax.tree.map(flat, jax.vmap(world.see)(state))
        seen = Sight(el.site("known", sight.known), el.site("may", sight.may))
        _, policy, value = net(None, seen, quiet)
        action = el.site("action", policy.sample(of_action))
        by_economy = action.reshape(count, world.workers)
        outcome = jax.vmap(world.step)(state, by_economy, jax.random.split(of_step, count))
        reward = el.site("reward", SCALE * flat(outcome.reward))
        over = jnp.repeat(outcome.terminated, world.workers)
        shot = Film(state.grown[0], state.house[0], state.at[0], state.wealth[0])
        return outcome.state, (seen, action, policy.log_prob(action), value, reward, over, shot)

    end, (seen, action, log_prob, value, reward, over, shots) = el.site_scan(
        one, begin, jax.random.split(of_play, world.length)
    )
    trajectory = Trajectory(
        seen=seen, fresh=jnp.zeros_like(over), action=action, log_prob=log_prob, value=value, reward=reward, over=over,
        beyond=jnp.zeros_like(reward), next_value=jnp.zeros(lanes), memory=None,
    )  # fmt: skip
    last = Film(end.grown[0], end.house[0], end.at[0], end.wealth[0])
    when = jnp.asarray([world.length * m // 100 for m in MOMENTS])
    film = jax.tree.map(lambda x, y: jnp.concatenate([x, y[None]])[when], shots, last)
    return end, trajectory, film


def information(earned: Float[Array, "worker source"]) -> Float[Array, ""]:
    """Mutual information of worker and source, of a coin drawn from all that were earned, in bits; 0 if there are none.

    Args:
        earned: coins of each worker by source.
    """
    share = earned / jnp.maximum(jnp.sum(earned), 1e-9)
    apart = jnp.sum(share, 1, keepdims=True) * jnp.sum(share, 0, keepdims=True)
    some = share > 0
    ratio = jnp.where(some, share, 1.0) / jnp.where(some, apart, 1.0)
    return jnp.maximum(jnp.sum(share * jnp.log2(ratio)), 0.0)


def _over(a: Float[Array, ""], b: Num[Array, ""], none: float) -> Float[Array, ""]:
    """One number over another, `none` where that is 0."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), none)


def _ground(film: Film) -> Int[Array, "moment y x"]:
    kinds = jnp.max(film.grown * jnp.arange(1, len(GOODS) + 1)[:, None, None], axis=1)
    return jnp.where(film.house >= 0, film.house + 1 + len(GOODS), kinds).astype(jnp.int32)
