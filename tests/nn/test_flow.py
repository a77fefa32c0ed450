"""Conditional flow matching: what the network computes, its sites, its loss, and where following it leads."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import emergelab as el
from emergelab.nn.flow import Flow, flow_loss, generate

PIXELS = 5


@pytest.fixture(scope="module")
def network() -> Flow:
    net = Flow.make(jax.random.key(0), pixels=PIXELS, concepts={"col": 3, "size": 1}, width=8, depth=2)
    leave = type(net.leave)(jax.random.normal(jax.random.key(1), (8, PIXELS)), jnp.arange(PIXELS, dtype=float))
    return Flow(net.enter, net.clock, net.concepts, net.blocks, leave)


@pytest.fixture(scope="module")
def prompt() -> dict[str, Array]:
    return {"col": jax.random.normal(jax.random.key(2), (4, 3)), "size": jnp.array([[0.1], [0.5], [-0.3], [2.0]])}


def test_equals_the_formula_written_out_in_numpy(network, prompt):
    def affine(layer, x):
        return x @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)

    def perceptron(two, x):
        hidden = affine(two.up, x)
        return affine(two.down, hidden / (1 + np.exp(-hidden)))

    y = np.random.default_rng(0).normal(size=(4, PIXELS))
    t = np.array([0.0, 0.3, 0.5, 1.0])
    phase = t[:, None] * np.pi * 2.0 ** np.arange(8)
    x = affine(network.enter, y) + perceptron(network.clock, np.concatenate([np.sin(phase), np.cos(phase)], axis=1))
    for name, values in prompt.items():
        x = x + perceptron(network.concepts[name], np.asarray(values, float))
    for block in network.blocks:
        x = x + perceptron(block, x)
    expected = affine(network.leave, x / (1 + np.exp(-x)))
    told = network(jnp.asarray(y, jnp.float32), jnp.asarray(t, jnp.float32), network.embed(prompt))
    np.testing.assert_allclose(told, expected, atol=2e-4)


def test_an_untrained_network_tells_nothing(prompt):
    net = Flow.make(jax.random.key(0), pixels=PIXELS, concepts={"col": 3, "size": 1}, width=8, depth=1)
    z = jax.random.normal(jax.random.key(1), (4, PIXELS))
    np.testing.assert_allclose(generate(net, z, net.embed(prompt), 3), 0.0, atol=1e-6)


def test_sites_are_the_shared_vocabulary(network, prompt):
    def forward(prompt):
        return network(jnp.zeros((4, PIXELS)), jnp.zeros(4), network.embed(prompt))

    _, seen = el.tap(forward)(prompt)
    assert set(seen) == {
        "cond.col", "cond.size", "prompt.col.act", "prompt.size.act", "clock.act", "L.0.act", "L.0.out", "L.1.act",
        "L.1.out", "picture",
    }  # fmt: skip
    assert seen["cond.col"].shape == (4, 8)


def test_a_clamped_embedding_is_that_of_another_prompt(network, prompt):
    other = {"col": prompt["col"] + 1, "size": prompt["size"]}
    wanted = network.embed(other)
    with el.edit(el.Clamp("cond.col", wanted["col"])):
        clamped = network.embed(prompt)
    for name, value in wanted.items():
        np.testing.assert_array_equal(clamped[name], value)


def test_a_masked_concept_adds_nothing_where_it_is_masked(network, prompt):
    plain = network.embed(prompt)
    some = network.embed(prompt, {"col": jnp.array([1.0, 0.0, 1.0, 0.0])})
    np.testing.assert_array_equal(some["col"][1::2], 0)
    np.testing.assert_array_equal(some["col"][::2], plain["col"][::2])
    np.testing.assert_array_equal(some["size"], plain["size"])


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_a_network_that_always_tells_the_same_picture_ends_there(network, prompt, steps):
    same = Flow(
        network.enter, network.clock, network.concepts, network.blocks,
        type(network.leave)(jnp.zeros((8, PIXELS)), jnp.arange(PIXELS, dtype=float)),
    )  # fmt: skip
    z = jax.random.normal(jax.random.key(1), (4, PIXELS))
    made = generate(same, z, same.embed(prompt), steps)
    np.testing.assert_allclose(made, np.broadcast_to(np.arange(PIXELS), (4, PIXELS)), atol=1e-5)


class Gaussian(Flow):
    """Tells the mean of pictures that are normal with mean 2 and deviation 1/2, given a place on the path."""

    def __call__(
        self, y: Float[Array, "batch pixel"], t: Float[Array, "batch"], given: Mapping[str, Float[Array, "batch width"]]
    ) -> Float[Array, "batch pixel"]:
        t = t[:, None]
        return 2.0 + 0.25 * t * (y - 2.0 * t) / ((1 - t) ** 2 + 0.25 * t**2)


def test_following_the_true_mean_makes_the_true_distribution(network, prompt):
    """For normal pictures the flow takes z to mean + deviation z: a theorem with a closed form."""
    exact = Gaussian(network.enter, network.clock, network.concepts, network.blocks, network.leave)
    z = jax.random.normal(jax.random.key(1), (4, PIXELS))
    made = jax.jit(lambda z: generate(exact, z, exact.embed(prompt), 1000))(z)
    np.testing.assert_allclose(made, 2 + z / 2, atol=0.01)


def test_the_loss_is_least_for_the_true_mean(network, prompt):
    """Pictures of one kind only: telling them costs nothing; telling 0 costs their square."""
    exact = Gaussian(network.enter, network.clock, network.concepts, network.blocks, network.leave)
    x = jnp.full((4000, PIXELS), 2.0) + 0.5 * jax.random.normal(jax.random.key(5), (4000, PIXELS))
    none: dict[str, Array] = {}
    found = float(flow_loss(exact, jax.random.key(0), x, none).mean())
    # what cannot be told: the variance of x given its place, averaged over uniform times
    t = (np.arange(10_000) + 0.5) / 10_000
    spread = (1 - t) ** 2 * 0.25 / ((1 - t) ** 2 + 0.25 * t**2)
    assert found == pytest.approx(spread.mean(), rel=0.05)
    blank = Flow.make(jax.random.key(0), pixels=PIXELS, concepts={}, width=8, depth=1)
    square = flow_loss(blank, jax.random.key(0), x[:10], none)
    np.testing.assert_allclose(square, (x[:10] ** 2).mean(axis=1), rtol=1e-5)


def test_interventions_act_on_every_step_and_can_be_read(network, prompt):
    z = jax.random.normal(jax.random.key(1), (4, PIXELS))
    given = network.embed(prompt)
    with el.edit(el.Clamp("picture", 7.0)):
        np.testing.assert_allclose(generate(network, z, given, 4), 7.0, atol=1e-5)
    made, seen = el.tap(generate, "picture")(network, z, given, 4)
    assert seen["picture"].shape == (4, 4, PIXELS)
    np.testing.assert_allclose(seen["picture"][-1], made, atol=1e-4)
