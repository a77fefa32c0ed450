"""A school: elders learn first, then new students with such bodies, taught in several ways side by side."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.teachers import AlpGmm, Cubes, Mixture, Pupil, again, draws_of, lesson
from emergelab.teachers.alp_gmm import Fitted
from emergelab.teachers.base import Draws
from emergelab.teachers.mixtures import candidates

__all__ = ["ARMS", "Classroom", "School"]

_NOBODY, _KNOWLEDGE, _LOT, _BODY = 0, 1, 2, 3
_WAYS = {
    "scratch": (again.BY_RETURN, _NOBODY, False),
    "R": (again.BY_RETURN, _KNOWLEDGE, False),
    "T": (again.BY_TIME, _KNOWLEDGE, False),
    "P": (again.POOLED, _KNOWLEDGE, False),
    "R-random": (again.BY_RETURN, _LOT, False),
    "R-body": (again.BY_RETURN, _BODY, False),
    "R-backwards": (again.BY_RETURN, _KNOWLEDGE, True),
}
ARMS = tuple(_WAYS)
"""Ways of teaching new students: ALP-GMM alone; an elder's curriculum by return, by time or pooled; the first of them
with an elder by lot, with one that has the same body, and backwards."""


class Elders(eqx.Module):
    """Students of the first generation, and what they leave behind."""

    pupil: Pupil  # leading axis (elder)
    teacher: Fitted  # leading axis (elder)
    mixture: Mixture  # leading axes (elder, stage)
    utility: Float[Array, "elder stage gaussian"]
    bar: Float[Array, "elder stage"]
    knowledge: Float[Array, "elder cube"]


class Students(eqx.Module):
    """Students of the second generation, the same ones in each arm: leading axes (arm, student)."""

    pupil: Pupil
    live: Fitted
    place: again.Place
    elder: Int[Array, "..."]  # -1 before there is one
    gap: Float[Array, "..."]  # to the elder's knowledge vector


class School(eqx.Module):
    """Both generations."""

    elders: Elders
    students: Students
    blocks: Int[Array, ""]


class Classroom(el.System):
    """One step is a block of episodes: of all elders in the first half of the run, of all students in the second."""

    cubes: int = el.static(10, low=2, high=50, about="cubes in a dimension, of two")
    block: int = el.static(250, low=10, high=5000, unit="episodes", about="episodes in a step, between two fits")
    pace: int = el.static(10, low=1, high=250, unit="episodes", about="between two looks at the stage; divides block")
    learn: int = el.static(80, low=2, high=4000, unit="blocks", about="life of a generation")
    elders: int = el.static(12, low=1, high=1000, about="students of the first generation")
    students: int = el.static(3, low=1, high=1000, about="students of the second generation, in each arm")
    k: int = el.static(3, low=1, high=1000, about="elders of whom the best is followed")
    patience: int = el.static(10, low=1, high=1000, unit="episodes", about="returns that decide on the next stage")
    gaussians: int = el.static(10, low=2, high=40, about="most Gaussians of a mixture; the least is 2")
    apart: int = el.static(2, low=1, high=20, about="distance between the numbers of Gaussians that are tried")
    iterations: int = el.static(12, low=1, high=200, about="turns of EM in a fit")
    growth: str = el.choice("corner", options=("corner", "around"), static=True, about="bodies: 4 corners, or any cube")
    pretest: int = el.param(8, low=1, high=4000, unit="blocks", about="taught by ALP-GMM before an elder is sought")
    floor: float = el.param(0.2, low=0.0, high=1.0, about="mean progress up to which an elder's Gaussian is left out")
    random: float = el.param(0.2, low=0.0, high=1.0, about="share of tasks at random with ALP-GMM alone")
    random_following: float = el.param(0.02, low=0.0, high=1.0, about="the same while an elder is followed")
    random_after: float = el.param(0.1, low=0.0, high=1.0, about="the same when its curriculum is over")

    observables = (
        el.Observable("elders", unit="%", about="cubes mastered by the elders, mean", low=0, high=100),
        el.Observable("mastered", dims=("arm",), unit="%", about="cubes mastered, mean of students", low=0, high=100),
        el.Observable("worst", dims=("arm",), unit="%", about="cubes mastered by the last of them", low=0, high=100),
        el.Observable("stage", dims=("arm",), about="stage of the elder's curriculum, mean", low=0),
        el.Observable("stages", dims=("arm",), about="stages of the elder's curriculum, mean", nan_ok=True),
        el.Observable("over", dims=("arm",), unit="1", about="students who are through with it", low=0, high=1),
        el.Observable(
            "same", dims=("arm",), unit="1", about="students whose elder began in their quarter", nan_ok=True
        ),
        el.Observable("gap", dims=("arm",), about="distance of knowledge to the elder's, per cube", nan_ok=True),
        el.Observable("match", dims=("quarter", "elder_quarter"), about="elders of the students of arm R, by quarter"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block % self.pace:
            raise el.UserError(f"Classroom: parameter 'pace' must divide block={self.block}, got {self.pace}")

    @property
    def rules(self) -> Cubes:
        """How students learn."""
        return Cubes(self.cubes, 2, self.growth)

    @property
    def adviser(self) -> AlpGmm:
        """Who teaches all but those who follow an elder."""
        numbers = candidates(2, self.gaussians, self.apart)
        return AlpGmm(2, self.block, self.learn, numbers, self.iterations, jnp.asarray(self.random))

    def init(self, key: PRNGKeyArray) -> School:
        """Nobody knows anything. Bodies of elders go round the four corners; all others are drawn by lot."""
        of_elders, of_students = jax.random.split(key)
        corner = self.growth == "corner"
        kinds = 4 if corner else self.cubes**2
        bodies = jnp.arange(self.elders) % 4 if corner else jax.random.randint(of_elders, (self.elders,), 0, kinds)
        new = jax.random.randint(of_students, (self.students,), 0, kinds)
        embody = jax.vmap(self.rules.corner if corner else self.rules.within)
        fresh = self.adviser.start()

        def many(tree: Any, *sizes: int) -> Any:
            return jax.tree.map(lambda x: jnp.broadcast_to(x, (*sizes, *jnp.shape(x))), tree)

        stages = (self.elders, self.learn)
        elders = Elders(
            pupil=embody(bodies),
            teacher=many(fresh, self.elders),
            mixture=many(fresh.mixture, *stages),
            utility=many(fresh.utility, *stages),
            bar=jnp.zeros(stages),
            knowledge=jnp.zeros((self.elders, self.cubes**2)),
        )
        both = (len(ARMS), self.students)
        # Nobody follows anybody before the test.
        place = eqx.tree_at(lambda p: p.over, again.begin(self.patience), jnp.bool(True))
        students = Students(
            pupil=many(embody(new), len(ARMS)),
            live=many(fresh, *both),
            place=many(place, *both),
            elder=jnp.full(both, -1),
            gap=jnp.full(both, jnp.nan),
        )
        return School(elders, students, jnp.int32(0))

    def step(self, state: School, key: PRNGKeyArray) -> School:
        """A block of one of the generations."""
        first = state.blocks < self.learn
        elders = el.when(first, self._elders_learn, (state.elders, state.blocks, key), state.elders)
        students = el.when(
            ~first, self._students_learn, (state.students, elders, state.blocks - self.learn, key), state.students
        )
        return School(elders, students, state.blocks + 1)

    # -- the first generation -----------------------------------------------------------------------------------------

    def _elders_learn(self, elders: Elders, block: Int[Array, ""], key: PRNGKeyArray) -> Elders:
        of_draws, of_lessons = jax.random.split(key)
        adviser, rules = self.adviser, self.rules

        def one(teacher: Fitted, pupil: Pupil, of_draws: PRNGKeyArray, of_lesson: PRNGKeyArray) -> Any:
            draws = draws_of(of_draws, self.block, 2)
            taught = jnp.any(teacher.mixture.weight > 0)
            teacher, pupil, _, outcomes = lesson(adviser, teacher, rules, pupil, draws, of_lesson)
            return teacher, pupil, again.bar(outcomes, taught & (draws.mode >= self.random))

        keys = (jax.random.split(of_draws, self.elders), jax.random.split(of_lessons, self.elders))
        teacher, pupil, bar = jax.vmap(one)(elders.teacher, elders.pupil, *keys)
        # What they returned in this block belongs to the Gaussians that were fitted at the end of the one before.
        before = jnp.where(block > 0, block - 1, self.learn)
        knowledge = jax.vmap(lambda p: rules.unfolded(p, p.competence).reshape(-1))(pupil)
        return Elders(
            pupil=pupil,
            teacher=teacher,
            mixture=jax.tree.map(lambda a, b: a.at[:, block].set(b), elders.mixture, teacher.mixture),
            # The last Gaussians are never used, so they make no stage.
            utility=elders.utility.at[:, block].set(jnp.where(block < self.learn - 1, teacher.utility, 0.0)),
            bar=elders.bar.at[:, before].set(bar, mode="drop"),
            knowledge=jnp.where(block == self.pretest - 1, knowledge, elders.knowledge),
        )

    # -- the second generation ----------------------------------------------------------------------------------------

    def _students_learn(self, students: Students, elders: Elders, block: Int[Array, ""], key: PRNGKeyArray) -> Students:
        of_draws, of_lessons, of_lot = jax.random.split(key, 3)
        students = self._matched(students, elders, block, of_lot)
        each = (jax.random.split(of_draws, self.students), jax.random.split(of_lessons, self.students))
        how, _, reverse = (jnp.array(column) for column in zip(*_WAYS.values(), strict=True))

        def one(
            student: Students, how: Array, reverse: Array, of_draws: PRNGKeyArray, of_fit: PRNGKeyArray
        ) -> Students:
            return self._lesson(student, elders, how, reverse, draws_of(of_draws, self.block, 2), of_fit)

        # The same random numbers for a student in each arm.
        over_students = jax.vmap(one, (0, None, None, 0, 0))
        return jax.vmap(over_students, (0, 0, 0, None, None))(students, how, reverse, *each)

    def _matched(self, students: Students, elders: Elders, block: Int[Array, ""], key: PRNGKeyArray) -> Students:
        """At the end of the pre-test everybody gets an elder, but those who are taught from scratch."""
        rules, now = self.rules, block == self.pretest
        scores = jnp.mean(elders.pupil.competence, axis=-1)
        strangers = jax.random.randint(key, (self.students,), 0, self.elders)
        bodies = jax.vmap(self._body)(elders.pupil)

        def one(pupil: Pupil, match: Array, stranger: Array) -> tuple[Array, Array]:
            knowledge = rules.unfolded(pupil, pupil.competence).reshape(-1)
            found = jnp.stack(
                [
                    jnp.int32(-1),
                    again.elder_by_knowledge(knowledge, elders.knowledge, scores, self.k).astype(jnp.int32),
                    stranger,
                    again.elder_by_body(self._body(pupil), bodies, scores, stranger).astype(jnp.int32),
                ]
            )[match]
            gap = jnp.sqrt(jnp.mean((elders.knowledge[found] - knowledge) ** 2))
            return found, jnp.where(found < 0, jnp.nan, gap)

        match = jnp.array([way[1] for way in _WAYS.values()])
        found, gap = jax.vmap(jax.vmap(one, (0, None, 0)), (0, 0, None))(students.pupil, match, strangers)
        follows = now & (found >= 0)
        place = students.place
        return eqx.tree_at(
            lambda s: (s.elder, s.gap, s.place.over),
            students,
            (
                jnp.where(now, found, students.elder),
                jnp.where(now, gap, students.gap),
                jnp.where(follows, False, place.over),
            ),
        )

    def _lesson(
        self, student: Students, elders: Elders, how: Array, reverse: Array, draws: Draws, key: PRNGKeyArray
    ) -> Students:
        """A block of one student, whose fields have no leading axes here."""
        rules, adviser = self.rules, self.adviser
        has = student.elder >= 0
        mixture, utility, bar = jax.tree.map(
            lambda x: x[jnp.maximum(student.elder, 0)], (elders.mixture, elders.utility, elders.bar)
        )
        curriculum = again.distilled(mixture, utility, bar, self.floor)
        turned = again.backwards(curriculum)
        curriculum = jax.tree.map(lambda a, b: jnp.where(reverse, a, b), turned, curriculum)
        rounds = jax.tree.map(lambda x: x.reshape(-1, self.pace, x.shape[-1]), draws)

        def one(carry: tuple[Pupil, again.Place], draws: Draws) -> Any:
            pupil, place = carry
            random = jnp.where(has, jnp.where(place.over, self.random_after, self.random_following), self.random)
            tasks, by_elder = jax.vmap(lambda d: again.propose(place, curriculum, student.live, how, random, d, 2))(
                draws
            )
            pupil, outcomes = rules.attempt(pupil, tasks, key)
            followed = again.follow(place, curriculum, outcomes, by_elder, how, self.block)
            place = jax.tree.map(lambda a, b: jnp.where(has, a, b), followed, place)
            return (pupil, place), (tasks, outcomes)

        (pupil, place), (tasks, outcomes) = jax.lax.scan(one, (student.pupil, student.place), rounds)
        live = adviser.observe(student.live, tasks.reshape(self.block, 2), outcomes.reshape(self.block), key)
        return Students(pupil, live, place, student.elder, student.gap)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _body(self, pupil: Pupil) -> Int[Array, ""]:
        """A number that is the same for equal bodies."""
        mirrored = jnp.sum(pupil.mirrored * 2 ** jnp.arange(2))
        return (pupil.origin[0] * self.cubes + pupil.origin[1]) * 4 + mirrored

    def _quarter(self, pupil: Pupil) -> Int[Array, ""]:
        """The quarter of the task space in which a body begins."""
        return jnp.sum((pupil.mirrored ^ (pupil.origin >= self.cubes / 2)) * 2 ** jnp.arange(2))

    def observe(self, state: School, key: PRNGKeyArray) -> dict[str, Array]:
        """What both generations can do, and who follows whom."""
        elders, students, rules = state.elders, state.students, self.rules
        each = jax.vmap(jax.vmap(rules.mastered))(students.pupil)
        quarter = jax.vmap(jax.vmap(self._quarter))(students.pupil)
        theirs = jax.vmap(self._quarter)(elders.pupil)[students.elder]
        has = students.elder >= 0
        left = (elders.mixture, elders.utility, elders.bar)
        stages = jax.vmap(lambda m, u, b: again.distilled(m, u, b, self.floor).stages)(*left)

        def mean(values: Array) -> Float[Array, "arm"]:
            number = jnp.sum(has, axis=1)
            return jnp.where(number > 0, jnp.sum(jnp.where(has, values, 0.0), axis=1) / jnp.maximum(number, 1), jnp.nan)

        own = ARMS.index("R")
        return {
            "elders": jnp.mean(jax.vmap(rules.mastered)(elders.pupil)),
            "mastered": jnp.mean(each, axis=1),
            "worst": jnp.min(each, axis=1),
            "stage": jnp.mean(students.place.stage.astype(jnp.float32), axis=1),
            "stages": mean(stages[students.elder].astype(jnp.float32)),
            "over": jnp.mean((students.place.over & has).astype(jnp.float32), axis=1),
            "same": mean((quarter == theirs).astype(jnp.float32)),
            "gap": mean(students.gap),
            "match": jnp.zeros((4, 4)).at[quarter[own], theirs[own]].add(has[own].astype(jnp.float32)),
        }
