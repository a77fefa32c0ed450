"""Bandits: posteriors, players and scores against closed forms, simulation and independent numpy code."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from emergelab.games import bandits as rules
from emergelab.games.bandits_optimal import bernoulli_value, gaussian_advice, optimal

thompson = jax.jit(rules.thompson)
advise = jax.jit(gaussian_advice, static_argnums=0)


def _belief(mean, sd) -> rules.Belief:
    return rules.Belief(jnp.asarray(mean, jnp.float32), jnp.asarray(sd, jnp.float32))


# -- what is believed -----------------------------------------------------------------------------------------------


def test_the_posterior_is_that_of_bayes_rule_on_a_grid():
    rng = np.random.default_rng(0)
    grid = np.linspace(-8, 8, 4001)
    rewards = rng.normal(0.7, 1.5, 5)
    log = -((grid - 0.3) ** 2) / (2 * 0.8**2) - ((rewards[:, None] - grid) ** 2 / (2 * 1.5**2)).sum(axis=0)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    mean = (weight * grid).sum()
    sd = math.sqrt((weight * (grid - mean) ** 2).sum())
    seen = rules.nothing(2)
    for r in rewards:
        seen = rules.saw(seen, jnp.int32(1), jnp.float32(r))
    b = rules.belief(seen, 1.5, 0.8, 0.3)
    np.testing.assert_allclose([b.mean[1], b.sd[1]], [mean, sd], rtol=1e-4)
    np.testing.assert_allclose([b.mean[0], b.sd[0]], [0.3, 0.8], rtol=1e-6)


def test_two_arms_have_the_closed_form_and_three_the_integral():
    p = thompson(_belief([0.4, -0.2], [0.5, 1.2]))
    np.testing.assert_allclose(p[0], stats.norm.cdf(0.6 / math.hypot(0.5, 1.2)), atol=1e-6)
    mean, sd = np.array([0.3, -0.5, 0.1]), np.array([0.2, 1.0, 0.6])
    for a in range(3):
        others = [b for b in range(3) if b != a]

        def density(x, a=a, others=others):
            return stats.norm.pdf(x, mean[a], sd[a]) * math.prod(stats.norm.cdf(x, mean[b], sd[b]) for b in others)

        wanted = integrate.quad(density, -8, 8, epsabs=1e-10)[0]
        np.testing.assert_allclose(thompson(_belief(mean, sd))[a], wanted, atol=2e-6)


def test_an_absent_arm_counts_for_nothing_and_quadrature_meets_the_closed_form():
    b = _belief([[0.4, -0.2, 9.0]], [[0.1, 1.0, 0.3]])
    there = jnp.array([[True, True, False]])
    p = np.asarray(rules.thompson(b, there))[0]
    np.testing.assert_allclose(p[0], stats.norm.cdf(0.6 / math.hypot(0.1, 1.0)), atol=1e-5)
    assert p[2] == 0 and p.sum() == pytest.approx(1, abs=1e-6)
    for made in (rules.greedy(b, there), rules.uniform(b, there), rules.epsilon_greedy(b, 0.3, there)):
        assert float(made[0, 2]) == 0 and float(made.sum()) == pytest.approx(1, abs=1e-6)
    assert int(rules.best_known(b, there)[0]) == 0 and int(rules.best_known(b)[0]) == 2


def test_sampling_from_the_posterior_pulls_as_often_as_the_probability_says():
    b = _belief([0.2, 0.0, -0.4], [0.5, 0.9, 0.3])
    draws = np.random.default_rng(1).normal(np.asarray(b.mean), np.asarray(b.sd), (40_000, 3)).argmax(axis=1)
    share = np.bincount(draws, minlength=3) / 40_000
    np.testing.assert_allclose(thompson(b), share, atol=0.01)  # four standard errors


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 2)), min_size=3, max_size=3), st.floats(-5, 5),
    st.permutations(range(3)),
)  # fmt: skip
def test_probabilities_follow_the_arms_and_ignore_where_zero_is(arms, shift, order):
    mean, sd = map(np.array, zip(*arms, strict=True))
    p = np.asarray(thompson(_belief(mean, sd)))
    assert p.sum() == pytest.approx(1, abs=1e-5) and (p >= 0).all()
    np.testing.assert_allclose(thompson(_belief(mean + shift, sd)), p, atol=2e-5)
    np.testing.assert_allclose(thompson(_belief(mean[list(order)], sd[list(order)])), p[list(order)], atol=2e-5)


def test_confidence_is_the_distance_of_the_first_from_the_second():
    b = _belief([0.1, 0.9, 0.5], [0.3, 0.4, 0.2])
    assert float(rules.confidence(b)) == pytest.approx(0.4 / math.hypot(0.4, 0.2), rel=1e-5)
    there = jnp.array([True, False, True])
    assert float(rules.confidence(b, there)) == pytest.approx(0.4 / math.hypot(0.3, 0.2), rel=1e-5)
    assert float(rules.confidence(_belief([0.0, 0.0], [1.0, 1.0]))) == 0


# -- players --------------------------------------------------------------------------------------------------------


def test_players_do_what_their_names_say():
    b = _belief([0.5, 0.5, 0.1], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(rules.greedy(b), [0.5, 0.5, 0])
    np.testing.assert_allclose(rules.epsilon_greedy(b, 0.3), [0.45, 0.45, 0.1], atol=1e-6)
    np.testing.assert_allclose(rules.greedy_after(b, jnp.float32(1), 2), [1 / 3] * 3, atol=1e-6)
    np.testing.assert_allclose(rules.greedy_after(b, jnp.float32(2), 2), [0.5, 0.5, 0])
    np.testing.assert_allclose(
        rules.softmax(b, 0.2), np.exp([2.5, 2.5, 0.5]) / np.exp([2.5, 2.5, 0.5]).sum(), rtol=1e-5
    )


def test_ucb1_against_its_formula():
    counts, sums = np.array([3.0, 5.0, 2.0]), np.array([1.5, 4.0, 0.2])
    bound = sums / counts + 0.7 * np.sqrt(2 * np.log(10) / counts)
    assert int(rules.ucb1(rules.Seen(jnp.asarray(counts), jnp.asarray(sums)), 0.7).argmax()) == bound.argmax()
    fresh = rules.Seen(jnp.array([1.0, 0.0, 0.0]), jnp.array([5.0, 0.0, 0.0]))
    np.testing.assert_allclose(rules.ucb1(fresh), [0, 0.5, 0.5])


def test_play_hands_on_what_was_seen_and_pays_the_mean_and_the_error():
    means, luck, errors = rules.random_bandits(jax.random.key(0), 50, 3, 7)
    e = rules.play(lambda seen: thompson(rules.belief(seen, 0.5)), means, 0.5, luck, errors)
    arm, reward = np.asarray(e.arm), np.asarray(e.reward)
    paid = np.take_along_axis(np.asarray(means), arm, axis=1) + 0.5 * np.asarray(errors).T
    np.testing.assert_allclose(reward, paid, atol=1e-6)
    for t in (0, 3, 6):
        count = np.stack([(arm[:, :t] == k).sum(axis=1) for k in range(3)], axis=1)
        total = np.stack([np.where(arm[:, :t] == k, reward[:, :t], 0).sum(axis=1) for k in range(3)], axis=1)
        np.testing.assert_allclose(e.before.count[:, t], count)
        np.testing.assert_allclose(e.before.total[:, t], total, atol=1e-5)
    drawn = (np.cumsum(np.asarray(e.p), axis=-1) > np.asarray(luck).T[..., None]).argmax(axis=-1)
    np.testing.assert_array_equal(arm, drawn)


def test_a_draw_never_takes_what_has_no_probability():
    p = jnp.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.3, 0.0, 0.7]])
    for u in (0.0, 0.299, 0.3, 0.999999):
        arms = np.asarray(rules.drawn(p, jnp.full(3, u)))
        assert arms[0] == 1 and arms[1] == 2 and arms[2] == (0 if u < 0.3 else 2)


# -- scores ---------------------------------------------------------------------------------------------------------


def test_scores_of_hand_made_games():
    means = jnp.array([[0.0, 1.0], [0.0, 1.0], [2.0, -1.0]])
    arm = jnp.array([[0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 0]], jnp.int32)
    np.testing.assert_allclose(rules.regret(means, arm), [[1, 1, 1, 1], [0, 0, 1, 2], [0, 0, 3, 3]])
    assert rules.suffix_failure(means, arm).tolist() == [False, True, False]
    p = jnp.array([[0.5, 0.99, 0.02, 0.97], [0.99, 0.99, 0.01, 0.98], [0.9, 0.5, 0.99, 0.6]])
    p = jnp.stack([p, 1 - p], axis=-1)
    assert rules.committed(p).tolist() == [1, 0, 4]
    np.testing.assert_allclose(
        rules.entropy(jnp.array([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]])), [1, 0, 0.811278], atol=1e-5
    )


# -- the optimal player ---------------------------------------------------------------------------------------------


def _brute(horizon: int) -> float:
    """Bernoulli arms: the best of all deterministic policies, counted over all sequences of outcomes."""

    def best(history: tuple[tuple[int, int], ...]) -> float:
        if len(history) == horizon:
            return 0.0
        values = []
        for arm in range(2):
            wins = sum(r for a, r in history if a == arm)
            pulls = sum(a == arm for a, _ in history)
            p = (wins + 1) / (pulls + 2)
            values.append(p * (1 + best((*history, (arm, 1)))) + (1 - p) * best((*history, (arm, 0))))
        return max(values)

    return best(())


def test_bernoulli_arms_by_hand_and_by_brute_force():
    assert bernoulli_value(1) == pytest.approx(0.5)
    assert bernoulli_value(2) == pytest.approx(13 / 12)
    for horizon in (3, 4, 5):
        assert bernoulli_value(horizon) == pytest.approx(_brute(horizon), abs=1e-12)


def test_one_and_two_pulls_of_gaussian_arms_have_closed_forms():
    """One pull is worth nothing. Of two, the first moves its arm's posterior mean by a normal number of variance 1/2,
    and the second goes to the better arm: E max(0, N(0, 1/2))."""
    *_, value = advise(1)
    assert float(value) == pytest.approx(0, abs=1e-6)
    *_, value = advise(2)
    assert float(value) == pytest.approx(math.sqrt(0.5) / math.sqrt(2 * math.pi), abs=2e-3)
    *_, value = advise(2, 0.5, 2.0)
    jump = 2.0 * math.sqrt(4 / (4 + 0.25))
    assert float(value) == pytest.approx(jump / math.sqrt(2 * math.pi), abs=6e-3)


def test_the_advice_earns_what_it_promises_and_more_than_others():
    rounds, games = 8, 20_000
    advice, grid, value = advise(rounds)
    means, luck, errors = rules.random_bandits(jax.random.key(1), games, 2, rounds)

    def earned(player):
        e = rules.play(player, means, 1.0, luck, errors)
        return np.take_along_axis(np.asarray(means), np.asarray(e.arm), axis=1).sum(axis=1)

    best = earned(lambda seen: optimal(seen, advice, grid))
    error = best.std() / math.sqrt(games)
    assert abs(best.mean() - float(value)) < 5 * error + 0.01
    for other in (
        lambda seen: rules.ucb1(seen),
        lambda seen: rules.greedy(rules.belief(seen, 1.0)),
        lambda seen: rules.thompson(rules.belief(seen, 1.0)),
    ):
        assert best.mean() > earned(other).mean() + error


def test_early_on_the_lesser_known_arm_is_worth_a_try_and_in_the_end_it_is_not():
    advice, grid, _ = advise(10)
    even = int(np.argmin(np.abs(np.asarray(grid))))
    assert float(advice[2, 2, even]) > 0.05, "equal means, the second arm never pulled, eight pulls left"
    assert float(advice[9, 8, even]) == pytest.approx(0, abs=1e-5), "the last pull"
    behind = int(np.argmin(np.abs(np.asarray(grid) + 0.1)))
    assert float(advice[2, 2, behind]) > 0 > float(advice[9, 9, behind])
    for made, first in itertools.product(range(10), range(10)):
        if first <= made:
            assert (np.diff(np.asarray(advice[made, first])) > -1e-4).all(), "the better it looks, the better it is"
