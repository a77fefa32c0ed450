"""Pairs who play a signalling game; a step is one play of every pair."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el

from . import _measures as ms
from . import _rules as rl

__all__ = ["MOST", "Pairs", "Signalling"]

MOST = 8
"""States at most: what is shown of codes has room for so many."""
SPAN = 500
"""Plays after which a code is compared with what it was."""


class Pairs(eqx.Module):
    """Independent pairs of a speaker and a listener.

    Attributes:
        speaker: of each state, its weights (urns), values or probabilities of signals.
        listener: the same of acts after each signal.
        before: the speaker's likeliest signals at the last multiple of `SPAN` plays.
        earlier: the same one multiple before.
        played: plays so far.
    """

    speaker: Float[Array, "pair state signal"]
    listener: Float[Array, "pair signal act"]
    before: Int[Array, "pair state"]
    earlier: Int[Array, "pair state"]
    played: Int[Array, ""]


class Signalling(el.System):
    """Nature draws a state, the speaker a signal, the listener an act; both are paid if the act fits the state."""

    states: int = el.static(4, low=2, high=MOST, about="states, signals and acts")
    pairs: int = el.static(100, low=1, high=100_000, about="independent pairs of one seed")
    rule: str = el.choice("roth-erev", options=rl.RULES, about="how both learn")
    majority: float = el.param(0.0, low=0.0, high=0.999, unit="1", about="chance of the first state; 0: all alike")
    weight: float = el.param(1.0, low=1e-3, high=1e3, about="roth-erev: balls of each kind at the start")
    forgetting: float = el.param(0.0, low=0.0, high=0.99, unit="1", about="roth-erev: balls of an urn lost at a draw")
    punishment: float = el.param(0.0, low=0.0, high=100.0, about="roth-erev: balls taken out after failure")
    least: float = el.param(0.01, low=1e-6, high=1.0, about="roth-erev: balls of each kind that remain")
    rate: float = el.param(0.1, low=0.0, high=1.0, unit="1", about="all but urns: how fast they learn")
    temperature: float = el.param(0.1, low=1e-3, high=100.0, about="q-learning: of the softmax")
    inertia: float = el.param(0.5, low=0.0, high=1.0, unit="1", about="win-stay: chance to stay after failure")

    observables = (
        el.Observable("success", unit="1", about="chance that an act fits, mean of all pairs", low=0.0, high=1.0),
        el.Observable("spread", ("quantile",), "1", "success of pairs: 10, 50 and 90 %", 0.0, 1.0),
        el.Observable("reached", unit="1", about="pairs with success above 0.95", low=0.0, high=1.0),
        el.Observable("pooling", unit="1", about="pairs whose likeliest code fails in some state", low=0.0, high=1.0),
        el.Observable("code", unit="1", about="success of the likeliest codes", low=0.0, high=1.0),
        el.Observable("levels", ("right",), "1", "pairs whose likeliest code is right in 0 to 8 states", 0.0, 1.0),
        el.Observable("scrambled", unit="1", about="success with the signals of other plays", low=0.0, high=1.0),
        el.Observable("blind", unit="1", about="the best success without signals", low=0.0, high=1.0),
        el.Observable("information", unit="bit", about="what a signal tells of the state", low=0.0),
        el.Observable("heeded", unit="bit", about="what a signal tells of the act", low=0.0),
        el.Observable("used", unit="1", about="signals that are the likeliest one in some state", low=0.0),
        el.Observable("stability", unit="1", about="states with the likeliest signal of 500 plays before", low=0.0,
                      high=1.0, nan_ok=True),
        el.Observable("says", ("state",), "", "likeliest signal in each state, first pair; -1: no such state"),
        el.Observable("does", ("signal",), "", "likeliest act after each signal, first pair; -1: no such signal"),
    )  # fmt: skip

    def prior(self) -> Float[Array, "state"]:
        """Chances of states."""
        others = (1.0 - jnp.asarray(self.majority)) / (self.states - 1)
        skewed = jnp.full(self.states, others).at[0].set(self.majority)
        return jnp.where(jnp.asarray(self.majority) > 0, skewed, 1.0 / self.states)

    def init(self, key: PRNGKeyArray) -> Pairs:
        """Urns alike, values 0; habits at random for win-stay, probabilities at random for the replicator."""
        shape = (2, self.pairs, self.states, self.states)
        random = jax.random.exponential(key, shape)
        random = random / random.sum(axis=-1, keepdims=True)
        habit = jax.nn.one_hot(random.argmax(axis=-1), self.states)
        fixed = jnp.asarray([self.weight, 1.0 / self.states, 0.0])[jnp.minimum(self.rule, 2)]
        both = jnp.where(self.rule == 4, random, jnp.where(self.rule == 3, habit, fixed))
        none = jnp.full((self.pairs, self.states), -1, jnp.int32)
        return Pairs(both[0], both[1], none, none, jnp.int32(0))

    def chances(self, state: Pairs) -> tuple[Float[Array, "pair state signal"], Float[Array, "pair signal act"]]:
        """Probabilities of signals in each state and of acts after each signal."""
        values, temperature = jnp.asarray(self.rule) == 2, jnp.asarray(self.temperature)
        one, other = (rl.chances(x, values, temperature) for x in (state.speaker, state.listener))
        return one, other

    def step(self, state: Pairs, key: PRNGKeyArray) -> Pairs:
        """One play of every pair.

        Sites: `speaker` and `listener` (tables before the play), `prior`, `state`, `signal`, `act` (what happens),
        `reward` (1 or 0), `speaker.change` and `listener.change` (what is learnt from the play).
        """
        state = eqx.tree_at(
            lambda s: (s.speaker, s.listener), state,
            (el.site("speaker", state.speaker), el.site("listener", state.listener)),
        )  # fmt: skip
        u = jax.random.uniform(key, (self.pairs, 5))
        prior = el.site("prior", self.prior())
        nature = el.site("state", rl.drawn(u[:, 0], jnp.broadcast_to(prior, (self.pairs, self.states))))
        hears, says = self._played(state.speaker, nature, u[:, 1])
        signal = el.site("signal", says)
        answers, does = self._played(state.listener, signal, u[:, 2])
        act = el.site("act", does)
        won = el.site("reward", (act == nature).astype(jnp.float32))
        # Tables of all pairs, exponentials and all: only where the replicator is asked for.
        grown = el.when(jnp.asarray(self.rule == 4), rl.replicated,
                        (state.speaker, state.listener, prior, jnp.asarray(self.rate)),
                        (state.speaker, state.listener))  # fmt: skip
        after = []
        for name, table, mean, seen, old, did, chance in (
            ("speaker", state.speaker, grown[0], nature, hears, signal, u[:, 3]),
            ("listener", state.listener, grown[1], signal, answers, act, u[:, 4]),
        ):
            new = self._learnt(old, jax.nn.one_hot(did, self.states), won, chance)
            played = jax.nn.one_hot(seen, self.states)[:, :, None] * (new - old)[:, None]
            change = el.site(f"{name}.change", jnp.where(self.rule == 4, mean - table, played))
            after.append(table + change)
        played = state.played + 1
        now = ms.likeliest(after[0])
        marks = played % SPAN == 0
        before, earlier = (jnp.where(marks, x, y) for x, y in ((now, state.before), (state.before, state.earlier)))
        return Pairs(after[0], after[1], before, earlier, played)

    def _played(
        self, table: Float[Array, "pair seen option"], seen: Int[Array, "pair"], chance: Float[Array, "pair"]
    ) -> tuple[Float[Array, "pair option"], Int[Array, "pair"]]:
        """What each player makes of what it sees: its row, and the option that it takes."""
        row = (jax.nn.one_hot(seen, self.states)[:, :, None] * table).sum(axis=1)
        return row, rl.drawn(chance, rl.chances(row, jnp.asarray(self.rule) == 2, jnp.asarray(self.temperature)))

    def _learnt(
        self, rows: Float[Array, "pair option"], did: Float[Array, "pair option"], won: Float[Array, "pair"],
        chance: Float[Array, "pair"],
    ) -> Float[Array, "pair option"]:  # fmt: skip
        """Rows after a play, by the rule in force."""
        rate = jnp.asarray(self.rate)
        forgetting, punishment, least = (jnp.asarray(x) for x in (self.forgetting, self.punishment, self.least))
        ways = (
            rl.roth_erev(rows, did, won, forgetting, punishment, least),
            rl.bush_mosteller(rows, did, won, rate),
            rl.q_learning(rows, did, won, rate),
            rl.win_stay(rows, did, won, jnp.asarray(self.inertia), chance),
        )
        out = ways[0]
        for k, way in enumerate(ways[1:], 1):
            out = jnp.where(self.rule == k, way, out)
        return out

    def observe(self, state: Pairs, key: PRNGKeyArray) -> dict[str, Array]:
        """All of it exact, from the players' probabilities; nothing is played."""
        prior = self.prior()
        says, does = self.chances(state)
        success = ms.success(prior, says, does)
        signal, act = ms.likeliest(says), ms.likeliest(does)
        right = ms.right(signal, act)
        failing = right.sum(axis=1) < self.states
        now = jnp.where((state.earlier < 0).all(), jnp.nan, (state.before == state.earlier).mean())
        room = (0, MOST - self.states)
        return {
            "success": success.mean(),
            "spread": jnp.quantile(success, jnp.array([0.1, 0.5, 0.9])),
            "reached": (success > 0.95).mean(),
            "pooling": failing.mean(),
            "code": (right * prior).sum(axis=1).mean(),
            "levels": jax.nn.one_hot(right.sum(axis=1), MOST + 1).mean(axis=0),
            "scrambled": ms.scrambled(prior, says, does).mean(),
            "blind": prior.max(),
            "information": ms.information(prior, says).mean(),
            "heeded": ms.information((prior[:, None] * says).sum(axis=1), does).mean(),
            "used": (jax.nn.one_hot(signal, self.states).max(axis=1)).sum(axis=1).mean(),
            "stability": now,
            "says": jnp.pad(signal[0], room, constant_values=-1).astype(jnp.float32),
            "does": jnp.pad(act[0], room, constant_values=-1).astype(jnp.float32),
        }
