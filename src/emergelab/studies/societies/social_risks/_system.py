"""One small society for each risk, behind one face."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.errors import ParameterError

from . import _committee, _handoff, _market, _sharing, _small

__all__ = ["ORGANISMS", "SocialRisks"]

Number = Any
Choice = Any


class Organism(NamedTuple):
    """A society by its three verbs; the first argument is the system that holds the parameters."""

    init: Callable[[Any, PRNGKeyArray], PyTree]
    step: Callable[[Any, Any, PRNGKeyArray], PyTree]
    observe: Callable[[Any, Any, PRNGKeyArray], dict[str, Array]]


ORGANISMS: dict[str, Organism] = {
    "market": Organism(_market.init, _market.step, _market.observe),
    "queue": Organism(_sharing.init, _sharing.queue_step, _sharing.queue_observe),
    "commons": Organism(_sharing.init, _sharing.commons_step, _sharing.commons_observe),
    "committee": Organism(_committee.init, _committee.step, _committee.observe),
    "handoff": Organism(_handoff.init, _handoff.step, _handoff.observe),
    "disclosure": Organism(_small.disclosure_init, _small.disclosure_step, _small.disclosure_observe),
    "roles": Organism(_small.roles_init, _small.roles_step, _small.roles_observe),
}
_SHAPES = {"response": (_market.LAGS,), "recall": (_handoff.HOPS,)}


def _seen(name: str, about: str, low: float | None = None, high: float | None = None) -> el.Observable:
    return el.Observable(name, unit="1", about=about, low=low, high=high, nan_ok=True)


class SocialRisks(el.System):
    """One step is a block of rounds of one society, whichever `organism` names."""

    organism: str = el.choice("market", options=tuple(ORGANISMS), about="which society", static=True)
    block: int = el.static(100, low=1, high=100_000, about="rounds a step")
    rule: Choice = el.choice("as it is", options=("as it is", "changed"), about="the rules that all play by")
    safeguard: Number = el.param(0.0, low=0.0, high=1.0, about="how far each agent is told to behave")
    policy: Choice = el.choice("learner", options=("learner", "control"), about="queue, commons, disclosure: who acts")
    rate: Number = el.param(0.15, low=0.0, high=1.0, about="learners: step of learning")
    fading: Number = el.param(2e-5, low=0.0, high=1.0, about="learners: how fast curiosity fades, per decision")
    patience: Number = el.param(0.95, low=0.0, high=0.999, about="market: weight of the next round")
    memory: Number = el.param(1, low=0, high=1, about="market: whether sellers see what was charged last")
    seller: Choice = el.choice("learner", options=("learner", "reply"), about="market: who sets prices")
    honest: Number = el.param(0, low=0, high=2, about="market: sellers replaced by ones that reply best")
    sellers: int = el.static(2, low=2, high=3, about="market: sellers")
    prices: int = el.static(15, low=2, high=30, about="market: prices to choose from")
    agents: int = el.static(20, low=2, high=1000, about="queue, commons: agents")
    slots: Number = el.param(5, low=1, high=1000, about="queue: cheap slots at each tick")
    dear: Number = el.param(0.4, low=0.0, high=1.0, about="queue: worth of a dear slot; a cheap one is worth 1")
    capacity: Number = el.param(12.0, low=0.1, high=1e4, about="commons: units that can be served at full speed")
    voters: int = el.static(7, low=3, high=15, about="committee: voters, an odd number")
    quality: Number = el.param(0.6, low=0.51, high=0.99, about="committee: chance that a signal is right")
    expert: Number = el.param(0.9, low=0.51, high=0.99, about="committee: the same of the one expert")
    talks: Number = el.param(2, low=0, high=4, about="committee: rounds of talk")
    conformity: Number = el.param(0.6, low=0.0, high=1.0, about="committee: pull of a unanimous majority, a round")
    leader: Number = el.param(0, low=0, high=1, about="committee: whether the first voter is a leader who errs")
    deference: Number = el.param(0.0, low=0.0, high=1.0, about="committee: chance to follow the first voter, a round")
    voter: Choice = el.choice(
        "conform", options=("conform", "best vote", "cascade"), about="committee: how opinions form and are counted"
    )
    facts: int = el.static(10, low=1, high=1000, about="handoff: facts of a message")
    values: int = el.static(8, low=2, high=1000, about="handoff: values that a fact can have")
    loss: Number = el.param(0.03, low=0.0, high=1.0, about="handoff: chance a hop that a fact is lost and guessed")
    pull: Number = el.param(0.05, low=0.0, high=1.0, about="handoff: chance a hop that one hears what one expects")
    slip: Number = el.param(0.0, low=0.0, high=1.0, about="handoff: chance a hop of any other error")
    mode: Number = el.param(0.4, low=0.01, high=0.99, about="handoff: chance of the expected value")
    check: Number = el.param(0.9, low=0.0, high=1.0, about="handoff, rule changed: errors that a checksum finds")
    projects: int = el.static(3, low=2, high=100, about="disclosure: projects")
    seats: int = el.static(5, low=2, high=50, about="roles: agents and roles")
    taker: Choice = el.choice(
        "first free", options=("at random", "first free", "stay or move"), about="roles: what those who clash do"
    )

    observables = (
        _seen("index", "the pathology: 0 is none", high=1),
        _seen("price", "market: mean price", low=0),
        _seen("undercut", "market: what the shock takes off a price, on the scale of competition to monopoly"),
        _seen("punished", "market: how far the other goes down in the three rounds after it"),
        _seen("returned", "market: how far it is from before, after fourteen rounds", low=0),
        _seen("gain", "market: discounted profit that the shock brings, in rounds of profit"),
        el.Observable("response", ("lag",), "1", about="market: the other's price after the shock", nan_ok=True),
        _seen("concentration", "queue: chance that two slots are the same agent's", 0, 1),
        _seen("shut_out", "queue: agents with less than a tenth of their share", 0, 1),
        _seen("asked", "commons: units that an agent asks for", low=0),
        _seen("alone", "commons: what the same agents would lose, each alone", 0, 1),
        _seen("accuracy", "committee: votes that are right", 0, 1),
        _seen("swayed", "committee: voters who were right, outnumbered, and went over", 0, 1),
        _seen("lost", "committee: questions lost by the vote where only a minority with the expert was right", 0, 1),
        _seen("lost_best", "committee: the same of the best vote", 0, 1),
        _seen("expert_keeps", "committee: outnumbered experts who stay with the truth", 0, 1),
        _seen("slope", "handoff: slope of expected values at the end on those at the start"),
        _seen("attractor", "handoff: share of expected values that a chain leaves as it is"),
        el.Observable("recall", ("hop",), "1", about="handoff: facts still right after each hop", nan_ok=True),
        _seen("exaggerates", "disclosure: mean exaggeration", low=0),
        _seen("rounds", "roles: rounds until all have one, fifty at most", low=0),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.voters, int) and self.voters % 2 == 0:
            raise ParameterError(f"SocialRisks: parameter 'voters' must be odd, got {self.voters}")

    def init(self, key: PRNGKeyArray) -> PyTree:
        """The society before its first round."""
        return ORGANISMS[self.organism].init(self, key)

    def step(self, state: PyTree, key: PRNGKeyArray) -> PyTree:
        """A block of rounds."""
        return ORGANISMS[self.organism].step(self, state, key)

    def observe(self, state: PyTree, key: PRNGKeyArray) -> dict[str, Array]:
        """What this society shows; what only others show is undefined."""
        shown = ORGANISMS[self.organism].observe(self, state, key)
        nothing = {o.name: jnp.full(_SHAPES.get(o.name, ()), jnp.nan) for o in self.observables}
        return nothing | {name: jnp.asarray(value, jnp.float32) for name, value in shown.items()}
