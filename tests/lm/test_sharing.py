"""Which beginnings of prompts are computed once: as many tokens are saved as any way of cutting can save, and what is
computed after them is what is computed after whole prompts."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.lm import _passes
from emergelab.lm._beginnings import Shelf, beginnings, packed
from emergelab.lm._llama import Config, Past, shapes
from emergelab.lm._passes import begin, bucket, padded
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


CONFIG = Config(
    layers=2, width=8, heads=2, kv_heads=1, head=4, hidden=8, vocabulary=64, context=256, base=1e4, eps=1e-5
)


def test_what_follows_beginnings_is_what_follows_whole_prompts(monkeypatch):
    """Two hours, three stories in each, asked in two ways; and a prompt that shares nothing."""
    rng = np.random.default_rng(1)

    def text(n):
        return rng.integers(1, 64, n).tolist()

    prompts = [text(30)]
    for _ in range(2):
        hour = text(20)
        for _ in range(3):
            story = hour + text(int(rng.integers(17, 40)))
            prompts += [story + text(5), story + text(9)]
    leaves, tree = jax.tree.flatten(shapes(CONFIG))
    model = tree.unflatten([jnp.asarray(rng.normal(size=leaf.shape) * 0.3, jnp.float32) for leaf in leaves])

    def logits(ids, before):
        rows, lengths = padded(ids, len(ids), bucket(max(map(len, ids))))
        return np.asarray(begin(model, (), rows, lengths, before)[0])

    whole = logits(prompts, ())
    tokens = []

    def counted(model, interventions, ids, lengths, before):
        # rows that repeat the first are padding
        own = len({tuple(row) for row in ids.tolist()})
        tokens.append(int(lengths[:own].sum()))
        return begin(model, interventions, ids, lengths, before)

    monkeypatch.setattr(_passes, "begin", counted)
    for share, wanted in ((False, [len(ids) for ids in prompts]), (True, [30, *[5, 9] * 6])):
        begun = beginnings(model, (), prompts, 0, (), share)
        left = [ids[k:] for ids, k in zip(prompts, begun.lengths, strict=True)]
        assert [len(ids) for ids in left] == wanted
        np.testing.assert_allclose(logits(left, begun.of(range(len(prompts)), len(prompts))), whole, atol=1e-4)
    computed = 20 * 2 + sum(len(ids) - 20 - 5 for ids in prompts[1::2])
    assert sum(tokens) == computed, "each hour once, each story once"


@given(
    st.lists(st.tuples(st.integers(1, 900), st.integers(0, 200)), max_size=80),
    st.integers(0, 300), st.sampled_from([512, 2048]), st.sampled_from([4096, 16384]),
)  # fmt: skip
def test_every_text_is_computed_once_and_no_batch_is_too_large(texts, held, most, slots):
    lengths, more = [n for n, _ in texts], [m for _, m in texts]
    found = list(packed(lengths, more, most, held, slots))
    assert sorted(i for rows in found for i in rows) == list(range(len(texts)))
    for rows in found:
        width, room = bucket(max(lengths[i] for i in rows)), bucket(max(more[i] for i in rows))
        assert len(rows) == 1 or (len(rows) * width <= most and len(rows) * (width + room + held) <= slots)


def test_a_shelf_gives_back_the_rows_that_were_put_there():
    rng = np.random.default_rng(0)
    keys, values = (tuple(jnp.asarray(rng.normal(size=(4, 1, 3, 4)), jnp.float32) for _ in range(2)) for _ in range(2))
    shelf = Shelf(CONFIG, rows=4, slots=5)
    shelf.put([1, 2, 3], Past(keys, values, jnp.array([2, 3, 1, 3])))  # its fourth row was padding
    found = shelf.take(np.array([3, 0, 1, 1]))
    assert found.lengths.tolist() == [1, 0, 2, 2]
    for held, own in zip((*found.keys, *found.values), (*keys, *values), strict=True):
        np.testing.assert_array_equal(held[2, :, :2], own[0, :, :2])
        np.testing.assert_array_equal(held[0, :, :1], own[2, :, :1])
        assert held.shape == (4, 1, 5, 4) and not held[1].any()
    longer = Shelf(CONFIG, rows=2, slots=6)
    longer.copy(1, shelf, 1)
    longer.put([1], Past(keys, values, jnp.array([3, 3, 3, 3])))
    found = longer.take(np.array([1]))
    assert found.lengths.tolist() == [5]
    np.testing.assert_array_equal(found.keys[1][0, :, :5], np.concatenate([keys[1][0, :, :2], keys[1][0]], axis=1))
