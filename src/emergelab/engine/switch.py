"""A switch: from some step on, a host system plays on with other parameters, or from a state that was changed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from ..system import HostSystem

__all__ = ["Switch"]


@dataclass(frozen=True)
class Switch:
    """What changes in a run of a `HostSystem` before step `at` is made.

    Attributes:
        at: the first step that is different; what was recorded up to time `at` stays as it was.
        parameters: parameters that have another value from then on, for example `{"policy": "random"}`.
        state: values written into the state just before that step, by their place in it:
            `{"agents/3/belief": 0.2}`. Every place must exist.
    """

    at: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.at, bool) or not isinstance(self.at, int) or self.at < 0:
            raise UserError(f"switch: at must be a step, 0 or more, got {self.at!r}")

    def to_json(self) -> dict[str, Any]:
        """As run.json holds it."""
        return {"at": self.at, "parameters": dict(self.parameters), "state": dict(self.state)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> Switch | None:
        """What `to_json` wrote."""
        return None if found is None else cls(found["at"], found["parameters"], found["state"])

    def system(self, system: HostSystem) -> HostSystem:
        """The system from the switch on."""
        changed: HostSystem = system.with_(**self.parameters)
        return changed

    def write(self, text: str) -> str:
        """The state (JSON) with the values written into it.

        Raises:
            UserError: a place is not in the state.
        """
        state = json.loads(text)
        for place, value in self.state.items():
            *way, last = place.strip("/").split("/")
            at = state
            for k, name in enumerate([*way, last]):
                key: Any = int(name) if isinstance(at, list) and name.lstrip("-").isdigit() else name
                known = range(len(at)) if isinstance(at, list) else at if isinstance(at, dict) else ()
                if key not in known:
                    where = "/".join([*way, last][:k]) or "the state"
                    held = f"{len(at)} entries" if isinstance(at, list) else ", ".join(map(str, known)) or "no parts"
                    raise UserError(f"switch: there is no {place!r} in the state; {where} has {held}")
                if k == len(way):
                    at[key] = value
                else:
                    at = at[key]
        return json.dumps(state)


def check(switch: Switch, systems: list[HostSystem], steps: int) -> None:
    """Refuse a switch that cannot be made, before anything is computed."""
    if switch.at >= steps:
        raise UserError(f"switch: at must be below the number of steps ({steps}), got {switch.at}")
    for system in systems:
        switch.system(system)
    try:
        json.dumps(switch.to_json(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"switch: its values must be JSON, {error}") from None
