"""The Donor Game written a second time, the plain way: lists, names and loops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Player:
    theta: list[float]
    resources: float
    trace: list[float] = field(default_factory=list)
    given: list[float] = field(default_factory=list)


def fraction(theta: list[float], trace: list[float]) -> float:
    stranger, base, *weights, centre, _, _ = theta
    wish = stranger if not trace else base + sum(w * (x - centre) for w, x in zip(weights, trace, strict=False))
    return min(max(wish, 0.0), 1.0)


def pairings(order: list[int], second_game: bool) -> list[list[tuple[int, int]]]:
    """Rounds of (donor, recipient): B is rotated by one each round, and roles alternate; then once more, reversed."""
    half = len(order) // 2
    a, b = order[:half], order[half:]
    rounds = []
    for i in range(half):
        pairs = [(a[j], b[(j + i) % half]) for j in range(half)]
        rounds.append(pairs if i % 2 == 0 else [(y, x) for x, y in pairs])
    rounds += [[(y, x) for x, y in pairs] for pairs in rounds]
    return [[(y, x) for x, y in pairs] for pairs in rounds] if second_game else rounds


def play(theta: list[list[float]], order: list[int], second_game: bool, **rules: Any) -> list[Player]:
    """One game; `rules`: length, mechanism ("none", "punish", "refuse"), gain, loss."""
    players = [Player(t, 10.0) for t in theta]
    for pairs in pairings(order, second_game):
        moves = []
        for d, r in pairs:
            donor, recipient = players[d], players[r]
            heard = recipient.trace[: rules["length"]]
            move, f = "donate", fraction(donor.theta, heard)
            if rules["mechanism"] != "none" and heard and heard[0] < donor.theta[6]:
                move = rules["mechanism"]
                f = min(max(donor.theta[7], 0.0), 1.0)
            moves.append((donor, recipient, move, f))
        for donor, recipient, move, f in moves:
            spent = f * donor.resources
            if move != "refuse":
                donor.resources -= spent
            if move == "donate":
                recipient.resources += rules["gain"] * spent
            elif move == "punish":
                recipient.resources = max(0.0, recipient.resources - rules["loss"] * spent)
            gave = f if move == "donate" else 0.0
            donor.given.append(gave)
            donor.trace = [gave, *recipient.trace][:3]
    return players
