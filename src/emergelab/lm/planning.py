"""How many calls of a model a study will make, told before the first one is made.

A society's calls follow from what its agents do, so they are counted where that is cheap: one seed of each condition is
rehearsed for its first steps, up to eight, with answers that are drawn at random and valid; further steps count as the
mean of those after the first. Where later steps ask more or less, or a model's answers have to be repaired, the true
number is another one; what was granted (`Budget`) holds either way.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from .base import LM, Request
from .ledger import Ledger, Replay
from .scripted import Scripted

if TYPE_CHECKING:
    from ..study import Study

__all__ = ["Expected", "expect"]

_REHEARSED = 8  # steps


@dataclass(frozen=True)
class Expected:
    """What a run will ask of its model, by a rehearsal.

    Attributes:
        calls: condition -> calls, all seeds and steps together.
        seeds: seeds of each condition.
        steps: steps of each seed.
    """

    calls: Mapping[str, int]
    seeds: int
    steps: int

    @property
    def total(self) -> int:
        """Calls of all conditions."""
        return sum(self.calls.values())

    def explain(self) -> str:
        """The number in words, by condition where there are several."""
        asked = {name: n for name, n in self.calls.items() if n}
        parts = f" ({', '.join(f'{name} {n:,}' for name, n in asked.items())})" if len(asked) > 1 else ""
        each = f"{self.seeds} seed{'s' * (self.seeds != 1)}, {self.steps} step{'s' * (self.steps != 1)}"
        return f"about {self.total:,} calls of the model for {each}{parts}"

    def within(self, granted: int) -> None:
        """Raise `UserError` where more calls are expected than are granted."""
        if self.total > granted:
            raise UserError(
                f"{self.explain()}: more than the {granted:,} that --lm-calls grants; grant more, take fewer seeds or "
                "conditions, or add --lm-anyway to begin all the same (the run stops there and can be resumed)"
            )


def expect(
    study: Study, lm: LM, size: str = "quick", *, seeds: int | Sequence[int] | None = None, **options: Any
) -> Expected:
    """Rehearse a study without its model and count what it asks.

    Args:
        study: a study of a `HostSystem`.
        lm: the model that will be asked; it is not, only whether it has log-probabilities counts.
        size, seeds, options: as in `Study.run`.

    Raises:
        UserError: the rehearsal failed.
    """
    chosen = study.size(size)
    steps = min(_REHEARSED, chosen.steps)
    trial = copy.copy(study)
    trial.sizes = {**study.sizes, size: dataclasses.replace(chosen, steps=steps, every=steps or 1)}
    # what the society looks like is of no interest, and may take longer than its steps
    trial.system = type(f"Rehearsed{study.system.__name__}", (study.system,), {"observe": _unseen})
    if seeds is None:
        seeds = chosen.seeds
    number, first = (seeds, 0) if isinstance(seeds, int) else (len(seeds), seeds[0])
    with tempfile.TemporaryDirectory(prefix="emergelab-") as folder:
        stand_in = Scripted(_anything, (lambda r, c: 0.0) if lm.scores else None, name="rehearsal")
        run = trial.run(
            size, seeds=[first], out=Path(folder) / "run", lm=stand_in, progress=False, retries=0, **options
        )
        ledger = Ledger(run)
        if run.failed:
            (found, *_) = next(iter(run.failed.values())).values()
            raise UserError(f"the rehearsal failed ({found['error']})")
    at = Counter((c.condition, c.time) for c in ledger)
    names = [str(c) for c in run.info["conditions"]]
    calls = {}
    for name in names:
        later = sum(at[name, t] for t in range(1, steps))
        further = (chosen.steps - steps) * later / max(1, steps - 1)
        calls[name] = round(number * (at[name, 0] + later + further))
    return Expected(calls, number, chosen.steps)


def told(study: Study, lm: LM | None, size: str, calls: int | None, anyway: bool, **options: Any) -> str:
    """The line that the command line shows before a run; "" where there is nothing to say.

    A model on this machine costs nothing but time, which the progress tells; there a rehearsal is made only against a
    limit on calls.

    Raises:
        UserError: more calls are expected than `calls`, and `anyway` is false.
    """
    replayed = isinstance(lm, Replay) or isinstance(getattr(lm, "lm", None), Replay)
    if lm is None or not study.lm or replayed or (calls is None and lm.batches == 1):
        return ""
    try:
        found = expect(study, lm, size, **options)
    except UserError as error:  # if it is about more than the rehearsal, the run will say so itself
        return f"how many calls of the model it takes cannot be told beforehand: {error}"
    if calls is not None and not anyway:
        found.within(calls)
    return found.explain()


async def _unseen(self: Any, state: Any, context: Any) -> dict[str, float]:
    return {o.name: 0.0 for o in self.observables}


def _anything(request: Request) -> str:
    """An answer that satisfies the request's schema, drawn by its address; a word where it has none."""
    if request.schema is None:
        return "Hm."
    return json.dumps(_example(request.schema, request.schema, request.address.rng()))


def _example(schema: Mapping[str, Any], whole: Mapping[str, Any], rng: np.random.Generator) -> Any:
    if "$ref" in schema:
        found: Any = whole
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        return _example(found, whole, rng)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _example(schema[several][0], whole, rng)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][int(rng.integers(len(schema["enum"])))]
    kind = schema.get("type")
    if kind == "object":
        return {name: _example(part, whole, rng) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        items, count = schema.get("items", {}), max(1, schema.get("minItems", 1))
        if schema.get("uniqueItems") and "enum" in items:
            return [items["enum"][i] for i in rng.permutation(len(items["enum"]))[:count]]
        return [_example(items, whole, rng) for _ in range(count)]
    if kind in ("number", "integer"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = schema.get("maximum", low + 1)
        return int(rng.integers(low, high + 1)) if kind == "integer" else float(rng.uniform(low, high))
    return {"boolean": True, "null": None}.get(str(kind), "Hm.")
