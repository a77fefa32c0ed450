"""Who speaks in the study `latent-properties`: networks that watch a few frames and name something at each position."""

from __future__ import annotations

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from emergelab.nn.groups import each
from emergelab.nn.messages import Way
from emergelab.nn.speakers import HeadListener

__all__ = ["Teacher", "Watcher", "listener"]

Views = Float[Array, "batch frame feature"]


class Watcher(eqx.Module):
    """Two convolutions over time of three frames each, the mean over time, a layer, and a head for every position.

    Attributes:
        first: weights of the first convolution, [3 features, 2 units], and `first_bias`.
        second: of the second one, [6 units, units], and `second_bias`.
        layer: after the mean.
        heads: all positions, one after the other.
        positions: length of what it says.
    """

    first: Float[Array, "window wide"]
    first_bias: Float[Array, "wide"]
    second: Float[Array, "window unit"]
    second_bias: Float[Array, "unit"]
    layer: eqx.nn.Linear
    heads: eqx.nn.Linear
    positions: int = eqx.field(static=True)

    def __init__(self, key: PRNGKeyArray, features: int, hidden: int, positions: int, symbols: int):
        said = positions * symbols
        sizes = ((3 * features, 2 * hidden), (6 * hidden, hidden), (hidden, hidden), (hidden, said))
        (self.first, self.first_bias), (self.second, self.second_bias), layer, heads = _drawn(key, sizes)
        self.layer, self.heads = _linear(*layer), _linear(*heads)
        self.positions = positions

    def understood(self, views: Views) -> Float[Array, "batch unit"]:
        """What it makes of the frames, before it speaks."""
        x = jax.nn.relu(_windows(views) @ self.first + self.first_bias)
        x = jax.nn.relu(_windows(x) @ self.second + self.second_bias)
        return jax.nn.relu(jax.vmap(self.layer)(x.mean(axis=1)))

    def __call__(
        self, views: Views, way: Way, key: PRNGKeyArray
    ) -> tuple[Float[Array, "batch position symbol"], Float[Array, "batch position symbol"]]:
        """Logits of every position, and the symbols that `way` made of them."""
        logits = jax.vmap(self.heads)(self.understood(views)).reshape(len(views), self.positions, -1)
        return logits, way(logits, key)


class Teacher(eqx.Module):
    """Watchers whose understanding a judge reads directly: what can be known without a channel of symbols.

    Attributes:
        watchers: stacked on a leading axis `agent`.
        judge: reads what all watchers understood of both scenes.
    """

    watchers: Watcher
    judge: HeadListener

    def __call__(self, views: Float[Array, "agent batch two frame feature"]) -> Float[Array, "batch property"]:
        """Logits of the two questions, for every pair of scenes."""
        agents, batch, two, *film = views.shape
        alone = each(self.watchers, lambda w, v: w.understood(v), views.reshape(agents, batch * two, *film))
        told = jnp.moveaxis(alone.reshape(agents, batch, two, -1), 0, 2)
        return self.judge(told.reshape(batch, two * agents, -1))


def listener(key: PRNGKeyArray, positions: int, symbols: int, answers: int, hidden: int) -> HeadListener:
    """A newborn `HeadListener` with two layers of hidden units, the second half as wide, drawn in one go."""
    widths = (positions * symbols, hidden, max(hidden // 2, 1), answers)
    shape = eqx.filter_eval_shape(HeadListener, key, positions, symbols, answers, widths[1:3])
    layers = [_linear(*drawn) for drawn in _drawn(key, tuple(pairwise(widths)))]
    return eqx.tree_at(lambda net: net.layers, shape, layers)


def _drawn(
    key: PRNGKeyArray, sizes: tuple[tuple[int, int], ...]
) -> list[tuple[Float[Array, "in out"], Float[Array, "out"]]]:
    """Weights and biases of layers, uniform within the inverse root of the number of inputs.

    All out of one draw: what draws often is slow to compile.
    """
    lot = jax.random.uniform(key, (sum((i + 1) * o for i, o in sizes),), minval=-1.0, maxval=1.0)
    out, at = [], 0
    for inputs, outputs in sizes:
        here = lot[at : at + (inputs + 1) * outputs].reshape(inputs + 1, outputs) * inputs**-0.5
        out.append((here[:-1], here[-1]))
        at += (inputs + 1) * outputs
    return out


def _linear(weights: Float[Array, "in out"], bias: Float[Array, "out"]) -> eqx.nn.Linear:
    shape = eqx.filter_eval_shape(eqx.nn.Linear, *weights.shape, key=jax.random.key(0))
    return eqx.tree_at(lambda layer: (layer.weight, layer.bias), shape, (weights.T, bias))


def _windows(x: Float[Array, "batch frame channel"]) -> Float[Array, "batch frame window"]:
    """Each frame with the one before and the one after; beyond the ends there is nothing."""
    padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0)))
    return jnp.concatenate([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], axis=-1)
