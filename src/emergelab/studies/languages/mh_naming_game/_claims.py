"""What the papers state about the naming game, as tests over seeds."""

from __future__ import annotations

import xarray as xr

import emergelab as el

from ._conditions import BY_AMB

__all__ = ["CLAIMS", "above_ideal", "beyond_chance", "imagined_better"]

LATE = (200, 1_000_000)
"""Categories are samples, so the last third of the rounds is averaged."""
PAPER = "Hagiwara et al. 2023"


def above_ideal(d: xr.Dataset) -> xr.DataArray:
    """Adjusted Rand index beyond that of an agent alone who knows where all categories lie."""
    return d.ari - d.ideal_alone


def beyond_chance(d: xr.Dataset) -> xr.DataArray:
    """New combinations understood, beyond those understood from the words of another scene."""
    return d.novel - d.novel_scrambled


def imagined_better(d: xr.Dataset) -> xr.DataArray:
    """Error of imagined senses, less that with the words of another scene."""
    return d.imagined - d.imagined_scrambled


CLAIMS = (
    el.Claim(
        "Agents who talk categorise better than agents who do not",
        el.contrast("ari", "mh", "none", at=LATE),
        ">",
        0.05,
        published=f"the claim of the paper ({PAPER}; numbers not at hand)",
        about="adjusted Rand index; a twentieth of its range is one scene in thirty put right",
    ),
    el.Claim(
        "They categorise better than either could alone, however well it knew the categories",
        el.level(above_ideal, "mh", at=LATE),
        ">",
        0.05,
        published="not in the paper; follows if words carry what the other senses",
        about="against an ideal observer with one agent's senses; the margin of the claim before",
    ),
    el.Claim(
        "It takes the Metropolis-Hastings acceptance: to take every word does not do it",
        el.contrast("ari", "mh", "all", at=LATE),
        ">",
        0.05,
        published=f"all acceptance is the paper's baseline ({PAPER}; numbers not at hand)",
        about="the margin of the first claim",
    ),
    el.Claim(
        "Nor does it do to take half of them by chance",
        el.contrast("ari", "mh", "coin", at=LATE),
        ">",
        0.05,
        published="constant acceptance is a baseline of Okumura et al. 2023 for human choices",
        about="the margin of the first claim",
    ),
    el.Claim(
        "To take every word is no better than silence",
        el.contrast("ari", "all", "none", at=LATE),
        "=",
        0.05,
        published="both are baselines of the paper (numbers not at hand)",
        about="the margin of the first claim",
    ),
    el.Claim(
        "The agents come to hold the same words for the same scene",
        el.contrast("kappa", "mh", "none", at=LATE),
        ">",
        0.3,
        published=f"a shared symbol system by kappa ({PAPER}; numbers not at hand)",
        about="kappa of whole messages; 0.3 is between slight and fair agreement in the usual words",
    ),
    el.Claim(
        "More so than if every word were taken",
        el.contrast("kappa", "mh", "all", at=LATE),
        ">",
        0.3,
        published=f"({PAPER}; numbers not at hand)",
        about="the margin before",
    ),
    el.Claim(
        "And the same categories",
        el.contrast("ari_between", "mh", "none", at=LATE),
        ">",
        0.1,
        published=f"({PAPER}; numbers not at hand)",
        about="twice the margin of the first claim: two errors are shared out",
    ),
    el.Claim(
        "Words combine: a hearer understands combinations that nobody has met",
        el.level(beyond_chance, "mh", at=LATE),
        ">",
        0.3,
        published=f"generalization to novel situations ({PAPER}; numbers not at hand)",
        about="beyond the words of another scene; 0.9 would be perfect. A word for each whole scene gives 0 by "
        "construction, as held-out combinations have none",
    ),
    el.Claim(
        "Not so if every word is taken",
        el.contrast("novel", "mh", "all", at=LATE),
        ">",
        0.2,
        published="(numbers not at hand)",
        about="a fifth of the scenes",
    ),
    el.Claim(
        "Nor without talk",
        el.contrast("novel", "mh", "none", at=LATE),
        ">",
        0.2,
        published="(numbers not at hand)",
        about="a fifth of the scenes",
    ),
    el.Claim(
        "A hearer imagines what it would sense",
        el.level(imagined_better, "mh", at=LATE),
        "<",
        1.0,
        published=f"interpersonal cross-modal inference ({PAPER}; numbers not at hand)",
        about="root mean squared error in standard deviations of a sense, against the words of another scene; means "
        "of clear categories are 7 apart",
    ),
    el.Claim(
        "To learn which word is about which modality is needed for words to combine",
        el.contrast("novel", "mh", "mh-no-ownership", at=LATE),
        ">",
        0.1,
        published=f"cross-situational learning is part of the model ({PAPER}; no ablation at hand)",
        about="a tenth of the scenes",
    ),
    el.Claim(
        "The less alike the senses, the more talk adds to what one could know alone",
        el.trend(above_ideal, BY_AMB["mh"], at=LATE),
        "<",
        0.03,
        published="not in the paper",
        about="per standard deviation of half the distance of confusable means; 0.03 is 0.075 over the range",
    ),
    el.Claim(
        "Where senses are clear there is nothing to add",
        el.level(above_ideal, "mh-3", at=LATE),
        "=",
        0.05,
        published="not in the paper",
        about="the margin of the first claim; confusable means are six standard deviations apart",
    ),
    el.Claim(
        "Clear senses leave talk little to do for the words' users either",
        el.contrast("ari", "mh-3", "none-3", at=LATE),
        "=",
        0.05,
        published="not in the paper",
        about="the margin of the first claim",
    ),
    el.Claim(
        "The game does what somebody could do who sees both minds",
        el.contrast("ari", "mh", "central", at=LATE),
        "=",
        0.05,
        published="a theorem for signs held in common (Taniguchi et al. 2023)",
        about="the margin of the first claim",
    ),
    el.Claim(
        "So it does if refusals are told, to which the theorem applies",
        el.contrast("ari", "mh-common", "central", at=LATE),
        "=",
        0.05,
        published="a theorem (Taniguchi et al. 2023)",
        about="the margin of the first claim",
    ),
    el.Claim(
        "It comes close to one mind with both agents' senses",
        el.contrast("ari", "mh", "one-mind", at=LATE),
        "=",
        0.1,
        published="the topline of related papers (Hagiwara et al. 2019)",
        about="twice the margin before: one mind holds one category for both, two minds need not",
    ),
    el.Claim(
        "Who listens gains from one who does not",
        el.contrast("ari_a", "b-deaf", "none", at=LATE),
        ">",
        0.05,
        published="not in the paper",
        about="agent b keeps its first words, so that its tables are learnt from noise and it has nothing to say; the "
        "margin of the first claim",
        expect="refuted",
    ),
)
