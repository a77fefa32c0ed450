"""The donor game: rules against a plain second version, exact identities, interventions, the study at its smallest."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.games import donor as rules
from emergelab.games.inequality import gini
from emergelab.studies.societies.donor_game import DonorGame, study
from emergelab.studies.societies.donor_game import _measures as measures

from . import donor_oracle as oracle

N = 12
settle, slopes = jax.jit(rules.settle), jax.jit(rules.slopes)


def table_of(seed: int = 0, agents: int = N) -> rules.Table:
    return rules.seat(jnp.asarray(np.random.default_rng(seed).random(agents), jnp.float32), 10.0)


@pytest.mark.parametrize("agents", [4, 6, 12])
def test_each_pair_meets_twice_once_each_way(agents: int) -> None:
    table, met = table_of(agents=agents), []
    gives = np.zeros(agents, int)
    rounds: list[list[list[tuple[int, int]]]] = [[], []]
    for game in (0, 1):
        for turn in range(agents):
            side = int(rules.side_of(jnp.int32(turn), jnp.int32(game), agents))
            who = np.asarray(table.who)
            rounds[game].append(list(zip(who[side].tolist(), who[1 - side].tolist(), strict=True)))
            if game == 0:
                met += rounds[0][-1]
                gives[who[side]] += 1
            zeros = jnp.zeros(agents // 2)
            table = settle(table, jnp.int32(side), zeros.astype(jnp.int32), zeros, 2.0, 2.0)
    order = np.asarray(table_of(agents=agents).who).ravel().tolist()
    for game in (0, 1):
        assert [set(r) for r in rounds[game]] == [set(r) for r in oracle.pairings(order, game == 1)]
    assert (gives == agents // 2).all()
    assert len(set(met)) == len(met) == 2 * (agents // 2) ** 2
    assert {(b, a) for a, b in met} == set(met)


def test_moves_by_hand() -> None:
    table = table_of(agents=6)
    kind = jnp.asarray([rules.DONATE, rules.PUNISH, rules.REFUSE], jnp.int32)
    after = settle(table, jnp.int32(0), kind, jnp.asarray([0.5, 0.8, 0.3]), 2.0, 2.0)
    held = np.asarray(rules.by_agent(after, after.resources))
    donors, others = np.asarray(table.who)
    np.testing.assert_allclose(held[donors], [5.0, 2.0, 10.0])
    np.testing.assert_allclose(held[others], [20.0, 0.0, 10.0])  # nobody falls below 0
    np.testing.assert_allclose(np.asarray(after.trace[0]), [[0.5, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert np.asarray(after.known).tolist() == [[1, 1, 1], [0, 0, 0]]
    assert np.asarray(after.who[1]).tolist() == np.roll(others, -1).tolist()
    # who gives next tells, behind its own gift, what its recipient gave before
    then = settle(after, jnp.int32(1), 0 * kind, jnp.asarray([0.1, 0.2, 0.3]), 2.0, 2.0)
    told = {int(w): t for w, t in zip(then.who[1], np.asarray(then.trace[1]), strict=True)}
    np.testing.assert_allclose(told[int(after.who[1][0])], [0.1, 0.5, 0.0])


def test_the_better_half_survives_and_chance_decides_between_equals() -> None:
    rng = np.random.default_rng(0)
    score = jnp.asarray([5.0, 1, 9, 9, 0, 2, 7, 3, 9, 4, 6, 8])
    lot, choice = (jnp.asarray(rng.random(k), jnp.float32) for k in (N, N // 2))
    parents = np.asarray(rules.parents_of(lot, choice, score, True))
    assert sorted(parents[:6].tolist()) == [2, 3, 6, 8, 10, 11]
    assert set(parents[6:].tolist()) <= set(parents[:6].tolist())
    kept = [
        set(np.asarray(rules.parents_of(jnp.asarray(rng.random(N), jnp.float32), choice, 0 * score, True))[:6].tolist())
        for _ in range(40)
    ]
    assert set().union(*kept) == set(range(N))  # equals have equal chances, whatever their number
    by_chance = np.asarray(rules.parents_of(lot, choice, score, False))[:6]
    assert sorted(by_chance.tolist()) == sorted(np.argsort(np.asarray(lot))[:6].tolist())
    theta, errors = jnp.ones((N, 8)), jnp.ones((N, 8))
    heirs = np.asarray(rules.offspring(theta, jnp.asarray(parents), 0.1 * errors))
    np.testing.assert_allclose(heirs, np.where(np.arange(N)[:, None] < 6, 1.0, 1.1) * np.ones(8), rtol=1e-6)


def test_slopes_are_least_squares_and_gini_is_the_textbooks() -> None:
    rng = np.random.default_rng(1)
    trace, heard = rng.random((24, 6, 3)).astype(np.float32), rng.integers(0, 4, (24, 6))
    given = (0.2 + 0.5 * trace[..., 0] - 0.3 * trace[..., 1] + 0.1 * rng.random((24, 6))).astype(np.float32)
    first, second = slopes(jnp.asarray(given), jnp.asarray(trace), jnp.asarray(heard))
    x, y = trace[heard >= 1][:, 0], given[heard >= 1]
    assert float(first) == pytest.approx(np.polyfit(x, y, 1)[0], abs=1e-4)
    two = heard >= 2
    design = np.column_stack([np.ones(two.sum()), trace[two][:, :2]])
    assert float(second) == pytest.approx(np.linalg.lstsq(design, given[two], rcond=None)[0][2], abs=1e-4)
    same = jnp.ones((4, 3, 3))
    assert all(np.isnan(float(v)) for v in slopes(same[..., 0], same, jnp.full((4, 3), 3)))
    held = np.sort(rng.random(9))
    textbook = (2 * np.arange(1, 10) - 10) @ held / (9 * held.sum())
    assert float(gini(jnp.asarray(held, jnp.float32))) == pytest.approx(textbook, abs=1e-6)
    assert float(gini(jnp.zeros(5))) == 0.0


def test_disposition_is_what_is_given_in_the_six_situations() -> None:
    theta = np.array([0.3, 0.5, 0.8, 0.4, 0.1, 0.5, 0.2, 0.2])
    said = [oracle.fraction(theta.tolist(), t) for t in ([], [0.0], [0.5], [1.0], [0.5, 0.0], [0.5, 1.0])]
    found = rules.disposition(jnp.asarray(theta[None], jnp.float32))
    assert float(found[0]) == pytest.approx(np.mean(said), abs=1e-6)


# -- what is asked of a run -------------------------------------------------------------------------------------------


def test_measures_of_success_against_brute_force() -> None:
    rng = np.random.default_rng(2)
    x = rng.random(60)
    y = rng.random(60) < x
    rows = np.column_stack([x, y.astype(float)])
    good, bad = x[y], x[~y]
    assert measures.auc(rows) == pytest.approx(np.mean(good[:, None] > bad[None]))
    small = np.column_stack([np.r_[x[y][:4], x[~y][:3]], np.r_[np.ones(4), np.zeros(3)]])
    wins, losses = small[:4, 0], small[4:, 0]
    tried = [
        max(f) < min(s) for f in itertools.product(losses, repeat=2) for s in itertools.product(wins, repeat=3)
    ]  # fmt: skip
    assert measures.chance_of_separation(small) == pytest.approx(np.mean(tried))

    order = np.argsort(x)
    place, low, high, fit = measures.step(x[order], y[order])
    every = []
    for k in range(1, 60):
        parts = y[order][:k], y[order][k:]
        with np.errstate(divide="ignore", invalid="ignore"):
            every.append(sum(np.nansum([p.sum() * np.log(p.mean()), (~p).sum() * np.log(1 - p.mean())]) for p in parts))
    assert fit == pytest.approx(max(every), abs=1e-6)
    below = x < place
    assert (low, high) == pytest.approx((y[below].mean(), y[~below].mean()))

    a, b, likelihood = measures.logistic(x[order], y[order])
    p = 1 / (1 + np.exp(-(a + b * x)))
    assert abs(np.sum(y - p)) < 1e-4 and abs(np.sum((y - p) * x)) < 1e-2  # the score equations
    assert likelihood == pytest.approx(np.sum(np.log(np.where(y, p, 1 - p))), abs=1e-6)


def test_a_step_is_found_where_there_is_one_and_only_there() -> None:
    rng = np.random.default_rng(3)
    x = rng.random(400)
    sharp = np.column_stack([x, rng.random(400) < np.where(x > 0.5, 0.95, 0.05)])
    smooth = np.column_stack([x, rng.random(400) < 1 / (1 + np.exp(-4 * (x - 0.5)))])
    assert measures.bic_for_a_step(sharp.astype(float)) > 6 > 0 > measures.bic_for_a_step(smooth.astype(float))


def test_measures_without_contrast_say_so() -> None:
    one, none = np.array([[0.4, 1.0]]), np.column_stack([np.linspace(0, 1, 20), np.zeros(20)])
    assert measures.auc(one) == measures.auc(none) == 0.5
    assert measures.bic_for_a_step(one) == 0.0
    assert measures.chance_of_separation(none) == 0.1
    assert np.isfinite(measures.bic_for_a_step(none))
    assert np.isfinite(measures.bic_for_a_step(np.column_stack([np.full(20, 0.5), np.arange(20) % 2.0])))


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return study.run("tiny", out=tmp_path_factory.mktemp("donor") / "run", progress=False)


RULES = {
    "m0.5-b2": {},
    "m0.5-b2-gossip-0": {"length": 0},
    "m0.5-b2-gossip-1": {"length": 1},
    "m0.5-b2-gossip-2": {"length": 2},
    "m0.5-b0.3-costly": {"mechanism": "punish"},
    "m0.5-b2-partner": {"mechanism": "refuse"},
    "m0.65-b0.3-gain-3": {"gain": 3.0},
}


@pytest.fixture(scope="module")
def first_generations() -> list[tuple[int, Any, list[int]]]:
    """Seed, standard normal numbers of its prior, and order at the table: what the engine draws for it."""
    prior = jax.jit(lambda key: rules.prior(key, N, 0.0, 0.0, 0.0, 1.0))
    order = jax.jit(lambda key: rules.seat(rules.draws_of(key, N).order, 10.0).who)
    return [(s, prior(rules.key_of(s)), np.asarray(order(rules.key_of(s, 0))).ravel().tolist()) for s in range(3)]


@pytest.mark.parametrize("condition", RULES)
def test_both_games_equal_the_plain_version(tiny: Any, first_generations: Any, condition: str) -> None:
    own = {"length": 3, "mechanism": "none", "gain": 2.0, "loss": 2.0} | RULES[condition]
    system = DonorGame().with_(**study.conditions[condition].set)
    centre = np.asarray(rules.prior(rules.key_of(0), N, 0.0, 0.0, 0.0, 0.0))[0]
    mean = centre + np.array(
        [system.generosity, system.generosity, system.discrimination, 0, 0, 0, system.tolerance, 0]
    )
    for seed, errors, order in first_generations:
        theta = mean + system.variety * (np.asarray(errors) - centre)
        games = [oracle.play(theta.tolist(), order, second, **own) for second in (False, True)]
        held = np.array([[p.resources for p in players] for players in games])
        gave = np.array([[np.mean(p.given) for p in players] for players in games])
        seen = tiny.data.sel(condition=condition, seed=seed, time=1)
        assert float(seen["giving"]) == pytest.approx(gave.mean(), abs=1e-5)
        assert float(seen["resources_game1"]) == pytest.approx(held[0].mean(), rel=1e-4)
        assert float(seen["resources_game2"]) == pytest.approx(held[1].mean(), rel=1e-4)
        both = held.mean(axis=0)
        gini = np.abs(both[:, None] - both).sum() / (2 * N * both.sum())
        assert float(seen["gini"]) == pytest.approx(gini, abs=1e-4)
        assert (float(seen["punish_rate"]) > 0) == (own["mechanism"] != "none")


def test_price_adds_up_to_the_change_of_giving(tiny: Any) -> None:
    d = tiny.data.load()
    giving = d["giving"].isel(time=slice(1, None))
    change = d["selection"] + d["transmission"]
    np.testing.assert_allclose(giving.diff("time").values, change.isel(time=slice(2, None)).values, atol=1e-5)
    assert np.isnan(d["giving"].sel(time=0)).all() and np.isnan(change.sel(time=1)).all()
    assert (d["g1"].isel(time=-1) == d["giving"].sel(time=1)).all()


def test_conditions_do_what_they_say(tiny: Any) -> None:
    d = tiny.data.load()
    for given in (0.2, 0.5, 0.8):
        clamped = d.sel(condition=f"m0.5-b2-first-{given:g}")
        np.testing.assert_allclose(clamped["giving"].sel(time=1), given, atol=1e-6)
        assert (clamped["giving"].sel(time=2).std("seed") > 0.01).all()
    assert np.isnan(d["slope"].sel(condition="m0.5-b2-gossip-0")).all()
    assert np.isnan(d["second_slope"].sel(condition="m0.5-b2-gossip-1")).all()
    first = d.sel(time=1)
    assert (first["giving"].sel(condition="m0.5-b2") == first["giving"].sel(condition="m0.5-b2-random")).all()
    # the scores differ, but the games are the same
    assert (first["resources"].sel(condition="m0.5-b2") == first["resources"].sel(condition="m0.5-b2-game-2")).all()
    assert (first["punish_rate"].sel(condition=["m0.5-b2-costly", "m0.5-b2-partner"]) > 0).any()
    assert (d["punish_rate"].sel(condition="m0.5-b2", time=slice(1, None)) == 0).all()
    assert float(first["slope"].sel(condition="m0.5-b2-lies").mean()) > 0.5  # donors still react to what they hear
    np.testing.assert_allclose(d["strategy"].sel(condition="m0.8-b4", time=0).mean("seed")[:3], [0.8, 0.8, 4], atol=0.1)
    assert not tiny.diverged


def test_invaders_come_once(tmp_path: Any) -> None:
    system = DonorGame(invader="defector", invasion=1, sigma=0.0, variety=0.0, generosity=1.0, selection="random")
    theta = system.init(rules.key_of(0)).theta
    changed = system._invaded(theta, jnp.int32(1))
    assert np.asarray(changed)[0].tolist() == [0, 0, 0, 0, 0, 0, -1, 0]
    np.testing.assert_array_equal(changed[1:], theta[1:])
    np.testing.assert_array_equal(system._invaded(theta, jnp.int32(2)), theta)


def test_sites_and_bounds() -> None:
    names = {s.name for s in el.sites(DonorGame())}
    assert {"gossip", "subject", "kind", "fraction", "score", "born", "state.theta"} <= names
    with pytest.raises(el.UserError, match="'agents' must be even, got 5"):
        DonorGame(agents=5)
    with pytest.raises(el.UserError, match=r"'length' must be .*\[0, 3\], got 4"):
        DonorGame(length=4)


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS_OF_STATISTICS", 100)
    monkeypatch.setattr("emergelab._effects._DRAWS", 1000)
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive"}
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]


def test_the_view_shows_strategies_of_kept_states(tiny: Any, tmp_path: Path) -> None:
    name = next(iter(tiny.info["conditions"]))
    with pytest.raises(el.UserError, match="--keep log"):
        study.view.at(tiny, name, 0, 4)
    run = study.run("tiny", seeds=2, conditions=[name], keep=[0, 2], out=tmp_path / "run", progress=False)
    first, later = (study.view.at(run, name, 1, t).layers[1] for t in (0, 4))
    assert set(first.kind) == {2} and set(later.kind) <= {0, 1}
    theta = run.state(2, name).sel(seed=1)["theta"].values
    np.testing.assert_array_equal(np.stack([later.x, later.y], axis=1), theta[:, [0, 2]])
    mean = float(run.data["strategy"].sel(condition=name, seed=1, time=2)[0])
    assert np.mean(later.x) == pytest.approx(mean, rel=1e-5)
