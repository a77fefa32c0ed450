"""The methods of the study `reality-check`, and the space in which the settings of each are searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from emergelab.continual import methods as mt
from emergelab.continual.exemplars import GEM, GDumb, ICaRL

__all__ = ["KNOBS", "METHODS", "MOST", "SUITES", "Candidate", "Knob", "Sizes", "settings_of"]


@dataclass(frozen=True)
class Knob:
    """A number that is searched.

    Attributes:
        name: what it is.
        low, high: its range.
        default: as the method's authors or the library Mammoth set it for digits (MNIST), converted to our losses.
        log: whether it is drawn evenly in its logarithm.
    """

    name: str
    low: float
    high: float
    default: float
    log: bool = True

    def at(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        """The value at a place between 0 and 1."""
        if self.log:
            return self.low * (self.high / self.low) ** u
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class Sizes:
    """What all methods share: slots of memory, examples drawn again in a step, tasks, classes; updates of GDumb."""

    slots: int
    again: int
    tasks: int
    classes: int
    updates: int


@dataclass(frozen=True)
class Candidate:
    """A method with its knobs.

    Attributes:
        knobs: the learning rate first.
        make: from the knobs' values, without the rate, to the method. Of GDumb the rate is not of the stream but of
            the training on memory, so it gets all.
        about: one line.
    """

    knobs: tuple[Knob, ...]
    make: Callable[[Float[Array, "knob"], Sizes], mt.Method]
    about: str


def _rate(default: float) -> Knob:
    return Knob("rate", 0.01, 1.0, default)


METHODS: dict[str, Candidate] = {
    "naive": Candidate((_rate(0.03),), lambda k, s: mt.Naive(), "nothing is done"),
    "EWC": Candidate(
        (_rate(0.03), Knob("strength", 1.0, 1e4, 180.0), Knob("decay", 0.5, 1.0, 1.0, log=False)),
        lambda k, s: mt.OnlineEWC(k[1], k[2], labels="drawn"),
        "elastic weight consolidation, online",
    ),
    "SI": Candidate(
        (_rate(0.1), Knob("strength", 0.01, 100.0, 1.0), Knob("damping", 1e-3, 1.0, 0.9)),
        lambda k, s: mt.SI(k[1], k[2]),
        "synaptic intelligence",
    ),
    "LwF": Candidate((_rate(0.03), Knob("strength", 0.1, 10.0, 1.0)), lambda k, s: mt.LwF(k[1]), "the old net teaches"),
    "A-GEM": Candidate(
        (_rate(0.1),), lambda k, s: mt.AGEM(slots=s.slots, count=s.again), "gradients not against memory"
    ),
    "GEM": Candidate(
        (_rate(0.01), Knob("margin", 0.0, 1.0, 1.0, log=False)),
        lambda k, s: GEM(k[1], s.tasks, s.slots // s.tasks, 5),
        "gradients against no task's memory",
    ),
    "GDumb": Candidate(
        (_rate(0.05), Knob("last", 1e-3, 1.0, 0.01)),
        lambda k, s: GDumb(k[0], k[1], s.slots, s.again, s.updates),
        "a new network, from memory alone",
    ),
    "iCaRL": Candidate(
        (_rate(0.1), Knob("strength", 0.1, 10.0, 1.0)),
        lambda k, s: ICaRL(k[1], s.slots // s.classes, s.again),
        "herded exemplars, nearest mean",
    ),
    "ER": Candidate(
        (_rate(0.01), Knob("labels", 0.2, 5.0, 1.0)),
        lambda k, s: mt.Replay(k[1], 0.0, False, s.slots, s.again),
        "experience replay",
    ),
    "ER-ACE": Candidate(
        (_rate(0.03), Knob("labels", 0.2, 5.0, 1.0)),
        lambda k, s: mt.Replay(k[1], 0.0, True, s.slots, s.again),
        "replay, the batch among its own classes",
    ),
    "DER++": Candidate(
        (_rate(0.03), Knob("labels", 0.2, 5.0, 1.0), Knob("logits", 0.05, 5.0, 0.2)),
        lambda k, s: mt.Replay(k[1], k[2], False, s.slots, s.again),
        "replay of labels and logits",
    ),
}
KNOBS = {name: len(one.knobs) for name, one in METHODS.items()}
"""How many numbers are searched, by method."""
MOST = max(KNOBS.values())
SUITES: dict[str, tuple[str, ...]] = {
    "two": ("naive", "ER"),
    "three": ("naive", "ER", "DER++"),
    "eight": ("naive", "EWC", "LwF", "GDumb", "iCaRL", "ER", "ER-ACE", "DER++"),
    "all": tuple(METHODS),
}
"""Which methods compete."""


def settings_of(name: str, u: Float[Array, "trial knob"], frozen: Float[Array, ""]) -> Float[Array, "setting knob"]:
    """Settings at places in the space; one more at the end has all defaults.

    Args:
        name: the method.
        u: places between 0 and 1; knobs that the method lacks are passed over, and 0 in what is returned.
        frozen: 1 sets every knob but the rate to its default, 0 none.
    """
    columns = []
    for i in range(MOST):
        if i >= KNOBS[name]:
            columns.append(jnp.zeros(u.shape[0] + 1))
            continue
        knob = METHODS[name].knobs[i]
        value = knob.at(u[:, i])
        value = value if i == 0 else jnp.where(frozen > 0, knob.default, value)
        columns.append(jnp.append(value, knob.default))
    return jnp.stack(columns, axis=1)
