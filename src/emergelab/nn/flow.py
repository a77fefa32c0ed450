"""A small generator of pictures: conditional flow matching with a residual perceptron.

Between noise z and a picture x lies the straight path y(t) = (1 - t) z + t x. Whoever stands at y at time t and follows
the mean velocity of all paths through that place ends in a picture (Lipman et al. 2023; Liu et al. 2023). The velocity
of a path is (x - y) / (1 - t), so it is enough to tell the picture that a place leads to on average; that is what the
network learns here, because a narrow network can pass on a disc and cannot pass on noise.

A prompt has concepts, each a short vector with a perceptron of its own, whose answer is added to the residual stream.
These embeddings are sites, so that a concept can be pushed, held or taken away inside the network, which is not the
same as prompting it:

    cond.CONCEPT                  [batch, width]
    L.i.act, L.i.out              hidden units of a block, and the stream after it  [batch, width]
    picture                       [batch, pixel]
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from emergelab import scope, site, site_scan

__all__ = ["Flow", "flow_loss", "generate"]

FREQUENCIES = 8


class Linear(eqx.Module):
    """x W + b, on the last axis."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, "outputs"]

    @classmethod
    def make(cls, key: PRNGKeyArray, inputs: int, outputs: int, gain: float = 1.0) -> Linear:
        """Weights of variance gain^2 / inputs, no bias."""
        weight = jax.random.normal(key, (inputs, outputs)) * (gain * inputs**-0.5)
        return cls(weight, jnp.zeros(outputs))

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        return x @ self.weight + self.bias


class Perceptron(eqx.Module):
    """Two layers with SiLU between them."""

    up: Linear
    down: Linear

    @classmethod
    def make(cls, key: PRNGKeyArray, inputs: int, hidden: int, outputs: int, gain: float = 1.0) -> Perceptron:
        """`gain` is that of the second layer."""
        of_up, of_down = jax.random.split(key)
        return cls(Linear.make(of_up, inputs, hidden), Linear.make(of_down, hidden, outputs, gain))

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        return self.down(site("act", jax.nn.silu(self.up(x))))


class Flow(eqx.Module):
    """The mean picture that a place leads to, given the time and a prompt.

    Attributes:
        enter: from pixels to the stream.
        clock: from sines and cosines of the time to the stream.
        concepts: for each concept of the prompt, from its values to the stream.
        blocks: residual perceptrons.
        leave: from the stream to pixels; 0 at first, so that an untrained network's pictures are all 0.
    """

    enter: Linear
    clock: Perceptron
    concepts: dict[str, Perceptron]
    blocks: list[Perceptron]
    leave: Linear

    @classmethod
    def make(
        cls, key: PRNGKeyArray, *, pixels: int, concepts: Mapping[str, int], width: int = 128, depth: int = 3
    ) -> Flow:
        """A network as it is before training.

        Args:
            key: for the weights.
            pixels: numbers in a picture.
            concepts: how many numbers tell each concept of a prompt, by name.
            width: of the residual stream.
            depth: blocks.
        """
        of_enter, of_clock, of_concepts, of_blocks = jax.random.split(key, 4)
        names = list(concepts)
        return cls(
            Linear.make(of_enter, pixels, width),
            Perceptron.make(of_clock, 2 * FREQUENCIES, width, width),
            {
                name: Perceptron.make(k, concepts[name], width, width)
                for name, k in zip(names, jax.random.split(of_concepts, len(names)), strict=True)
            },
            [Perceptron.make(k, width, width, width, gain=0.5) for k in jax.random.split(of_blocks, depth)],
            Linear(jnp.zeros((width, pixels)), jnp.zeros(pixels)),
        )

    def embed(
        self, prompt: Mapping[str, Float[Array, "batch _"]], shown: Mapping[str, Float[Array, "batch"]] | None = None
    ) -> dict[str, Float[Array, "batch width"]]:
        """What each concept of the prompts adds to the stream. Sites: `cond.CONCEPT`.

        Args:
            prompt: values of each concept.
            shown: 1 where a concept is part of the prompt, 0 where it is masked and adds nothing; 1 by default.
        """
        found = {}
        for name, values in prompt.items():
            with scope("prompt", name):
                embedding = self.concepts[name](values)
            if shown is not None and name in shown:
                embedding = embedding * shown[name][:, None]
            found[name] = site(f"cond.{name}", embedding)
        return found

    def __call__(
        self, y: Float[Array, "batch pixel"], t: Float[Array, "batch"], given: Mapping[str, Float[Array, "batch width"]]
    ) -> Float[Array, "batch pixel"]:
        """The picture. Sites: `L.i.act`, `L.i.out`, `picture`.

        Args:
            y: places, between noise and pictures.
            t: times from 0 (noise) to 1 (pictures).
            given: the prompts, as `embed` returns them.
        """
        phase = t[:, None] * jnp.pi * 2.0 ** jnp.arange(FREQUENCIES)
        with scope("clock"):
            stream = self.enter(y) + self.clock(jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], axis=1))
        for embedding in given.values():
            stream = stream + embedding
        for i, block in enumerate(self.blocks):
            with scope("L", i):
                stream = site("out", stream + block(stream))
        return site("picture", self.leave(jax.nn.silu(stream)))


def flow_loss(
    net: Flow, key: PRNGKeyArray, x: Float[Array, "batch pixel"], given: Mapping[str, Float[Array, "batch width"]]
) -> Float[Array, "batch"]:
    """Mean square error of each picture as told from a random place on one path to it.

    Args:
        net: the network.
        key: for the noise and the time, which is uniform.
        x: pictures.
        given: their prompts, as `Flow.embed` returns them.
    """
    of_time, of_noise = jax.random.split(key)
    t = jax.random.uniform(of_time, x.shape[:1])
    z = jax.random.normal(of_noise, x.shape)
    return jnp.mean((net(z + t[:, None] * (x - z), t, given) - x) ** 2, axis=1)


def generate(
    net: Flow, z: Float[Array, "batch pixel"], given: Mapping[str, Float[Array, "batch width"]], steps: int
) -> Float[Array, "batch pixel"]:
    """Pictures made from noise, in Euler steps of equal length; the last one ends where the network says.

    Args:
        net: the network.
        z: standard normal noise.
        given: the prompts, as `Flow.embed` returns them.
        steps: how many.
    """

    def one(y: Array, i: Array) -> tuple[Array, None]:
        told = net(y, jnp.full(y.shape[:1], i / steps), given)
        # velocity (told - y) / (1 - t), for a time of 1 / steps
        return y + (told - y) / (steps - i), None

    return site_scan(one, z, jnp.arange(steps))[0]
