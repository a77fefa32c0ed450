"""Which beginnings of prompts are computed once: as many tokens are saved as any way of cutting can save."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.lm._llama import Config, Past
from emergelab.lm._passes import Shelf
from emergelab.lm._sharing import SHARED, common_tokens, cut_into_runs, padded_height

# Few words of many tokens, so that beginnings are often shared.
PROMPTS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(
        lambda words: [ord(w) + i for w in words for i in range(9)]
    ),
    min_size=1,
    max_size=7,
)


def saved(prompts, n, cuts):
    """Tokens saved when [first, last) between neighbouring cuts share what they can."""
    total = 0
    for first, last in itertools.pairwise(cuts):
        k = common_tokens(prompts[first:last]) if last - first > 1 else n
        total += (last - first - 1) * (k - n) if k - n >= SHARED else 0
    return total


@given(PROMPTS)
@settings(max_examples=150)
def test_no_other_cut_saves_more(prompts):
    prompts = sorted(prompts)
    n = common_tokens(prompts) if len(prompts) > 1 else 0
    runs = cut_into_runs(prompts, n)
    assert [r[0] for r in runs] == [0, *(r[1] for r in runs[:-1])] and runs[-1][1] == len(prompts)
    for first, last, k in runs:
        assert all(p[:k] == prompts[first][:k] and len(p) > k for p in prompts[first:last])
    best = max(
        saved(prompts, n, (0, *inner, len(prompts)))
        for r in range(len(prompts))
        for inner in itertools.combinations(range(1, len(prompts)), r)
    )
    assert sum((last - first - 1) * (k - n) for first, last, k in runs) == best


def test_heights_are_powers_of_two():
    assert [padded_height(n) for n in (1, 2, 3, 4, 5, 32)] == [1, 2, 4, 4, 8, 32]


def test_a_shelf_gives_back_the_rows_that_were_put_there():
    config = Config(
        layers=2, width=8, heads=2, kv_heads=1, head=4, hidden=8, vocabulary=9, context=64, base=1e4, eps=1e-5
    )
    rng = np.random.default_rng(0)
    keys, values = (tuple(jnp.asarray(rng.normal(size=(4, 1, 3, 4)), jnp.float32) for _ in range(2)) for _ in range(2))
    shelf = Shelf(config, rows=4, slots=5)
    shelf.put(1, Past(keys, values, jnp.array([2, 3, 1, 9])), rows=3)  # its fourth row was padding
    found = shelf.take(np.array([3, 0, 1, 1]))
    assert found.lengths.tolist() == [1, 0, 2, 2]
    for held, own in zip((*found.keys, *found.values), (*keys, *values), strict=True):
        np.testing.assert_array_equal(held[:, :, :3], np.stack([own[2], np.zeros_like(own[0]), own[0], own[0]]))
        assert held.shape == (4, 1, 5, 4) and not held[:, :, 3:].any()
