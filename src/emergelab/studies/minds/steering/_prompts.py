"""How a bandit is told, in two wordings, and what else is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["NEUTRAL", "SURE", "UNSURE", "WORDINGS", "History", "Wording"]

History = tuple[tuple[int, int], ...]
"""What has happened: (arm, points), oldest first."""

SURE, UNSURE = "certain", "unsure"

NEUTRAL = (
    "The river rises in the hills north of the town and reaches the sea after ninety miles. In spring it carries the "
    "water of melting snow, and the meadows on both sides stand under water for some weeks. Farmers bring in the hay "
    "in June. In the old mill beside the bridge there is a small museum, which shows how paper was made by hand."
)
"""A text that has nothing to do with choosing: how much a model's reading of it changes is the damage done."""


@dataclass(frozen=True)
class Wording:
    """A story around a bandit.

    Attributes:
        names: of arms; two are drawn for each seed.
        intro: with places for both names.
        line: one pull, with places for its arm's name and its points.
        nothing: what stands where nothing has happened yet.
        question: which arm next.
        doubt: how sure one is.
    """

    names: tuple[str, ...]
    intro: str
    line: str
    nothing: str
    question: str
    doubt: str

    def prompt(self, history: History, names: Sequence[str], *, doubt: bool = False) -> str:
        """The question at a history, as a text to be continued.

        Not as a turn of a conversation: of what SmolLM2 would say, a third falls on the letters this way, and a tenth
        the other way.
        """
        lines = [self.line.format(names[arm], points) for arm, points in history] or [self.nothing]
        question = self.doubt if doubt else self.question
        return "\n".join([self.intro.format(*names), *lines, question])


WORDINGS = {
    "machines": Wording(
        ("Amber", "Birch", "Coral", "Delta", "Ember", "Flint", "Grove", "Hazel"),
        "You play two slot machines, {0} and {1}. Each pays points around a mean of its own, which nobody tells you. "
        "You want as many points as possible.\nPulls so far:",
        "{0} paid {1}",
        "none",
        "Which machine do you pull next?",
        "How sure are you which machine is better?",
    ),
    "methods": Wording(
        ("Index", "Jigsaw", "Ladder", "Mosaic", "Outline", "Puzzle", "Quartet", "Ribbon"),
        "You can revise for tests by two methods, {0} and {1}. Each leads to marks around a mean of its own, which "
        "nobody tells you. You want the best marks.\nTests so far:",
        "{0}: {1} marks",
        "none",
        "Which method do you use next?",
        "How sure are you which method is better?",
    ),
}
