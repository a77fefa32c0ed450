"""What agents remember, and how they find it again: the memory stream of Park et al. (2023), for memories in words.

A memory scores by how recent, how important and how relevant to the question it is. `retrieval_parts` is that formula,
once for all kinds of memory: it takes arrays of numpy or of JAX, so that memories made of numbers
(`emergelab.games.memory`) are found by the same rule as memories made of words (`Memory`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Num

from ..errors import UserError

__all__ = ["Found", "Memory", "Node", "Retrieval", "cached", "facts_in", "hashed", "retrieval_parts", "scaled"]

Part = Float[Any, "node"]
KINDS = ("event", "chat", "thought", "plan")
_STOP = frozenset(
    "a about all am an and are as at be been but by can did do does for from had has have he her him his how i if in "  # noqa: SIM905
    "is it its me my no not of on or our say says she so that the their them there they this to too us was we were "
    "what when where which who will with you your".split()
)
_WORD = re.compile(r"[^\W_]+")

# -- the formula ----------------------------------------------------------------------------------------------------


def scaled(values: Part, there: Bool[Any, "node"], xp: Any = np) -> Part:
    """Values stretched to [0, 1] over the memories that are there; 0.5 for all where they are equal, 0 for the others.

    Args:
        values: one number a memory.
        there: which memories there are.
        xp: `numpy` or `jax.numpy`.
    """
    low = xp.min(xp.where(there, values, xp.inf))
    high = xp.max(xp.where(there, values, -xp.inf))
    spread = high - low
    flat = ~(spread > 0)
    stretched = (values - low) / xp.where(flat, 1.0, spread)
    return xp.where(there, xp.where(flat, 0.5, stretched), 0.0)


def retrieval_parts(
    age: Part,
    order: Num[Any, "node"],
    similarity: Part,
    importance: Part,
    there: Bool[Any, "node"],
    *,
    decay: Any = 0.995,
    ranked: bool = False,
    oldest_first: Any = False,
    xp: Any = np,
) -> tuple[Part, Part, Part]:
    """Recency, relevance and importance of all memories, each stretched to [0, 1].

    Recency is `decay` to the power of the hours since a memory was last called up. The code that was released with the
    paper takes the rank instead of the hours, and ranks from the wrong end: the memory that was called up longest ago
    gets the most. `ranked` with `oldest_first` is that code, `ranked` alone what it was meant to be.

    Args:
        age: hours since a memory was last called up (or made).
        order: when it was made, for ranks among memories that were called up at the same time.
        similarity: cosine of a memory and the question.
        importance: on any scale.
        there: which memories there are.
        decay: in (0, 1].
        ranked: by rank of last access instead of hours.
        oldest_first: rank from the wrong end.
        xp: `numpy` or `jax.numpy`.
    """
    if ranked:
        # Ranks from the longest ago, 1 and up; memories that are not there come last and do not count.
        by_access = xp.lexsort((order, xp.where(there, -age, xp.inf)))
        from_oldest = xp.argsort(by_access) + 1
        from_newest = xp.sum(there) + 1 - from_oldest
        recency = xp.power(decay, 1.0 * xp.where(xp.asarray(oldest_first), from_oldest, from_newest))
    else:
        recency = xp.power(decay, 1.0 * age)
    return scaled(recency, there, xp), scaled(similarity, there, xp), scaled(1.0 * importance, there, xp)


# -- memories in words ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """One memory.

    Attributes:
        id: its number in its owner's stream, from 0.
        kind: "event", "chat", "thought" or "plan".
        time: step at which it was made.
        accessed: step at which it was last called up.
        text: what it says.
        importance: 1 to 10.
        facts: ids of the facts that it states, found by rule (`facts_in`).
        evidence: ids of the memories that a thought rests on.
        source: who told it, "" for what its owner saw or thought.
    """

    id: int
    kind: str
    time: int
    accessed: int
    text: str
    importance: float
    facts: tuple[str, ...] = ()
    evidence: tuple[int, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Retrieval:
    """How memories are scored.

    Attributes:
        recency, relevance, importance: weights of the three parts; the paper has 1 each, the released code 0.5, 3, 2.
        decay: of recency by hour, or by rank if `ranked`.
        ranked, oldest_first: see `retrieval_parts`.
        hours: hours a step lasts.
    """

    recency: float = 1.0
    relevance: float = 1.0
    importance: float = 1.0
    decay: float = 0.995
    ranked: bool = False
    oldest_first: bool = False
    hours: float = 1.0


@dataclass(frozen=True)
class Found:
    """A memory that was called up, with its score and the three parts of it (each in [0, 1], before weighting)."""

    node: Node
    score: float
    recency: float
    relevance: float
    importance: float


class Memory:
    """One agent's stream of memories in words.

    Args:
        embed: texts to unit vectors: `hashed`, or `open_minilm().embed`. Each text is embedded once.
        retrieval: how memories are scored.
        nodes: what is remembered already.

    It is a value of its nodes: `to_json` and `from_json` keep these, vectors are made again.
    """

    def __init__(
        self,
        embed: Callable[[Sequence[str]], Float[np.ndarray, "text dim"]],
        retrieval: Retrieval | None = None,
        nodes: Sequence[Node] = (),
    ) -> None:
        self.retrieval = Retrieval() if retrieval is None else retrieval
        self._embed, self._vectors = embed, dict[str, np.ndarray]()
        self.nodes: list[Node] = list(nodes)
        self._next = max((n.id for n in nodes), default=-1) + 1

    def __len__(self) -> int:
        return len(self.nodes)

    def add(
        self,
        kind: str,
        text: str,
        time: int,
        importance: float,
        *,
        facts: Sequence[str] = (),
        evidence: Sequence[int] = (),
        source: str = "",
    ) -> Node:
        """Remember something; returns the new memory.

        Raises:
            UserError: an unknown kind, an importance outside 1 to 10, evidence that is not in the stream.
        """
        if kind not in KINDS:
            raise UserError(f"memory: kind must be one of {', '.join(KINDS)}, got {kind!r}")
        if not 1 <= importance <= 10:
            raise UserError(f"memory: importance must be in [1, 10], got {importance!r}")
        lacking = set(evidence) - {n.id for n in self.nodes}
        if lacking:
            raise UserError(f"memory: evidence must be ids of memories of this stream, got {sorted(lacking)}")
        node = Node(self._next, kind, time, time, text, float(importance), tuple(facts), tuple(evidence), source)
        self._next += 1
        self.nodes.append(node)
        return node

    def retrieve(self, question: str, now: int, n: int = 30) -> list[Found]:
        """The `n` memories of highest score, the best first; equals in the order in which they were made.

        Those that are found count as called up now.
        """
        if not self.nodes or n < 1:
            return []
        rule = self.retrieval
        parts = self.parts(question, now)
        score = rule.recency * parts[0] + rule.relevance * parts[1] + rule.importance * parts[2]
        best = np.argsort(-score, kind="stable")[:n]
        for i in best:
            self.nodes[i] = dataclasses.replace(self.nodes[i], accessed=now)
        return [Found(self.nodes[i], float(score[i]), *(float(p[i]) for p in parts)) for i in best]

    def parts(self, question: str, now: int) -> tuple[Part, Part, Part]:
        """Recency, relevance and importance of all memories for a question, each in [0, 1]; nothing is called up."""
        vectors = self._vectors_of([question, *(n.text for n in self.nodes)])
        # Rounded, so that the same words in another order of summation are as relevant.
        similarity = np.round((vectors[1:] @ vectors[0]).astype(float), 6)
        age = self.retrieval.hours * (now - np.array([n.accessed for n in self.nodes], float))
        return retrieval_parts(
            age,
            np.array([n.id for n in self.nodes]),
            similarity,
            np.array([n.importance for n in self.nodes]),
            np.ones(len(self.nodes), bool),
            decay=self.retrieval.decay,
            ranked=self.retrieval.ranked,
            oldest_first=self.retrieval.oldest_first,
        )

    def knows(self, fact: str) -> bool:
        """Whether any memory states the fact: verified in memory, not by asking."""
        return any(fact in n.facts for n in self.nodes)

    def forget(self, fact: str) -> int:
        """Delete all memories that state the fact; returns how many. Thoughts keep their pointers to what is gone."""
        before = len(self.nodes)
        self.nodes = [n for n in self.nodes if fact not in n.facts]
        return before - len(self.nodes)

    def to_json(self) -> list[dict[str, Any]]:
        """The nodes as JSON-ready mappings."""
        # dataclasses.asdict copies every value deeply, which takes longer than the rest of a town's hour
        return [vars(n) | {"facts": list(n.facts), "evidence": list(n.evidence)} for n in self.nodes]

    @classmethod
    def from_json(
        cls,
        nodes: Sequence[Mapping[str, Any]],
        embed: Callable[[Sequence[str]], Float[np.ndarray, "text dim"]],
        retrieval: Retrieval | None = None,
    ) -> Memory:
        """The stream that `to_json` wrote."""
        kept = [Node(**{**n, "facts": tuple(n["facts"]), "evidence": tuple(n["evidence"])}) for n in nodes]
        return cls(embed, retrieval, kept)

    def _vectors_of(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        new = [t for t in dict.fromkeys(texts) if t not in self._vectors]
        if new:
            self._vectors |= dict(zip(new, self._embed(new), strict=True))
        return np.stack([self._vectors[t] for t in texts])


def cached(
    embed: Callable[[Sequence[str]], Float[np.ndarray, "text dim"]], texts: int = 20_000
) -> Callable[[Sequence[str]], Float[np.ndarray, "text dim"]]:
    """`embed` that remembers the vectors of so many texts, for memories that are often made again from JSON."""

    @lru_cache(texts)
    def one(text: str) -> np.ndarray:
        return np.asarray(embed([text])[0])

    return lambda many: np.stack([one(text) for text in many])


# -- what texts say -------------------------------------------------------------------------------------------------


def hashed(texts: Sequence[str], width: int = 256) -> Float[np.ndarray, "text dim"]:
    """Unit vectors of texts by their words alone, for where no encoder is at hand.

    Each word but the commonest, without a final "s", adds plus or minus one at a place that its hash gives; repeated
    words add with the root of their number. Texts that share words are near, synonyms are not. A text without such
    words is the zero vector.
    """
    out = np.zeros((len(texts), width))
    for row, text in zip(out, texts, strict=True):
        counts: dict[str, int] = {}
        for word in _WORD.findall(text.casefold()):
            if word not in _STOP:
                stem = word.removesuffix("s") if len(word) > 3 else word
                counts[stem] = counts.get(stem, 0) + 1
        for word, count in counts.items():
            code = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
            row[(code >> 1) % width] += np.sqrt(count) * (1 if code & 1 else -1)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))


def facts_in(text: str, aliases: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Which facts a text states, by rule and not by asking whoever wrote it.

    Args:
        text: what was said.
        aliases: fact id -> wordings. A wording is met if all its words stand in the text, in any order and case, as
            whole words; a fact is stated if one of its wordings is met.
    """
    said = set(_WORD.findall(text.casefold()))
    return tuple(
        fact
        for fact, wordings in aliases.items()
        if any(set(_WORD.findall(w.casefold())) <= said for w in wordings if w.strip())
    )
