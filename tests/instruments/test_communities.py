"""communities: planted groups that merge and split, networks, logs, peers, and what must stay silent."""

import itertools
import json
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.instruments import calibrate, communities
from emergelab.instruments._communities_detect import factors, modularity, slices_louvain, triangles
from emergelab.instruments._communities_measures import (
    adjusted_rand,
    allegiance,
    events,
    levelled,
    null_networks,
    p_change,
    polarisation,
    summary,
)
from emergelab.instruments._scenes.communities import blocks

from .degenerate import assert_defined
from .degenerate import blocks as degenerate_blocks

WINDOWS = 18


def merge_and_split():
    """Three groups of 40 agents; the first two merge after a third of the record, ten agents split off after two."""
    stages = np.zeros((3, 40), dtype=int)
    stages[0] = np.arange(40) // 14
    stages[1] = np.where(stages[0] == 1, 0, stages[0])
    stages[2] = np.where(np.arange(40) < 10, 3, stages[1])
    return stages


def truth(stages):
    return stages[np.minimum(np.arange(WINDOWS) * 3 // WINDOWS, 2)]


@pytest.mark.parametrize(
    ("noise", "call"),
    [(0.0, {}), (0.3, {}), (1.0, {}), (0.3, {"affinity": "correlation"}), (0.3, {"method": "factors", "rank": 4})],
)
def test_groups_that_merge_and_split_are_followed(noise, call):
    stages = merge_and_split()
    data = blocks(np.random.default_rng(3), 2, 900, stages, noise)
    result = communities(data, windows=WINDOWS, draws=99, **call)
    found = result.to_dataset()["community"].values[0]
    index = [adjusted_rand(truth(stages)[w], found[s, w]) for s in range(2) for w in range(WINDOWS)]
    assert np.mean(index) >= 0.9 and result.verdict == "dynamic communities"
    table = result.to_frame("events")
    for seed in range(2):
        own = table[table["seed"] == seed]
        for event, at in (("merge", 299.5), ("split", 599.5)):
            assert (np.abs(own.loc[own["event"] == event, "time"] - at) <= 50).any()


def test_groups_that_stay_are_not_dynamic_more_often_than_chance():
    stages = merge_and_split()[:1]
    result = communities(blocks(np.random.default_rng(4), 5, 600, stages, 0.5), windows=10, draws=99)
    assert result.verdict != "none shown"
    assert result.to_frame()["flexibility"].mean() < 0.1 and result.to_frame()["communities"].mean() == pytest.approx(
        3, abs=0.3
    )
    assert result.to_frame("agreement")["p"].item() <= 0.02 and result.to_frame("agreement")["alike"].item() > 0.9


def test_indices_agree_with_scikit_learn_and_networkx():
    metrics = pytest.importorskip("sklearn.metrics")
    nx = pytest.importorskip("networkx")
    rng = np.random.default_rng(5)
    for _ in range(10):
        a, b = rng.integers(0, 4, 30), rng.integers(0, 3, 30)
        assert adjusted_rand(a, b) == pytest.approx(metrics.adjusted_rand_score(a, b))
    graph = nx.karate_club_graph()
    weights = nx.to_numpy_array(graph, weight=None)[None]
    best = slices_louvain(weights, 1.0, 0.0, rng, restarts=10)
    groups = [set(np.flatnonzero(best[0] == c).tolist()) for c in np.unique(best)]
    ours = modularity(weights, best, 1.0, 0.0)
    assert ours == pytest.approx(nx.community.modularity(graph, groups, weight=None))
    theirs = max(
        nx.community.modularity(graph, nx.community.louvain_communities(graph, weight=None, seed=s), weight=None)
        for s in range(10)
    )
    assert ours >= theirs - 0.02 and ours == pytest.approx(0.4198, abs=0.02)


def test_factorisation_reaches_that_of_tensorly():
    decomposition = pytest.importorskip("tensorly.decomposition")
    tensorly = pytest.importorskip("tensorly")
    rng = np.random.default_rng(6)
    u, t = rng.random((12, 3)) ** 3, rng.random((8, 3))
    weights = np.einsum("wr,ir,jr->wij", t, u, u)
    found = factors(weights * (1 - np.eye(12)), 3, rng)
    assert found.explained > 0.99 and found.members.max(axis=0) == pytest.approx(1)
    peer = decomposition.non_negative_parafac_hals(weights, 3, n_iter_max=300, random_state=0)
    off = 1 - np.eye(12)
    fit = np.einsum("wr,ir,jr->wij", found.course, found.members, found.members)
    ours = float((((weights - fit) * off) ** 2).sum())
    theirs = float((((weights - tensorly.cp_to_tensor(peer)) * off) ** 2).sum())
    assert ours <= theirs + 0.01 * float((weights**2).sum())
    result = communities(blocks(rng, 1, 300, merge_and_split()[:1], 0.3), windows=4, method="factors", draws=99)
    ranks = result.to_frame("ranks")
    assert ranks.loc[ranks["chosen"], "rank"].item() == 3 and result.to_frame()["communities"].item() == pytest.approx(
        3
    )


def test_measures_by_hand():
    labels = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0], [0, 0, 0, 2, 2, 2]])
    told = summary(labels)
    assert told["communities"] == pytest.approx(5 / 3) and told["flexibility"] == pytest.approx(0.5)
    assert told["persistence"] == pytest.approx(5 / 3) and told["promiscuity"] == pytest.approx((3 * 1 + 3 * 3) / 6 / 3)
    assert allegiance(labels)[0, 1] == 1 and allegiance(labels)[0, 3] == pytest.approx(1 / 3)
    found = events(labels, np.array([0.0, 1.0, 2.0]))
    assert [(e["event"], e["time"], e["before"], e["after"]) for e in found] == [
        ("merge", 0.5, "0 + 1", "0"),
        ("split", 1.5, "0", "0 + 2"),
    ]
    gone = events(np.array([[0, 0, 0, 1, 2, 3, 4], [0, 1, 2, 5, 5, 5, 5]]), np.array([0.0, 1.0]))
    assert {e["event"] for e in gone} == {"formation", "dissolution"}


def test_polarisation_and_common_spread_by_hand():
    ties = np.kron(np.eye(2), np.ones((3, 3)))[None].repeat(3, axis=0)
    labels = np.array([[0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1], [0, 0, 0, -1, -1, -1]])
    assert polarisation(ties, labels) == pytest.approx([1.0, -1 / 3, 1.0])
    assert np.isnan(polarisation(0 * ties, labels)).all()
    rng, clock = np.random.default_rng(14), np.linspace(0, 1, 300)
    noise = rng.standard_normal((20, 300, 1)) * (1 + 2 * clock)[:, None] + 5 * clock[:, None]
    noise[0, 150:] = np.nan
    flat = levelled(noise)
    early, late = (np.nanstd(flat[:, part]) for part in (slice(0, 60), slice(240, 300)))
    assert early == pytest.approx(late, rel=0.15) and np.isnan(flat[0, 150:]).all() and abs(np.nanmean(flat)) < 0.05
    assert levelled(1e90 * noise) == pytest.approx(flat, nan_ok=True)
    assert (levelled(np.zeros((3, 50, 1))) == 0).all()


def test_nulls_keep_what_they_say():
    rng = np.random.default_rng(7)
    weights = rng.random((2, 8, 8))
    weights = np.triu(weights, 1) + np.swapaxes(np.triu(weights, 1), 1, 2)
    drawn = null_networks(weights, 99, rng)
    assert np.isfinite(drawn).all() and (drawn >= triangles(weights)).mean() > 0.01
    ring = np.kron(np.eye(2), np.ones((4, 4)) - np.eye(4))[None]
    assert (null_networks(ring, 99, rng) < triangles(ring)).all()
    p = [p_change([np.asarray(rng.standard_normal((6, 6)))], 99, np.random.default_rng(i)) for i in range(40)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 40)
    drift = -np.abs(np.subtract.outer(np.arange(8.0), np.arange(8.0)))
    assert p_change([drift], 199, rng) <= 0.02


def test_networks_and_logs():
    rng = np.random.default_rng(8)
    group = np.arange(12) // 4
    chance = np.where(group[:, None] == group[None, :], 0.9, 0.1)
    ties = (rng.random((5, 6, 12, 12)) < chance).astype(float)
    data = xr.DataArray(ties, dims=("seed", "time", "i", "j"), coords={"time": np.arange(6.0)}, name="ties")
    result = communities(data, draws=99)
    assert result.verdict != "none shown" and any("directed" in w for w in result.warnings)
    assert adjusted_rand(group, result.to_dataset()["community"].values[0, 0, 3]) == 1
    dense = communities(
        xr.DataArray(rng.random((3, 4, 9, 9)), dims=data.dims, coords={"time": np.arange(4.0)}), draws=99
    )
    assert dense.to_frame()["modularity"].max() < 0.2
    pairs = [(a, b) for a, b in itertools.product(range(12), repeat=2) if a < b and group[a] == group[b]]
    rows = [(f"a{pairs[i][0]}", f"a{pairs[i][1]}", t) for t in range(400) for i in [int(rng.integers(len(pairs)))]]
    log = pd.DataFrame(rows, columns=["who", "whom", "time"])
    told = communities(log, windows=4, draws=99)
    assert told.verdict != "none shown" and told.to_frame()["communities"].item() == 3
    assert told.to_dataset().sizes["agent"] == 12 and told.n_seeds == 1


def test_roles_conditions_and_gaps():
    rng = np.random.default_rng(9)
    stages = (np.arange(12) // 6)[None]
    groups = blocks(rng, 6, 200, stages, 0.5)
    noise = groups.copy(data=rng.standard_normal(groups.shape))
    both = xr.concat([groups, noise], "condition").assign_coords(condition=["groups", "noise"])
    result = communities(both, windows=5, role=["left"] * 6 + ["right"] * 6, draws=99)
    assert result.to_frame("conditions")["verdict"].tolist()[1] == "none shown" and result.verdict != "none shown"
    gap = result.to_frame("contrasts").iloc[0]
    assert gap["quantity"] == "modularity" and gap["difference"] > 0.1 and gap["low"] > 0
    roles = result.to_frame("roles")
    assert roles.loc[roles["condition"] == "groups", "bits"].min() > 0.9
    assert roles.loc[roles["condition"] == "groups", "p"].max() <= 0.02
    # an agent that dies is nowhere from then on
    dead = groups.copy(deep=True)
    dead.values[:, 0, 100:] = np.nan
    member = communities(dead, windows=4, draws=99).to_dataset()["community"].values[0]
    assert (member[:, 2:, 0] == -1).all() and (member[:, :2, 0] >= 0).all() and (member[:, :, 1:] >= 0).all()


def test_trends_make_no_groups_once_they_are_taken_out():
    rng = np.random.default_rng(10)
    slope = np.repeat([1.0, -1.0], 6)[None, :, None] * np.linspace(0, 20, 200)
    data = xr.DataArray(
        slope + rng.standard_normal((5, 12, 200)), dims=("seed", "agent", "time"), coords={"time": np.arange(200.0)}
    )
    clean = communities(data, windows=5, draws=99)
    assert clean.p > communities(data, windows=5, detrend=False, draws=99).p or clean.verdict == "none shown"
    assert communities(data, windows=5, detrend=False, draws=99).verdict != "none shown"


def test_invariances():
    data = blocks(np.random.default_rng(11), 3, 300, merge_and_split()[:2, ::3], 0.3)
    plain = communities(data, windows=6, draws=99)
    assert plain.verdict == "dynamic communities"
    scaled = communities(1e6 * data - 5, windows=6, draws=99)
    slower = communities(data.assign_coords(time=60 * data["time"]), windows=6, draws=99)
    shuffled = communities(data.isel(time=np.random.default_rng(0).permutation(300)), windows=6, draws=99)
    for other in (scaled, slower, shuffled):
        assert other.verdict == plain.verdict and other.estimate.value == pytest.approx(plain.estimate.value, abs=1e-6)
    assert slower.to_frame("events")["time"].tolist() == [60 * t for t in plain.to_frame("events")["time"]]
    for other in (data.isel(seed=slice(None, None, -1)), data.isel(time=slice(None, None, 2))):
        assert communities(other, windows=6, draws=99).verdict == plain.verdict
    again = communities(data, windows=6, draws=99)
    assert again.to_json() == plain.to_json()


@settings(deadline=None, max_examples=25)
@given(degenerate_blocks(), st.sampled_from(["correlation", "kernel"]), st.integers(1, 4), st.booleans())
def test_degenerate_traces_get_a_defined_answer(block, affinity, agents, detrend):
    data = xr.concat([block.roll(time=k) for k in range(agents)], "agent")
    assert_defined(communities(data, affinity=affinity, detrend=detrend, draws=99))


CELLS = st.sampled_from([0.0, 1.0, 0.5, -1.0, np.nan, np.inf, 1e300, 1e-300])


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 4), st.integers(1, 3), st.data(), st.sampled_from(["slices", "factors"]))
def test_degenerate_networks_get_a_defined_answer(n, windows, draw, method):
    cells = draw.draw(st.lists(CELLS, min_size=windows * n * n, max_size=windows * n * n))
    values = np.array(cells).reshape(1, windows, n, n)
    data = xr.DataArray(values, dims=("seed", "time", "i", "j"), coords={"time": np.arange(float(windows))})
    assert_defined(communities(data, method=method, rank=2 if method == "factors" else None, draws=99))


def test_nothing_in_common_is_none_shown():
    for values in (np.ones((5, 6, 60)), np.zeros((5, 6, 60)), np.full((5, 6, 60), np.nan), np.ones((5, 1, 60))):
        data = xr.DataArray(values, dims=("seed", "agent", "time"), coords={"time": np.arange(60.0)})
        result = communities(data, draws=99)
        assert result.verdict == "none shown" and result.plot() is not None
        assert_defined(result)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: communities(d.values), "reads an emergelab Run"),
        (lambda d: communities(d.rename(agent="cell")), "pass agents"),
        (lambda d: communities(d.drop_vars("time")), "no coordinate"),
        (lambda d: communities(xr.Dataset({"a": d, "b": d})), "which variable"),
        (lambda d: communities(d, rank=2), "factors"),
        (lambda d: communities(d, rank=0, method="factors"), "at least 1"),
        (lambda d: communities(d, resolution=0.0), "above 0"),
        (lambda d: communities(d, draws=10), "at least 99"),
        (lambda d: communities(d, role=["a"]), "1 roles for 6"),
        (lambda d: communities(d, role={"0": 1}), "no role for agent '1'"),
        (lambda d: communities(d[:, :, :0]), "no record"),
        (lambda d: communities(pd.DataFrame({"who": ["a"], "time": [1]})), "'whom'"),
        (lambda d: communities(pd.DataFrame({"who": [None], "whom": ["b"], "time": [1]})), "no complete event"),
        (lambda d: communities(xr.concat([d] * 60, "agent"), windows=20), "more than 6000"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    data = blocks(np.random.default_rng(0), 2, 60, np.zeros((1, 6), dtype=int), 1.0)
    with pytest.raises(UserError, match=message) as caught:
        call(data)
    assert "\n" not in str(caught.value)


def test_result_carries_everything():
    from emergelab import figures

    data = blocks(np.random.default_rng(12), 5, 240, merge_and_split()[:2, ::3], 0.3)
    result = communities(data, windows=6, draws=99)
    document = json.loads(result.to_json())
    assert document["params"]["windows"] == 6 and "What it cannot see" in document["explain"]
    assert set(result.to_frame("membership").columns) == {"condition", "seed", "time", "agent", "community"}
    assert len(figures.png(result.plot())) > 20_000
    assert np.isfinite(result.effect.value) and result.ci.low <= result.estimate.value <= result.ci.high


@pytest.mark.parametrize("scene", ["white", "ar1", "trend"])
def test_silent_where_nothing_is(scene):
    rate = calibrate("communities", scene, draws=12, seeds=(5,)).table["rate"].item()
    assert rate <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 12)


def test_finds_what_is_planted():
    assert calibrate("communities", "groups", effects=(1.0,), seeds=(5,), draws=3).table["rate"].item() == 1.0
    assert calibrate("communities", "regroup", effects=(3.0,), seeds=(5,), draws=3).table["rate"].item() == 1.0


def test_cost():
    data = blocks(np.random.default_rng(13), 20, 1000, merge_and_split()[:2, ::2], 0.5)
    start = time.process_time()
    communities(data, draws=199)
    assert time.process_time() - start < 20.0
