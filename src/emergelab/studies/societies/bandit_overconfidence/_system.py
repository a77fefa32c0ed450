"""The system of the study `bandit-overconfidence`: a transformer learns to play bandits from the games of others."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games import bandits as rules
from emergelab.nn import steering
from emergelab.nn.transformer import Transformer

from ._agent import ANSWERS, LABELS, TASKS, THERE, VOCABULARY, words, written
from ._measure import PLAYERS, VARIANTS, Probe, measures
from ._teachers import Mix, lessons

DOSES = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
TEMPERATURES = (0.5, 1.0, 1.5, 2.0)


class State(eqx.Module):
    """The network and its optimiser's memory."""

    net: Transformer
    optimiser: optax.OptState


def _bits(name: str, about: str, *dims: str, **more: Any) -> el.Observable:
    return el.Observable(name, unit="bit", about=about, dims=dims, **more)


def _share(name: str, about: str, *dims: str, **more: Any) -> el.Observable:
    return el.Observable(name, unit="1", about=about, dims=dims, **more)


class InContextBandit(el.System):
    """One step is one gradient step on fresh games of teachers; what is observed is the network at play."""

    rounds: int = el.static(12, low=4, high=200, about="pulls of a game, T")
    width: int = el.static(32, low=4, high=1024, about="of the residual stream; a multiple of heads")
    depth: int = el.static(3, low=1, high=12, about="blocks")
    hidden: int = el.static(64, low=1, high=4096, about="units of a block's perceptron")
    heads: int = el.static(2, low=1, high=32, about="attention heads of a block")
    batch: int = el.static(16, low=1, high=65_536, about="games in a gradient step")
    games: int = el.static(64, low=8, high=65_536, about="games behind each score")
    greedy: float = el.param(0.6, low=0.0, high=1.0, unit="1", about="share of teachers who are sure after a few pulls")
    careless: float = el.param(0.2, low=0.0, high=1.0, unit="1", about="share of epsilon-greedy ones among the others")
    epsilon: float = el.param(0.1, low=0.0, high=1.0, unit="1", about="how often those pull any arm")
    early: int = el.param(2, low=0, high=200, about="random pulls of a greedy teacher before it is sure")
    noise: float = el.param(1.0, low=0.05, high=10.0, about="standard deviation of rewards; that of arms' means is 1")
    rate: float = el.param(3e-3, low=0.0, high=1.0, about="learning rate of Adam at first")
    cooling: int = el.param(1200, low=1, high=10_000_000, about="steps in which the rate falls to a twentieth")
    doses: Any = el.param(np.array(DOSES, np.float32), low=-100.0, high=100.0, about="strengths of steering")
    dose: float = el.param(1.0, low=-100.0, high=100.0, about="strength where there is only one")
    temperatures: Any = el.param(np.array(TEMPERATURES, np.float32), low=0.01, high=100.0, about="of sampling tokens")

    observables = (
        el.Observable("loss", unit="nat", about="cross-entropy of a teacher's pull", low=0),
        el.Observable("excess", unit="nat", about="divergence from a perfect imitator, in games of teachers", low=0),
        _bits("h", "entropy of the network's choice, in its own games", "round", low=0),
        _bits("h_bayes", "entropy of Thompson's choice there", "round", low=0),
        _bits("h_ideal", "entropy of the perfect imitator's choice there", "round", low=0),
        _bits("gap", "h_bayes - h, mean from the fourth round on: overconfidence"),
        _bits("slope", "of h on how far the leading arm is ahead, per standard deviation", nan_ok=True),
        _bits("slope_bayes", "the same for Thompson's choice", nan_ok=True),
        _bits("h_dose", "entropy, steered by EAST after one block", "layer", "dose", low=0),
        _share("valid_dose", "probability of naming an arm that is there", "layer", "dose"),
        _share("doubt_dose", "probability of saying 'unsure' or 'leaning'", "layer", "dose"),
        _bits("kl_dose", "divergence of the unsteered choice from the steered one", "layer", "dose", low=0),
        _bits("h_kind", "entropy, steered along each kind of direction after the middle block", "kind", "dose", low=0),
        _bits("h_temperature", "entropy at a temperature of tokens", "temperature", low=0),
        _share("valid_temperature", "probability of naming an arm that is there", "temperature"),
        _bits("h_spread", "standard deviation of the entropy over prompts"),
        _bits("h_ablated", "mean entropy with EAST's direction flattened after the middle block"),
        _bits("h_spread_ablated", "its standard deviation over prompts"),
        _bits("transfer_base", "entropy, unsteered, in variants of the task", "variant", low=0),
        _bits("transfer_gain", "what the vector of the first variant adds to it", "variant"),
        _share("r2", "of a ridge regression of h on activations, on new prompts", "layer"),
        _share("raw_is_mean", "cosine of the uncentred EAST vector with the mean activation, middle block"),
        _share("who", "correlation along EAST with the probability that a teacher is not greedy", nan_ok=True),
        el.Observable("regret", about="summed regret of a game", dims=("player",)),
        _share("suffix_failure", "games whose second half never tries the best arm", "player"),
        el.Observable("commitment", about="round from which one arm has more than 0.95, mean", dims=("player",)),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise el.UserError(
                f"InContextBandit: parameter 'width' must be a multiple of heads={self.heads}, got {self.width}"
            )

    def init(self, key: PRNGKeyArray) -> State:
        net = Transformer.make(
            key, vocabulary=VOCABULARY, context=self.rounds + 1, width=self.width, depth=self.depth, heads=self.heads,
            hidden=self.hidden, answers=ANSWERS,
        )  # fmt: skip
        return State(net, optax.scale_by_adam().init(net))

    def step(self, state: State, key: PRNGKeyArray) -> State:
        tokens, label, word = self.lesson(key, jnp.arange(self.batch, dtype=jnp.int32) % len(TASKS))

        def loss(net: Transformer) -> Float[Array, ""]:
            logits = net(tokens)
            return (_miss(logits[..., :4], label) + _miss(logits[..., 4:], word)).mean()

        change, memory = optax.scale_by_adam().update(jax.grad(loss)(state.net), state.optimiser)
        rate = self.rate * jnp.maximum(1.0 - 0.95 * state.optimiser.count / self.cooling, 0.05)
        net = jax.tree.map(lambda w, c: w - rate * c, state.net, change)
        return State(net, memory)

    def mix(self) -> Mix:
        """The teachers. Site: `greedy`."""
        greedy = el.site("greedy", jnp.asarray(self.greedy))
        others = 1.0 - greedy
        shares = jnp.stack([others * (1.0 - self.careless), others * self.careless, greedy])
        return Mix(shares, jnp.asarray(self.epsilon), jnp.asarray(self.early, jnp.float32), jnp.asarray(self.noise))

    def lesson(
        self, key: PRNGKeyArray, task: Int[Array, "game"]
    ) -> tuple[Int[Array, "game round"], Int[Array, "game round"], Int[Array, "game round"]]:
        """Teachers' games as prompts, with the label that was pulled next and what an honest teacher would say."""
        made = lessons(key, self.mix(), jnp.asarray(THERE)[task], self.rounds)
        label = jnp.take_along_axis(jnp.asarray(LABELS)[task], made.arm, axis=1)
        word = words(rules.belief(made.before, self.noise), task)
        return written(task, made.arm, made.reward)[:, :-1], label, word

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        probe = Probe(
            net=state.net, mix=self.mix(), rounds=self.rounds, games=self.games, doses=jnp.asarray(self.doses),
            dose=jnp.asarray(self.dose), temperatures=jnp.asarray(self.temperatures),
        )  # fmt: skip
        return measures(probe, key)


def _miss(logits: Float[Array, "game round answer"], said: Int[Array, "game round"]) -> Float[Array, "game round"]:
    return optax.softmax_cross_entropy_with_integer_labels(logits, said)


KINDS = steering.KINDS
__all__ = ["DOSES", "KINDS", "PLAYERS", "TEMPERATURES", "VARIANTS", "InContextBandit"]
