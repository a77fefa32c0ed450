"""A city hears of its epidemic: waves that come of behaviour, and how many minds must be asked for them.

## What it is

People fall ill, the news report it, people stay at home, the wave breaks, people come out again, and the next wave
begins. Whether a simulated city shows this depends on who decides in it. Chopra and others (2024) ask a language model
once for each *archetype*, a group of people of like age and circumstances, and let every member draw from the group's
answer. So 8.4 million inhabitants of New York take a few hundred answers. They report that this keeps the waves which
fixed behaviour misses, and call the price the limits of agency: what is not asked cannot be answered.

No language model and nobody's data are needed to ask where these limits lie. Here the truth is planted: a synthetic
city in which everybody decides for themselves, with tempers and memories of their own. Every coarser level of agency
is an approximation of it, so that its error is known.

## How it works

A city has areas on a map and households in areas, with ages, incomes and tempers. A day's infections come from the
household, from four acquaintances and from strangers. If x is what a person of age a is exposed to,

    chance of infection = 1 - exp(-R S(a) x / I(a))

where each contact adds its weight times A(stage) G(days since infection). S, I, A and G, a gamma law, are as published.
Those who isolate meet nobody outside of the household. After 5 days comes the onset, after 10 the end: death, by age,
or 100 days of immunity.

Once a week half of the cases are reported and everybody decides whether to isolate and whether to work, at one of four
levels:

- **fixed**: the same chance for all, always;
- **heuristic**: a logistic curve of age and reported cases, half as steep as the mind below;
- **archetypes**: the mind is asked about the mean member of each of K groups, and each member draws from the answer.
  K is 1, 9 (age), 27 (and income), 432 (and region of the map) or 864 (and whether one has seen illness);
- **individuals**: everybody is asked, with own caution, own trust in the news, and own memory of illness at home and
  among acquaintances.

All four see the same typed arrays (`News`, `People`) and return the same (`Chances`); the city does not know which it
is. `calls` counts the answers.

Three kinds of question are conditions or parameters. *Of the past*: which R explains the first twelve weeks, and does
the fitted model foresee the next eight? *Of another world*: what if those who stay at home were paid (`payment`), if
news were absent, late, or another city's (`source`, `delay`), if nobody remembered (`remembering`)? *Of the future*:
from day 84 on, whom to vaccinate first (`vaccine`, `vaccine_day`), or what if people stop listening (`next_level`)?

The size is limited by time, not by memory. No list of contacts exists: sums over households are shifts along an axis,
and whom an acquaintance is matched with is computed from the person's number every day.

Sites for interventions: `news` (the week's cases and the month's mean), `payment`, `level`, `isolate` and `work` (the
chances), `reproduction`, `susceptibility` (by age), `state.memory`, `state.stage`, `state.week.isolates` and all else.

    closed = el.Clamp("isolate", 0.9, during=(28, 56))  # from day 28 to 55 nine in ten stay at home
    calm = el.Scale("news", 0.1)  # a tenth of the cases is told
    forget = el.Clamp("state.memory", 0.0, during=(84, 85))

## Things to notice

- Fixed behaviour makes one wave and reaches four in five. Behaviour that follows the news makes three in the same time
  and reaches one in four. What makes waves is that the news are late: with fresh news the waves are small and many,
  with news that are two weeks old the worst week is nearly twice as bad, and the news of another city make no waves.
- The rule of thumb is half as steep as the truth and settles at an endemic level, two waves at most. Waves need a
  delay and a steep answer.
- One archetype gives the waves already. More of them do not bring the curve nearer: with nine or with 432 groups told
  apart by age, income and area, five to six people in a hundred more fall ill than where everybody decides. In a city
  of a million, which differs little from itself with other random numbers, they err nine to thirteen times as much as
  individuals would; in one of 16,384 chance hides most of that.
- What is missing is private history. 432 groups know the area but not who has seen illness. One more bit, whether one
  has, brings the mean back. Who has ill people around stays at home, and just that person matters for the disease.
- The variance of behaviour between people stays below half of the truth's, whatever is told apart.
- A full wage for staying at home changes how many do so by little, since cases fall in turn. In six of sixteen
  cities, though, the disease dies out between two waves, and nobody needs to isolate any more. Means over cities hide
  that there are two kinds of them; where 16,384 people live it may die out, where a million do it did not.
- And the level of agency changes the answer: in a city of a million a full wage takes six times as much off the worst
  week if archetypes decide (0.8 in a hundred) as if everybody does (0.13).
- Groups that act as one man, by a common draw or by majority, swing from nobody to everybody.
- An autoregression on twelve weeks foresees the next eight better than fitted archetypes (among a million; among
  16,384 that is not settled): regular waves are easily continued.
- The first wave is that of the corner in which the first infections live.

## Things to try

- `emergelab run epidemic --set delay=3`: how old may news be before they do harm?
- `--set reach=0.3 --set travel=0`: areas on their own. Do waves travel, and do archetypes without areas still do?
- `--set shield=0`: isolation protects oneself but nobody else, as in the published program.
- `--set residents=1024`: a larger city. Which numbers change, and which only scatter less?
- Give the archetypes one more bit: what else than illness seen should a portrait hold?
- Hand the weekly curve of `individuals` to an early-warning instrument: can the second wave be seen coming?

## Differences from the paper

- No language model is asked, and nothing is said about one. The planted mind is a logistic function with weights of
  ours; how much agency is lost depends on them. An answer is the chance itself, not a share of yes in k answers.
- The population is synthetic and documented in `_population.py`; the paper's is New York's. There is no comparison with
  recorded cases.
- Contacts: a complete household, four acquaintances in the own area, strangers as a mean over areas; the paper has a
  mobility network. Nobody has more acquaintances than others, so superspreaders come of tempers and households only.
- Isolation covers all contacts outside of the home and protects both sides (`shield`); in the published program it
  lowers the chance of the susceptible alone, at home as well.
- Deaths follow age (Levin et al. 2020), where the published settings have 0.2 for all. Of two published times to the
  onset, 3 and 5 days, the second is used. Tests and quarantine are left out.
- Work is a decision beside isolation, with payment and unemployment in view; there is no market for consumption.
- R is fitted by a grid of three values, not by a network that reads the data; gradients through the infections are not
  taken.
- Peaks, errors and margins are ours: the units of the published errors (infections 95.17, unemployment 24.59) are not
  known to us.

## References

- A. Chopra, S. Kumar, N. Giray-Kuru, R. Raskar, A. Quera-Bofarull: On the limits of agency in agent-based models,
  arXiv 2409.10568 (2024), AAMAS 2025, and their framework, AgentTorch/AgentTorch on GitHub.
- W. O. Kermack, A. G. McKendrick: A contribution to the mathematical theory of epidemics, Proc. R. Soc. A 115 (1927):
  the final size.
- A. T. Levin et al.: Assessing the age specificity of infection fatality rates for COVID-19, Eur. J. Epidemiol. 35
  (2020).
- C. Fraser: Estimating individual and household reproduction numbers in an emerging epidemic, PLoS ONE 2 (2007): R_t
  from infections and infectiousness.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import BASE, SCALES, archetypes, conditions
from ._figures import figures
from ._system import Epidemic
from ._view import view

__all__ = ["Epidemic", "study"]

_ALL = conditions()

study = el.Study(
    slug="epidemic",
    family="societies",
    papers=(
        el.Paper(
            "On the limits of agency in agent-based models",
            authors="Ayush Chopra, Shashank Kumar, Nurullah Giray-Kuru, Ramesh Raskar, Arnau Quera-Bofarull",
            year=2024,
            url="https://arxiv.org/abs/2409.10568",
        ),
    ),
    system=Epidemic,
    conditions=_ALL,
    sizes={
        "tiny": el.Size(
            steps=168,
            every=7,
            seeds=4,
            set={"rows": 4, "cols": 4, "residents": 32, "initial": 0.04},
            conditions=tuple(name for name in _ALL if name not in SCALES),
            about="512 people: mechanics only",
        ),
        "quick": el.Size(
            steps=168,
            every=7,
            seeds=16,
            about="16,384 people (1,024 to 65,536 in some conditions) where the paper has 8.4 million, 24 weeks",
        ),
        "full": el.Size(
            steps=168,
            every=7,
            seeds=16,
            set={"rows": 32, "cols": 32, "residents": 1024},
            conditions=tuple(name for name in _ALL if name not in SCALES),
            about="1.05 million people; for a GPU. Cities of other sizes belong to quick",
        ),
        "paper": el.Size(
            steps=175,
            every=7,
            seeds=1,
            set={"rows": 64, "cols": 64, "residents": 2048},
            conditions=(BASE, archetypes(9)),
            about="8.39 million people and 25 weeks, one city. Not run; benchmarks/epidemic.py measures days of it",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
    page=__doc__,
)
