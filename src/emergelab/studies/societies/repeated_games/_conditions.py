"""The conditions of the study: who plays, and what is changed about what it sees, remembers and does."""

from __future__ import annotations

from collections.abc import Mapping

import emergelab as el
from emergelab.games.matrix_players import OTHERS, SIMPLE, ZOO

GENERATIONS = 12
HEED = (0.0, 0.5, 1.0)
HURT = ("tit-for-tat", "two-tats", "generous", "hard", "grim")
_ABOUT = {
    "random": "chance",
    "level-1": "best against chance",
    "maximin": "the better worst case",
    "maximax": "where the most is to be had; insists on its favourite",
    "social": "its part of the outcome with the largest sum, always: always cooperates in the dilemma",
    "best-response": "best against the other's last move",
    "fictitious": "best against how often the other made each move",
    "win-stay": "repeats what brought at least the mean of its payoffs, else changes",
    "predict": "predicts from what followed the other's moves, then plays what is best against that",
    "tit-for-tat": "cooperates, then does as the other did",
    "two-tats": "defects after two defections in a row",
    "suspicious": "tit for tat that begins with a defection",
    "reverse": "does the opposite of what the other did",
    "hard": "defects after a defection in any of the last three rounds",
    "prober-10": "tit for tat that defects without cause, one time in ten",
    "prober-20": "the same, one time in five",
    "grim": "defects for ever after one defection",
    "false-defector": "defects once, in the first round",
    "generous": "tit for tat that overlooks a third of all defections",
    "level-2": "best against one who plays what is best against chance",
    "never": "never cooperates",
    "first": "the move that is named first, always",
    "second": "the move that is named second, always",
    "alternate": "first and second move in turn",
    "alternate-second": "the same, beginning with the second",
}


def variant(player: str, what: str) -> str:
    """Name of the condition in which something about a player is changed."""
    return f"{player}-{what}"


def heeding(share: float) -> str:
    """Name of the condition in which a prediction is heeded so often."""
    return "predict" if share == 1 else variant("predict", f"heed-{share:g}")


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out: dict[str, el.Condition] = {}

    def add(name: str, settings: Mapping[str, object], about: str, hurt: bool = False) -> None:
        # All carry the clamp, nearly all of them for no time at all: so one program serves them.
        out[name] = el.Condition(settings, (el.Clamp("theirs", 1, during=(3, 4 if hurt else 3)),), about)

    def change(player: str, what: str, about: str, **settings: object) -> None:
        add(variant(player, what), {"player": player, **settings}, about)

    for name in SIMPLE | ZOO | OTHERS:
        add(name, {"player": name}, _ABOUT[name])
    add(
        "evolved",
        {"player": "memory", "generations": GENERATIONS},
        f"remembers one round; {GENERATIONS} generations of selection against the pool in half of the games",
    )
    change("predict", "truth", "the other's true move stands for the prediction", source="truth")
    change("predict", "noise", "a coin stands for the prediction", source="noise")
    for share in HEED[:-1]:
        add(
            heeding(share),
            {"player": "predict", "heed": share},
            "predicts, and goes by it "
            + ("half of the time" if share else "never")
            + "; else insists on its favourite",
        )
    for player in ("fictitious", "social"):
        change(player, "rescaled", "sees the payoffs of each player multiplied and shifted", payoffs="rescaled")
    for player in ("level-2", "social"):
        change(player, "blind", "does not see the other's payoffs", knows="own")
    for player in ("fictitious", "predict", "win-stay", "tit-for-tat"):
        change(player, "scrambled", "remembers past rounds in random order", history="scrambled")
    for player in ("fictitious", "first"):
        change(player, "fixed", "moves of the 144 games keep the names that the map gives them", labels="fixed")
    for player in ("tit-for-tat", "generous", "grim"):
        change(player, "noise", "its hand trembles one time in ten", noise=0.1)
    for player in HURT:
        add(variant(player, "hurt"), {"player": player}, "everybody defects in round 4", hurt=True)
    return out
