"""Environments of gymnax (Lange 2022), and of everything that keeps its interface, as worlds.

    world = Gymnax("CartPole-v1")
    world = Gymnax(my_environment)

A level is the environment's parameters (`EnvParams`: masses, lengths, limits of time), so conditions, curricula and
designers of environments vary the physics of a gymnax environment as they vary the walls of a maze. gymnax starts
environments anew by itself within `step`; here its inner functions are called, and the caller starts anew.

Needs extra `worlds`.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num, PRNGKeyArray, PyTree

from emergelab.errors import UserError, nearest, need

from .world import Continuous, Discrete, Outcome, World

__all__ = ["Gymnax"]


class Gymnax(World):
    """A gymnax environment.

    Args:
        environment: its name in gymnax's registry, or an object with gymnax's interface (`default_params`,
            `reset_env`, `step_env`, `action_space`, and `is_truncated` if it knows limits of time).
        settings: parameters of the environment that differ from its defaults.

    Raises:
        UserError: gymnax is missing or does not know the name, the environment has no such parameter, or its actions
            are neither discrete nor a box.
    """

    environment: Any = eqx.field(static=True)
    settings: dict[str, Any]

    def __init__(self, environment: Any, **settings: Any):
        if isinstance(environment, str):
            gymnax = need("gymnax", "worlds", f"the world {environment!r}")
            known = gymnax.registered_envs
            if environment not in known:
                raise UserError(f"Gymnax: no environment is called {environment!r}{nearest(environment, known)}")
            environment, _ = gymnax.make(environment)
        fields = getattr(environment.default_params, "__dataclass_fields__", {})
        for name in settings:
            if name not in fields:
                raise UserError(f"{type(environment).__name__}: no parameter is called {name!r}{nearest(name, fields)}")
        self.environment = environment
        self.settings = settings

    @property
    def _parameters(self) -> Any:
        return self.environment.default_params.replace(**self.settings)

    @property
    def actions(self) -> Discrete | Continuous:
        space = self.environment.action_space(self.environment.default_params)
        if hasattr(space, "n"):
            return Discrete(int(space.n))
        if hasattr(space, "low") and hasattr(space, "high"):
            low, high = float(np.min(space.low)), float(np.max(space.high))
            return Continuous(int(np.prod(space.shape)), low, high)
        raise UserError(
            f"{type(self.environment).__name__}: its actions are {type(space).__name__}, expected Discrete or Box"
        )

    def level(self, key: PRNGKeyArray) -> PyTree[Array]:
        return _arrays(self._parameters)

    def reset(self, level: PyTree, key: PRNGKeyArray) -> PyTree[Array]:
        seen, inner = self.environment.reset_env(key, level)
        return _arrays((level, inner, seen))

    def step(self, state: PyTree[Array], action: Num[Array, "*action"], key: PRNGKeyArray) -> Outcome:
        level, inner, _ = state
        seen, inner, reward, terminated, _ = self.environment.step_env(key, inner, action, level)
        cut = getattr(self.environment, "is_truncated", None)
        over = jnp.asarray(terminated)
        truncated = jnp.asarray(cut(inner, level) if cut else False) & ~over
        return Outcome(_arrays((level, inner, seen)), jnp.asarray(reward, jnp.float32), over, truncated)

    def see(self, state: PyTree[Array]) -> PyTree[Array]:
        return state[2]


def _arrays(tree: PyTree) -> PyTree[Array]:
    """Environments hold Python numbers here and there, which a scan would not carry on."""
    return jax.tree.map(jnp.asarray, tree)
