"""Who builds, who sells? Workers with one policy learn to live in a small economy, and under its taxes.

## What it is

In Gather-Trade-Build, the economy of the AI Economist (Zheng et al. 2020, 2021), workers gather wood and stone, trade
them and build houses of them; they differ in what they are paid for a house, and in nothing else. Without being told
to, the skilled become builders who buy what they need, and the unskilled gather for them and sell. Taxes make incomes
more equal and work less worth while, and workers find ways around them: they alternate years of high and of low
income where that saves taxes.

This is that economy made small enough to be learnt in minutes on a laptop. What the papers are about, a planner that
*learns* taxes and beats Saez's formula in this economy, is of another order: a thousand million samples. It is not
attempted. `economy` has planners, in an economy of one year that can be solved.

## How it works

Four workers on a map of 11 x 11 cells, 16 of which grow wood and 16 stone. An episode is 100 steps, two tax years of
50. In each step a worker does nothing, takes a step (and the unit it comes upon), builds, or bids or asks for a unit of
wood or stone at a price of 0 to 5 coins, in a continuous double auction with price-time priority. A house costs a unit
of each and pays 4, 6, 10 or 16 coins. At the end of a year income is taxed by the brackets of the United States (1 coin
for 1,000 dollars) and all taxes are handed back in equal parts. Utility is isoelastic in coins (exponent 0.23) less 0.1
a unit of labour (less in the first 40 updates): a step and taking a unit cost 1, an order 0.25, building 10. The reward
is the change of utility.

All workers share one policy and one value, networks with two hidden layers of 64 units, which see the way to the
nearest unit of wood and stone, what the worker has and is paid for a house, best prices, the time, its income this year
and the tax on its next coin. What is not allowed has a probability of 0. One step of the system is one update by
proximal policy optimisation from whole episodes; each record plays 16 episodes more to see what workers do.

Regimes: no taxes (`free`), the federal rates of 2018 (`us`), a flat tax that takes as much (`flat`), a tax that takes
half of the first 9.7 coins of a year and little of all others (`regressive`), and a flat tax that takes as much as that
(`flat-high`). In `equal`, all are paid alike for a house, and there are no taxes. Flat rates were set by a pilot of two
seeds.

`specialisation` is the mutual information of whose a coin is and whether it was earned by building or by selling.
`spread` is how unlike the incomes of a worker's two years are, |a - b| / (a + b); `timing` is the tax that is saved by
that, against the tax on the same incomes spread evenly: positive if workers game the tax by timing. Sites:
`play.known`, `play.may`, `play.action`, `play.reward`, `play.logits`, `play.value` (`test.` where workers are only
watched), `advantage`, `grad.PATH`, `update.PATH`, `rate`.

    lame = el.Scale("play.reward", 0.0, during=(50, 100))

The size `full` has a flat tax of just what the regressive one took in the recorded run (`flat-even`), no trade
(`no-market`), and a most skilled worker who is not paid for houses (`no-master`).

    idle = el.Clamp("*.action", 0, where=np.arange(64) % 4 == 3)  # one worker does nothing (16 economies of 4 workers)
    rigid = el.Ablate("update.*", during=(130, None))             # nobody learns any more

## Things to notice

All numbers are means over ten seeds, over the last fifth of training at the size `quick`. With sixteen times as much
play (`full`) roles are complete (the most skilled live by building, the least by selling), taxes buy equality at a
price, and still nobody games them.

- Nothing about roles is in the reward. Yet with time the worker who is paid 4 for a house earns 44 % of its coins by
  selling, the one who is paid 16 only 3 %; the first sells 4.8 units and buys 2.3, the second sells 1.1 and buys 4.8.
  Where all are paid alike, specialisation is 0.003 bits in place of 0.13. It begins after some 80 updates, when all
  have learnt to gather and build, and still grows at the end.
- Seeds differ: in two of ten the least skilled goes on building. With so few seeds and so many claims most verdicts are
  inconclusive although intervals lie beyond the margin; they are judged together.
- A flat tax of 33 % costs a third of productivity and of labour, and makes coins more equal (0.61 against 0.53). By
  equality times productivity it is worse than no tax.
- The federal tax takes an eighth of incomes, and equality stays as it was. Those who are paid least answer most: with
  the rebate they work a third less, the most skilled as much as without. The tax that was to make incomes equal made
  them more unequal before taxes.
- Under the regressive tax 9 % of taxes are saved by unlike years. But years are as unlike under the flat tax, where
  this saves nothing: so it need not be gaming, and there is no sign that it is. An index of tax gaming without such a
  control would have found it. (The control takes 33 % where the regressive tax takes 26 %; one that takes as much,
  `flat-even`, shows no gaming either.)
- Without a market workers end with more coins than with one (44 against 38), and work more for them: the roles that
  trade brings are no gain at this size.
- If labour costs all of its utility from the beginning (`warm=0`), two seeds of eight without taxes, and four under the
  regressive tax, learnt to do nothing for ever: working badly is worse than idleness. The papers let the cost of labour
  grow slowly, and so does this study, over the first 40 updates. That was added after a first run at the size `quick`;
  claims and margins stayed, but one claim was dropped that said the same as another: coins before taxes are coins after
  them, as all are handed back.

## Things to try

- `--set market=0`: no orders. Who loses?
- `--set rates=[.8,.8,.8,.8,.8,.8,.8]`: who still builds?
- `--set burden=0.2`: work twice as hard. Does the least skilled stop building?
- `--set regrow=0.005`: what becomes of prices when wood and stone are scarce?
- `--set pay=[10,10,10,30]`: one master among equals.

## Differences from the paper

- Size: 11 x 11 cells and 100 steps in place of 25 x 25 and 1,000, two tax years in place of ten, prices to 5 in place
  of 10, 4 orders a worker standing for 20 steps in place of 5 for each good and 50. 0.2 million samples in place of
  1,000 million.
- No planner learns, and there is no Saez's formula: that a planner beats it, by 16 % in equality times productivity,
  is a claim at the size of the paper only.
- The map has no water and sources at random; houses and workers do not stand in the way. All gather equally well.
- Workers see the way to what is nearest instead of a window of the map, and remember nothing; the papers' have
  convolutions and a long short-term memory.
- Payments are 4 to 16 coins, in proportion to the lower prices, and labour costs 0.1 in place of 0.21 of utility;
  it grows over 40 updates in place of some millions of steps.
- All orders are called back when a year ends; there, coins in orders could escape the tax.
- In a step all walk and build before any trade; the order within each is drawn at random.
- Rates never change while workers learn, so there are no tax holidays, no rates announced for next year, and no
  contrast of workers who go on learning with ones who do not where rates change.

## References

- S. Zheng et al. (2020). The AI Economist: Improving equality and productivity with AI-driven tax policies.
  https://arxiv.org/abs/2004.13332
- S. Zheng et al. (2021). The AI Economist: Optimal economic policy design via two-level deep reinforcement learning.
  https://arxiv.org/abs/2108.02755
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import CONDITIONS, QUICK
from ._figures import figures
from ._system import EconomyTrade
from ._view import view

__all__ = ["EconomyTrade", "study"]

study = el.Study(
    slug="economy-trade",
    family="societies",
    papers=(
        el.Paper(
            "The AI Economist: Improving Equality and Productivity with AI-Driven Tax Policies",
            authors="Stephan Zheng, Alexander Trott, Sunil Srinivasa, Nikhil Naik, Melvin Gruesbeck, David C. Parkes, "
            "Richard Socher",
            year=2020,
            url="https://arxiv.org/abs/2004.13332",
        ),
        el.Paper(
            "The AI Economist: Optimal Economic Policy Design via Two-level Deep Reinforcement Learning",
            authors="Stephan Zheng, Alexander Trott, Sunil Srinivasa, David C. Parkes, Richard Socher",
            year=2021,
            url="https://arxiv.org/abs/2108.02755",
        ),
    ),
    system=EconomyTrade,
    conditions=CONDITIONS,
    sizes={
        "tiny": el.Size(
            steps=2,
            every=1,
            seeds=2,
            conditions=QUICK,
            set={"economies": 2, "tests": 2, "year": 10, "width": 8},
            about="mechanics only: years of ten steps, and nobody has learnt anything",
        ),
        "quick": el.Size(
            steps=160,
            every=10,
            seeds=10,
            conditions=QUICK,
            about="11 x 11 cells, 100 steps, four economies an update: enough for trades and a response to taxes",
        ),
        "full": el.Size(
            steps=600,
            every=20,
            seeds=16,
            set={"economies": 16, "parts": 8},
            about="16 times as much play, all conditions; for a GPU",
        ),
        "paper": el.Size(
            steps=600,
            every=20,
            seeds=16,
            set={"economies": 16, "parts": 8},
            about="as full: the papers' map, episodes of 1,000 steps and learned planner are not built. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
    page=__doc__,
)
