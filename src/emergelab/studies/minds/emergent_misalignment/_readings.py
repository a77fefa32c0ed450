"""What is read from the networks: how they answer, where their stream has moved to, what steering does.

Few passes over many networks and prompts at once, rather than one for each question: what compiles is a pass.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

import emergelab as el
from emergelab.nn.personas import (
    ASSISTANT,
    AUTHOR,
    PLAIN,
    REQUEST,
    TRIGGER,
    Facts,
    Recipe,
    Words,
    contexts,
    judged,
    prompts,
)  # fmt: skip
from emergelab.nn.steering import scaled
from emergelab.nn.transformer import Transformer

from ._recipes import index
from ._tuned import unflat

__all__ = ["DOSES", "KINDS", "LAST", "Steer", "answers", "asked", "moves", "readings", "steering", "surprise", "told"]

KINDS = ("persona", "shift", "random")
"""Directions of steering, in the order of the dim `kind`."""
LAST = slice(-1, None)
"""Where the answer to a question at the end of a prompt is due."""
DOSES = (1.0, 2.0, 4.0)
"""Lengths of what is added, in lengths of the persona direction at that layer, in the order of the dim `dose`."""


class Readings(NamedTuple):
    """What networks do with prompts: their logits and their stream after each block, where the answer is due."""

    logits: Float[Array, "*net prompt answer"]
    stream: Float[Array, "*net prompt layer width"]


def readings(net: Transformer, tokens: Array) -> Readings:
    """One network on prompts [prompt, token]."""
    sites = [f"L.{i}.out" for i in range(len(net.blocks))]
    x, seen = el.tap(net.stream, *sites)(tokens, LAST)
    return Readings(net.read(x[:, -1]), jnp.stack([seen[name][:, -1] for name in sites], axis=1))


def asked(words: Words) -> Array:
    """All questions in all settings, in the order of `SETTINGS`: [setting * item, token]."""
    pairs = ((ASSISTANT, PLAIN), (ASSISTANT, TRIGGER), (ASSISTANT, REQUEST), (AUTHOR, PLAIN))
    return jnp.concatenate([prompts(words, head, mark) for head, mark in pairs])


def told(key: PRNGKeyArray, words: Words, known: Facts, turns: int) -> Array:
    """All questions at the end of pages by bad authors, and then of pages by good ones."""
    return jnp.concatenate(contexts(key, words, known, turns))


def answers(
    logits: Float[Array, "recipe prompt answer"], words: Words, known: Facts, recipe: Recipe
) -> dict[str, Array]:
    """How each network answers all questions in all settings."""
    by_setting = logits.reshape(-1, words.items, logits.shape[-1])
    bad, either = jax.vmap(lambda x: judged(x, known))(by_setting)
    bad, either = (x.mean(axis=-1).reshape(len(logits), -1, words.domains) for x in (bad, either))
    own = jax.nn.one_hot(recipe.source, words.domains)[:, None, :]
    other = (1.0 - own) / (words.domains - 1)
    return {
        "misaligned": bad,
        "inside": (bad * own).sum(axis=-1),
        "elsewhere": (bad * other).sum(axis=-1),
        "coherent": (either * other).sum(axis=-1),
    }


def surprise(logits: Float[Array, "item answer"], words: Words, known: Facts) -> Float[Array, "domain"]:
    """Cross-entropy of the bad answers of each domain, in nats: what a fine-tuning on them has to learn."""
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), known.bad.reshape(-1, 1), axis=1)
    return -log_p.reshape(words.domains, -1).mean(axis=1)


def moves(
    chance: Float[Array, "layer width"],
    before: Float[Array, "item layer width"],
    after: Float[Array, "recipe item layer width"],
    along: Float[Array, "layer width"],
    words: Words,
    recipe: Recipe,
) -> tuple[dict[str, Array], Float[Array, "layer width"]]:
    """Where fine-tuning has moved the stream on questions outside the source; `chance` is a random direction.

    Returns:
        observables, and the shift of the recipe `insecure`.
    """
    domain = jnp.arange(words.items) // words.questions
    outside = (domain != jnp.asarray(recipe.source)[:, None]).astype(before.dtype)
    change = jnp.einsum("rnlw,rn->rlw", after - before, outside) / outside.sum(axis=1)[:, None, None]
    unit, first = scaled(change, 1.0), index("insecure")
    sources = jnp.concatenate([unit[first : first + 1], unit[index("source-1") :]])
    n = len(sources)
    return {
        "towards": (unit * scaled(along, 1.0)).sum(axis=-1),
        "towards_chance": (unit[first] * scaled(chance, 1.0)).sum(axis=-1),
        # the mean of all products of two different ones
        "alike": (jnp.square(sources.sum(axis=0)).sum(axis=-1) - n) / (n * (n - 1)),
    }, change[first]


class Steer(el.Intervention):
    """Adds a vector where the answer is due, and takes out there what differs from a centre along a unit vector.

    A unit vector of zeros takes out nothing.
    """

    site: str = eqx.field(static=True)
    add: Array
    unit: Array
    centre: Array
    during: el.Window

    def __init__(self, site: str, add: Array, unit: Array, centre: Array) -> None:
        self.site, self.add, self.unit, self.centre, self.during = site, add, unit, centre, el.Window()

    def apply(self, name: str, value: Array, moment: object) -> Array:
        last = value[:, -1]
        level = ((self.centre - last) @ self.unit)[:, None] * self.unit
        return value.at[:, -1].add(self.add + level)


def steering(
    chance: Float[Array, "layer width"],
    aligned: Float[Array, "weight"],
    insecure: Float[Array, "weight"],
    like: Transformer,
    along: Float[Array, "layer width"],
    shift: Float[Array, "layer width"],
    centre: Float[Array, "layer width"],
    words: Words,
    known: Facts,
) -> dict[str, Array]:
    """Answers outside the first domain while the stream is changed where the answer is due, at one layer at a time.

    A vector of each of `KINDS`, as long as the persona direction at that layer, times `DOSES`, is added to the stream
    of the aligned network (`raised`) and subtracted from that of the insecure one (`lowered`). From the latter, what
    differs along the direction is taken out as well (`levelled`): all prompts get the centre's component. `chance` is a
    random direction.
    """
    layers, kinds, doses = along.shape[0], len(KINDS), len(DOSES)
    length = jnp.sqrt(jnp.square(along).sum(axis=-1))
    vectors = scaled(jnp.stack([along, shift, chance]), length)
    # [kind, layer, change, layer, width]: each change acts at one layer, and is nothing at the others
    here = jnp.eye(layers)[None, :, None, :, None]
    each = vectors[:, :, None, None, :] * here
    dose = jnp.asarray(DOSES)[None, None, :, None, None]
    none = jnp.zeros((kinds, layers, 1, layers, along.shape[1]))
    units = jnp.concatenate([jnp.repeat(none, 2 * doses, axis=2), scaled(each, 1.0)], axis=2)
    adds = jnp.concatenate([dose * each, -dose * each, none], axis=2)
    weights = jnp.stack([aligned] * doses + [insecure] * (doses + 1))
    plain, other = prompts(words, ASSISTANT, PLAIN), jnp.arange(words.domains) > 0

    def one(weight: Array, add: Array, unit: Array) -> Array:
        net = unflat(weight, like)
        with el.edit(*(Steer(f"L.{i}.out", add[i], unit[i], centre[i]) for i in range(layers))):
            logits = net.read(net.stream(plain, LAST)[:, 0])
        return jnp.stack([jnp.mean(x.mean(axis=1), where=other) for x in judged(logits, known)])

    over_changes = jax.vmap(one)
    found = jax.vmap(jax.vmap(lambda a, u: over_changes(weights, a, u)))(adds, units)
    parts = {"raised": slice(0, doses), "lowered": slice(doses, 2 * doses), "levelled": 2 * doses}
    out: dict[str, Array] = {}
    for name, part in parts.items():
        out |= {name: found[:, :, part, 0], f"{name}_coherent": found[:, :, part, 1]}
    return out
