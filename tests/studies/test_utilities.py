"""The study `utilities`: its world, its readings of the stream, its interventions, and its mechanics."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import emergelab as el
from emergelab.engine import compiled
from emergelab.engine.plan import Cell
from emergelab.games import foresight as ahead
from emergelab.studies.minds.utilities import Utilities, study
from emergelab.studies.minds.utilities._claims import change_of_the_rest, probe_of_items, push_beyond_chance, rise
from emergelab.studies.minds.utilities._claims_minds import hyperbolic_gain, instrumental_gain, rate_found
from emergelab.studies.minds.utilities._conditions import TURN_AT
from emergelab.studies.minds.utilities._minds import STATES, Nature, foreseen, free_choice, make_mind, moves
from emergelab.studies.minds.utilities._probes import axis_of, left_out_r2, per_item, steering
from emergelab.studies.minds.utilities._world import World, all_pairs, comparisons, make_world, seen, verdicts

ITEMS, FEW, PEOPLE = 12, 3, 5
SMALL: dict[str, Any] = dict(study.sizes["tiny"].set)


@pytest.fixture(scope="module")
def world() -> World:
    return jax.jit(partial(make_world, items=ITEMS, attributes=4, annotators=PEOPLE))(jax.random.key(1))


# -- the world ------------------------------------------------------------------------------------------------------


def test_the_population_prefers_as_its_annotators_do(world: World) -> None:
    x, w = np.asarray(world.attributes), np.asarray(world.taste) + 0.8 * np.asarray(world.spread)
    each = [norm.cdf((x @ a)[:, None] - (x @ a), scale=0.3 * 2**0.5) for a in w]
    np.testing.assert_allclose(verdicts(world, 0.8, 0.3), np.mean(each, axis=0), atol=1e-5)
    np.testing.assert_allclose(world.utility, x @ np.asarray(world.taste), atol=1e-5)
    assert float(jnp.linalg.norm(world.taste)) == pytest.approx(1.0, abs=1e-5)


def test_as_many_pairs_are_seen_as_the_share_says(world: World) -> None:
    for share, count in ((0.0, 1), (0.25, 16), (1.0, 66)):
        met = np.asarray(seen(world, share))
        assert (met == met.T).all() and not met.diagonal().any() and met.sum() == 2 * count
    assert (np.asarray(seen(world, 0.5)) >= np.asarray(seen(world, 0.25))).all(), "more pairs are more of the same"


@jax.jit
def _drawn(world: World, order: Any, turned: Any, replay: Any, noise: Any) -> Any:
    return comparisons(
        jax.random.key(5), world, (40_000,), tau=0.8, noise=noise, share=0.5, order=order, few=FEW, turned=turned,
        replay=replay,
    )  # fmt: skip


def _counts(batch: Any) -> tuple[np.ndarray, np.ndarray]:
    """How often each ordered pair came up, and how often its first item won."""
    came, won = np.zeros((ITEMS, ITEMS)), np.zeros((ITEMS, ITEMS))
    a, b, y = (np.asarray(x) for x in batch)
    np.add.at(came, (a, b), 1)
    np.add.at(won, (a, b), y)
    return came, won


def test_comparisons_are_of_seen_pairs_with_sides_and_winners_as_they_should_be(world: World) -> None:
    came, won = _counts(_drawn(world, 1.0, False, 0.0, 0.3))
    met = np.asarray(seen(world, 0.5))
    assert ((came > 0) == met).all()
    # 606 comparisons of each of 66 ordered pairs: four standard errors of a share are .08, of a count 100
    np.testing.assert_allclose(came[met], 40_000 / 66, atol=100)
    np.testing.assert_allclose((won / np.maximum(came, 1))[met], np.asarray(verdicts(world, 0.8, 0.3))[met], atol=0.09)


def test_without_a_scale_a_whim_decides(world: World) -> None:
    came, won = _counts(_drawn(world, 0.0, False, 0.0, 1e-4))
    i, j = all_pairs(ITEMS)
    known = np.asarray(seen(world, 0.5))[i, j]
    np.testing.assert_array_equal((won / np.maximum(came, 1))[i, j][known], (np.asarray(world.whim) > 0)[known])


def test_turned_utilities_are_the_reverse_among_the_few(world: World) -> None:
    came, won = _counts(_drawn(world, 1.0, True, 0.0, 0.3))
    assert came[:FEW, :FEW].sum() == 40_000, "only the few are compared"
    usual = np.asarray(verdicts(world, 0.8, 0.3))[:FEW, :FEW]
    off = ~np.eye(FEW, dtype=bool)
    np.testing.assert_allclose((won / np.maximum(came, 1))[:FEW, :FEW][off], 1 - usual[off], atol=0.05)
    mixed, _ = _counts(_drawn(world, 1.0, True, 0.75, 0.3))
    outside = mixed.sum() - mixed[:FEW, :FEW].sum()
    known = np.asarray(seen(world, 0.5))
    among = known[:FEW, :FEW].sum() / known.sum()
    assert outside / 40_000 == pytest.approx(0.75 * (1 - among), abs=0.02)


# -- readings -------------------------------------------------------------------------------------------------------


def test_left_out_r2_is_that_of_leaving_out_each_row_in_turn() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 5)) * [3, 1, 1, 1, 0.1] + 2
    y = x @ [0.5, -1, 0, 0, 0] + 0.5 * rng.normal(size=20) + 7
    z = x - x.mean(axis=0)
    z /= np.sqrt(np.mean(z**2))
    left, base = [], []
    for k in range(20):
        kept = np.arange(20) != k
        # a penalty on the slopes alone: the offset is free, as a column of ones with no penalty
        design = np.column_stack([z[kept], np.ones(19)])
        slopes = np.linalg.solve(design.T @ design + 0.2 * np.diag([1] * 5 + [0]), design.T @ y[kept])
        left.append(y[k] - np.append(z[k], 1) @ slopes)
        base.append(y[k] - y[kept].mean())
    expected = 1 - np.sum(np.square(left)) / np.sum(np.square(base))
    got = jax.jit(left_out_r2)(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
    assert float(got) == pytest.approx(expected, abs=1e-3)


def test_the_row_of_each_item_is_that_where_it_stands_first() -> None:
    i, j = all_pairs(ITEMS)
    first = np.concatenate([i, j])
    residual = np.repeat(first[None, :, None, None], 3, axis=2).astype(np.float32)
    np.testing.assert_array_equal(per_item(jnp.asarray(residual), ITEMS)[0, :, 0], np.arange(ITEMS))


def test_steering_of_a_reader_that_is_known() -> None:
    """Items differ along one axis only, and the reader takes the difference along it."""
    rng, width = np.random.default_rng(2), 400
    u = jnp.asarray(rng.normal(size=ITEMS), jnp.float32)
    axis = jnp.asarray(rng.normal(size=width) / width**0.5, jnp.float32)
    place = jnp.asarray(rng.normal(size=(3, width)), jnp.float32)
    i, j = (jnp.asarray(x) for x in all_pairs(ITEMS))

    def stream(a: Any, b: Any) -> Any:
        return el.site("embed", (u[jnp.stack([a, b, a], axis=1)][..., None] * axis) + place)

    def ask(a: Any, b: Any) -> Any:
        x = stream(a, b)
        return 2.0 * (x[:, 0] - x[:, 1]) @ axis

    @jax.jit
    def measured(key: Any) -> Any:
        both = stream(jnp.concatenate([i, j]), jnp.concatenate([j, i]))
        found = steering(ask, key, both, i, j, jnp.ones(len(i), bool), ask(i, j), u)
        return found, axis_of(per_item(both[None], ITEMS)[0], u)

    found, along = measured(jax.random.key(0))
    natural = 2.0 * float(np.std(u)) * float(np.sum(np.square(axis)))
    np.testing.assert_allclose(along, np.std(u) * np.asarray(axis), atol=1e-5)
    assert float(found["push_true"]) == pytest.approx(natural, rel=1e-3)
    assert float(found["push"]) == pytest.approx(natural, rel=1e-3)
    assert abs(float(found["push_random"])) < 0.2 * natural
    assert float(found["swap"]) == pytest.approx(-1.0, abs=1e-3)
    assert float(found["swap_random"]) == pytest.approx(1.0, abs=0.1)


# -- looking ahead --------------------------------------------------------------------------------------------------


def _process(chance: float = 0.8) -> np.ndarray:
    """One start, one state between, two ends: start -> between -> ends, or start -> second end at once."""
    out = np.zeros((4, 4), np.float32)
    out[0, 1], out[0, 3] = 0.5, 0.5
    out[1, 2], out[1, 3] = chance, 1 - chance
    return out


def test_values_are_those_of_bellmans_equation() -> None:
    p, rewards = _process(), np.array([[0.0], [0.2], [1.0], [-1.0]], np.float32)
    exact = np.linalg.solve(np.eye(4) - 0.9 * p, rewards)
    np.testing.assert_allclose(jax.jit(ahead.values)(p, rewards, 0.9), exact, atol=1e-6)


def test_instrumentality_is_the_distance_from_the_nearest_value_function() -> None:
    p, loss = _process(), jax.jit(ahead.instrumentality)
    reach = np.linalg.solve(np.eye(4) - ahead.GAMMA * p, np.eye(4))[:, 2:]
    worth = reach @ [1.0, -reach[:, 0].sum() / reach[:, 1].sum()]
    for utility in (worth, 3 * worth - 7):
        assert float(loss(jnp.asarray(utility, jnp.float32), p)) < 1e-3, "a scale has neither zero nor unit"
    # rewards of the two ends are free, so of four numbers two can be wrong
    other = np.random.default_rng(0).normal(size=4)
    z = (other - other.mean()) / other.std()
    left = z - reach @ np.linalg.lstsq(reach, z, rcond=None)[0]
    assert float(loss(jnp.asarray(other, jnp.float32), p)) == pytest.approx(np.abs(left).mean(), abs=1e-3)
    assert np.isnan(float(loss(jnp.zeros(4), p)))


def test_points_of_indifference_and_rates_by_hand() -> None:
    amounts, delays, rates = np.geomspace(0.5, 32.0, 61), np.array([1.0, 3.0, 9.0, 27.0]), jnp.array([0.1, 0.4])
    left = np.stack([np.exp(-0.1 * delays), 1 / (1 + 0.4 * delays), np.full(4, 0.25)])
    later = norm.cdf((np.log(amounts) + np.log(left)[:, :, None]) / 0.2)
    later[2] = 0.5

    @jax.jit
    def read(later: Any) -> Any:
        told = 1 / jax.vmap(lambda p: ahead.indifference(p, amounts))(later)
        best = ahead.luce(jnp.log(jnp.array([1.0, 2.0, 5.0])))
        return told, jax.vmap(lambda f: ahead.discounts(delays, f))(told), ahead.factor(delays, rates[:, None]), best

    told, found, curves, best = read(jnp.asarray(later, jnp.float32))
    np.testing.assert_allclose(told, left, rtol=0.02, err_msg="indifference comes out at the middle of what is offered")
    for k, planted in enumerate(rates):
        np.testing.assert_allclose(curves[k, k], left[k], rtol=1e-5)
        assert float(found.rate[k, k]) == pytest.approx(float(planted), rel=0.06)
        assert found.error[k, k] < 0.01 < found.error[k, 1 - k]
    assert float(best) == pytest.approx(5 / 8)


@jax.jit
def _chosen(chooser: Any, enough: Any) -> Any:
    judged = jnp.array([[0.1, 1.2, 0.7, 1.5]])
    lot = jnp.array([[0.9, 0.5, 0.3, 0.6]])  # the list is: 2, 1, 3, 0
    return free_choice(judged, lot, Nature(1.0, 0.0, chooser, enough, jnp.int32(0), 0.1))


@pytest.mark.parametrize(
    "chooser, enough, thing, place",
    [(0, 1.0, 3, 2 / 3), (1, 1.0, 1, 1 / 3), (1, 0.5, 2, 0.0), (1, 9.0, 3, 2 / 3)],
    ids=["the best", "good enough", "easily pleased", "never pleased"],
)
def test_what_is_chosen_from_a_list(chooser: int, enough: float, thing: int, place: float) -> None:
    picked, at = _chosen(jnp.int32(chooser), jnp.float32(enough))
    assert int(jnp.argmax(picked)) == thing and float(at[0]) == pytest.approx(place)


def test_processes_are_what_they_are() -> None:
    @jax.jit
    def made(key: Any) -> Any:
        mind = make_mind(key, 2, 1).mind
        return mind.own, moves(mind, natural=True), moves(mind, natural=False), foreseen(mind)

    worth, p, other, told = (np.asarray(x) for x in made(jax.random.key(0)))
    ends = np.arange(2 * STATES) % STATES >= 4
    np.testing.assert_allclose(p.sum(axis=1), ~ends, atol=1e-6)
    assert (p[:STATES, STATES:] == 0).all() and (p[STATES:, :STATES] == 0).all()
    np.testing.assert_allclose(p[:, [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 11, 10]], other)
    own = np.where(ends, worth, 0)
    np.testing.assert_allclose(told, np.linalg.solve(np.eye(12) - 0.99 * p, own), atol=1e-5)


# -- mechanics ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    conditions = {
        "width-8": {}, "no-scale": {"order": 0.0}, "many-minds": {"tau": 2.0}, "turned": {"turn_at": 2},
        **{name: study.conditions[name] for name in ("rational", "bounded", "indifferent")},
    }  # fmt: skip
    assert set(conditions) == set(study.sizes["tiny"].conditions or ())
    out = tmp_path_factory.mktemp("utilities") / "run"
    return el.run(Utilities(**SMALL), steps=4, every=2, seeds=3, conditions=conditions, out=out, progress=False)


def test_conditions_share_their_world_and_part_where_they_are_told_to(tiny: Any) -> None:
    assert not tiny.failed and not tiny.diverged
    d = tiny.data.load()
    for name in ("decided", "right_unseen", "probe", "push"):
        plain, turned = (d[name].sel(condition=c) for c in ("width-8", "turned"))
        np.testing.assert_array_equal(plain.sel(time=[0, 2]), turned.sel(time=[0, 2]), err_msg=name)
    at_start = d["decided"].sel(time=0, condition=["width-8", "no-scale", "many-minds", "turned"])
    assert (at_start == at_start.isel(condition=0)).all(), "before training the networks are the same"
    assert (d["decided"].sel(condition="width-8", time=4) != d["decided"].sel(condition="turned", time=4)).any()
    assert (d["cycles_best"].sel(condition="many-minds") > d["cycles_best"].sel(condition="width-8")).all()


def test_measures_find_what_is_planted_in_minds_and_nothing_else(tiny: Any) -> None:
    end = tiny.data.isel(time=-1).mean("seed").load()
    good, bounded, coin = (end.sel(condition=name) for name in ("rational", "bounded", "indifferent"))
    assert instrumental_gain(good) > 0.15 and good["foreseen"] > 0.9
    assert good["instrumental"] < 0.15 < 0.3 < min(bounded["instrumental"], coin["instrumental"])
    assert good["maximised"] > 0.4 > bounded["maximised"] and coin["maximised"] < 0.3
    assert bounded["chosen_place"] < 0.3 < good["chosen_place"] and bounded["chosen_rank"] > 0.7
    assert abs(rate_found("exponential", 0.08)(good)) < 0.2 and abs(rate_found("hyperbolic", 0.25)(bounded)) < 0.2
    assert hyperbolic_gain(good) < -0.02 and hyperbolic_gain(bounded) > 0.02
    assert hyperbolic_gain(coin) > 0.02 and abs(coin["more"]) < 0.3, "the trap, and what gives it away"
    assert np.isnan(end["loss"].sel(condition="rational")) and np.isnan(end["more"].sel(condition="width-8"))


def test_readings_are_in_their_ranges(tiny: Any) -> None:
    for o in Utilities.observables:
        values = tiny.data[o.name].values
        values = values[np.isfinite(values)]
        slack = 1e-4
        assert len(values), o.name
        assert o.low is None or (values >= o.low - slack).all() or o.name == "r2", o.name
        assert o.high is None or (values <= o.high + slack).all() or o.name == "cycles", o.name
    assert not (tiny.data["loss_unseen"] < tiny.data["loss_best"] - 1e-5).any()


def test_the_study_judges_and_draws_what_there_is(tiny: Any) -> None:
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive", "untested"}
    assert "turned" in [f.name for f, _ in study.draw(tiny)]


def test_sites_are_those_that_the_page_names() -> None:
    names = {s.name for s in el.sites(Utilities(**SMALL))}
    parts = ("q", "k", "v", "scores", "pattern", "heads", "mid", "act", "ffn", "out")
    layers = {f"L.{i}.{part}" for i, part in itertools.product((0, 1), parts)}
    assert {"tau", "noise", "share", "order", "embed", "final", "logits"} | layers <= names


def test_interventions_of_the_page_are_accepted_and_reach_the_data() -> None:
    system = Utilities(**SMALL)
    with el.edit(el.Clamp("tau", 2.0), el.Scale("share", 0.5)):
        corpus = system.corpus()
    assert float(corpus["tau"]) == 2.0 and float(corpus["share"]) == pytest.approx(0.5 * float(system.share))
    blind, later = el.Ablate("L.0.pattern"), el.Clamp("noise", 2.0, during=(10, None))
    compiled.check(Cell("blind", system, (blind, later)), ())
    with pytest.raises(el.UserError, match=r"no site of Utilities matches 'L\.2\.pattern'"):
        compiled.check(Cell("lost", system, (el.Ablate("L.2.pattern"),)), ())


def test_bad_input_says_what_was_expected() -> None:
    with pytest.raises(el.UserError, match="'width' must be a multiple of heads=2, got 9"):
        Utilities(width=9)
    with pytest.raises(el.UserError, match="'few' must leave 3 of items=12, got 10"):
        Utilities(items=12, few=10)
    with pytest.raises(el.UserError, match="parameter 'share' must be a number in"):
        Utilities(share=1.5)


def test_every_condition_fits_every_size() -> None:
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            Utilities(**dict(size.set)).with_(**dict(study.conditions[name].set))


def test_functions_of_claims_by_hand() -> None:
    time, ones = [0, TURN_AT, TURN_AT + 4], np.ones((1, 3))
    d = xr.Dataset(
        {
            "agreement_rest": (("seed", "time"), [[0.0, 0.9, -0.4]]),
            "decided": (("seed", "time"), [[0.1, 0.3, 0.5]]),
            "push": (("seed", "time"), 0.5 * ones),
            "push_random": (("seed", "time"), -0.2 * ones),
            "probe": (("seed", "time", "place"), np.arange(9.0).reshape(1, 3, 3)),
        },
        {"seed": [0], "time": time},
    )
    assert float(change_of_the_rest(d)[0, -1]) == pytest.approx(-1.3)
    assert float(rise("decided")(d)[0, -1]) == pytest.approx(0.4)
    assert float(push_beyond_chance(d)[0, -1]) == pytest.approx(0.3)
    assert probe_of_items(d).values.tolist() == [[0.0, 3.0, 6.0]]
