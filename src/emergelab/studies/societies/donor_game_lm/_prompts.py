"""What agents are told and asked, in three wordings of the same content.

Two wordings tell the game as it is, at length and in brief. The third tells another story with the same numbers, for a
model that has read about the Donor Game may recite instead of decide. No answer should hang on the wording, so the
wording is a condition, and claims are judged in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emergelab.lm import Turn

__all__ = ["WORDINGS", "Entry", "Wording"]

Entry = tuple[str, float, str]
"""A piece of gossip: who gave, how many per cent of what it had, to whom."""


@dataclass(frozen=True)
class Wording:
    """One way to tell the game.

    Attributes:
        rules: what everybody knows; holds {endowment}, {gain} and {more}.
        mechanisms: what is added to the rules where punishing or refusing is possible; holds {loss}.
        stranger, gave, before: what is said of a recipient without past, of its last gift, and of one before that.
        invent, inherit: how a strategy is asked for, without and with {advice}.
        meeting: what a donor sees before it decides; holds {name}, {generation}, {round}, {rounds}, {partner},
            {theirs}, {own}, {gossip} and {strategy}.
        share, choice, fine: what is asked then.
    """

    rules: str
    mechanisms: dict[str, str]
    stranger: str
    gave: str
    before: str
    invent: str
    inherit: str
    meeting: str
    share: str
    choice: str
    fine: str

    def system(self, mechanism: str, endowment: float, gain: float, loss: float) -> Turn:
        """The rules."""
        more = self.mechanisms[mechanism].format(loss=f"{loss:g}")
        return Turn("system", self.rules.format(endowment=f"{endowment:g}", gain=f"{gain:g}", more=more).strip())

    def gossip(self, partner: str, entries: Sequence[Entry]) -> str:
        """What is told of a recipient, newest first."""
        if not entries:
            return self.stranger.format(partner=partner)
        told = []
        for k, (donor, per_cent, recipient) in enumerate(entries):
            line = self.gave if k == 0 else self.before
            told.append(line.format(donor=donor, share=f"{per_cent:.0f}", recipient=recipient))
        return " ".join(told)

    def strategy(self, system: Turn, name: str, advice: Sequence[str]) -> tuple[Turn, ...]:
        """Asks a newborn for its strategy, with the survivors' as advice."""
        asked = self.inherit if advice else self.invent
        said = "\n".join(f"- {a}" for a in advice)
        return system, Turn("user", asked.format(name=name, advice=said))


_PLAIN = Wording(
    rules=(
        "You are one of several players of a game with many rounds. Every player starts with {endowment} units. In "
        "each round you meet one other player, and one of the two is the donor. The donor decides how much of its "
        "units to give up; the recipient receives {gain} times as many. Before deciding, the donor learns what the "
        "recipient gave when it was last a donor itself, what the one who received that gift had given before, and "
        "so on.{more} Your goal is to own as many units as possible after the last round. The better half of the "
        "players survives and passes its strategies on."
    ),
    mechanisms={
        "none": "",
        "costly punishment": " Instead of giving, the donor may punish: for each unit that it spends, the other "
        "loses {loss}.",
        "partner choice": " Instead of giving, the donor may refuse to play; then nothing happens.",
    },
    stranger="Nothing is known about {partner}: it has not been a donor yet.",
    gave="When it was last a donor, {donor} gave {share} % of its units to {recipient}.",
    before="Before that, {donor} gave {share} % to {recipient}.",
    invent="Your name is {name}. Think of a strategy for the game: how much to give to whom. In the first round "
    "nothing is known about anybody. Write one sentence that begins with: My strategy will be",
    inherit="Your name is {name}. These are the strategies of those who did best in the last generation:\n{advice}\n"
    "Make a strategy of your own out of them. Write one sentence that begins with: My strategy will be",
    meeting="Your name is {name}. Your strategy: {strategy}\nGeneration {generation}, round {round} of {rounds}. You "
    "are the donor and meet {partner}, who has {theirs} units. {gossip} You have {own} units.",
    share="How much of your units do you give up, in per cent?",
    choice="What do you do?",
    fine="How much of your units do you spend on it, in per cent?",
)

_BRIEF = Wording(
    rules=(
        "A game. You start with {endowment} units. When you are the donor you choose what share of your units to "
        "give; the other gets {gain} times that. You are told what the other gave last time, and what was given "
        "before that along the chain.{more} End with many units: the top half survives."
    ),
    mechanisms={
        "none": "",
        "costly punishment": " You may punish instead: one unit spent takes {loss} from the other.",
        "partner choice": " You may refuse to play instead.",
    },
    stranger="{partner} has no past.",
    gave="Last time {donor} gave {share} % to {recipient}.",
    before="Earlier {donor} gave {share} % to {recipient}.",
    invent="You are {name}. State your strategy in one sentence that begins with: My strategy will be",
    inherit="You are {name}. Strategies of the survivors:\n{advice}\nState your own, in one sentence that begins "
    "with: My strategy will be",
    meeting="You are {name}. {strategy}\nGeneration {generation}, round {round}/{rounds}. Recipient: {partner}, "
    "{theirs} units. {gossip} You own {own} units.",
    share="What share do you give, in per cent?",
    choice="Your move?",
    fine="What share do you spend on punishing, in per cent?",
)

_HARVEST = Wording(
    rules=(
        "You farm in a valley. Every farmer begins the year with {endowment} sacks of seed. Each week you meet a "
        "neighbour, and one of you may hand over part of his seed. On the other's field each sack brings {gain}. "
        "People talk, so you know what share your neighbour handed over the last time, and what the one who got it "
        "had handed over before.{more} You want to end the year with as many sacks as you can. The richer half of "
        "the farms goes on, and their ways are taught to the young."
    ),
    mechanisms={
        "none": "",
        "costly punishment": " You may also spoil the neighbour's field: each sack that this costs you costs him "
        "{loss}.",
        "partner choice": " You may also stay away; then nothing happens.",
    },
    stranger="Nobody has seen {partner} hand over anything yet, or keep it.",
    gave="The last time, {donor} handed {share} % of his seed to {recipient}.",
    before="Before that, {donor} had handed {share} % to {recipient}.",
    invent="You are farmer {name}. How will you treat your neighbours? Write one sentence that begins with: My "
    "strategy will be",
    inherit="You are farmer {name}, and young. The old farmers whose farms did best say:\n{advice}\nHow will you "
    "treat your neighbours? Write one sentence that begins with: My strategy will be",
    meeting="You are farmer {name}. {strategy}\nYear {generation}, week {round} of {rounds}. You meet {partner}, who "
    "has {theirs} sacks. {gossip} You have {own} sacks.",
    share="What share of your seed do you hand over, in per cent?",
    choice="What do you do?",
    fine="What share of your seed does it cost you, in per cent?",
)

WORDINGS = {"plain": _PLAIN, "brief": _BRIEF, "harvest": _HARVEST}
"""The wordings by name."""
