"""What is said of repeated games, as tests. Each margin says in a word why."""

from __future__ import annotations

import xarray as xr

import emergelab as el

from ._conditions import HEED, heeding, variant
from ._matches import RIVALS
from ._measures import (
    ADAPTIVE,
    ALTERNATING,
    RECIPROCAL,
    evolved_reciprocity,
    family,
    in_dilemma,
    in_trained_games,
    profile_of_models,
    provoked_beyond_clean,
    spread_of_provoked,
    with_partners,
)

_HUNDREDTH = "a hundredth of the most that games can pay, a fifth of what separates good rules from middling ones"
_TENTH = "one round in ten"
_EXACT = "exact, but for rounding"
_OURS = "not in the paper"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_families(), *_ranking(), *_forgiveness(), *_battle(), *_invariance())


def win_win_lead(d: xr.Dataset) -> xr.DataArray:
    """Score in win-win games minus that in biased ones, the next."""
    return family("Win-win")(d) - family("Biased")(d)


def dilemma_lead(d: xr.Dataset) -> xr.DataArray:
    """Score in the dilemma's family minus the mean of all games."""
    return family("PD Family")(d) - d["score"]


def _families() -> list[el.Claim]:
    data = "models by family: win-win .87, biased .73, dilemma .73, unfair .71, cyclic .70, second best .65, tragic .63"
    return [
        el.Claim(
            "Games in which self-interest pays are played best (by fictitious play)",
            el.level(win_win_lead, "fictitious"),
            ">",
            0.05,
            published=f"{data} (their released games, analysed by us)",
            about="five hundredths of the most that games can pay: half of the lead that the models have",
        ),
        el.Claim(
            "So do those who decide at random: it is the games, and who is met in them",
            el.level(win_win_lead, "random"),
            ">",
            0.05,
            published=_OURS,
            about="as above",
        ),
        el.Claim(
            "The models' profile over families is that of fictitious play",
            el.level(profile_of_models, "fictitious"),
            ">",
            0.5,
            published=data,
            about="a correlation above one half, over seven families",
        ),
        el.Claim(
            "It is that of chance as well",
            el.level(profile_of_models, "random"),
            ">",
            0.5,
            published=_OURS,
            about="as above: what chance shares with the models needs no skill",
        ),
        el.Claim(
            "It is more like that of fictitious play than like that of chance",
            el.contrast(profile_of_models, "fictitious", "random"),
            ">",
            0.05,
            published=_OURS,
            about="a difference between correlations of a twentieth",
            expect="refuted",
        ),
        el.Claim(
            "The dilemma's family is played better than games on the average (by fictitious play)",
            el.level(dilemma_lead, "fictitious"),
            ">",
            0.01,
            published="models do well there, says the paper; in its data .728 against a mean of .745",
            about=_HUNDREDTH,
            expect="refuted",
        ),
        el.Claim(
            "Reciprocity is what it takes there: tit for tat gets more than fictitious play from the same pool",
            el.contrast(family("PD Family"), "tit-for-tat", "fictitious"),
            ">",
            0.01,
            published=_OURS,
            about=_HUNDREDTH,
            expect="refuted",
        ),
    ]


def _ranking() -> list[el.Claim]:
    return [
        el.Claim(
            "It pays to learn from what the other does: fictitious play above best against chance",
            el.contrast("score", "fictitious", "level-1"),
            ">",
            0.01,
            published=_OURS,
            about=f"{_HUNDREDTH}. A prototype: .827 against .780",
        ),
        el.Claim(
            "Looking for patterns is better than counting: predict above fictitious play",
            el.contrast("score", "predict", "fictitious"),
            ">",
            0.01,
            published=_OURS,
            about=f"{_HUNDREDTH}. A prototype: .832 against .827",
            expect="refuted",
        ),
        el.Claim(
            "It pays to ask what the other wants: level 2 above level 1",
            el.contrast("score", "level-2", "level-1"),
            ">",
            0.01,
            published=_OURS,
            about=_HUNDREDTH,
        ),
        el.Claim(
            "Whoever cares for the sum gets less than who cares for the most",
            el.contrast("score", "social", "maximax"),
            "<",
            0.01,
            published=_OURS,
            about=f"{_HUNDREDTH}. A prototype, which took the first of several largest sums: .737 against .787",
            expect="refuted",
        ),
        el.Claim(
            "Without the other's payoffs level 2 falls back",
            el.contrast("score", "level-2", variant("level-2", "blind")),
            ">",
            0.01,
            published=_OURS,
            about=_HUNDREDTH,
        ),
        el.Claim(
            "Memory of one round, evolved, gets less than fictitious play in games that it has not met",
            el.contrast("unseen_score", "evolved", "fictitious"),
            "<",
            0.01,
            published=_OURS,
            about=_HUNDREDTH,
        ),
        el.Claim(
            "It does as well in games that it has not met as in those that trained it",
            el.level(in_trained_games, "evolved"),
            "=",
            0.02,
            published=_OURS,
            about="two hundredths of the most that games can pay; halves of the games differ by chance",
        ),
        el.Claim(
            "It has evolved to answer defection",
            el.level(evolved_reciprocity, "evolved"),
            ">",
            0.1,
            published=_OURS,
            about="a tenth of the scale of probabilities",
        ),
    ]


def _forgiveness() -> list[el.Claim]:
    counts = (
        "GPT-4 after an old defection, forgiven last: 28 of 28 defect in 10 rounds, 10 of 48 and 26 of 37 in two files "
        "of 20 rounds"
    )
    forced = "the other defects once, made to, in round 4"
    provoked_once = in_dilemma("provoked", ("social",), "one who else cooperates")
    zoo = in_dilemma("dilemma_score")
    return [
        el.Claim(
            "A grudge is seen as one",
            el.level(provoked_once, variant("grim", "hurt"), value=1.0),
            "=",
            1e-6,
            published=counts,
            about=f"a check of the measure, exact; {forced}",
        ),
        el.Claim(
            "Three rounds of memory look less unforgiving than a grudge",
            el.contrast(provoked_once, variant("grim", "hurt"), variant("hard", "hurt")),
            ">",
            0.2,
            published=_OURS,
            about=f"one round in five; {forced}",
        ),
        el.Claim(
            "One number tells how unforgiving a player is, whomever it meets (hard tit for tat)",
            el.level(spread_of_provoked, "hard"),
            "=",
            0.2,
            published=f"{counts}; there 18 of 18 towards one who defects once, 0 of 9 towards reverse tit for tat",
            about="one round in five between any two rivals",
            expect="refuted",
        ),
        el.Claim(
            "Who defects after an old defection bears a grudge (fictitious play)",
            el.level(provoked_beyond_clean, "fictitious"),
            ">",
            0.1,
            published="read so in the paper; GPT-4's rate on a clean past is 0 of 67",
            about=f"{_TENTH} more than without provocation",
            expect="refuted",
        ),
        el.Claim(
            "A grudge costs: grim gets less than tit for tat from the rivals",
            el.contrast(zoo, "grim", "tit-for-tat"),
            "<",
            0.02,
            published=_OURS,
            about="two hundredths of the most that the dilemma can pay",
            expect="refuted",
        ),
        el.Claim(
            "Where hands tremble it does cost, among those who reciprocate: grim less than generous tit for tat",
            el.contrast(
                in_dilemma("dilemma_score", RECIPROCAL, "those who reciprocate"),
                variant("grim", "noise"),
                variant("generous", "noise"),
            ),
            "<",
            0.02,
            published=_OURS,
            about="as above",
            expect="refuted",
        ),
    ]


def _battle() -> list[el.Claim]:
    alternators = with_partners("coordination", ALTERNATING, "alternators")
    changes = with_partners("alternation", ALTERNATING, "alternators")
    adaptive = with_partners("coordination", ADAPTIVE, "adaptive partners")
    itself = with_partners("coordination", ("predict",), "one who predicts")
    return [
        el.Claim(
            "Who predicts first coordinates better with one who alternates than who insists",
            el.contrast(alternators, "predict", "maximax"),
            ">",
            0.1,
            published="GPT-4: 5 of 10 rounds, 8 of 10 when asked to predict first",
            about=_TENTH,
        ),
        el.Claim(
            "And does alternate",
            el.level(changes, "predict"),
            ">",
            0.5,
            published="GPT-4 does so from round 6",
            about="in more than half of the rounds",
        ),
        el.Claim(
            "It is what is predicted that counts: a coin in its place does not do",
            el.contrast(alternators, "predict", variant("predict", "noise")),
            ">",
            0.1,
            published="not separated in the paper from asking once more",
            about=_TENTH,
        ),
        el.Claim(
            "A coin in the place of the prediction is no better than insisting",
            el.contrast(alternators, variant("predict", "noise"), "maximax"),
            "=",
            0.05,
            published=_OURS,
            about="half a round in ten",
        ),
        el.Claim(
            "The more often the prediction is heeded, the more coordination",
            el.trend(alternators, {heeding(h): h for h in HEED}),
            ">",
            0.1,
            published=_OURS,
            about=f"{_TENTH}, from never to always",
        ),
        el.Claim(
            "Learning the pattern costs little: who knows the next move is not much better",
            el.contrast(alternators, variant("predict", "truth"), "predict"),
            "=",
            0.1,
            published=_OURS,
            about=_TENTH,
            expect="refuted",
        ),
        el.Claim(
            "Partners that adapt are met better by predicting than by insisting",
            el.contrast(adaptive, "predict", "maximax"),
            ">",
            0.05,
            published="people with a GPT-4 that predicts: .62 of rounds, .54 with one that does not (d = .37)",
            about="half a round in ten; the published difference is .07",
            expect="refuted",
        ),
        el.Claim(
            "Two that predict each other find together",
            el.level(itself, "predict", value=0.5),
            ">",
            0.1,
            published=_OURS,
            about="one round in ten above chance",
            expect="refuted",
        ),
        el.Claim(
            "Predicting first does not bring about mutual cooperation in the dilemma",
            el.contrast(in_dilemma("mutual", RIVALS), "predict", "maximax"),
            "=",
            0.05,
            published="people with GPT-4: .43 of rounds against .37, not significant",
            about="half a round in ten. Both always defect: what is best against any move is to defect",
        ),
    ]


def _invariance() -> list[el.Claim]:
    alternators = with_partners("coordination", ALTERNATING, "alternators")
    half = "half a hundredth of the most that games can pay"
    return [
        el.Claim(
            "Payoffs in other units change nothing (fictitious play)",
            el.contrast("score", variant("fictitious", "rescaled"), "fictitious"),
            "=",
            0.005,
            published=_OURS,
            about=f"{half}; equal in theory",
        ),
        el.Claim(
            "Payoffs in other units change nothing (the sum of both)",
            el.contrast("score", variant("social", "rescaled"), "social"),
            "=",
            0.005,
            published=_OURS,
            about=f"{half}. A sum over persons has a unit; so has cooperation, where it is defined by one",
            expect="refuted",
        ),
        el.Claim(
            "Names of moves change nothing (fictitious play)",
            el.contrast("score", variant("fictitious", "fixed"), "fictitious"),
            "=",
            0.005,
            published="letters, and their order in the question, are drawn there",
            about=half,
        ),
        el.Claim(
            "Names of moves change nothing (win-win games, the move that is named first)",
            el.contrast(family("Win-win"), variant("first", "fixed"), "first"),
            "=",
            0.05,
            published="letters are drawn there, but the rules always begin with the map's first row and column, "
            "which is best for both in all 36 win-win games",
            about="five hundredths of the most that games can pay, half of the models' lead in these games",
            expect="refuted",
        ),
        el.Claim(
            "Who always takes the move named first has the models' profile, if names are those of the map",
            el.level(profile_of_models, variant("first", "fixed")),
            ">",
            0.5,
            published="as above",
            about="a correlation above one half, over seven families",
        ),
        el.Claim(
            "The order of past rounds does not matter to who counts",
            el.contrast("score", variant("fictitious", "scrambled"), "fictitious"),
            "=",
            1e-6,
            published=_OURS,
            about=_EXACT,
        ),
        el.Claim(
            "It does to who predicts",
            el.contrast(alternators, "predict", variant("predict", "scrambled")),
            ">",
            0.1,
            published=_OURS,
            about=_TENTH,
        ),
        el.Claim(
            "Tit for tat needs the order of rounds to cooperate with those who begin or probe with a defection",
            el.contrast(
                in_dilemma("mutual", ("suspicious", "prober-10", "prober-20"), "those who begin or probe"),
                "tit-for-tat",
                variant("tit-for-tat", "scrambled"),
            ),
            ">",
            0.05,
            published=_OURS,
            about="half a round in ten",
            expect="refuted",
        ),
    ]
