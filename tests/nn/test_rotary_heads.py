"""Attention and nothing else: against a forward pass in NumPy, and what its sites do and leave alone."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.nn.rotary_heads import PairEmbedding, RotaryHeads, rotary

WIDTH, HEADS, TOKENS, ANSWERS = 8, 2, 5, 3


@pytest.fixture(scope="module")
def net() -> RotaryHeads:
    make = lambda: RotaryHeads.make(jax.random.key(1), width=WIDTH, depth=2, heads=HEADS, answers=ANSWERS)  # noqa: E731
    made = jax.jit(make)()
    # Gains, offsets and biases that are not 1 and 0, so that a forgotten one is seen.
    weights, rest = eqx.partition(made, eqx.is_array)
    leaves, treedef = jax.tree.flatten(weights)
    noise = np.random.default_rng(0)
    moved = [np.asarray(x) + np.asarray(0.1 * noise.normal(size=x.shape), x.dtype) for x in leaves]
    return eqx.combine(jax.tree.unflatten(treedef, moved), rest)


@pytest.fixture(scope="module")
def x() -> jax.Array:
    return jax.random.normal(jax.random.key(2), (4, TOKENS, WIDTH))


def _norm(x, norm):
    spread = np.sqrt(((x - x.mean(-1, keepdims=True)) ** 2).mean(-1, keepdims=True) + 1e-5)
    return (x - x.mean(-1, keepdims=True)) / spread * np.asarray(norm.gain) + np.asarray(norm.offset)


def _turned(vector, position):
    """Pairs (j, j + size/2) as complex numbers, multiplied by a phase."""
    half = len(vector) // 2
    z = vector[:half] + 1j * vector[half:]
    z = z * np.exp(1j * position * 10_000.0 ** (-np.arange(half) / half))
    return np.concatenate([z.real, z.imag])


def test_it_is_the_textbook_formula(net, x):
    """Token by token and head by head in NumPy, all tokens in all layers; no code is shared."""
    x64, size = np.asarray(x, float), WIDTH // HEADS
    wanted = []
    for stream in x64:
        for layer in net.layers:
            h = _norm(stream, layer.norm)
            new = stream.copy()
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                q, k, v = (h @ np.asarray(w)[:, part] for w in (layer.query, layer.key, layer.value))
                for i in range(TOKENS):
                    scores = [_turned(q[i], i) @ _turned(k[j], j) / np.sqrt(size) for j in range(i + 1)]
                    weight = np.exp(scores) / np.exp(scores).sum()
                    new[i] += weight @ v[: i + 1] @ np.asarray(layer.project)[part]
            stream = new
        wanted.append(_norm(stream[-1], net.norm) @ np.asarray(net.readout) + np.asarray(net.bias))
    np.testing.assert_allclose(jax.jit(lambda x: net(x))(x), wanted, rtol=1e-4, atol=1e-5)


def test_rotary_positions_tell_distances_and_nothing_else():
    a, b = np.random.default_rng(0).normal(size=(2, 8))
    whole = jnp.asarray(np.stack([[a] * 7, [b] * 7])[:, :, None], jnp.float32)
    turned = np.asarray(rotary(whole))[:, :, 0]
    np.testing.assert_allclose(turned[0, 0], a, rtol=1e-6)
    np.testing.assert_allclose((turned**2).sum(-1), (np.asarray(whole) ** 2).sum((-2, -1)), rtol=1e-5)
    products = turned[0] @ turned[1].T
    for distance in range(-6, 7):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-4, atol=1e-4)
    assert np.ptp(products) > 0.1
    np.testing.assert_allclose(rotary(whole[:, 4:], first=4), rotary(whole)[:, 4:], rtol=1e-6)


NAMES = [
    f"L.{i}.{site}"
    for i in (0, 1)
    for site in ("reads.qk", "reads.v", "q", "k", "v", "scores", "pattern", "heads", "out")
] + ["final", "logits"]


@pytest.fixture(scope="module")
def clamped(net):
    """All sites by name, one of them moved away from what it was: one program for all of them."""

    @jax.jit
    def run(x, index):
        before = el.tap(net)(x)[1]
        moved = {n: 2.0 * v + 0.1 * jnp.arange(v.shape[-1]) for n, v in before.items()}
        with el.edit(*(el.Clamp(n, moved[n], where=index == i) for i, n in enumerate(NAMES))):
            return el.tap(net)(x)[1]

    return run


@pytest.fixture(scope="module")
def plain(clamped, x):
    return clamped(x, -1)


def test_every_step_of_the_network_is_a_site(plain):
    assert set(plain) == set(NAMES)
    size = WIDTH // HEADS
    shapes = {name: value.shape for name, value in plain.items()}
    assert shapes["L.0.q"] == shapes["L.1.k"] == shapes["L.1.v"] == (4, TOKENS, HEADS, size)
    assert shapes["L.1.q"] == shapes["L.1.heads"] == (4, 1, HEADS, size)
    assert shapes["L.0.pattern"] == (4, HEADS, TOKENS, TOKENS) and shapes["L.1.scores"] == (4, HEADS, 1, TOKENS)
    assert shapes["L.0.out"] == (4, TOKENS, WIDTH) and shapes["L.1.out"] == (4, 1, WIDTH)
    np.testing.assert_allclose(plain["L.0.pattern"].sum(-1), 1, rtol=1e-5)
    assert (np.triu(np.asarray(plain["L.0.pattern"]), 1) == 0).all()


@pytest.mark.parametrize("index", range(len(NAMES)))
def test_a_clamp_changes_nothing_before_it_and_the_answer_after_it(clamped, x, plain, index):
    seen = clamped(x, index)
    for before in NAMES[:index]:
        np.testing.assert_array_equal(seen[before], plain[before])
    assert np.abs(seen["logits"] - plain["logits"]).max() > 1e-4
    # Queries, keys and values stand side by side: none is made from another.
    aside = {"reads.qk": ("v",), "q": ("k", "v"), "k": ("v",), "reads.v": ("q", "k", "scores", "pattern")}
    layer, _, site = NAMES[index].partition(".")[2].partition(".")
    for other in aside.get(site, ()) if layer in ("0", "1") else ():
        np.testing.assert_array_equal(seen[f"L.{layer}.{other}"], plain[f"L.{layer}.{other}"])


def test_no_token_sees_a_later_one(clamped, x, plain):
    later = clamped(x.at[:, 3:].add(jnp.arange(WIDTH)), -1)
    np.testing.assert_array_equal(later["L.0.out"][:, :3], plain["L.0.out"][:, :3])
    assert np.abs(later["L.0.out"][:, 3:] - plain["L.0.out"][:, 3:]).max(axis=-1).min() > 0.01


def test_a_head_without_values_is_a_head_without_weights(net, x):
    """Zeros at the site, in the weights that make values, and in those that read them: three ways, one network."""
    size = WIDTH // HEADS
    silent = np.arange(HEADS) == 0

    @jax.jit
    def three(net):
        with el.edit(el.Clamp("L.1.v", 0.0, where=silent[:, None])):
            edited = net(x)
        columns = jnp.where(jnp.repeat(silent, size), 0.0, net.layers[1].value)
        rows = jnp.where(jnp.repeat(silent, size)[:, None], 0.0, net.layers[1].project)
        one = eqx.tree_at(lambda n: n.layers[1].value, net, columns)
        other = eqx.tree_at(lambda n: n.layers[1].project, net, rows)
        return edited, one(x), other(x), net(x)

    edited, one, other, whole = three(net)
    np.testing.assert_allclose(one, edited, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other, edited, rtol=1e-5, atol=1e-6)
    assert np.abs(whole - edited).max() > 1e-3


def test_a_given_pattern_leaves_nothing_to_learn_for_queries_and_keys(net, x):
    def loss(net):
        with el.edit(el.Clamp("L.1.pattern", jnp.eye(TOKENS)[3])):
            return jnp.square(net(x)).sum()

    first, second = jax.jit(jax.grad(loss))(net).layers
    assert not second.query.any() and not second.key.any()
    assert second.value.any() and second.project.any() and first.value.any() and first.query.any()


def test_items_and_labels_take_turns():
    embed = PairEmbedding.make(jax.random.key(0), dim=3, labels=4, width=6)
    items = jax.random.normal(jax.random.key(1), (2, 3, 3))
    tokens, seen = el.tap(embed)(items, jnp.array([[0, 3], [2, 1]]))
    assert tokens.shape == (2, 5, 6) and list(seen) == ["embedding"]
    np.testing.assert_allclose(tokens[:, ::2], items @ embed.items, rtol=1e-5)
    np.testing.assert_array_equal(tokens[:, 1::2], embed.labels[jnp.array([[0, 3], [2, 1]])])


def test_a_width_that_cannot_be_turned_is_refused():
    with pytest.raises(el.UserError, match="multiple of 2 x heads = 4"):
        RotaryHeads.make(jax.random.key(0), width=6, depth=1, heads=2, answers=2)
