"""AGAIN: a new student is taken through the curriculum of an earlier one that was like it (Portelas et al. 2020).

A student is first taught by ALP-GMM for a while and tested. Its test results, the *knowledge vector*, are compared with
those that earlier students, the *elders*, had at that age; of the few nearest elders the one that came furthest is
followed. What an elder leaves behind are the Gaussians that ALP-GMM fitted while it learnt, without those of little
progress, and what it returned on each set of them.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from emergelab.teachers.alp_gmm import Fitted, drawn
from emergelab.teachers.base import Draws, Number, pick
from emergelab.teachers.mixtures import Mixture

__all__ = [
    "BY_RETURN",
    "BY_TIME",
    "POOLED",
    "Curriculum",
    "Place",
    "backwards",
    "bar",
    "begin",
    "distilled",
    "elder_by_body",
    "elder_by_knowledge",
    "follow",
    "propose",
]

BY_RETURN, BY_TIME, POOLED = 0, 1, 2
"""How a curriculum is followed: stage by stage as the student does as well as the elder did (R), stage by stage at the
elder's pace (T), or all stages at once (P)."""


class Curriculum(eqx.Module):
    """What an elder went through.

    Attributes:
        mixture: the Gaussians of each stage.
        utility: their mean progress; 0 for those that are left out.
        bar: what the elder returned at the end of each stage.
        stages: number of stages with anything left; they come first.
    """

    mixture: Mixture
    utility: Float[Array, "stage gaussian"]
    bar: Float[Array, "stage"]
    stages: Int[Array, ""]


class Place(eqx.Module):
    """How far a student has come in a curriculum."""

    stage: Int[Array, ""]
    recent: Float[Array, "patience"]  # returns on the elder's tasks, a ring
    since: Int[Array, ""]  # such returns since the stage began
    episodes: Int[Array, ""]
    over: Bool[Array, ""]


def bar(outcomes: Float[Array, "pace"], counts: Bool[Array, "pace"], last: int = 50) -> Float[Array, ""]:
    """Mean return of the last tasks that count: those out of Gaussians."""
    from_end = jnp.cumsum(counts[::-1])[::-1]
    recent = counts & (from_end <= last)
    return jnp.sum(jnp.where(recent, outcomes, 0.0)) / jnp.maximum(jnp.sum(recent), 1)


def distilled(
    mixture: Mixture, utility: Float[Array, "stage gaussian"], bars: Float[Array, "stage"], floor: Number
) -> Curriculum:
    """A curriculum without Gaussians whose mean progress is `floor` or less, and without stages that have none left."""
    worth = jnp.where(utility > floor, utility, 0.0)
    empty = ~jnp.any(worth > 0, axis=-1)
    order = jnp.argsort(empty, stable=True)
    stages = jnp.sum(~empty)
    return Curriculum(jax.tree.map(lambda x: x[order], mixture), worth[order], bars[order], stages)


def backwards(curriculum: Curriculum) -> Curriculum:
    """The same stages, the last one first: a control for their order."""
    number = curriculum.bar.shape[0]
    order = (curriculum.stages - 1 - jnp.arange(number)) % number
    return jax.tree.map(lambda x: x if x.ndim == 0 else x[order], curriculum)


def elder_by_knowledge(
    knowledge: Float[Array, "test"], elders: Float[Array, "elder test"], scores: Float[Array, "elder"], k: int
) -> Int[Array, ""]:
    """Of the `k` elders that knew what the student knows, most nearly, the one with the best final score."""
    distance = jnp.sum((elders - knowledge) ** 2, axis=-1)
    near = jnp.argsort(distance, stable=True)[: min(k, elders.shape[0])]
    return near[jnp.argmax(scores[near])]


def elder_by_body(
    body: Int[Array, ""], bodies: Int[Array, "elder"], scores: Float[Array, "elder"], stranger: Int[Array, ""]
) -> Int[Array, ""]:
    """The best elder with the student's own body, which knowledge stands in for. A stranger if there is none."""
    same = bodies == body
    return jnp.where(jnp.any(same), jnp.argmax(jnp.where(same, scores, -jnp.inf)), stranger)


def begin(patience: int) -> Place:
    """At the first stage. A stage ends when the mean of the last `patience` returns is good enough."""
    return Place(jnp.int32(0), jnp.zeros(patience), jnp.int32(0), jnp.int32(0), jnp.bool(False))


def propose(
    place: Place, curriculum: Curriculum, live: Fitted, how: Int[Array, ""], random: Number, draws: Draws, dims: int
) -> tuple[Float[Array, "dim"], Bool[Array, ""]]:
    """One task: out of the elder's Gaussians of this stage or the student's own, in proportion to their utility.

    Args:
        live: the student's own ALP-GMM, which goes on all the time.
        how: `BY_RETURN`, `BY_TIME` or `POOLED`.
        random: share of tasks at random.

    Returns:
        the task, and whether it is the elder's.
    """
    stage = jnp.arange(curriculum.bar.shape[0])
    pooled = how == POOLED
    offered = jnp.where(pooled, stage < curriculum.stages, stage == place.stage) & ~place.over
    worth = jnp.where(offered & (curriculum.stages > 0), jnp.sum(curriculum.utility, axis=-1), 0.0)
    own = jnp.sum(live.utility)
    chosen = pick(jnp.append(worth, own), draws.which)
    elders = chosen < stage.shape[0]
    at = jnp.minimum(chosen, stage.shape[0] - 1)
    mixture = jax.tree.map(lambda a, b: jnp.where(elders, a[at], b), curriculum.mixture, live.mixture)
    utility = jnp.where(elders, curriculum.utility[at], live.utility)
    # The number that chose the stage is spent; another one chooses the Gaussian.
    within = draws._replace(uniform=draws.uniform.at[1].set(draws.side))
    task = drawn(mixture, utility, random, within, dims)
    return task, elders & (draws.mode >= random)


def follow(
    place: Place,
    curriculum: Curriculum,
    outcomes: Float[Array, "pace"],
    elders: Bool[Array, "pace"],
    how: Int[Array, ""],
    duration: int,
) -> Place:
    """Where the student stands after a round.

    Args:
        outcomes: returns of the round.
        elders: which tasks were the elder's.
        duration: episodes of a stage where time decides.
    """
    last = curriculum.stages - 1

    def one(at: Place, now: tuple[Float[Array, ""], Bool[Array, ""]]) -> tuple[Place, None]:
        outcome, counts = now
        patience = at.recent.shape[0]
        recent = jnp.where(counts & (jnp.arange(patience) == at.since % patience), outcome, at.recent)
        since, episodes = at.since + counts, at.episodes + 1
        good = (since >= patience) & (jnp.mean(recent) >= curriculum.bar[at.stage])
        stage = jnp.where(how == BY_TIME, episodes // duration, at.stage + good)
        over = at.over | ((how != POOLED) & (stage > last))
        stage = jnp.where(how == POOLED, 0, jnp.clip(stage, 0, jnp.maximum(last, 0)))
        return Place(stage, recent, jnp.where(good, 0, since), episodes, over), None

    return jax.lax.scan(one, place, (outcomes, elders))[0]
