"""Sites in a network that was written without them.

    net = announce(eqx.nn.MLP(10, 1, 64, 2, key=key), {"hidden.0": lambda m: m.layers[0]})

The layer's output is then the site `hidden.0`; the network is an Equinox module as before, with the same arrays, and
computes the same. A network whose code is yours needs none of this: write `h = el.site("hidden", h)` where `h` is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import equinox as eqx

from emergelab import site
from emergelab.errors import UserError

__all__ = ["Announced", "announce"]

Model = TypeVar("Model", bound=eqx.Module)


class Announced(eqx.Module):
    """A layer whose output is a site. Attributes that it does not have are the layer's."""

    inner: Any
    name: str = eqx.field(static=True)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return site(self.name, self.inner(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # not set yet, while the module is being made
            raise AttributeError(name)
        return getattr(self.inner, name)


def announce(model: Model, sites: Mapping[str, Callable[[Model], Any]]) -> Model:
    """The model, with the outputs of some of its layers as sites.

    Args:
        model: an Equinox module.
        sites: name of the site -> function from the model to the layer (any callable part of it).

    Raises:
        UserError: what a function picks is not part of the model, or cannot be called.
    """
    for name, where in sites.items():
        try:
            layer = where(model)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise UserError(f"announce: the model has no layer for site {name!r} ({error})") from None
        if not callable(layer):
            raise UserError(f"announce: site {name!r} needs something to call, a layer; got {type(layer).__name__}")
        model = eqx.tree_at(where, model, Announced(layer, name))
    return model
