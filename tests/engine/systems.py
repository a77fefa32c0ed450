"""Small systems that the tests of the core run."""

import asyncio

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el


class Voter(el.System):
    """Agents on a ring copy a neighbour: whole numbers only, so that equality is exact."""

    n: int = el.static(20, low=2, high=1000, about="agents on a ring")
    noise: float = el.param(0.05, low=0.0, high=1.0, about="chance to flip")
    reach: int = el.param(1, low=1, high=5, about="distance of the neighbour")

    observables = (el.Observable("up", about="agents of opinion 1"), el.Observable("opinion", dims=("agent",)))

    def init(self, key: PRNGKeyArray) -> Bool[Array, "n"]:
        return jax.random.bernoulli(key, 0.5, (self.n,))

    def step(self, state: Bool[Array, "n"], key: PRNGKeyArray) -> Bool[Array, "n"]:
        who, side, flip = jax.random.split(key, 3)
        i = jax.random.randint(who, (), 0, self.n)
        j = (i + jnp.where(jax.random.bernoulli(side), self.reach, -self.reach)) % self.n
        adopted = el.site("adopted", state[j])
        return state.at[i].set(adopted ^ jax.random.bernoulli(flip, self.noise))

    def observe(self, state: Bool[Array, "n"], key: PRNGKeyArray) -> dict[str, Array]:
        return {"up": state.sum(), "opinion": state}


class Walk(eqx.Module):
    x: Float[Array, "d"]
    count: Int[Array, ""]


class Drift(el.System):
    """A real-valued walk with a matrix product, a site, and a switch that makes it diverge."""

    d: int = el.static(8, low=1, high=64, about="dimension")
    pull: float = el.param(0.1, low=-2.0, high=2.0, about="restoring force; below 0 it runs away")

    observables = (
        el.Observable("norm", low=0),
        el.Observable("mean"),
        el.Observable("ratio", nan_ok=True, about="undefined while nothing was counted"),
    )

    def init(self, key: PRNGKeyArray) -> Walk:
        return Walk(jax.random.normal(key, (self.d,)), jnp.int32(0))

    def step(self, state: Walk, key: PRNGKeyArray) -> Walk:
        force = el.site("force", -self.pull * state.x)
        x = state.x + force * jnp.abs(state.x) ** 0.5 + 0.1 * jax.random.normal(key, state.x.shape)
        return Walk(x, state.count + (x.mean() > 0))

    def observe(self, state: Walk, key: PRNGKeyArray) -> dict[str, Array]:
        return {
            "norm": jnp.linalg.norm(state.x),
            "mean": state.x.mean(),
            "ratio": jnp.where(state.count > 0, state.x.mean() / state.count, jnp.nan),
        }


class Chatter(el.HostSystem):
    """Asynchronous agents whose endpoint may fail."""

    talk: float = el.param(0.5, low=0, high=1, about="chance to speak")
    fails: float = el.param(0.0, low=0, high=1, about="seeds of this and higher parity fail for good")

    observables = (el.Observable("said"),)
    attempts = 0

    async def init(self, seed):
        return {"said": 0}

    async def step(self, state, context):
        type(self).attempts += 1
        await asyncio.sleep(0)
        if float(self.fails) and context.seed % 2 and context.time >= 3:
            raise ConnectionError("the endpoint hung up")
        speaks = context.site("speaks", context.rng.random() < float(self.talk))
        if speaks:
            context.emit("message", text=f"hello at {context.time}")
        state["said"] += int(speaks)
        return state

    async def observe(self, state, context):
        return {"said": state["said"]}
