"""The study `economy-trade`: what is measured is what happened, masks hold in learning, conditions do what they say."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.games.taxes import US_RATES
from emergelab.rl.networks import FeedForward
from emergelab.studies.societies.economy_trade import EconomyTrade, study
from emergelab.studies.societies.economy_trade._conditions import CONDITIONS, FLAT_EVEN, QUICK
from emergelab.studies.societies.economy_trade._system import Worker, information
from emergelab.studies.societies.economy_trade._view import GROUND, episode
from emergelab.worlds.gather_trade_build import Sight
from emergelab.worlds.world import Discrete

SMALL = {"economies": 2, "tests": 2, "year": 10, "width": 8}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One program for all: a single economy is watched, so that means over economies are the economy's own."""
    return study.run(
        "tiny", out=tmp_path_factory.mktemp("trade") / "r", set={"tests": 1}, progress=False,
        taps=["play.action", "play.may"],
    )  # fmt: skip


def test_information_is_that_of_the_table():
    """Two who earn by one thing each: one bit. All alike, or one source, or nothing: none."""
    cases = [
        ([[3.0, 0.0], [0.0, 3.0]], 1.0), ([[1.0, 2.0], [2.0, 4.0]], 0.0), ([[1.0, 0.0], [5.0, 0.0]], 0.0),
        ([[0.0, 0.0], [0.0, 0.0]], 0.0),
    ]  # fmt: skip
    for table, bits in cases:
        assert abs(float(information(jnp.asarray(table))) - bits) < 1e-6
    table = np.random.default_rng(0).random((4, 2))
    p = table / table.sum()
    by_entropies = -(p.sum(0) * np.log2(p.sum(0))).sum() - (p.sum(1) * np.log2(p.sum(1))).sum() + (p * np.log2(p)).sum()
    np.testing.assert_allclose(information(jnp.asarray(table)), by_entropies, atol=1e-5)


def test_the_network_gives_no_weight_to_what_is_not_allowed():
    net = Worker(FeedForward(jax.random.key(0), 5, Discrete(7), widths=(4,)))
    may = np.array([[True] * 7, [True] + [False] * 6, [True, False, True, False, True, False, True]])
    _, policy, _ = net(None, Sight(jnp.ones((3, 5)), jnp.asarray(may)), jnp.zeros(3, bool))
    chance = np.asarray(jax.nn.softmax(policy.logits))
    assert (chance[~may] == 0).all()
    # At birth all that is allowed is about equally likely.
    np.testing.assert_allclose(chance[may], np.repeat(1 / may.sum(1), may.sum(1)), rtol=0.1)


def _recorded(run, name):
    found = run.data[name]
    return found.transpose("condition", "seed", "time", *(d for d in found.dims if d.startswith("play"))).values


def test_what_workers_do_is_allowed(run):
    action, may = _recorded(run, "play.action").astype(int), _recorded(run, "play.may").astype(bool)
    assert may.shape == (*action.shape, 30) and action.shape[3:] == (20, 8)
    assert np.take_along_axis(may, action[..., None], -1).all() and not may.all()
    assert (action > 0).any()


def test_rewards_add_up_to_utility_at_the_end(run):
    d = run.data.transpose("condition", "seed", "time", "worker", ...)
    gain = d["coins"].values ** 0.77 / 0.77 - 0.1 * d["labour"].values
    np.testing.assert_allclose(d["utility"].values, gain.mean(-1), atol=2e-3)


def test_the_film_begins_with_nothing_and_ends_with_what_is_told(run):
    d = run.data
    assert (d["film_ground"].isel(moment=0) <= 2).all() and (d["film_coins"].isel(moment=0) == 0).all()
    np.testing.assert_allclose(d["film_coins"].isel(moment=-1).transpose(*d["coins"].dims), d["coins"], rtol=1e-5)
    houses = [(d["film_ground"].isel(moment=-1) == 3 + i).sum(["y", "x"]) for i in range(4)]
    for i, found in enumerate(houses):
        np.testing.assert_array_equal(found, d["houses"].isel(worker=i))


def test_tiny(run):
    d = run.data.isel(time=slice(1, None))
    assert not run.diverged
    for name in ("productivity", "equality", "utility", "revenue", "specialisation", "spread", "timing", "labour"):
        assert np.isfinite(d[name].values).all(), name
    assert (d["revenue"].sel(condition=["free", "equal"]) == 0).all()
    np.testing.assert_allclose(d["timing"].sel(condition="flat"), 0, atol=1e-5)
    assert set(np.unique(d["film_ground"].values)) <= set(range(len(GROUND)))
    np.testing.assert_allclose(d["coins"].mean("worker"), d["productivity"], rtol=1e-5)


def test_conditions_are_what_they_say():
    assert CONDITIONS["us"].set["rates"] == list(US_RATES)
    falls = CONDITIONS["regressive"].set["rates"]
    assert falls == sorted(falls, reverse=True)
    for flat in ("flat", "flat-high", "flat-even"):
        assert len(set(CONDITIONS[flat].set["rates"])) == 1
    paid = CONDITIONS["equal"].set["pay"]
    assert len(set(paid)) == 1 and sum(paid) == EconomyTrade().pay.sum()


@pytest.fixture(scope="module")
def treated(tmp_path_factory):
    """All interventions in one program, of which each condition lets one act; parameters differ as they like."""
    by_lane = np.arange(8) % 4
    done = {
        "idle": lambda during: el.Clamp("*.action", 0, during, where=by_lane == 3),
        "unpaid": lambda during: el.Scale("play.reward", 0.0, during),
        "still": lambda during: el.Ablate("update.*", during=during),
    }

    def only(which: str, **settings: object) -> el.Condition:
        acts = tuple(make((0 if name == which else 9999, None)) for name, make in done.items())
        return el.Condition(settings, acts)

    cells = {"none": only("none"), **{name: only(name) for name in done}}
    cells |= {name: only("none", **CONDITIONS[name].set) for name in ("no-market", "flat-even", "no-master")}
    return el.run(
        EconomyTrade(**SMALL), steps=2, every=1, seeds=2, conditions=cells, keep=[0, 1, 2], progress=False, workers=1,
        out=tmp_path_factory.mktemp("trade") / "r",
    )  # fmt: skip


def test_a_worker_that_is_made_idle_does_nothing_and_the_others_go_on(treated):
    d = treated.data.sel(condition="idle").transpose("seed", "time", "worker", ...)
    for name in ("labour", "houses", "gathered", "sold", "bought", "coins"):
        assert (d[name].isel(worker=3) == 0).all(), name
    assert (d["labour"].isel(worker=slice(0, 3)) > 0).all()
    assert (treated.data["labour"].sel(condition="none").isel(worker=3) > 0).all()


def test_who_cannot_update_stays_and_who_is_not_paid_learns_something_else(treated):
    def net(condition, time):
        found = treated.state(time, condition)
        return {name: found[name].values for name in found if str(name).startswith("net")}

    def alike(a, b):
        return all(np.array_equal(a[name], b[name]) for name in a)

    assert alike(net("still", 0), net("still", 2)) and not alike(net("none", 0), net("none", 2))
    # In the first update labour is free and nobody has sold or built, so there is nothing to be paid for.
    assert alike(net("unpaid", 0), net("none", 0)) and not alike(net("unpaid", 2), net("none", 2))


def test_without_a_market_nothing_is_sold_and_a_flat_tax_takes_its_rate(treated):
    d = treated.data
    assert (d["deals"].sel(condition="no-market") == 0).all() and (d["sold"].sel(condition="no-market") == 0).all()
    assert (d["built"].sel(condition="no-master", worker=d.worker[-1]).fillna(0) == 0).all()
    taken = d["revenue"].sel(condition="flat-even").values
    # Nothing is taken where nothing is earned.
    np.testing.assert_allclose(taken[taken > 0], FLAT_EVEN, rtol=1e-5)
    assert (taken > 0).any() and set(QUICK).isdisjoint({"no-market", "flat-even", "no-master"})


def test_labour_is_free_at_first():
    system = EconomyTrade(warm=40)
    told = [float(system.world(jnp.int32(t)).burden) for t in (0, 20, 40, 90)]
    np.testing.assert_allclose([*told, float(system.world().burden)], [0.0, 0.05, 0.1, 0.1, 0.1], rtol=1e-6)
    assert float(EconomyTrade(warm=0).world(jnp.int32(1)).burden) == float(np.float32(0.1))


def test_claims_are_judged_figures_drawn_and_an_episode_seen(run):
    verdicts = study.judge(run)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive", "untested"}
    assert [f.name for f, _ in study.draw(run)] == ["trades", "film", "regimes", "learning"]
    scenes = episode(run, "free", 0, 2)
    assert len(scenes) == 6 and study.view is not None
    last = study.view.at(run, "free", 0, 2)
    np.testing.assert_array_equal(last.layers[0].values, scenes[-1].layers[0].values)
    assert last.layers[1].state["coins"].shape == (4,)


def test_sites():
    names = {s.name for s in el.sites(EconomyTrade(**SMALL))}
    assert {"play.known", "play.may", "play.action", "play.reward", "play.logits", "advantage", "rate"} <= names
    assert {"test.action", "test.logits"} <= names


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"parts": 3}, "'parts' must divide 1600 moments, got 3"),
        ({"rates": [0.1] * 6}, "'rates' must be an array of shape"),
        ({"rates": [1.1] * 7}, "'rates' must be"),
    ],
)
def test_wrong_settings_are_told(wrong, message):
    with pytest.raises(el.UserError, match=message):
        EconomyTrade(**wrong)
