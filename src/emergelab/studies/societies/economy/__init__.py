"""A planner that only searches finds good taxes, and is misled by workers who need time to answer.

## What it is

Which income tax is best? Theory (Saez 2001) answers from three numbers: how strongly people respond to taxes, how
incomes are distributed, and whose welfare counts. Zheng et al. (2021) let a planner *learn* the tax instead, among
workers who learn at the same time, with neither knowing anything of economics. In an economy of one step, where theory
is right, the planner came up to it; in a richer world it went beyond.

This study is the one-step economy, solved exactly. Workers reply best to a tax by brackets, in closed form. So it is
known what the optimum is, what a formula should have recommended, and what is lost if workers or planners are less than
perfect. The questions are the planner's: does it find the optimum, by what means, and what if workers take their time?

## How it works

A hundred workers have skills from 1 to 3, drawn as published. Who works l hours earns z = skill * l, pays a tax by
brackets, gets an equal part of all taxes back, and bears a pain of c l^delta:

    u = z - T(z) + mean T - c l^delta,   l = ((1 - t) skill / (c delta))^(1 / (delta - 1)) at a marginal rate t

Three kinds of work: `steep` (delta 3.5, c 0.0005; elasticity 0.4), `gentle` (2, 0.02; elasticity 1) and `long` (2,
0.01; elasticity 1, and the most skilled run out of hours). Welfare is the mean of utilities with weights that fall as
one over income. A step is what a planner tries in it, and then some years of the rates that it has settled on. Shown is
the last of these, so workers who are not quick have the planner's trials behind them.

Planners are a family of pairs of functions, propose and learn: `schedule` (the same rates for ever: none, the federal
tax of 2018, flat); `saez` (a formula on the incomes seen, with the true elasticity or with a regression on years of
random taxes); `search` (cross-entropy over rates in steps of 0.05: 32 schedules a step, towards the best eight; it sees
nothing but welfare); `every` (every combination of three rates: the optimum by brute force). Workers are a family of
pure functions of what they see: `exact` (the best reply to this year's rates, or with `knowing` last year's);
`marginal` (each year a step towards what would be best at the rate on one's next coin); `learner` (a table of how well
each number of hours went, other hours tried in one year of ten). No planner knows how workers decide.

`static` is a planner that searches, too, but reckons with the hours that are worked without taxes. `hold` is how many
years it waits until it judges. Every society is also solved under 21 flat taxes.

Sites for interventions: `skill`, `rates`, `hours` (of the years in force) and `trial.rates`, `trial.hours`; they stand
in loops over years.

    holiday = el.Clamp("rates", 0.0, during=(20, 21))             # a year without taxes
    strike = el.Clamp("*hours", 0.0, where=np.arange(100) == 99)  # the most skilled one does not work
    alike = el.Clamp("skill", 1.67)                               # all are as skilled

## Things to notice

- The order is the published one: no taxes, the federal tax, Saez's formula, the planner. With an elasticity of 0.4
  there is little to gain (4 %, 5 %, 5 %), and one flat rate of 30 % does as well as any brackets. With an elasticity of
  1 the planner is 3 % above the formula, though the formula knows the elasticity and the planner knows nothing.
- Look at how: its rates are a saw. Nothing up to 39 coins, four tenths above, a tenth from 161 on; a third of the
  workers stop at the first kink. Weights follow income, so a tax that keeps people from earning more also makes them
  count for more, of which the formula knows nothing. With weights by skill, which no tax can move, the planner's lead
  falls from 3.4 % to half a per cent, and to a quarter of one over Saez's condition for whole brackets.
- That condition need not settle: workers jump over a kink, the recommended rate jumps after them, and in a few
  societies welfare moves by a twentieth to and fro. The formula at each income settles nearly everywhere.
- Where the most skilled have no more hours to give, the formula is no better than the federal tax: their elasticity is
  0, and it goes by 1.
- A regression on years of random brackets finds half to three quarters of the elasticity, and not because of noise:
  who responds most earns where rates are low, so the rate on the next coin is an outcome. Years of random *flat* taxes
  give it exactly. Most societies lose a few per cent of welfare by the error; the few with an estimate near 0.1 lose a
  third.
- A planner that takes hours for given (Lucas 1976) promises 31 % more welfare and delivers 38 % less. Nearly as bad is
  one whose workers know last year's rates only, if it judges by the year: it credits a schedule with what the one
  before it led to. Ten years a trial mend that.
- Patience must be measured against the workers. Among those who go by their marginal rate, ten years a trial are
  enough. Among tabular learners they are not: taxes go to nine tenths, and a quarter of welfare is lost against no
  taxes at all, while the federal tax, which tries nothing, still gains 3 %.
- Equality times productivity is highest without taxes, in both kinds of work: here taxes cost more product than they
  bring equality. This planner is not paid for that product, and the paper's +16 % is of another world.

## Things to try

- `emergelab run economy --condition steep-learner-planner --set hold=100`: how patient must a planner be?
- `--condition gentle-planner --set skills=equal`: what is there to tax where all are alike?
- `--condition steep-marginal-hasty --set pace=0.05`, and 0.5: the planner's error against the workers' speed.
- `strike` and `holiday` above: how much of what others get back comes from one worker, or from one year?
- `--condition gentle-people --set inquiry=35`: does a wrong regression get better with more years?

## Differences from the paper

- Planner and workers are no deep networks. Workers reply exactly or learn by one-line rules; the planner searches by
  cross-entropy. So what is said here is about the economy and about learning from it, not about PPO.
- Skills are one draw of a hundred a seed, so that seeds are societies; the paper has the means of order statistics over
  a thousand draws (`skills` averaged).
- delta = 3.5 and c = 0.0005 are the published runs' as far as known; the code's own defaults (2 and 1, with up to a
  hundred hours) would have everybody work for an hour. The other two settings are ours.
- Weights follow income before taxes; Saez's formula takes a smooth density of log income in the place of a hundred
  bins; the elasticity is estimated on random taxes of the first steps only.
- Saez's condition for whole brackets, weights by skill, workers who know last year's rates, and planners that take
  hours for given are not in the paper.
- Gather-Trade-Build, the paper's second world with its trade, houses, specialisation and the gaming of taxes over
  years, is not built here.

## References

- S. Zheng, A. Trott, S. Srinivasa, D. C. Parkes, R. Socher: The AI Economist: optimal economic policy design via
  two-level deep reinforcement learning, arXiv 2108.02755 (2021); Science Advances 8 (2022).
- E. Saez: Using elasticities to derive optimal income tax rates, Review of Economic Studies 68 (2001).
- R. E. Lucas: Econometric policy evaluation: a critique, Carnegie-Rochester Conference Series 1 (1976).
- R. Y. Rubinstein: The cross-entropy method for combinatorial and continuous optimization, Methodology and Computing in
  Applied Probability 1 (1999).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import Economy

__all__ = ["Economy", "study"]

study = el.Study(
    slug="economy",
    family="societies",
    papers=(
        el.Paper(
            "The AI Economist: Optimal Economic Policy Design via Two-level Deep Reinforcement Learning",
            authors="Stephan Zheng, Alexander Trott, Sunil Srinivasa, David C. Parkes, Richard Socher",
            year=2021,
            url="https://arxiv.org/abs/2108.02755",
        ),
    ),
    system=Economy,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=4,
            every=2,
            seeds=3,
            conditions=("steep-free", "steep-us", "steep-saez", "steep-people", "steep-planner", "steep-late"),
            set={"workers": 10, "candidates": 4},
            about="mechanics only: ten workers, and planners that have hardly begun",
        ),
        "quick": el.Size(
            steps=40,
            every=10,
            seeds=16,
            about="workers who reply best, or learn by simple rules, in the place of deep learners; a search by "
            "cross-entropy in the place of a deep planner",
        ),
        "full": el.Size(steps=200, every=20, seeds=32, about="five times the steps, twice the societies"),
        "paper": el.Size(
            steps=200,
            every=20,
            seeds=10,
            set={"skills": "averaged"},
            about="the published skills; the paper's deep learners are not built. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
