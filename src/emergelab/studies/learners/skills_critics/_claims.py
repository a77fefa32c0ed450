"""What the paper states about skills under several critics, as tests."""

from __future__ import annotations

import xarray as xr

import emergelab as el

__all__ = ["claims"]

_PAPER = "several critics overcome interference among rewards (Emukpere et al. 2024, abstract); no number known to us"


def chained_minus_placed(d: xr.Dataset) -> xr.DataArray:
    """How many more cells sequences of two skills bring a disc to than single skills, both safely."""
    return d["chained"] - d["placed"]


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study: first what the paper says, then what must hold for the code to be what it says."""
    return (
        el.Claim(
            "Several critics serve the worst served objective better than one critic of the summed reward",
            el.contrast("worst", "critics", "summed"),
            ">",
            0.05,
            published=_PAPER,
            about="in units in which all rewards are about 1; objectives lie between 0 and 1, a twentieth of that",
            expect="inconclusive",
        ),
        el.Claim(
            "So they do where contact is paid a tenth",
            el.contrast("worst", "critics-tenth", "summed-tenth"),
            ">",
            0.05,
            published=_PAPER,
            about="a sum is only as good as its units; margin as above",
        ),
        el.Claim(
            "and where it is paid tenfold",
            el.contrast("worst", "critics-tenfold", "summed-tenfold"),
            ">",
            0.05,
            published=_PAPER,
            about="as above",
            expect="inconclusive",
        ),
        el.Claim(
            "Under the sum, reaching gives way where it is paid a tenth",
            el.contrast("near", "summed-tenth", "summed"),
            "<",
            0.1,
            published="not in the paper in this form",
            about="a tenth of the range",
        ),
        el.Claim(
            "and skills give way where it is paid tenfold",
            el.contrast("told", "summed-tenfold", "summed"),
            "<",
            0.1,
            published="not in the paper in this form",
            about="as above",
        ),
        el.Claim(
            "To normalised critics a tenth is as good",
            el.contrast("worst", "critics-tenth", "critics"),
            "=",
            0.1,
            published="not in the paper; follows from normalisation once critics have learnt",
            about="as above",
            expect="refuted",
        ),
        el.Claim(
            "and so is tenfold",
            el.contrast("worst", "critics-tenfold", "critics"),
            "=",
            0.1,
            published="not in the paper, as above",
            about="as above",
            expect="inconclusive",
        ),
        el.Claim(
            "Critics that are merged at half-time fall behind",
            el.contrast("worst", "merged-tenth", "critics-tenth"),
            "<",
            0.1,
            published="not in the paper",
            about="where contact is paid a tenth: interference comes with the sum, also for what was learnt without it",
        ),
        el.Claim(
            "Without normalisation several critics do worse",
            el.contrast("worst", "raw-tenth", "critics-tenth"),
            "<",
            0.1,
            published="normalised advantages are what is added up (Emukpere et al. 2024); no number known to us",
            about="where contact is paid a tenth; a tenth of the range",
        ),
        el.Claim(
            "They do as one critic of the sum does",
            el.contrast("worst", "raw-tenth", "summed-tenth"),
            "=",
            0.1,
            published="not in the paper; the value of a sum is the sum of the values",
            about="equal but for what fitting three critics makes, and for the more careful of two asked for each",
        ),
        el.Claim(
            "A single objective is unaffected: one critic, normalised, reaches as one that is not",
            el.contrast("near", "reach-normalised", "reach"),
            "=",
            0.05,
            published="not in the paper; a scale alone does not change what is best",
            about="a twentieth of the range: a gap of 5 mm on a table of 1 m",
        ),
        el.Claim(
            "Among three objectives reaching loses little against reaching alone",
            el.contrast("near", "critics", "reach"),
            "=",
            0.15,
            published="skills reach objects consistently (Emukpere et al. 2024); no number known to us",
            about="skills have to go somewhere, too",
        ),
        el.Claim(
            "and safety loses little against safety alone",
            el.contrast("safe", "critics", "safety"),
            "=",
            0.1,
            published="safe motor primitives (Emukpere et al. 2024, abstract)",
            about="a tenth of the steps",
        ),
        el.Claim(
            "Discovery alone hardly moves discs, or does so unsafely",
            el.contrast("handled", "discovery", "critics"),
            "<",
            0.2,
            published="alone it fails to produce useful and safe manipulation (Emukpere et al. 2024, abstract)",
            about="share of skills that move a disc and keep everything away from the edge: a fifth of all skills",
        ),
        el.Claim(
            "Skills under several critics bring discs safely to more places than under the sum",
            el.contrast("placed", "critics-tenth", "summed-tenth"),
            ">",
            2.0,
            published="primitives to plan with, better than those of other methods (Emukpere et al. 2024, abstract)",
            about="where contact is paid a tenth; cells of a tenth of the side, of which 64 are safe",
            unit="cell",
            expect="inconclusive",
        ),
        el.Claim(
            "Two skills in a row bring discs safely to more places than one",
            el.level(chained_minus_placed, "critics"),
            ">",
            2.0,
            published="skills are primitives that can be planned with (Emukpere et al. 2024, abstract)",
            about="64 sequences of 8 skills against 64 skills, in the same time",
            unit="cell",
            expect="inconclusive",
        ),
        el.Claim(
            "The map's constraint holds",
            el.level("slack", "critics"),
            "=",
            0.1,
            published="wiring; dual gradient descent (Park et al. 2024, eq. 11)",
            about="a slack of 0 is a step of length 1, on average at most a thousandth is left",
        ),
    )
