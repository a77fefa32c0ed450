"""Instruments: one question each, asked of any run or of the user's own labelled data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emergelab.instruments.calibrate import Calibration, calibrate
    from emergelab.instruments.mirage import mirage
    from emergelab.instruments.onset import onset
    from emergelab.instruments.result import Result

_WHERE = {
    "Calibration": "calibrate",
    "Result": "result",
    "calibrate": "calibrate",
    "mirage": "mirage",
    "onset": "onset",
}

__all__ = ["Calibration", "Result", "calibrate", "mirage", "onset"]


def __getattr__(name: str) -> Any:
    """Load an instrument when it is first asked for."""
    if name in _WHERE:
        value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
