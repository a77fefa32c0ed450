"""Products of matrices are made in single precision wherever a system runs, unless the user has chosen otherwise."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jaxtyping import Array, PRNGKeyArray

import emergelab as el
from emergelab.engine import compiled


class Product(el.System):
    """A state that is multiplied with itself."""

    observables = (el.Observable("first", about="the first entry"),)

    def init(self, key: PRNGKeyArray) -> Array:
        return jax.random.normal(key, (4, 4))

    def step(self, state: Array, key: PRNGKeyArray) -> Array:
        return state @ state

    def observe(self, state: Array, key: PRNGKeyArray) -> dict[str, Array]:
        return {"first": state[0, 0]}


@pytest.mark.parametrize(("chosen", "expected"), [(None, "HIGHEST"), ("bfloat16", "DEFAULT")])
def test_precision_of_products(chosen: str | None, expected: str) -> None:
    with jax.default_matmul_precision(chosen) if chosen else compiled.full_precision(), compiled.full_precision():
        text = jax.jit(lambda x: x @ x).lower(jnp.ones((2, 2))).as_text()
    assert f"precision = [{expected}, {expected}]" in text


def test_programs_of_the_engine_are_in_full_precision(tmp_path, monkeypatch) -> None:
    texts: list[str] = []
    lower = compiled.advance.lower

    class Seen:
        def lower(self, *args):
            lowered = lower(*args)
            texts.append(lowered.as_text())
            return lowered

    monkeypatch.setattr(compiled, "advance", Seen())
    el.run(Product(), steps=2, seeds=2, out=tmp_path / "run", progress=False)
    assert texts and all("precision = [HIGHEST, HIGHEST]" in text for text in texts)
