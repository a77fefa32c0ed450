"""Who decides: rules, chance, a language model, a record. The society never knows what is behind a policy."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from ..observable import Observable
from .base import Address, Request, Turn
from .decisions import Amount, Ask, Choice, Decision, Invalid, Message, Ranking, Struct
from .ledger import Ledger
from .shuffled import Dealer

__all__ = [
    "RATES",
    "WEIGHTS",
    "Constant",
    "Language",
    "Policy",
    "Random",
    "Recorded",
    "Rule",
    "Shuffled",
    "count",
    "decide",
    "rates",
    "weigh",
    "weights",
]

RATES = (
    Observable("repair_rate", about="share of decisions whose first answer was invalid", nan_ok=True),
    Observable("fallback_rate", about="share of decisions that took the declared fallback", nan_ok=True),
)
"""Observables of every society that asks a model. Claims are inconclusive where more than 5 % fell back."""

WEIGHTS = (
    Observable("mass", unit="1", about="share of the model's probability that fell on the options", nan_ok=True),
    Observable("place_bias", unit="nat", about="the most that place and letter moved an option, mean", nan_ok=True),
)
"""Observables of a society whose agents are asked by log-probability, with `weigh` and `weights`. Where the mass is
near 0 the model wanted to say something else; where the bias is large, so was its taste for places, which was averaged
out.
"""


class Policy(abc.ABC):
    """How agents decide. Stateless: all that it knows is in the asks and in the step's context."""

    @abc.abstractmethod
    async def decide(self, asks: Sequence[Ask], context: Any) -> list[Decision]:
        """One decision an ask, in order. `context` is the step's (seed, time, rng, lm)."""


class Rule(Policy):
    """A function of what the agent knows.

    Args:
        rule: (ask, generator) -> value. The generator is addressed by seed, time, agent and number of the decision.
    """

    def __init__(self, rule: Callable[[Ask, np.random.Generator], Any]) -> None:
        self.rule = rule

    async def decide(self, asks: Sequence[Ask], context: Any) -> list[Decision]:
        out = []
        for ask in asks:
            value = self.rule(ask, _rng(ask, context))
            try:
                out.append(Decision(ask.kind.check(value), "policy"))
            except Invalid as error:
                raise UserError(f"the rule of {ask.agent} gave {value!r}: {error}") from None
        return out


class Random(Rule):
    """Every allowed value alike; a message is the declared fallback."""

    def __init__(self) -> None:
        super().__init__(_at_random)


class Constant(Rule):
    """Always the same value."""

    def __init__(self, value: Any) -> None:
        super().__init__(lambda ask, rng: value)
        self.value = value


class Language(Policy):
    """The run's language model decides.

    Where the model gives log-probabilities and the options are few, they are scored with place and letter averaged out
    and one is drawn. Otherwise the model writes an answer that is read; an invalid one is answered with the reason, up
    to `repairs` times, then the ask's fallback is taken and marked.

    Args:
        temperature: of drawing among options and of writing; 0 takes the likeliest.
        repairs: how often an invalid answer is sent back.
        rotations: orders in which options are shown; None: one for each option.
    """

    def __init__(self, *, temperature: float = 1.0, repairs: int = 2, rotations: int | None = None) -> None:
        self.temperature, self.repairs, self.rotations = temperature, repairs, rotations

    async def decide(self, asks: Sequence[Ask], context: Any) -> list[Decision]:
        model = context.lm.lm
        if isinstance(model, Dealer):
            return [model.deal(ask, context.condition, _rng(ask, context)) for ask in asks]
        for ask in asks:
            if not ask.prompt:
                raise UserError(f"{ask.agent} is to be decided by a language model but its ask has no prompt")
        out: list[Decision | None] = [None] * len(asks)
        scored = [i for i, a in enumerate(asks) if context.lm.lm.scores and a.kind.options()]
        # numbers on a grid are answers of their own; few named options go under letters
        for labels in (True, False):
            group = [i for i in scored if isinstance(asks[i].kind, Choice) == labels]
            if group:
                await self._by_score(asks, group, labels, context, out)
        written = [i for i in range(len(asks)) if out[i] is None]
        await self._by_writing(asks, written, context, out)
        return [d for d in out if d is not None]

    async def _by_score(
        self, asks: Sequence[Ask], group: list[int], labels: bool, context: Any, out: list[Decision | None]
    ) -> None:
        # under one key the first is asked for all
        first: dict[Any, int] = {}
        for i in group:
            first.setdefault(_archetype(asks[i], i), i)
        asked = [asks[i] for i in first.values()]
        found = await context.lm.choose(
            [Request(_with(a.prompt, "" if labels else a.kind.instruction())) for a in asked],
            [a.kind.options() for a in asked],
            [a.agent for a in asked],
            labels=labels,
            rotations=self.rotations,
        )
        known = dict(zip(first, found, strict=True))
        for i in group:
            ask, key = asks[i], _archetype(asks[i], i)
            chosen, other = known[key], "" if first[key] == i else asks[first[key]].agent
            said = chosen.draw(_rng(ask, context), self.temperature)
            out[i] = Decision(
                ask.kind.parse(said), "model", chosen.probabilities, (said,), (), chosen.mass, chosen.bias, other
            )

    async def _by_writing(
        self, asks: Sequence[Ask], group: list[int], context: Any, out: list[Decision | None]
    ) -> None:
        prompts = {i: _with(asks[i].prompt, asks[i].kind.instruction()) for i in group}
        answers: dict[int, list[str]] = {i: [] for i in group}
        errors: dict[int, list[str]] = {i: [] for i in group}
        open_ = list(group)
        for _ in range(self.repairs + 1):
            if not open_:
                return
            requests = [
                Request(
                    prompts[i],
                    max_tokens=asks[i].kind.max_tokens,
                    temperature=self.temperature,
                    schema=asks[i].kind.schema(),
                )
                for i in open_
            ]
            said = await context.lm.complete(requests, [asks[i].agent for i in open_])
            left = []
            for i, completion in zip(open_, said, strict=True):
                answers[i].append(completion.text)
                try:
                    value = asks[i].kind.parse(completion.text)
                except Invalid as error:
                    errors[i].append(str(error))
                    prompts[i] = _sent_back(prompts[i], completion.text, str(error))
                    left.append(i)
                else:
                    origin = "model" if len(answers[i]) == 1 else "repair"
                    out[i] = Decision(value, origin, None, tuple(answers[i]), tuple(errors[i]))
            open_ = left
        for i in open_:
            value = asks[i].kind.check(asks[i].fallback)
            out[i] = Decision(value, "fallback", None, tuple(answers[i]), tuple(errors[i]))


class Recorded(Policy):
    """The decisions of a recorded run, at the same place in it. One that is not on record is an error.

    Args:
        ledger: the record.
        condition: whose decisions; None: those of the condition that asks.
    """

    def __init__(self, ledger: Ledger, condition: str | None = None) -> None:
        self.condition = condition
        self._known = {(d["condition"], d["seed"], d["time"], d["agent"], d["nth"]): d for d in ledger.decisions}

    async def decide(self, asks: Sequence[Ask], context: Any) -> list[Decision]:
        condition = context.condition if self.condition is None else self.condition
        out = []
        for ask in asks:
            found = self._known.get((condition, context.seed, context.time, ask.agent, ask.nth))
            if found is None:
                raise UserError(
                    f"no decision {ask.nth} of {ask.agent!r} on record for condition {condition!r}, "
                    f"seed {context.seed}, step {context.time}"
                )
            out.append(Decision(ask.kind.check(found["value"]), "policy", found["probabilities"]))
        return out


class Shuffled(Policy):
    """Recorded decisions of a model, dealt out to other situations (`emergelab.lm.shuffled`).

    Args:
        ledger: the record.
        condition: whose decisions are dealt.
    """

    def __init__(self, ledger: Ledger, condition: str) -> None:
        self._dealer, self._condition = Dealer(ledger), condition

    async def decide(self, asks: Sequence[Ask], context: Any) -> list[Decision]:
        return [self._dealer.deal(ask, self._condition, _rng(ask, context)) for ask in asks]


async def decide(policy: Policy, asks: Sequence[Ask], context: Any) -> list[Decision]:
    """Decisions of a policy, each written into the run's log."""
    asks = [dataclasses.replace(ask, nth=context.nth(ask.agent)) for ask in asks]
    decisions = await policy.decide(asks, context)
    for ask, d in zip(asks, decisions, strict=True):
        context.emit(
            "decision",
            agent=ask.agent,
            nth=ask.nth,
            template=ask.template,
            policy=type(policy).__name__,
            observation=dict(ask.observation),
            value=d.value,
            origin=d.origin,
            probabilities=None if d.probabilities is None else dict(d.probabilities),
            answers=list(d.answers),
            errors=list(d.errors),
            **({} if d.mass is None else {"mass": d.mass, "bias": d.bias}),
            **({"archetype": d.archetype} if d.archetype else {}),
        )
    return decisions


def count(tally: MutableMapping[str, int], decisions: Sequence[Decision]) -> None:
    """Add decisions to a tally (a dict of the state) from which `rates` are computed."""
    tally["asked"] = tally.get("asked", 0) + len(decisions)
    tally["repaired"] = tally.get("repaired", 0) + sum(bool(d.errors) for d in decisions)
    tally["fallen_back"] = tally.get("fallen_back", 0) + sum(d.origin == "fallback" for d in decisions)


def rates(tally: Mapping[str, int]) -> dict[str, float]:
    """The values of `RATES`; NaN where nothing was asked."""
    asked = tally.get("asked", 0)
    return {
        "repair_rate": tally.get("repaired", 0) / asked if asked else float("nan"),
        "fallback_rate": tally.get("fallen_back", 0) / asked if asked else float("nan"),
    }


def weigh(tally: MutableMapping[str, float], decisions: Sequence[Decision]) -> None:
    """Add decisions that were scored to a tally (a dict of the state) from which `weights` are computed."""
    for d in decisions:
        if d.mass is not None and d.bias is not None:
            for name, value in (("scored", 1), ("mass", d.mass), ("bias", d.bias)):
                tally[name] = tally.get(name, 0) + value


def weights(tally: Mapping[str, float]) -> dict[str, float]:
    """The values of `WEIGHTS`; NaN where nothing was scored."""
    scored = tally.get("scored", 0)
    return {
        "mass": tally["mass"] / scored if scored else float("nan"),
        "place_bias": tally["bias"] / scored if scored else float("nan"),
    }


def _archetype(ask: Ask, i: int) -> Any:
    """What asks have in common that share a distribution; an ask without a key stands for itself."""
    return (ask.equivalence_key, ask.kind) if ask.equivalence_key else i


def _rng(ask: Ask, context: Any) -> np.random.Generator:
    return Address(seed=context.seed, time=context.time, agent=ask.agent, draw=ask.nth).rng()


def _at_random(ask: Ask, rng: np.random.Generator) -> Any:
    kind = ask.kind
    if isinstance(kind, Amount) and not kind.options():
        value = float(rng.uniform(kind.low, kind.high))
        return value if kind.step is None else kind.low + kind.step * round((value - kind.low) / kind.step)
    if kind.options():
        return kind.parse(kind.options()[int(rng.integers(len(kind.options())))])
    if isinstance(kind, Ranking):
        return [kind.items[i] for i in rng.permutation(len(kind.items))]
    if isinstance(kind, (Message, Struct)):
        return ask.fallback
    raise UserError(f"there is no random {type(kind).__name__}")


def _with(prompt: str | tuple[Turn, ...], line: str) -> str | tuple[Turn, ...]:
    if not line:
        return prompt
    if isinstance(prompt, str):
        return f"{prompt}\n{line}\nAnswer:"
    *before, last = prompt
    return (*before, dataclasses.replace(last, text=f"{last.text}\n{line}"))


def _sent_back(prompt: str | tuple[Turn, ...], answer: str, error: str) -> str | tuple[Turn, ...]:
    if isinstance(prompt, str):
        return f"{prompt} {answer}\nThis cannot be used: {error}.\nAnswer:"
    return (*prompt, Turn("assistant", answer), Turn("user", f"This cannot be used: {error}."))
