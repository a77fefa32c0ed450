"""The study `tame`: when an expert is surprised, who takes over, how borders are counted, and a tiny run."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab import catalogue
from emergelab.studies.continual.tame import study
from emergelab.studies.continual.tame._claims import routing_gap
from emergelab.studies.continual.tame._system import Tame, _rand

SMALL = {"per_block": 8, "batch": 8, "hidden": 8, "experts": 4, "slots": 20, "history": 8}


@pytest.fixture(scope="module")
def begun():
    return eqx.filter_jit(Tame(**SMALL).init)(jax.random.key(0))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return study.run("tiny", out=tmp_path_factory.mktemp("tame") / "run", progress=False)


def _with(state, **changes):
    names = list(changes)
    return eqx.tree_at(lambda s: [getattr(s, n) for n in names], state, [jnp.asarray(changes[n]) for n in names])


def test_the_catalogue_finds_it():
    assert catalogue.find("tame") is study


# -- surprise ----------------------------------------------------------------------------------------------------------


def test_a_threshold_is_the_mean_of_the_window_and_three_deviations(begun):
    losses = np.zeros((4, 8), np.float32)
    losses[0] = [9, 9, 9, 1.0, 2.0, 3.0, 2.0, 2.0]
    losses[1, -5:] = 1.0
    state = _with(begun, losses=losses, seen=np.array([8, 5, 4, 0], np.int32))
    got = np.asarray(Tame(**SMALL, window=5).thresholds(state))
    window = losses[0, 3:]
    assert got[0] == pytest.approx(window.mean() + 3 * window.std(), rel=1e-5)
    assert got[1] == pytest.approx(1.0 + 3 * 0.005, rel=1e-5), "the least deviation counts"
    assert np.isinf(got[2:]).all(), "who has hardly learnt is not surprised"


@pytest.mark.parametrize(
    ("active", "used", "glance", "expected"),
    [
        (0, 1, [0.5, 9, 9, 9], (0, 1)),  # no surprise
        (0, 1, [5.0, 9, 9, 9], (1, 2)),  # surprised, and nobody else is there: a new one
        (2, 3, [0.5, 0.5, 5.0, 9], (0, 3)),  # the first who is not surprised
        (2, 3, [5.0, 0.5, 5.0, 9], (1, 3)),
        (2, 3, [5.0, 5.0, 5.0, 9], (3, 4)),
        (3, 4, [5.0, 5.0, 5.0, 5.0], (3, 4)),  # no room: the active one has to go on
    ],
)
def test_who_takes_over(begun, active, used, glance, expected):
    state = _with(
        begun, losses=np.ones((4, 8), np.float32), seen=np.full(4, 8, np.int32), active=np.int32(active),
        used=np.int32(used),
    )  # fmt: skip
    got = Tame(**SMALL).chosen(state, jnp.array(glance, jnp.float32))
    assert tuple(int(g) for g in got) == expected


def test_who_is_told_needs_no_surprise_and_who_hears_nothing_never_changes(begun):
    state = _with(begun, time=np.int32(17))
    calm = jnp.ones(4)
    assert int(Tame(**SMALL, borders="told").chosen(state, calm)[0]) == 2
    assert int(Tame(**SMALL, borders="none").chosen(state, 9 * calm)[0]) == 0


def test_only_the_active_expert_learns_and_what_it_met_is_kept_in_its_name(begun):
    system = Tame(**SMALL)
    after = eqx.filter_jit(system.step)(_with(begun, active=np.int32(1), used=np.int32(2)), jax.random.key(1))
    before, now = (np.asarray(s.experts.layers[0].weight) for s in (begun, after))
    assert (before[[0, 2, 3]] == now[[0, 2, 3]]).all() and (before[1] != now[1]).any()
    assert after.seen.tolist() == [0, 1, 0, 0] and float(after.losses[1, -1]) > 0
    assert (np.asarray(after.memory.kept.y)[:8] == 1).all() and int(after.who[0]) == 1


# -- the stream --------------------------------------------------------------------------------------------------------


def test_a_task_comes_in_evenly_where_it_is_blended():
    system = Tame(**SMALL, blend=3)
    shares = np.array([np.asarray(system.shares(jnp.int32(t))) for t in (7, 8, 9, 10, 11, 12)])
    np.testing.assert_allclose(shares[:, 0], [1, 0.75, 0.5, 0.25, 0, 0], atol=1e-6)
    np.testing.assert_allclose(shares[:, 1], [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-6)
    assert np.asarray(Tame(**SMALL).shares(jnp.int32(8))).tolist() == [0, 1, 0, 0, 0]


def test_labels_are_random_for_twenty_steps(begun):
    system = Tame(**SMALL | {"batch": 500}, garbled=1.0, garbled_at=10)
    met = eqx.filter_jit(system.met)
    plain = eqx.filter_jit(Tame(**SMALL | {"batch": 500}).met)
    for time, changed in ((9, False), (10, True), (29, True), (30, False)):
        one, other = (f(_with(begun, time=np.int32(time)), jax.random.key(2)) for f in (met, plain))
        assert ((one.y != other.y).mean() > 0.8) == changed


# -- what is counted ---------------------------------------------------------------------------------------------------


def test_borders_found_missed_and_needless_changes_by_hand(begun):
    system = Tame(**SMALL, order=np.array([0, 1, 1, 2, 0, 0]))  # borders at 8, 24 and 32
    who = np.repeat([0, 1, 1, 1, 2, 2], 8)  # at 24 nobody changes
    who[8] = 0  # at 8 one step late
    who[20] = 3  # there and back, before 24
    got = system.segmentation(_with(begun, who=who.astype(np.int32), time=np.int32(48)))
    assert float(got["missed"]) == pytest.approx(1 / 3)
    assert float(got["delay"]) == pytest.approx((1 + 0) / 2)
    assert float(got["false"]) == 2
    clean = np.repeat([0, 1, 1, 2, 0, 0], 8).astype(np.int32)
    perfect = system.segmentation(_with(begun, who=clean, time=np.int32(48)))
    assert [float(perfect[n]) for n in ("missed", "delay", "false", "agreement")] == [0, 0, 0, 1]
    never = system.segmentation(_with(begun, who=np.zeros(48, np.int32), time=np.int32(48)))
    assert float(never["missed"]) == 1 and np.isnan(never["delay"]) and float(never["agreement"]) == 0


def test_the_index_of_agreement_is_that_of_scikit_learn():
    score = pytest.importorskip("sklearn.metrics").adjusted_rand_score
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(0, 3, 60), rng.integers(0, 4, 60)
        table = np.zeros((3, 4), np.float32)
        np.add.at(table, (a, b), 1)
        assert float(_rand(jnp.asarray(table))) == pytest.approx(score(a, b), abs=1e-5)


def test_the_gap_of_routing():
    d = xr.Dataset({"routed": ("seed", [0.5, 0.8]), "accuracy": ("seed", [0.9, 0.8])})
    np.testing.assert_allclose(routing_gap(d), [-0.4, 0.0])


def test_a_tiny_run_has_what_claims_and_figures_need(tiny):
    d = tiny.data
    assert (d.experts.sel(condition="none") == 1).all() and float(d.experts.sel(condition="told").max()) == 5
    told = d.sel(condition="told").isel(time=-1)
    assert (told.agreement == 1).all() and (told.missed == 0).all() and (told.false == 0).all()
    assert d.accuracy.isel(time=-1).notnull().all() and d.routed.isel(time=-2).isnull().all()
    assert {v["verdict"] for v in study.judge(tiny)} <= {"supported", "refuted", "inconclusive", "untested"}
    assert study.draw(tiny)


def test_wrong_parameters_are_named():
    with pytest.raises(el.UserError, match="'kinds' must be 5 where the world is split, got 4"):
        Tame(world="split", kinds=4)
    with pytest.raises(el.UserError, match="'borders' must be one of 'losses', 'told', 'none'"):
        Tame(borders="guessed")
