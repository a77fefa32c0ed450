"""The study `neural-search`: its measures, a run and its physics, its rivals, and what interventions do."""

from __future__ import annotations

import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab.figures.film import animate
from emergelab.studies.learners.neural_search import _graph as graphs
from emergelab.studies.learners.neural_search import _maze as mazes
from emergelab.studies.learners.neural_search import _measures as measures
from emergelab.studies.learners.neural_search import _view as view
from emergelab.studies.learners.neural_search import study
from emergelab.studies.learners.neural_search._conditions import CONDITIONS, QUICK
from emergelab.studies.learners.neural_search._system import SIDE, NeuralSearch
from emergelab.views import Lines

from .test_neural_search_parts import edges, noted_walls, passages

# -- what is measured --------------------------------------------------------------------------------------------------


def record(**columns) -> xr.Dataset:
    """A condition's record by hand: dims (seed, time), or with a visit."""
    time = np.arange(len(np.asarray(columns["now"])[0])) * 5
    return xr.Dataset(
        {k: (("seed", "time", "visit")[: np.ndim(v)], np.asarray(v, float)) for k, v in columns.items()},
        coords={"time": time},
    )


def test_visits_that_were_not_over_count_as_the_budget():
    took = np.array([[[400, 100, 50]], [[9000, 0, 0]], [[800, 300, 0]]])
    reached = np.array([[[1, 1, 1]], [[0, 0, 0]], [[1, 0, 0]]])
    d = record(now=[[3], [0], [1]], took=took, reached=reached)
    np.testing.assert_allclose(2 ** measures.first_steps(d), [400, measures.BUDGET, 800])
    np.testing.assert_allclose(2 ** measures.second_steps(d), [100, np.nan, measures.BUDGET])
    np.testing.assert_allclose(2 ** measures.change_steps(d), [50, np.nan, np.nan])
    np.testing.assert_allclose(2 ** measures.second_ratio(d), [0.25, np.nan, measures.BUDGET / 800])
    assert measures.solved(d).values.tolist() == [1, 0, 1]


def test_order_looks_at_the_first_visit_only():
    now = [[0, 0, 0, 0, 0, 0, 1, 1]] * 3
    up, flat = [9, 1, 2, 3, 4, 5, 1, 1], [9, 2, 2, 2, 2, 2, 5, 1]
    d = record(now=now, hops=[up, up[:1] + up[5:0:-1] + up[6:], flat], from_start=[up] * 3)
    np.testing.assert_allclose(measures.order(d), [1.0, -1.0, np.nan])
    np.testing.assert_allclose(measures.order_from_start(d), 1.0)


def test_steps_and_deletions_over_mazes():
    took = np.array([[[0, 0, 0], [100 * k, 5, 5]] for k in (1, 2, 3, 4)])
    reached = np.array([[[0, 0, 0], [k < 4, 0, 0]] for k in (1, 2, 3, 4)])
    d = record(now=[[0, 0]] * 4, took=took, reached=reached, deleted=[[0, 10 * k] for k in (1, 2, 3, 4)])
    both = measures.steps_and_deletions(d).values
    assert both[0].tolist() == [100, 10] and np.isnan(both[3]).all()
    assert measures.agreement(both) == pytest.approx(1.0)
    assert np.isnan(measures.agreement(both[:2]))


# -- a run -------------------------------------------------------------------------------------------------------------

SEEN = 12
PARAMETERS = {"rooms": 3, "change": 2, "reach": 1.6}
SMALLEST = {"rooms": 3, "places": 24, "speed": 0.04}
CELLS = {
    "full": {"visits": 3, "change": 2}, "deaf": {"heed": 0.0}, "closed": {"growth": 0, "density": 0.3},
    "whim": {"whim": 1.0}, "blame": {"blame": 0.5, "visits": 2, "elsewhere": 1}, "walk": {"mind": "walk"},
    "table": {"mind": "table", "promise": 1.0, "epsilon": 0.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return el.run(
        NeuralSearch(**SMALLEST), steps=200, every=1, seeds=3, conditions=CELLS, progress=False, workers=1,
        keep=[0, SEEN], out=tmp_path_factory.mktemp("n") / "r",
    )  # fmt: skip


def of(run, condition, name):
    return run.data[name].sel(condition=condition).isel(time=-1).transpose("seed", ...).values


@pytest.fixture(scope="module")
def walls(run):
    """The passages of each seed's maze, and of the one with a wall moved."""
    kept = run.state(0, "full")
    return {
        which: [
            passages(mazes.Maze(*(kept[f"{which}.{k}"].transpose("seed", ...).values[s] for k in ("right", "up"))), 3)
            for s in range(3)
        ]
        for which in ("maze", "changed")
    }


def test_every_small_maze_is_solved_and_none_faster_than_can_be(run, walls):
    for condition in ("full", "blame", "table"):
        assert (of(run, condition, "reached")[:, 0] == 1).all(), condition
    took, best = of(run, "full", "took"), of(run, "full", "best")
    for seed in range(3):
        for visit, which in ((0, "maze"), (2, "changed")):
            length = nx.shortest_path_length(walls[which][seed], (0, 0), (2, 2))
            assert best[seed, visit] == pytest.approx(length / 3 / 0.04, rel=1e-5)
    # The goal is met from 0.03 away, and straight across is the least that can be.
    assert (took[:, 0] >= (np.hypot(2 / 3, 2 / 3) - 0.03) / 0.04).all()
    assert (of(run, "full", "now") == 3).all() and (of(run, "full", "reached") == 1).all()


def test_time_never_runs_backwards(run):
    for name in ("failed", "deleted", "grown", "now"):
        values = run.data[name].transpose("condition", "seed", "time").values
        assert (np.diff(values, axis=-1) >= 0).all(), name
    assert (run.data["took"].diff("time") >= 0).all()
    weight = run.state(SEEN, "full")["graph.weight"].values
    assert (weight >= 0).all() and (weight <= 1).all() and (weight == 0).any() and (weight > 0.8).any()


def test_switches_do_what_they_say(run):
    assert (of(run, "deaf", "failed") > 0).any() and (of(run, "deaf", "deleted") == 0).all()
    assert (of(run, "closed", "grown") == 0).all()
    assert (of(run, "full", "failed") > 0).any() and (of(run, "full", "deleted") > 0).any()
    for name in ("walk", "table"):
        assert (of(run, name, "failed") == 0).all() and (of(run, name, "hops") == 0).all()
    # The second goal stands at the lower right.
    assert (of(run, "blame", "now") == 2).all() and (of(run, "blame", "best")[:, 1] <= 8.01 / 3 / 0.04).all()


def test_the_way_never_leads_through_a_wall(run, walls):
    for seed in range(3):
        now, place = (run.data[k].sel(condition="full").isel(seed=seed).transpose("time", ...).values
                      for k in ("now", "place"))  # fmt: skip
        for t in range(200):
            if now[t] == now[t + 1] < 3:
                a, b = (tuple(int(x) for x in np.floor(place[i][::-1] * 3)) for i in (t, t + 1))
                assert nx.has_path(walls["changed" if now[t] >= 2 else "maze"][seed], a, b)


def test_what_there_is_to_see(run, tmp_path):
    with pytest.raises(el.UserError, match=r"has no observable 'state\.graph\.place'"):
        study.view.at(run, "full", 1, 0)
    # Scenes out of the states that were kept, as the study's own film makes them.
    kept = [run.state(t, "full").isel(seed=1) for t in (0, SEEN)]
    past = run.data.sel(condition="full").isel(seed=1)
    scenes = [
        view._scene({name: k[name].values for name in view._KEPT}, past.sel(time=slice(None, t)), PARAMETERS)
        for k, t in zip(kept, (0, SEEN), strict=True)
    ]
    kinds = [type(layer).__name__ for layer in scenes[0].layers]
    assert kinds == ["Network", "Lines", "Lines", "Lines", "Agents"]
    cut = next(x for x in scenes[1].layers if isinstance(x, Lines) and x.kind == view.DELETED)
    weight, alive, place = (kept[1][f"graph.{k}"].values for k in ("weight", "alive", "place"))
    gap = 3 * np.linalg.norm(place[:, None] - place[None], axis=-1)
    dead = (np.maximum(weight, weight.T) == 0) & (gap < 1.6) & alive[:, None] & alive[None]
    assert len(cut.x) == 3 * np.triu(dead, 1).sum() > 0
    assert animate(scenes, tmp_path / "search.gif").stat().st_size > 1000


@pytest.fixture(scope="module")
def rivalry(tmp_path_factory):
    # One that draws a map and one that learns a policy; to explore differs from planning in where to only.
    cells = {name: {"rival": name, "visits": 3, "change": 2} for name in ("replan", "ppo")}
    return el.run(
        NeuralSearch(rooms=3, places=16, speed=0.04), steps=200, every=1, seeds=3, conditions=cells, progress=False,
        workers=1, keep=[200], out=tmp_path_factory.mktemp("n") / "r",
    )  # fmt: skip


def test_rivals_find_what_there_is_to_find(rivalry, walls):
    for name in ("replan", "ppo"):
        assert (of(rivalry, name, "reached")[:, 0] == 1).all(), name
        for what in ("failed", "deleted", "grown", "hops", "linked"):
            assert (of(rivalry, name, what) == 0).all(), (name, what)
    took, best = of(rivalry, "replan", "took"), of(rivalry, "replan", "best")
    assert (of(rivalry, "replan", "reached") == 1).all() and (took[:, 1] <= took[:, 0]).all()
    assert (took > 0.8 * best).all(), "ways are measured between the middles of cells, and corners can be cut a little"
    # Walls on the map are walls of the maze, or of the one with a wall moved.
    known = rivalry.state(200, "replan")
    for seed in range(3):
        met = mazes.Maze(*(known[f"rival.met.{k}"].transpose("seed", ...).values[seed] for k in ("right", "up")))
        open_in_both = edges(walls["maze"][seed]) & edges(walls["changed"][seed])
        assert noted_walls(met, 3) and not noted_walls(met, 3) & open_in_both


# -- what is done to it ------------------------------------------------------------------------------------------------

LOST = np.arange(24) % 4 == 2
DONE = {
    "held": (lambda during: el.Scale("*.move", 0.0, during), (3, 6)),
    "level": (lambda during: el.Clamp("activity", 1.0, during), (3, None)),
    "hopeful": (lambda during: el.Clamp("state.graph.weight", 0.8, during), (8, 9)),
    "sterile": (lambda during: el.Ablate("grow", during=during), (3, None)),
    "fewer": (lambda during: el.Clamp("state.graph.alive", False, during, where=LOST), (5, 6)),
    "crossed": (lambda during: el.Swap("state.graph.code", [2, 3], [4, 5], during=during), (5, 6)),
}
STEPS = 40


@pytest.fixture(scope="module")
def treated(tmp_path_factory):
    """All interventions in one program, of which each condition lets one act."""

    def only(which: str) -> el.Condition:
        return el.Condition(
            interventions=tuple(make(when if name == which else (9999, None)) for name, (make, when) in DONE.items())
        )

    return el.run(
        NeuralSearch(**SMALLEST, density=1.0), steps=STEPS, every=1, seeds=4, progress=False, workers=1,
        conditions={name: only(name) for name in ("none", *DONE)}, keep=list(range(STEPS + 1)),
        out=tmp_path_factory.mktemp("n") / "r",
    )  # fmt: skip


def kept(run, condition, time, *names):
    found = run.state(time, condition)
    return tuple(found[name].transpose("seed", ...).values for name in names)


def busy(run, condition, time):
    """Seeds that are still searching when a step begins."""
    return kept(run, condition, time, "visit")[0] == 0


def test_nothing_differs_before_it_is_done(treated):
    for name, (_, (start, _)) in DONE.items():
        for what in ("graph.weight", "graph.alive", "graph.code", "place", "here", "took"):
            here, there = (kept(treated, c, start, what)[0] for c in (name, "none"))
            np.testing.assert_array_equal(here, there, err_msg=f"{name}: {what}")


def test_who_cannot_move_stays_and_gives_up(treated):
    begin, took = kept(treated, "held", 3, "place", "took")
    for time in (4, 5, 6):
        place, now = kept(treated, "held", time, "place", "took")
        np.testing.assert_array_equal(place, begin)
        # Two motor steps without getting on, there and back; or a moment of thought.
        assert np.isin((now - took)[busy(treated, "held", time), 0], (1, 3, 4)).all()
        took = now
    assert (kept(treated, "held", 9, "place")[0] != begin).any()


def test_without_spreading_the_strongest_synapse_is_next(treated):
    some = 0
    for time in range(3, 12):
        *parts, here = kept(treated, "level", time, *(f"graph.{k}" for k in graphs.Graph._fields), "here")
        weight = parts[2]
        after, now = kept(treated, "level", time + 1, "graph.weight", "here")
        for s in np.flatnonzero(busy(treated, "level", time)):
            graph = graphs.Graph(*(jnp.asarray(x[s]) for x in parts))
            gain = np.asarray(graphs.gains(graph, 1.6 / 3, 0.95, 10.0))[here[s]]
            to = int(gain.argmax())
            if gain[to] > 0:
                some += 1
                assert now[s] == to or after[s, here[s], to] < weight[s, here[s], to]
    assert some > 10


def test_amnesia_leaves_one_behaviour_to_be_known(treated):
    (before,), (weight, grown), (then,) = (
        kept(treated, "hopeful", 8, "grown"), kept(treated, "hopeful", 9, "graph.weight", "grown"),
        kept(treated, "none", 9, "graph.weight"),
    )  # fmt: skip
    changed = (weight != np.float32(0.8)).sum((1, 2))
    assert (changed[grown == before] <= 2).all() and (grown == before).any()
    assert ((then != np.float32(0.8)).sum((1, 2)) > 2).any()


def test_where_growth_is_ablated_no_neuron_is_made(treated):
    grown, none = (treated.data["grown"].sel(condition=c).transpose("seed", "time").values for c in ("sterile", "none"))
    assert (grown[:, 3:] == grown[:, 3:4]).all() and (none[:, -1] > none[:, 3]).any()


def test_a_lesion_takes_its_neurons_and_no_others(treated):
    alive, before = kept(treated, "fewer", 5, "graph.alive", "grown")
    after, grown = kept(treated, "fewer", 6, "graph.alive", "grown")
    same = grown == before
    np.testing.assert_array_equal(after[same], (alive & ~LOST)[same])
    assert same.any() and (alive & LOST).any(1).all()


def test_codes_that_were_crossed_once_stay_crossed(treated):
    before, after, later = (kept(treated, "crossed", t, "graph.code")[0] for t in (5, 6, 7))
    order = np.arange(24)
    order[[2, 3, 4, 5]] = [4, 5, 2, 3]
    made = kept(treated, "crossed", 7, "grown")[0] == kept(treated, "crossed", 5, "grown")[0]
    np.testing.assert_array_equal(after[made], before[made][:, order])
    np.testing.assert_array_equal(later[made], after[made])
    assert made.any()


def test_conditions_that_are_dear_are_not_of_the_quick_size():
    assert {"replan", "frontier", "ppo", "ppo-8", "shuffled"}.isdisjoint(QUICK) and set(QUICK) < set(CONDITIONS)
    assert all("rival" not in CONDITIONS[name].set and not CONDITIONS[name].interventions for name in QUICK)


def test_every_part_can_be_reached():
    names = {site.name for site in el.sites(NeuralSearch(**SMALLEST))}
    assert {"seen", "gain", "activity", "grow", "located", "state.graph.weight", "state.graph.alive"} <= names
    assert {f"{way}.{what}" for way in ("out", "back") for what in ("felt", "move", "sensed")} <= names


def test_bad_values_are_told():
    with pytest.raises(el.UserError, match=f"'rooms' must be a whole number in \\[2, {SIDE}\\]"):
        NeuralSearch(rooms=40)
    with pytest.raises(el.UserError, match="'mind' must be one of 'graph', 'walk', 'table'"):
        NeuralSearch(mind="monkey")
    with pytest.raises(el.UserError, match="'places' must be a whole number >= 16"):
        NeuralSearch(places=4)
