"""A language model inside this process: weights from disk, computed by JAX, open to interventions.

    model = open_embedded("smollm2")
    model.complete([Request("Once upon a time", temperature=0)])
    steered = model.edited(el.Shift("L.15.out", by=direction))

Its sites have names such as `L.3.pattern` and `L.15.out`; `emergelab sites smollm2` lists them. What an answer is
depends on its request alone: not on the batch, its order, or what was asked before.
"""

from __future__ import annotations

import copy
import copyreg
import hashlib
import warnings
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from .. import assets
from .._site import SiteInfo, _stack, catalogue, require
from ..errors import UserError
from ..intervention import Ablate, Clamp, Intervention, Scale, Shift
from . import _passes as passes
from ._answer import Answer
from ._beginnings import COMPUTED, SLOTS, beginnings, packed
from ._gguf import Gguf
from ._llama import (
    PARTS,
    Config,
    Llama,
    Past,
    empty,
    read_gguf,
    read_safetensors,
    shapes,
)
from ._sharing import SHARED, common_tokens, padded_height
from ._tokenizer import Tokenizer
from ._weights import checksum, opened, place
from .base import LM, Completion, ModelError, Request

__all__ = ["Embedded", "open_embedded", "sites"]

_KEPT = 4096  # tokens of openings that are kept from one call to the next
_GROUP = 512  # prompts whose beginnings are held together: they may take ten megabytes each

#: Sizes of the models among the assets, so that their sites can be listed before the weights are here.
_KNOWN = {
    "smollm2": Config(
        layers=30, width=576, heads=9, kv_heads=3, head=64, hidden=1536, vocabulary=49_152, context=8192,
        base=1e5, eps=1e-5,
    ),
}  # fmt: skip


class Embedded(LM):
    """A Llama-family model in this process. `open_embedded` makes one.

    Attributes:
        llama: its weights.
        tokenizer: text to token ids and back.
        interventions: what is done to its sites.
    """

    def __init__(self, name: str, llama: Llama, tokenizer: Tokenizer, revision: str) -> None:
        self.name, self.llama, self.tokenizer = name, llama, tokenizer
        self.interventions: tuple[Intervention, ...] = ()
        self._weights, self._adapter = revision, ""
        self.share = True  # compute what prompts begin with only once
        self._openings: dict[tuple[int, ...], Past] = {}

    @property
    def revision(self) -> str:  # type: ignore[override]
        """Checksum of the weights, with those of an adapter and of the interventions where there are any."""
        parts = [self._weights, self._adapter, _digest(self.interventions) if self.interventions else ""]
        return "+".join(p for p in parts if p)

    def about(self) -> dict[str, Any]:
        """Name, revision and what was done to the model."""
        more: dict[str, Any] = {"dtype": str(self.llama.embed.dtype)}
        if self.interventions:
            more["interventions"] = [f"{type(i).__name__}({i.site!r})" for i in self.interventions]
        return super().about() | more

    def __reduce__(self) -> Any:
        """Another process opens the same weights and edits them alike; learnt ones go along as they are."""
        if self.spec and not self._adapter:
            return _opened_and_edited, (self.spec, self.interventions)
        return copyreg.__newobj__, (type(self),), self.__dict__ | {"_openings": {}}  # type: ignore[attr-defined]

    def edited(self, *interventions: Intervention) -> Embedded:
        """The same model with interventions at its sites, added to those that it has; the weights are shared.

        Strengths and values are operands: a sweep over them compiles once. `during` counts new tokens: step 0 is the
        pass over the prompt (and all of `score` and `read`), step t the pass that chooses new token t. What an
        intervention holds is broadcast to [text, token, ...]; if it has an axis of tokens, or acts across texts
        (`Noise`, `Swap`, `Replay`, `Ablate` to the mean), texts are computed one by one and without padding.

        Raises:
            SiteError: a site that the model does not have.
        """
        known = _names(self.llama.config)
        for one in interventions:
            require(one.site, known, self.name)
        made = copy.copy(self)
        made.interventions, made._openings = (*self.interventions, *interventions), {}
        return made

    # -- the verbs --------------------------------------------------------------------------------------------------

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion a request, in order. A request's schema is not enforced: answers are free text.

        `logprob` sums over the tokens of the answer, without the token that ends it.
        """
        requests = list(requests)
        prompts = [self._prompt(r) for r in requests]
        for ids, request in zip(prompts, requests, strict=True):
            self._fits(len(ids), request.max_tokens)
        out: list[Completion | None] = [None] * len(requests)
        for rows, left, before in self._batches(prompts, [r.max_tokens for r in requests]):
            made = self._complete(left, [requests[i] for i in rows], [len(prompts[i]) for i in rows], before)
            for i, one in zip(rows, made, strict=True):
                out[i] = one
        return [one for one in out if one is not None]

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        """Log-probabilities (nats) of continuations of each request's prompt, summed over their tokens, in order.

        A prompt and its continuation are cut into tokens apart, so that all options of a request follow the very same
        tokens, and the number is the probability that `complete` at temperature 1 begins with exactly these tokens.
        The other way, cutting both together, may merge a token across the seam (a prompt that ends in a space is the
        usual case); where it would, a warning names the two. Temperature and limits of the request play no role.
        """
        requests, options = list(requests), [[str(o) for o in c] for c in continuations]
        if len(options) != len(requests):
            raise ModelError(f"score: {len(requests)} requests, but {len(options)} lists of continuations")
        prompts = [self._prompt(r) for r in requests]
        told = [[self._continuation(o) for o in c] for c in options]
        self._warn_of_seams(requests, options, prompts, told)
        longest = [max((len(t) for t in ts), default=0) for ts in told]
        for ids, n in zip(prompts, longest, strict=True):
            self._fits(len(ids), n)
        out: list[np.ndarray] = [np.zeros(0, np.float32)] * len(requests)
        # Logits of a further token, one a word of the vocabulary, take as much memory as eight tokens that are held.
        more = [8 * n * len(c) if n > 1 else 0 for n, c in zip(longest, options, strict=True)]
        for rows, left, before in self._batches(prompts, more, COMPUTED):
            scored = self._score(left, [told[i] for i in rows], before)
            for i, one in zip(rows, scored, strict=True):
                out[i] = one
        return out

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        """Unit vectors of texts, by the sentence encoder `minilm`, which has to be here."""
        from .minilm import open_minilm

        return open_minilm().embed(texts)

    def read(self, prompt: Request | str, *sites: str) -> dict[str, Float[np.ndarray, "..."]]:
        """What sites hold in a pass over one prompt, under the model's interventions.

        Args:
            prompt: a text, or a request whose prompt is taken.
            sites: names or glob patterns, `L.*.pattern`; all if none is given.

        Returns:
            arrays by site with the axis of tokens first ([token, width]); `scores` and `pattern` are
            [head, token, token].

        Raises:
            SiteError: a pattern that addresses no site.
        """
        ids = self._prompt(prompt if isinstance(prompt, Request) else Request(prompt))
        self._fits(len(ids), 0)
        for pattern in sites:
            require(pattern, _names(self.llama.config), self.name)
        n = len(ids)
        tokens, _ = passes.padded([ids], 1, n if self._alone else passes.bucket(n))
        found = passes.read(self.llama, self.interventions, tokens, tuple(sites) or ("*",))
        square = ("scores", "pattern")
        return {k: np.asarray(v[0][:, :n, :n] if k.endswith(square) else v[0][:n]) for k, v in found.items()}

    # -- from text to tokens ----------------------------------------------------------------------------------------

    def _prompt(self, request: Request) -> list[int]:
        chat = not isinstance(request.prompt, str)
        text = self.tokenizer.chat(request.prompt) if chat else request.prompt  # type: ignore[arg-type]
        # A template writes the first token itself.
        ids = self.tokenizer.encode(str(text), begin=not chat)
        # Nothing at all cannot be continued; the model's end of a text is what precedes a new one.
        return ids or [self.tokenizer.ends[0]]

    def _continuation(self, text: str) -> list[int]:
        ids = self.tokenizer.encode(text, begin=False)
        if not ids:
            raise ModelError("score: a continuation is empty")
        return ids

    def _warn_of_seams(
        self,
        requests: Sequence[Request],
        options: Sequence[Sequence[str]],
        prompts: Sequence[list[int]],
        told: Sequence[Sequence[list[int]]],
    ) -> None:
        for request, texts, ids, pieces in zip(requests, options, prompts, told, strict=True):
            # The seam depends on the last few characters only, and a whole prompt for each option would cost a lot.
            chat = not isinstance(request.prompt, str)
            prompt = str(self.tokenizer.chat(request.prompt) if chat else request.prompt)  # type: ignore[arg-type]
            tail = prompt[-200:] if len(prompt) > 200 else prompt
            end = self.tokenizer.encode(tail, begin=False)
            for text, apart in zip(texts, pieces, strict=True):
                if tail and self.tokenizer.encode(tail + text, begin=False) != end + apart:
                    last = self.tokenizer.piece(ids[-1])
                    warnings.warn(
                        f"{self.name}: the prompt's last token {last!r} and the continuation {text!r} would be cut "
                        "differently if they were one text; they are scored as they are (a space is best put at the "
                        "beginning of the continuation, not at the end of the prompt)",
                        stacklevel=3,
                    )
                    return

    def _fits(self, prompt: int, more: int) -> None:
        if prompt + more > self.llama.config.context:
            raise ModelError(
                f"{self.name}: {prompt} tokens of prompt and {more} more are too many; the model reads at most "
                f"{self.llama.config.context}"
            )

    # -- batches ----------------------------------------------------------------------------------------------------

    @property
    def _alone(self) -> bool:
        """Whether texts must be computed one by one, because an intervention (of its own, or from an `el.edit`
        around the call) would see neighbours or padding."""
        return bool(_stack.editors) or not all(_keeps_to_a_row(i, self.llama.config) for i in self.interventions)

    def _height(self, rows: int) -> int:
        """Rows of a batch of so many texts. Products of bfloat16 with a single row run on none of the units for
        matrices: they take more than twice as long as those with two."""
        if self._alone:
            return rows
        return padded_height(max(rows, 2) if self.llama.embed.dtype == jnp.bfloat16 else rows)

    def _batches(
        self, prompts: Sequence[list[int]], more: Sequence[int], most: int = SLOTS
    ) -> Iterator[tuple[list[int], list[list[int]], tuple[Past, ...]]]:
        """Indices of prompts to be computed together, what is left of each to compute, and what it follows.

        What all prompts begin with is computed once, and what runs of them begin with beyond that once a run. A batch
        holds at most `most` tokens to compute, or one prompt.
        """
        if not prompts:
            return
        if self._alone:
            yield from (([i], [prompts[i]], ()) for i in range(len(prompts)))
            return
        n = common_tokens(prompts) if self.share and len(prompts) > 1 else 0
        shared = (self._opening(prompts[0][:n]),) if n >= SHARED else ()
        n = n if shared else 0
        order = sorted(range(len(prompts)), key=lambda i: prompts[i])  # so that those of a group have much in common
        for group in (sorted(order[i : i + _GROUP]) for i in range(0, len(order), _GROUP)):
            own = [prompts[i] for i in group]
            begun = beginnings(self.llama, self.interventions, own, n, shared, self.share)
            left = [ids[k:] for ids, k in zip(own, begun.lengths, strict=True)]
            for rows in packed(list(map(len, left)), [more[i] for i in group], most, begun.shelf.slots):
                before = (*shared, *begun.of(rows, self._height(len(rows))))
                yield [group[i] for i in rows], [left[i] for i in rows], before

    def _opening(self, ids: list[int]) -> Past:
        """What a text that all prompts begin with leaves to look back at; the latest few are kept."""
        key = tuple(ids)
        if key not in self._openings:
            tokens, lengths = passes.padded([ids], 1, passes.bucket(len(ids)))
            _, self._openings[key] = passes.begin(self.llama, self.interventions, tokens, lengths, ())
            while len(self._openings) > 1 and sum(map(len, self._openings)) > _KEPT:
                self._openings.pop(next(iter(self._openings)))
        self._openings[key] = self._openings.pop(key)  # used last, dropped last
        return self._openings[key]

    def _begin(
        self, left: Sequence[list[int]], before: tuple[Past, ...]
    ) -> tuple[Float[jax.Array, "row token"], tuple[Past, ...]]:
        longest = max(map(len, left))
        width = longest if self._alone else passes.bucket(longest)
        tokens, lengths = passes.padded(list(left), self._height(len(left)), width)
        logits, past = passes.begin(self.llama, self.interventions, tokens, lengths, before)
        return logits, (*before, past)

    def _score(
        self, left: Sequence[list[int]], told: Sequence[Sequence[list[int]]], before: tuple[Past, ...]
    ) -> list[Float[np.ndarray, "option"]]:
        logits, before = self._begin(left, before)
        height, most = logits.shape[0], max(map(len, told))
        if not most:
            return [np.zeros(0, np.float32) for _ in told]
        first = np.zeros((height, most), np.int32)
        for i, options in enumerate(told):
            first[i, : len(options)] = [ids[0] for ids in options]
        total = np.array(_first_of(logits, first), np.float32)
        longest = max((len(ids) for options in told for ids in options), default=1) - 1
        if longest:
            # One row an option; those that lack further tokens, or are none, read one token that counts nothing.
            rows = [ids for options in told for ids in (*options, *([[0]] * (most - len(options))))]
            rows += [[0]] * (height * most - len(rows))
            fed, _ = passes.padded([ids[:-1] or [0] for ids in rows], len(rows), self._width(longest))
            targets, _ = passes.padded([ids[1:] or [0] for ids in rows], len(rows), fed.shape[1])
            lengths = np.array([len(ids) - 1 for ids in rows], np.int32)
            more = passes.continuations(self.llama, self.interventions, fed, lengths, targets, before)
            total += np.asarray(more).reshape(height, most)
        return [total[i, : len(options)] for i, options in enumerate(told)]

    def _width(self, length: int) -> int:
        return length if self._alone else passes.bucket(length, 1)

    def _complete(
        self,
        left: Sequence[list[int]],
        requests: Sequence[Request],
        lengths: Sequence[int],
        before: tuple[Past, ...],
    ) -> list[Completion]:
        logits, before = self._begin(left, before)
        height, n = logits.shape[0], len(requests)
        full = [*requests, *([requests[0]] * (height - n))]
        keys = _keys(full)
        temperature = np.array([r.temperature for r in full], np.float32)
        top_p = np.array([r.top_p for r in full], np.float32)
        limits = np.array([r.max_tokens for r in full], np.int32)
        how = {"sampling": bool(temperature.any()), "nucleus": bool((top_p[temperature > 0] < 1).any())}
        token, told = passes.choose(logits, keys, 0, temperature, top_p, **how)
        answers = [Answer(self.tokenizer, r) for r in requests]
        texts = np.arange(height)  # which text a row of the batch belongs to; those from `n` on are padding
        room = empty(self.llama.config, height, passes.bucket(int(limits.max())))
        t = 0
        while True:
            for i, one, logp in zip(texts.tolist(), np.asarray(token).tolist(), np.asarray(told).tolist(), strict=True):
                if i < n:
                    answers[i].add(one, logp)
            going = [row for row, i in enumerate(texts) if i < n and not answers[i].ended]
            if not going:
                break
            t += 1
            smaller = self._height(len(going))
            if smaller < len(texts):
                # Texts that have ended leave the batch.
                rows = np.array([*going, *([going[0]] * (smaller - len(going)))])
                before = tuple(passes.gather(p, rows, len(texts)) for p in before)
                room = passes.gather(room, rows, len(texts))
                token, keys = token[rows], keys[rows]
                texts = np.array([*texts[going], *([n] * (smaller - len(going)))])
                temperature, top_p = temperature[rows], top_p[rows]
            room, token, told = passes.decode(
                self.llama, self.interventions, room, before, token, t, keys, temperature, top_p, **how
            )
        return [a.completion(n) for a, n in zip(answers, lengths, strict=True)]


@jax.jit
def _first_of(
    logits: Float[jax.Array, "row token"], first: Int[jax.Array, "row option"]
) -> Float[jax.Array, "row option"]:
    return jnp.take_along_axis(jax.nn.log_softmax(logits), first, axis=-1)


def _keys(requests: Sequence[Request]) -> Any:
    """A key of each request, a function of its address alone."""
    words = np.array([r.address.entropy()[:2] for r in requests], np.uint32)
    return jax.random.wrap_key_data(jnp.asarray(words))


# -- sites ----------------------------------------------------------------------------------------------------------

_AXES = {"q": 2, "k": 2, "v": 2, "heads": 2, "scores": 0, "pattern": 0}  # axes after those of texts and tokens


def _names(config: Config) -> list[str]:
    return ["embed", *(f"L.{i}.{p}" for i in range(config.layers) for p in PARTS), "final", "logits"]


def _keeps_to_a_row(one: Intervention, config: Config) -> bool:
    """Whether an intervention does the same to each token of each text, whatever stands beside it."""
    if isinstance(one, Ablate):
        return one.to == "zero"
    if not isinstance(one, (Clamp, Shift, Scale)):
        return False
    held = np.ndim(one.value if isinstance(one, Clamp) else one.by)
    hit = [n for n in _names(config) if n == one.site or fnmatchcase(n, one.site)]
    return all(held <= _AXES.get(n.rpartition(".")[2], 1) for n in hit)


def _digest(interventions: Sequence[Intervention]) -> str:
    found = hashlib.blake2b(digest_size=8)
    leaves, structure = jax.tree.flatten(tuple(interventions))
    found.update(str(structure).encode())
    for leaf in leaves:
        array = np.asarray(leaf)
        found.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def sites(name: str, tokens: int = 16) -> list[SiteInfo]:
    """The sites of a model, with their shapes for one text of so many tokens. Nothing is computed.

    Args:
        name: of an asset, which need not be here, or a path as for `open_embedded`.
        tokens: length of the text.
    """
    config = _KNOWN[name] if name in _KNOWN else opened(place(name))[2]

    def whole(model: Llama, ids: Any) -> Any:
        return model.logits(model.hidden(ids))

    _, found = catalogue(whole, shapes(config), jax.ShapeDtypeStruct((1, tokens), jnp.int32))
    where = f"a pass over {tokens} tokens"
    return [SiteInfo(n, tuple(s.shape[1:]), str(s.dtype), where) for n, s in found.items()]


# -- opening --------------------------------------------------------------------------------------------------------


def _opened_and_edited(spec: str, interventions: tuple[Intervention, ...]) -> LM:
    from .opening import open_lm

    lm = open_lm(spec)
    return lm.edited(*interventions) if interventions else lm  # type: ignore[attr-defined, no-any-return]


def open_embedded(name: str | Path, dtype: str = "float32") -> Embedded:
    """A model in this process.

    Args:
        name: "smollm2", or a path to a GGUF file or to a folder with safetensors, config.json and tokenizer.json.
        dtype: of the weights: "float32", or "bfloat16", which takes half the memory and rounds whatever is multiplied
            with them to 8 bits. Processors with units for it (AMX and AVX-512 BF16 of recent x86, and accelerators)
            compute several times faster then; others are slower.

    Raises:
        UserError: the weights are not on this machine, or a package that reads them is missing.
        ModelError: the model is of a family that is not known here.
    """
    if dtype not in ("float32", "bfloat16"):
        raise UserError(f"open_embedded: dtype must be 'float32' or 'bfloat16', got {dtype!r}")
    from ..engine.setup import persistent_compilation_cache

    persistent_compilation_cache()
    path = place(str(name))
    source, tokenizer, config = opened(path)
    reader = read_gguf if isinstance(source, Gguf) else read_safetensors
    llama = reader(source, source.names, config, jnp.dtype(dtype))
    revision = checksum(path) + ("" if dtype == "float32" else f"-{dtype}")
    return Embedded(str(name) if str(name) in assets.ASSETS else path.stem, llama, tokenizer, revision)
