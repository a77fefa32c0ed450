"""What the papers state about learnt descriptions and emitters, as tests."""

from __future__ import annotations

import emergelab as el

__all__ = ["claims"]

# Of the paper on STAX the abstract and the authors' code could be read, of SERENE and TAXONS the abstracts.
_STAX = "abstract of Paolo et al. (2024)"
_SERENE = "abstract of Paolo et al. (2021)"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study: first what the papers say, then what must hold for the code to be what it says."""
    return (
        el.Claim(
            "STAX finds as many areas as SERENE, which is told x and y",
            el.contrast("areas", "stax", "serene"),
            "=",
            1.0,
            published=f"comparable to baselines with much less prior information; {_STAX}, no number there",
            about="areas, of four; one is the least that can be missed",
            unit="area",
        ),
        el.Claim(
            "and is paid as much",
            el.contrast("reached", "stax", "serene"),
            "=",
            0.15,
            published=f"comparable to baselines with much less prior information; {_STAX}, no number there",
            about="best reward, mean over all four areas; a bit more than half an area",
        ),
        el.Claim(
            "Emitters pay: STAX reaches more reward than TAXONS",
            el.contrast("reached", "stax", "taxons"),
            ">",
            0.05,
            published=f"emitters optimise what was found; {_STAX}, no number there",
            about="best reward, mean over all areas, at equal numbers of episodes",
        ),
        el.Claim(
            "and more than novelty search on x and y",
            el.contrast("reached", "stax", "ns"),
            ">",
            0.05,
            published=f"emitters optimise what was found; {_STAX}, no number there",
            about="as above, though STAX is told less",
            expect="inconclusive",
        ),
        el.Claim(
            "SERENE reaches more reward than novelty search",
            el.contrast("reached", "serene", "ns"),
            ">",
            0.05,
            published=f"compares favourably with existing baselines; {_SERENE}, no number there",
            about="as above; what emitters are worth where descriptions are given",
            expect="inconclusive",
        ),
        el.Claim(
            "An emitter adds reward to where it was started",
            el.level("climb", "stax"),
            ">",
            0.1,
            published=f"emitters optimise rewards in disparate areas; {_SERENE}, no number there",
            about="best reward of an emitter beyond that of the solution it was started at, mean over those kept",
            expect="inconclusive",
        ),
        el.Claim(
            "STAX finds more areas than CMA-ES on reward alone",
            el.contrast("areas", "stax", "cma-es"),
            ">",
            1.0,
            published=f"a sparse reward is no guide to search; {_SERENE}, no number there",
            about="areas, of four",
            unit="area",
        ),
        el.Claim(
            "Emitters cost little exploration",
            el.contrast("explored", "stax", "taxons"),
            "=",
            0.1,
            published="not in the abstracts; the two alternate, so about half of the episodes are not for exploring",
            about="share of free cells where any episode ended",
            expect="inconclusive",
        ),
        el.Claim(
            "A learnt description explores more than one that is drawn at random",
            el.contrast("explored", "stax", "stax-untrained"),
            ">",
            0.02,
            published="not in the abstracts; a control of the authors' code (STAX-NT)",
            about="share of free cells where any episode ended",
            expect="inconclusive",
        ),
        el.Claim(
            "A learnt description orders distances better than one that is drawn at random",
            el.contrast("ordered", "stax", "stax-untrained"),
            ">",
            0.05,
            published="not in the abstracts",
            about="rank correlation of distances between codes and straight distances, all pairs of free cells",
        ),
        el.Claim(
            "Novelty search explores as much by a learnt description as by x and y",
            el.contrast("explored", "taxons", "ns"),
            "=",
            0.1,
            published="TAXONS covers a good part of the true space (abstract of Paolo et al. 2020), no number there",
            about="share of free cells where any episode ended",
            expect="inconclusive",
        ),
        el.Claim(
            "By pictures as they are it explores less than by x and y",
            el.contrast("explored", "ns-picture", "ns"),
            "<",
            0.02,
            published="not in the abstracts; why descriptions of few numbers are wanted",
            about="pictures of distant places are all equally different",
            expect="inconclusive",
        ),
        el.Claim(
            "Novelty search explores more than random genomes",
            el.contrast("explored", "ns", "random"),
            ">",
            0.1,
            published="not in the abstracts; a control of the authors' code (RND)",
            about="share of free cells where any episode ended",
        ),
        el.Claim(
            "STAX is paid more than MAP-Elites, which is told x and y",
            el.contrast("reached", "stax", "map-elites"),
            ">",
            0.05,
            published=f"comparable to baselines; {_STAX}; MAP-Elites is one in the authors' code",
            about="best reward, mean over all areas",
            expect="inconclusive",
        ),
        el.Claim(
            "Emitters may as well be CMA-ES",
            el.contrast("reached", "stax-cma", "stax"),
            "=",
            0.15,
            published="not in the abstracts; the authors' code has both",
            about="best reward, mean over all areas",
        ),
        el.Claim(
            "Without emitters no episode is spent on reward",
            el.level("exploiting", "taxons"),
            "=",
            0.001,
            published="wiring",
            about="share of episodes played by emitters",
        ),
    )
