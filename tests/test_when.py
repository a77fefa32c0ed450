"""Work for those who need it, and none while nobody does."""

import jax
import jax.numpy as jnp
import numpy as np

import emergelab as el


def test_work_is_done_for_those_who_need_it():
    on = jnp.array([True, False, True])
    found = jax.jit(jax.vmap(lambda o, x: el.when(o, lambda v: 2 * v + 1, (x,), -x)))(on, jnp.arange(3.0))
    np.testing.assert_array_equal(found, [1, -1, 5])


def test_work_that_nobody_needs_is_not_done():
    done = []

    def work(x):
        return jax.pure_callback(lambda v: (done.append(1), v)[1], jax.ShapeDtypeStruct((), jnp.float32), x,
                                 vmap_method="sequential")  # fmt: skip

    each = jax.jit(jax.vmap(lambda o, x: el.when(o, work, (x,), x)))
    jax.block_until_ready(each(jnp.zeros(3, bool), jnp.arange(3.0)))
    assert not done
    jax.block_until_ready(each(jnp.array([False, True, False]), jnp.arange(3.0)))
    assert done


def test_the_compiler_does_not_move_the_work_out_of_the_loop():
    """A product of large matrices: whether it stands in the loop's body or before it shows in the compiled text."""

    def f(on, x):
        return el.when(on, lambda v: jnp.tanh(v @ v).sum(), (x,), 0.0)

    text = jax.jit(f).lower(jnp.array(True), jnp.ones((64, 64))).compile().as_text()
    entry = text[text.index("ENTRY") :]
    assert "dot" in text and "dot" not in entry


def test_sites_inside_can_be_intervened_on():
    def f(x):
        return el.when(jnp.array(True), lambda v: el.site("inside", v + 1), (x,), x)

    assert f(jnp.float32(1)) == 2
    with el.edit(el.Clamp("inside", 5.0)):
        assert f(jnp.float32(1)) == 5
