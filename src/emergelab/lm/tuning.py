"""Teaching an embedded model from examples: low-rank changes of its matrices (Hu et al. 2021), on a processor.

    adapter = tune(model, [Example("Bo defected. You", " defect"), ...])
    taught = adapter.on(model)

The weights stay as they are; what is learnt is a thin product B A beside each of some matrices of every block. Only the
tokens of the answers count.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from ..errors import UserError, need
from ._llama import Block, Llama, LowRank
from ._passes import bucket, padded
from .base import ModelError, Request, Turn
from .embedded import Embedded

__all__ = ["Adapter", "Example", "tune"]

PARTS = ("q", "v", "gate", "up", "down")
Learnt = dict[str, dict[str, Float[Array, "..."]]]


@dataclass(frozen=True)
class Example:
    """What should be answered to what.

    Attributes:
        prompt: a text, or turns that go through the model's chat template.
        answer: the answer, after which the model should end.
    """

    prompt: str | tuple[Turn, ...]
    answer: str


@dataclass(frozen=True)
class Adapter:
    """What was learnt.

    Attributes:
        learnt: for each part of a block the factors `a` [layer, rank, in] and `b` [layer, out, rank].
        base: revision of the model that was taught.
        losses: mean loss (nats a token) of each step.
    """

    learnt: Learnt
    base: str
    losses: tuple[float, ...] = field(default=(), compare=False)

    @property
    def revision(self) -> str:
        """A checksum of what was learnt."""
        found = hashlib.blake2b(digest_size=8)
        for name, array in self._flat().items():
            found.update(name.encode() + array.tobytes())
        return found.hexdigest()

    def _flat(self) -> dict[str, np.ndarray]:
        return {
            f"{part}.{which}": np.ascontiguousarray(factors[which], np.float32)
            for part, factors in sorted(self.learnt.items())
            for which in ("a", "b")
        }

    def on(self, model: Embedded) -> Embedded:
        """The model with what was learnt merged into its weights: as quick as it was before.

        Raises:
            ModelError: it was learnt on another model.
        """
        if model.revision != self.base:
            raise ModelError(f"the adapter was learnt on {self.base}, and this is {model.name} {model.revision}")
        found = model.llama
        blocks = []
        for i, block in enumerate(found.blocks):  # type: ignore[arg-type]
            own = jax.tree.map(lambda w, i=i: w[i], self.learnt)
            merged = {p: w.merged() for p, w in _with(block, own).items()}
            blocks.append(dataclasses.replace(block, **merged))
        made = copy.copy(model)
        made.llama = dataclasses.replace(found, blocks=tuple(blocks))
        made._adapter, made._openings = self.revision, {}
        return made

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        files = need("safetensors.numpy", "lm", "writing an adapter")
        about = {"base": self.base, "losses": json.dumps(self.losses)}
        try:
            files.save_file(self._flat(), str(path), metadata=about)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None

    @classmethod
    def load(cls, path: str | Path) -> Adapter:
        """Read a safetensors file that `save` wrote."""
        library = need("safetensors", "lm", "reading an adapter")
        learnt: Learnt = {}
        try:
            with library.safe_open(str(path), framework="numpy") as file:
                about = file.metadata() or {}
                for name in file.keys():  # noqa: SIM118 - it is no mapping
                    part, _, which = name.partition(".")
                    learnt.setdefault(part, {})[which] = jnp.asarray(file.get_tensor(name))
            base, losses = about["base"], tuple(json.loads(about["losses"]))
        except Exception as error:  # the library's own kind of error is not public
            raise UserError(f"{path}: cannot be read as an adapter ({type(error).__name__}: {error})") from None
        return cls(learnt, base, losses)


def tune(
    model: Embedded,
    examples: Sequence[Example],
    *,
    steps: int = 25,
    batch: int = 8,
    rank: int = 8,
    rate: float = 2e-3,
    parts: Sequence[str] = PARTS,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Adapter:
    """Teach a model from examples.

    Args:
        model: in float32, without interventions.
        examples: are dealt in batches, each once before any comes again.
        steps: of Adam.
        batch: examples in a step.
        rank: of the changes.
        rate: learning rate.
        parts: matrices that change: q, k, v, o, gate, up, down.
        seed: decides the first values and the order of the examples.
        progress: is told a line a step.

    Returns:
        what was learnt; `.on(model)` is the model that learnt it.

    Raises:
        UserError: there are no examples, or an argument is out of range.
        ModelError: the model has interventions.
    """
    examples = list(examples)
    known = ("q", "k", "v", "o", "gate", "up", "down")
    for ok, wrong in (
        (examples, "there are no examples"),
        (min(steps, batch, rank) >= 1, "steps, batch and rank must be at least 1"),
        (parts and set(parts) <= set(known), f"parts must be some of {', '.join(known)}, got {list(parts)}"),
    ):
        if not ok:
            raise UserError(f"tune: {wrong}")
    if model.interventions:
        raise ModelError("tune: take the model without its interventions")
    rng = np.random.default_rng(seed)
    rows = [_tokens(model, e) for e in examples]
    width = bucket(max(len(ids) - 1 for ids, _ in rows))
    most = max(n for _, n in rows)
    learnt = _first(model.llama, rank, parts, seed)
    memory = optax.adam(rate).init(learnt)
    losses: list[float] = []
    order: list[int] = []
    for step in range(steps):
        while len(order) < batch:
            order += rng.permutation(len(rows)).tolist()
        taken, order = [rows[i] for i in order[:batch]], order[batch:]
        tokens, lengths = padded([ids[:-1] for ids, _ in taken], batch, width)
        targets = np.zeros((batch, most), np.int32)
        for i, (ids, n) in enumerate(taken):
            targets[i, :n] = ids[len(ids) - n :]
        answers = np.array([n for _, n in taken], np.int32)
        learnt, memory, loss = _step(learnt, memory, model.llama, tokens, lengths, targets, answers, rate=rate)
        losses.append(float(loss))
        if progress is not None:
            progress(f"step {step + 1} of {steps}: loss {losses[-1]:.3f}")
    return Adapter(learnt, model.revision, tuple(losses))


def _tokens(model: Embedded, example: Example) -> tuple[list[int], int]:
    """Ids of prompt, answer and end, and how many of them are answer and end."""
    prompt = model._prompt(Request(example.prompt))
    answer = [*model._continuation(example.answer), model.tokenizer.end]
    model._fits(len(prompt), len(answer))
    return prompt + answer, len(answer)


def _first(llama: Llama, rank: int, parts: Sequence[str], seed: int) -> Learnt:
    """Small random `a`, and zero `b`: at first nothing is changed."""
    out: Learnt = {}
    for i, part in enumerate(parts):
        outward, inward = getattr(llama.blocks[0], part).shape  # type: ignore[index]
        key = jax.random.fold_in(jax.random.key(seed), i)
        a = jax.random.uniform(key, (llama.config.layers, rank, inward), minval=-1.0, maxval=1.0) * inward**-0.5
        out[part] = {"a": a, "b": jnp.zeros((llama.config.layers, outward, rank))}
    return out


def _with(block: Block, learnt: Learnt) -> dict[str, LowRank]:
    return {p: LowRank(getattr(block, p), f["a"], f["b"]) for p, f in learnt.items()}


@partial(jax.jit, static_argnames="rate", donate_argnames=("learnt", "memory"))
def _step(
    learnt: Learnt,
    memory: Any,
    llama: Llama,
    tokens: Int[Array, "batch t"],
    lengths: Int[Array, "batch"],
    targets: Int[Array, "batch answer"],
    answers: Int[Array, "batch"],
    *,
    rate: float,
) -> tuple[Learnt, Any, Float[Array, ""]]:
    """One step of Adam on the mean loss of the answers' tokens."""

    stacked: Block = jax.tree.map(lambda *w: jnp.stack(w), *llama.blocks)

    def loss(learnt: Learnt) -> Float[Array, ""]:
        model = dataclasses.replace(llama, blocks=dataclasses.replace(stacked, **_with(stacked, learnt)))
        x = model.hidden(tokens)
        # The token at place `length - answers + j` foretells the answer's token j.
        places = jnp.clip((lengths - answers)[:, None] + jnp.arange(targets.shape[1]), 0, tokens.shape[1] - 1)
        logits = model.logits(jnp.take_along_axis(x, places[..., None], axis=1))
        told = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)[..., 0]
        real = jnp.arange(targets.shape[1]) < answers[:, None]
        return -jnp.where(real, told, 0).sum() / real.sum()

    value, slope = jax.value_and_grad(loss)(learnt)
    change, memory = optax.adam(rate).update(slope, memory)
    return optax.apply_updates(learnt, change), memory, value
