"""Sentences as vectors: the encoder all-MiniLM-L6-v2 (Wang et al. 2020, Reimers and Gurevych 2019), computed by JAX.

A BERT of six blocks; a sentence's vector is the mean over its tokens, scaled to length 1, so that the inner product of
two is their cosine. Texts are cut after 256 tokens, the length that the encoder was made for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .. import assets
from ..errors import need
from ._passes import bucket, padded
from .base import LM

__all__ = ["MiniLM", "open_minilm"]

_LAYERS, _HEADS, _TOKENS, _EPS = 6, 12, 256, 1e-12
_DIM = 384
_BATCH = 64


class MiniLM(LM):
    """The sentence encoder. It embeds, and has no other verb. `open_minilm` makes it."""

    name = "minilm"

    def __init__(self, weights: dict[str, Array], tokenizer: Any, revision: str) -> None:
        self._weights, self._tokenizer, self.revision = weights, tokenizer, revision

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        """Unit vectors of texts, [text, 384]. A text's vector does not depend on the others."""
        rows = [e.ids for e in self._tokenizer.encode_batch(list(texts))]
        out = np.zeros((len(rows), _DIM), np.float32)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        while order:
            at, order = order[:_BATCH], order[_BATCH:]
            height = 1 << (len(at) - 1).bit_length()
            ids, lengths = padded([rows[i] for i in at], height, bucket(max(len(rows[i]) for i in at)))
            out[at] = np.asarray(_encode(self._weights, ids, lengths))[: len(at)]
        return out


@lru_cache(maxsize=1)
def open_minilm() -> MiniLM:
    """The encoder, loaded once in a process.

    Raises:
        UserError: it is not on this machine, or a package that reads it is missing.
    """
    from ..engine.setup import persistent_compilation_cache

    persistent_compilation_cache()
    return _load(
        assets.find("minilm"), assets.find("minilm", "tokenizer.json"), assets.ASSETS["minilm"].files[0].sha256
    )


def _load(weights: Path, vocabulary: Path, sha256: str) -> MiniLM:
    library = need("tokenizers", "lm", "cutting text into tokens")
    files = need("safetensors.numpy", "lm", "reading safetensors")
    tokenizer = library.Tokenizer.from_file(str(vocabulary))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_TOKENS)
    held = {
        k.removeprefix("bert."): jnp.asarray(v) for k, v in files.load_file(str(weights)).items() if v.dtype.kind == "f"
    }
    return MiniLM(held, tokenizer, sha256[:16])


@jax.jit
def _encode(
    weights: dict[str, Array], ids: Int[Array, "batch t"], lengths: Int[Array, "batch"]
) -> Float[Array, "batch dim"]:
    batch, t = ids.shape
    real = jnp.arange(t) < lengths[:, None]

    def affine(x: Float[Array, "*n in"], name: str) -> Float[Array, "*n out"]:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: Float[Array, "*n dim"], name: str) -> Float[Array, "*n dim"]:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred * jax.lax.rsqrt(jnp.mean(centred**2, -1, keepdims=True) + _EPS)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def split(x: Float[Array, "batch t dim"]) -> Float[Array, "batch t head part"]:
        return x.reshape(batch, t, _HEADS, _DIM // _HEADS)

    x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.position_embeddings.weight"][:t]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for i in range(_LAYERS):
        layer = f"encoder.layer.{i}"
        q, k, v = (split(affine(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = jnp.einsum("bihd,bjhd->bhij", q, k) * (_DIM // _HEADS) ** -0.5
        pattern = jax.nn.softmax(jnp.where(real[:, None, None], scores, -jnp.inf), axis=-1)
        seen = jnp.einsum("bhij,bjhd->bihd", pattern, v).reshape(batch, t, _DIM)
        x = norm(x + affine(seen, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
        h = affine(jax.nn.gelu(affine(x, f"{layer}.intermediate.dense"), approximate=False), f"{layer}.output.dense")
        x = norm(x + h, f"{layer}.output.LayerNorm")
    mean = jnp.where(real[..., None], x, 0).sum(1) / lengths[:, None]
    return mean / jnp.linalg.norm(mean, axis=-1, keepdims=True)
