"""The student of cubes against a plain version, and the lesson in which teacher and student meet."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.teachers import Cubes, Pupil, Teacher, draws_of, lesson

opened_in = jax.jit(lambda student, pupil: student.open(pupil))
attempt = jax.jit(lambda student, pupil, tasks: student.attempt(pupil, tasks, jax.random.key(0)))


class Plain:
    """The rules once more, with dictionaries and loops."""

    def __init__(self, n: int, growth: str, origin: tuple[int, ...], mirrored: tuple[bool, ...], hopeless: float,
                 forgetting: float) -> None:  # fmt: skip
        self.n, self.growth, self.origin, self.mirrored = n, growth, origin, mirrored
        self.hopeless, self.kept = hopeless, (1 - forgetting) ** 0.001
        self.competence = dict.fromkeys(itertools.product(range(n), repeat=len(origin)), 0.0)

    def cube(self, task: np.ndarray) -> tuple[int, ...] | None:
        x = [1 - v if m else v for v, m in zip(task.tolist(), self.mirrored, strict=False)]
        if x[0] > 1 - self.hopeless:
            return None
        x[0] /= 1 - self.hopeless
        return tuple(min(self.n - 1, int(v * self.n)) for v in x)

    def open(self, cube: tuple[int, ...]) -> bool:
        if cube == self.origin:
            return True
        if self.growth == "corner":
            steps = [s for s in itertools.product((0, -1), repeat=len(cube)) if any(s)]
        else:
            steps = [tuple(s * (i == j) for j in range(len(cube))) for i in range(len(cube)) for s in (1, -1)]
        near = (tuple(c + s for c, s in zip(cube, step, strict=True)) for step in steps)
        return any(self.competence.get(c, 0.0) >= 75 for c in near)

    def attempt(self, task: np.ndarray) -> float:
        cube = self.cube(task)
        before = dict(self.competence)
        gain = float(cube is not None and self.open(cube))
        for other in self.competence:
            self.competence[other] *= self.kept
        if cube is None:
            return 0.0
        self.competence[cube] = min(before[cube] + gain, 100.0)
        return self.competence[cube] / 100


CASES = {
    "corner": ({}, 0, (0, 0)),
    "mirrored": ({}, 2, (0, 0)),
    "hopeless": ({"hopeless": 0.5}, 1, (0, 0)),
    "forgetting": ({"forgetting": 0.4}, 0, (0, 0)),
    "around": ({"growth": "around"}, 5, (1, 2)),
}


@pytest.mark.parametrize("case", CASES)
def test_cubes_equal_the_plain_version(case: str) -> None:
    settings, body, origin = CASES[case]
    student = Cubes(3, 2, **settings)
    around = case == "around"
    pupil = student.within(jnp.int32(body)) if around else student.corner(jnp.int32(body))
    mirrored = (False, False) if around else (bool(body & 1), bool(body & 2))
    assert tuple(np.asarray(pupil.origin).tolist()) == origin
    plain = Plain(3, student.growth, origin, mirrored, settings.get("hopeless", 0.0), settings.get("forgetting", 0.0))
    tasks = np.random.default_rng(1).random((2500, 3)).astype(np.float32)  # the third dimension is useless
    tasks[:4, :2] = [[0, 0], [1, 1], [0, 1], [1, 0]]
    pupil, outcomes = attempt(student, pupil, tasks)
    wanted = [plain.attempt(task) for task in tasks]
    np.testing.assert_allclose(outcomes, wanted, atol=2e-4)
    grid = np.asarray(pupil.competence).reshape(3, 3)
    np.testing.assert_allclose(grid, [[plain.competence[i, j] for j in range(3)] for i in range(3)], atol=0.02)
    assert float(student.mastered(pupil)) == pytest.approx(100 * np.mean([c > 75 for c in plain.competence.values()]))
    opened = np.asarray(opened_in(student, pupil)).reshape(3, 3)
    assert all(opened[c] == plain.open(c) for c in plain.competence)
    assert grid.max() > 75


def test_a_body_sees_its_map_the_other_way_round() -> None:
    student = Cubes(4, 2)
    for body in range(4):
        pupil = student.corner(jnp.int32(body))
        easy = jnp.where(pupil.mirrored, 0.99, 0.01)
        pupil, outcomes = attempt(student, pupil, jnp.broadcast_to(easy, (80, 2)))
        assert float(outcomes[-1]) == pytest.approx(0.8)
        shown = np.asarray(student.unfolded(pupil, pupil.competence))
        where = tuple(3 if m else 0 for m in np.asarray(pupil.mirrored))
        assert shown[where] == 80 and shown.sum() == 80


def test_the_first_cube_takes_76_visits_and_the_next_none_before_75() -> None:
    student = Cubes(2, 1)
    pupil = student.start(jax.random.key(0))
    assert isinstance(pupil, Pupil)
    pupil, _ = attempt(student, pupil, jnp.full((74, 1), 0.1))
    pupil, second = attempt(student, pupil, jnp.array([[0.9], [0.1], [0.9], [0.1]]))
    np.testing.assert_allclose(second, [0.0, 0.75, 0.01, 0.76], atol=1e-6)
    assert float(student.mastered(pupil)) == 50.0
    pupil, _ = attempt(student, pupil, jnp.full((74, 1), 0.1))
    assert float(pupil.competence[0]) == 100.0


class Listener(Teacher):
    """Proposes at random and remembers what it was told last."""

    dims: int = 2
    pace: int = 6

    def start(self) -> Any:
        return jnp.zeros(6)

    def propose(self, state: Any, draws: Any) -> Any:
        return draws.place

    def observe(self, state: Any, tasks: Any, outcomes: Any, key: Any) -> Any:
        return outcomes


def test_a_lesson_tells_the_teacher_what_came_out() -> None:
    teacher, student, draws = Listener(), Cubes(4, 2), draws_of(jax.random.key(1), 6, 2)

    @jax.jit
    def both(pupil: Any) -> Any:
        parts = (teacher, teacher.start(), student, pupil, draws, jax.random.key(2))
        return lesson(*parts), lesson(*parts, lambda outcomes, key: outcomes - 1.0)

    (told, _, tasks, outcomes), (lied, *_) = both(student.start(jax.random.key(0)))
    np.testing.assert_array_equal(tasks, draws.place)
    np.testing.assert_array_equal(told, outcomes)
    np.testing.assert_array_equal(lied, outcomes - 1.0)
    with el.edit(el.Clamp("task", 0.1)):
        (_, _, tasks, outcomes), _ = both(student.start(jax.random.key(0)))
    np.testing.assert_allclose(outcomes, np.arange(1, 7) / 100, atol=1e-6)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(el.UserError, match="growth must be 'corner' or 'around', got 'up'"):
        Cubes(4, 2, "up")
    with pytest.raises(el.UserError, match="Cubes: cubes must be a whole number >= 1, got 0"):
        Cubes(0)
