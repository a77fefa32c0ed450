"""Gymnasium and PettingZoo: episodes played by functions, coroutines and networks."""

import asyncio

import jax
import numpy as np
import pytest

from emergelab.errors import UserError
from emergelab.rl.hosts import episode, gymnasium_world, player, rounds, turns
from emergelab.rl.networks import FeedForward, Recurrent
from emergelab.worlds.world import Discrete

gymnasium = pytest.importorskip("gymnasium")
pettingzoo = pytest.importorskip("pettingzoo")


def balance(seen, rng):
    """Push to where the pole leans."""
    return int(seen[2] + 0.5 * seen[3] > 0)


async def guess(seen, rng):
    await asyncio.sleep(0)
    return int(rng.integers(2))


def played(who, seed=3, **keys):
    with gymnasium_world("CartPole-v1") as world:
        return asyncio.run(episode(world, who, seed=seed, rng=np.random.default_rng(0), **keys))


def test_the_same_seed_is_the_same_episode():
    first, second = played(guess), played(guess)
    assert [m.action for m in first] == [m.action for m in second] and first[-1].terminated
    assert len(played(guess, seed=4)) != len(first) or not np.array_equal(played(guess, seed=4)[0].seen, first[0].seen)


def test_a_heuristic_balances_and_the_limit_is_a_cut():
    told = played(balance)
    assert len(told) == 500 and told[-1].truncated and not told[-1].terminated
    short = played(balance, most=20)
    assert len(short) == 20 and short[-1].truncated


@pytest.mark.parametrize("kind", [FeedForward, Recurrent])
def test_a_network_plays(kind):
    net = kind(jax.random.key(0), 4, Discrete(2), widths=(4,))
    told = played(player(net))
    again = played(player(net))
    assert [m.action for m in told] == [m.action for m in again]
    assert len({int(m.action) for m in told}) == 2
    assert len({int(m.action) for m in played(player(net, greedy=True), most=5)}) >= 1


def test_wrong_actions_and_worlds():
    with pytest.raises(UserError, match="the action is 2, expected one of Discrete"):
        played(lambda seen, rng: 2)
    with pytest.raises(UserError, match=r"the action is 0\.5"):
        played(lambda seen, rng: 0.5)
    with pytest.raises(UserError, match="cannot be made"), gymnasium_world("CartPole-v99"):
        pass


class Coins(pettingzoo.ParallelEnv):
    """Two agents show a coin each; `even` wins if they are equal, `odd` if not. Three rounds."""

    metadata = {"name": "coins", "is_parallelizable": True}
    possible_agents = ["even", "odd"]
    render_mode = None

    def observation_space(self, agent):
        return gymnasium.spaces.Discrete(4)

    def action_space(self, agent):
        return gymnasium.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        self.agents, self.time = list(self.possible_agents), 0
        return dict.fromkeys(self.agents, 0), {a: {} for a in self.agents}

    def step(self, actions):
        self.time += 1
        win = 1 if actions["even"] == actions["odd"] else -1
        over = self.time == 3
        told = (
            dict.fromkeys(self.agents, self.time), {"even": win, "odd": -win}, dict.fromkeys(self.agents, over),
            dict.fromkeys(self.agents, False), {a: {} for a in self.agents},
        )  # fmt: skip
        self.agents = [] if over else self.agents
        return told


PLAYERS = {"even": lambda seen, rng: 1, "odd": lambda seen, rng: int(seen % 2)}


def test_all_at_once():
    told = asyncio.run(rounds(Coins(), PLAYERS, seed=0, rng=np.random.default_rng(0)))
    assert [(m.agent, m.seen, m.action, m.reward) for m in told] == [
        ("even", 0, 1, -1), ("odd", 0, 0, 1), ("even", 1, 1, 1), ("odd", 1, 1, -1),
        ("even", 2, 1, -1), ("odd", 2, 0, 1),
    ]  # fmt: skip
    assert [m.terminated for m in told] == [False] * 4 + [True] * 2


def test_in_turn():
    """The same game through the other interface: the same actions and the same sums."""
    from pettingzoo.utils.conversions import parallel_to_aec

    told = asyncio.run(turns(parallel_to_aec(Coins()), PLAYERS, seed=0, rng=np.random.default_rng(0)))
    for agent, total in (("even", -1), ("odd", 1)):
        mine = [m for m in told if m.agent == agent]
        assert [m.seen for m in mine] == [0, 1, 2] and sum(m.reward for m in mine) == total
        assert mine[-1].terminated


def test_everybody_needs_a_player():
    with pytest.raises(UserError, match="odd: nobody plays this agent"):
        asyncio.run(rounds(Coins(), {"even": PLAYERS["even"]}, seed=0, rng=np.random.default_rng(0)))
