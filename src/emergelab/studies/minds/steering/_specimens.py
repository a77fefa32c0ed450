"""What is examined: a language model that can be opened, or a script in which a direction of certainty is planted.

Both answer the same three questions, so every estimator can be tried on the script, where the truth is known.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab.errors import UserError
from emergelab.lm import LM, Address, Request, choose

from ._prompts import NEUTRAL, SURE, UNSURE, WORDINGS, History

__all__ = ["LAYERS", "Answers", "Model", "Planted", "Specimen", "Steer", "Telling", "model_of"]

LAYERS = ("early", "middle", "late")
_DEPTHS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Telling:
    """How histories are told: one of `WORDINGS`, the arms' names, and the seed that the letters belong to."""

    wording: str
    names: tuple[str, str]
    seed: int


@dataclass(frozen=True)
class Steer:
    """A vector added to the stream at every token after one of `LAYERS`."""

    layer: str
    by: Float[np.ndarray, "width"]


@dataclass(frozen=True)
class Answers:
    """Answers at some histories, averaged over the orders in which options are shown.

    Attributes:
        p: probability of each arm, given that an option is named.
        mass: probability that one is named.
        bias: the most that order and letter moved a log-probability, in nats.
    """

    p: Float[np.ndarray, "history 2"]
    mass: Float[np.ndarray, "history"]
    bias: Float[np.ndarray, "history"]


class Specimen(abc.ABC):
    """Something that chooses between two arms, can be looked into, and can be steered."""

    @abc.abstractmethod
    def choose(self, histories: Sequence[History], telling: Telling, steer: Steer | None = None) -> Answers:
        """Which arm next."""

    @abc.abstractmethod
    def doubt(self, histories: Sequence[History], telling: Telling, steer: Steer | None = None) -> float:
        """Mean probability of calling oneself unsure rather than certain."""

    @abc.abstractmethod
    def activations(self, histories: Sequence[History], telling: Telling) -> Float[np.ndarray, "layer history width"]:
        """The stream at the last token before the answer, averaged over the orders in which options are shown."""

    @abc.abstractmethod
    def damage(self, steer: Steer) -> float:
        """How far reading of a neutral text moves: mean divergence of next tokens, in nats; NaN where there is none."""


class Model(Specimen):
    """A language model inside this process, with sites."""

    def __init__(self, lm: Any) -> None:
        self.lm = lm
        depth = lm.llama.config.layers
        self.sites = {name: f"L.{int(share * depth)}.out" for name, share in zip(LAYERS, _DEPTHS, strict=True)}

    def _steered(self, steer: Steer | None) -> Any:
        if steer is None:
            return self.lm
        return self.lm.edited(el.Shift(self.sites[steer.layer], by=np.asarray(steer.by, np.float32)))

    def choose(self, histories: Sequence[History], telling: Telling, steer: Steer | None = None) -> Answers:
        found = choose(self._steered(steer), _requests(histories, telling), [telling.names] * len(histories))
        return Answers(
            np.array([list(c.probabilities.values()) for c in found]),
            np.array([c.mass for c in found]),
            np.array([c.bias for c in found]),
        )

    def doubt(self, histories: Sequence[History], telling: Telling, steer: Steer | None = None) -> float:
        asked = _requests(histories, telling, doubt=True)
        found = choose(self._steered(steer), asked, [(SURE, UNSURE)] * len(asked))
        return float(np.mean([c.probabilities[UNSURE] for c in found]))

    def activations(self, histories: Sequence[History], telling: Telling) -> Float[np.ndarray, "layer history width"]:
        out = []
        for request in _requests(histories, telling):
            shown = _Shown()
            choose(shown, [request], [telling.names])
            held = [self.lm.read(r, *self.sites.values()) for r in shown.requests]
            out.append([np.mean([h[site][-1] for h in held], axis=0) for site in self.sites.values()])
        return np.swapaxes(np.array(out, float), 0, 1)

    def damage(self, steer: Steer) -> float:
        before, after = (_log_softmax(m.read(NEUTRAL, "logits")["logits"]) for m in (self.lm, self._steered(steer)))
        return float((np.exp(before) * (before - after)).sum(axis=-1).mean())


def model_of(lm: LM, condition: str) -> Model:
    """The run's model as a specimen, out of whatever is around it.

    Raises:
        UserError: its activations are out of reach.
    """
    inner: Any = lm
    while not hasattr(inner, "edited") and hasattr(inner, "lm"):
        inner = inner.lm
    if not (hasattr(inner, "edited") and hasattr(inner, "read")):
        raise UserError(
            f"condition {condition!r} reads and changes activations, which {lm.name} does not give; take a model "
            "inside this process: --lm smollm2, a GGUF file or a folder of safetensors"
        )
    return Model(inner)


def _requests(histories: Sequence[History], telling: Telling, *, doubt: bool = False) -> list[Request]:
    wording = WORDINGS[telling.wording]
    return [Request(wording.prompt(h, telling.names, doubt=doubt), Address(seed=telling.seed)) for h in histories]


class _Shown(LM):
    """Notes the prompts that `choose` would score, options and letters included."""

    name = "note"

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        self.requests = list(requests)
        return [np.zeros(len(c)) for c in continuations]


def _log_softmax(x: Float[np.ndarray, "token word"]) -> Float[np.ndarray, "token word"]:
    x = np.asarray(x, float)
    top = x.max(axis=-1, keepdims=True)
    return x - top - np.log(np.exp(x - top).sum(axis=-1, keepdims=True))


class Planted(Specimen):
    """A softmax player whose inverse temperature stands in its activations, along a direction that is known.

    The stream holds the log-odds of arm 1 along `odds` and the logarithm of what they are multiplied by along
    `certainty`, which grows with every pull; the rest is noise, a function of the history. After the early layer
    nothing that is added arrives, after the late one half of it does.
    """

    width = 24
    reach = dict(zip(LAYERS, (0.0, 1.0, 0.5), strict=True))

    def __init__(self, seed: int) -> None:
        axes, _ = np.linalg.qr(np.random.default_rng([seed, 8_191]).normal(size=(self.width, 3)))
        self.odds, self.certainty, self.common = axes.T

    def _stream(self, histories: Sequence[History]) -> Float[np.ndarray, "history width"]:
        rows = []
        for history in histories:
            sums, counts = np.zeros(2), np.zeros(2)
            for arm, points in history:
                sums[arm] += (points - 50) / 10
                counts[arm] += 1
            means = sums / (1 + counts)
            certain = 0.35 * len(history) - 0.5
            rest = np.random.default_rng([len(history), *(arm * 1000 + points % 1000 for arm, points in history)])
            noise = 0.05 * rest.normal(size=self.width)
            rows.append((means[1] - means[0]) * self.odds + certain * self.certainty + 3.0 * self.common + noise)
        return np.array(rows)

    def choose(self, histories: Sequence[History], telling: Telling, steer: Steer | None = None) -> Answers:
        z = self._stream(histories)
        if steer is not None:
            z = z + self.reach[steer.layer] * steer.by
        odds = (z @ self.odds) * np.exp(np.clip(z @ self.certainty, -5, 5))
        p = 1 / (1 + np.exp(-odds))
        return Answers(np.stack([1 - p, p], axis=1), np.ones(len(z)), np.zeros(len(z)))

    def doubt(self, histories: Sequence[History], telling: Telling, steer: Steer | None = None) -> float:
        z = self._stream(histories)
        if steer is not None:
            z = z + self.reach[steer.layer] * steer.by
        return float(np.mean(1 / (1 + np.exp(z @ self.certainty))))

    def activations(self, histories: Sequence[History], telling: Telling) -> Float[np.ndarray, "layer history width"]:
        return np.stack([self._stream(histories)] * len(LAYERS))

    def damage(self, steer: Steer) -> float:
        return float("nan")
