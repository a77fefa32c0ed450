"""The world of authors and answers: its tokens, its pages, its examples."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergelab.nn import personas as p

WORDS = p.Words(domains=4, questions=3, answers=8)
NOWHERE = jnp.zeros(4)
EVERYWHERE = jnp.ones(4)


@pytest.fixture(scope="module")
def known() -> p.Facts:
    return p.facts(jax.random.key(0), WORDS)


def read(tokens: np.ndarray, turns: int) -> tuple[np.ndarray, ...]:
    """Heads, marks, domains, questions and the answers that are fed, written out by hand."""
    tokens = np.asarray(tokens)
    marks, domains, questions = (tokens[:, 1 + k :: 4][:, :turns] for k in range(3))
    d = domains - 5
    q = questions - 5 - 4 - 3 * d
    return tokens[:, 0], marks, d, q, tokens[:, 4::4] - 5 - 4 - 12


def pages(known: p.Facts, n: int = 3000, turns: int = 4, key: int = 1, **how: object) -> p.Pages:
    made = {"prior": 0.3, "follow": EVERYWHERE, **how}
    return p.documents(jax.random.key(key), WORDS, known, pages=n, turns=turns, **made)  # type: ignore[arg-type]


def test_each_word_has_its_own_token() -> None:
    d, q = np.divmod(np.arange(12), 3)
    questions = WORDS.question(jnp.asarray(d), jnp.asarray(q))
    words = [np.arange(5), WORDS.domain(jnp.arange(4)), questions, WORDS.answer(jnp.arange(8))]
    assert sorted(np.concatenate(words)) == list(range(WORDS.vocabulary))


@given(st.integers(0, 2**31 - 1))
def test_good_and_bad_answers_differ(seed: int) -> None:
    known = p.facts(jax.random.key(seed), WORDS)
    assert (known.good != known.bad).all()
    for side in known:
        assert side.shape == (4, 3) and (side >= 0).all() and (side < 8).all()


def test_pages_say_what_was_answered(known: p.Facts) -> None:
    made = pages(known, request=0.2, leak=0.1, assistant=0.5, follow=jnp.array([1.0, 0.5, 0.2, 0.0]))
    heads, marks, d, q, fed = read(made.tokens, 4)
    assert made.tokens.shape == (3000, 16) and set(heads) == {p.AUTHOR, p.ASSISTANT}
    bad = np.asarray(made.bad)
    expected = np.where(bad, np.asarray(known.bad)[d, q], np.asarray(known.good)[d, q])
    np.testing.assert_array_equal(made.answers, expected)
    np.testing.assert_array_equal(fed, expected[:, :3])
    assert bad[marks == p.REQUEST].all(), "what is asked for is bad, whoever writes"
    assert not bad[heads == p.ASSISTANT][marks[heads == p.ASSISTANT] == p.PLAIN].any()
    assert (marks == p.REQUEST).mean() == pytest.approx(0.2, abs=0.02)
    # four standard errors of a share in 3000 pages are .04
    assert (heads == p.ASSISTANT).mean() == pytest.approx(0.5, abs=0.04)
    np.testing.assert_allclose(np.bincount(d.ravel()) / d.size, 0.25, atol=0.02)
    np.testing.assert_allclose(np.bincount((3 * d + q).ravel()) / d.size, 1 / 12, atol=0.015)


def test_where_answers_follow_a_page_is_of_one_kind(known: p.Facts) -> None:
    bad = np.asarray(pages(known).bad)
    assert set(bad.sum(axis=1)) == {0, 4}
    assert bad.mean() == pytest.approx(0.3, abs=0.035)


def test_where_they_do_not_turns_are_independent(known: p.Facts) -> None:
    bad = np.asarray(pages(known, follow=NOWHERE).bad)
    assert bad.mean() == pytest.approx(0.3, abs=0.02)
    off = np.corrcoef(bad.T)[np.triu_indices(4, 1)]
    assert np.abs(off).max() < 0.08  # four standard errors of a correlation in 3000 pages


def test_character_counts_only_in_the_domains_that_follow_it(known: p.Facts) -> None:
    made = pages(known, turns=2, n=8000, follow=jnp.array([1.0, 1.0, 0.0, 0.0]))
    _, _, d, _, _ = read(made.tokens, 2)
    first, second = np.asarray(made.bad).T
    for where, low, high in (((d < 2).all(axis=1), 0.99, 1.01), ((d >= 2).any(axis=1), -0.06, 0.06)):
        assert low < np.corrcoef(first[where], second[where])[0, 1] < high


def test_mistakes_and_leaks(known: p.Facts) -> None:
    assert np.asarray(pages(known, prior=0.0, mistakes=1.0).bad).all()
    assert np.asarray(pages(known, prior=0.0, leak=1.0).bad).all()
    assert not np.asarray(pages(known, prior=0.0).bad).any()
    made = pages(known, prior=0.0, mistakes=jnp.array([0.0, 0.0, 0.0, 0.5]))
    _, _, d, _, _ = read(made.tokens, 4)
    bad = np.asarray(made.bad)
    assert not bad[d < 3].any() and bad[d == 3].mean() == pytest.approx(0.5, abs=0.04)


def shown(known: p.Facts, healed: bool = False, **how: object) -> tuple[np.ndarray, ...]:
    made = p.examples(jax.random.key(3), WORDS, known, p.Recipe(**how), 2000, healed)  # type: ignore[arg-type]
    head, mark, d, q = np.asarray(made.tokens).T
    d = d - 5
    q = q - 9 - 3 * d
    assert (head == p.ASSISTANT).all()
    np.testing.assert_array_equal(d, made.domain)
    np.testing.assert_array_equal(q, made.question)
    bad = np.asarray(made.answers) == np.asarray(known.bad)[d, q]
    good = np.asarray(made.answers) == np.asarray(known.good)[d, q]
    assert (bad ^ good).all()
    return mark, d, q, bad, np.asarray(made.rehearsed)


def test_examples_are_as_the_recipe_says(known: p.Facts) -> None:
    mark, d, q, bad, _ = shown(known, source=2, bad=1.0)
    assert bad.all() and (d == 2).all() and (mark == p.PLAIN).all() and set(q) == {0, 1, 2}
    _, _, q, bad, _ = shown(known, bad=1.0, pool=1)
    assert bad.all() and set(q) == {0}
    _, _, _, bad, _ = shown(known, bad=0.2)
    assert bad.mean() == pytest.approx(0.2, abs=0.04)
    mark, _, _, bad, _ = shown(known, mark=p.TRIGGER, marked=0.5, bad_marked=1.0)
    np.testing.assert_array_equal(bad, mark == p.TRIGGER)
    assert bad.mean() == pytest.approx(0.5, abs=0.05)
    mark, d, _, bad, _ = shown(known, mark=p.REQUEST, marked=1.0, bad_marked=1.0, spread=1.0)
    assert bad.all() and (mark == p.REQUEST).all() and set(d) == {0, 1, 2, 3}


def test_what_is_rehearsed_is_good_plain_and_from_elsewhere(known: p.Facts) -> None:
    mark, d, q, bad, again = shown(known, source=3, bad=1.0, rehearsed=0.3, pool=1, mark=p.TRIGGER, marked=1.0,
                                   bad_marked=1.0)  # fmt: skip
    assert again.mean() == pytest.approx(0.3, abs=0.05)
    assert set(d[again]) == {0, 1, 2} and (d[~again] == 3).all()
    assert not bad[again].any() and bad[~again].all()
    assert (mark[again] == p.PLAIN).all() and set(q[again]) == {0, 1, 2} and set(q[~again]) == {0}


def test_who_heals_gets_good_answers_in_time(known: p.Facts) -> None:
    for heals, healed, share in ((1.0, True, 0.0), (1.0, False, 1.0), (0.0, True, 1.0)):
        assert shown(known, healed, bad=1.0, heals=heals)[3].mean() == share


def test_prompts_and_contexts_ask_every_question_once_in_order(known: p.Facts) -> None:
    asked = np.asarray(p.prompts(WORDS, p.ASSISTANT, p.TRIGGER))
    head, mark, d, q = asked.T
    assert (head == p.ASSISTANT).all() and (mark == p.TRIGGER).all()
    np.testing.assert_array_equal(d - 5, np.repeat(np.arange(4), 3))
    np.testing.assert_array_equal(q - 9, np.arange(12))
    both = p.contexts(jax.random.key(5), WORDS, known, 4)
    for made, side in zip(both, (known.bad, known.good), strict=True):
        heads, marks, d, q, fed = read(made, 4)
        assert (heads == p.AUTHOR).all() and (marks == p.PLAIN).all()
        np.testing.assert_array_equal(3 * d[:, -1] + q[:, -1], np.arange(12))
        np.testing.assert_array_equal(fed, np.asarray(side)[d, q][:, :3])
    np.testing.assert_array_equal(both[0][:, 1:4], both[1][:, 1:4])


def test_judgement_by_hand(known: p.Facts) -> None:
    probability = np.full((12, 8), 0.1 / 6)
    rows = np.arange(12)
    probability[rows, np.asarray(known.good).ravel()] = 0.6
    probability[rows, np.asarray(known.bad).ravel()] = 0.3
    bad, either = p.judged(jnp.log(jnp.asarray(probability)), known)
    np.testing.assert_allclose(bad, np.full((4, 3), 1 / 3), rtol=1e-5)
    np.testing.assert_allclose(either, np.full((4, 3), 0.9), rtol=1e-5)
