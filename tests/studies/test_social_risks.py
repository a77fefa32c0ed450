"""Risks of groups: rules by hand and against brute force, controls, interventions, the study at its smallest."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binom

import emergelab as el
from emergelab.games import committee, disclosure, handoff, learners, pricing, roles, sharing
from emergelab.studies.societies.social_risks import SocialRisks, study
from emergelab.studies.societies.social_risks import _market as market

TWO = pricing.Market(2)


# -- pricing ----------------------------------------------------------------------------------------------------------


def earned(own: float, other: float) -> float:
    weight = [math.exp((2 - p) / 0.25) for p in (own, other)]
    return (own - 1) * weight[0] / (sum(weight) + 1)


def test_prices_of_competition_and_monopoly() -> None:
    def gain(p: float) -> float:
        step = 1e-5
        return (earned(p + step, p) - earned(p - step, p)) / (2 * step)

    assert float(pricing.nash(TWO)) == pytest.approx(brentq(gain, 1.01, 3.0), abs=1e-4)
    best = minimize_scalar(lambda p: -earned(p, p), bounds=(1, 3), method="bounded").x
    assert float(pricing.monopoly(TWO)) == pytest.approx(best, abs=1e-4)
    assert float(pricing.nash(TWO)) == pytest.approx(1.473, abs=1e-3)  # as Calvano et al. give it
    assert float(pricing.monopoly(TWO)) == pytest.approx(1.925, abs=1e-3)
    for price, index in ((pricing.nash(TWO), 0.0), (pricing.monopoly(TWO), 1.0)):
        profit = pricing.profit(TWO, jnp.stack([price, price]))[0]
        assert float(pricing.collusion(TWO, profit)) == pytest.approx(index, abs=1e-4)


def test_best_replies_by_brute_force() -> None:
    levels = pricing.grid(TWO, 15)
    reply = jax.jit(partial(pricing.best_reply, TWO))
    for pair in ((0, 14), (7, 7), (14, 3)):
        found = np.asarray(reply(levels, jnp.array(pair)))
        by_hand = [np.argmax([earned(float(p), float(levels[pair[1 - k]])) for p in levels]) for k in (0, 1)]
        assert found.tolist() == by_hand


def test_learning_by_hand() -> None:
    values = jnp.zeros((2, 2, 3)).at[0, 1].set(jnp.array([1.0, 3.0, 2.0]))
    state, action = jnp.array([0, 1]), jnp.array([2, 0])
    after = learners.learn(values, state, action, jnp.array([5.0, 1.0]), jnp.array([1, 1]), 0.5, 0.9)
    assert float(after[0, 0, 2]) == pytest.approx(0.5 * (5 + 0.9 * 3)) and float(after[1, 1, 0]) == 0.5
    assert float(jnp.sum(after != values)) == 2
    assert np.asarray(learners.greedy(values, jnp.array([1, 0]))).tolist() == [1, 0]
    draw = jnp.array([[0.0, 0.9], [0.99, 0.0]])
    assert np.asarray(learners.choose(values, jnp.array([1, 1]), 0.5, draw)).tolist() == [2, 0]
    assert float(learners.curiosity(1e-2, 100.0)) == pytest.approx(math.exp(-1))


def strategy(system: SocialRisks, plan: Any) -> market.Market:
    """A market in which both sellers follow a plan (last prices -> price)."""
    state = market.init(system, jax.random.key(0))
    m = system.prices
    rows = np.zeros((2, m * m, m), np.float32)
    for joint in range(m * m):
        for seller in (0, 1):
            rows[seller, joint, plan((joint % m, joint // m), seller)] = 1.0
    return market.Market(
        jnp.asarray(rows), jnp.int32(10 + 10 * m), state.time, state.levels, state.earns, state.replies
    )


def test_the_shock_tells_tit_for_tat_from_a_high_price_kept_for_no_reason() -> None:
    system = SocialRisks()
    see = jax.jit(lambda s, k: market.observe(system, s, k))
    key = jax.random.key(0)
    stubborn = see(strategy(system, lambda last, k: 10), key)
    assert float(stubborn["index"]) > 0.8 and float(stubborn["undercut"]) < -0.1
    assert float(stubborn["punished"]) == 0.0 and float(stubborn["gain"]) > 0.1
    # punish whoever charged less than 10 for one round, then forgive
    tit = see(strategy(system, lambda last, k: 10 if min(last) >= 10 or max(last) <= 2 else 2), key)
    assert float(tit["index"]) == pytest.approx(float(stubborn["index"]), abs=1e-5)
    assert float(tit["punished"]) > 0.2 and float(tit["returned"]) < 1e-6
    assert float(tit["gain"]) < 0 < float(stubborn["gain"])


# -- sharing ----------------------------------------------------------------------------------------------------------


def test_slots_and_units_by_hand() -> None:
    claims = jnp.array([True, True, False, True])
    draw = jnp.array([0.9, 0.1, 0.0, 0.5])
    assert np.asarray(sharing.by_lot(claims, draw, 2)).tolist() == [False, True, False, True]
    assert np.asarray(sharing.by_lot(claims, draw, 5)).tolist() == [True, True, False, True]
    turns = np.array([np.asarray(sharing.on_turn(jnp.int32(t), 20, 5)) for t in range(8)])
    assert (turns.sum(axis=1) == 5).all() and (turns.sum(axis=0) == 2).all()
    asked = jnp.array([3.0, 3.0, 3.0, 3.0])
    np.testing.assert_allclose(sharing.served(asked, 12.0), 3.0)
    np.testing.assert_allclose(sharing.served(asked, 6.0), 3 * math.exp(-1), rtol=1e-6)
    in_order = np.asarray(sharing.served_in_order(asked, jnp.array([0.3, 0.1, 0.9, 0.2]), 7.0))
    assert in_order.tolist() == [1.0, 3.0, 0.0, 3.0]


# -- committees -------------------------------------------------------------------------------------------------------


def test_votes_against_condorcet_and_bayes() -> None:
    equals = jnp.full(7, 0.6)
    assert float(committee.best_accuracy(equals)) == pytest.approx(binom.sf(3, 7, 0.6), abs=1e-5)
    mixed = jnp.array([0.6] * 6 + [0.9])
    total = 0.0
    for signals in itertools.product((0, 1), repeat=7):
        like = [math.prod(float(q) if s == t else 1 - float(q) for s, q in zip(signals, mixed, strict=True))
                for t in (1, 0)]  # fmt: skip
        total += max(like) / 2  # both answers equally likely, and the posterior decides
    assert float(committee.best_accuracy(mixed)) == pytest.approx(total, abs=1e-4)
    assert total > binom.sf(3, 7, 0.6)


def test_talk_by_hand() -> None:
    opinions = jnp.array([[True, False, False], [True, True, True]])
    sure = jnp.zeros((2, 3))
    assert np.asarray(committee.conform(opinions, sure, 1.0)).tolist() == [[False] * 3, [True] * 3]
    assert np.asarray(committee.conform(opinions, sure + 0.5, 0.4)).tolist() == opinions.tolist()
    even = jnp.array([[True, True, False]])  # each of the two sees an even split
    assert np.asarray(committee.conform(even, sure[:1], 1.0)).tolist() == [[True, True, True]]
    assert np.asarray(committee.defer(even, jnp.array([[0.9, 0.9, 0.1]]), 0.5)).tolist() == [[True, True, True]]
    signals = jnp.array([[False, False, True, True, True], [True, False, True, True, False]])
    assert np.asarray(committee.cascade(signals)).tolist() == [[False] * 5, [True, False, True, True, True]]


# -- hand-off, roles, disclosure --------------------------------------------------------------------------------------


def test_a_hop_does_what_its_chances_say() -> None:
    rng = np.random.default_rng(0)
    message = jnp.asarray(rng.integers(0, 8, (4000, 10)))
    draw = jnp.asarray(rng.random((3, 4000, 10)), jnp.float32)
    after, untouched = handoff.hop(message, draw, 8, 0.4, (0.1, 0.2, 0.05, 0.5))
    stays = 0.5 + 0.5 * 0.9 * 0.8 * 0.95
    assert float(handoff.kept(0.1, 0.2, 0.05, 0.5)) == pytest.approx(stays)
    assert float(jnp.mean(untouched)) == pytest.approx(stays, abs=0.01)
    assert bool(jnp.all(after[untouched] == message[untouched]))
    touched = np.asarray(after)[~np.asarray(untouched)]
    anew = 0.5 * (1 - 0.9 * 0.8) * 0.95 / (1 - stays)
    shares = np.bincount(touched, minlength=8) / len(touched)
    expected = anew * np.asarray(handoff.prior(8, 0.4)) + (1 - anew) / 8
    np.testing.assert_allclose(shares, expected, atol=0.02)
    line = handoff.regression(jnp.array([0.0, 0.5, 1.0]), jnp.array([0.2, 0.5, 0.8]))
    assert [float(x) for x in line] == pytest.approx([0.6, 0.2])
    assert float(handoff.attractor(*line)) == pytest.approx(0.5)


def test_roles_by_hand_and_by_counting() -> None:
    taken = jnp.array([1, 1, 3, 0])
    draw = jnp.array([0.0, 0.99, 0.5, 0.5])
    assert np.asarray(roles.clash(taken)).tolist() == [True, True, False, False]
    assert np.asarray(roles.first_free(taken, draw)).tolist() == [2, 2, 3, 0]
    assert np.asarray(roles.stay_or_move(taken, draw)).tolist() == [1, 2, 3, 0]
    assert sorted(np.asarray(roles.in_order(taken, draw)).tolist()) == [0, 1, 2, 3]
    rng = np.random.default_rng(1)
    drawn = roles.at_random(jnp.zeros((40_000, 4), jnp.int32), jnp.asarray(rng.random((40_000, 4)), jnp.float32))
    share = float(jnp.mean(~jnp.any(roles.clash(drawn), axis=1)))
    assert share == pytest.approx(math.factorial(4) / 4**4, abs=0.006)


def test_truth_is_dominant_with_the_transfer_and_not_without() -> None:
    rng = np.random.default_rng(2)
    costs = jnp.asarray(rng.random((600, 2, 3)), jnp.float32)

    @partial(jax.jit, static_argnums=2)
    def borne(mine: Any, yours: Any, transfer: float) -> Any:
        def one(c: Any) -> Any:
            return disclosure.suffered(c, disclosure.report(c, jnp.stack([mine, yours])), transfer)[0]

        return jax.vmap(one)(costs)

    for yours in disclosure.BIASES:
        truth = borne(0.0, yours, 1.0)
        for mine in disclosure.BIASES[1:]:
            assert bool(jnp.all(truth <= borne(mine, yours, 1.0) + 1e-5)), "in every single case"
    assert float(jnp.mean(borne(9.0, 0.0, 0.0))) < float(jnp.mean(borne(0.0, 0.0, 0.0))) - 0.01
    honest = disclosure.report(costs[0], jnp.zeros(2))
    np.testing.assert_allclose(honest, costs[0], atol=1e-6)
    assert float(disclosure.excess(costs[0], honest)) == pytest.approx(0.0, abs=1e-6)


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return study.run("tiny", out=tmp_path_factory.mktemp("risks") / "run", progress=False)


def test_conditions_do_what_they_say(tiny: Any) -> None:
    end = tiny.data.isel(time=-1).load()

    def of(name: str, condition: str) -> Any:
        return end[name].sel(condition=condition).values

    assert (of("index", "roles-rule") == 0).all() and (of("rounds", "roles-rule") == 0).all()
    assert (of("index", "roles") > 0.5).all() and (of("index", "roles-move") < 0.1).all()
    assert (of("expert_keeps", "committee-sealed") == 1).all() and (of("swayed", "committee-sealed") == 0).all()
    assert (of("index", "committee-best") == 0).all()
    assert (of("accuracy", "leader-0.6") < of("accuracy", "leader-rule")).all()
    assert (of("index", "disclosure-control") < 1e-5).all() and (of("exaggerates", "disclosure-control") == 0).all()
    assert (of("index", "handoff-rule") < of("index", "handoff")).all()
    recall = of("recall", "handoff")
    assert (np.diff(recall, axis=1) < 0.05).all() and (recall[:, 0] > recall[:, -1]).all()
    assert (of("punished", "market-blind") == 0).all(), "who sees nothing cannot punish"
    nothing = end["price"].sel(condition="queue")
    assert np.isnan(nothing).all() and np.isnan(of("response", "roles")).all()
    assert not tiny.diverged and set(tiny.failed) == set()


def test_limits_of_what_can_happen(tmp_path: Any) -> None:
    """Conditions of the size `full`: nothing is lost, or checksums find nothing."""
    names = ("handoff", "handoff-lossless", "handoff-unchecked")
    run = el.run(
        SocialRisks(block=40), steps=2, seeds=3, conditions={n: study.conditions[n] for n in names}, progress=False,
        workers=1, out=tmp_path / "run",
    )  # fmt: skip
    end = run.data.isel(time=-1).load()
    assert (end["recall"].sel(condition="handoff-lossless") == 1).all()
    for name in ("recall", "slope"):
        plain, unchecked = (end[name].sel(condition=c).values for c in ("handoff", "handoff-unchecked"))
        np.testing.assert_allclose(unchecked, plain, rtol=1e-5)
    assert (end["index"].sel(condition="handoff-lossless") == 0).all()
    small = study.sizes["quick"].conditions
    assert small is not None and {*names[1:], "market-three"}.isdisjoint(small) and "handoff" in small


def test_an_intervention_on_a_site_does_what_it_says() -> None:
    system = SocialRisks(organism="commons", block=5, agents=4, capacity=12.0)
    key = jax.random.key(0)
    with el.edit(el.Clamp("asks", 3)):
        state = jax.jit(lambda k: system.step(system.init(k), k))(key)
    assert float(system.observe(state, key)["index"]) == pytest.approx(0.0, abs=1e-6)  # 4 x 3 units are the capacity
    chain = SocialRisks(organism="handoff", block=5, loss=0.0, pull=0.0)
    with el.edit(el.Clamp("message", 0)):
        state = jax.jit(lambda k: chain.step(chain.init(k), k))(key)
    assert float(chain.observe(state, key)["index"]) == 0.0


def test_sites_and_bounds() -> None:
    found = {name: {s.name for s in el.sites(SocialRisks(organism=name, block=2))} for name in
             ("market", "queue", "committee", "handoff", "disclosure", "roles")}  # fmt: skip
    assert "values" in found["market"] and "claims" in found["queue"] and "bias" in found["disclosure"]
    assert {"signals", "opinions.0", "opinions.3"} <= found["committee"]
    assert "message" in found["handoff"] and "roles" in found["roles"]
    with pytest.raises(el.UserError, match="'voters' must be odd, got 6"):
        SocialRisks(voters=6)
    with pytest.raises(el.UserError, match="'organism' must be one of 'market', 'queue'"):
        SocialRisks(organism="cult")


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS", 1000)
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive"}
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]
