"""What is asked of a run: one number a seed (and time) out of the labelled observables."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from . import _town as town

AT_LAST = 4
"""The last stage of the funnel: those who came."""
ASKED = (town.SLOTS + 32, town.SLOTS + 64)
"""When the interviews count: the second morning and afternoon, when there is a past and still an evening to come."""


def knowers_of_the_party(d: xr.Dataset) -> xr.DataArray:
    """Share of people with a memory of the party."""
    return d["aware"].isel(fact=town.PARTY)


def knowers_of_the_candidacy(d: xr.Dataset) -> xr.DataArray:
    """Share of people with a memory of the candidacy."""
    return d["aware"].isel(fact=town.CANDIDACY)


def knowers_of_the_late_news(d: xr.Dataset) -> xr.DataArray:
    """Share of people with a memory of what one of them learnt on the second morning."""
    return d["aware"].isel(fact=town.LATE)


def new_knowers_of_the_party_per_knower(d: xr.Dataset) -> xr.DataArray:
    """R0 of the party."""
    return d["r0"].isel(fact=town.PARTY)


def room_below_the_bound(d: xr.Dataset) -> xr.DataArray:
    """Share of people whom the party could have reached and has not."""
    return d["bound"].isel(fact=town.PARTY) - d["aware"].isel(fact=town.PARTY)


def false_yes_about_the_party(d: xr.Dataset) -> xr.DataArray:
    """Share of those who have no memory of the party that say they know."""
    return d["false_yes"].isel(fact=town.PARTY)


def guests(d: xr.Dataset) -> xr.DataArray:
    """Guests who came to the party."""
    return d["funnel"].isel(event=0, stage=AT_LAST)


def guests_more_than_at_the_sale(d: xr.Dataset) -> xr.DataArray:
    """Guests at the party minus visitors of the sale, an event that interests nobody."""
    return guests(d) - d["funnel"].isel(event=1, stage=AT_LAST)


def presence_beyond_chance(d: xr.Dataset) -> xr.DataArray:
    """Share of guests who know of the party that came, minus the share of the unaware who were there anyway."""
    knowing = d["funnel"].isel(event=0, stage=1)
    came = guests(d) / knowing.where(knowing > 0)
    return came - d["unaware_there"].isel(event=0)


def misled(d: xr.Dataset) -> xr.DataArray:
    """Guests who went to the false party."""
    return d["funnel"].isel(event=2, stage=AT_LAST)


def heard_curve(d: xr.Dataset, fact: int, slots: int) -> Float[np.ndarray, "seed slot"]:
    """Share of people who have heard of a fact, by slot, from the times of first hearing."""
    at = d["heard_at"].isel(fact=fact, time=-1).transpose("seed", "agent").values
    return np.stack([((at >= 0) & (at <= t)).mean(axis=1) for t in range(slots)], axis=1)


def during_interviews(values: xr.DataArray) -> Float[np.ndarray, "seed"]:
    """Mean over the records at which interviews count; NaN where there was nothing to ask."""
    inside = (values.time >= ASKED[0]) & (values.time <= ASKED[1])
    return np.asarray(values.where(inside).mean("time", skipna=True).values, float)
