"""A condition is a named setting of a system: parameters that differ from the base, and interventions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import UserError

__all__ = ["Condition", "as_condition", "grid"]


@dataclass(frozen=True)
class Condition:
    """Parameters that differ from the base system, and what is done to it.

    Args:
        set: parameter values by name.
        interventions: applied in this condition only, after those of the whole run.
        about: one line for tables and pages.
    """

    set: Mapping[str, Any] = field(default_factory=dict)
    interventions: tuple[Any, ...] = ()
    about: str = ""


def as_condition(value: Any) -> Condition:
    """A `Condition` from what users write: a mapping of parameters, or a `Condition` itself."""
    if isinstance(value, Condition):
        return value
    if isinstance(value, Mapping):
        return Condition(dict(value))
    raise UserError(f"a condition must be a mapping of parameters or an el.Condition, got {type(value).__name__}")


def grid(**axes: Iterable[Any]) -> dict[str, Condition]:
    """All combinations of the given values: `grid(K=[64, 256], eps=[0.1])` -> conditions `K=64,eps=0.1`, ...

    Raises:
        UserError: if no axis is given or one is empty.
    """
    values = {name: list(axis) for name, axis in axes.items()}
    if not values:
        raise UserError("grid: give at least one parameter with a list of values, e.g. grid(eps=[0.0, 0.1])")
    for name, axis in values.items():
        if not axis:
            raise UserError(f"grid: {name} must have at least one value")
    combinations = itertools.product(*values.values())
    return {
        ",".join(f"{n}={_short(v)}" for n, v in zip(values, combination, strict=True)): Condition(
            dict(zip(values, combination, strict=True))
        )
        for combination in combinations
    }


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
