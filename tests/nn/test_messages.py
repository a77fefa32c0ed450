"""Discrete messages: ways of speaking, what happens on the way, ends, and learning from rewards."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.intervention import edit
from emergelab.nn import messages as ms
from emergelab.nn.speakers import HeadListener, HeadSpeaker, RecurrentListener, RecurrentSpeaker

BATCH, POSITIONS, SYMBOLS, FEATURES = 5, 3, 4, 6


def _symbols(rows) -> jax.Array:
    return jax.nn.one_hot(jnp.array(rows), SYMBOLS)


def _logits(seed: int = 0, *shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape or (BATCH, POSITIONS, SYMBOLS))


# -- ways of speaking --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [ms.Relaxed(0.7), ms.Drawn(), ms.Likeliest()])
def test_what_is_said_is_one_symbol_a_position(way):
    said = np.asarray(way(_logits(), jax.random.key(1)))
    np.testing.assert_allclose(said.sum(axis=-1), 1.0, atol=1e-6)
    np.testing.assert_allclose(said.max(axis=-1), 1.0, atol=1e-6)


@pytest.mark.parametrize("way", [ms.Relaxed(0.7), ms.Drawn()])
def test_draws_follow_the_softmax_of_the_logits(way):
    logits = jnp.log(jnp.array([0.6, 0.3, 0.1]))
    drawn = np.asarray(way(jnp.tile(logits, (20_000, 1)), jax.random.key(2)))
    np.testing.assert_allclose(drawn.mean(axis=0), [0.6, 0.3, 0.1], atol=0.015)


def test_only_relaxed_draws_let_gradients_through():
    def heard(logits, way):
        return (way(logits, jax.random.key(3)) * jnp.arange(SYMBOLS)).sum()

    slopes = {w: jax.grad(heard)(_logits(), way) for w, way in
              {"relaxed": ms.Relaxed(1.0), "drawn": ms.Drawn(), "likeliest": ms.Likeliest()}.items()}  # fmt: skip
    assert float(jnp.abs(slopes["relaxed"]).min()) > 0
    assert not slopes["drawn"].any() and not slopes["likeliest"].any()


def test_the_straight_through_gradient_is_that_of_the_softened_draw():
    def heard(logits, hard):
        return (ms.Relaxed(0.5, hard)(logits, jax.random.key(4)) * jnp.arange(SYMBOLS)).sum()

    hard, soft = (jax.grad(heard)(_logits(), jnp.array(h)) for h in (True, False))
    np.testing.assert_allclose(hard, soft, rtol=1e-5)


LISTENERS = [
    eqx.filter_jit(HeadListener(jax.random.key(0), POSITIONS, SYMBOLS, 2, (8,), ends=True)),
    eqx.filter_jit(RecurrentListener(jax.random.key(0), SYMBOLS, 2, 8, 4, ends=True)),
]

# -- on its way -------------------------------------------------------------------------------------------------------


def test_positions_are_sites_that_can_be_read_silenced_and_replaced():
    symbols = _symbols([[1, 2, 3], [3, 2, 1]])
    arrived, taps = el.tap(ms.delivered, "message*")(symbols)
    np.testing.assert_array_equal(arrived, symbols)
    assert set(taps) == {"message", "message.0", "message.1", "message.2"}
    np.testing.assert_array_equal(taps["message.1"], symbols[:, 1])
    with edit(el.Ablate("message.1")):
        silenced = ms.delivered(symbols)
    assert not silenced[:, 1].any()
    np.testing.assert_array_equal(silenced[:, [0, 2]], symbols[:, [0, 2]])
    with edit(el.Swap("message", 0, 1, axis=0)):
        swapped = ms.delivered(symbols)
    np.testing.assert_array_equal(ms.words(swapped), [[3, 2, 1], [1, 2, 3]])
    with edit(el.Clamp("message.2", np.eye(SYMBOLS, dtype=np.float32)[0])):
        assert ms.words(ms.delivered(symbols)).tolist() == [[1, 2, 0], [3, 2, 0]]


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_noise_changes_that_share_of_symbols_into_others_evenly(rate):
    symbols = _symbols(np.zeros((40_000, POSITIONS), int))
    heard = np.asarray(ms.words(ms.noisy(symbols, rate, jax.random.key(5))))
    assert (heard != 0).mean() == pytest.approx(rate, abs=0.01)
    if rate:
        np.testing.assert_allclose(
            np.bincount(heard[heard != 0], minlength=SYMBOLS)[1:] / (heard != 0).sum(), 1 / 3, atol=0.01
        )


def test_a_message_is_heard_up_to_and_including_its_end():
    symbols = _symbols([[1, 0, 2], [0, 3, 3], [1, 2, 3]])
    np.testing.assert_array_equal(ms.alive(symbols), [[1, 1, 0], [1, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(ms.lengths(symbols), [2, 1, 3])
    assert ms.alive(symbols, ends=False).all()


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, SYMBOLS - 1), min_size=POSITIONS, max_size=POSITIONS), min_size=4, max_size=4))
def test_what_stands_behind_the_end_cannot_be_heard(rows):
    symbols = _symbols(rows)
    counts = np.asarray(ms.alive(symbols))
    garbled = jnp.where(counts[..., None] == 1, symbols, jnp.roll(symbols, 1, axis=-1))
    for listener in LISTENERS:
        np.testing.assert_allclose(listener(symbols), listener(garbled), atol=1e-6)


def test_a_speaker_can_learn_when_to_end():
    listener = RecurrentListener(jax.random.key(0), SYMBOLS, 2, 8, 4, ends=True)

    def length(logits):
        return ms.lengths(ms.Relaxed(1.0)(logits, jax.random.key(1))).mean()

    def answer(logits):
        end = logits[..., :1] * jnp.eye(SYMBOLS)[0] + jax.lax.stop_gradient(logits)  # the end's logits alone count
        return jnp.square(listener(ms.Relaxed(1.0)(end, jax.random.key(1)))).sum()

    slope = jax.grad(length)(_logits())
    assert float(slope[..., 0].max()) <= 0 and float(slope[:, 0, 0].max()) < 0
    assert float(jnp.abs(jax.grad(answer)(_logits())[..., 0]).max()) > 0


# -- learning from rewards --------------------------------------------------------------------------------------------


def test_probabilities_of_all_messages_add_up_to_one_and_the_end_cuts():
    logits = _logits(7, 1, 2, SYMBOLS)
    rows = np.stack(np.meshgrid(*[np.arange(SYMBOLS)] * 2, indexing="ij"), -1).reshape(-1, 2)
    wide = jnp.broadcast_to(logits, (len(rows), 2, SYMBOLS))
    assert float(jnp.exp(ms.log_probability(wide, _symbols(rows))).sum()) == pytest.approx(1.0, abs=1e-5)
    ended = _symbols([[0, 1]])
    cut = ms.log_probability(logits, ended, ms.alive(ended))
    np.testing.assert_allclose(cut, jax.nn.log_softmax(logits)[:, 0, 0], rtol=1e-6)


def test_entropy_of_an_even_choice_is_the_logarithm_of_its_size():
    np.testing.assert_allclose(ms.entropy(jnp.zeros((2, 3, 8))), np.log(8), rtol=1e-6)


def test_reinforce_points_where_the_exact_gradient_does():
    logits, worth = jnp.array([[0.3, -0.2, 0.1]]), jnp.array([1.0, 0.0, 0.5])
    exact = jax.grad(lambda x: -(jax.nn.softmax(x[0]) * worth).sum())(logits)
    n = 40_000

    def estimate(x):
        many = jnp.broadcast_to(x, (n, 1, 3))
        said = jax.lax.stop_gradient(ms.Drawn()(many, jax.random.key(8)))
        rewards = (said[:, 0] * worth).sum(axis=-1)
        return ms.reinforce(ms.log_probability(many, said), rewards, ms.leave_one_out(rewards))

    np.testing.assert_allclose(jax.grad(estimate)(logits), exact, atol=0.01)


def test_the_baseline_is_the_mean_of_all_batches_and_leaving_one_out_leaves_it_out():
    batches = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    baseline = ms.Baseline.none()
    for batch in batches:
        baseline = baseline.after(jnp.array(batch))
    assert float(baseline.mean) == pytest.approx(0.5) and int(baseline.batches) == 3
    np.testing.assert_allclose(ms.leave_one_out(jnp.array([3.0, 0.0, 6.0])), [3.0, 4.5, 1.5])


# -- networks ---------------------------------------------------------------------------------------------------------


def test_a_recurrent_speaker_hears_what_it_said():
    speaker = RecurrentSpeaker(jax.random.key(0), FEATURES, POSITIONS, SYMBOLS, 8, 4)
    meanings = jax.random.normal(jax.random.key(1), (BATCH, FEATURES))

    class Always(ms.Way):
        symbol: int

        def __call__(self, logits: jax.Array, key: jax.Array) -> jax.Array:
            return jnp.broadcast_to(jax.nn.one_hot(self.symbol, logits.shape[-1]), logits.shape)

    one, two = (speaker(meanings, Always(s), jax.random.key(2))[0] for s in (1, 2))
    np.testing.assert_allclose(one[:, 0], two[:, 0])
    assert float(jnp.abs(one[:, 1] - two[:, 1]).max()) > 1e-4


@pytest.mark.parametrize("kind", ["head", "recurrent"])
def test_speakers_and_listeners_learn_to_understand_each_other(kind):
    keys = jax.random.split(jax.random.key(0), 2)
    if kind == "head":
        pair = (HeadSpeaker(keys[0], 4, 2, 8, (32,)), HeadListener(keys[1], 2, 8, 4, (32,)))
    else:
        pair = (RecurrentSpeaker(keys[0], 4, 2, 8, 32, 8), RecurrentListener(keys[1], 8, 4, 32, 8))
    rule = optax.adam(1e-2)
    memory, meanings = rule.init(eqx.filter(pair, eqx.is_inexact_array)), jnp.eye(4)

    def loss(pair, key):
        shown = jnp.tile(meanings, (8, 1))
        _, symbols = pair[0](shown, ms.Relaxed(1.0), key)
        return -(shown * jax.nn.log_softmax(pair[1](symbols))).sum(axis=-1).mean()

    @eqx.filter_jit
    def train(pair, memory):
        def step(carry, key):
            weights, memory = carry
            gradient = jax.grad(lambda w: loss(eqx.combine(w, rest), key))(weights)
            update, memory = rule.update(gradient, memory)
            return (optax.apply_updates(weights, update), memory), None

        weights, rest = eqx.partition(pair, eqx.is_inexact_array)
        (weights, _), _ = jax.lax.scan(step, (weights, memory), jax.random.split(jax.random.key(1), 400))
        return eqx.combine(weights, rest)

    pair = train(pair, memory)
    _, symbols = pair[0](meanings, ms.Likeliest(), jax.random.key(0))
    assert pair[1](symbols).argmax(axis=-1).tolist() == [0, 1, 2, 3]
    assert len({tuple(w) for w in ms.words(symbols).tolist()}) == 4
