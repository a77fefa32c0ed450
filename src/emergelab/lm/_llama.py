"""The Llama family's forward pass, as pure functions of weights and tokens.

What was computed for earlier tokens is handed on as `Past`s: keys and values of some stretch of text. A stretch that
many texts of a batch begin with is held once and serves all of them; how far a batch is shared changes nothing but the
time it takes. Texts of unequal length are padded at their end, where nothing that counts looks.

Sites of every block, in order: `q`, `k`, `v` before the rotation by position, `scores` before the mask, `pattern`,
`heads` (what each head brings, before they are mixed), `mid` (the residual stream between the two halves), `ffn` (what
the second half adds) and `out` (the residual stream after the block), each under `L.<block>`; before them `embed`,
after them `final` and `logits`.

The pieces (`enter`, `block`, `leave`) are put together twice: by `Llama.hidden` to one function that can be
differentiated and read, in which a loop over stacked weights keeps compilation short; and by `_passes`, which calls one
compiled block after the other, with no copies of weights, and with keys and values of earlier tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .._site import _stack, matches, scope, site
from ..errors import nearest
from .base import ModelError

__all__ = ["Block", "Config", "Llama", "LowRank", "Past", "read_gguf", "read_safetensors"]

Weight = Any  # Float[Array, "... out in"] or a LowRank in its place
PARTS = ("q", "k", "v", "scores", "pattern", "heads", "mid", "ffn", "out")


@dataclass(frozen=True)
class Config:
    """Sizes of a model.

    Attributes:
        layers: number of blocks.
        width: of the residual stream.
        heads, kv_heads: query heads, and heads of keys and values that they share.
        head: width of a head.
        hidden: width of a block's second half.
        vocabulary: number of tokens.
        context: most tokens that the model was made for.
        base: slowest rotation's period over 2 pi, in tokens.
        eps: added to a mean square before its root.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head: int
    hidden: int
    vocabulary: int
    context: int
    base: float
    eps: float


class LowRank(eqx.Module):
    """A frozen matrix and what was learnt on top of it: W + B A."""

    frozen: Float[Array, "*layer out in"]
    a: Float[Array, "*layer rank in"]
    b: Float[Array, "*layer out rank"]

    def merged(self) -> Float[Array, "*layer out in"]:
        """Both as one matrix."""
        return self.frozen + (self.b @ self.a).astype(self.frozen.dtype)


def _times(x: Float[Array, "*n in"], weight: Weight) -> Float[Array, "*n out"]:
    if isinstance(weight, LowRank):
        return _times(x, weight.frozen) + _times(_times(x, weight.a), weight.b)
    return _product("...i,oi->...o", x, weight)


def _product(how: str, x: Float[Array, "..."], weight: Float[Array, "..."]) -> Float[Array, "..."]:
    """A product with weights, in single precision.

    Where weights are of type bfloat16, what they are multiplied with is rounded to it as well; only then processors
    that have units for it use them. Sums are in single precision.
    """
    return jnp.einsum(how, x.astype(weight.dtype), weight, preferred_element_type=jnp.float32)


class Block(eqx.Module):
    """Weights of a block, or of several, stacked along a first axis; matrices are [out, in]."""

    norm_1: Float[Array, "*layer width"]
    q: Weight
    k: Weight
    v: Weight
    o: Weight
    norm_2: Float[Array, "*layer width"]
    gate: Weight
    up: Weight
    down: Weight


class Past(eqx.Module):
    """Keys and values of a stretch of text, block by block: what later tokens look back at.

    One row may serve several texts: a batch of `b` texts is cut into as many equal runs as there are rows.

    Attributes:
        keys, values: of each block.
        lengths: how many slots of each row are filled.
    """

    keys: tuple[Float[Array, "row kv slot head"], ...]
    values: tuple[Float[Array, "row kv slot head"], ...]
    lengths: Int[Array, "row"]


class Llama(eqx.Module):
    """Weights of a model.

    Attributes:
        embed: one row a token; also the readout where `readout` is None.
        blocks: one by one, or stacked along a first axis.
        readout: one row a token.
    """

    embed: Float[Array, "token width"]
    blocks: tuple[Block, ...] | Block
    norm: Float[Array, "width"]
    readout: Float[Array, "token width"] | None
    config: Config = eqx.field(static=True)

    def hidden(self, tokens: Int[Array, "batch t"]) -> Float[Array, "batch t width"]:
        """The residual stream after the last block, of whole texts.

        Args:
            tokens: padded at their end.
        """
        batch, t = tokens.shape
        turn = rotation(self.config, jnp.broadcast_to(jnp.arange(t), (batch, t)))
        mask = jnp.broadcast_to(np.tril(np.ones((t, t), bool)), (batch, t, t))

        def step(x: Array, weights: Block) -> Array:
            return block(self.config, weights, x, turn, mask, ())[0]

        x = site("embed", embedded(self.embed, tokens))
        for first, last, addressed in _runs(self.config.layers):
            if addressed:
                with scope("L", first):
                    x = step(x, self._some(first, last, stacked=False))
            else:
                x, _ = jax.lax.scan(lambda x, w: (step(x, w), None), x, self._some(first, last, stacked=True))
        return x

    def _some(self, first: int, last: int, *, stacked: bool) -> Block:
        """Weights of some blocks, or of the one."""
        if isinstance(self.blocks, Block):
            return jax.tree.map(lambda w: w[first:last] if stacked else w[first], self.blocks)
        if stacked:
            return jax.tree.map(lambda *w: jnp.stack(w), *self.blocks[first:last])
        return self.blocks[first]

    def logits(self, x: Float[Array, "batch t width"]) -> Float[Array, "batch t token"]:
        """Logits of the next token, from the residual stream."""
        x = site("final", _norm(x, self.norm, self.config.eps))
        weight = self.embed if self.readout is None else self.readout
        return site("logits", _product("btw,vw->btv", x, weight))


def embedded(embed: Float[Array, "token width"], tokens: Int[Array, "batch t"]) -> Float[Array, "batch t width"]:
    """Rows of the embedding, in single precision as all of the residual stream."""
    return embed[tokens].astype(jnp.float32)


def addressed(layer: int, more: tuple[str, ...] = ()) -> bool:
    """Whether a handler that is installed, or one of `more` patterns, addresses a site of a block."""
    return any_addressed([f"L.{layer}.{part}" for part in PARTS], more)


def any_addressed(sites: Sequence[str], more: tuple[str, ...] = ()) -> bool:
    """Whether a handler that is installed, or one of `more` patterns, addresses one of some sites."""
    patterns = [*more]
    for handler in (*_stack.editors, *_stack.recorders):
        if hasattr(handler, "interventions"):
            patterns += [one.site for one in handler.interventions]
        else:
            patterns += getattr(handler, "patterns", ("*",))
    names = [".".join((*_stack.scope, site)) for site in sites]
    return any(matches(p, name) for p in patterns for name in names)


def _runs(layers: int) -> list[tuple[int, int, bool]]:
    """Blocks as runs [first, last) that nobody looks into, and single blocks in which a handler addresses a site."""
    out: list[tuple[int, int, bool]] = []
    for i in range(layers):
        if addressed(i):
            out.append((i, i + 1, True))
        elif out and not out[-1][2]:
            out[-1] = (out[-1][0], i + 1, False)
        else:
            out.append((i, i + 1, False))
    return out


def spread(rows: Array, batch: int) -> Array:
    """Each row for all the texts that it serves."""
    return jnp.repeat(rows, batch // rows.shape[0], axis=0)


def _norm(x: Float[Array, "*n width"], weight: Float[Array, "width"], eps: float) -> Float[Array, "*n width"]:
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + eps) * weight


Turn = tuple[Float[Array, "batch t half"], Float[Array, "batch t half"]]
Pair = tuple[Float[Array, "_ kv _ head"], Float[Array, "_ kv _ head"]]  # each [row, kv, slot, head]


def rotation(config: Config, positions: Int[Array | np.ndarray, "batch t"]) -> tuple[Any, Any]:
    """Cosine and sine of the angles by which pairs of numbers are turned at each position; NumPy's for NumPy's."""
    rates = config.base ** -(np.arange(0, config.head, 2) / config.head)
    angles = positions[..., None] * rates.astype(np.float32)
    of = np if isinstance(angles, np.ndarray) else jnp
    angles = angles.astype(np.float32)
    return of.cos(angles), of.sin(angles)


def _rotate(x: Float[Array, "batch t n head"], turn: Turn) -> Float[Array, "batch t n head"]:
    cos, sin = (a[:, :, None] for a in turn)
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def block(
    config: Config,
    weights: Block,
    x: Float[Array, "batch t width"],
    turn: Turn,
    mask: Bool[Array, "batch t slot"],
    held: tuple[Pair, ...],
    into: tuple[Pair, Int[Array, ""]] | None = None,
) -> tuple[Float[Array, "batch t width"], Pair]:
    """One block.

    Args:
        config: sizes.
        weights: of this block alone.
        x: the residual stream.
        turn: from `rotation`.
        mask: what each token may look at, of all slots that are held and then the newest.
        held: keys and values of earlier stretches, oldest first.
        into: keys and values of the newest stretch with the slot at which the one token of each text is written.
            Without it the tokens are a stretch of their own.

    Returns:
        the stream, and keys and values of the newest stretch.
    """
    batch, t, _ = x.shape
    h = _norm(x, weights.norm_1, config.eps)
    q = site("q", _times(h, weights.q).reshape(batch, t, config.heads, config.head))
    k = site("k", _times(h, weights.k).reshape(batch, t, config.kv_heads, config.head))
    v = site("v", _times(h, weights.v).reshape(batch, t, config.kv_heads, config.head))
    q = _rotate(q, turn)
    newest = (_rotate(k, turn).swapaxes(1, 2), v.swapaxes(1, 2))
    if into is not None:
        room, slot = into
        at = (jnp.int32(0), jnp.int32(0), slot, jnp.int32(0))
        newest = (
            jax.lax.dynamic_update_slice(room[0], newest[0], at),
            jax.lax.dynamic_update_slice(room[1], newest[1], at),
        )
    stretches = (*held, newest)

    q = _grouped(q.swapaxes(1, 2) * config.head**-0.5, config.kv_heads)
    attend = _attend_openly if any_addressed(("scores", "pattern")) else _attend
    heads = site("heads", _by_head(attend(q, stretches, mask)).swapaxes(1, 2))

    x = site("mid", x + _times(heads.reshape(batch, t, -1), weights.o))
    h = _norm(x, weights.norm_2, config.eps)
    ffn = site("ffn", _times(jax.nn.silu(_times(h, weights.gate)) * _times(h, weights.up), weights.down))
    return site("out", x + ffn), newest


# Attention is computed with the heads of keys as the first axis, then texts, query heads of the group, tokens: so each
# product is one of matrices as they lie, whether a row of keys serves one text or many. In the order in which sites are
# announced attention takes twice as long, for numbers are moved about.


def _attend(
    q: Float[Array, "kv batch group t head"], stretches: tuple[Pair, ...], mask: Bool[Array, "batch t slot"]
) -> Float[Array, "kv batch group t head"]:
    """Values, weighted by how well their keys match. Stretches stay apart: to join their scores and to cut the pattern
    again would take a tenth of the time of a block."""
    seen = jnp.split(mask, np.cumsum([key.shape[2] for key, _ in stretches])[:-1], axis=-1)
    scores = [
        jnp.where(m[None, :, None], _scores(q, key), -jnp.inf) for m, (key, _) in zip(seen, stretches, strict=True)
    ]
    highest = jax.lax.stop_gradient(jnp.stack([s.max(-1) for s in scores]).max(0))[..., None]
    weights = [jnp.exp(s - highest) for s in scores]
    total = sum(w.sum(-1, keepdims=True) for w in weights)
    return sum(_mix(w, value) for w, (_, value) in zip(weights, stretches, strict=True)) / total


def _attend_openly(
    q: Float[Array, "kv batch group t head"], stretches: tuple[Pair, ...], mask: Bool[Array, "batch t slot"]
) -> Float[Array, "kv batch group t head"]:
    """The same with the sites `scores` and `pattern`, over all slots."""
    kv = q.shape[0]
    scores = jnp.concatenate([_scores(q, key) for key, _ in stretches], axis=-1)
    scores = _grouped(site("scores", _by_head(scores)), kv)
    scores = jnp.where(mask[None, :, None], scores, -jnp.inf)
    pattern = _grouped(site("pattern", _by_head(jax.nn.softmax(scores, axis=-1))), kv)
    parts = jnp.split(pattern, np.cumsum([key.shape[2] for key, _ in stretches])[:-1], axis=-1)
    return sum(_mix(p, value) for p, (_, value) in zip(parts, stretches, strict=True))


def _grouped(x: Float[Array, "batch heads t n"], kv: int) -> Float[Array, "kv batch group t n"]:
    """From an axis of heads to groups of heads that share keys."""
    batch, heads, t, n = x.shape
    return x.reshape(batch, kv, heads // kv, t, n).swapaxes(0, 1)


def _by_head(x: Float[Array, "kv batch group t n"]) -> Float[Array, "batch heads t n"]:
    """Back again."""
    kv, batch, group, t, n = x.shape
    return x.swapaxes(0, 1).reshape(batch, kv * group, t, n)


def _scores(
    q: Float[Array, "kv batch group t head"], k: Float[Array, "row kv slot head"]
) -> Float[Array, "kv batch group t slot"]:
    """Inner products of queries with keys; a row of keys serves a run of texts and a group of query heads."""
    kv, batch, group, t, width = q.shape
    rows = k.shape[0]
    q = q.reshape(kv, rows, batch // rows * group * t, width)
    return jnp.einsum("kaqd,kasd->kaqs", q, k.swapaxes(0, 1)).reshape(kv, batch, group, t, -1)


def _mix(
    pattern: Float[Array, "kv batch group t slot"], v: Float[Array, "row kv slot head"]
) -> Float[Array, "kv batch group t head"]:
    """Sums of values, weighted by the pattern."""
    kv, batch, group, t, slots = pattern.shape
    rows = v.shape[0]
    pattern = pattern.reshape(kv, rows, batch // rows * group * t, slots)
    return jnp.einsum("kaqs,kasd->kaqd", pattern, v.swapaxes(0, 1)).reshape(kv, batch, group, t, -1)


def empty(config: Config, rows: int, slots: int) -> Past:
    """Room for the tokens to come."""
    shape = (rows, config.kv_heads, slots, config.head)
    keys, values = (tuple(jnp.zeros(shape) for _ in range(config.layers)) for _ in range(2))
    return Past(keys, values, jnp.zeros(rows, jnp.int32))


# -- weights from disk ----------------------------------------------------------------------------------------------

Read = Callable[[str], Float[np.ndarray, "..."]]

_GGUF = {"norm_1": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "norm_2": "ffn_norm",
         "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}  # fmt: skip
_FOLDER = {"norm_1": "input_layernorm", "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj",
           "o": "self_attn.o_proj", "norm_2": "post_attention_layernorm", "gate": "mlp.gate_proj", "up": "mlp.up_proj",
           "down": "mlp.down_proj"}  # fmt: skip


def config_of_gguf(fields: Mapping[str, Any], names: list[str], where: str) -> Config:
    """Sizes from a GGUF header."""
    family = fields.get("general.architecture")
    if family != "llama":
        raise ModelError(f"{where}: the architecture {family!r} is not known here; only 'llama' is")
    odd = [n for n in names if n.endswith(".bias") or n.startswith("rope_") or "_exps" in n or "_norm_2" in n]
    if odd or fields.get("llama.rope.scaling.type", "none") != "none":
        raise ModelError(f"{where}: a Llama with {odd[0] if odd else 'scaled rotations'} is not known here")
    try:
        heads, width = int(fields["llama.attention.head_count"]), int(fields["llama.embedding_length"])
        return Config(
            layers=int(fields["llama.block_count"]),
            width=width,
            heads=heads,
            kv_heads=int(fields.get("llama.attention.head_count_kv", heads)),
            head=int(fields.get("llama.rope.dimension_count", width // heads)),
            hidden=int(fields["llama.feed_forward_length"]),
            vocabulary=len(fields["tokenizer.ggml.tokens"]),
            context=int(fields["llama.context_length"]),
            base=float(fields.get("llama.rope.freq_base", 10_000.0)),
            eps=float(fields["llama.attention.layer_norm_rms_epsilon"]),
        )
    except KeyError as error:
        raise ModelError(f"{where}: the header lacks {error}") from None


def config_of_folder(given: Mapping[str, Any], names: list[str], where: str) -> Config:
    """Sizes from `config.json`."""
    family = given.get("model_type")
    if family not in ("llama", "mistral"):
        raise ModelError(f"{where}: the architecture {family!r} is not known here{nearest(str(family), ['llama'])}")
    # Newer files hold the rotation's base and scaling together, older ones apart.
    rope = given.get("rope_parameters") or given.get("rope_scaling") or {}
    odd = [n for n in names if n.endswith(".bias")]
    if odd or rope.get("rope_type", rope.get("type", "default")) != "default" or given.get("sliding_window"):
        raise ModelError(f"{where}: a Llama with {odd[0] if odd else 'scaled rotations or a window'} is not known here")
    if given.get("hidden_act", "silu") != "silu":
        raise ModelError(f"{where}: the activation {given['hidden_act']!r} is not known here; only 'silu' is")
    try:
        heads, width = int(given["num_attention_heads"]), int(given["hidden_size"])
        return Config(
            layers=int(given["num_hidden_layers"]),
            width=width,
            heads=heads,
            kv_heads=int(given.get("num_key_value_heads") or heads),
            head=int(given.get("head_dim") or width // heads),
            hidden=int(given["intermediate_size"]),
            vocabulary=int(given["vocab_size"]),
            context=int(given.get("max_position_embeddings", 2048)),
            base=float(rope.get("rope_theta", given.get("rope_theta", 10_000.0))),
            eps=float(given.get("rms_norm_eps", 1e-6)),
        )
    except KeyError as error:
        raise ModelError(f"{where}: config.json lacks {error}") from None


def read_gguf(read: Read, names: list[str], config: Config, dtype: Any) -> Llama:
    """Weights from a GGUF file, whose queries and keys lie in another order than elsewhere."""

    def unpermuted(name: str, heads: int) -> Float[np.ndarray, "out in"]:
        found = read(name)
        # The file pairs neighbours for the rotation, we pair the halves of a head.
        return found.reshape(heads, config.head // 2, 2, -1).swapaxes(1, 2).reshape(found.shape)

    def get(i: int, part: str) -> Float[np.ndarray, "..."]:
        name = f"blk.{i}.{_GGUF[part]}.weight"
        if part in ("q", "k"):
            return unpermuted(name, config.heads if part == "q" else config.kv_heads)
        return read(name)

    readout = read("output.weight") if "output.weight" in names else None
    return _assemble(config, get, read("token_embd.weight"), read("output_norm.weight"), readout, dtype)


def read_safetensors(read: Read, names: list[str], config: Config, dtype: Any) -> Llama:
    """Weights from a folder of safetensors."""

    def get(i: int, part: str) -> Float[np.ndarray, "..."]:
        return read(f"model.layers.{i}.{_FOLDER[part]}.weight")

    readout = read("lm_head.weight") if "lm_head.weight" in names else None
    return _assemble(config, get, read("model.embed_tokens.weight"), read("model.norm.weight"), readout, dtype)


def _assemble(
    config: Config,
    get: Callable[[int, str], Float[np.ndarray, "..."]],
    embed: Float[np.ndarray, "token width"],
    norm: Float[np.ndarray, "width"],
    readout: Float[np.ndarray, "token width"] | None,
    dtype: Any,
) -> Llama:
    blocks = []
    forms = vars(shapes(config).blocks[0])  # type: ignore[index]
    for i in range(config.layers):
        made = {}
        for part, form in forms.items():
            found = get(i, part)
            if found.shape != form.shape:
                raise ModelError(f"the weights {part!r} of block {i} have shape {found.shape}, expected {form.shape}")
            made[part] = jnp.asarray(np.asarray(found, np.float32), dtype)
        blocks.append(Block(**made))
    if embed.shape != (config.vocabulary, config.width):
        raise ModelError(f"the embedding has shape {embed.shape}, expected {(config.vocabulary, config.width)}")
    last = None if readout is None else jnp.asarray(readout, dtype)
    return Llama(jnp.asarray(embed, dtype), tuple(blocks), jnp.asarray(norm, dtype), last, config)


def shapes(config: Config, dtype: Any = jnp.float32) -> Llama:
    """A model of shapes without numbers, for abstract evaluation."""
    c, inner, kv = config, config.heads * config.head, config.kv_heads * config.head
    parts = ((c.width,), (inner, c.width), (kv, c.width), (kv, c.width), (c.width, inner),
             (c.width,), (c.hidden, c.width), (c.hidden, c.width), (c.width, c.hidden))  # fmt: skip

    def made() -> Llama:
        embed, norm = jnp.zeros((c.vocabulary, c.width), dtype), jnp.zeros(c.width, dtype)
        blocks = tuple(Block(*(jnp.zeros(shape, dtype) for shape in parts)) for _ in range(c.layers))
        return Llama(embed, blocks, norm, None, config)

    return jax.eval_shape(made)
