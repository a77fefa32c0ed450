"""What every importer returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import xarray as xr


@dataclass(frozen=True)
class Opened:
    """A foreign log as labelled data.

    Attributes:
        data: variables with the dims `condition`, `seed`, `time` as far as the source has them, and further ones of its
            own (`item`, `agent`, `size`); NaN where there is no record.
        kind: which importer read it: "table", "wandb", "tensorboard", "mlflow", "lm-eval", "inspect", "mesa", "arviz",
            "netcdf", "zarr", "xarray", "run".
        notes: what was decided, left out or averaged on the way, one sentence each.
        columns: where each dim came from in the source: {"time": "step", "seed": "run"}.
    """

    data: xr.Dataset
    kind: str
    notes: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
