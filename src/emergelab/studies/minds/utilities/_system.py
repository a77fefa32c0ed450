"""The system of the study `utilities`: a transformer that learns to answer comparisons, and what its answers show.

In its place a simulated mind can be asked, whose utilities are known (`_minds`).
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games import preferences as pr
from emergelab.games.foresight import CURVES
from emergelab.nn.transformer import Transformer

from ._minds import CHOOSERS, DELAYS, Asked, Nature, ask, make_mind, shown
from ._probes import probes, steering
from ._world import World, all_pairs, comparisons, make_world, seen, verdicts

__all__ = ["PLACES", "Utilities"]

PLACES = ("embed", "L.0.out", "L.1.out")
"""The residual stream from bottom to top, as sites."""
NEVER = 1_000_000


class State(eqx.Module):
    """The network, its optimiser's memory, the world of the seed, and how many steps were made."""

    net: Transformer
    optimiser: optax.OptState
    world: World
    clock: Int[Array, ""]


def _number(name: str, about: str, **more: Any) -> el.Observable:
    # nan_ok, because a network shows nothing of what only minds show, and the other way round
    return el.Observable(name, about=about, nan_ok=True, **{"unit": "1", "low": 0.0, **more})


def _share(name: str, about: str, **more: Any) -> el.Observable:
    return _number(name, about, **{"high": 1.0, **more})


FOR_MINDS = (
    _number("instrumental", "distance of a mind's scale from any value function of its processes, in sd"),
    _number("instrumental_null", "the same for processes whose ends have changed places"),
    _share("foreseen", "correlation of the scale with values by value iteration, ends left out", low=-1.0),
    _share("maximised", "free choices from a menu that are the best of it by the scale"),
    _share("maximised_luce", "the same, as the scale itself foretells"),
    _share("chosen_rank", "rank by the scale of what is freely chosen, best 1; at random: 1/2"),
    _share("chosen_place", "its place in the list, first 0, last 1; at random: 1/2"),
    _share("more", "how much more often the largest later amount is taken than the least", low=-1.0),
    _number("factors", "what a delay leaves of a value, from points of indifference", dims=("delay",)),
    *(_number(f"rate_{name}", f"rate of the {name} curve that is nearest to them", unit="1/month") for name in CURVES),
    *(_number(f"error_{name}", "mean distance from that curve") for name in CURVES),
)  # fmt: skip
"""What is shown of simulated minds only."""


class Utilities(el.System):
    """A transformer reads two items and learns which of them was preferred; one step is many gradient updates.

    With `subject="mind"` one step is a round of questions to a simulated mind instead, and nothing is trained.
    """

    items: int = el.static(64, low=12, high=1024, about="items that are compared")
    attributes: int = el.static(4, low=1, high=64, about="attributes of an item, which the network never sees")
    annotators: int = el.static(200, low=1, high=10_000, about="people in the population")
    width: int = el.static(16, low=4, high=1024, about="width of the residual stream, a multiple of the heads")
    heads: int = el.static(2, low=1, high=64, about="attention heads of a block")
    updates: int = el.static(25, low=1, high=10_000, about="gradient updates in a step")
    batch: int = el.static(64, low=1, high=65_536, about="comparisons in an update")
    few: int = el.static(8, low=3, high=512, about="items whose utility is turned round, fewer than all")
    share: float = el.param(0.15, low=0.0, high=1.0, unit="1", about="share of all pairs that is ever compared")
    tau: float = el.param(0.5, low=0.0, high=100.0, unit="1", about="spread of annotators' weights")
    noise: float = el.param(0.5, low=0.0, high=100.0, unit="1", about="noise of one judgement of one item")
    order: float = el.param(1.0, low=0.0, high=1.0, about="1: utilities decide; 0: a whim of each pair, no scale")
    rate: float = el.param(3e-3, low=0.0, high=10.0, unit="1", about="learning rate")
    decay: float = el.param(0.01, low=0.0, high=10.0, unit="1", about="weight decay, as in AdamW")
    turn_at: int = el.param(NEVER, low=0, high=NEVER, about="step from which utilities of a few items are reversed")
    replay: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="share of old comparisons from then on")
    subject: str = el.choice("network", options=("network", "mind"), static=True, about="who is asked")
    processes: int = el.static(6, low=2, high=50, about="a mind's processes, six states each; menus are as long")
    menus: int = el.static(4, low=1, high=100, about="menus of things from which a mind chooses freely")
    foresight: float = el.param(1.0, low=0.0, high=1.0, about="1: a state is worth what it leads to; 0: itself")
    chooser: str = el.choice(
        "best", options=CHOOSERS, about="a mind takes the best of a menu, or the first good enough"
    )
    enough: float = el.param(1.0, low=-10.0, high=10.0, unit="1", about="utility that is good enough")
    curve: str = el.choice("exponential", options=CURVES, about="how value falls with delay")
    impatience: float = el.param(0.08, low=0.0, high=10.0, unit="1/month", about="rate at which it does")

    observables = (
        _number("loss", "cross-entropy of the population's choices, pairs seen", unit="nat"),
        _number("loss_unseen", "the same, pairs never seen", unit="nat"),
        _number("loss_best", "the least that it can be there", unit="nat"),
        _share("right_seen", "pairs seen in training: the side with the larger utility is preferred"),
        _share("right_unseen", "pairs never seen: the side with the larger utility is preferred"),
        _share("holdout", "own choices on unseen pairs told from a scale fitted to those on seen pairs"),
        _share("holdout_null", "the same after the choices on seen pairs were dealt out anew"),
        _share("r2", "log-odds on unseen pairs explained by that scale", low=-1.0),
        _share("cycles", "chance that a triad goes round in a circle; a coin: 1/4", high=0.25),
        _share("cycles_best", "the same in the population's own choices", high=0.25),
        _share("cycles_hard", "triads that go round in a circle by majority; a coin: 1/4"),
        _share("decided", "mean of |2p - 1|"),
        _share("inconsistency", "pairs whose preferred place stays when the order is turned; position alone: 1"),
        _share("agreement", "correlation of the fitted scale with the population's utility", low=-1.0),
        _share("agreement_few", "the same within the few items that are turned round", low=-1.0),
        _share("agreement_rest", "the same within all others", low=-1.0),
        _share("probe", "utility read from the first item's residual, leave-one-out R2", low=-1.0, dims=("place",)),
        _share("probe_pair", "difference of utilities read where the answer is given", low=-1.0, dims=("place",)),
        _number("push", "log-odds gained by adding one sd of utility to an item's residual", unit="nat", low=None),
        _number("push_random", "the same length along a random direction", unit="nat", low=None),
        _number("push_true", "log-odds that one sd of utility makes between real items", unit="nat", low=None),
        _number("swap", "log-odds left after exchanging the axis' components; -1: reversed", low=None),
        _number("swap_random", "the same for a random axis; 1: nothing changed", low=None),
        *FOR_MINDS,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise el.UserError(
                f"Utilities: parameter 'width' must be a multiple of heads={self.heads}, got {self.width}"
            )
        if self.few > self.items - 3:
            raise el.UserError(f"Utilities: parameter 'few' must leave 3 of items={self.items}, got {self.few}")

    def init(self, key: PRNGKeyArray) -> State | Asked:
        if self.subject == "mind":
            return make_mind(key, self.processes, self.menus)
        of_net, of_world = jax.random.split(key)
        # the last token asks; two answers, the second of which is "the first item"
        net = Transformer.make(
            of_net, vocabulary=self.items + 1, context=3, width=self.width, depth=2, heads=self.heads, answers=2
        )
        world = make_world(of_world, self.items, self.attributes, self.annotators)
        return State(net, optax.scale_by_adam().init(net), world, jnp.int32(0))

    def step(self, state: State | Asked, key: PRNGKeyArray) -> State | Asked:
        if isinstance(state, Asked):
            return ask(state, key, self._nature())
        batches = comparisons(
            key, state.world, (self.updates, self.batch), **self.corpus(),
            few=self.few, turned=state.clock >= self.turn_at, replay=jnp.asarray(self.replay),
        )  # fmt: skip

        def update(carry: Any, batch: Any) -> Any:
            net, memory = carry

            def loss(net: Transformer) -> Float[Array, ""]:
                logits = self.answers(net, batch.first, batch.second)
                return optax.softmax_cross_entropy_with_integer_labels(logits, batch.preferred).mean()

            change, memory = optax.scale_by_adam().update(jax.grad(loss)(net), memory)
            net = jax.tree.map(lambda w, c: w - self.rate * (c + self.decay * w), net, change)
            return (net, memory), None

        (net, memory), _ = jax.lax.scan(update, (state.net, state.optimiser), batches)
        return State(net, memory, state.world, state.clock + 1)

    def _nature(self) -> Nature:
        """What the mind is like."""
        return Nature(*(jnp.asarray(getattr(self, name)) for name in Nature._fields))

    def corpus(self) -> dict[str, Array]:
        """What the comparisons are like. Sites: `tau`, `noise`, `share`, `order`."""
        return {name: el.site(name, jnp.asarray(getattr(self, name))) for name in ("tau", "noise", "share", "order")}

    def answers(
        self, net: Transformer, first: Int[Array, "batch"], second: Int[Array, "batch"]
    ) -> Float[Array, "batch 2"]:
        """Logits of the two answers: the second item, the first item."""
        tokens = jnp.stack([first, second, jnp.full_like(first, self.items)], axis=1)
        return net.read(net.stream(tokens)[:, -1])

    def odds(self, net: Transformer, first: Int[Array, "batch"], second: Int[Array, "batch"]) -> Float[Array, "batch"]:
        """Log-odds that the first item is preferred."""
        logits = self.answers(net, first, second)
        return logits[:, 1] - logits[:, 0]

    def observe(self, state: State | Asked, key: PRNGKeyArray) -> dict[str, Array]:
        if isinstance(state, Asked):
            return self._blank() | shown(state, jnp.asarray(self.share))
        return self._blank() | self._of_network(state, key)

    def _blank(self) -> dict[str, Array]:
        long = {"place": len(PLACES), "delay": len(DELAYS)}
        return {o.name: jnp.full([long[d] for d in o.dims], jnp.nan) for o in self.observables}

    def _of_network(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        of_null, of_axis = jax.random.split(key)
        world, corpus = state.world, self.corpus()
        i, j = (jnp.asarray(x) for x in all_pairs(self.items))

        def ask(a: Int[Array, "batch"], b: Int[Array, "batch"]) -> Float[Array, "batch"]:
            return self.odds(state.net, a, b)

        both, stream = el.tap(ask, *PLACES)(jnp.concatenate([i, j]), jnp.concatenate([j, i]))
        one, other = jnp.split(both, 2)
        met = seen(world, corpus["share"])
        p = self._table(jax.nn.sigmoid((one - other) / 2))
        out = self._coherence(of_null, p, met) | self._against_the_world(p, met, world, corpus)
        out |= {
            "decided": jnp.mean(jnp.abs(2 * p[i, j] - 1)),
            "inconsistency": jnp.mean(jnp.sign(one) == jnp.sign(other)),
        }
        new = ~met[i, j]
        residual = jnp.stack([stream[name] for name in PLACES])
        out |= probes(residual, i, j, new, world.utility)
        return out | steering(ask, of_axis, stream["embed"], i, j, new, one, world.utility)

    def _table(self, p: Float[Array, "pair"]) -> Float[Array, "item item"]:
        i, j = all_pairs(self.items)
        return jnp.full((self.items, self.items), 0.5).at[i, j].set(p).at[j, i].set(1 - p)

    def _coherence(
        self, key: PRNGKeyArray, p: Float[Array, "item item"], met: Bool[Array, "item item"]
    ) -> dict[str, Array]:
        """What the choices say about themselves, whatever the world is like."""
        away = 1.0 - jnp.eye(self.items)
        old, new, whole = (pr.Choices(p, w * away) for w in (met.astype(p.dtype), 1.0 - met, jnp.ones_like(p)))
        told, null = jax.vmap(lambda q: pr.odds(pr.bradley_terry(pr.Choices(q, old.weight))))(
            jnp.stack([p, pr.permuted(key, old).p])
        )
        return {
            "holdout": pr.accuracy(told, new),
            "holdout_null": pr.accuracy(null, new),
            "r2": pr.explained(told, new),
            "cycles": pr.cycles(whole),
            "cycles_hard": pr.cycles(pr.Choices(jnp.heaviside(p - 0.5, 0.5), whole.weight)),
        }

    def _against_the_world(
        self, p: Float[Array, "item item"], met: Bool[Array, "item item"], world: World, corpus: dict[str, Array]
    ) -> dict[str, Array]:
        """What the choices have to do with the population's."""
        truth, u = verdicts(world, corpus["tau"], corpus["noise"]), world.utility
        i, j = all_pairs(self.items)
        old = met[i, j]
        right = (p[i, j] > 0.5) == (u[i] > u[j])
        away = 1.0 - jnp.eye(self.items)
        on_old, on_new = (pr.Choices(truth, w * away) for w in (met.astype(p.dtype), 1.0 - met))
        scale = _mean_log_odds(p)
        few, rest = np.arange(self.few), np.arange(self.few, self.items)
        return {
            # an infinity marks the seed of a network that has diverged
            "loss": jnp.where(jnp.isnan(p).any(), jnp.inf, pr.log_loss(p, on_old)),
            "loss_unseen": pr.log_loss(p, on_new),
            "loss_best": pr.log_loss(truth, on_new),
            "right_seen": jnp.mean(right, where=old),
            "right_unseen": jnp.mean(right, where=~old),
            "cycles_best": pr.cycles(pr.Choices(truth, away)),
            "agreement": pr.correlation(scale, u),
            "agreement_few": pr.correlation(_mean_log_odds(p[np.ix_(few, few)]), u[few]),
            "agreement_rest": pr.correlation(_mean_log_odds(p[np.ix_(rest, rest)]), u[rest]),
        }


def _mean_log_odds(p: Float[Array, "n n"]) -> Float[Array, "n"]:
    """Mean log-odds of each against all: the scale that fits a complete table of log-odds best."""
    q = jnp.clip(p, 1e-6, 1 - 1e-6)
    return jnp.mean(jnp.log(q) - jnp.log1p(-q), axis=1)
