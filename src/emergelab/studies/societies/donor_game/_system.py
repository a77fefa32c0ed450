"""The society: agents with numeric strategies, two games a generation, selection and reproduction."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.errors import ParameterError
from emergelab.games import donor as rules
from emergelab.games.inequality import gini

__all__ = ["DonorGame", "Society"]


class Society(eqx.Module):
    """A generation that is about to play, and what the one before did.

    Attributes:
        theta: strategies of those who play next.
        parents: whom each of them comes from.
        gave: mean fraction that each member of the last generation gave.
        generation: generations that have played.
        seen: what is shown of the last generation.
    """

    theta: Float[Array, "agent 8"]
    parents: Int[Array, "agent"]
    gave: Float[Array, "agent"]
    generation: Int[Array, ""]
    seen: dict[str, Float[Array, ""]]


class Moves(eqx.Module):
    """The moves of one round or of several: what the donors heard and did."""

    kind: Int[Array, "*rounds seat"]
    given: Float[Array, "*rounds seat"]
    trace: Float[Array, "*rounds seat 3"]
    heard: Int[Array, "*rounds seat"]


SEEN = (
    el.Observable("giving", unit="1", about="mean fraction given in the last generation", low=0, high=1),
    el.Observable("g1", unit="1", about="mean fraction given in the first generation", low=0, high=1),
    el.Observable("resources", about="mean final resources of the last generation, both games", low=0),
    el.Observable("resources_game1", about="mean final resources of game 1", low=0),
    el.Observable("resources_game2", about="mean final resources of game 2", low=0),
    el.Observable("gini", unit="1", about="inequality of final resources, both games", low=0, high=1),
    el.Observable("punish_rate", unit="1", about="share of moves that punish or refuse", low=0, high=1),
    el.Observable("slope", unit="1", about="slope of the fraction on what the recipient gave last"),
    el.Observable("second_slope", unit="1", about="slope on what the recipient's recipient had given, beside it"),
    el.Observable("disposition", unit="1", about="what its strategies would give in six set situations", low=0, high=1),
    el.Observable("favoured", unit="1", about="change of disposition by who has successors"),
    el.Observable("selection", unit="1", about="Price: change of giving by who has successors"),
    el.Observable("transmission", unit="1", about="Price: change of giving from parent to successor"),
)


class DonorGame(el.System):
    """One step is one generation: both games, selection, reproduction."""

    agents: int = el.static(12, low=4, high=200, about="agents of a generation, an even number")
    generosity: float = el.param(0.5, low=0.0, high=1.0, about="prior: mean fraction given")
    discrimination: float = el.param(2.0, low=-4.0, high=8.0, about="prior: mean weight of the newest gossip")
    tolerance: float = el.param(0.1, low=-1.0, high=1.0, about="prior: mean giving below which one is punished")
    variety: float = el.param(0.25, low=0.0, high=2.0, about="prior: standard deviation of first strategies")
    sigma: float = el.param(0.05, low=0.0, high=2.0, about="error with which a newborn copies a survivor")
    length: int = el.param(3, low=0, high=3, about="steps of gossip that are passed on")
    gain: float = el.param(2.0, low=0.0, high=10.0, about="units received for one donated")
    loss: float = el.param(2.0, low=0.0, high=10.0, about="units lost for one spent on punishing")
    endowment: float = el.param(10.0, low=0.0, high=1e3, about="resources at the start of a game")
    noise: float = el.param(0.0, low=0.0, high=1.0, about="standard deviation of errors in what is given")
    lies: float = el.param(0.0, low=0.0, high=1.0, about="chance that a round's gossip is dealt out at random")
    grid: float = el.param(0.0, low=0.0, high=1.0, about="step of the fractions that can be given; 0 is any")
    selection: str = el.choice("top", options=("top", "random"), about="who survives")
    scoring: str = el.choice("both", options=("both", "game 2"), about="which games count for survival")
    mechanism: str = el.choice("none", options=("none", "costly punishment", "partner choice"), about="other moves")
    invader: str = el.choice("none", options=("none", "defector", "giver"), about="who replaces one agent")
    invasion: int = el.param(5, low=0, high=10_000, about="generations played before the invader comes")

    observables = (
        *(el.Observable(o.name, o.dims, o.unit, o.about, o.low, o.high, nan_ok=True) for o in SEEN),
        el.Observable("success", unit="1", about="whether more than half was given", nan_ok=True),
        el.Observable("spread", unit="1", about="standard deviation of strategies, mean over parameters", low=0),
        el.Observable("strategy", dims=("parameter",), about="mean strategy of those who play next"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.agents, int) and self.agents % 2:
            raise ParameterError(f"DonorGame: parameter 'agents' must be even, got {self.agents}")

    def init(self, key: PRNGKeyArray) -> Society:
        """A first generation with strategies of its own, nothing played."""
        n = self.agents
        theta = rules.prior(key, n, self.generosity, self.discrimination, self.tolerance, self.variety)
        nothing = jnp.full(n, jnp.nan)
        return Society(theta, jnp.arange(n), nothing, jnp.int32(0), {o.name: jnp.float32(jnp.nan) for o in SEEN})

    def step(self, state: Society, key: PRNGKeyArray) -> Society:
        """Play both games, select, reproduce."""
        draws = rules.draws_of(key, self.agents)
        theta = self._invaded(state.theta, state.generation)
        final, gave, moves = self._play(theta, draws)
        games = el.site("score", jnp.where(self.scoring == 0, final, jnp.stack([final[1], final[1]])))
        parents = rules.parents_of(draws.lot, draws.choice, games.sum(axis=0), self.selection == 0)
        seen = self._seen(state, final, gave, moves) | self._favoured(theta, parents)
        born = el.site("born", rules.offspring(theta, parents, self.sigma * draws.mutation))
        return Society(born, parents, gave, state.generation + 1, seen)

    def observe(self, state: Society, key: PRNGKeyArray) -> dict[str, Array]:
        """What the last generation did, and the strategies of the next."""
        giving = state.seen["giving"]
        return state.seen | {
            "success": jnp.where(jnp.isnan(giving), jnp.nan, giving > 0.5),
            "spread": jnp.mean(jnp.std(state.theta, axis=0)),
            "strategy": jnp.mean(state.theta, axis=0),
        }

    def _invaded(self, theta: Float[Array, "agent 8"], generation: Int[Array, ""]) -> Float[Array, "agent 8"]:
        """The first agent becomes one that always or never gives, and never punishes."""
        gift = jnp.where(self.invader == 2, 1.0, 0.0)
        stranger = jnp.zeros(len(rules.PARAMETERS)).at[:2].set(gift).at[6].set(-1.0)
        comes: Bool[Array, ""] = (self.invader > 0) & (generation == self.invasion)
        return theta.at[0].set(jnp.where(comes, stranger, theta[0]))

    def _play(
        self, theta: Float[Array, "agent 8"], draws: rules.Draws
    ) -> tuple[Float[Array, "2 agent"], Float[Array, "agent"], Moves]:
        """Both games: final resources, mean fraction given by each agent, and all moves."""
        n = self.agents
        slips, subjects = self.noise * draws.slip, self._subjects(draws)

        def one_round(table: rules.Table, now: tuple[Array, Array, Array, Array]) -> tuple[rules.Table, Moves]:
            game, turn, slip, subject = now
            side = rules.side_of(turn, game, n)
            trace = el.site("gossip", table.trace[1 - side][el.site("subject", subject)])
            heard = jnp.minimum(table.known[1 - side], self.length)
            kind, wish = rules.act(theta[table.who[side]], trace, heard, self.length, self.mechanism, slip, self.grid)
            kind, fraction = el.site("kind", kind), el.site("fraction", wish)
            given = jnp.where(kind == rules.DONATE, fraction, 0.0)
            after = rules.settle(table, side, kind, fraction, self.gain, self.loss)
            return after, Moves(kind, given, trace, heard)

        def one_game(_: None, now: tuple[Array, Array, Array]) -> tuple[None, tuple[Array, Array, Moves]]:
            game, slip, subject = now
            table = rules.seat(draws.order, self.endowment)
            rounds = (jnp.broadcast_to(game, n), jnp.arange(n), slip, subject)
            end, moves = el.site_scan(one_round, table, rounds)
            return None, (rules.by_agent(end, end.resources), rules.by_agent(end, end.given), moves)

        _, (final, given, moves) = el.site_scan(one_game, None, (jnp.arange(2), slips, subjects))
        return final, given.sum(axis=0) / n, moves

    def _subjects(self, draws: rules.Draws) -> Int[Array, "2 round seat"]:
        """Whose past each donor is told: that of the recipient opposite, or, with lies, that of anyone on its side."""
        true = jnp.arange(draws.whom.shape[-1])
        return jnp.where(draws.lied < self.lies, jnp.argsort(draws.whom, axis=-1), true)

    def _favoured(self, theta: Float[Array, "agent 8"], parents: Int[Array, "agent"]) -> dict[str, Float[Array, ""]]:
        would = rules.disposition(theta)
        return {"disposition": jnp.mean(would), "favoured": jnp.mean(would[parents]) - jnp.mean(would)}

    def _seen(
        self, state: Society, final: Float[Array, "2 agent"], gave: Float[Array, "agent"], moves: Moves
    ) -> dict[str, Float[Array, ""]]:
        giving = jnp.mean(gave)
        slope, second = rules.slopes(moves.given, moves.trace, moves.heard)
        selection, transmission = rules.price(state.gave, state.parents, gave)
        both = final.mean(axis=0)
        return {
            "giving": giving,
            "g1": jnp.where(state.generation == 0, giving, state.seen["g1"]),
            "resources": jnp.mean(both),
            "resources_game1": jnp.mean(final[0]),
            "resources_game2": jnp.mean(final[1]),
            "gini": gini(both),
            "punish_rate": jnp.mean(moves.kind != rules.DONATE),
            "slope": slope,
            "second_slope": second,
            "selection": selection,
            "transmission": transmission,
        }
