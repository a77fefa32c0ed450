"""Choices by log-probability, with the biases of place and letter taken out.

A small model prefers the first of two options, or the letter J, whatever they stand for. So options are shown under
neutral letters, in as many rotations of their order as there are options, and the log-odds are averaged: a preference
for a place or a letter adds the same to every option once and cancels. What is left is the preference for the option.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..errors import UserError
from .base import LM, Request, Turn

__all__ = ["Chosen", "choose", "show_options"]

LETTERS = ("J", "F", "Q", "M", "H", "V", "B", "L", "W", "K", "R", "T")
"""Letters that no reader would take for a rank; each is one token in the usual vocabularies."""


@dataclass(frozen=True)
class Chosen:
    """How likely each option is, and how much place and letter mattered.

    Attributes:
        probabilities: option -> probability, biases averaged out; they add up to 1.
        rotations: log-probability of each option under each order of showing, normalised over options,
            [rotation, option].
        mass: share of the model's probability that fell on the letters (or on the options' texts), mean over rotations:
            near 0, the model wanted to say something else.
        bias: the most that the place (with its letter) moved an option's log-probability from its mean, in nats.
    """

    probabilities: Mapping[str, float]
    rotations: Float[np.ndarray, "rotation option"]
    mass: float
    bias: float

    def draw(self, rng: np.random.Generator, temperature: float = 1.0) -> str:
        """An option: the likeliest at temperature 0, else drawn from the probabilities to the power 1/temperature."""
        names = list(self.probabilities)
        logs = np.log(np.maximum(list(self.probabilities.values()), 1e-300))
        if temperature == 0:
            return names[int(np.argmax(logs))]
        # one uniform number for each decision, so that conditions that share their random numbers stay paired
        p = np.exp((logs - logs.max()) / temperature)
        return names[int(np.searchsorted(np.cumsum(p / p.sum()), rng.random() * (1 - 1e-12)))]


def show_options(request: Request, labels: Sequence[str], options: Sequence[str]) -> Request:
    """The request with the options listed under their labels, asking for a label."""
    lines = "\n".join(f"{label}) {option}" for label, option in zip(labels, options, strict=True))
    text = f"\n{lines}\nAnswer with one letter: {', '.join(labels[:-1])} or {labels[-1]}."
    if isinstance(request.prompt, str):
        return dataclasses.replace(request, prompt=f"{request.prompt}{text}\nAnswer:")
    *before, last = request.prompt
    return dataclasses.replace(request, prompt=(*before, Turn(last.role, last.text + text)))


def choose(
    lm: LM,
    requests: Sequence[Request],
    options: Sequence[Sequence[str]],
    *,
    labels: bool = True,
    rotations: int | None = None,
) -> list[Chosen]:
    """How likely each option is for each request.

    Args:
        lm: a model with log-probabilities.
        requests: the questions.
        options: for each, two or more different options; at most 12 under letters.
        labels: show the options under letters and score the letters; False scores the options' own texts as answers,
            without listing them (for numbers on a grid, whose order says something).
        rotations: orders in which options are shown; None: as many as there are options, which cancels the bias of
            place and letter; 1 leaves it in. Under letters only.

    Raises:
        UserError: too few, too many or equal options.
        ModelError: the model gives no log-probabilities.
    """
    plans = [_rotations(r, o, labels, rotations) for r, o in zip(requests, options, strict=True)]
    asked, said = [], []
    for request, (own, orders, letters) in zip(requests, plans, strict=True):
        for order in orders:
            if labels:
                asked.append(show_options(request, letters, [own[i] for i in order]))
                said.append(_answers(request, letters))
            else:
                asked.append(request)
                said.append(_answers(request, own))
    scores = iter(lm.score(asked, said))
    out = []
    for own, orders, _ in plans:
        rows = np.full((len(orders), len(own)), np.nan)
        mass = []
        for r, order in enumerate(orders):
            found = np.asarray(next(scores), dtype=float)
            total = float(np.logaddexp.reduce(found))
            mass.append(np.exp(min(total, 0.0)))
            rows[r, order] = found - total
        mean = rows.mean(axis=0)
        p = np.exp(mean - np.logaddexp.reduce(mean))
        bias = float(np.abs(rows - mean).max()) if len(rows) > 1 else 0.0
        out.append(Chosen(dict(zip(own, map(float, p), strict=True)), rows, float(np.mean(mass)), bias))
    return out


def _answers(request: Request, texts: Sequence[str]) -> list[str]:
    """Texts as they would go on: after a bare prompt with a space, in a turn of their own without."""
    return [f" {t}" if isinstance(request.prompt, str) else t for t in texts]


def _rotations(
    request: Request, options: Sequence[str], labels: bool, rotations: int | None
) -> tuple[list[str], list[list[int]], list[str]]:
    own = list(options)
    if len(own) < 2 or len(set(own)) < len(own):
        raise UserError(f"choose needs two or more different options, got {own}")
    if not labels:
        return own, [list(range(len(own)))], []
    if len(own) > len(LETTERS):
        raise UserError(f"choose: at most {len(LETTERS)} options fit under letters, got {len(own)}; use labels=False")
    if rotations is not None and rotations < 1:
        raise UserError(f"rotations must be 1 or more, got {rotations}")
    # letters and the first order belong to the seed, so that no society's result hangs on one arrangement
    rng = np.random.default_rng([request.address.seed, 20_011])
    letters = [str(c) for c in rng.permutation(LETTERS)[: len(own)]]
    first = rng.permutation(len(own))
    count = len(own) if rotations is None else min(rotations, len(own))
    return own, [[int(i) for i in np.roll(first, -k)] for k in range(count)], letters
