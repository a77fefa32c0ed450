"""Objects, hold-outs, line-ups, success; and measures of a code against the instrument and by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from emergelab.errors import UserError
from emergelab.games import language as lg
from emergelab.games import signalling as sg

VALUES = (3, 4)
OBJECTS = sg.all_objects(VALUES)


def test_all_objects_are_there_once():
    assert OBJECTS.shape == (12, 2) and len(np.unique(OBJECTS, axis=0)) == 12
    with pytest.raises(UserError, match="values: two or more"):
        sg.all_objects((3, 1))


def test_features_are_one_hot_attribute_after_attribute():
    np.testing.assert_array_equal(sg.features(jnp.array([2, 1]), VALUES), [0, 0, 1, 0, 1, 0, 0])


@settings(max_examples=20)
@given(st.floats(0.0, 0.4), st.integers(0, 2**31))
def test_a_random_hold_out_leaves_every_value_in_training(share, seed):
    out = sg.split_off(OBJECTS, share, np.random.default_rng(seed))
    assert out.sum() == round(share * 12)
    for i, n in enumerate(VALUES):
        assert len(np.unique(OBJECTS[~out, i])) == n


def test_too_large_a_hold_out_is_refused():
    with pytest.raises(UserError, match="a value is never seen; hold out fewer"):
        sg.split_off(OBJECTS, 0.95, np.random.default_rng(0))


def test_the_diagonal_holds_every_value_out_once_and_zeros_are_counted():
    square = sg.all_objects((5, 5))
    out = square[sg.diagonal(square, 2)]
    assert len(out) == 5 and all(sorted(out[:, i]) == list(range(5)) for i in (0, 1))
    assert sg.zeros(OBJECTS).tolist() == [2, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0]


def test_reconstruction_counts_parts_and_wholes():
    objects = jnp.array([[2, 1], [0, 3]])
    logits = 50.0 * sg.features(jnp.array([[2, 1], [0, 0]]), VALUES)
    got = sg.reconstruction(logits, objects, VALUES)
    assert got.right.tolist() == [1, 0] and got.parts.tolist() == [[1, 1], [1, 0]]
    assert float(got.loss[0]) == pytest.approx(0.0, abs=1e-6) and float(got.loss[1]) == pytest.approx(25.0, rel=1e-3)
    even = sg.reconstruction(jnp.zeros((2, 7)), objects, VALUES)
    np.testing.assert_allclose(even.loss, (np.log(3) + np.log(4)) / 2, rtol=1e-6)


def test_reference_is_a_softmax_over_candidates():
    candidates = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
    got = sg.reference(jnp.array([[0.0, 2.0]]), candidates, jnp.array([1]))
    assert got.right.tolist() == [1]
    assert float(got.loss[0]) == pytest.approx(np.log1p(np.exp(-2)), rel=1e-5)


def test_a_lineup_holds_the_target_once_among_allowed_others_anywhere():
    allowed = jnp.array([True] * 9 + [False] * 3)
    target = jnp.tile(jnp.array([3, 10], jnp.int32), 500)
    row, place = (np.asarray(x) for x in sg.lineup(jax.random.key(0), target, allowed, 4))
    assert (np.take_along_axis(row, place[:, None], 1)[:, 0] == np.asarray(target)).all()
    assert all(len(set(r)) == 5 for r in row)
    others = row[np.arange(5) != place[:, None]]
    assert (others < 9).all() and len(np.unique(others)) == 9
    np.testing.assert_allclose(np.bincount(place) / len(place), 0.2, atol=0.05)


def test_every_set_of_others_is_equally_likely():
    allowed = jnp.array([True, False, True, True, True, True])
    target = jnp.full(6000, 3, jnp.int32)
    row, place = (np.asarray(x) for x in sg.lineup(jax.random.key(1), target, allowed, 2))
    others = np.sort(row[np.arange(3) != place[:, None]].reshape(-1, 2), axis=1)
    sets, counts = np.unique(others, axis=0, return_counts=True)
    assert sets.tolist() == [[0, 2], [0, 4], [0, 5], [2, 4], [2, 5], [4, 5]]
    assert chisquare(counts).pvalue > 1e-3


def test_as_many_others_as_there_are_fill_the_lineup():
    row, _ = sg.lineup(jax.random.key(2), jnp.arange(4, dtype=jnp.int32), jnp.ones(4, bool), 3)
    assert (np.sort(np.asarray(row), axis=1) == np.arange(4)).all()


def test_objects_are_drawn_as_their_odds_say():
    got = np.asarray(sg.drawn(jax.random.key(3), jnp.array([0.0, 3.0, 0.0, 1.0, 4.0, 0.0]), 8000))
    counts = np.bincount(got, minlength=6)
    assert counts[[0, 2, 5]].tolist() == [0, 0, 0]
    assert chisquare(counts[[1, 3, 4]], [3000, 1000, 4000]).pvalue > 1e-3
    assert set(np.asarray(sg.drawn(jax.random.key(4), jnp.array([False, True]), 50))) == {1}


# -- measures of a code ------------------------------------------------------------------------------------------------


@jax.jit
def _measures(words, meanings):
    return lg.posdis(words, 5, meanings, 4), lg.bosdis(words, 5, meanings, 4), lg.topsim(words, meanings)


@pytest.mark.parametrize("seed", range(4))
def test_measures_agree_with_the_instrument(seed):
    from emergelab.instruments._language_metrics_distance import correlations, edit_counts, pairs_of, scaled
    from emergelab.instruments._language_metrics_information import information

    rng = np.random.default_rng(seed)
    meanings = sg.all_objects((4, 4))
    words = np.concatenate([rng.integers(0, 5, (16, 2)), meanings[:, :1]], axis=1)
    order = np.arange(16)[None]
    want = information(words[None], meanings.T, order)
    posdis, bosdis, likeness = _measures(jnp.array(words), jnp.array(meanings))
    assert float(posdis) == pytest.approx(want["posdis"][0, 0], abs=1e-5)
    assert float(bosdis) == pytest.approx(want["bosdis"][0, 0], abs=1e-5)
    pairs = pairs_of(16, rng)
    levels = scaled(edit_counts(words[None], pairs), np.full((1, 16), 3), pairs, "raw")
    far = (meanings[:, None] != meanings[None]).sum(-1).astype(float)
    topsim = correlations([levels], far, pairs, order, ranks=True)[0][0, 0]
    assert float(likeness) == pytest.approx(topsim, abs=1e-5)


def test_a_code_that_names_parts_and_one_that_says_all_twice():
    m = jnp.array(sg.all_objects((4, 4)))
    assert float(lg.posdis(m, 4, m, 4)) == pytest.approx(1.0, abs=1e-6)
    assert float(lg.topsim(m, m)) == pytest.approx(1.0, abs=1e-6)
    assert float(lg.coverage(m, 4, m, 4)) == pytest.approx(1.0, abs=1e-6)
    assert float(lg.information_gap(m, 4, m, 4)) == pytest.approx(1.0, abs=1e-6)
    assert int(lg.distinct(m)) == 16
    twice = m[:, jnp.array([0, 0])]
    np.testing.assert_allclose(lg.posdis_by_position(twice, 4, m, 4), 1.0, atol=1e-5)
    assert float(lg.coverage(twice, 4, m, 4)) == pytest.approx(0.0, abs=1e-6)
    assert float(lg.information_gap(twice, 4, m, 4)) == pytest.approx(0.0, abs=1e-6)
    assert int(lg.distinct(twice)) == 4


def test_a_code_that_says_one_thing_for_everything_is_undefined():
    m, same = jnp.array(sg.all_objects((4, 4))), jnp.zeros((16, 3), jnp.int32)
    assert np.isnan(lg.posdis(same, 5, m, 4)) and np.isnan(lg.topsim(same, m)) and int(lg.distinct(same)) == 1


def test_chance_is_what_a_measure_gives_when_items_swap_messages():
    m = jnp.array(sg.all_objects((4, 4)))
    by_chance = np.asarray(lg.relabelled(lambda w: lg.posdis(w, 4, m, 4), m, jax.random.key(0), 64))
    assert 0.02 < by_chance.mean() < 0.3 < float(lg.posdis(m, 4, m, 4))
    assert len(np.unique(by_chance)) > 10
