"""Search by rewiring: an agent that changes its cognitive graph whenever an action fails (a reconstruction).

## What it is

Most learning machines need many tries at a task. An animal in a strange place often needs one, and a long one: it tries
what seems simplest, notes what does not work, and tries the next simplest. Baranski and Tani (2024) make a principle of
it. Behaviour is a search over all behaviours, held in a graph whose synapses say what leads to what. Using the graph
breaks the synapses that do not keep their promise, so that the same rule of choice gives another behaviour next time,
and where nothing is left the graph grows. No reward is learnt from, nothing is trained before, and any problem that can
be solved is solved within one life.

This study is a **reconstruction**. Of the paper only title, abstracts (of both versions), highlights and the graphical
abstract could be read, and no code was found. That a graph guides action, that failures mutate it, that behaviours are
thereby enumerated from simple to complex, that synapses are Hebbian and that places have a harmonic code is the
paper's. Every formula and number below is ours, and no published number could be compared.

## How it works

The world is a maze of thin walls on the unit square: a spanning tree of `rooms` x `rooms` cells drawn by a recursive
backtracker (`winding` 1) with a tenth of the other walls opened. The agent starts in one corner; the goal is in the
opposite one. It moves 0.02 in a motor step, slides along walls, knows where it is and where the goal is, and nothing
of walls.

A neuron stands for a place and answers to its code: cosines and sines of 32 plane waves of random direction and
frequency. Synapses join neurons within 1.6 cells, with a weight between 0 and 1 that begins at `hope`: whatever is near
is believed to be within a straight run. One step of the system is one *behaviour*:

1. Activity spreads backwards from the goal's neuron; a synapse of weight w and length d leaves w times 0.95 to the
   power of 10 d + 1/2 of it, and of several ways the best counts. That is Dijkstra's shortest way, done by neurons.
2. The agent runs straight to the neighbour that promises most, until that neuron answers (`sure`), or it has not got
   on for two motor steps, or time is up.
3. Success brings the synapse's weight halfway to 1. Failure takes 0.8 from it, both ways: an untested hope dies at
   once, a way that has worked survives one bad day. The agent goes back; if it cannot, it recalls the neuron that
   answers to where it is, or recruits a new one.
4. Where no activity arrives, eight neurons are made, three nearby and five anywhere, hopeful as all are at birth. They
   take unused rows, or those of the neurons with the least hope left.

When the goal is found the agent is put back (`visits`); before the third visit a wall moves into a shortest way
(`change`). `blame` is ours: a failure also weakens every synapse that crosses the piece of wall that must be there,
half a cell to both sides of where the agent was stopped.

Other minds in the same body (`mind`): a persistent random walk, and tabular Q-learning over cells, with first values of
0 (`table`) or 1 (`eager-table`, which tries what it never tried). Three more have programs of their own (`rival`, of
the size full): `replan` takes walls to be absent until it runs into one, draws it on its map and plans anew, as D* Lite
does with less work; `frontier` goes to the nearest cell that it has not seen until it has met the goal; `ppo` is
proximal policy optimisation of a table of cells, 32 behaviours at a time.

Sites: `seen`, `gain`, `activity`, `grow`, `located`, `out.felt`, `out.move`, `out.sensed` and the same with `back`,
`state.*`; rivals have `seen`, `out.*` and `state.*` only. A step is a behaviour, so is `during`.

    el.Clamp("activity", 1.0)                             # no spreading: greedy for the strongest synapse
    el.Ablate("grow", during=(50, None))                  # growth frozen
    el.Noise("*.felt", 0.02)                              # place known badly
    el.Clamp("state.graph.weight", 0.8, during=(50, 51))  # amnesia

What there is to see of a run is a view, walls and graph and way, if the run has recorded them:

    from emergelab.studies.learners.neural_search import TAPS, study
    run = study.run("tiny", conditions=["full"], taps=TAPS)
    scenes = [study.view.at(run, "full", 0, t) for t in range(0, 41)]
    emergelab.figures.film.animate(scenes, "search.gif")

## Things to notice

- Every part is needed. Who ignores failures repeats the first plan for ever (1 maze of 24 solved), who may not grow
  runs out of plans in two mazes of five, and with targets at random it takes five times as long.
- It is one life: the second way takes a fifth of the first, 2 times the shortest where the first took 11. After a wall
  has moved, what is left of the knowledge still helps.
- What is enumerated from cheap to dear are ways from the *start*, as far as they are still believed in. The plan under
  way does not grow: the agent stands ever nearer to the goal.
- One refuted synapse at a time is slow. Every wall is crossed by dozens, and each new neuron brings hopes that have to
  be disappointed again, so in 8 x 8 cells one maze in six is still unsolved after 10,000 steps, and the margin over a
  random walk is unclear. Where a failure counts for all synapses across the wall that was felt (`blame`) the agent is
  twice as fast again, and about four times as fast as a walk.
- PPO needs four times its steps, and an agent with a map of cells that plans anew at every wall a fifth of them.
  Neurons at random are a poor map, but nobody had to tell the agent what a cell is.
- Graded synapses do no better than those that are there or not. Sliding along walls and the length of synapses matter
  little, as long as these reach beyond the next cell.
- With a code of two waves the agent takes itself to be elsewhere, and yet finds most goals: what it believes is
  corrected by what fails.

## Things to try

- `--condition blame --set blame=1`: walls inferred too boldly. What does the agent have to unlearn, and how?
- `--set grip=1`: no sliding along walls. Is that harder, or easier?
- `--set winding=0`: mazes of many short dead ends. Who gains, searcher or walker?
- `--set unlearn=0.3` and `--set learn=0`: failures that are forgiven, successes that teach nothing.
- `--condition new-goal`: the goal in another corner on the second visit. What is still worth something?
- Conditions `lesion`, `amnesia`, `frozen`, `noise`, `shuffled`, `no-spreading` (size full) break one part each.

## Differences from the paper

- A reconstruction; see above. The paper's problems beside mazes (its second version names reinforcement-learning tasks)
  are left out, as are arms, momentum and one-way doors.
- Directions come from the difference of two places, not from phases of the code. The code serves to recognise places.
- Places are in one plane, so refinement is by new neurons in it. The paper's completeness is about all continuous
  behaviours.
- One straight run at a time; a synapse has no duration of its own.
- Q-learning looks one step ahead, and PPO has a table in place of a network. Not built: Q-learning over several steps,
  and random trees (RRT); the best that knowing the walls can give is the shortest way, which is drawn. Replanning and
  frontiers get maps of cells for nothing, which the searching agent has to do without.
- The graph has a fixed number of rows; when they are used up the least hopeful neurons go. With `blame`, which deletes
  much, that happens in the largest mazes.
- A visit ends after 10,000 motor steps.

## References

- A. Baranski, J. Tani (2024). Life, uh, finds a way: systematic neural search (second version: hyperadaptability by
  behavioral search). https://arxiv.org/abs/2410.01349
- S. Koenig, M. Likhachev (2002). D* Lite. AAAI 18, 476-483.
- B. Yamauchi (1997). A frontier-based approach for autonomous exploration. CIRA 1997, 146-151.
- J. Schulman et al. (2017). Proximal policy optimization algorithms. https://arxiv.org/abs/1707.06347
- C. Watkins, P. Dayan (1992). Q-learning. Machine Learning 8, 279-292.
- E. W. Dijkstra (1959). A note on two problems in connexion with graphs. Numerische Mathematik 1, 269-271.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import CONDITIONS, QUICK
from ._figures import draw_ablations, draw_film, draw_plans, draw_sizes, draw_visits
from ._system import NeuralSearch
from ._view import TAPS, view

__all__ = ["TAPS", "study"]

study = el.Study(
    slug="neural-search",
    family="learners",
    page=__doc__,
    papers=(
        el.Paper(
            "Life, uh, Finds a Way: Systematic Neural Search",
            authors="A. Baranski, J. Tani",
            year=2024,
            url="https://arxiv.org/abs/2410.01349",
        ),
    ),
    system=NeuralSearch,
    conditions=CONDITIONS,
    sizes={
        "tiny": el.Size(
            seeds=3, steps=40, every=1, conditions=("full", "no-deletion", "no-mutation", "blame", "walk", "table"),
            set={"speed": 0.04}, about="mechanics only: forty behaviours, twice as fast",
        ),
        "quick": el.Size(
            seeds=24, steps=1200, every=5, conditions=QUICK,
            about="mazes up to 8 x 8; 1,200 behaviours for three visits; single lesions belong to size full",
        ),
        "full": el.Size(seeds=64, steps=6000, every=10, about="all conditions, mazes up to 12 x 12; not run"),
        "paper": el.Size(
            seeds=64, steps=20_000, every=20, conditions=("full-12", "blame-12", "walk-12"),
            about="the paper's mazes and numbers could not be read; the largest of ours. Not run",
        ),
    },
    claims=claims,
    figures=(
        el.Figure(
            "film", draw_film,
            "One first visit: synapses grey, deleted ones red, the way blue, the goal vermilion, the agent green.",
            needs=("full",),
        ),
        el.Figure("sizes", draw_sizes, "Steps to the goal against the size of the maze; medians and quartiles.",
                  needs=("full", "walk")),
        el.Figure("ablations", draw_ablations, "What each part is worth: 6 x 6 cells, the same mazes for all.",
                  needs=("full", "walk")),
        el.Figure("plans", draw_plans, "Length of plans over the first visit, and steps against deletions.",
                  needs=("full",)),
        el.Figure("visits", draw_visits, "Three visits of one life; thin lines are mazes, the bold one the median.",
                  needs=("full", "scratch")),
    ),
    view=view,
)  # fmt: skip
