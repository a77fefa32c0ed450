"""The study `bandit-overconfidence`: teachers, tokens, the perfect imitator, steering, and its smallest run."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.games import bandits as rules
from emergelab.nn.transformer import Transformer
from emergelab.studies.societies.bandit_overconfidence import InContextBandit, study
from emergelab.studies.societies.bandit_overconfidence._agent import (
    ANSWERS,
    ARMS,
    LABELS,
    THERE,
    VOCABULARY,
    answers,
    played,
    steered,
    words,
    written,
)
from emergelab.studies.societies.bandit_overconfidence._claims import dose
from emergelab.studies.societies.bandit_overconfidence._teachers import GREEDY, THOMPSON, Mix, ideal, lessons

ROUNDS, WIDTH = 6, 8
perfect = jax.jit(ideal)


def _mix(*shares: float, early: int = 2, noise: float = 1.0) -> Mix:
    return Mix(jnp.asarray(shares), jnp.float32(0.1), jnp.float32(early), jnp.float32(noise))


@pytest.fixture(scope="module")
def taught() -> Any:
    """Many games of all teachers, in all tasks."""
    task = jnp.arange(3000) % 3
    make = jax.jit(lambda key: lessons(key, _mix(0.5, 0.2, 0.3), jnp.asarray(THERE)[task], ROUNDS))
    return task, make(jax.random.key(4))


@pytest.fixture(scope="module")
def net() -> Transformer:
    return Transformer.make(
        jax.random.key(0), vocabulary=VOCABULARY, context=ROUNDS + 1, width=WIDTH, depth=2, heads=2, hidden=8,
        answers=ANSWERS,
    )  # fmt: skip


# -- teachers -------------------------------------------------------------------------------------------------------


def test_teachers_come_in_their_shares_and_pull_what_is_there(taught):
    task, made = taught
    share = np.bincount(made.teacher, minlength=3) / 3000
    np.testing.assert_allclose(share, [0.5, 0.2, 0.3], atol=0.03)
    assert np.take_along_axis(THERE[np.asarray(task)], np.asarray(made.arm), axis=1).all()
    third = np.asarray(made.arm)[np.asarray(task) == 2]
    assert (third == 2).mean() > 0.2


def test_each_teacher_plays_by_its_rule(taught):
    task, made = taught
    there = THERE[np.asarray(task)]
    b = rules.belief(made.before, 1.0)
    mean = np.where(there[:, None], np.asarray(b.mean), -np.inf)
    own = np.take_along_axis(mean, np.asarray(made.arm)[..., None], axis=-1)[..., 0]
    leads = own >= mean.max(axis=-1) - 1e-5
    teacher = np.asarray(made.teacher)
    assert leads[teacher == GREEDY][:, 2:].all(), "sure after two pulls"
    assert not leads[teacher == GREEDY][:, 1].all(), "not before"
    careless = leads[teacher == 1][:, 1:].mean()
    assert 0.92 < careless < 0.97, "one pull in ten is any, of which half or a third leads anyway"
    two = (teacher == THOMPSON) & (np.asarray(task) < 2)
    p = np.asarray(rules.thompson(rules.Belief(b.mean[..., :2], b.sd[..., :2])))[two]
    pulled_first = np.asarray(made.arm)[two] == 0
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        inside = (p[..., 0] > low) & (p[..., 0] < high)
        assert pulled_first[inside].mean() == pytest.approx(p[..., 0][inside].mean(), abs=0.05)


def test_rewards_have_the_means_and_the_noise(taught):
    _, made = taught
    means = np.take_along_axis(np.asarray(made.means), np.asarray(made.arm), axis=1)
    error = np.asarray(made.reward) - means
    assert abs(error.mean()) < 0.03 and error.std() == pytest.approx(1, abs=0.03)


def test_the_perfect_imitator_against_bayes_rule_by_hand():
    """Two pulls, three teachers, all numbers written out."""
    mix = _mix(0.5, 0.2, 0.3, early=1)
    arm, reward = jnp.array([[1, 0, 1]]), jnp.array([[1.0, 0.5, 0.0]])
    seen, rows = rules.nothing(2, 1), []
    for t in range(3):
        rows.append(seen)
        seen = rules.saw(seen, arm[:, t], reward[:, t])
    before = jax.tree.map(lambda *x: jnp.stack(x, axis=1), *rows)
    p, who = perfect(mix, before, arm)
    np.testing.assert_allclose(p[0, 0], 0.5, atol=1e-5)
    np.testing.assert_allclose(who[0, 1], [0.5, 0.2, 0.3], atol=1e-5)
    # After one pull of arm 1 that paid 1: means 0 and 1/2, variances 1 and 1/2.
    first = float(rules.thompson(rules.Belief(jnp.array([0.0, 0.5]), jnp.array([1.0, 0.5**0.5])))[0])
    np.testing.assert_allclose(p[0, 1, 0], 0.5 * first + 0.2 * 0.05 + 0.3 * 0.0, atol=1e-5)
    # It pulled arm 0, so it is hardly a greedy one.
    likely = np.array([0.5 * first, 0.2 * 0.05, 0.3 * 5e-7])
    np.testing.assert_allclose(who[0, 2], likely / likely.sum(), rtol=1e-2, atol=1e-6)


def test_among_samplers_only_the_imitator_is_thompson_himself(taught):
    _, made = taught
    before = rules.Seen(made.before.count[:50, :, :2], made.before.total[:50, :, :2])
    p, _ = perfect(_mix(1.0, 0.0, 0.0), before, jnp.minimum(made.arm[:50], 1))
    np.testing.assert_allclose(p, rules.thompson(rules.belief(before, 1.0)), atol=2e-5)


# -- tokens and answers ---------------------------------------------------------------------------------------------


def test_a_history_is_written_by_label_and_reward():
    task = jnp.array([0, 1, 2])
    arm = jnp.array([[0, 1], [0, 1], [2, 0]])
    reward = jnp.array([[-9.0, -4.0], [0.0, 0.49], [0.5, 9.0]])
    wanted = [[0, 3, 3 + 16], [1, 3 + 2 * 16 + 8, 3 + 3 * 16 + 8], [2, 3 + 2 * 16 + 9, 3 + 15]]
    np.testing.assert_array_equal(written(task, arm, reward), wanted)


def test_answers_are_normalised_over_the_arms_that_are_there():
    logits = jnp.array([[[1.0, 2.0, 0.5, -1.0, 0, 0, 1, 1]]] * 3)
    a = answers(logits, jnp.array([[0], [1], [2]]))
    said = np.exp([1, 2, 0.5, -1]) / np.exp([1, 2, 0.5, -1]).sum()
    for i in range(3):
        own = said[LABELS[i]] * THERE[i]
        np.testing.assert_allclose(a.p[i, 0], own / own.sum(), atol=1e-6)
        np.testing.assert_allclose(a.valid[i, 0], own.sum(), atol=1e-6)
    np.testing.assert_allclose(a.doubt, 1 / (1 + np.e), atol=1e-6)
    hot = answers(logits, jnp.array([[0], [1], [2]]), 2.0)
    odds = np.log(np.asarray(hot.p[0, 0, 1] / hot.p[0, 0, 0]))
    assert odds == pytest.approx(0.5, abs=1e-5)


def test_words_say_how_far_one_arm_is_ahead():
    b = rules.Belief(jnp.array([[[0.0, m, 0.0] for m in (0.0, 0.6, 1.2, 1.7, -1.7)]]), jnp.full((1, 5, 3), 0.5**0.5))
    assert words(b, jnp.array([0])).tolist() == [[0, 1, 2, 3, 3]]


# -- steering -------------------------------------------------------------------------------------------------------


def test_steering_adds_the_vector_at_its_block_and_touches_nothing_upstream(net):
    tokens = jnp.array([[0, 5, 20, 9], [1, 40, 60, 41]])
    by = jnp.arange(8.0)
    look = jax.jit(el.tap(lambda shift: steered(net, tokens, shift), "L.*"))
    plain, before = look(jnp.zeros((2, WIDTH)))
    moved, after = look(jnp.zeros((2, WIDTH)).at[1].set(by))
    np.testing.assert_allclose(plain, jax.jit(lambda t: net.stream(t))(tokens), atol=1e-6)
    for name, value in before.items():
        if name != "L.1.out":
            np.testing.assert_array_equal(after[name], value, err_msg=name)
    np.testing.assert_allclose(after["L.1.out"] - before["L.1.out"], jnp.broadcast_to(by, moved.shape), atol=1e-5)
    early, _ = look(jnp.zeros((2, WIDTH)).at[0].set(by))
    assert np.abs(early - plain).max() > 0.1


def test_what_is_played_is_what_the_network_answers_to_what_was_played(net):
    means, luck, errors = rules.random_bandits(jax.random.key(3), 5, ARMS, ROUNDS)
    none = jnp.zeros((2, WIDTH))
    game = jax.jit(lambda: played(net, 1, means, jnp.float32(0.5), luck, errors, none))()
    task = jnp.ones(5, jnp.int32)
    np.testing.assert_array_equal(game.tokens, written(task, game.arm, game.reward))
    again = jax.jit(lambda tokens: answers(net(tokens), task[:, None]))(game.tokens[:, :-1])
    np.testing.assert_allclose(again.p, game.answer.p, atol=1e-5)
    assert np.asarray(game.arm).max() == 1
    paid = np.take_along_axis(np.asarray(means), np.asarray(game.arm), axis=1) + 0.5 * np.asarray(errors).T
    np.testing.assert_allclose(game.reward, paid, atol=1e-5)


# -- the study ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return study.run("tiny", out=tmp_path_factory.mktemp("overconfidence") / "run", progress=False)


def test_no_dose_is_exactly_no_steering(tiny: Any):
    d = tiny.data.load()
    zero = dose(0.0)
    np.testing.assert_allclose(d["h_dose"].isel(dose=zero, layer=0), d["h"].mean("round"), atol=1e-5)
    kinds = d["h_kind"].isel(dose=zero)
    np.testing.assert_array_equal(kinds, kinds.isel(kind=0).broadcast_like(kinds))
    np.testing.assert_array_equal(d["h_dose"].isel(dose=zero, layer=1), kinds.isel(kind=0))
    np.testing.assert_allclose(d["kl_dose"].isel(dose=zero), 0, atol=1e-6)
    assert (np.abs(d["h_dose"].isel(dose=-1) - d["h_dose"].isel(dose=zero)) > 1e-6).any()
    np.testing.assert_allclose(d["h_kind"].isel(kind=0), d["h_dose"].isel(layer=1), atol=1e-6)


def test_scores_of_a_network_that_has_learnt_nothing(tiny: Any):
    d = tiny.data
    assert (d["h"].isel(time=0) > 0.5).all() and (d["gap"].isel(time=0) < 0.4).all()
    np.testing.assert_allclose(d["h_temperature"].isel(temperature=1), d["h"].mean("round"), atol=1e-5)
    assert (d["h_temperature"].diff("temperature") > 0).all()
    # Players of the literature do not depend on who teaches.
    np.testing.assert_allclose(d["regret"].isel(player=slice(3, None)).std("condition"), 0, atol=1e-5)
    assert not tiny.diverged


def test_study_at_its_smallest(tiny: Any):
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive"}
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]


def test_a_width_that_heads_do_not_divide_is_one_clear_line():
    with pytest.raises(el.UserError, match="'width' must be a multiple of heads=2, got 33"):
        InContextBandit(width=33)
    with pytest.raises(el.UserError, match="'greedy' must be a number in"):
        InContextBandit(greedy=1.5)


def test_sites_of_the_network_and_of_the_teachers_are_listed():
    names = {s.name for s in el.sites(InContextBandit(depth=2, rounds=4, games=8))}
    assert {"greedy", "embed", "L.0.out", "L.1.pattern", "final", "logits"} <= names
