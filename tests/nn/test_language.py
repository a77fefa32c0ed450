"""The small language: its grammar, its frequencies, and the best prediction of its words."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.nn.language import CLASSES, best, language, windows, write


@pytest.fixture(scope="module")
def english():
    return language()


@pytest.fixture(scope="module")
def text(english):
    return jax.tree.map(np.asarray, write(english, jax.random.key(0), 400, 120))


def classes(english, words):
    return [[CLASSES[c] for c in row] for row in english.class_of_word[words]]


def test_rows_are_probabilities_and_the_start_is_stationary(english):
    np.testing.assert_allclose(english.chain.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(english.start @ english.chain, english.start, atol=1e-6)
    np.testing.assert_allclose(english.start.sum(), 1.0, atol=1e-6)
    assert english.vocabulary == 184 and english.topics == 4


def parses(tokens):
    """Whether one sentence (class names, without its full stop) follows the grammar: a parser written apart."""

    def phrase(i, deep):
        if i < len(tokens) and tokens[i].startswith("PRON"):
            return i + 1, tokens[i][-1]
        number = tokens[i][-1] if i < len(tokens) and tokens[i].startswith("DET") else None
        i += 1
        while number and i < len(tokens) and tokens[i] == "ADJ":
            i += 1
        if not number or i >= len(tokens) or tokens[i] != f"N_{number}":
            return None, None
        i += 1
        if deep and i < len(tokens) and tokens[i] == "PREP":
            i, _ = phrase(i + 1, False)
        return i, number

    def clause(i):
        i, number = phrase(i, True)
        if i is None or i >= len(tokens):
            return None
        if tokens[i] == f"V_{number}":
            i, _ = phrase(i + 1, True)
        elif tokens[i] == f"VI_{number}":
            i += 1
        else:
            return None
        return i + 1 if i is not None and i < len(tokens) and tokens[i] == "ADV" else i

    end = clause(0)
    if end is not None and end < len(tokens) and tokens[end] == "CONJ":
        end = clause(end + 1)
    return end == len(tokens)


def sentences(english, words):
    for row in classes(english, words):
        stops = [i for i, c in enumerate(row) if c == "PUNCT"]
        for a, b in itertools.pairwise(stops):
            yield row[a + 1 : b]


def test_every_sentence_follows_the_grammar(english, text):
    found = list(sentences(english, text.words))
    assert len(found) > 1000 and all(parses(s) for s in found)
    assert not parses(["DET_S", "N_S", "VI_P"])  # the parser does refuse


def test_without_agreement_half_of_the_verbs_disagree():
    loose = language(agree=0.0)
    words = np.asarray(write(loose, jax.random.key(1), 300, 100).words)
    plain = [s for s in sentences(loose, words) if len(s) == 2]  # a pronoun and its verb
    assert 0.4 < np.mean([s[0][-1] == s[1][-1] for s in plain if s[1].startswith("VI")]) < 0.6


def test_frequencies_are_those_of_the_grammar_and_of_zipf(english, text):
    kinds = english.class_of_word[text.words]
    share = np.bincount(kinds.ravel(), minlength=15) / kinds.size
    expected = np.bincount(english.class_of_place, english.start, minlength=15)
    np.testing.assert_allclose(share, expected, atol=0.006)
    adjectives = text.words[kinds == CLASSES.index("ADJ")] - english.first[3]
    assert np.mean(adjectives == 0) > 2 * np.mean(adjectives == 4) > 0
    for topic in range(4):
        here = adjectives[text.topics[kinds == CLASSES.index("ADJ")] == topic]
        assert np.mean(here % 4 == topic) > 1.5 * np.mean(adjectives % 4 == topic)


def test_topics_hold_for_their_sentences_and_follow_the_mixture(english, text):
    for words, topics in zip(text.words[:50], text.topics[:50], strict=True):
        stops = np.flatnonzero(words == 0)
        changes = np.flatnonzero(np.diff(topics)) + 1
        assert set(changes) <= set(stops + 1)
        assert all((np.sum((stops >= a) & (stops < b)) % 4 == 0) for a, b in itertools.pairwise(changes))
    only = write(english, jax.random.key(2), 20, 60, jnp.array([0.0, 0.0, 1.0, 0.0]))
    assert (np.asarray(only.topics) == 2).all()


def test_the_best_prediction_is_that_of_all_histories_written_out():
    """A tiny language: the probability of a text as the sum over all its hidden histories."""
    small = language(dict.fromkeys(CLASSES, 2) | {"PUNCT": 1}, topics=2, sentences=1)
    words = np.asarray(write(small, jax.random.key(3), 3, 5).words)
    found = np.asarray(best(small, jnp.asarray(words)))
    places, total = len(small.chain), []
    for row in words:
        ways = {(p, t): small.start[p] / 2 for p in range(places) for t in range(2)}
        logs = []
        for w in row:
            ways = {
                (p, t): q * small.words[t, w] * (small.class_of_place[p] == small.class_of_word[w])
                for (p, t), q in ways.items()
            }
            logs.append(np.log(sum(ways.values())))
            step = {}
            for (p, t), q in ways.items():
                for p2 in np.flatnonzero(small.chain[p]) if q else ():
                    for t2 in range(2):
                        share = small.chain[p, p2] * q * (0.5 if p == 0 else float(t == t2))
                        step[(p2, t2)] = step.get((p2, t2), 0.0) + share
            ways = step
        total.append(-np.diff([0.0, *logs]))
    np.testing.assert_allclose(found, total, rtol=1e-4, atol=1e-5)


def test_nothing_predicts_better(english, text):
    """The true chain with known place and topic surprises less, frequencies alone more."""
    surprise = np.asarray(best(english, jnp.asarray(text.words[:100])))[:, 20:]
    counts = np.bincount(text.words.ravel(), minlength=184) / text.words.size
    unigram = -np.log(counts[text.words[:100, 20:]]).mean()
    places, topics, words = text.places[:100], text.topics[:100], text.words[:100]
    of_place = english.chain[places[:, 19:-1], places[:, 20:]]
    oracle = -np.log(of_place * english.words[topics[:, 20:], words[:, 20:]]).mean()
    assert oracle < surprise.mean() < unigram - 1.0


def test_windows_are_pieces_of_the_used_part(english, text):
    corpus = jnp.asarray(np.arange(400 * 120).reshape(400, 120))
    found = np.asarray(windows(jax.random.key(4), corpus, 500, 10, 0.25))
    assert (np.diff(found, axis=1) == 1).all() and (found % 120).max() == 29
    assert (np.asarray(windows(jax.random.key(4), corpus, 500, 10)) % 120).max() == 119


@pytest.mark.parametrize(("call", "message"), [
    ({"sizes": {"PUNCT": 1}}, "a number >= 1 for each of PUNCT, DET_S"),
    ({"zipf": -1.0}, "zipf must be >= 0, got -1.0"),
    ({"agree": 2.0}, r"agree must be in \[0, 1\], got 2.0"),
    ({"topics": 0}, "topics must be >= 1, got 0"),
])  # fmt: skip
def test_bad_languages_are_named(call, message):
    with pytest.raises(el.UserError, match=message):
        language(**call)
