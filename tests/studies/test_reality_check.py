"""The study `reality-check`: who meets what in a search, what its numbers are made of, and a tiny run."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab import catalogue
from emergelab.studies.continual.reality_check import _claims as cl
from emergelab.studies.continual.reality_check import study
from emergelab.studies.continual.reality_check._methods import KNOBS, METHODS, MOST, SUITES, Sizes, settings_of
from emergelab.studies.continual.reality_check._pictures import groups
from emergelab.studies.continual.reality_check._system import Lane, RealityCheck

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return study.run("tiny", out=tmp_path_factory.mktemp("reality") / "run", progress=False)


def test_the_catalogue_finds_it():
    assert catalogue.find("reality-check") is study


def test_a_tiny_run_has_what_claims_and_figures_need(tiny):
    d = tiny.data
    assert dict(d.sizes) == {
        "condition": 3, "seed": 2, "time": 6, "method": 3, "part": 3, "stream": 2, "setting": 5, "number": 3,
    }  # fmt: skip
    verdicts = study.judge(tiny)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive"}
    assert len(study.draw(tiny)) == len(study.figures)


def test_conditions_differ_in_the_second_phase_or_in_the_settings(tiny):
    first = tiny.data.score.isel(part=0)
    np.testing.assert_array_equal(first.sel(condition="near"), first.sel(condition="far"))
    assert (
        tiny.data.score.isel(part=1).sel(condition="near") != tiny.data.score.isel(part=1).sel(condition="far")
    ).any()
    knobs = tiny.data.knob.isel(time=-1, seed=0)
    near, frozen = knobs.sel(condition="near"), knobs.sel(condition="frozen")
    np.testing.assert_array_equal(near.isel(number=0), frozen.isel(number=0))
    for row, name in enumerate(SUITES["three"]):
        own = [k.default for k in METHODS[name].knobs]
        np.testing.assert_allclose(near.isel(method=row, setting=-1), own + [0.0] * (MOST - len(own)), rtol=1e-6)
        default = frozen.isel(method=row, number=slice(1, None))
        assert (default == default.isel(setting=-1)).all(), "frozen knobs have their defaults"
        rates = near.isel(method=row, number=0)
        assert (rates >= 0.01).all() and (rates <= 1.0).all() and len(np.unique(rates)) == 5


def test_no_picture_is_in_two_phases_and_far_ones_are_others():
    data = groups("digits")
    assert data.classes == 30 and len(data.x) + len(data.x_test) == 30 * 87
    parts = [np.concatenate([d.reshape(3, -1, 64)[g] for d in (data.x, data.x_test)]) for g in range(3)]
    rows = [{tuple(r) for r in p} for p in parts]
    assert len(rows[0] & rows[1]) <= 1, "twins in the data set itself"
    assert not rows[2] & (rows[0] | rows[1])
    assert parts[2].mean() > 0.5 > parts[1].mean(), "negatives"


def test_a_stream_has_the_ten_classes_of_its_group_two_a_task():
    tasks = jax.vmap(lambda k: Lane(group=1).tasks(k))(jax.random.split(KEY, 3))
    assert (tasks.member.sum(axis=2) == 2).all() and (tasks.member.sum(axis=1)[:, 10:20] == 1).all()
    assert not tasks.member[:, :, :10].any() and not tasks.member[:, :, 20:].any()
    assert (tasks.member[0] != tasks.member[1]).any(), "which two, by chance"


def test_settings_lie_in_their_ranges():
    u = jnp.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 0.5, 0.5]])
    for name, one in METHODS.items():
        found = np.asarray(settings_of(name, u, jnp.float32(0.0)))
        for i, knob in enumerate(one.knobs):
            middle = np.sqrt(knob.low * knob.high) if knob.log else (knob.low + knob.high) / 2
            np.testing.assert_allclose(found[:, i], [knob.low, knob.high, middle, knob.default], rtol=1e-5)
            assert knob.low <= knob.default <= knob.high
        assert not found[:, KNOBS[name] :].any()
        assert one.make(jnp.asarray(found[0]), Sizes(50, 10, 5, 10, 5)) is not None


@pytest.fixture(scope="module")
def searched():
    """A search, and the same stream with one setting alone."""
    small = {"phases": 5, "per_phase": 3, "batch": 6, "hidden": 8, "sample": 4, "slots": 10, "again": 4, "updates": 4}
    system = RealityCheck(suite="two", trials=2, streams=1, **small)
    state = system.init(KEY)
    return system, state, eqx.filter_jit(lambda s: system.step(s, KEY))(state), small


def test_a_setting_among_others_is_as_it_is_alone(searched):
    _, begun, ended, small = searched
    own, knobs = begun.keys[0, 0], begun.settings["naive"][1]
    lane = eqx.tree_at(lambda s: (s.rate, s.knobs), Lane(**small, against="naive"), (knobs[0], knobs))
    state = lane.init(own)
    step = eqx.filter_jit(lambda lane, s, k: lane.step(s, k))
    for i in range(3):
        state = step(lane, state, jax.random.fold_in(own, i))
    together, alone = ended.lanes["naive"].net.layers[0].weight[0, 0], state.net.layers[0].weight
    np.testing.assert_allclose(together[1], alone, atol=1e-5)
    assert np.abs(np.asarray(alone - together[0])).max() > 1e-4


def test_all_methods_and_settings_begin_alike_and_streams_do_not(searched):
    _, begun, _, _ = searched
    naive, er = (begun.lanes[m].net.layers[0].weight for m in ("naive", "ER"))
    np.testing.assert_array_equal(naive, er)
    np.testing.assert_array_equal(naive[:, :, 0], naive[:, :, 1])
    assert (naive[0] != naive[1]).any()


def test_a_method_can_be_kept_from_learning(searched):
    system, begun, _, _ = searched
    with el.intervention.edit(el.Ablate("naive.update.*")), el.scope("naive"):
        after = eqx.filter_jit(lambda s: system.learnt("naive", s, s.lanes["naive"]))(begun)
    np.testing.assert_array_equal(after.net.layers[0].weight, begun.lanes["naive"].net.layers[0].weight)


def _made(tune, report, judge):
    """A run's dataset of three methods, two drawn settings, a default, out of tables [seed, method, trial]."""
    scores = np.stack([tune, report, judge], axis=2)[:, None, :, :, None, :]
    default = np.full((*scores.shape[:-1], 1), 0.2)
    return xr.Dataset(
        {"score": (("seed", "time", "method", "part", "stream", "setting"), np.concatenate([scores, default], -1))}
    )


def test_numbers_of_a_laboratory_are_what_they_say():
    tune = np.array([[[0.2, 0.3], [0.7, 0.5], [0.6, 0.5]]])
    report = np.array([[[0.25, 0.2], [0.6, 0.7], [0.6, 0.8]]])
    judge = np.array([[[0.21, 0.22], [0.65, 0.6], [0.5, 0.6]]])
    d = _made(tune, report, judge)
    # chosen on report and judged on judge: .25 .7 .8, again .21 .6 .6; transferred .22 .65 .5
    # chosen on judge and judged on report: .22 .65 .6, again .20 .6 .8; transferred .20 .60 .6
    o = cl.outcome(d).isel(seed=0)
    np.testing.assert_allclose(o.conventional, [0.235, 0.675, 0.7])
    np.testing.assert_allclose(o.two_phase, [0.21, 0.625, 0.55])
    np.testing.assert_allclose(o.repeated, [0.205, 0.6, 0.7])
    assert float(cl.optimism(d)[0]) == pytest.approx((0.025 + 0.05 + 0.15) / 3)
    assert float(cl.curse(d)[0]) == pytest.approx((0.03 + 0.075 + 0.0) / 3)
    assert float(cl.regret(d)[0]) == pytest.approx((-0.005 - 0.025 + 0.15) / 3)
    np.testing.assert_allclose(cl.curse_over_regret(d), cl.curse(d) - cl.regret(d))
    assert float(cl.disagreement(d)[0]) == pytest.approx(1 - 1 / 3), "one pair of three is swapped"
    assert float(cl.replay_over_none(d)[0]) == pytest.approx(0.625 - 0.21)
    assert float(cl.against_defaults(d)[0]) == pytest.approx((0.21 + 0.625 + 0.55) / 3 - 0.2)
    assert float(cl.simple_over_many(d)[0]) == pytest.approx(0.05 - 0.15)
    assert float(cl.knobs_and_optimism(d)[0]) == pytest.approx(1.0)
    assert float(cl.of_one_setting(d)[0]) == pytest.approx(0.0, abs=1e-9)
    assert float(cl.growth(d)[0]) == pytest.approx(float(cl.optimism(d)[0]))
    np.testing.assert_allclose(cl.optimism_by_method(d)[0], [0.025, 0.05, 0.15], atol=1e-9)
    assert cl.least_of_all(np.array([[0.1, 0.3], [0.3, 0.0]])) == pytest.approx(0.15)


def test_wrong_parameters_are_named():
    with pytest.raises(el.UserError, match="'second' must be one of 'near', 'far'"):
        RealityCheck(second="beyond")
    with pytest.raises(el.UserError, match="'trials' must be"):
        RealityCheck(trials=1)
    with pytest.raises(el.UserError, match="'frozen' must be"):
        RealityCheck(frozen=2)
