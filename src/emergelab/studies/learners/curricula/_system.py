"""A teacher, a student whose task space is cut into cubes, and a block of episodes a step."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.teachers import Adr, AlpGmm, CovarGmm, Cubes, Oracle, Plr, Pupil, Riac, Teacher, Uniform
from emergelab.teachers.alp_gmm import Fitted
from emergelab.teachers.base import draws_of, lesson
from emergelab.teachers.mixtures import candidates
from emergelab.teachers.students import ENOUGH, MOST

__all__ = ["TEACHERS", "Curricula", "State"]

TEACHERS = ("random", "oracle", "adr", "plr", "riac", "covar-gmm", "alp-gmm")
_SIXTH = 1 / 6  # width of the oracle's window, as published
_STRIDE = 1 / 30  # by which it moves, likewise


class State(eqx.Module):
    """A teacher and its student after some blocks.

    Attributes:
        pupil: what the student can do.
        teacher: what the teacher knows; of another structure for each teacher.
        tasks: those of the last block.
        visits: tasks so far, by place in the first two dimensions of the task space.
        tally: tasks so far, by their distance from the origin in cubes; last, those that cannot be learnt.
        blocks: blocks of episodes so far.
    """

    pupil: Pupil
    teacher: Any
    tasks: Float[Array, "episode dim"]
    visits: Float[Array, "x y"]
    tally: Float[Array, "level"]
    blocks: Int[Array, ""]


class Curricula(el.System):
    """One step is one block of episodes, 250 of them."""

    cubes: int = el.static(10, low=2, high=50, about="cubes in a dimension")
    dims: int = el.static(2, low=2, high=5, about="dimensions that matter")
    useless: int = el.static(0, low=0, high=12, about="dimensions of a task that do not matter")
    block: int = el.static(250, low=10, high=5000, unit="episodes", about="episodes in a step")
    fit: int = el.static(250, low=10, high=5000, unit="episodes", about="between two fits of a mixture; divides block")
    pace: int = el.static(25, low=1, high=250, unit="episodes", about="round of the other teachers; divides block")
    memory: int = el.static(80, low=1, high=4000, unit="blocks", about="past that learning progress looks into")
    gaussians: int = el.static(10, low=2, high=40, about="most Gaussians of a mixture; the least is 2")
    apart: int = el.static(2, low=1, high=20, about="distance between the numbers of Gaussians that are tried")
    iterations: int = el.static(12, low=1, high=200, about="turns of EM in a fit")
    teacher: str = el.choice("alp-gmm", options=TEACHERS, static=True, about="who chooses the tasks")
    growth: str = el.choice("corner", options=("corner", "around"), static=True, about="which neighbours open a cube")
    body: str = el.choice("first", options=("first", "any"), about="which corner is easy: always one, or one by lot")
    hopeless: float = el.param(0.0, low=0.0, high=0.95, about="share of the first dimension that cannot be learnt")
    forgetting: float = el.param(0.0, low=0.0, high=1.0, about="competence lost in 1,000 episodes without a visit")
    random: float = el.param(0.2, low=0.0, high=1.0, about="share of tasks at random, teachers with mixtures")
    signal: str = el.choice("absolute", options=("absolute", "signed"), about="ALP-GMM: |progress|, or losses are none")
    told: str = el.choice(
        "truth", options=("truth", "shuffled"), about="shuffled: the returns of a round change places"
    )
    freeze: int = el.param(10**6, low=0, high=10**6, unit="blocks", about="ALP-GMM: after these the mixture stays")
    score: str = el.choice("points", options=("points", "legacy"), about="RIAC: how good a cut is")
    lesion: int = el.param(10**6, low=0, high=10**6, unit="blocks", about="after these the easier half is lost, once")
    swap: int = el.param(
        10**6, low=0, high=10**6, unit="blocks", about="after these another body comes, knowing nothing"
    )

    observables = (
        el.Observable("mastered", unit="%", about="cubes with a competence above 75", low=0, high=100),
        el.Observable("difficulty", about="distance of tasks from the origin, in cubes", low=0, nan_ok=True),
        el.Observable("waste", unit="1", about="tasks where nothing was left to learn, or not yet", low=0, high=1),
        el.Observable("beyond", unit="1", about="tasks that can never be learnt", low=0, high=1),
        el.Observable(
            "frontier", about="distance of tasks from the nearest cube in work, in cubes", low=0, nan_ok=True
        ),
        el.Observable("entropy", unit="nat", about="of the tasks over the cubes of the first two dimensions", low=0),
        el.Observable("number", about="Gaussians of the mixture", nan_ok=True),
        el.Observable("mirrored", dims=("axis",), about="whether the easy corner is at the far end"),
        el.Observable("competence", dims=("x", "y"), about="mean over further dimensions", low=0, high=100),
        el.Observable("visits", dims=("x", "y"), about="tasks so far"),
        el.Observable("tally", dims=("level",), about="tasks so far by distance from the origin; last, hopeless ones"),
        el.Observable("utility", dims=("gaussian",), about="what each Gaussian is worth", nan_ok=True),
        el.Observable("mean", dims=("gaussian", "axis"), about="centre of each Gaussian", nan_ok=True),
        el.Observable("covariance", dims=("gaussian", "axis", "axis2"), about="of each Gaussian", nan_ok=True),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("fit", "pace"):
            if self.block % getattr(self, name):
                raise el.UserError(
                    f"Curricula: parameter {name!r} must divide block={self.block}, got {getattr(self, name)}"
                )

    @property
    def student(self) -> Cubes:
        """The student's rules."""
        return Cubes(self.cubes, self.dims, self.growth, jnp.asarray(self.hopeless), jnp.asarray(self.forgetting))

    @property
    def adviser(self) -> Teacher:
        """The teacher's rules."""
        dims = self.dims + self.useless
        matters = jnp.arange(dims) < self.dims
        numbers = candidates(2, self.gaussians, self.apart)
        mixtures: dict[str, Any] = {
            "numbers": numbers,
            "iterations": self.iterations,
            "random": jnp.asarray(self.random),
        }
        if self.teacher == "random":
            return Uniform(dims, self.block)
        if self.teacher == "oracle":
            width, step = jnp.where(matters, _SIXTH, 1.0), jnp.where(matters, _STRIDE, 0.0)
            return Oracle(dims, self.pace, jnp.zeros(dims), width, step)
        if self.teacher == "adr":
            return Adr(dims, self.pace, jnp.zeros(dims))
        if self.teacher == "plr":
            return Plr(dims, self.pace)
        if self.teacher == "riac":
            return Riac(dims, self.pace, legacy_score=jnp.asarray(self.score))
        if self.teacher == "covar-gmm":
            return CovarGmm(dims, self.fit, **mixtures)
        rounds = self.memory * (self.block // self.fit)
        signs = {
            "absolute": 1 - jnp.asarray(self.signal),
            "until": jnp.asarray(self.freeze) * (self.block // self.fit),
        }
        return AlpGmm(dims, self.fit, rounds, **mixtures, **signs)

    def init(self, key: PRNGKeyArray) -> State:
        """A student that knows nothing, and a teacher that has seen nothing."""
        student = self.student
        drawn = student.corner(jax.random.randint(key, (), 0, 2**self.dims))
        mirrored = jnp.where(jnp.asarray(self.body) == 1, drawn.mirrored, False)
        pupil = Pupil(drawn.competence, self._origin(), mirrored)
        tasks = jnp.zeros((self.block, self.dims + self.useless))
        visits = jnp.zeros((self.cubes, self.cubes))
        return State(pupil, self.adviser.start(), tasks, visits, jnp.zeros(self.cubes + 1), jnp.int32(0))

    def _origin(self) -> Int[Array, "dim"]:
        """The corner, or the middle where cubes grow in all directions."""
        return jnp.full(self.dims, 0 if self.growth == "corner" else self.cubes // 2, jnp.int32)

    def step(self, state: State, key: PRNGKeyArray) -> State:
        """A block of episodes, in rounds of the teacher's pace."""
        student, adviser = self.student, self.adviser
        of_draws, of_rounds = jax.random.split(key)
        rounds = self.block // adviser.pace
        draws = draws_of(of_draws, self.block, adviser.dims)
        draws = jax.tree.map(lambda x: x.reshape(rounds, adviser.pace, -1), draws)

        def hear(outcomes: Float[Array, "pace"], key: PRNGKeyArray) -> Float[Array, "pace"]:
            return jnp.where(jnp.asarray(self.told) == 1, jax.random.permutation(key, outcomes), outcomes)

        def one(carry: tuple[Any, Pupil], now: tuple[Any, PRNGKeyArray]) -> tuple[tuple[Any, Pupil], Array]:
            teacher, pupil, tasks, _ = lesson(adviser, carry[0], student, carry[1], *now, hear)
            return (teacher, pupil), tasks

        pupil = self._changed(state.pupil, state.blocks)
        (teacher, pupil), tasks = el.site_scan(
            one, (state.teacher, pupil), (draws, jax.random.split(of_rounds, rounds))
        )
        tasks = tasks.reshape(self.block, adviser.dims)
        square = jnp.clip((tasks[:, :2] * self.cubes).astype(jnp.int32), 0, self.cubes - 1)
        visits = state.visits.at[square[:, 0], square[:, 1]].add(1.0)
        level, possible = self._levels(pupil, tasks)
        tally = state.tally.at[jnp.where(possible, level, self.cubes)].add(1.0)
        return State(pupil, teacher, tasks, visits, tally, state.blocks + 1)

    def _changed(self, pupil: Pupil, blocks: Int[Array, ""]) -> Pupil:
        """What befalls the student between two blocks: a lesion, or another body."""
        easier = self.student.coordinates(jnp.arange(pupil.competence.shape[0]))[:, 0] < self.cubes // 2
        lost = (easier & (blocks == self.lesion)) | (blocks == self.swap)
        mirrored = jnp.where(blocks == self.swap, ~pupil.mirrored, pupil.mirrored)
        return Pupil(jnp.where(lost, 0.0, pupil.competence), pupil.origin, mirrored)

    def _levels(self, pupil: Pupil, tasks: Float[Array, "task dim"]) -> tuple[Int[Array, "task"], Bool[Array, "task"]]:
        """Distance of each task from the origin (in cubes, the largest over dimensions), and if it can be learnt."""
        place, possible = self.student.locate(pupil, tasks)
        return jnp.max(jnp.abs(place - pupil.origin), axis=-1), possible

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        """The student's map and the teacher's, and what the last block was like."""
        student, pupil = self.student, state.pupil
        level, possible = self._levels(pupil, state.tasks)
        place, _ = student.locate(pupil, state.tasks)
        where = student.coordinates(jnp.arange(pupil.competence.shape[0]))
        is_open = student.open(pupil)
        working = is_open & (pupil.competence <= ENOUGH)
        far = jnp.max(jnp.abs(place[:, None] - where), axis=-1)
        distance = jnp.min(jnp.where(working, far, jnp.inf), axis=-1)
        learnable = jnp.any((far == 0) & is_open & (pupil.competence < MOST), axis=-1) & possible
        known, counts = state.blocks > 0, jnp.sum(possible)

        def mean(values: Array) -> Array:
            total = jnp.sum(jnp.where(possible, values, 0.0)) / jnp.maximum(counts, 1)
            return jnp.where(known & (counts > 0) & jnp.isfinite(total), total, jnp.nan)

        square = jnp.clip((state.tasks[:, :2] * self.cubes).astype(jnp.int32), 0, self.cubes - 1)
        share = jnp.zeros((self.cubes, self.cubes)).at[square[:, 0], square[:, 1]].add(1 / self.block)
        grid = student.unfolded(pupil, pupil.competence)
        return {
            "mastered": student.mastered(pupil),
            "difficulty": mean(level.astype(jnp.float32)),
            "waste": jnp.where(known, 1.0 - jnp.mean(learnable), 0.0),
            "beyond": jnp.where(known, 1.0 - jnp.mean(possible), 0.0),
            "frontier": mean(distance),
            "entropy": jnp.where(known, -jnp.sum(jax.scipy.special.xlogy(share, share)), 0.0),
            "mirrored": pupil.mirrored[:2].astype(jnp.float32),
            "competence": jnp.mean(grid.reshape(self.cubes, self.cubes, -1), axis=-1),
            "visits": state.visits,
            "tally": state.tally,
            **self._gaussians(state.teacher),
        }

    def _gaussians(self, teacher: Any) -> dict[str, Array]:
        """The Gaussians of a teacher that has any, in the first two dimensions."""
        many = max(candidates(2, self.gaussians, self.apart))
        if not isinstance(teacher, Fitted):
            shapes = {"number": (), "utility": (many,), "mean": (many, 2), "covariance": (many, 2, 2)}
            return {name: jnp.full(shape, jnp.nan) for name, shape in shapes.items()}
        used = teacher.mixture.weight > 0
        return {
            "number": jnp.sum(used).astype(jnp.float32),
            "utility": jnp.where(used, teacher.utility, jnp.nan),
            "mean": jnp.where(used[:, None], teacher.mixture.mean[:, :2], jnp.nan),
            "covariance": jnp.where(used[:, None, None], teacher.mixture.covariance[:, :2, :2], jnp.nan),
        }
