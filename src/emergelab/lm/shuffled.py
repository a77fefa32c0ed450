"""A record whose decisions are dealt out to other situations: the cheapest null for "the model responds".

How often each answer is given stays, what it answers to goes. Given to a run in a model's place
(`--lm shuffled:RUN`), every decision that a model would make is one that it made somewhere else in RUN, in the same
condition and under the same template; nothing is asked and no model is needed. So each society that asks a model has
this null, and its claims can be judged under it (`emergelab verify SLUG --lm shuffled:RUN`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ..errors import UserError
from ..runs.run import Run
from .base import LM, Completion, ModelError, Request
from .decisions import Ask, Decision, Invalid
from .ledger import Ledger

__all__ = ["Dealer"]


class Dealer(LM):
    """Decisions of a run, dealt out at random.

    Where options were scored, it is the place among them that is dealt: options may be named anew in each situation.

    Args:
        source: a run, its path, or a `Ledger`.

    Raises:
        UserError: there is no decision of a model on record.
    """

    merges = False

    def __init__(self, source: Ledger | Run | str | os.PathLike[str]) -> None:
        self.ledger = source if isinstance(source, Ledger) else Ledger(source)
        self._pool: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for d in self.ledger.decisions:
            if d["origin"] != "policy":
                self._pool.setdefault((d["condition"], d["template"]), []).append(d)
        if not self._pool:
            raise UserError(f"{self.ledger.run.path}: no decisions of a model on record to shuffle")
        models = sorted({c.model for c in self.ledger.calls})
        self.name, self.revision = f"shuffled {', '.join(models) or 'decisions'}", str(self.ledger.run.path)

    @property
    def scores(self) -> bool:
        return False

    def deal(self, ask: Ask, condition: str, rng: np.random.Generator) -> Decision:
        """One decision of that condition under the ask's template, whatever it answered to.

        Raises:
            UserError: there is none on record that this ask allows.
        """
        pool = self._pool.get((condition, ask.template), [])
        for at in rng.permutation(len(pool)):
            try:
                return _moved(pool[at], ask)
            except Invalid:
                continue  # the ask allows less than the situation that this decision was made in
        raise UserError(
            f"{ask.agent}: no decision of condition {condition!r} under the template {ask.template!r} on record in "
            f"{self.ledger.run.path} that this situation allows"
        )

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        raise ModelError(f"{self.name}: only decisions can be dealt, and here a text was asked for")

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        raise ModelError(f"{self.name}: only decisions can be dealt, and here log-probabilities were asked for")


def _moved(found: dict[str, Any], ask: Ask) -> Decision:
    """A recorded decision as the answer to another ask."""
    then, now = found["probabilities"], ask.kind.options()
    if then is None or not now:
        return Decision(ask.kind.check(found["value"]), "policy")
    if len(then) != len(now):
        raise Invalid(f"{len(then)} options then, {len(now)} now")
    said = dict(zip(now, then.values(), strict=True))
    places = [str(option) for option in then]
    place = next((i for i, option in enumerate(places) if _same(option, found["value"])), None)
    if place is None:
        raise Invalid(f"{found['value']!r} is none of the options on record")
    return Decision(ask.kind.check(ask.kind.parse(now[place])), "policy", said)


def _same(option: str, value: Any) -> bool:
    """Whether an option, as it was shown, says a value: amounts are shown as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(option) == float(value)
        except ValueError:
            return False
    return option == str(value)
