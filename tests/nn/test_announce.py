"""Sites in a network written without them: the same network, whose layers can be read and replaced."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.nn.announce import announce


@pytest.fixture(scope="module")
def plain():
    return eqx.nn.MLP(3, 2, 5, depth=2, key=jax.random.key(0))


def test_it_computes_the_same_from_the_same_arrays(plain):
    made = announce(plain, {"first": lambda m: m.layers[0], "bend": lambda m: m.activation})
    x = jnp.arange(3.0)
    np.testing.assert_array_equal(made(x), plain(x))
    ours, theirs = (jax.tree.leaves(eqx.filter(net, eqx.is_array)) for net in (made, plain))
    assert len(ours) == len(theirs) and all((a == b).all() for a, b in zip(ours, theirs, strict=True))
    assert made.layers[0].out_features == 5  # what the layer has is still there


def test_layers_are_read_and_replaced(plain):
    made = announce(plain, {f"hidden.{i}": lambda m, i=i: m.layers[i] for i in range(2)})
    x = jnp.arange(3.0)
    _, seen = el.tap(made, "hidden.*")(x)
    np.testing.assert_array_equal(seen["hidden.0"], plain.layers[0](x))
    with el.edit(el.Ablate("hidden.0")):
        np.testing.assert_array_equal(made(x), made(-x))
    batch, seen = jax.jit(el.tap(el.site_vmap(made), "hidden.1"))(jnp.ones((4, 3)))
    assert batch.shape == (4, 2) and seen["hidden.1"].shape == (4, 5)


@pytest.mark.parametrize(("where", "message"), [
    (lambda m: m.layers[9], "the model has no layer for site 'h'"),
    (lambda m: m.nothing, "the model has no layer for site 'h'"),
    (lambda m: m.width_size, "site 'h' needs something to call, a layer; got int"),
])  # fmt: skip
def test_what_is_no_layer_is_named(plain, where, message):
    with pytest.raises(el.UserError, match=message):
        announce(plain, {"h": where})
