"""Memories in words: the retrieval formula against a plain version, streams, embeddings, facts by rule."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.lm.memory import Memory, Retrieval, facts_in, hashed, retrieval_parts, scaled


def plain_parts(nodes: list[dict[str, float]], decay: float, ranked: bool, oldest_first: bool) -> list[list[float]]:
    """The formula, from the paper's text and a description of its code, node by node."""

    def stretch(values: list[float]) -> list[float]:
        low, high = min(values), max(values)
        return [0.5 if high == low else (v - low) / (high - low) for v in values]

    by_access = sorted(range(len(nodes)), key=lambda i: (-nodes[i]["age"], nodes[i]["order"]))
    if not oldest_first:
        by_access.reverse()
    rank = {i: place for place, i in enumerate(by_access, start=1)}
    recency = [decay ** (rank[i] if ranked else n["age"]) for i, n in enumerate(nodes)]
    return [stretch(recency), stretch([n["similar"] for n in nodes]), stretch([n["weight"] for n in nodes])]


a_node = st.fixed_dictionaries(
    {"age": st.integers(0, 20), "similar": st.integers(-4, 4).map(lambda x: x / 4), "weight": st.integers(1, 10)}
)


@settings(max_examples=60)
@given(st.lists(a_node, min_size=1, max_size=12), st.booleans(), st.booleans(), st.integers(0, 3))
def test_the_formula_is_that_of_the_paper(nodes: Any, ranked: bool, oldest_first: bool, empty: int) -> None:
    nodes = [n | {"order": k} for k, n in enumerate(nodes)]
    columns = {k: np.array([n[k] for n in nodes] + [99] * empty, float) for k in ("age", "order", "similar", "weight")}
    there = np.arange(len(nodes) + empty) < len(nodes)
    found = retrieval_parts(
        columns["age"], columns["order"], columns["similar"], columns["weight"], there,
        decay=0.9, ranked=ranked, oldest_first=oldest_first,
    )  # fmt: skip
    for mine, theirs in zip(found, plain_parts(nodes, 0.9, ranked, ranked and oldest_first), strict=True):
        np.testing.assert_allclose(mine[: len(nodes)], theirs, atol=1e-9)
        assert (mine[len(nodes) :] == 0).all()


def test_scores_by_hand() -> None:
    memory = Memory(hashed, Retrieval(decay=0.5))
    memory.add("event", "the oven is hot", 0, 2)
    memory.add("event", "Ada gives a party at the café", 1, 8)
    memory.add("event", "rain over the hills", 3, 5)
    found = memory.retrieve("a party", now=3, n=2)
    # recency 1/8, 1/4, 1 -> 0, 1/7, 1; relevance 0, 1, 0; importance 0, 1, 1/2
    assert [f.node.id for f in found] == [1, 2]
    assert (found[0].recency, found[0].relevance, found[0].importance) == pytest.approx((1 / 7, 1.0, 1.0))
    assert found[0].score == pytest.approx(2 + 1 / 7)
    assert found[1].score == pytest.approx(1.5)
    # what was called up is recent now, what was not is as old as before
    assert [n.accessed for n in memory.nodes] == [0, 3, 3]


def test_the_inversion_puts_the_oldest_first_and_then_buries_it() -> None:
    rule = {"relevance": 0.0, "importance": 0.0, "ranked": True, "decay": 0.99}
    for oldest_first, first, after in ((True, 0, 1), (False, 2, 2)):
        memory = Memory(hashed, Retrieval(oldest_first=oldest_first, **rule))
        for t, text in enumerate(("one", "two", "three")):
            memory.add("event", text, t, 1)
        assert memory.retrieve("", now=5, n=1)[0].node.id == first
        assert memory.retrieve("", now=6, n=1)[0].node.id == after


def test_equal_values_and_empty_streams() -> None:
    np.testing.assert_array_equal(scaled(np.array([3.0, 3.0, 7.0]), np.array([True, True, False])), [0.5, 0.5, 0.0])
    assert Memory(hashed).retrieve("anything", now=0) == []


def test_a_stream_survives_json_and_forgets() -> None:
    memory = Memory(hashed)
    memory.add("event", "Ada gives a party", 0, 8, facts=("party",))
    memory.add("chat", "Bo told me: a party!", 1, 7, facts=("party",), source="Bo")
    memory.add("thought", "There will be a party", 2, 9, facts=("party",), evidence=(0, 1))
    memory.add("plan", "go home", 2, 1)
    again = Memory.from_json(json.loads(json.dumps(memory.to_json())), hashed)
    assert again.nodes == memory.nodes
    assert again.nodes[2].evidence == (0, 1)
    assert again.knows("party") and again.forget("party") == 3 and not again.knows("party")
    assert again.add("event", "late", 3, 1).id == 4  # numbers are not used twice


@pytest.mark.parametrize(
    ("kind", "importance", "evidence", "message"),
    [
        ("dream", 5, (), "kind must be one of event, chat, thought, plan"),
        ("event", 0, (), r"importance must be in \[1, 10\]"),
        ("thought", 5, (7,), r"evidence must be ids of memories of this stream, got \[7\]"),
    ],
)
def test_bad_memories_are_refused(kind: str, importance: float, evidence: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Memory(hashed).add(kind, "x", 0, importance, evidence=evidence)


def test_hashed_words_are_near_if_they_are_the_same() -> None:
    vectors = hashed(["a party at the café", "The PARTIES? At a café: party!", "rain on hills", "of the and"])
    np.testing.assert_allclose(np.linalg.norm(vectors[:3], axis=1), 1.0)
    assert vectors[0] @ vectors[1] > 0.7 > abs(vectors[0] @ vectors[2])
    assert not vectors[3].any()
    np.testing.assert_array_equal(vectors, hashed(["a party at the café", "The PARTIES? At a café: party!",
                                                   "rain on hills", "of the and"]))  # fmt: skip


def test_facts_are_found_by_words_and_not_by_parts_of_words() -> None:
    aliases = {"party": ("party",), "sale": ("sale", "old maps")}
    assert facts_in("Maps, old ones! And a PARTY.", aliases) == ("party", "sale")
    assert facts_in("The partygoers are wholesalers of an old kind.", aliases) == ()
    assert facts_in("", aliases) == ()
