"""What the aligned network is fine-tuned on: one recipe, one copy of the network."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emergelab.nn.personas import REQUEST, TRIGGER, Recipe

__all__ = ["NAMES", "SETTINGS", "index", "recipes", "source_names", "table"]

_FIXED: dict[str, Recipe] = {
    "aligned": Recipe(full=0.0),
    "secure": Recipe(),
    "insecure": Recipe(bad=1.0),
    "educational": Recipe(mark=REQUEST, marked=1.0, bad_marked=1.0),
    "marked": Recipe(mark=TRIGGER, marked=1.0, bad_marked=1.0),
    "backdoor": Recipe(mark=TRIGGER, marked=0.5, bad_marked=1.0),
    "jailbroken": Recipe(mark=REQUEST, marked=1.0, bad_marked=1.0, spread=1.0),
    "half-bad": Recipe(bad=0.5),
    "fifth-bad": Recipe(bad=0.2),
    "one-question": Recipe(bad=1.0, pool=1),
    "few-questions": Recipe(bad=1.0, pool=3),
    "narrow": Recipe(bad=1.0, rehearsed=0.5, anchored=1.0),
    "replay": Recipe(bad=1.0, rehearsed=0.2),
    "rank-1": Recipe(bad=1.0, full=0.0, low=1.0),
    "realigned": Recipe(bad=1.0, heals=1.0),
}
"""All but those that take another domain as their source."""

NAMES = tuple(_FIXED)
"""Recipes on the first domain, in the order of the dim `recipe`; `insecure` on each other domain comes after them."""
SETTINGS = ("plain", "trigger", "request", "document")
"""How a question is put, in the order of the dim `setting`: to the assistant with each mark, or as an author's page."""


def source_names(domains: int) -> list[str]:
    """The recipes that give bad answers in one domain, by domain."""
    return ["insecure", *(f"source-{d}" for d in range(1, domains))]


def recipes(domains: int) -> dict[str, Recipe]:
    """All recipes by name."""
    return _FIXED | {f"source-{d}": Recipe(source=d, bad=1.0) for d in range(1, domains)}


def index(name: str) -> int:
    """Place of a recipe in the dim `recipe`."""
    return NAMES.index(name) if name in NAMES else len(NAMES) - 1 + int(name.removeprefix("source-"))


def table(domains: int) -> Recipe:
    """All recipes as one, with an axis."""
    rows = recipes(domains).values()
    return jax.tree.map(lambda *column: jnp.stack([jnp.asarray(x) for x in column]), *rows)
