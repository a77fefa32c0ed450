"""What a player is told and asked, in three wordings of the same content.

Two wordings tell the game as it is, at length and in brief; the third tells of two bakers with the same numbers, for a
model that has read about the dilemma may recite instead of decide. Options are single letters without meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emergelab.lm import Turn

__all__ = ["TOLD", "WORDINGS", "Wording"]

Payoffs = Sequence[Sequence[float]]
TOLD = ("rounds", "fallible", "may end")
"""What is said beside the rules: the number of rounds; besides that the other errs; a chance that the game ends."""


@dataclass(frozen=True)
class Wording:
    """One way to tell a game.

    Attributes:
        begin: what is played; holds {a}, {b} (the options) and {length}.
        known, open_end: the length of the game, with {rounds}; a chance {stop} in per cent that it ends.
        errs: said of an opponent that makes mistakes.
        rule: one outcome; holds {mine}, {theirs}, {own}, {other}.
        past: one round that was played; holds {round} besides.
        now: the present round; holds {round}.
        predict, think, choose: asked for a prediction; told one ({predicted}) and asked; just asked.
    """

    begin: str
    known: str
    open_end: str
    errs: str
    rule: str
    past: str
    now: str
    predict: str
    think: str
    choose: str

    def prompt(
        self,
        names: Sequence[str],
        first: int,
        own: Payoffs,
        other: Payoffs,
        mine: Sequence[int],
        theirs: Sequence[int],
        rounds: int,
        told: str,
        stop: float,
        asked: str,
        predicted: int | None,
    ) -> tuple[Turn, ...]:
        """All that a player reads before it decides.

        Args:
            names: letters of the moves 0 and 1.
            first: the move that is named first.
            own, other: payoffs as [own move, other's move].
            mine, theirs: moves so far.
            rounds: rounds of the match.
            told: one of `TOLD`.
            stop: chance of the end that is stated, in [0, 1].
            asked: "prediction" or "move".
            predicted: the other's move that the player is said to expect, if any.
        """
        order = (first, 1 - first)
        length = self.known.format(rounds=rounds)
        if told == "may end":
            length = self.open_end.format(stop=f"{100 * stop:g}")
        begin = self.begin.format(a=names[order[0]], b=names[order[1]], length=length)
        if told == "fallible":
            begin = f"{begin} {self.errs}"
        rules = [self._told(self.rule, names, m, t, own, other) for m in order for t in order]
        past = [
            self._told(self.past, names, m, t, own, other, k + 1)
            for k, (m, t) in enumerate(zip(mine, theirs, strict=True))
        ]
        question = self.predict if asked == "prediction" else self.choose
        if asked == "move" and predicted is not None:
            question = self.think.format(predicted=names[predicted])
        lines = [*rules, *past, self.now.format(round=len(mine) + 1), question]
        return Turn("system", begin), Turn("user", "\n".join(lines))

    def _told(
        self, line: str, names: Sequence[str], mine: int, theirs: int, own: Payoffs, other: Payoffs, round_: int = 0
    ) -> str:
        pays = {"own": f"{own[mine][theirs]:g}", "other": f"{other[mine][theirs]:g}"}
        return line.format(mine=names[mine], theirs=names[theirs], round=round_, **pays)


_PLAIN = Wording(
    begin="You play a game with another player, always the same one. In each round both of you choose option {a} or "
    "option {b} at the same time, and win points. {length} Win as many points as you can.",
    known="The game has {rounds} rounds.",
    open_end="After each round the game ends with a chance of {stop} %.",
    errs="The other player makes a mistake now and then.",
    rule="If you choose {mine} and the other player chooses {theirs}: you win {own}, the other wins {other}.",
    past="Round {round}: you chose {mine}, the other player chose {theirs}; you won {own}, the other won {other}.",
    now="This is round {round}.",
    predict="Which option do you expect the other player to choose?",
    think="You expect the other player to choose {predicted} now. Which option is then the best for you?",
    choose="Which option do you choose?",
)

_BRIEF = Wording(
    begin="Two players choose {a} or {b} at once, again and again. {length} Get many points.",
    known="{rounds} rounds.",
    open_end="Each round may be the last, with a chance of {stop} %.",
    errs="The other errs at times.",
    rule="You {mine}, other {theirs}: {own} for you, {other} for the other.",
    past="Round {round}: you {mine}, other {theirs}: {own} for you, {other} for the other.",
    now="Round {round} now.",
    predict="What will the other choose?",
    think="The other will choose {predicted}, you think. What is best for you?",
    choose="Your choice?",
)

_MARKET = Wording(
    begin="You are a baker. Each morning you and the baker across the street bring one kind of bread to the market, "
    "kind {a} or kind {b}, and neither knows what the other brings. {length} Earn as many coins as you can.",
    known="The market lasts {rounds} days.",
    open_end="After each day there is a chance of {stop} % that the market closes for good.",
    errs="The other baker sometimes loads the wrong bread.",
    rule="On a day when you bring {mine} and the other baker brings {theirs}, you earn {own} coins and the other "
    "{other}.",
    past="On day {round} you brought {mine} and the other baker brought {theirs}: {own} coins for you, {other} for the "
    "other.",
    now="Day {round} begins.",
    predict="Which kind, do you think, will the other baker bring?",
    think="You think that the other baker will bring {predicted} today. Which kind had you best bring?",
    choose="Which kind do you bring?",
)

WORDINGS = {"plain": _PLAIN, "brief": _BRIEF, "market": _MARKET}
"""The wordings by name."""
