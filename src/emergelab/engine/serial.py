"""Systems and interventions as JSON and back: what run.json needs to repeat and to resume a run."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ..errors import RunError, UserError
from ..intervention import KINDS, SCHEDULES, Intervention
from ..runs.checks import reading
from ..runs.npz import read_arrays
from ..runs.place import Place
from ..system import HostSystem, System

_INLINE = 64  # larger arrays go to interventions.npz
_ARRAYS = "interventions.npz"


class _Pack:
    """Turns payloads into JSON, collecting large arrays for one npz file."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def value(self, value: Any) -> Any:
        if value is None or isinstance(value, (str, bool)):
            return value
        if isinstance(value, int):
            return value
        array = np.asarray(jax.device_get(value))
        if array.size <= _INLINE and array.dtype.kind in "iufb" and np.all(np.isfinite(array)):
            return {"values": array.tolist(), "dtype": array.dtype.name}
        name = f"a{len(self.arrays)}"
        self.arrays[name] = array
        return {"array": name}

    def intervention(self, intervention: Intervention) -> dict[str, Any]:
        kind = type(intervention).__name__
        if KINDS.get(kind) is not type(intervention):
            raise UserError(
                f"{kind}: this intervention is not one of {', '.join(KINDS)}, so a run with it cannot be written down"
            )
        schedule = intervention.during
        return {
            "kind": kind,
            "site": intervention.site,
            "during": {"kind": type(schedule).__name__}
            | {name: int(np.asarray(v)) for name, v in vars(schedule).items()},
            "payload": {name: self.value(getattr(intervention, name)) for name in intervention.payload},
        }


def pack(groups: dict[str, Sequence[Intervention]], place: Place | None = None) -> dict[str, list[dict[str, Any]]]:
    """Interventions by condition as JSON; large arrays go to one file in `place`."""
    packer = _Pack()
    out = {name: [packer.intervention(i) for i in interventions] for name, interventions in groups.items()}
    if packer.arrays and place is not None:
        buffer = io.BytesIO()
        np.savez(buffer, **packer.arrays)  # type: ignore[arg-type]
        place.write(_ARRAYS, buffer.getvalue())
    return out


def unpack(written: dict[str, list[dict[str, Any]]], place: Place) -> dict[str, tuple[Intervention, ...]]:
    """The inverse of `pack`."""
    arrays: dict[str, np.ndarray] = {}
    if place.exists(_ARRAYS):
        with reading(place, _ARRAYS, "the run must be grown again"):
            arrays = read_arrays(place.read(_ARRAYS))

    def value(item: Any) -> Any:
        if not isinstance(item, dict):
            return item
        return arrays[item["array"]] if "array" in item else np.asarray(item["values"], item["dtype"])

    def one(item: dict[str, Any]) -> Intervention:
        during = dict(item["during"])
        schedule = SCHEDULES[during.pop("kind")](**during)
        return KINDS[item["kind"]](item["site"], **{k: value(v) for k, v in item["payload"].items()}, during=schedule)

    with reading(place, "the list of interventions in run.json", "restore it, or grow the run again"):
        return {name: tuple(one(item) for item in items) for name, items in written.items()}


def system_name(system: System | HostSystem) -> dict[str, str]:
    """Where the class of a system is to be found again."""
    cls = type(system)
    return {"name": cls.__name__, "module": cls.__module__, "qualname": cls.__qualname__}


def find_system(written: dict[str, str], path: str) -> type[System] | type[HostSystem]:
    """The class that a run was made with.

    Raises:
        RunError: if it cannot be imported here (a notebook's or a script's own class).
    """
    module, qualname = written["module"], written["qualname"]
    try:
        if module == "__main__" or "<locals>" in qualname:
            raise ImportError("it was defined in a script or a notebook")
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise RunError(
            f"{path}: the system {qualname} of {module} cannot be imported here ({error}); "
            "give its class: el.resume(path, system=TheClass)"
        ) from None
    if not (isinstance(found, type) and issubclass(found, (System, HostSystem))):
        raise RunError(f"{path}: {qualname} of {module} is no system")
    return found
