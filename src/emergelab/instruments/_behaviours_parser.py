"""Reading predicates: from a sentence to a tree, or to one line that shows where the sentence goes wrong.

sentence   = either { "then" either "within" NUMBER }
either     = both { "|" both }                            also "or"
both       = single { "&" single }                        also "and"
single     = "not" single | holds [ "for" NUMBER ]        also "!" and "~"
holds      = "(" sentence ")" | RELATION "(" ... ")" | NAME | measure SIGN NUMBER [ "until" NUMBER ]
measure    = QUANTITY "(" ... ")" | [ agent "." ] VARIABLE
agent      = "self" | "other" | TEXT, each with "." PART for one part of it
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from emergelab.errors import UserError, nearest
from emergelab.instruments._behaviours_language import (
    QUANTITIES,
    RELATIONS,
    And,
    Compare,
    Inside,
    Lasting,
    Node,
    Not,
    Or,
    Point,
    Quantity,
    Term,
    Then,
    Variable,
    size,
)

__all__ = ["Known", "parse"]

_LONGEST = 2000  # characters of one predicate
_DEEPEST = 40  # brackets in brackets
_LARGEST = 200  # nodes of one predicate, with those of the predicates it names
_SHOWN = 24  # characters shown on either side of a mistake

_SIGNS = ("<=", ">=", "==", "!=", "<", ">")
_WORDS = ("and", "or", "not", "for", "until", "then", "within", "self", "other")
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
          |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
          |(?P<text>"[^"]*"|'[^']*')
          |(?P<sign><=|>=|==|!=|&&?|\|\|?|[<>!~().,+-]))""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True)
class Known:
    """The names that the data bring.

    Attributes:
        tracks: whether there are positions.
        agents: names of the agents.
        parts: names of the parts of a body (key points).
        regions: names of the regions.
        variables: name -> "number", "text" or "flag".
    """

    tracks: bool = True
    agents: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


def parse(texts: Mapping[str, str], known: Known) -> dict[str, Node]:
    """All predicates as trees; one may use another by its name.

    Raises:
        UserError: a sentence that cannot be read: one line with the place and the nearest known name.
    """
    for name in texts:
        if name in QUANTITIES or name in RELATIONS or name in _WORDS:
            raise UserError(f"behaviours: a predicate cannot be named {name!r}, that is a word of the language")
        if name in known.variables:
            raise UserError(f"behaviours: a predicate cannot be named {name!r}, that is a variable of the data")
    trees: dict[str, Node] = {}
    for name in texts:
        _named(name, texts, known, trees, ())
    return {name: trees[name] for name in texts}


def _named(name: str, texts: Mapping[str, str], known: Known, trees: dict[str, Node], open_: tuple[str, ...]) -> Node:
    if name not in trees:
        if name in open_:
            raise UserError(f"behaviours: predicates use each other in a circle: {' -> '.join([*open_, name])}")
        trees[name] = _Parser(name, texts, known, trees, (*open_, name)).sentence_alone()
    return trees[name]


@dataclass(frozen=True)
class _Token:
    kind: str  # "number", "name", "text", "sign" or "end"
    text: str
    at: int


def _shown(token: _Token) -> str:
    """A token for a message, however long it is."""
    if token.kind == "end":
        return "the end"
    word = token.text[1:-1] if token.kind == "text" else token.text
    return repr(word if len(word) <= _SHOWN else word[:_SHOWN] + "...")


class _Parser:
    """A reader of one sentence, by recursive descent."""

    def __init__(
        self, name: str, texts: Mapping[str, str], known: Known, trees: dict[str, Node], open_: tuple[str, ...]
    ) -> None:
        self.name, self.source, self.known = name, texts[name], known
        self.texts, self.trees, self.open = texts, trees, open_
        self.at, self.depth = 0, 0
        if len(self.source) > _LONGEST:
            raise UserError(f"behaviours: predicate {name!r} is longer than {_LONGEST} characters")
        self.tokens = self._tokens()

    # tokens

    def _tokens(self) -> list[_Token]:
        found, at, end = [], 0, len(self.source.rstrip())
        while at < end:
            match = _TOKEN.match(self.source, at)
            if match is None:
                at += len(self.source[at:]) - len(self.source[at:].lstrip())
                if self.source[at] in "\"'":
                    raise self._wrong(at, "a quoted word has no closing quote")
                hint = "; write == to compare" if self.source[at] == "=" else ""
                raise self._wrong(at, f"{self.source[at]!r} has no meaning here{hint}")
            kind = match.lastgroup or ""
            found.append(_Token(kind, match.group(kind), match.start(kind)))
            at = match.end()
        return [*found, _Token("end", "", end)]

    @property
    def now(self) -> _Token:
        return self.tokens[self.at]

    def _next(self) -> _Token:
        token = self.now
        self.at += token.kind != "end"
        return token

    def _is(self, *words: str) -> bool:
        return self.now.kind in ("sign", "name") and self.now.text in words

    def _take(self, *words: str) -> bool:
        found = self._is(*words)
        self.at += found
        return found

    def _expect(self, word: str, why: str) -> None:
        if not self._take(word):
            raise self._wrong(self.now.at, f"expected {word!r} {why}, got {self._told()}")

    def _told(self) -> str:
        return _shown(self.now)

    def _wrong(self, at: int, message: str) -> UserError:
        """The error, on one line, with an arrow before the place."""
        before, after = self.source[max(0, at - _SHOWN) : at], self.source[at : at + _SHOWN]
        left = ("..." if at > _SHOWN else "") + before
        right = after + ("..." if at + _SHOWN < len(self.source) else "")
        shown = "".join(c if c.isprintable() else " " for c in f"{left}>>>{right}")
        return UserError(f"behaviours: predicate {self.name!r}, character {at + 1}: {message}; at: {shown}")

    # sentences

    def sentence_alone(self) -> Node:
        node = self._sentence()
        if self.now.kind != "end":
            raise self._wrong(self.now.at, f"{self._told()} is left over")
        return node

    def _checked(self, node: Node, at: int) -> Node:
        if size(node) > _LARGEST:
            raise self._wrong(at, f"the predicate has more than {_LARGEST} parts")
        return node

    def _sentence(self) -> Node:
        node = self._either()
        while self._is("then"):
            at = self._next().at
            second = self._either()
            self._expect("within", "and a time after 'then ...'")
            node = self._checked(Then(node, second, self._time()), at)
        return node

    def _either(self) -> Node:
        node = self._both()
        while self._is("|", "||", "or"):
            at = self._next().at
            node = self._checked(Or(node, self._both()), at)
        return node

    def _both(self) -> Node:
        node = self._single()
        while self._is("&", "&&", "and"):
            at = self._next().at
            node = self._checked(And(node, self._single()), at)
        return node

    def _single(self) -> Node:
        at = self.now.at
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._wrong(at, f"more than {_DEEPEST} brackets inside each other")
        if self._take("!", "~", "not"):
            node: Node = Not(self._single())
        else:
            node = self._holds()
            while self._take("for"):
                node = Lasting(node, self._time())
        self.depth -= 1
        return self._checked(node, at)

    def _holds(self) -> Node:
        if self._take("("):
            node = self._sentence()
            self._expect(")", "to close the bracket")
            return node
        token = self.now
        if self._word_of(RELATIONS):
            return self._relation(self._next())
        if token.kind == "name" and token.text in self.texts:
            self._next()
            return _named(token.text, self.texts, self.known, self.trees, self.open)
        what = self._measure()
        kind = self.known.variables[what.name] if isinstance(what, Variable) else "number"
        if kind == "flag" and not self._is(*_SIGNS):
            return Compare(what, "!=", 0.0)
        return self._compared(what, kind)

    def _compared(self, what: Quantity | Variable, kind: str) -> Node:
        if not self._is(*_SIGNS):
            signs = "==, !=" if kind == "text" else ", ".join(_SIGNS)
            raise self._wrong(self.now.at, f"expected one of {signs} after {what.name!r}, got {self._told()}")
        sign = self._next()
        if kind == "text":
            if sign.text not in ("==", "!="):
                raise self._wrong(sign.at, f"{what.name!r} holds words, which are == or !=")
            if self.now.kind != "text":
                raise self._wrong(self.now.at, f'expected a quoted word such as "x", got {self._told()}')
            return Compare(what, sign.text, self._next().text[1:-1])
        value, leave, at = self._number(), None, self.now.at
        if self._take("until"):
            leave = self._number()
            if sign.text in ("==", "!=") or (leave > value if sign.text[0] == ">" else leave < value):
                raise self._wrong(at, "'until' must be the easier threshold: below that of > and above that of <")
        return Compare(what, sign.text, value, leave)

    # measures

    def _measure(self) -> Quantity | Variable:
        token = self.now
        if self._word_of(QUANTITIES):
            self._next()
            points, numbers, _ = self._arguments(token, QUANTITIES[token.text])
            return Quantity(token.text, points, numbers)
        if token.kind == "text" or self._is("self", "other"):
            who = self._agent()
            self._expect(".", "and a variable after the agent")
            return Variable(self._variable(), who)
        if token.kind == "name" and token.text not in _WORDS:
            return Variable(self._variable(), Point("self"))
        raise self._wrong(token.at, f"expected something to be measured, got {self._told()}")

    def _word_of(self, words: Mapping[str, Term]) -> bool:
        """Whether a word of the language comes next; a variable of the data may have the same name."""
        token = self.now
        if token.kind != "name" or token.text not in words:
            return False
        return token.text not in self.known.variables or self.tokens[self.at + 1].text == "("

    def _variable(self) -> str:
        token = self._next()
        if token.kind != "name" or token.text not in self.known.variables:
            names = {*QUANTITIES, *RELATIONS, *self.known.variables, *self.texts} - {self.name}
            raise self._wrong(token.at, f"nothing is named {_shown(token)}{nearest(token.text, names)}")
        return token.text

    def _relation(self, token: _Token) -> Node:
        points, numbers, region = self._arguments(token, RELATIONS[token.text])
        if token.text == "inside":
            return Inside(points[0], region)
        if token.text == "dwell":
            return Lasting(Inside(points[0], region), numbers[0])
        if token.text == "approaching":
            return Compare(Quantity("closing", points), ">", 0.0)
        if token.text == "following":
            return Compare(Quantity("trailing", points, numbers[:1]), "<", numbers[1])
        what = {"facing": "bearing", "contact": "gap", "freezing": "speed"}[token.text]
        return Compare(Quantity(what, points), "<", numbers[0])

    def _arguments(self, token: _Token, term: Term) -> tuple[tuple[Point, ...], tuple[float, ...], str]:
        """What stands in the brackets of a word of the language."""
        if not self.known.tracks:
            raise self._wrong(token.at, f"{token.text!r} needs positions, and the data hold none")
        who = ("a", "b")[: term.points]
        names = [*who, *(["region"] if term.region else []), *term.numbers]
        usage = f"write {token.text}({', '.join(names)})"
        if not self._take("("):
            raise self._wrong(self.now.at, f"expected '(' after {token.text!r}, got {self._told()}; {usage}")
        points: list[Point] = []
        numbers: list[float] = []
        region = ""
        for i, name in enumerate(names):
            if i and not self._take(","):
                if i == len(names) - 1 and term.default is not None and self._is(")"):
                    numbers.append(term.default)
                    break
                raise self._wrong(self.now.at, f"expected ',' and {name}, got {self._told()}; {usage}")
            if name in who:
                points.append(self._agent())
            elif name == "region":
                region = self._region()
            else:
                at = self.now.at
                numbers.append(self._number())
                if numbers[-1] < 0:
                    raise self._wrong(at, f"{name} must be 0 or more")
        self._expect(")", f"to close {token.text!r}; {usage}")
        return tuple(points), tuple(numbers), region

    def _agent(self) -> Point:
        token = self._next()
        if token.kind == "text":
            who = token.text[1:-1]
            if who not in self.known.agents:
                raise self._wrong(token.at, f"no agent {_shown(token)}{nearest(who, self.known.agents)}")
        elif token.text in ("self", "other"):
            who = token.text
        else:
            hint = nearest(token.text, ("self", "other")) if token.kind == "name" else ""
            raise self._wrong(token.at, f"expected self, other or an agent in quotes, got {_shown(token)}{hint}")
        part = None
        following = self.tokens[self.at + 1] if self._is(".") else None
        if following is not None and following.text not in self.known.variables:
            self._next()
            named = self._next()
            part = named.text
            if part not in self.known.parts:
                names = (*self.known.parts, *self.known.variables)
                told = nearest(part, names) if names else "; the data have no key points"
                raise self._wrong(named.at, f"no part {_shown(named)} of a body{told}")
        return Point(who, token.kind == "text", part)

    def _region(self) -> str:
        token = self._next()
        name = token.text[1:-1] if token.kind == "text" else token.text
        if name not in self.known.regions:
            told = nearest(name, self.known.regions) if self.known.regions else "; name it with regions={...}"
            raise self._wrong(token.at, f"no region {_shown(token)}{told}")
        return name

    def _number(self) -> float:
        sign = -1.0 if self._is("-") else 1.0
        self._take("-", "+")
        token = self._next()
        value = float(token.text) if token.kind == "number" else math.nan
        if not math.isfinite(value) or value > 1e100:
            raise self._wrong(token.at, f"expected a number, got {_shown(token)}")
        return sign * value

    def _time(self) -> float:
        at = self.now.at
        value = self._number()
        if value < 0:
            raise self._wrong(at, "a time must be 0 or more")
        return value
