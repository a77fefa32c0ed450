"""The conditions of the study `neural-search`."""

from __future__ import annotations

import numpy as np

import emergelab as el

__all__ = ["CONDITIONS", "PLACES", "QUICK"]

# Rows of the graph: room for 2 neurons a cell, and for those that grow. Walkers and tables need none.
PLACES = {4: 64, 6: 128, 8: 200, 12: 400}
BARE = {"places": 16}
LIFE = {"visits": 3, "change": 2}  # twice in the same maze, then with a wall moved


def _in(rooms: int, **more: object) -> dict[str, object]:
    return {"rooms": rooms, "places": PLACES[rooms], **more}


def _other(mind: str, rooms: int, **more: object) -> dict[str, object]:
    return {"rooms": rooms, "mind": mind, **BARE, **more}


def _rival(rival: str, rooms: int) -> dict[str, object]:
    return {"rooms": rooms, "rival": rival, **BARE, **LIFE}


CONDITIONS = {
    "full-4": el.Condition(_in(4, **LIFE), about="the searching agent in 4 x 4 cells"),
    "full": el.Condition(_in(6, **LIFE), about="in 6 x 6 cells"),
    "full-8": el.Condition(_in(8, **LIFE), about="in 8 x 8 cells"),
    "scratch": el.Condition(_in(6, **LIFE, forget=2), about="forgets all synapses before the wall moves"),
    "no-deletion": el.Condition(_in(6, heed=0.0, budget=3000), about="failures change nothing; a smaller budget"),
    "no-mutation-4": el.Condition(_in(4, growth=0), about="no neuron is ever made, 4 x 4"),
    "no-mutation": el.Condition(_in(6, growth=0), about="no neuron is ever made"),
    "no-mutation-8": el.Condition(_in(8, growth=0), about="no neuron is ever made, 8 x 8"),
    "random-target": el.Condition(_in(6, whim=1.0), about="any neuron that a synapse leads to is next"),
    "weak-code": el.Condition(_in(6, waves=2), about="a code of two waves"),
    "boolean": el.Condition(_in(6, hope=1.0, learn=0.0, unlearn=1.0), about="a synapse is there or is not"),
    "grip": el.Condition(_in(6, grip=1.0), about="one does not slide along walls"),
    "blame": el.Condition(_in(6, **LIFE, blame=0.5), about="a failure counts for all that crosses the wall felt"),
    "blame-8": el.Condition(_in(8, **LIFE, blame=0.5), about="the same, 8 x 8"),
    "blame-4": el.Condition(_in(4, **LIFE, blame=0.5), about="the same, 4 x 4"),
    "walk-4": el.Condition(_other("walk", 4), about="persistent random walk, 4 x 4"),
    "walk": el.Condition(_other("walk", 6), about="persistent random walk"),
    "walk-8": el.Condition(_other("walk", 8), about="persistent random walk, 8 x 8"),
    "table": el.Condition(_other("table", 6, visits=3, change=2), about="tabular Q-learning"),
    "table-8": el.Condition(_other("table", 8, visits=3, change=2), about="tabular Q-learning, 8 x 8"),
    "eager-table": el.Condition(
        _other("table", 6, visits=3, change=2, promise=1.0, epsilon=0.0), about="Q-learning that hopes for the best"
    ),
    "eager-table-8": el.Condition(
        _other("table", 8, visits=3, change=2, promise=1.0, epsilon=0.0), about="the same, 8 x 8"
    ),
    "full-12": el.Condition(_in(12), about="the searching agent in 12 x 12 cells"),
    "blame-12": el.Condition(_in(12, blame=0.5), about="that infers walls, 12 x 12"),
    "walk-12": el.Condition(_other("walk", 12), about="persistent random walk, 12 x 12"),
    "replan": el.Condition(_rival("replan", 6), about="takes walls to be absent until it meets them, plans anew"),
    "replan-8": el.Condition(_rival("replan", 8), about="the same, 8 x 8"),
    "replan-12": el.Condition(_rival("replan", 12), about="the same, 12 x 12"),
    "frontier": el.Condition(_rival("frontier", 6), about="goes to the nearest cell that it has not seen"),
    "frontier-8": el.Condition(_rival("frontier", 8), about="the same, 8 x 8"),
    "frontier-12": el.Condition(_rival("frontier", 12), about="the same, 12 x 12"),
    "ppo": el.Condition(_rival("ppo", 6), about="proximal policy optimisation over cells"),
    "ppo-8": el.Condition(_rival("ppo", 8), about="the same, 8 x 8"),
    "one-way": el.Condition(_in(6, both=0), about="a failure leaves the synapse back as it was"),
    "short": el.Condition(_in(6, reach=1.1), about="synapses of 1.1 cells at most"),
    "sparse": el.Condition(_in(6, density=1.0), about="one neuron a cell"),
    "half-heed": el.Condition(_in(6, heed=0.5), about="every other failure changes nothing"),
    "four-waves": el.Condition(_in(6, waves=4), about="a code of four waves"),
    "prim": el.Condition(_in(6, winding=0.0), about="mazes of many short dead ends"),
    "prim-walk": el.Condition(_other("walk", 6, winding=0.0), about="the random walk there"),
    "new-goal": el.Condition(_in(6, visits=2, elsewhere=1), about="the second visit has its goal in another corner"),
    "no-spreading": el.Condition(
        _in(6), (el.Clamp("activity", 1.0),), about="all neurons equally active: the strongest synapse is next"
    ),
    "frozen": el.Condition(_in(6), (el.Ablate("grow", during=(50, None)),), about="no new neurons from step 50 on"),
    "noise": el.Condition(_in(6), (el.Noise("*.felt", 0.02),), about="the place felt is off, anew in each behaviour"),
    "amnesia": el.Condition(
        _in(6), (el.Clamp("state.graph.weight", 0.8, during=(50, 51)),), about="all synapses hopeful again at step 50"
    ),
    "lesion": el.Condition(
        _in(6), (el.Clamp("state.graph.alive", False, during=(50, 51), where=np.arange(PLACES[6]) % 4 == 2),),
        about="every fourth neuron dies at step 50",
    ),
    "shuffled": el.Condition(
        # Once: a second swap would put every code back.
        _in(6), (el.Swap("state.graph.code", list(range(2, 32)), list(range(32, 62)), during=(0, 1)),),
        about="thirty pairs of neurons answer to each other's places, from the beginning",
    ),
}  # fmt: skip

_FULL_ONLY = (
    "full-12", "blame-12", "walk-12", "replan", "replan-8", "replan-12", "frontier", "frontier-8", "frontier-12", "ppo",
    "ppo-8", "one-way", "short", "sparse", "half-heed", "four-waves", "prim", "prim-walk",
    "new-goal", "no-spreading", "frozen", "noise", "amnesia", "lesion", "shuffled",
)  # fmt: skip
QUICK = tuple(name for name in CONDITIONS if name not in _FULL_ONLY)
