"""Learners to be timed, each as a program of its own; `learners.py` starts them and reads the last line.

python benchmarks/learners_peers.py WHO TASK SEEDS UPDATES

WHO is `ours`, `single-file` (everything in one function of plain JAX, in the manner of PureJaxRL) or
`stable-baselines3`; TASK is `pole` or `grid`. All play 8 environments for 128 steps, then learn in 4 passes of 4 parts,
with two hidden layers of 64 units for the policy and two for the value. Printed: environment steps a second, all seeds
together, learning included, after a first round that is not timed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

LANES, HORIZON, PASSES, PARTS = 8, 128, 4, 4
# Gymnasium's FrozenLake8x8, without slipping.
LAKE = "S.......\n........\n...P....\n.....P..\n...P....\n.PP...P.\n.P..P.P.\n...P...G"
LIMIT = 200


def _world(task: str) -> Any:
    from emergelab.worlds.grid import Grid, read
    from emergelab.worlds.gymnax_worlds import Gymnax

    return Gymnax("CartPole-v1") if task == "pole" else Grid(read(LAKE), limit=LIMIT)


def ours(task: str, seeds: int) -> Callable[[int], Any]:
    """The learner of emergelab with its engine: a run on disk, two records."""
    import tempfile

    import emergelab as el
    from emergelab.rl.learner import Learner, mean_total
    from emergelab.rl.networks import FeedForward

    world = _world(task)
    inputs = 4 if task == "pole" else 64

    class Peer(Learner):
        lanes: int = el.static(LANES)
        horizon: int = el.static(HORIZON)
        observables = (el.Observable("total", about="reward of the last episodes", nan_ok=True),)

        def world(self) -> Any:
            return world

        def network(self, key: Any) -> Any:
            return FeedForward(key, inputs, world.actions, widths=(64, 64))

        def observe(self, state: Any, key: Any) -> Any:
            return {"total": mean_total(state)}

    def train(updates: int) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            return el.run(
                Peer(), steps=updates, every=updates, seeds=seeds, out=f"{folder}/run", progress=False
            ).data["total"].values[..., -1]  # fmt: skip

    return train


def single_file(task: str, seeds: int) -> Callable[[int], Any]:
    """PPO as one function of plain JAX: no sites, no states to keep, nothing on disk."""
    import jax
    import jax.numpy as jnp
    import optax

    world = _world(task)
    inputs, actions = (4, 2) if task == "pole" else (64, 4)
    rule = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(2.5e-4, eps=1e-5))

    def stack(key: Any, last: int, gain: float) -> Any:
        sizes = ((inputs, 64, 2**0.5), (64, 64, 2**0.5), (64, last, gain))
        keys = jax.random.split(key, 3)
        return [
            (jax.nn.initializers.orthogonal(g)(k, (i, o)), jnp.zeros(o))
            for k, (i, o, g) in zip(keys, sizes, strict=True)
        ]

    def through(layers: Any, x: Any) -> Any:
        for weight, bias in layers[:-1]:
            x = jnp.tanh(x @ weight + bias)
        return x @ layers[-1][0] + layers[-1][1]

    def init(key: Any) -> Any:
        a, b, c, d = jax.random.split(key, 4)
        params = {"act": stack(a, actions, 0.01), "judge": stack(b, 1, 1.0)}
        levels = jax.vmap(world.level)(jax.random.split(c, LANES))
        state = jax.vmap(world.reset)(levels, jax.random.split(d, LANES))
        return params, rule.init(params), state, jnp.zeros(LANES), jnp.zeros(LANES)

    def play(carry: Any, key: Any) -> Any:
        params, state, total, last = carry
        k1, k2, k3, k4 = jax.random.split(key, 4)
        seen = jax.vmap(world.see)(state)
        logits = through(params["act"], seen)
        action = jax.random.categorical(k1, logits)
        log = jnp.take_along_axis(jax.nn.log_softmax(logits), action[:, None], 1)[:, 0]
        value = through(params["judge"], seen)[:, 0]
        after = jax.vmap(world.step)(state, action, jax.random.split(k2, LANES))
        over = after.terminated | after.truncated
        fresh = jax.vmap(world.reset)(
            jax.vmap(world.level)(jax.random.split(k3, LANES)), jax.random.split(k4, LANES)
        )  # fmt: skip
        state = jax.tree.map(
            lambda n, o: jnp.where(over.reshape(over.shape + (1,) * (n.ndim - 1)), n, o), fresh, after.state
        )
        total = total + after.reward
        last = jnp.where(over, total, last)
        moment = (seen, action, log, value, after.reward, over)
        return (params, state, jnp.where(over, 0, total), last), moment

    def loss(params: Any, seen: Any, action: Any, log: Any, advantage: Any, target: Any) -> Any:
        logits = jax.nn.log_softmax(through(params["act"], seen))
        value = through(params["judge"], seen)[:, 0]
        ratio = jnp.exp(jnp.take_along_axis(logits, action[:, None], 1)[:, 0] - log)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        gain = jnp.minimum(ratio * advantage, jnp.clip(ratio, 0.8, 1.2) * advantage)
        entropy = -jnp.sum(jnp.exp(logits) * logits, 1).mean()
        return -gain.mean() + 0.25 * ((value - target) ** 2).mean() - 0.01 * entropy

    def update(carry: Any, key: Any) -> Any:
        params, memory, state, total, last = carry
        of_play, of_order = jax.random.split(key)
        (_, state, total, last), moments = jax.lax.scan(
            play, (params, state, total, last), jax.random.split(of_play, HORIZON)
        )
        seen, action, log, value, reward, over = moments
        after = through(params["judge"], jax.vmap(world.see)(state))[:, 0]

        def back(later: Any, x: Any) -> Any:
            advantage, following = later
            value, reward, over = x
            error = reward + 0.99 * jnp.where(over, 0, following) - value
            advantage = error + 0.99 * 0.95 * jnp.where(over, 0, advantage)
            return (advantage, value), advantage

        _, advantage = jax.lax.scan(back, (jnp.zeros(LANES), after), (value, reward, over), reverse=True)
        batch = tuple(
            x.reshape(LANES * HORIZON, *x.shape[2:]) for x in (seen, action, log, advantage, advantage + value)
        )

        def part(carry: Any, chosen: Any) -> Any:
            params, memory = carry
            change, memory = rule.update(jax.grad(loss)(params, *(x[chosen] for x in batch)), memory)
            return (optax.apply_updates(params, change), memory), None

        order = jax.vmap(lambda k: jax.random.permutation(k, LANES * HORIZON))(jax.random.split(of_order, PASSES))
        (params, memory), _ = jax.lax.scan(part, (params, memory), order.reshape(PASSES * PARTS, -1))
        return (params, memory, state, total, last), None

    @jax.jit
    def train(keys: Any) -> Any:
        def one(keys: Any) -> Any:
            return jax.lax.scan(update, init(keys[0]), keys)[0][-1].mean()

        return jax.vmap(one)(keys)

    return lambda updates: jax.block_until_ready(train(jax.random.split(jax.random.key(0), (seeds, updates))))


def stable_baselines3(task: str, seeds: int) -> Callable[[int], Any]:
    """PPO of Stable-Baselines3, one seed after the other, one thread (its networks are too small for two)."""
    import gymnasium
    import numpy as np
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    torch.set_num_threads(1)

    def make() -> Any:
        if task == "pole":
            return gymnasium.make("CartPole-v1")
        lake = gymnasium.make("FrozenLake8x8-v1", is_slippery=False)
        return gymnasium.wrappers.FlattenObservation(lake)

    def train(updates: int) -> Any:
        ends = []
        for seed in range(seeds):
            model = PPO(
                "MlpPolicy", make_vec_env(make, LANES, seed=seed), n_steps=HORIZON, n_epochs=PASSES,
                batch_size=LANES * HORIZON // PARTS, learning_rate=2.5e-4, gamma=0.99, gae_lambda=0.95, ent_coef=0.01,
                device="cpu", seed=seed,
            ).learn(LANES * HORIZON * updates)  # fmt: skip
            ends.append(np.mean([e["r"] for e in model.ep_info_buffer]))
        return np.array(ends)

    return train


WHO = {"ours": ours, "single-file": single_file, "stable-baselines3": stable_baselines3}


def main() -> None:
    """Time one of them and print the rate, and the mean reward of the last episodes."""
    who, task, seeds, updates = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    train = WHO[who](task, seeds)
    if who != "stable-baselines3":  # nothing is compiled there
        train(updates)
    begun = time.perf_counter()
    total = train(updates)
    seconds = time.perf_counter() - begun
    print(seeds * updates * LANES * HORIZON / seconds, float(total.mean()))


if __name__ == "__main__":
    main()
