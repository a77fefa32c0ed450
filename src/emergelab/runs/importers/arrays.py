"""xarray objects, and what all labelled sources share: naming the dims and choosing the variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...errors import UserError, nearest
from ._runs import chosen
from ._safe import decoding
from .opened import Opened


def read_xarray(
    data: xr.Dataset | xr.DataArray | xr.DataTree, *, value: str | Sequence[str] | None = None, time: str | None = None,
    seed: str | None = None, by: str | None = None, group: str | None = None, name: str = "data",
) -> Opened:  # fmt: skip
    """An xarray object; it stays as lazy as it was.

    Args:
        data: what to read; of a DataTree the group named by `group`.
        value: variables to keep, all that are numbers if not given.
        time, seed, by: dims that are to be named `time`, `seed` and `condition`.
        group: of a DataTree; the root if not given.
        name: what to call the data in messages.

    Raises:
        UserError: a group, variable or dim that is not there; nothing that is numbers.
    """
    if isinstance(data, xr.DataTree):
        groups = [g.path.lstrip("/") for g in data.subtree if g.data_vars]
        group = (group or (groups[0] if len(groups) == 1 else "")).strip("/")
        if group and group not in groups:
            raise UserError(f"{name}: no group {group!r}{nearest(group, groups)}")
        if not group and "" not in groups:
            raise UserError(f"{name}: holds the groups {', '.join(groups) or '(none)'}; say which with group=")
        data = data[group].to_dataset() if group else data.to_dataset()
    elif group is not None:
        raise UserError(f"{name}: has no groups, so group= has no meaning")
    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name=str(data.name) if data.name is not None else "value")
    return labelled(data, "xarray", value=value, time=time, seed=seed, by=by, name=name)


def labelled(
    data: xr.Dataset, kind: str, *, value: str | Sequence[str] | None = None, time: str | None = None,
    seed: str | None = None, by: str | None = None, name: str = "data", notes: Sequence[str] = (),
) -> Opened:  # fmt: skip
    """The data set with the variables asked for and the usual names of dims."""
    notes = list(notes)
    names = {v: str(v) for v in data.variables if not isinstance(v, str)}
    data = data.rename(names) if names else data
    kept = [str(v) for v in data.data_vars if data[v].dtype.kind in "iufb"]
    if value is None and (left := [str(v) for v in data.data_vars if v not in kept]):
        notes.append(f"no numbers, left out: {', '.join(left[:8])}")
    wanted = chosen(kept, value, name, "variable")
    if not wanted:
        raise UserError(f"{name}: holds no variable of numbers")
    data = data[wanted]
    columns: dict[str, str] = {}
    dims = [str(d) for d in data.dims]
    for role, dim in (("time", time), ("seed", seed), ("condition", by)):
        if dim is None or dim == role:
            continue
        if dim not in dims:
            raise UserError(f"{name}: no dim {dim!r}{nearest(dim, dims)}")
        if role in data.variables or role in dims:
            raise UserError(f"{name}: the dim {dim!r} cannot become {role!r}, which is there already")
        data = data.rename({dim: role})
        columns[role] = dim
    for role in ("time", "seed", "condition"):
        if role in data.dims:
            columns.setdefault(role, role)
    return Opened(data, kind, tuple(notes), columns)


def decoded(data: xr.Dataset, name: str, limit_text: int = 1_000_000) -> xr.Dataset:
    """Raw variables of a file as xarray means them: fill values NaN, scale and offset applied, text as str.

    Times stay the numbers that the file holds, with their unit in `attrs`: decoding them could overflow, and an
    instrument reads numbers.
    """
    with decoding(name, "CF conventions"):
        made = xr.decode_cf(data, decode_times=False, decode_timedelta=False, decode_coords=True)
        for variable in list(made.variables):
            array: Any = made[variable]
            if array.dtype.kind in "SUO" and array.size <= limit_text:
                made[variable] = array.copy(data=_text(array.values))
        # Making indexes was left until all is bounded and decoded.
        for dim in made.dims:
            if dim in made.variables and made[dim].ndim == 1 and dim not in made.indexes:
                made = made.set_xindex(dim)
        return made


def _text(values: np.ndarray) -> np.ndarray:
    """Bytes, objects and text as text that can be printed: what is no Unicode is replaced."""
    raw = (x if isinstance(x, bytes) else str(x).encode("utf-8", errors="replace") for x in values.ravel().tolist())
    return np.array([x.decode("utf-8", errors="replace") for x in raw], dtype=str).reshape(values.shape)
