"""Typed decisions: what an agent is asked for, and how its words become a value.

A kind of decision says what is wanted (`instruction`, `schema`), reads an answer (`parse`) and checks a value that came
from elsewhere (`check`). An answer that is not a decision raises `Invalid` with a reason that can be shown to the
model; nothing is guessed, and nothing is filled in here. What happens after an invalid answer is the asker's business:
a few repairs, then the fallback that the study declared, marked as such.
"""

from __future__ import annotations

import abc
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic

from ..errors import UserError
from .base import Turn

__all__ = ["Amount", "Ask", "Choice", "Decision", "Invalid", "Kind", "Message", "Ranking", "Struct"]

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
_MOST_GRID = 101  # points of an amount that are offered one by one


class Invalid(Exception):
    """An answer that is not a decision of the kind asked for; the message says why, in words a model can act on."""


class Kind(abc.ABC):
    """A kind of decision.

    Attributes:
        max_tokens: how long an answer may be.
    """

    max_tokens: int = 32

    @abc.abstractmethod
    def instruction(self) -> str:
        """What is wanted, as the last line of a prompt."""

    @abc.abstractmethod
    def schema(self) -> dict[str, Any] | None:
        """A JSON schema of an answer, for backends that decode under one; None: free text."""

    @abc.abstractmethod
    def parse(self, text: str) -> Any:
        """The value that a text states.

        Raises:
            Invalid: it states none, or one that is not allowed.
        """

    @abc.abstractmethod
    def check(self, value: Any) -> Any:
        """A value as it is recorded (JSON-ready).

        Raises:
            Invalid: it is not allowed.
        """

    def options(self) -> tuple[str, ...]:
        """The answers, where they are few enough to be scored one by one; else ()."""
        return ()


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few options. The value is the option's text."""

    among: tuple[str, ...]
    max_tokens: int = 16

    def __post_init__(self) -> None:
        if len(self.among) < 2 or len({o.strip().casefold() for o in self.among}) < len(self.among):
            raise UserError(f"Choice needs two or more different options, got {list(self.among)}")

    def instruction(self) -> str:
        return "Answer with exactly one of: " + ", ".join(self.among) + "."

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"choice": {"type": "string", "enum": list(self.among)}},
            "required": ["choice"],
            "additionalProperties": False,
        }

    def parse(self, text: str) -> str:
        said = _member(text, "choice")
        bare = str(said if said is not None else text).strip().strip("\"'`*.!:;()[] \n").casefold()
        for option in self.among:
            if bare == option.strip().casefold():
                return option
        named = [o for o in self.among if re.search(rf"(?<!\w){re.escape(o.strip())}(?!\w)", text, re.IGNORECASE)]
        # an option that is part of a longer one that was named was not named by itself
        named = [o for o in named if not any(o != p and o.casefold() in p.casefold() for p in named)]
        if len(named) == 1:
            return named[0]
        raise Invalid(
            f"the answer names {len(named)} of the options; answer with exactly one of: {', '.join(self.among)}"
        )

    def check(self, value: Any) -> str:
        if isinstance(value, str) and value in self.among:
            return value
        raise Invalid(f"{value!r} is not one of {', '.join(self.among)}")

    def options(self) -> tuple[str, ...]:
        return self.among


@dataclass(frozen=True)
class Amount(Kind):
    """A number in [low, high], on a grid if `step` is given. The value is a float."""

    low: float
    high: float
    step: float | None = None
    unit: str = ""
    max_tokens: int = 16

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UserError(f"Amount needs low < high, got {self.low!r} and {self.high!r}")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise UserError(f"Amount: step must be in (0, {self.high - self.low:g}], got {self.step!r}")

    def instruction(self) -> str:
        grid = f" in steps of {self.step:g}" if self.step is not None else ""
        return f"Answer with one number from {self.low:g} to {self.high:g}{grid}{f' ({self.unit})' * bool(self.unit)}."

    def schema(self) -> dict[str, Any]:
        number = {"enum": [float(o) for o in self.options()]} if self.options() else {
            "type": "number", "minimum": self.low, "maximum": self.high
        }  # fmt: skip
        return {
            "type": "object",
            "properties": {"amount": number},
            "required": ["amount"],
            "additionalProperties": False,
        }

    def parse(self, text: str) -> float:
        said = _member(text, "amount")
        if isinstance(said, (int, float)) and not isinstance(said, bool):
            return self.check(said)
        found = {float(n.replace(",", "")) for n in _NUMBER.findall(str(said if said is not None else text))}
        if len(found) != 1:
            raise Invalid(f"the answer holds {len(found)} different numbers; answer with one number only")
        return self.check(found.pop())

    def check(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise Invalid(f"{value!r} is not a number")
        if not self.low <= value <= self.high:
            raise Invalid(f"{value:g} is outside {self.low:g} to {self.high:g}")
        if self.step is not None:
            near = self.low + round((value - self.low) / self.step) * self.step
            if abs(near - value) > 1e-6 * self.step:
                raise Invalid(f"{value:g} is not on the grid of {self.step:g}")
            return float(min(max(near, self.low), self.high))
        return float(value)

    def options(self) -> tuple[str, ...]:
        if self.step is None:
            return ()
        count = int((self.high - self.low) / self.step + 1e-9) + 1
        return tuple(f"{self.low + i * self.step:g}" for i in range(count)) if count <= _MOST_GRID else ()


@dataclass(frozen=True)
class Ranking(Kind):
    """All items, best first. The value is a list of the items' texts."""

    items: tuple[str, ...]
    max_tokens: int = 128

    def __post_init__(self) -> None:
        if len(self.items) < 2 or len({i.strip().casefold() for i in self.items}) < len(self.items):
            raise UserError(f"Ranking needs two or more different items, got {list(self.items)}")

    def instruction(self) -> str:
        return "Order all of these, best first, separated by commas: " + ", ".join(self.items) + "."

    def schema(self) -> dict[str, Any]:
        each = {"type": "string", "enum": list(self.items)}
        ranking = {
            "type": "array",
            "items": each,
            "minItems": len(self.items),
            "maxItems": len(self.items),
            "uniqueItems": True,
        }
        return {
            "type": "object",
            "properties": {"ranking": ranking},
            "required": ["ranking"],
            "additionalProperties": False,
        }

    def parse(self, text: str) -> list[str]:
        said = _member(text, "ranking")
        if isinstance(said, list):
            return self.check(said)
        # longer items first, so that "red wine" is not read as "red"
        pattern = "|".join(re.escape(i.strip()) for i in sorted(self.items, key=len, reverse=True))
        by_text = {i.strip().casefold(): i for i in self.items}
        return self.check([by_text[m.casefold()] for m in re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.I)])

    def check(self, value: Any) -> list[str]:
        if not isinstance(value, (list, tuple)) or sorted(map(str, value)) != sorted(self.items):
            raise Invalid(f"name each of these exactly once: {', '.join(self.items)}")
        return [str(v) for v in value]


@dataclass(frozen=True)
class Message(Kind):
    """Free text. The value is the text, without space around it."""

    max_tokens: int = 60
    about: str = ""

    def instruction(self) -> str:
        return self.about

    def schema(self) -> None:
        return None

    def parse(self, text: str) -> str:
        return self.check(text)

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise Invalid("the answer is empty; write a message")
        return value.strip()


@dataclass(frozen=True)
class Struct(Kind):
    """Several named fields, as a pydantic model. The value is a dict of JSON types."""

    model: type[pydantic.BaseModel]
    max_tokens: int = 256

    def instruction(self) -> str:
        fields = ", ".join(f'"{name}"' for name in self.model.model_fields)
        return f"Answer with one JSON object with the fields {fields}, and nothing else."

    def schema(self) -> dict[str, Any]:
        return self.model.model_json_schema()

    def parse(self, text: str) -> dict[str, Any]:
        found = _object(text)
        if found is None:
            raise Invalid("the answer holds no JSON object")
        return self.check(found)

    def check(self, value: Any) -> dict[str, Any]:
        try:
            made = self.model.model_validate(value)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise Invalid(f"field {'.'.join(map(str, first['loc'])) or 'object'}: {first['msg']}") from None
        return made.model_dump(mode="json")


@dataclass(frozen=True)
class Ask:
    """One decision that one agent is asked for.

    Attributes:
        agent: who decides.
        kind: what is decided.
        fallback: what is taken when the answer stays invalid after all repairs. It is declared, checked when the ask is
            made, and marked in the log; there is no default.
        prompt: what a language model or a human reads; "" where only numeric policies play.
        observation: what the agent knows, as named JSON values: what numeric policies read.
        template: name of the prompt's template, for the log.
        nth: which decision of the agent within its step this is; filled in by `decide`.
        equivalence_key: agents that are asked together under the same key (an archetype: same role, same situation)
            share one distribution over the options, that of the first of them, and each draws from it with its own
            randomness. Only where options are scored by log-probability; a written answer is each agent's own. "": for
            itself.
    """

    agent: str
    kind: Kind
    fallback: Any
    prompt: str | tuple[Turn, ...] = ""
    observation: Mapping[str, Any] = field(default_factory=dict)
    template: str = ""
    nth: int = 0
    equivalence_key: str = ""

    def __post_init__(self) -> None:
        try:
            self.kind.check(self.fallback)
        except Invalid as error:
            raise UserError(
                f"the fallback declared for {self.agent} is no {type(self.kind).__name__}: {error}"
            ) from None


@dataclass(frozen=True)
class Decision:
    """What was decided, and how it came about.

    Attributes:
        value: the value, valid for the kind.
        origin: "policy" (computed), "model" (first answer), "repair" (a later answer), "fallback" (no valid answer).
        probabilities: option -> probability where options were scored, else None.
        answers: all raw answers, the last one last.
        errors: why answers were invalid.
        mass, bias: of the choice where options were scored (`emergelab.lm.Chosen`), else None.
        archetype: agent whose distribution it was drawn from, where that was another one's.
    """

    value: Any
    origin: str
    probabilities: Mapping[str, float] | None = None
    answers: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    mass: float | None = None
    bias: float | None = None
    archetype: str = ""

    @property
    def repairs(self) -> int:
        """How often the agent was asked again."""
        return max(0, len(self.answers) - 1)


def _object(text: str) -> dict[str, Any] | None:
    """The first JSON object in a text."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            found, _ = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        at = text.find("{", at + 1)
    return None


def _member(text: str, name: str) -> Any:
    found = _object(text)
    return None if found is None else found.get(name)
