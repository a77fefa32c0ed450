"""One player in a handful of matches, asked through `emergelab.lm.decide`; a step is a round of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

import emergelab as el
from emergelab.games import matrix
from emergelab.lm import RATES, Ask, Choice, count, decide, rates

from ._policies import POLICIES, moved
from ._prompts import TOLD, WORDINGS

__all__ = ["LETTERS", "PARTNERS", "RIVALS", "THINK", "RepeatedGamesLM"]

RIVALS = (
    "false-defector", "tit-for-tat", "reverse", "hard", "grim", "suspicious", "two-tats", "never", "social",
    "prober-20",
)  # fmt: skip
"""Opponents in the prisoner's dilemma, in the order in which they are taken."""
PARTNERS = ("alternate-second", "alternate", "second", "win-stay", "fictitious", "predict")
"""Those who play the Battle of the Sexes, in the order in which they are taken."""
LETTERS = ("G", "N", "P", "U", "X", "Y", "Z")
"""Names of options: letters that name no rank and are no words."""
THINK = ("no", "predict", "noise", "truth")
"""Whether a prediction comes before the move, and what stands for it then."""
_after, _alternating = jax.jit(matrix.defects_after), jax.jit(matrix.alternating)
_RESCALED = ((3.0, 4.0), (2.0, 7.0))  # factor and addend for the player's payoffs and for the other's


class RepeatedGamesLM(el.HostSystem):
    """A player meets rivals in the dilemma, partners in the battle, and fictitious play in a few ordinal games."""

    rounds: int = el.static(10, low=2, high=100, about="rounds of a match; steps beyond do nothing")
    dilemmas: int = el.static(4, low=1, high=len(RIVALS), about="rivals in the prisoner's dilemma")
    battles: int = el.static(2, low=1, high=len(PARTNERS), about="partners in the Battle of the Sexes")
    ordinals: int = el.static(4, low=0, high=144, about="ordinal games, drawn for each seed")
    policy: str = el.choice("model", options=tuple(POLICIES), static=True, about="who decides")
    think: str = el.choice("no", options=THINK, static=True, about="what the player is said to expect of the other")
    wording: str = el.choice("plain", options=tuple(WORDINGS), static=True, about="how the game is told")
    payoffs: str = el.choice(
        "given", options=("given", "rescaled"), static=True, about="payoffs as the player sees them"
    )
    stakes: str = el.choice("10-7", options=tuple(matrix.STAKES), static=True, about="what the battle pays")
    told: str = el.choice("rounds", options=TOLD, static=True, about="what is said of the other and of the end")
    stop: float = el.param(0.4, low=0.0, high=1.0, about="stated chance that a round is the last, where it may end")

    observables = (
        el.Observable("score", unit="1", about="share of the most that games can pay", low=0, high=1, nan_ok=True),
        el.Observable("dilemma_score", unit="1", about="the same in the dilemma", low=0, high=1, nan_ok=True),
        el.Observable("battle_score", unit="1", about="the same in the battle", low=0, high=1, nan_ok=True),
        el.Observable("ordinal_score", unit="1", about="the same in ordinal games", low=0, high=1, nan_ok=True),
        el.Observable("defection", unit="1", about="share of defections in the dilemma", low=0, high=1, nan_ok=True),
        el.Observable("provoked", unit="1", about="the same after an old defection, forgiven last", nan_ok=True),
        el.Observable("clean", unit="1", about="the same where the other never defected", nan_ok=True),
        el.Observable("last_flip", unit="1", about="the same in the last round, after cooperating", nan_ok=True),
        el.Observable("coordination", unit="1", about="share of rounds with the same move in the battle", nan_ok=True),
        el.Observable("alternation", unit="1", about="share of its rounds in which both change", nan_ok=True),
        el.Observable("accuracy", unit="1", about="share of predictions that come true", nan_ok=True),
        el.Observable("heeded", unit="1", about="share of moves that are best against what is expected", nan_ok=True),
        el.Observable("first_named", unit="1", about="share of moves to the option that is named first", nan_ok=True),
        *RATES,
    )  # fmt: skip

    async def init(self, seed: int) -> Any:
        """The matches with the names of their options; nothing is played."""
        rng = np.random.default_rng([seed, 144])
        sampled = rng.choice(len(matrix.ORDINAL), self.ordinals, replace=False)
        games = [
            *(("dilemma", rival, matrix.DILEMMA) for rival in RIVALS[: self.dilemmas]),
            *(("battle", partner, matrix.battle(*matrix.STAKES[self.stakes])) for partner in PARTNERS[: self.battles]),
            *((f"game {g + 1}", "fictitious", matrix.ORDINAL[g]) for g in sampled),
        ]
        matches = []
        for game, opponent, payoffs in games:
            names = [str(x) for x in rng.choice(LETTERS, 2, replace=False)]
            matches.append(
                {"game": game, "opponent": opponent, "payoffs": payoffs.astype(float).tolist(), "names": names,
                 "first": int(rng.integers(2)), "mine": [], "theirs": [], "expected": []}
            )  # fmt: skip
        return {"matches": matches, "tally": {}}

    async def step(self, state: Any, context: Any) -> Any:
        """One round of all matches: the opponents' moves, what is expected of them, the player's moves."""
        matches, tally = state["matches"], state["tally"]
        if len(matches[0]["mine"]) >= self.rounds:
            return state
        draws = context.rng.random((2, len(matches)))
        theirs = context.site(
            "theirs", np.array([self._opponent(m, float(u)) for m, u in zip(matches, draws[0], strict=True)], np.int32)
        )
        expected: list[int | None] = [None] * len(matches)
        if self.think == "predict":
            expected = list(await self._ask(matches, "prediction", expected, tally, context))
        elif self.think == "noise":
            expected = [int(u >= 0.5) for u in draws[1]]
        elif self.think == "truth":
            expected = [int(t) for t in theirs]
        if self.think != "no":
            expected = [int(x) for x in context.site("prediction", np.array(expected, np.int32))]
        mine = context.site("mine", np.array(await self._ask(matches, "move", expected, tally, context), np.int32))
        for match, move, reaction, thought in zip(matches, mine, theirs, expected, strict=True):
            match["mine"].append(int(move))
            match["theirs"].append(int(reaction))
            match["expected"].append(thought)
        return state

    async def observe(self, state: Any, context: Any) -> Mapping[str, Any]:
        """Scores and signatures of all rounds so far, and how many answers had to be repaired or replaced."""
        nothing = {o.name: float("nan") for o in self.observables}
        matches = state["matches"]
        if not matches[0]["mine"]:
            return nothing | rates(state["tally"])
        return nothing | self._seen(matches) | rates(state["tally"])

    # -- decisions --------------------------------------------------------------------------------------------------

    def _opponent(self, match: Mapping[str, Any], draw: float) -> int:
        own, other = _sides(match, 1)
        return moved(match["opponent"], own, other, match["theirs"], match["mine"], self.rounds, draw)

    async def _ask(
        self,
        matches: list[dict[str, Any]],
        asked: str,
        expected: list[int | None],
        tally: dict[str, int],
        context: Any,
    ) -> list[int]:
        """Moves of the player, or what it expects of the others, in all matches at once."""
        asks = [self._one(m, asked, x) for m, x in zip(matches, expected, strict=True)]
        decisions = await decide(POLICIES[self.policy], asks, context)
        count(tally, decisions)
        return [m["names"].index(d.value) for m, d in zip(matches, decisions, strict=True)]

    def _one(self, match: Mapping[str, Any], asked: str, expected: int | None) -> Ask:
        own, other = _sides(match, 0)
        if self.payoffs == "rescaled":
            own, other = ((a * np.asarray(x) + b).tolist() for x, (a, b) in zip((own, other), _RESCALED, strict=True))
        names, first = match["names"], match["first"]
        # Copies: what was known is on record, and the match goes on.
        mine, theirs = list(match["mine"]), list(match["theirs"])
        observation = {
            "own": own, "other": other, "mine": mine, "theirs": theirs, "names": names, "first": first,
            "rounds": self.rounds, "asked": asked, "predicted": expected,
        }  # fmt: skip
        prompt = WORDINGS[self.wording].prompt(
            names, first, own, other, mine, theirs, self.rounds, self.told, float(self.stop), asked, expected
        )
        options = (names[first], names[1 - first])
        agent = f"{match['game']} with {match['opponent']}"
        return Ask(agent, Choice(options), options[0], prompt, observation, f"{self.wording}/{asked}")

    # -- what can be seen -------------------------------------------------------------------------------------------

    def _seen(self, matches: list[dict[str, Any]]) -> dict[str, float]:
        dilemmas = [m for m in matches if m["game"] == "dilemma"]
        battles = [m for m in matches if m["game"] == "battle"]
        others = [m for m in matches if m["game"].startswith("game")]
        played = len(matches[0]["mine"])
        provoked, clean = _after(*_histories(dilemmas, self.rounds), played)
        flips = [m["mine"][-1] for m in dilemmas if played == self.rounds and m["mine"][-2] == 0]
        thoughts = [(m, k, x) for m in matches for k, x in enumerate(m["expected"]) if x is not None]
        came_true = [x == m["theirs"][k] for m, k, x in thoughts]
        heeded = [m["payoffs"][m["mine"][k]][x][0] >= m["payoffs"][1 - m["mine"][k]][x][0] for m, k, x in thoughts]
        return {
            "score": _mean([_score(m) for m in matches]),
            "dilemma_score": _mean([_score(m) for m in dilemmas]),
            "battle_score": _mean([_score(m) for m in battles]),
            "ordinal_score": _mean([_score(m) for m in others]),
            "defection": _mean([x for m in dilemmas for x in m["mine"]]),
            "provoked": _mean(_known(provoked)),
            "clean": _mean(_known(clean)),
            "last_flip": _mean(flips),
            "coordination": _mean([a == b for m in battles for a, b in zip(m["mine"], m["theirs"], strict=True)]),
            "alternation": _mean(_known(_alternating(*_histories(battles, self.rounds), played))),
            "accuracy": _mean(came_true) if self.think == "predict" else float("nan"),
            "heeded": _mean(heeded),
            "first_named": _mean([x == m["first"] for m in matches for x in m["mine"]]),
        }


def _sides(match: Mapping[str, Any], player: int) -> tuple[list[list[float]], list[list[float]]]:
    """Payoffs as one side sees them: its own and the other's, [own move, other's move]."""
    payoffs = np.asarray(match["payoffs"])
    own, other = payoffs[..., player], payoffs[..., 1 - player]
    return (own.tolist(), other.tolist()) if player == 0 else (own.T.tolist(), other.T.tolist())


def _histories(matches: list[dict[str, Any]], rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Moves of both sides [match, round], 0 in rounds to come."""
    out = np.zeros((2, len(matches), rounds), np.int32)
    for k, match in enumerate(matches):
        out[:, k, : len(match["mine"])] = match["mine"], match["theirs"]
    return out[0], out[1]


def _score(match: Mapping[str, Any]) -> float:
    """What was won of the most that there was to win."""
    payoffs = np.asarray(match["payoffs"])[..., 0]
    return float(payoffs[match["mine"], match["theirs"]].mean() / payoffs.max())


def _known(values: Any) -> list[float]:
    return [float(x) for x in values if x == x]


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
