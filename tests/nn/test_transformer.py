"""The small decoder: what it computes, its sites, and what a clamp leaves alone."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.errors import UserError
from emergelab.nn.transformer import Transformer


@pytest.fixture(scope="module")
def network():
    return Transformer.make(jax.random.key(0), vocabulary=11, context=7, width=8, depth=2, heads=2)


@pytest.fixture(scope="module")
def tokens():
    return jax.random.randint(jax.random.key(1), (3, 6), 0, 11)


def test_equals_the_formula_written_out_in_numpy(network, tokens):
    def norm(n, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * np.asarray(n.gain) + np.asarray(n.offset)

    ids = np.asarray(tokens)
    x = np.asarray(network.embed, np.float64)[ids] + np.asarray(network.position)[:6]
    for block in network.blocks:
        w = {k: np.asarray(v, np.float64) for k, v in vars(block).items() if eqx.is_array(v)}
        h = norm(block.before, x)
        out = np.zeros_like(x)
        for head in range(2):
            cut = slice(4 * head, 4 * head + 4)
            q, k, v = (h @ w[name][:, cut] for name in ("query", "key", "value"))
            for b in range(3):
                for t in range(6):
                    score = q[b, t] @ k[b, : t + 1].T / 2.0
                    weight = np.exp(score - score.max())
                    out[b, t, cut] = weight / weight.sum() @ v[b, : t + 1]
        x = x + out @ w["project"]
        act = np.asarray(jax.nn.gelu(norm(block.between, x) @ w["up"] + w["up_bias"]))
        x = x + act @ w["down"] + w["down_bias"]
    expected = norm(network.norm, x) @ np.asarray(network.readout)
    np.testing.assert_allclose(network(tokens), expected, atol=2e-5)


def test_no_token_sees_a_later_one(network, tokens):
    changed = tokens.at[:, 4].set((tokens[:, 4] + 1) % 11)
    np.testing.assert_array_equal(network(tokens)[:, :4], network(changed)[:, :4])
    assert np.abs(network(tokens)[:, 4:] - network(changed)[:, 4:]).max() > 1e-3


def test_sites_are_the_shared_vocabulary(network, tokens):
    _, seen = el.tap(network)(tokens)
    block = ("q", "k", "v", "scores", "pattern", "heads", "mid", "act", "ffn", "out")
    assert set(seen) == {"embed", "final", "logits"} | {f"L.{i}.{name}" for i in range(2) for name in block}
    assert seen["L.1.pattern"].shape == (3, 2, 6, 6) and seen["L.0.act"].shape == (3, 6, 32)
    np.testing.assert_allclose(seen["L.0.pattern"].sum(-1), 1.0, atol=1e-6)


def test_a_clamp_changes_nothing_upstream_and_stops_the_gradient(network, tokens):
    uniform = jnp.tril(jnp.ones((6, 6))) / jnp.arange(1, 7)[:, None]
    clamp = el.Clamp("L.1.pattern", jnp.broadcast_to(uniform, (3, 2, 6, 6)))
    _, before = el.tap(network)(tokens)
    with el.edit(clamp):
        _, after = el.tap(network)(tokens)
    for name in before:
        same = np.array_equal(before[name], after[name])
        upstream = name == "embed" or name.startswith("L.0.") or name in ("L.1.q", "L.1.k", "L.1.v", "L.1.scores")
        assert same == upstream, name

    def loss(net):
        with el.edit(clamp):
            return jnp.sum(net(tokens) ** 2)

    slope = eqx.filter_grad(loss)(network)
    assert not np.any(slope.blocks[1].query) and not np.any(slope.blocks[1].key)
    assert np.any(slope.blocks[1].value) and np.any(slope.blocks[0].query)


@pytest.mark.parametrize(("words", "match"), [({"width": 10, "heads": 4}, "width 10 is no multiple of heads 4")])
def test_bad_shapes_are_named(words, match):
    with pytest.raises(UserError, match=match):
        Transformer.make(jax.random.key(0), vocabulary=3, context=4, **words)


def test_too_long_a_sequence_is_named(network):
    with pytest.raises(UserError, match="8 tokens does not fit into a context of 7"):
        network(jnp.zeros((1, 8), int))


def test_options_of_a_block(tokens):
    def made(**options):
        return Transformer.make(jax.random.key(0), vocabulary=11, context=7, width=8, depth=1, heads=2, **options)

    assert (el.tap(made(activation="relu"))(tokens)[1]["L.0.act"] >= 0).all()
    both = made(causal=False)
    changed = tokens.at[:, 5].set((tokens[:, 5] + 1) % 11)
    assert np.abs(both(tokens)[:, :5] - both(changed)[:, :5]).max() > 1e-3
    net = made(qk_norm=True)
    louder = eqx.tree_at(lambda n: n.blocks[0].query, net, 30.0 * net.blocks[0].query)
    (_, a), (_, b) = el.tap(net)(tokens), el.tap(louder)(tokens)
    np.testing.assert_allclose(a["L.0.scores"], b["L.0.scores"], atol=1e-4)
    assert np.abs(a["L.0.scores"]).max() <= 4**0.5 + 1e-4
    with pytest.raises(UserError, match="activation must be one of gelu, relu, got 'tanh'"):
        made(activation="tanh")


@pytest.mark.parametrize("at", [slice(-1, None), slice(2, None, 3), slice(None)])
def test_the_last_block_may_be_asked_for_some_places_only(network, tokens, at):
    whole, seen = el.tap(network.stream, "L.*.pattern", "L.*.out")(tokens)
    some, of_some = el.tap(network.stream, "L.*.pattern", "L.*.out")(tokens, at)
    np.testing.assert_allclose(some, whole[:, at], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_some["L.1.pattern"], seen["L.1.pattern"][:, :, at], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(of_some["L.0.out"], seen["L.0.out"])


def test_gradients_through_some_places_are_those_of_a_loss_on_these_places(network, tokens):
    def loss(net, early):
        at = slice(1, None, 4)
        return jnp.square(net.read(net.stream(tokens, at) if early else net.stream(tokens)[:, at])).sum()

    of_some, of_whole = (jax.tree.leaves(jax.jit(jax.grad(loss), static_argnums=1)(network, e)) for e in (True, False))
    for a, b in zip(of_some, of_whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
