"""A small language with a grammar, agreement and topics, of which everything is known.

Sentences come from a grammar with number agreement,

    S  -> NP(n) VP(n) [CONJ NP VP, .2] PUNCT                 n: singular or plural, evenly
    NP -> PRON (.2)  |  DET ADJ* (.3 each) N [PREP NP, .25]  at most one PREP deep
    VP -> VI (.4)  |  V NP;  then [ADV, .25]

whose recursion is bounded, so it is written out as a Markov chain over about a hundred places in a sentence, each of
which emits a word of one class. Within a class words follow Zipf's law, tilted by a topic that holds for a few
sentences. Because it is a chain, thousands of tokens are drawn at once on the device, and the best possible prediction
of every word from those before it can be computed exactly (`best`): what a network still has to learn is its loss above
that, without the noise of the sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergelab.errors import UserError

__all__ = ["CLASSES", "Language", "Text", "best", "language", "windows", "write"]

SIZES = {
    "PUNCT": 1, "DET_S": 3, "DET_P": 3, "ADJ": 20, "N_S": 40, "N_P": 40, "V_S": 16, "V_P": 16, "VI_S": 10, "VI_P": 10,
    "ADV": 10, "PREP": 6, "CONJ": 3, "PRON_S": 3, "PRON_P": 3,
}  # fmt: skip
CLASSES = tuple(SIZES)
"""Names of the word classes; class numbers are places in it."""


class Language(eqx.Module):
    """A language, as `language` makes it. Fixed arrays, the same for all seeds of a study.

    Attributes:
        chain: probability of the next place in a sentence, row by row.
        start: how often a token of a long text stands at each place.
        class_of_place, class_of_word: class numbers.
        words: probability of each word in its class, by topic.
        first, size: the words of a class are first, ..., first + size - 1.
        sentences: how long a topic holds.
    """

    chain: Float[np.ndarray, "place place"]
    start: Float[np.ndarray, "place"]
    class_of_place: Int[np.ndarray, "place"]
    class_of_word: Int[np.ndarray, "word"]
    words: Float[np.ndarray, "topic word"]
    first: Int[np.ndarray, "class"]
    size: Int[np.ndarray, "class"]
    sentences: int = eqx.field(static=True)

    @property
    def vocabulary(self) -> int:
        """Number of words."""
        return len(self.class_of_word)

    @property
    def topics(self) -> int:
        """Number of topics."""
        return len(self.words)


class Text(NamedTuple):
    """Running text and what is true of it."""

    words: Int[Array, "batch token"]
    topics: Int[Array, "batch token"]
    places: Int[Array, "batch token"]


def language(
    sizes: Mapping[str, int] | None = None,
    *,
    zipf: float = 1.0,
    topics: int = 4,
    tilt: float = 4.0,
    agree: float = 1.0,
    sentences: int = 4,
) -> Language:
    """Make a language.

    Args:
        sizes: words in each of the `CLASSES`; 184 in all by default. PUNCT has one.
        zipf: exponent of the words' frequencies in their class, >= 0.
        topics: number of topics, >= 1.
        tilt: how many times as likely a topic makes every `topics`-th word of a class, > 0; 1 is no topic.
        agree: share of verbs that agree with their subject by rule, in [0, 1]; the others take any number.
        sentences: sentences for which a topic holds, >= 1.

    Raises:
        UserError: a class that is missing or unknown, or a number out of its range.
    """
    sizes = dict(SIZES if sizes is None else sizes)
    if set(sizes) != set(CLASSES) or min(sizes.values()) < 1 or sizes["PUNCT"] != 1:
        raise UserError(f"language: sizes must give a number >= 1 for each of {', '.join(CLASSES)}, and 1 for PUNCT")
    for name, value, ok, wanted in (
        ("zipf", zipf, zipf >= 0, ">= 0"), ("topics", topics, topics >= 1, ">= 1"), ("tilt", tilt, tilt > 0, "> 0"),
        ("agree", agree, 0 <= agree <= 1, "in [0, 1]"), ("sentences", sentences, sentences >= 1, ">= 1"),
    ):  # fmt: skip
        if not ok:
            raise UserError(f"language: {name} must be {wanted}, got {value}")
    chain, class_of_place = _grammar(agree)
    size = np.array([sizes[c] for c in CLASSES])
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    class_of_word = np.repeat(np.arange(len(size)), size)
    rank = np.arange(size.sum()) - first[class_of_word]
    weight = (rank + 1.0) ** -zipf * np.where(rank % topics == np.arange(topics)[:, None], tilt, 1.0)
    in_class = np.stack([np.bincount(class_of_word, w) for w in weight])[:, class_of_word]
    start = np.full(len(chain), 1 / len(chain))
    for _ in range(500):  # sentences are short, so this is far more than the chain remembers
        start = 0.5 * (start + start @ chain)
    return Language(
        chain.astype(np.float32), start.astype(np.float32), class_of_place, class_of_word,
        (weight / in_class).astype(np.float32), first, size, sentences,
    )  # fmt: skip


Ways = list[tuple[int, float]]  # places to go to, each with its probability


class _Places:
    """The chain while it is built: places with their class, and arrows with their probability."""

    def __init__(self) -> None:
        self.classes: list[int] = []
        self.arrows: list[tuple[int, int, float]] = []

    def add(self, word_class: str) -> int:
        self.classes.append(CLASSES.index(word_class))
        return len(self.classes) - 1

    def phrase(self, number: str, after: Ways, deeper: Ways) -> Ways:
        """A noun phrase of one number: the ways into it. After it come `after`, or from its noun `deeper`, a PREP."""
        names = (f"PRON_{number}", f"DET_{number}", "ADJ", f"N_{number}")
        pronoun, article, adjective, noun = (self.add(name) for name in names)
        for one in (article, adjective):
            self.arrows += [(one, adjective, 0.3), (one, noun, 0.7)]
        self.arrows += [(pronoun, to, p) for to, p in after]
        left = 1.0 - sum(p for _, p in deeper)
        self.arrows += [(noun, to, p) for to, p in deeper] + [(noun, to, left * p) for to, p in after]
        return [(pronoun, 0.2), (article, 0.8)]

    def phrases(self, after: Ways, deeper: Ways) -> Ways:
        """A noun phrase of either number."""
        return [(to, 0.5 * p) for number in "SP" for to, p in self.phrase(number, after, deeper)]

    def preposition(self, after: Ways) -> int:
        """A PREP and the noun phrase that follows it."""
        place = self.add("PREP")
        self.arrows += [(place, to, p) for to, p in self.phrases(after, [])]
        return place

    def clause(self, ways_out: Ways, agree: float) -> Ways:
        """Subject and predicate: the ways into the subject. Built backwards, from what comes after."""
        adverb = self.add("ADV")
        self.arrows += [(adverb, to, p) for to, p in ways_out]
        end = [(adverb, 0.25)] + [(to, 0.75 * p) for to, p in ways_out]
        into_object = self.phrases(end, [(self.preposition(end), 0.25)])
        verbs = {}
        for number in "SP":
            alone, with_object = self.add(f"VI_{number}"), self.add(f"V_{number}")
            self.arrows += [(alone, to, p) for to, p in end] + [(with_object, to, p) for to, p in into_object]
            verbs[number] = [(alone, 0.4), (with_object, 0.6)]
        ways_in = []
        for number in "SP":
            share = {n: agree * (n == number) + (1 - agree) / 2 for n in "SP"}
            predicate = [(to, share[n] * p) for n in "SP" if share[n] for to, p in verbs[n]]
            inner = self.preposition(predicate)
            ways_in += [(to, 0.5 * p) for to, p in self.phrase(number, predicate, [(inner, 0.25)])]
        return ways_in


def _grammar(agree: float) -> tuple[Float[np.ndarray, "place place"], Int[np.ndarray, "place"]]:
    """Transition matrix between places, and the class that each emits. Place 0 is the full stop."""
    places = _Places()
    stop, conjunction = places.add("PUNCT"), places.add("CONJ")
    second = places.clause([(stop, 1.0)], agree)
    first = places.clause([(conjunction, 0.2), (stop, 0.8)], agree)
    places.arrows += [(conjunction, to, p) for to, p in second] + [(stop, to, p) for to, p in first]
    chain = np.zeros((len(places.classes), len(places.classes)))
    for a, b, p in places.arrows:
        chain[a, b] += p
    return chain, np.array(places.classes)


def write(
    language: Language, key: PRNGKeyArray, batch: int, length: int, mixture: Float[Array, "topic"] | None = None
) -> Text:
    """Fresh texts, each beginning anywhere in a sentence.

    Args:
        language: what they are written in.
        key: randomness.
        batch, length: how many texts, of how many tokens.
        mixture: how often each topic occurs, traced; evenly by default.
    """
    topics = language.topics
    of_topic = jnp.cumsum(jnp.full(topics, 1 / topics) if mixture is None else mixture / mixture.sum())
    # Summed by NumPy: XLA would do it while compiling, and takes seconds for it.
    of_place, of_word = jnp.asarray(np.cumsum(language.chain, axis=1)), _word_table(language)
    class_of_place, first = jnp.asarray(language.class_of_place), jnp.asarray(language.first)
    u, begin = jax.random.uniform(key, (length + 1, 3, batch)), jnp.asarray(np.cumsum(language.start))

    def pick(cdf: Float[Array, "*#batch option"], u: Float[Array, "batch"]) -> Int[Array, "batch"]:
        # below the last step, so that rounding never picks what is not there
        return jnp.sum(cdf <= jnp.minimum(u * cdf[..., -1], jnp.nextafter(cdf[..., -1], 0.0))[:, None], axis=-1)

    def token(
        carry: tuple[Array, Array, Array], u: Float[Array, "three batch"]
    ) -> tuple[tuple[Array, Array, Array], Text]:
        place, topic, count = carry
        kind = class_of_place[place]
        word = first[kind] + pick(of_word[topic, kind], u[1])
        seen = Text(word, topic, place)
        count = jnp.where(place == 0, count + 1, count)
        over = count == language.sentences
        topic = jnp.where(over, pick(of_topic[None], u[2]), topic)
        return (pick(of_place[place], u[0]), topic, jnp.where(over, 0, count)), seen

    at_first = (
        pick(begin[None], u[-1, 0]),
        pick(of_topic[None], u[-1, 1]),
        (u[-1, 2] * language.sentences).astype(jnp.int32),
    )
    _, text = jax.lax.scan(token, at_first, u[:-1])
    return jax.tree.map(lambda x: x.T, text)


def _word_table(language: Language) -> Float[Array, "topic class rank"]:
    """Distribution functions of the words of each class, padded to the largest class."""
    table = np.ones((language.topics, len(language.size), language.size.max()), np.float32)
    for c, (start, n) in enumerate(zip(language.first, language.size, strict=True)):
        table[:, c, :n] = np.cumsum(language.words[:, start : start + n], axis=1)
        table[:, c, n:] = table[:, c, n - 1 : n]
    return jnp.asarray(table)


def windows(
    key: PRNGKeyArray, corpus: Int[Array, "text token"], batch: int, length: int, share: Float[Array, ""] | float = 1.0
) -> Int[Array, "batch length"]:
    """Random pieces of a corpus.

    Args:
        key: randomness.
        corpus: texts, as `write` gives their words.
        batch, length: how many pieces, how long; at most as long as a text.
        share: only the first part of every text is used, in (0, 1], traced: less data.
    """
    texts, tokens = corpus.shape
    of_text, of_place = jax.random.split(key)
    row = jax.random.randint(of_text, (batch, 1), 0, texts)
    ends = jnp.maximum(jnp.floor(share * tokens).astype(jnp.int32) - length + 1, 1)
    at = jax.random.randint(of_place, (batch, 1), 0, ends)
    return corpus[row, at + jnp.arange(length)].astype(jnp.int32)


def best(language: Language, words: Int[Array, "batch token"]) -> Float[Array, "batch token"]:
    """Surprise of every word (nat) to one who knows the language and the words before it in the text.

    No predictor can do better on average; a network's loss minus this is what it still has to learn. Computed by the
    forward recursion over place, topic and the number of sentences since the topic began.
    """
    count, topics = language.sentences, language.topics
    chain, by_word = jnp.asarray(language.chain), jnp.asarray(language.words).T
    fits = jnp.asarray(language.class_of_place) == jnp.asarray(language.class_of_word)[:, None]
    belief = jnp.broadcast_to(
        jnp.asarray(language.start)[:, None, None] / (count * topics), (words.shape[0], len(chain), count, topics)
    )

    def token(belief: Float[Array, "batch place count topic"], word: Int[Array, "batch"]) -> tuple[Array, Array]:
        joint = belief * fits[word][:, :, None, None] * by_word[word][:, None, None, :]
        likely = joint.sum(axis=(1, 2, 3))
        after = joint / likely[:, None, None, None]
        ended = after[:, 0]  # at a full stop the count grows, and after the last sentence any topic may begin
        new_topic = jnp.broadcast_to(ended[:, -1:].mean(axis=-1, keepdims=True), ended[:, -1:].shape)
        after = after.at[:, 0].set(jnp.concatenate([new_topic, ended[:, :-1]], axis=1))
        return jnp.einsum("pq,bpct->bqct", chain, after), -jnp.log(likely)

    return jax.lax.scan(token, belief, words.T)[1].T
