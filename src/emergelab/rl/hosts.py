"""Environments of Gymnasium and PettingZoo, played by anybody, for host systems.

Whoever acts is a *player*: a function (ordinary or `async`) from what is seen and a generator of random numbers to an
action. A network that was trained in JAX (`player`), a heuristic, a language model and a person are players alike.

These environments cannot be written down in the middle of an episode. A host system that uses them should therefore
make one episode its step and keep in its state what the players learn: then every checkpoint lies between two episodes,
and a step that is repeated repeats the same episode, for it begins from a seed.

    class Taxi(el.HostSystem):
        async def step(self, state, context):
            with gymnasium_world("Taxi-v3") as world:
                told = await episode(world, state_player(state), seed=context.rng.integers(2**31), rng=context.rng)
            return learned(state, told)

Needs extra `worlds`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emergelab.errors import UserError, need

from .networks import ActorCritic

__all__ = ["Moment", "Player", "episode", "gymnasium_world", "player", "rounds", "turns"]

Player = Callable[[Any, np.random.Generator], Any | Awaitable[Any]]


class Moment(NamedTuple):
    """One decision of one agent.

    Attributes:
        agent: who decided; "" where there is only one.
        seen: what it saw.
        action: what it did.
        reward: for that.
        terminated: whether the episode ended with it for a reason within the world.
        truncated: whether it was cut off.
    """

    agent: str
    seen: Any
    action: Any
    reward: float
    terminated: bool
    truncated: bool


@contextmanager
def gymnasium_world(name: str, **settings: Any) -> Iterator[Any]:
    """A Gymnasium environment by its name, closed at the end.

    Raises:
        UserError: Gymnasium is missing or cannot make the environment.
    """
    gymnasium = need("gymnasium", "worlds", f"the world {name!r}")
    try:
        environment = gymnasium.make(name, **settings)
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"gymnasium_world: {name!r} cannot be made ({why})") from None
    try:
        yield environment
    finally:
        environment.close()


async def episode(world: Any, who: Player, *, seed: int, rng: np.random.Generator, most: int = 10_000) -> list[Moment]:
    """One episode of a Gymnasium environment.

    Args:
        world: the environment.
        who: who acts.
        seed: from which the environment draws.
        rng: from which the player draws.
        most: steps after which it is cut off.
    """
    seen, _ = world.reset(seed=int(seed))
    told = []
    for time in range(most):
        action = await _decided(who, seen, rng)
        after, reward, terminated, truncated, _ = world.step(_inside(world.action_space, action, ""))
        truncated = bool(truncated) or (not terminated and time == most - 1)
        told.append(Moment("", seen, action, float(reward), bool(terminated), truncated))
        if terminated or truncated:
            break
        seen = after
    return told


async def rounds(
    world: Any, who: Mapping[str, Player], *, seed: int, rng: np.random.Generator, most: int = 10_000
) -> list[Moment]:
    """One episode of a PettingZoo environment in which all act at the same time (its parallel interface).

    Args:
        world: the environment.
        who: players by the agents' names.
        seed: from which the environment draws.
        rng: from which the players draw.
        most: rounds after which it is cut off.

    Raises:
        UserError: an agent has no player.
    """
    _all_played(world, who)
    seen, _ = world.reset(seed=int(seed))
    told: list[Moment] = []
    for time in range(most):
        agents = list(world.agents)
        if not agents:
            break
        actions = {a: _inside(world.action_space(a), await _decided(who[a], seen[a], rng), a) for a in agents}
        after, reward, terminated, truncated, _ = world.step(actions)
        for a in agents:
            cut = bool(truncated[a]) or (not terminated[a] and time == most - 1)
            told.append(Moment(a, seen[a], actions[a], float(reward[a]), bool(terminated[a]), cut))
        seen = after
    return told


async def turns(
    world: Any, who: Mapping[str, Player], *, seed: int, rng: np.random.Generator, most: int = 10_000
) -> list[Moment]:
    """One episode of a PettingZoo environment in which agents act in turn (its interface AEC).

    What an agent's action was worth is known only when its next turn comes: the reward of a moment is all that the
    agent got up to then. Arguments and errors as in `rounds`; `most` counts turns.
    """
    _all_played(world, who)
    world.reset(seed=int(seed))
    told: list[Moment] = []
    open_moves: dict[str, tuple[Any, Any]] = {}
    for time, agent in enumerate(world.agent_iter()):
        seen, reward, terminated, truncated, _ = world.last()
        over = bool(terminated or truncated)
        if agent in open_moves:
            told.append(Moment(agent, *open_moves.pop(agent), float(reward), bool(terminated), bool(truncated)))
        if time >= most:
            break
        if over:
            world.step(None)
            continue
        action = _inside(world.action_space(agent), await _decided(who[agent], seen, rng), agent)
        open_moves[agent] = (seen, action)
        world.step(action)
    rewards = getattr(world, "_cumulative_rewards", {})
    told += [Moment(a, *move, float(rewards.get(a, 0.0)), False, True) for a, move in open_moves.items()]
    return told


def player(net: ActorCritic, greedy: bool = False) -> Player:
    """A network as a player of one episode; one that remembers must be made anew for each.

    Args:
        net: the network; observations go to it as arrays.
        greedy: the policy's mode is played; else it is sampled.
    """
    memory = net.rest(1)
    fresh = jnp.ones(1, bool)

    @jax.jit
    def decide(memory: Any, seen: Any, fresh: Any, key: Any) -> Any:
        memory, policy, _ = net(memory, jax.tree.map(lambda x: x[None], seen), fresh)
        return memory, (policy.mode() if greedy else policy.sample(key))[0]

    def act(seen: Any, rng: np.random.Generator) -> Any:
        nonlocal memory, fresh
        key = jax.random.key(int(rng.integers(2**31)))
        memory, action = decide(memory, jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), seen), fresh, key)
        fresh = jnp.zeros(1, bool)
        return np.asarray(action)

    return act


async def _decided(who: Player, seen: Any, rng: np.random.Generator) -> Any:
    action = who(seen, rng)
    return await action if inspect.isawaitable(action) else action


def _inside(space: Any, action: Any, agent: str) -> Any:
    """The action in the type that the environment wants, or one line that says what it wants."""
    if hasattr(space, "n"):
        number = np.asarray(action)
        if number.shape == () and float(number).is_integer():
            action = int(number) if int(getattr(space, "start", 0)) == 0 else type(space.start)(int(number))
    elif hasattr(space, "dtype") and hasattr(space, "shape"):
        action = np.asarray(action, space.dtype)
    if not space.contains(action):
        raise UserError(f"{agent or 'player'}: the action is {action!r}, expected one of {space}")
    return action


def _all_played(world: Any, who: Mapping[str, Player]) -> None:
    for agent in world.possible_agents:
        if agent not in who:
            raise UserError(f"{agent}: nobody plays this agent, expected a player for each of {world.possible_agents}")
