"""The system of the study `concept-space`: a generator in training, and what it makes of each prompt."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.nn.discs import Reading, paint, read, render
from emergelab.nn.flow import Flow, flow_loss, generate

__all__ = ["CLASSES", "SHOWN", "WAYS", "ConceptSpace"]

CLASSES = ("00", "01", "10", "11")
"""Red or blue (0, 1), then large or small (0, 1). The last is never trained."""
WAYS = (*CLASSES, "latent", "latent_15", "latent_3", "latent_colour", "latent_size", "random", "over")
"""What pictures are asked for with: the four prompts, and seven other ways to ask for 11."""
SHOWN = ("00", "01", "10", "11", "latent", "over", "random")
"""Ways whose pictures are kept."""
DISC = 0.8  # likeness from which on a picture counts as that of a disc; rendered ones have 0.9 and more


class Batch(NamedTuple):
    """Pictures with what their prompts say."""

    pictures: Float[Array, "batch pixel"]
    prompt: dict[str, Array]
    shown: dict[str, Array]


def _share(name: str, about: str, **more: Any) -> el.Observable:
    return el.Observable(name, unit="1", about=about, low=0.0, high=1.0, **more)


class ConceptSpace(el.Training):
    """A generator learns discs of three of the four combinations of colour and size; one gradient step is a step."""

    pixels: int = el.static(8, low=6, high=64, about="of a side of a picture")
    width: int = el.static(64, low=8, high=2048, about="width of the network's stream")
    depth: int = el.static(3, low=1, high=32, about="residual blocks")
    batch_size: int = el.static(64, low=1, high=65_536, about="pictures in a gradient step")
    samples: int = el.static(24, low=1, high=65_536, about="pictures generated for each way of asking")
    euler: int = el.static(8, low=1, high=1000, about="steps from noise to a picture")
    rate: float = el.param(5e-4, low=0.0, high=10.0, about="learning rate")
    decay: float = el.param(0.01, low=0.0, high=10.0, about="weight decay, as in AdamW")
    sep_colour: float = el.param(0.4, low=0.01, high=1.0, unit="1", about="how far red and blue are apart: its signal")
    sep_size: float = el.param(0.2, low=0.01, high=0.6, unit="1", about="how far large and small are apart: its signal")
    spread: float = el.param(0.25, low=0.0, high=0.5, unit="1", about="how far from the middle discs may be")
    masked: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="share of prompts of class 01 without the colour")
    alpha: float = el.param(2.0, low=0.0, high=10.0, unit="1", about="how far interventions go; 1 is the plain prompt")

    observables = (
        el.Observable("loss", unit="1", about="square error on the three trained classes", low=0.0),
        el.Observable("loss_new", unit="1", about="square error on class 11", low=0.0),
        _share("trained", "prompts of trained classes: pictures of that class"),
        _share("plain", "prompt 11: pictures of class 11"),
        _share("right_colour", "prompt 11: blue discs"),
        _share("right_size", "prompt 11: small discs"),
        _share("latent", "both embeddings pushed on by alpha: pictures of class 11"),
        _share("latent_15", "the same with 1.5"),
        _share("latent_3", "the same with 3"),
        _share("latent_colour", "only the colour's embedding pushed on by alpha"),
        _share("latent_size", "only the size's embedding pushed on by alpha"),
        _share("random", "embeddings of 11 pushed as far in random directions"),
        _share("over", "prompt 11 exaggerated by alpha"),
        _share("nearest", "prompt 11: share of pictures nearest to each class", dims=("class",)),
        el.Observable("colour", ("way",), unit="1", about="mean colour; -1 is the mean of red classes, 1 of blue ones"),
        el.Observable("size", ("way",), unit="1", about="mean size; -1 is the mean of large classes, 1 of small ones"),
        el.Observable("likeness", ("way",), unit="1", about="how like discs the pictures are", low=0.0, high=1.0),
        el.Observable("pictures", ("shown", "row", "column", "channel"), about="one picture each, 0 to 255"),
    )

    def network(self, key: PRNGKeyArray) -> Flow:
        return Flow.make(
            key, pixels=3 * self.pixels**2, concepts={"col": 3, "size": 1}, width=self.width, depth=self.depth
        )

    def rule(self) -> optax.GradientTransformation:
        return optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(self.decay))

    def batch(self, key: PRNGKeyArray, given: None) -> Batch:
        kind, *rest = jax.random.uniform(key, (8, self.batch_size))
        return self.draw(jnp.stack(rest), jnp.int32(3 * kind))

    def loss(self, net: Flow, batch: Batch, key: PRNGKeyArray) -> Float[Array, ""]:
        return flow_loss(net, key, batch.pictures, net.embed(batch.prompt, batch.shown)).mean()

    def draw(self, chance: Float[Array, "7 batch"], kind: Int[Array, "batch"]) -> Batch:
        """Pictures of the classes given (0 to 3), in [-1, 1]. Sites: `sep_colour`, `sep_size`, `masked`.

        Args:
            chance: uniform numbers in [0, 1), drawn in one go: three for the colour, one for the size, two for the
                place, one for whether the prompt leaves something out.
            kind: the class of each picture.
        """
        sep_colour, sep_size, masked = (
            el.site(name, jnp.asarray(getattr(self, name))) for name in ("sep_colour", "sep_size", "masked")
        )
        colour, size = _means(sep_colour, sep_size, kind // 2, kind % 2)
        either = 2 * chance - 1
        colour = colour + sep_colour / 8 * either[:3].T
        size = size + 3 * sep_size / 8 * either[3]
        x, y = self.spread * either[4:6]
        pictures = render(x, y, size, colour, self.pixels).reshape(len(kind), -1)
        hidden = (kind == 1) & (chance[6] < masked)
        return Batch(2 * pictures - 1, _prompt(colour, size), {"col": 1.0 - hidden})

    def observe(self, state: el.TrainState, key: PRNGKeyArray) -> dict[str, Array]:
        of_data, of_loss, of_noise, of_random = jax.random.split(key, 4)
        four = jnp.arange(4)
        some = self.draw(jax.random.uniform(of_data, (7, 4 * self.samples)), jnp.repeat(four, self.samples))
        losses = flow_loss(state.net, of_loss, some.pictures, state.net.embed(some.prompt)).reshape(4, -1).mean(axis=1)

        given = {name: e.reshape(-1, e.shape[-1]) for name, e in self.ways(state.net, of_random).items()}
        z = jax.random.normal(of_noise, (self.samples, 3 * self.pixels**2))
        made = generate(state.net, jnp.tile(z, (len(WAYS), 1)), given, self.euler)
        pictures = ((made + 1) / 2).reshape(len(WAYS), self.samples, self.pixels, self.pixels, 3)
        at = self.coordinates(read(pictures))
        disc = at.likeness > DISC
        blue, small = disc & (at.colour > 0), disc & (at.size > 0)
        right = dict(zip(WAYS, (blue & small).mean(axis=1), strict=True))
        kind = 2 * (at.colour > 0) + (at.size > 0)
        kept = jnp.stack([pictures[WAYS.index(way), 0] for way in SHOWN])
        return {
            "loss": losses[:3].mean(), "loss_new": losses[3],
            "trained": ((kind[:3] == four[:3, None]) & disc[:3]).mean(),
            "plain": right["11"], "right_colour": blue[3].mean(), "right_size": small[3].mean(),
            **{way: right[way] for way in WAYS[4:]},
            "nearest": ((kind[3] == four[:, None]) & disc[3]).mean(axis=1),
            "colour": at.colour.mean(axis=1), "size": at.size.mean(axis=1), "likeness": at.likeness.mean(axis=1),
            "pictures": jnp.clip(jnp.round(255 * kept), 0, 255).astype(jnp.uint8),
        }  # fmt: skip

    def coordinates(self, seen: Reading) -> Reading:
        """A reading in units of the classes: colour and size are -1 at the means of 00 and 1 at those of 11."""
        return Reading(seen.colour / self.sep_colour, (0.5 - seen.size) / (self.sep_size / 2), seen.likeness)

    def ways(self, net: Flow, key: PRNGKeyArray) -> dict[str, Float[Array, "way sample width"]]:
        """Embeddings of both concepts for every way of asking.

        An intervention of strength a puts e(0) + a (e(1) - e(0)) in the place of e(1), where e(0) and e(1) are what
        the network makes of the concept's values in 00 and in 11. The random one goes equally far from e(1), in a
        direction of its own for each picture; an exaggerated prompt does the same to the values themselves.
        """
        sep_colour, sep_size, alpha = map(jnp.asarray, (self.sep_colour, self.sep_size, self.alpha))
        (red, blue), (large, small) = _means(sep_colour, sep_size, jnp.arange(2), jnp.arange(2))
        colours = jnp.stack([red, blue, red + alpha * (blue - red)])
        sizes = jnp.stack([large, small, large + alpha * (small - large)])
        strength = {
            "col": jnp.array([0, 0, 1, 1, alpha, 1.5, 3, alpha, 1]),
            "size": jnp.array([0, 1, 0, 1, alpha, 1.5, 3, 1, alpha]),
        }
        noise = jax.random.normal(key, (2, self.samples, self.width))
        unit = noise / jnp.sqrt((noise**2).sum(axis=-1, keepdims=True))
        found = {}
        for (name, (e0, e1, over)), direction in zip(net.embed(_prompt(colours, sizes)).items(), unit, strict=True):
            pushed = e0 + strength[name][:, None] * (e1 - e0)
            away = e1 + (alpha - 1) * jnp.sqrt(((e1 - e0) ** 2).sum()) * direction
            same = jnp.stack([*pushed, over])[:, None] * jnp.ones((1, self.samples, 1))
            found[name] = jnp.concatenate([same[:-1], away[None], same[-1:]])
        return found


def _means(
    sep_colour: Float[Array, ""], sep_size: Float[Array, ""], blue: Int[Array, "n"], small: Int[Array, "n"]
) -> tuple[Float[Array, "n 3"], Float[Array, "n"]]:
    """Colour and radius in the middle of a class."""
    return paint(sep_colour * (2.0 * blue - 1.0)), 0.5 + sep_size * (0.5 - small)


def _prompt(colour: Float[Array, "n 3"], size: Float[Array, "n"]) -> dict[str, Array]:
    """What a prompt says: the values themselves, centred, in units about as large as their range."""
    return {"col": 2 * (colour - 0.5), "size": 4 * (size[:, None] - 0.5)}
