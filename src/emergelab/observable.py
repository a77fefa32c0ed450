"""An observable is a named, labelled number that a system shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import UserError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
RESERVED_DIMS = ("condition", "seed", "time")


@dataclass(frozen=True)
class Observable:
    """What a system shows of its state, computed at record times only.

    Args:
        name: the name in `run.data`; letters, digits and underscores.
        dims: names of its axes beyond (condition, seed, time); `()` is a scalar.
        unit: unit in the sense of UDUNITS ("1" is dimensionless, "" is not stated).
        about: one line for tables, figures and the `long_name` on disk.
        low, high: the range in which values are meaningful, if there is one (used for axes, never for clipping).
        nan_ok: NaN means "undefined here" (a mean over nothing). Otherwise a NaN marks the seed as diverged;
            an infinity always does.
    """

    name: str
    dims: tuple[str, ...] = ()
    unit: str = ""
    about: str = ""
    low: float | None = None
    high: float | None = None
    nan_ok: bool = False

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise UserError(
                f"observable {self.name!r}: a name has letters, digits and underscores, and begins with a letter"
            )
        clash = set(self.dims) & set(RESERVED_DIMS)
        if clash:
            raise UserError(
                f"observable {self.name!r}: the dim {sorted(clash)[0]!r} is the engine's; choose another name"
            )
        if len(set(self.dims)) != len(self.dims):
            raise UserError(f"observable {self.name!r}: dims {self.dims} repeat a name")
