"""What a learner meets, and when: tasks made of one data set, and the schedule of the world as a matrix.

A **task** is a way to show examples: a permutation of the features (`permuted`: the labels stay, a domain-incremental
stream) or a few of the classes (`split`: class- or task-incremental). A **schedule** is a matrix [phase, task] whose
rows add up to 1: in a phase every example draws its task from the phase's row. Blocks, rehearsal by any law of age,
blurred boundaries, recurrence and joint training are such matrices, so schedules are data, and differ between
conditions of one program.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.errors import UserError

from .data import Labelled

__all__ = [
    "Batch", "Tasks", "blocked", "blurred", "by_age", "by_index", "drawn", "exponential", "joint", "mixed",
    "most_recent", "oldest_most", "permuted", "power", "shown", "split", "uniform",
]  # fmt: skip

Schedule = Float[Array, "phase task"]
Need = Float[Array, "phase task"]
Number = Float[Array, ""] | float


class Tasks(eqx.Module):
    """Tasks over one data set, as arrays.

    Attributes:
        order: of every task, which feature stands in which place.
        member: of every task, which classes it has.
    """

    order: Int[Array, "task feature"]
    member: Bool[Array, "task class"]

    @property
    def count(self) -> int:
        """How many tasks."""
        return self.order.shape[0]


class Batch(eqx.Module):
    """Examples as a learner meets them.

    Attributes:
        x: features, as the task shows them.
        y: labels.
        task: of each example its task; only methods that may know it look at it.
    """

    x: Float[Array, "batch feature"]
    y: Int[Array, "batch"]
    task: Int[Array, "batch"]


def permuted(key: PRNGKeyArray, tasks: int, data: Labelled) -> Tasks:
    """Tasks with all classes whose features stand in an order of their own; the first is as it is."""
    keys = jax.random.split(key, tasks)
    own = jax.vmap(lambda k: jax.random.permutation(k, data.features))(keys)
    order = own.at[0].set(jnp.arange(data.features)).astype(jnp.int32)
    return Tasks(order, jnp.ones((tasks, data.classes), bool))


def split(key: PRNGKeyArray, tasks: int, data: Labelled) -> Tasks:
    """Tasks with classes of their own, equally many, which class where at random.

    Raises:
        UserError: tasks among which the classes cannot be shared out evenly.
    """
    if tasks < 1 or data.classes % tasks:
        raise UserError(f"tasks: {data.classes} classes cannot be shared out evenly among {tasks} tasks")
    where = jax.random.permutation(key, data.classes) // (data.classes // tasks)
    order = jnp.broadcast_to(jnp.arange(data.features, dtype=jnp.int32), (tasks, data.features))
    return Tasks(order, where == jnp.arange(tasks)[:, None])


def drawn(key: PRNGKeyArray, tasks: Tasks, weights: Float[Array, "task"], data: Labelled, batch: int) -> Batch:
    """Examples whose tasks are drawn with these weights, evenly among the task's examples.

    Args:
        key: of the draws.
        tasks: how examples are shown.
        weights: of tasks, a row of a schedule.
        data: what is shown, sorted by label.
        batch: how many are drawn.
    """
    of_task, of_class, of_item = jax.random.split(key, 3)
    task = jax.random.categorical(of_task, jnp.log(weights), shape=(batch,))
    count = np.bincount(data.y, minlength=data.classes)
    first = jnp.asarray(np.cumsum(count) - count)
    label = jax.random.categorical(of_class, jnp.log(tasks.member[task] * jnp.asarray(count, jnp.float32)), axis=1)
    item = first[label] + jax.random.randint(of_item, (batch,), 0, jnp.asarray(count)[label])
    return Batch(shown(tasks, task, jnp.asarray(data.x)[item]), label.astype(jnp.int32), task.astype(jnp.int32))


def shown(
    tasks: Tasks, task: Int[Array, "batch"] | Int[Array, ""], x: Float[Array, "batch feature"]
) -> Float[Array, "batch feature"]:
    """Features as a task shows them; one task for each example, or one for all."""
    order = jnp.broadcast_to(tasks.order[task], x.shape)
    return jnp.take_along_axis(x, order, axis=1)


# -- schedules --------------------------------------------------------------------------------------------------------


def _ages(tasks: int) -> Int[np.ndarray, "phase task"]:
    """Phases since a task was new; negative before."""
    return np.arange(tasks)[:, None] - np.arange(tasks)


def blocked(tasks: int) -> Schedule:
    """In each phase its own task and nothing else: the usual stream."""
    return jnp.eye(tasks)


def joint(tasks: int) -> Schedule:
    """In each phase all tasks met so far, equally: what no stream allows, an upper bound."""
    seen = jnp.asarray(_ages(tasks) >= 0, jnp.float32)
    return seen / seen.sum(axis=1, keepdims=True)


def mixed(need: Need, share: Number) -> Schedule:
    """Each phase's own task, with a share of all examples given to earlier ones in proportion to their need.

    Args:
        need: how much an earlier task is called for in a phase; entries of tasks that are not older do not count.
        share: of examples that are rehearsal, from 0 to 1; the first phase has none. May be traced.
    """
    tasks = need.shape[0]
    older = jnp.where(jnp.asarray(_ages(tasks) > 0), need, 0.0)
    total = older.sum(axis=1, keepdims=True)
    spread = jnp.where(total > 0, older / jnp.where(total > 0, total, 1.0), 0.0)
    given = jnp.where(total > 0, share, 0.0)
    return (1.0 - given) * jnp.eye(tasks) + given * spread


def uniform(tasks: int) -> Need:
    """All earlier tasks are needed alike."""
    return jnp.ones((tasks, tasks))


def power(tasks: int, exponent: Number = 1.0) -> Need:
    """Need falls as a power of age (Anderson and Schooler 1991): age ** -exponent."""
    return _old(tasks) ** -exponent


def exponential(tasks: int, phases: Number = 1.0) -> Need:
    """Need falls exponentially with age: by a factor e every so many phases."""
    return jnp.exp(-_old(tasks) / phases)


def by_age(tasks: int, law: Float[Array, "age"]) -> Need:
    """Any law of age: `law[a - 1]` is the need of a task that was new `a` phases ago."""
    return law[jnp.clip(jnp.asarray(_ages(tasks)) - 1, 0, law.shape[0] - 1)]


def by_index(tasks: int, exponent: Number = 4.0, offset: Number = 10.0) -> Need:
    """Need grows with a power of the task's number, counted from 1: (offset + number) ** exponent.

    What the code of Gandhi et al. (2024) calls a power law: later tasks are needed more, whatever the phase.
    """
    return jnp.broadcast_to((offset + 1.0 + jnp.arange(tasks)) ** exponent, (tasks, tasks))


def most_recent(tasks: int) -> Need:
    """Only the last task is needed."""
    return jnp.asarray(_ages(tasks) == 1, jnp.float32)


def oldest_most(tasks: int, exponent: Number = 1.0) -> Need:
    """Need grows with age: age ** exponent. A control."""
    return _old(tasks) ** exponent


def blurred(tasks: int, width: Number) -> Schedule:
    """Blocks whose borders run into each other: weights exp(-(phase - task)^2 / (2 width^2)), also of tasks to come."""
    weight = jnp.exp(-0.5 * (jnp.asarray(_ages(tasks)) / width) ** 2)
    return weight / weight.sum(axis=1, keepdims=True)


def _old(tasks: int) -> Float[Array, "phase task"]:
    """Ages, 1 where a task is not older, which `mixed` leaves out anyhow."""
    return jnp.asarray(np.maximum(_ages(tasks), 1), jnp.float32)
