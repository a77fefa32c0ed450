"""The language of predicates: what a sentence such as "speed(self) > 0.3 for 5" is made of, its words and its units.

A predicate is a tree of the classes below and nothing else. It is read by `_behaviours_parser`, and measured on tracks
by `_behaviours_truth`; no text of a user is ever run as code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

__all__ = [
    "QUANTITIES", "RELATIONS", "And", "Compare", "Inside", "Lasting", "Node", "Not", "Or", "Point", "Quantity", "Then",
    "Variable", "dyadic", "number", "say", "scaled", "size", "text", "units", "walk",
]  # fmt: skip


@dataclass(frozen=True)
class Term:
    """A word of the language.

    Attributes:
        points: how many agents it is about.
        numbers: names of the numbers that follow them.
        default: what the last number is if it is not written; None: it must be.
        region: whether it takes a region after the agents.
        unit: with L for the unit of length and T for that of time.
        about: in plain words; {0} and {1} are the agents, then come the numbers.
    """

    points: int
    numbers: tuple[str, ...] = ()
    default: float | None = None
    region: bool = False
    unit: str = ""
    about: str = ""


QUANTITIES: dict[str, Term] = {
    "speed": Term(1, unit="L/T", about="the speed of {0}"),
    "acceleration": Term(1, unit="L/T^2", about="the change of speed of {0}"),
    "turning": Term(1, unit="degrees/T", about="how fast the heading of {0} turns"),
    "distance": Term(2, unit="L", about="the distance from {0} to {1}"),
    "gap": Term(2, unit="L", about="the smallest distance between any parts of {0} and {1}"),
    "closing": Term(2, unit="L/T", about="the speed at which {0} and {1} come nearer"),
    "heading_difference": Term(2, unit="degrees", about="the angle between the headings of {0} and {1}"),
    "bearing": Term(2, unit="degrees", about="the angle between where {0} faces and where {1} is"),
    "trailing": Term(
        2, ("lag",), unit="degrees",
        about="the angle between the heading of {0} and that of {1} {2} earlier, on the trail of {1}",
    ),
    "nearest": Term(1, unit="L", about="the distance from {0} to the nearest other agent"),
    "neighbours": Term(1, ("radius",), unit="agents", about="the number of other agents within {1} of {0}"),
}  # fmt: skip
"""What can be measured and compared with a number."""

RELATIONS: dict[str, Term] = {
    "approaching": Term(2, about="closing(a, b) > 0"),
    "facing": Term(2, ("angle",), 30.0, about="bearing(a, b) < angle"),
    "contact": Term(2, ("reach",), about="gap(a, b) < reach"),
    "following": Term(2, ("lag", "angle"), 45.0, about="trailing(a, b, lag) < angle"),
    "freezing": Term(1, ("speed",), about="speed(a) < speed"),
    "inside": Term(1, region=True, about="a is in the region"),
    "dwell": Term(1, ("time",), region=True, about="inside(a, region) for time"),
}
"""What is true or false by itself: short for the sentence in ``about``."""


@dataclass(frozen=True)
class Point:
    """Whom a quantity is about: "self", "other" or the name of an agent; the mean of all its parts or one of them."""

    who: str
    named: bool = False
    part: str | None = None

    def __str__(self) -> str:
        return (_quoted(self.who) if self.named else self.who) + (f".{self.part}" if self.part else "")


@dataclass(frozen=True)
class Quantity:
    """One of `QUANTITIES` of one or two agents."""

    name: str
    points: tuple[Point, ...]
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True)
class Variable:
    """A variable of the data, of one agent."""

    name: str
    point: Point


@dataclass(frozen=True)
class Compare:
    """A quantity beside a threshold. It is entered at ``value`` and left at ``leave`` where that is given."""

    what: Quantity | Variable
    sign: str
    value: float | str
    leave: float | None = None


@dataclass(frozen=True)
class Inside:
    """An agent is in a named region."""

    point: Point
    region: str


@dataclass(frozen=True)
class Not:
    """The opposite; unknown stays unknown."""

    inner: Node


@dataclass(frozen=True)
class And:
    """Both."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Or:
    """One or both."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Lasting:
    """It holds, and has held or will hold, for this time on end."""

    inner: Node
    time: float


@dataclass(frozen=True)
class Then:
    """A bout of the first, and one of the second that begins after it began and at most ``within`` after it ended."""

    first: Node
    second: Node
    within: float


Node = Compare | Inside | Not | And | Or | Lasting | Then


def parts(node: Node) -> tuple[Node, ...]:
    """The predicates that a predicate is made of."""
    if isinstance(node, Not | Lasting):
        return (node.inner,)
    if isinstance(node, And | Or):
        return (node.left, node.right)
    if isinstance(node, Then):
        return (node.first, node.second)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for part in parts(node):
        yield from walk(part)


def size(node: Node) -> int:
    """Number of nodes."""
    return sum(1 for _ in walk(node))


def points(node: Node) -> tuple[Point, ...]:
    """The agents that one node itself speaks of."""
    if isinstance(node, Inside):
        return (node.point,)
    if isinstance(node, Compare):
        return node.what.points if isinstance(node.what, Quantity) else (node.what.point,)
    return ()


def dyadic(node: Node) -> bool:
    """Whether the predicate speaks of another agent, so that its bouts have a partner."""
    return any(p.who == "other" and not p.named for n in walk(node) for p in points(n))


def number(value: float) -> str:
    """A number as short as it can be without losing a digit."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _quoted(word: str) -> str:
    return f"'{word}'" if '"' in word else f'"{word}"'


def text(node: Node) -> str:
    """The sentence that is read as this tree, with every bracket that it was given in mind."""
    if isinstance(node, Compare):
        value = _quoted(node.value) if isinstance(node.value, str) else number(node.value)
        leave = f" until {number(node.leave)}" if node.leave is not None else ""
        return f"{_measure(node.what)} {node.sign} {value}{leave}"
    if isinstance(node, Inside):
        return f"inside({node.point}, {node.region})"
    if isinstance(node, Not):
        return f"not {_bracket(node.inner)}"
    if isinstance(node, Lasting):
        return f"{_bracket(node.inner)} for {number(node.time)}"
    if isinstance(node, Then):
        return f"{_bracket(node.first)} then {_bracket(node.second)} within {number(node.within)}"
    return f"{_bracket(node.left)} {'&' if isinstance(node, And) else '|'} {_bracket(node.right)}"


def _bracket(node: Node) -> str:
    return text(node) if isinstance(node, Compare | Inside) else f"({text(node)})"


def _measure(what: Quantity | Variable) -> str:
    if isinstance(what, Variable):
        plain = what.point.who == "self" and not what.point.named
        return what.name if plain else f"{what.point}.{what.name}"
    return f"{what.name}({', '.join([*map(str, what.points), *map(number, what.numbers)])})"


_SIGNS = {">": "above", ">=": "at least", "<": "below", "<=": "at most", "==": "equal to", "!=": "other than"}


def say(node: Node) -> str:
    """The predicate in plain words."""
    if isinstance(node, Compare):
        what = node.what
        if isinstance(what, Variable):
            about = f"{what.name} of {what.point}"
        else:
            about = QUANTITIES[what.name].about.format(*map(str, what.points), *map(number, what.numbers))
        value = _quoted(node.value) if isinstance(node.value, str) else number(node.value)
        leave = f" (until it passes {number(node.leave)})" if node.leave is not None else ""
        return f"{about} is {_SIGNS[node.sign]} {value}{leave}"
    if isinstance(node, Inside):
        return f"{node.point} is inside {node.region}"
    if isinstance(node, Not):
        return f"not ({say(node.inner)})"
    if isinstance(node, Lasting):
        return f"({say(node.inner)}) for {number(node.time)} on end"
    if isinstance(node, Then):
        return f"({say(node.first)}), then within {number(node.within)} ({say(node.second)})"
    return f"({say(node.left)}) {'and' if isinstance(node, And) else 'or'} ({say(node.right)})"


def units(node: Node, length: str, time: str) -> str:
    """The units of the numbers in a predicate: "speed in mm/s; times in s"."""
    told: dict[str, str] = {}
    for n in walk(node):
        if isinstance(n, Compare) and isinstance(n.what, Quantity):
            unit = QUANTITIES[n.what.name].unit
            told[n.what.name] = unit.replace("L", length or "units of length").replace("T", time or "units of time")
        if isinstance(n, Lasting | Then):
            told["times"] = time or "units of time"
    return "; ".join(f"{name} in {unit}" for name, unit in told.items())


def scaled(node: Node, thresholds: float, durations: float) -> Node:
    """The same predicate with all its thresholds, or all its times, made larger or smaller by a factor.

    Whole numbers of agents and the words of states stay as they are.
    """
    if isinstance(node, Compare) and not isinstance(node.value, str):
        if isinstance(node.what, Quantity) and QUANTITIES[node.what.name].unit == "agents":
            return node
        leave = None if node.leave is None else node.leave * thresholds
        return replace(node, value=node.value * thresholds, leave=leave)
    if isinstance(node, Not):
        return Not(scaled(node.inner, thresholds, durations))
    if isinstance(node, Lasting):
        return Lasting(scaled(node.inner, thresholds, durations), node.time * durations)
    if isinstance(node, Then):
        first, second = (scaled(n, thresholds, durations) for n in (node.first, node.second))
        return Then(first, second, node.within * durations)
    if isinstance(node, And | Or):
        return type(node)(scaled(node.left, thresholds, durations), scaled(node.right, thresholds, durations))
    return node
