"""Teachers that choose the tasks of a learner, seeing nothing but tasks and returns.

A teacher is a small module of three pure functions:

- `start()` gives its state before the first task;
- `propose(state, draws)` turns random numbers into one task in the unit cube;
- `observe(state, tasks, outcomes, key)` takes in what a round of `pace` tasks returned.

A student is the other side, `attempt(state, tasks, key) -> (state, outcomes)`, with returns in [0, 1] (see
`emergelab.teachers.students`); `lesson` lets the two meet. Teachers and students are pytrees of arrays, so classes,
seeds and conditions are axes of one compiled program.
"""

from emergelab.teachers import again
from emergelab.teachers.adr import Adr
from emergelab.teachers.alp_gmm import AlpGmm
from emergelab.teachers.base import Draws, Teacher, draws_of, lesson, pick
from emergelab.teachers.covar_gmm import CovarGmm
from emergelab.teachers.mixtures import Mixture, fit
from emergelab.teachers.oracle import Oracle
from emergelab.teachers.plr import Plr
from emergelab.teachers.riac import Riac
from emergelab.teachers.students import Cubes, Pupil, Student
from emergelab.teachers.uniform import Uniform

__all__ = [
    "Adr",
    "AlpGmm",
    "CovarGmm",
    "Cubes",
    "Draws",
    "Mixture",
    "Oracle",
    "Plr",
    "Pupil",
    "Riac",
    "Student",
    "Teacher",
    "Uniform",
    "again",
    "draws_of",
    "fit",
    "lesson",
    "pick",
]
