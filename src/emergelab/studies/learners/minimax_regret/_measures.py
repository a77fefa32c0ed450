"""What is asked of a recorded run beyond its observables."""

from __future__ import annotations

import xarray as xr

__all__ = ["missed"]


def missed(d: xr.Dataset) -> xr.DataArray:
    """How much of the true regret on the boards that are set the antagonist's lead does not show."""
    return d["set_regret"] - d["claimed_regret"]
