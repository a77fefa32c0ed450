"""ArviZ: InferenceData (and the DataTree of its newer versions), in memory, as netCDF or as Zarr.

A Markov chain is a replicate and its draws are its time: `chain` becomes `seed` and `draw` becomes `time`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ...errors import UserError, nearest
from ._safe import beginning
from .arrays import labelled
from .netcdf import HDF5, hdf5_groups, open_netcdf
from .opened import Opened
from .zarr import is_zarr, open_zarr, zarr_groups

_GROUPS = (
    "posterior", "posterior_predictive", "predictions", "sample_stats", "log_likelihood", "log_prior", "prior",
    "prior_predictive", "observed_data", "constant_data", "warmup_posterior",
)  # fmt: skip


def is_arviz(groups: Sequence[str]) -> bool:
    """Whether these groups are those of an InferenceData."""
    return bool({"posterior", "prior", "posterior_predictive", "sample_stats"} & set(groups))


def groups_of(source: Any) -> list[str]:
    """Names of the groups of an object, a netCDF file or a Zarr folder; none if it is none of these."""
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            return zarr_groups(path) if is_zarr(path) else []
        return hdf5_groups(path) if beginning(path, 8) == HDF5 else []
    if isinstance(source, xr.DataTree):
        return [str(g) for g in source.children]
    listed = getattr(source, "groups", None)
    return [str(g).strip("/") for g in listed()] if callable(listed) else []


def read_arviz(source: Any, *, group: str | None = None, value: str | Sequence[str] | None = None) -> Opened:
    """One group of an InferenceData.

    Args:
        source: the object, a netCDF file or a Zarr folder.
        group: "posterior" if not given and there, else the first of the usual ones.
        value: variables to read, all that are numbers if not given.

    Raises:
        UserError: no such group.
    """
    name = Path(source).name if isinstance(source, str | Path) else "InferenceData"
    groups = groups_of(source)
    notes = []
    if group is None:
        group = next((g for g in _GROUPS if g in groups), None)
        if group is None:
            raise UserError(f"{name}: no InferenceData: it has none of the groups {', '.join(_GROUPS[:4])}")
        others = [g for g in groups if g != group]
        if others:
            notes.append(f"the group {group!r} is read; there are also {', '.join(others)} (group=...)")
    elif group not in groups:
        raise UserError(f"{name}: no group {group!r}{nearest(group, groups)}")
    wanted = None if value is None else [value] if isinstance(value, str) else list(value)
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            data = open_zarr(path, group, wanted)
        else:
            data, more = open_netcdf(path, group, wanted)
            notes += more
    else:
        held = source[group]
        data = held.to_dataset() if isinstance(held, xr.DataTree) else held
    names = {"seed": "chain", "time": "draw"}
    roles = {role: dim for role, dim in names.items() if dim in data.dims and role not in data.variables}
    return labelled(data, "arviz", value=value, time=roles.get("time"), seed=roles.get("seed"), name=name, notes=notes)
