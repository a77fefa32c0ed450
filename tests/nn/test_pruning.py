"""Orders of pruning against numpy, and knees of curves whose knee is known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.nn import pruning
from emergelab.nn.transformer import Transformer

SHARES = np.linspace(0.0, 0.9, 10)


@pytest.fixture(scope="module")
def net():
    return Transformer.make(jax.random.key(0), vocabulary=11, context=6, width=8, depth=2, heads=2)


@pytest.fixture(scope="module")
def where(net):
    return pruning.select(net, "blocks.*")


def chosen(net, where):
    """The selected arrays, as numpy has them."""
    return [np.asarray(w) for w, c in zip(jax.tree.leaves(net), jax.tree.leaves(where), strict=True) if c]


def test_selected_are_matrices_that_fit_and_nothing_else(net, where):
    assert len(chosen(net, where)) == 12 and all(w.ndim == 2 for w in chosen(net, where))
    assert not where.embed and not where.readout and not where.blocks[0].up_bias and where.blocks[1].down
    last = pruning.select(net, "blocks.1.*", "embed")
    assert last.embed and last.blocks[1].query and not last.blocks[0].query
    with pytest.raises(UserError, match=r"no matrix of the network fits 'block.\*'"):
        pruning.select(net, "block.*")
    with pytest.raises(UserError, match=r"fits 'norm\.gain'"):
        pruning.select(net, "blocks.*", "norm.gain")


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_smallest_of_all_go_first(net, where, share):
    pruned = pruning.prune(net, pruning.by_size(net, where), share)
    before, after = (np.concatenate([w.ravel() for w in chosen(x, where)]) for x in (net, pruned))
    gone = after == 0
    assert gone.sum() == round(share * before.size)
    np.testing.assert_array_equal(after[~gone], before[~gone])
    if 0 < share < 1:
        assert np.abs(before[gone]).max() <= np.abs(before[~gone]).min()
    for a, b, c in zip(*map(jax.tree.leaves, (net, pruned, where)), strict=True):
        if not c:
            np.testing.assert_array_equal(a, b)


def test_within_takes_the_same_share_of_every_matrix(net, where):
    pruned = pruning.prune(net, pruning.by_size_within(net, where), 0.25)
    for before, after in zip(chosen(net, where), chosen(pruned, where), strict=True):
        gone = after == 0
        assert gone.mean() == 0.25
        assert np.abs(before[gone]).max() <= np.abs(before[~gone]).min()


def test_two_of_four_keeps_the_two_largest_of_four_inputs(net, where):
    pruned = pruning.prune(net, pruning.by_size_in_groups(net, where, 4), 0.5)
    for before, after in zip(chosen(net, where), chosen(pruned, where), strict=True):
        for group in range(0, before.shape[0], 4):
            for column in range(before.shape[1]):
                old, new = before[group : group + 4, column], after[group : group + 4, column]
                kept = sorted(np.argsort(np.abs(old))[2:])
                assert sorted(np.flatnonzero(new)) == kept
    with pytest.raises(UserError, match="8 inputs do not come in groups of 5"):
        pruning.by_size_in_groups(net, where, 5)


def test_a_random_order_does_not_look(net, where):
    one, two = (pruning.at_random(jax.random.key(k), net, where) for k in (1, 2))
    flat = [np.concatenate([w.ravel() for w in chosen(x, where)]) for x in (one, two)]
    n = flat[0].size
    for order in flat:
        np.testing.assert_allclose(np.sort(order) * n, np.arange(n), atol=1e-3)
    assert abs(np.corrcoef(*flat)[0, 1]) < 0.2
    sizes = np.abs(np.concatenate([w.ravel() for w in chosen(net, where)]))
    assert abs(np.corrcoef(flat[0], sizes)[0, 1]) < 0.2


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), share=st.floats(0.05, 0.95))
def test_no_way_of_pruning_as_much_moves_the_weights_less(seed, share):
    net = {"a": jax.random.normal(jax.random.key(seed), (4, 6)), "b": 3 * jax.random.normal(jax.random.key(9), (4, 2))}
    where = pruning.select(net, "*")
    orders = [pruning.by_size(net, where), pruning.by_size_within(net, where)]
    orders.append(pruning.at_random(jax.random.key(seed + 1), net, where))

    def moved(order):
        left = pruning.prune(net, order, share)
        gone = sum(int((x == 0).sum()) for x in left.values())
        return gone, sum(float(((net[k] - left[k]) ** 2).sum()) for k in net)

    (gone, least), *others = [moved(o) for o in orders]
    assert gone == int(np.ceil(np.float32(share) * 32))
    for other, distance in others:
        assert other < gone or distance >= least - 1e-5


def test_losses_are_those_of_one_pruning_after_the_other(net, where):
    tokens = jax.random.randint(jax.random.key(3), (2, 6), 0, 11)

    def loss(net):
        return jnp.square(net(tokens)).mean()

    orders = [pruning.by_size(net, where), pruning.by_size_in_groups(net, where)]
    which, shares = np.array([0, 0, 1, 0]), np.array([0.0, 0.5, 0.5, 0.9])
    found = jax.jit(lambda net: pruning.losses(loss, net, orders, which, shares))(net)
    one = jax.jit(lambda order, share: loss(pruning.prune(net, order, share)))
    np.testing.assert_allclose(found, [one(orders[w], float(s)) for w, s in zip(which, shares, strict=True)], rtol=1e-5)
    np.testing.assert_allclose(found[0], loss(net), rtol=1e-5)
    assert one._cache_size() == 1


def test_tolerance_by_hand():
    shares = np.array([0.0, 0.4, 0.8])
    rise = np.array([[0.0, 0.1, 0.5], [0.0, 0.4, 0.4], [0.0, 0.0, 0.1], [0.0, np.nan, 1.0]])
    np.testing.assert_allclose(pruning.tolerated(shares, rise, 0.2), [0.5, 0.2, 0.8, np.nan])
    np.testing.assert_allclose(pruning.tolerated(shares, -rise[:1], 0.2), [0.8])


@settings(max_examples=40)
@given(st.lists(st.floats(0, 5), min_size=9, max_size=9), st.floats(0.01, 2), st.floats(0.01, 2))
def test_more_tolerance_never_lowers_the_knee(steps, one, two):
    rise = np.concatenate([[0.0], np.cumsum(steps)])
    less, more = (float(pruning.tolerated(SHARES, rise, m)) for m in sorted((one, two)))
    assert 0 <= less <= more <= SHARES[-1]


@settings(max_examples=40)
@given(knee=st.floats(0.2, 0.7), before=st.floats(0, 1), more=st.floats(1, 20), scale=st.floats(0.1, 10))
def test_the_bend_of_two_lines_is_where_they_meet(knee, before, more, scale):
    curve = 2.6 + before * SHARES + more * np.maximum(SHARES - knee, 0)
    assert float(pruning.bend(SHARES, curve)) == pytest.approx(knee, abs=0.01)
    assert float(pruning.bend(SHARES, scale * curve)) == pytest.approx(knee, abs=0.01)


def test_bends_keep_the_shape_and_what_is_not_known():
    curves = np.stack([np.maximum(SHARES - 0.5, 0), np.full(10, np.nan)])[None]
    found = pruning.bend(SHARES, curves)
    assert found.shape == (1, 2) and np.isnan(found[0, 1]) and found[0, 0] == pytest.approx(0.5, abs=0.01)
