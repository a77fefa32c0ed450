"""What people are told and asked, in three wordings of the same content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emergelab.lm import Turn

__all__ = ["WORDINGS", "Wording"]


@dataclass(frozen=True)
class Wording:
    """One way to put things. All hold {name} and {time}.

    Attributes:
        who: what everybody is told first; holds {others}.
        recalls: how memories are brought up; holds {memories}.
        nothing: said instead where none is.
        plan: where to be next; holds {usual}.
        meets: what to do on a meeting; holds {other} and {place}.
        says: what to say; holds {other} and {place}.
        rates: how important something is; holds {text}.
        reflects: what follows from the memories.
        evening: where to go.
        knows: whether one has heard of the party.
    """

    who: str
    recalls: str
    nothing: str
    plan: str
    meets: str
    says: str
    rates: str
    reflects: str
    evening: str
    knows: str

    def turns(self, question: str, memories: Sequence[str], **values: object) -> tuple[Turn, ...]:
        """A prompt: who one is, what comes to mind, and the question (a field of the wording)."""
        listed = "\n".join(f"- {m}" for m in memories)
        told = (self.recalls if memories else self.nothing).format(memories=listed, **values)
        asked = getattr(self, question).format(**values)
        before = "" if question == "rates" else f"{told}\n"
        return Turn("system", self.who.format(**values)), Turn("user", f"{before}{asked}")


_PLAIN = Wording(
    who="You are {name} and live in a small town with {others}. It is {time}. Act as {name} would.",
    recalls="This comes to your mind:\n{memories}",
    nothing="Nothing special comes to your mind.",
    plan="At this hour you are usually at the {usual}. Where will you be?",
    meets="You are at the {place} and see {other}. Do you continue with what you are doing, join {other} for the next "
    "hour, or talk to {other}?",
    says="You are at the {place} and talk to {other}. Tell {other} your news in one sentence.",
    rates="How important is this to you, from 1 (everyday) to 10 (decides a life)? {text}",
    reflects="What do you conclude from this? Write one sentence.",
    evening="The day's work is done. Where do you go now?",
    knows="Have you heard of a party today?",
)
_BRIEF = Wording(
    who="{name}, of a small town. Neighbours: {others}. Time: {time}.",
    recalls="{name} remembers:\n{memories}",
    nothing="{name} remembers nothing in particular.",
    plan="Usual place now: the {usual}. Next place?",
    meets="{name} meets {other} at the {place}. Continue, join or talk?",
    says="What does {name} tell {other} at the {place}? One sentence.",
    rates="Importance from 1 to 10: {text}",
    reflects="What follows? One sentence.",
    evening="Work is over. Where next?",
    knows="Does {name} know of a party today?",
)
_STAGE = Wording(
    who="We are on stage. You play {name}; the other players are {others}. The clock on the wall shows {time}.",
    recalls="{name} thinks back:\n{memories}",
    nothing="{name} thinks of nothing.",
    plan="In every play so far {name} stood at the {usual} at this hour. Where does {name} stand tonight?",
    meets="{other} enters the {place}, where {name} is. Does {name} continue, join {other}, or talk to {other}?",
    says="{name} turns to {other} and shares some news. Speak the line.",
    rates="Asked what it means to {name}, from 1 to 10: {text}",
    reflects="{name} steps to the front and says what it all comes to, in one line.",
    evening="The day ends. Where does {name} go?",
    knows="Does {name} know of any party today?",
)
WORDINGS = {"plain": _PLAIN, "brief": _BRIEF, "stage": _STAGE}
"""The wordings by name."""
