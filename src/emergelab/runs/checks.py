"""What a run's JSON must be before anything trusts it, and damage of any kind as one line."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import RunError
from .place import Place

__all__ = ["as_progress", "check_arrays", "is_whole", "one_line", "problem", "reading"]

_MOST_LABELS = 1 << 27  # records of a run: 1 GiB of labels
_MOST_CELLS = 1 << 27  # numbers of one record of a seed, and of a chunk
_CODECS = {"bytes", "zstd", "crc32c"}  # what the store writes, and a check sum


def one_line(error: BaseException) -> str:
    """The first line of what an exception says, at most 200 characters of it."""
    lines = str(error).splitlines()
    text = "".join(c for c in lines[0] if c.isprintable()) if lines else ""
    return text[:200] or type(error).__name__


@contextlib.contextmanager
def reading(place: Place, name: str, remedy: str, how: str = "damaged") -> Iterator[None]:
    """Around what reads a file: whatever damage does to a decoder is one line that says what to do."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:  # damaged bytes make decoders raise nearly anything
        raise RunError(f"{place}: {name} is {how} ({one_line(error)}); {remedy}") from None


def problem(info: Mapping[str, Any]) -> str:
    """What in a run.json is not what it should be; "" if all is well."""
    conditions, seeds, blocks = info["conditions"], info["seeds"], info["blocks"]
    if info["status"] not in ("running", "interrupted", "finished"):
        return "its status is none that a run has"
    if not isinstance(conditions, dict) or not conditions or not all(
        isinstance(c, dict) and isinstance(c.get("parameters"), dict) for c in conditions.values()
    ):  # fmt: skip
        return "its conditions are not names with parameters"
    if not isinstance(seeds, list) or not seeds or not all(is_whole(s) for s in seeds):
        return "its seeds are no whole numbers"
    if not is_whole(info["steps"]) or not is_whole(info["every"], 1) or info["steps"] % info["every"]:
        return "its steps are no multiple of every"
    if not isinstance(blocks, list) or not all(_is_block(b, len(conditions), len(seeds)) for b in blocks):
        return "its blocks are not of its conditions and seeds"
    system, made = info.get("system"), info.get("provenance")
    if not isinstance(system, dict) or not all(isinstance(system.get(k), str) for k in ("name", "module", "qualname")):
        return "it does not name its system"
    if not all(part.isidentifier() for part in system["module"].split(".")):
        return "the module of its system is none"
    if not isinstance(made, dict) or not isinstance(made.get("versions"), dict) or "command" not in made:
        return "it does not say what made it"
    if not isinstance(info.get("wall_seconds"), int | float) or not isinstance(info.get("taps"), list):
        return "wall_seconds or taps are missing"
    if info.get("study", "") is not None and not isinstance(info.get("study", ""), str):
        return "its study is no name"
    if info.get("lm") is not None and not isinstance(info["lm"], dict):
        return "its language model is not described"
    if not isinstance(info.get("interventions"), dict) or info["interventions"].keys() != conditions.keys():
        return "its interventions are not those of its conditions"
    kept = info.get("keep", [])
    return "" if isinstance(kept, list) and all(is_whole(t) for t in kept) else "its kept steps are no whole numbers"


def check_arrays(place: Place, info: Mapping[str, Any]) -> None:
    """That data.zarr declares arrays of the sizes that run.json says, decoded by what decodes numbers.

    Data are read when they are used, but their labels at once; and a decoder is code that the data choose.

    Raises:
        ValueError: it does not.
    """
    times = info["steps"] // info["every"] + 1
    sizes = {"condition": (len(info["conditions"]),), "seed": (len(info["seeds"]),), "time": (times,)}
    if times > _MOST_LABELS:
        raise ValueError(f"run.json says that there are {times:,} records")
    lengths = sum(sizes.values(), ())
    if place.local is not None:
        _no_links(place.local / "data.zarr")
    for name in place.folders("data.zarr"):
        node = json.loads(place.read(f"data.zarr/{name}/zarr.json"))
        if node.get("node_type") != "array":
            raise ValueError(f"{name[:40]!r} is no array")
        shape, grid = node["shape"], node["chunk_grid"]["configuration"]["chunk_shape"]
        if not all(is_whole(n, 1) for n in (*shape, *grid)) or len(grid) != len(shape):
            raise ValueError(f"the array {name[:40]!r} has a shape that is none")
        if tuple(shape[:3]) != lengths and tuple(shape) != sizes.get(name):
            raise ValueError(f"the array {name[:40]!r} is not as large as run.json says")
        if math.prod(shape[3:]) > _MOST_CELLS or math.prod(grid) > _MOST_CELLS:
            raise ValueError(f"the array {name[:40]!r} declares more numbers than a run records")
        named = {str(codec.get("name")) for codec in node["codecs"]}
        if name != "condition" and not (named <= _CODECS and _is_plain(node["data_type"])):
            raise ValueError(f"the array {name[:40]!r} holds no numbers, or is decoded by something else")


def _no_links(folder: Path) -> None:
    """That nothing below a folder points elsewhere, or is a pipe or a device.

    Raises:
        ValueError: something does.
    """
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            _no_links(Path(entry.path))
        # a file of a run that is being written may be gone by now
        elif (entry.is_symlink() or not entry.is_file()) and os.path.lexists(entry.path):
            raise ValueError(f"{entry.name[:40]!r} is a link, which is not followed, or no file")


def _is_plain(kind: Any) -> bool:
    """Whether a data type of Zarr is numbers."""
    return isinstance(kind, str) and kind.rstrip("0123456789") in ("int", "uint", "float", "bool")


def is_whole(value: Any, low: int = 0, high: int = 2**31) -> bool:
    """Whether a value from JSON is a whole number with low <= value < high."""
    return type(value) is int and low <= value < high


def _is_block(block: Any, conditions: int, seeds: int) -> bool:
    if not isinstance(block, dict) or not is_whole(block.get("width"), 1):
        return False
    rows, span = block.get("conditions"), block.get("seeds")
    if not isinstance(rows, list) or not rows or not all(is_whole(r, 0, conditions) for r in rows):
        return False
    return (
        isinstance(span, list)
        and len(span) == 2
        and all(is_whole(s, 0, seeds + 1) for s in span)
        and 0 < span[1] - span[0] <= block["width"]
    )


def as_progress(found: Any) -> dict[str, Any]:
    """How far a block is, as a checkpoint tells it.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(found, dict) or not is_whole(found.get("records")):
        raise ValueError("it does not say how many records are done")
    for what in ("diverged", "failed"):
        marks = found.get(what)
        if not isinstance(marks, dict) or not all(isinstance(s, dict) for s in marks.values()):
            raise ValueError(f"{what!r} are not marks by condition and seed")
        if not all(s.isdecimal() for seeds in marks.values() for s in seeds):
            raise ValueError(f"{what!r} holds a seed that is no number")
    return found
