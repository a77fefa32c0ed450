"""Few-shot sequences: what is asked for stands in the sequence, and labels mean nothing beyond it."""

from __future__ import annotations

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergelab.nn.relabelled import label_pairs, relabelled, trained_pairs

LABELS, BATCH = 5, 4000


@pytest.fixture(scope="module")
def pairs():
    return label_pairs(jax.random.key(0), LABELS)


@pytest.fixture(scope="module")
def data(pairs):
    return jax.jit(lambda k: relabelled(jax.random.key(1), pairs[: trained_pairs(LABELS)], k, BATCH, first=30))(20)


def test_all_pairs_of_labels_occur_once_in_the_list(pairs):
    assert {tuple(sorted(p)) for p in np.asarray(pairs).tolist()} == set(combinations(range(LABELS), 2))
    assert len(pairs) == 10 and trained_pairs(LABELS) == 8
    other = label_pairs(jax.random.key(1), LABELS)
    assert (np.asarray(pairs) != np.asarray(other)).any()


@pytest.mark.parametrize(("labels", "trained"), [(3, 2), (4, 4), (5, 8), (10, 36), (15, 84)])
def test_four_of_five_pairs_are_for_training(labels, trained):
    assert trained_pairs(labels) == trained


def test_the_sequence_tells_the_answer(data):
    classes, labels, asked = (np.asarray(x) for x in (data.classes, data.labels, data.asked))
    rows = np.arange(BATCH)
    np.testing.assert_array_equal(classes[:, 2], classes[rows, asked])
    np.testing.assert_array_equal(data.target, labels[rows, asked])
    assert (classes[:, 0] != classes[:, 1]).all() and (labels[:, 0] != labels[:, 1]).all()
    assert set(classes.ravel()) == set(range(30, 50))


def test_held_out_pairs_never_occur_in_training(pairs, data):
    known = {tuple(sorted(p)) for p in np.asarray(pairs)[:8].tolist()}
    assert {tuple(sorted(p)) for p in np.asarray(data.labels).tolist()} == known


def test_nothing_but_the_sequence_tells_the_answer(data):
    """Neither the place nor the class gives the label away, and all occur equally often."""
    target, asked, first = np.asarray(data.target), np.asarray(data.asked), np.asarray(data.classes)[:, 0]
    assert asked.mean() == pytest.approx(0.5, abs=0.03)
    assert np.bincount(first - 30, minlength=20) / BATCH == pytest.approx(np.full(20, 0.05), abs=0.015)
    for place in (0, 1):
        here = np.bincount(target[asked == place], minlength=LABELS) / (asked == place).sum()
        overall = np.bincount(target, minlength=LABELS) / BATCH
        assert here == pytest.approx(overall, abs=0.04)
    of_class = [np.bincount(target[np.asarray(data.classes)[:, 2] == k], minlength=LABELS) for k in range(30, 50)]
    assert min(min(row) for row in of_class) > 0  # every class has carried every label


def test_two_classes_are_enough():
    data = relabelled(jax.random.key(0), jnp.array([[0, 1]]), 2, 50)
    assert {tuple(sorted(row)) for row in np.asarray(data.classes)[:, :2].tolist()} == {(0, 1)}


def test_the_number_of_classes_is_traced(pairs):
    draw = jax.jit(lambda k: relabelled(jax.random.key(2), pairs, k, 100))
    few, many = draw(3), draw(200)
    assert draw._cache_size() == 1
    assert few.classes.max() == 2 and many.classes.max() > 100
    np.testing.assert_array_equal(few.labels, many.labels)
