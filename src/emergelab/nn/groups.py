"""Networks of one make, side by side on an axis, each learning for itself; and what replaces some of them.

A population is some groups (speakers, listeners). All networks of a group have the same shape, so their arrays are
stacked on a leading axis `agent` and one program trains them all; every one has an optimiser of its own. A generation
ends when `renewed` puts newborn networks in the place of old ones, with `due` saying when:

    speakers = group(lambda k: HeadSpeaker(k, 16, 3, 10), keys, rule)
    gradient = jax.grad(loss)(trained(speakers), ...)               # loss(speakers.nets, ...): a sum over the agents
    speakers = improved(speakers, gradient, rule, 1e-3, "speakers")
    speakers = renewed(speakers, group(make, keys_of_newborns, rule), due(time, 500, 1, "simultaneous"))

Sites: `grad.NAME.PATH` and `update.NAME.PATH` for every array of the group's networks, [agent, ...], as of any
training: to ablate `update.speakers.*` is to freeze the speakers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, Num, PRNGKeyArray, PyTree

from emergelab.errors import UserError, nearest
from emergelab.training import announced

__all__ = ["RESETS", "Group", "due", "each", "group", "improved", "renewed", "trained", "whole"]

RESETS = ("none", "simultaneous", "staggered")


class Group(eqx.Module):
    """Networks and what their optimisers remember; every array has a leading axis `agent`.

    Attributes:
        nets: the networks.
        memory: the optimisers'.
    """

    nets: PyTree
    memory: optax.OptState

    @property
    def size(self) -> int:
        """How many agents."""
        return len(jax.tree.leaves(eqx.filter(self.nets, eqx.is_array))[0])


def group(
    make: Callable[[PRNGKeyArray], PyTree], keys: Key[Array, "agent"], rule: optax.GradientTransformation
) -> Group:
    """A network for every key, with a fresh optimiser each.

    Args:
        make: from a key to a network.
        keys: one an agent.
        rule: the optimiser, from gradients to directions, without learning rate and sign (`optax.scale_by_adam()`). It
            is applied agent by agent: a clipped norm is the norm of one agent's gradient.
    """
    nets = eqx.filter_vmap(make)(keys)
    return Group(nets, jax.vmap(rule.init)(eqx.filter(nets, eqx.is_inexact_array)))


def trained(group: Group) -> PyTree[Array]:
    """The arrays that learning changes: what a loss is differentiated by. `whole` puts them back into networks."""
    return eqx.filter(group.nets, eqx.is_inexact_array)


def whole(group: Group, weights: PyTree[Array]) -> PyTree:
    """The group's networks with these weights."""
    return eqx.combine(weights, eqx.filter(group.nets, eqx.is_inexact_array, inverse=True))


def each(nets: PyTree, call: Callable[..., PyTree], *shares: PyTree) -> PyTree:
    """`call(net, *share)` for every agent, with its share of what has a leading axis `agent`; results are stacked.

    What all agents see alike is what `call` closes over.
    """
    arrays, rest = eqx.partition(nets, eqx.is_array)
    return jax.vmap(lambda a, *s: call(eqx.combine(a, rest), *s))(arrays, *shares)


def improved(
    group: Group,
    gradient: PyTree[Array],
    rule: optax.GradientTransformation,
    rate: Float[Array, ""] | float,
    name: str,
) -> Group:
    """After one update of every agent. Sites: `grad.NAME.PATH`, `update.NAME.PATH`.

    Args:
        group: the agents.
        gradient: by `trained(group)`.
        rule: the optimiser with which the group was made.
        rate: learning rate.
        name: of the group, in the names of sites.
    """
    weights = trained(group)
    gradient = announced(f"grad.{name}", gradient)
    direction, memory = jax.vmap(rule.update)(gradient, group.memory, weights)
    update = announced(f"update.{name}", jax.tree.map(lambda d: (-rate * d).astype(d.dtype), direction))
    return Group(whole(group, optax.apply_updates(weights, update)), memory)


def renewed(old: Group, fresh: Group, which: Bool[Array, "agent"]) -> Group:
    """The group with newborns, networks and optimisers, in the place of some.

    Args:
        old: the group as it is.
        fresh: as many newborns; those that are not needed are dropped.
        which: who is replaced.
    """

    def one(was: Any, new: Any) -> Any:
        return jnp.where(which.reshape(-1, *(1,) * (was.ndim - 1)), new, was) if eqx.is_array(was) else was

    return Group(jax.tree.map(one, old.nets, fresh.nets), jax.tree.map(one, old.memory, fresh.memory))


def due(
    time: Int[Array, ""],
    every: Int[Array, ""] | int,
    agents: int,
    resets: str | Int[Array, ""],
    until: Num[Array, ""] | float = jnp.inf,
) -> Bool[Array, "agent"]:
    """Who is replaced after `time` steps.

    Args:
        time: steps made.
        every: steps that an agent lives; may be traced; 0 or less is for ever.
        agents: how many there are.
        resets: "none"; "simultaneous", all after each `every` steps; "staggered", one after each `every / agents`
            steps (rounded down, at least one), in turn. Or the place of the word in `RESETS`, which may be traced.
        until: no replacement from this step on.

    Raises:
        UserError: another word for `resets`.
    """
    if isinstance(resets, str) and resets not in RESETS:
        raise UserError(f"resets: one of {', '.join(RESETS)} is expected, not {resets!r}{nearest(resets, RESETS)}")
    how = RESETS.index(resets) if isinstance(resets, str) else resets
    span = jnp.maximum(every, 1)
    turn = jnp.maximum(span // agents, 1)
    all_now = jnp.broadcast_to(time % span == 0, (agents,))
    one_now = (time % turn == 0) & ((time // turn - 1) % agents == jnp.arange(agents))
    ever = (time > 0) & (time < until) & (jnp.asarray(every) > 0)
    return ever & jnp.stack([jnp.zeros(agents, bool), all_now, one_now])[how]
