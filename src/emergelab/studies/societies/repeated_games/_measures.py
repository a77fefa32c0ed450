"""What is asked of a run, as numbers of one condition a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from emergelab.games import matrix

from ._matches import PARTNERS, RIVALS

__all__ = [
    "ADAPTIVE", "ALTERNATING", "MODELS", "RECIPROCAL", "evolved_reciprocity", "family", "in_dilemma",
    "in_trained_games", "named", "profile_of_models", "provoked_beyond_clean", "spread_of_provoked", "with_partners",
]  # fmt: skip

Measure = Callable[[xr.Dataset], xr.DataArray]
ALTERNATING = ("alternate", "alternate-second")
ADAPTIVE = ("win-stay", "fictitious")
RECIPROCAL = ("tit-for-tat", "two-tats", "hard", "grim")
MODELS = {
    "Win-win": 0.868, "Biased": 0.729, "Second Best": 0.649, "Unfair": 0.712, "PD Family": 0.728, "Tragic": 0.627,
    "Cyclic": 0.699,
}  # fmt: skip
"""Mean score of five language models by family: our analysis of the 7,200 games of a player that Akata et al. released.

Normalised as here, by the most that a game can pay. Models met each other, not the pool.
"""


def named(measure: Measure, name: str) -> Measure:
    """The measure under a name of its own, which tables show."""
    measure.__name__ = name
    return measure


def family(name: str) -> Measure:
    """Score in one family of games."""
    place = matrix.FAMILIES.index(name)
    return named(lambda d: d["family_score"].isel(family=place, drop=True), f"score in {name}")


def with_partners(what: str, partners: Sequence[str], about: str) -> Measure:
    """Mean of an observable of the battle over some partners."""
    places = [PARTNERS.index(p) for p in partners]
    return named(lambda d: d[what].isel(partner=places).mean("partner"), f"{what} with {about}")


def in_dilemma(what: str, rivals: Sequence[str] = RIVALS, about: str = "all rivals") -> Measure:
    """Mean of an observable of the dilemma over some rivals."""
    places = [RIVALS.index(r) for r in rivals]
    return named(lambda d: d[what].isel(rival=places).mean("rival"), f"{what} with {about}")


def spread_of_provoked(d: xr.Dataset) -> xr.DataArray:
    """Largest minus smallest rate of defection after a forgiven defection, over rivals that gave occasion."""
    return d["provoked"].max("rival") - d["provoked"].min("rival")


def provoked_beyond_clean(d: xr.Dataset) -> xr.DataArray:
    """How much more often an old defection is followed by one than a clean past, over rivals that gave both."""
    return (d["provoked"] - d["clean"]).mean("rival")


def profile_of_models(d: xr.Dataset) -> xr.DataArray:
    """Correlation over families of the scores with those of language models."""
    models = np.array([MODELS[name] for name in matrix.FAMILIES])
    models = (models - models.mean()) / models.std()
    own = d["family_score"]
    own = own - own.mean("family")
    return (own * xr.DataArray(models, dims="family")).mean("family") / own.std("family")


def in_trained_games(d: xr.Dataset) -> xr.DataArray:
    """Score in the half of the games that trained, minus score in the other half."""
    return 2 * (d["score"] - d["unseen_score"])


def evolved_reciprocity(d: xr.Dataset) -> xr.DataArray:
    """How much more likely cooperation is after both cooperated than after only the other defected."""
    return d["strategy"].isel(situation=1, drop=True) - d["strategy"].isel(situation=2, drop=True)
