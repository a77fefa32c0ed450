"""Parameters are checked when a system is made; words are what the package says they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emergelab as el
from emergelab.system import defaults, parameters, values

from .engine.systems import Voter


class Many(el.System):
    size: int = el.static(3, low=1, high=9, about="length")
    real: float = el.param(0.5, low=0.0, high=1.0, unit="m")
    whole: int = el.param(2, low=-3)
    vector: list = el.param(np.zeros(2), high=5.0)
    kind: str = el.choice("a", options=("a", "b", "c"))
    shape: str = el.choice("x", options=("x", "y"), static=True)
    observables = (el.Observable("o"),)

    def init(self, key):
        return jnp.zeros(self.size)

    def step(self, state, key):
        return state

    def observe(self, state, key):
        return {"o": state.sum()}


def test_traced_parameters_are_arrays_and_static_ones_are_not():
    made = Many(real=0.25, kind="b")
    assert made.real.dtype == np.float32 and made.whole.dtype == np.int32 and made.vector.shape == (2,)
    assert made.kind == 1 and made.shape == "x" and type(made.size) is int
    leaves = jax.tree.leaves(made)
    assert len(leaves) == 4, "real, whole, vector and kind may vary without recompiling"
    assert jax.tree.structure(made) == jax.tree.structure(Many(real=0.9, kind="c", vector=[1.0, 2.0]))
    assert jax.tree.structure(made) != jax.tree.structure(Many(shape="y"))


@given(real=st.floats(0, 1, width=32), whole=st.integers(-3, 10**6), kind=st.sampled_from("abc"))
def test_values_go_round(real, whole, kind):
    """What run.json holds makes the same system again, to the last bit."""
    made = Many(real=real, whole=whole, kind=kind)
    written = values(made)
    again = Many(**written)
    assert values(again) == written and again.real == made.real and again.whole == made.whole
    assert values(made.with_(kind="a", real=0.0)) == written | {"kind": "a", "real": 0.0}


def test_defaults_are_as_written():
    assert defaults(Many) == {"size": 3, "real": 0.5, "whole": 2, "vector": [0.0, 0.0], "kind": "a", "shape": "x"}
    assert list(parameters(Many)) == ["size", "real", "whole", "vector", "kind", "shape"]


@pytest.mark.parametrize("wrong, message", [
    ({"size": 0}, r"Many: parameter 'size' must be a whole number in \[1, 9\], got 0"),
    ({"size": 2.5}, "'size' must be a whole number"),
    ({"real": 1.5}, r"'real' must be a number in \[0, 1\], got 1.5"),
    ({"real": float("nan")}, "'real' must be a number"),
    ({"real": "much"}, "'real' must be a number .*, got 'much'"),
    ({"real": None}, "'real' must be a number"),
    ({"real": [0.1, 0.2]}, "'real' must be a number"),
    ({"whole": -4}, "'whole' must be a whole number >= -3, got -4"),
    ({"whole": 0.5}, "'whole' must be a whole number"),
    ({"vector": [1.0]}, r"'vector' must be an array of shape \(2,\)"),
    ({"vector": [1.0, 9.0]}, "'vector' must be an array of shape .* <= 5"),
    ({"kind": "d"}, "'kind' must be one of 'a', 'b', 'c', got 'd'"),
    ({"kind": 7}, "'kind' must be one of"),
    ({"shape": 0}, "'shape' must be one of"),
])  # fmt: skip
def test_a_wrong_value_names_parameter_range_and_value(wrong, message):
    with pytest.raises(el.UserError, match=message) as caught:
        Many(**wrong)
    assert "\n" not in str(caught.value)


def test_wrong_words():
    with pytest.raises(el.UserError, match=r"no parameter 'rael'; did you mean 'real'\?"):
        Many().with_(rael=1)
    with pytest.raises(el.UserError, match="the default 'z' must be one of"):
        el.choice("z", options=("a",))
    with pytest.raises(el.UserError, match="letters, digits and underscores"):
        el.Observable("two words")
    with pytest.raises(el.UserError, match="the dim 'seed' is the engine's"):
        el.Observable("x", dims=("seed",))
    with pytest.raises(el.UserError, match="repeat a name"):
        el.Observable("x", dims=("a", "a"))


def test_grid_is_every_combination():
    made = el.grid(noise=[0.0, 0.25], reach=[1, 2])
    assert list(made) == ["noise=0,reach=1", "noise=0,reach=2", "noise=0.25,reach=1", "noise=0.25,reach=2"]
    assert made["noise=0.25,reach=1"].set == {"noise": 0.25, "reach": 1}
    for wrong in ({}, {"noise": []}):
        with pytest.raises(el.UserError, match="grid:"):
            el.grid(**wrong)


def test_systems_are_abstract_or_final():
    with pytest.raises(TypeError):
        el.System()

    class Half(el.System):
        def init(self, key):
            return 0

    with pytest.raises(TypeError):
        Half()
    assert isinstance(Voter(), el.System)


def test_the_face_of_the_package_is_complete():
    for name in el.__all__:
        assert getattr(el, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = el.nothing
