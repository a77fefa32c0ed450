"""Learners in mazes, and whoever makes the mazes: chance, a store of levels, or a designer that learns."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.rl import ppo
from emergelab.rl.networks import ActorCritic, FeedForward, Recurrent
from emergelab.rl.rollout import Trajectory, begin, evaluate, play
from emergelab.worlds.mazes import Board, Maze, MazeLevel, actions_to_goal, edit, way

from ._kept import Kept, add, chances, nothing, pick, rescore
from ._players import Played, Player, improved, kept_if, made, on_levels
from ._suite import HARD, names, suite

__all__ = ["EnvironmentDesign", "State"]

SHOWN = 4  # levels in the gallery
NEVER = 1_000_000_000


class Lesson(NamedTuple):
    """What an update was about. Numbers are not numbers before the first.

    Attributes:
        levels: what the students learnt from.
        total: what the protagonist got on each, mean over tries.
        rival: what the antagonist got.
        payment: what the designer was paid for its drawings, mean.
        spread: entropy of the designer's policy, nats.
    """

    levels: MazeLevel
    total: Float[Array, "level"]
    rival: Float[Array, "level"]
    payment: Float[Array, ""]
    spread: Float[Array, ""]


class State(eqx.Module):
    """What the study is after an update.

    Attributes:
        protagonist: the learner that all is about.
        antagonist: the other student, whose returns the protagonist's are compared with; only beside a designer.
        designer: the learner that draws levels, if there is one.
        kept: levels that may come again.
        lesson: the last update's.
        time: updates made.
    """

    protagonist: Player
    antagonist: Player | None
    designer: Player | None
    kept: Kept
    lesson: Lesson
    time: Int[Array, ""]


def _share(name: str, about: str, nan_ok: bool = True) -> el.Observable:
    return el.Observable(name, unit="1", about=about, low=0.0, high=1.0, nan_ok=nan_ok)


class EnvironmentDesign(el.System):
    """One step makes levels, tries them, and teaches those who are to learn from them."""

    maker: str = el.choice("chance", options=("chance", "designer"), static=True, about="who makes new levels")
    payment: str = el.choice("regret", options=("regret", "minus return"), about="what the designer is paid")
    rival: str = el.choice(
        "max", options=("max", "mean", "copy"),
        about="the antagonist's best try or its mean; copy: the protagonist is its own antagonist",
    )  # fmt: skip
    replay: float = el.param(0.0, low=0.0, high=1.0, about="probability that a lesson comes from the store")
    robust: int = el.param(0, low=0, high=1, about="1: students learn from lessons out of the store only")
    edits: int = el.param(0, low=0, high=5, about="edits by which levels of the last lesson become new ones; 0: none")
    budget: int = el.param(16, low=0, about="walls that chance or the designer may put")
    z: float = el.param(1.0, low=0.0, about="scale of the noise that the designer sees")
    swap: int = el.param(NEVER, low=0, unit="update", about="from here on the designer is paid minus the return")
    freeze: int = el.param(NEVER, low=0, unit="update", about="from here on the protagonist learns no more")
    longest: int = el.param(NEVER, low=0, unit="cell", about="levels with a longer way are not kept")
    temperature: float = el.param(1.0, low=1e-3, about="of the ranks in the store; small: the best scores only")
    staleness: float = el.param(0.3, low=0.0, high=1.0, about="weight of the time since a level was played")
    rate: float = el.param(2e-3, low=0.0, high=1.0, about="the students' learning rate")
    discount: float = el.param(0.97, low=0.0, high=1.0, about="the students' gamma")
    trace: float = el.param(0.9, low=0.0, high=1.0, about="lambda of all learners")
    entropy: float = el.param(0.01, low=0.0, about="weight of the students' entropy")
    designer_rate: float = el.param(3e-3, low=0.0, high=1.0, about="the designer's learning rate")
    designer_entropy: float = el.param(0.01, low=0.0, about="weight of the designer's entropy")
    size: int = el.static(7, low=3, about="rows and columns of a board")
    walls: int = el.static(16, low=1, about="most walls that a designer may put")
    noise: int = el.static(8, low=1, about="numbers of noise that the designer sees")
    levels: int = el.static(32, low=4, about="levels a lesson")
    tries: int = el.static(2, low=1, about="lanes a level")
    limit: int = el.static(32, low=2, unit="step", about="longest episode, and steps of a lane in a lesson")
    kept: int = el.static(128, low=1, about="places of the store")
    width: int = el.static(64, low=1, about="units of a hidden layer")
    units: int = el.static(0, low=0, about="units of the students' memory; 0: none")
    passes: int = el.static(4, low=1, about="passes over a lesson")
    parts: int = el.static(4, low=1, about="gradient steps a pass")
    test_limit: int = el.static(64, low=1, unit="step", about="longest test episode")
    tests: int = el.static(4, low=1, about="test episodes a maze")
    random_tests: int = el.static(24, low=1, about="test episodes on random levels")

    observables: ClassVar[tuple[el.Observable, ...]] = (
        _share("solvable", "levels of the lesson whose goal can be reached"),
        el.Observable("blocks", unit="1", about="walls a level", low=0.0, nan_ok=True),
        el.Observable("path", unit="1", about="cells of the shortest way, 0 if there is none", low=0.0, nan_ok=True),
        el.Observable("solved_path", unit="1", about="the same, of levels that the protagonist solved", nan_ok=True),
        _share("solved", "levels of the lesson that the protagonist solved"),
        _share("rival_solved", "levels of the lesson that the antagonist solved"),
        el.Observable("payment", unit="1", about="what the designer was paid, mean over its drawings", nan_ok=True),
        el.Observable("regret", unit="1", about="the best possible return minus the protagonist's", nan_ok=True),
        el.Observable("spread", unit="nat", about="entropy of the designer's policy", low=0.0, nan_ok=True),
        _share("diversity", "cells in which two levels of a lesson differ"),
        el.Observable("transfer", dims=("maze",), unit="1", about="test mazes solved", low=0.0, high=1.0),
        _share("zero_shot", "test mazes solved, mean over all of them", nan_ok=False),
        _share("hard", "test mazes solved, mean over labyrinths and perfect mazes", nan_ok=False),
        _share("random", "random levels solved, among those that can be", nan_ok=True),
        el.Observable(
            "gallery", dims=("shown", "y", "x"), about="levels of the lesson: 0 free, 1 wall, 2 goal, 3 agent"
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names(self.size)
        if self.maker == "designer" and self.budget > self.walls:
            raise el.UserError(
                f"EnvironmentDesign: parameter 'budget' must be at most walls={self.walls}, got {self.budget}"
            )
        drawing = self.levels * (self.walls + 2)
        for whole, what in ((self._moments, "what a lesson is learnt from"), (drawing, "levels * (walls + 2)")):
            if whole % self.parts:
                raise el.UserError(
                    f"EnvironmentDesign: parameter 'parts' must divide {what}, {whole}, got {self.parts}"
                )

    @property
    def _moments(self) -> int:
        return self.levels * self.tries * (1 if self.units else self.limit)

    def maze(self, limit: int | None = None) -> Maze:
        """The world of the students."""
        return Maze(self.size, self.budget, limit=limit or self.limit)

    def board(self) -> Board:
        """The world of the designer."""
        return Board(self.size, self.walls, self.budget, self.noise)

    def student(self) -> ppo.Settings:
        """How students learn."""
        return ppo.Settings(
            rate=self.rate, discount=self.discount, trace=self.trace, entropy=self.entropy, passes=self.passes,
            parts=self.parts,
        )  # fmt: skip

    def artist(self) -> ppo.Settings:
        """How the designer learns: what it is paid comes at the very end, and is worth as much at the beginning."""
        return ppo.Settings(
            rate=self.designer_rate, discount=1.0, trace=self.trace, entropy=self.designer_entropy,
            passes=self.passes, parts=self.parts,
        )  # fmt: skip

    def _student_net(self, key: PRNGKeyArray) -> ActorCritic:
        world = self.maze()
        if self.units:
            return Recurrent(
                key, world.numbers, world.actions, units=self.units, before=(self.width,), widths=(self.width,)
            )  # fmt: skip
        return FeedForward(key, world.numbers, world.actions, widths=(self.width,))

    def init(self, key: PRNGKeyArray) -> State:
        of_protagonist, of_antagonist, of_designer = jax.random.split(key, 3)
        antagonist = designer = None
        if self.maker == "designer":
            antagonist = made(self._student_net(of_antagonist), self.student())
            board = self.board()
            net = FeedForward(of_designer, board.numbers, board.actions, widths=(self.width,))
            designer = made(net, self.artist())
        unknown = jnp.full(self.levels, jnp.nan)
        blank = nothing(self.levels, self.size).levels
        return State(
            protagonist=made(self._student_net(of_protagonist), self.student()),
            antagonist=antagonist,
            designer=designer,
            kept=nothing(self.kept, self.size),
            lesson=Lesson(blank, unknown, unknown, unknown[0], unknown[0]),
            time=jnp.int32(0),
        )

    def step(self, state: State, key: PRNGKeyArray) -> State:
        of_coin, of_new, of_pick, of_own, of_rival, of_artist = jax.random.split(key, 6)
        new, drawn = self._new_levels(state, of_new)
        place = pick(chances(state.kept, state.time, self.temperature, self.staleness), self.levels, of_pick)
        again = jax.random.bernoulli(of_coin, self.replay) & self._full_enough(state.kept)
        levels = jax.tree.map(lambda old, new: jnp.where(again, old[place], new), state.kept.levels, new)
        levels = levels._replace(wall=el.site("wall", levels.wall))
        learns = again | (jnp.asarray(self.robust) == 0)

        with el.scope("protagonist"):
            protagonist, played = self._lesson(
                state.protagonist, levels, learns & (state.time < self.freeze), of_own
            )  # fmt: skip
        best = jnp.max(played.total, 1)
        antagonist, designer, rival = None, None, jnp.full(self.levels, jnp.nan)
        payment = spread = jnp.float32(jnp.nan)
        if state.antagonist is None or state.designer is None or drawn is None:
            # Without an antagonist it is its own best try, now or when the level was played before.
            score = jnp.maximum(best, jnp.where(again, state.kept.best[place], 0.0)) - jnp.mean(played.total, 1)
        else:
            with el.scope("antagonist"):
                antagonist, others = self._lesson(state.antagonist, levels, learns, of_rival)
            score, rival = self._regret(played.total, others.total), jnp.mean(others.total, 1)
            paid = el.site("paid", self._paid(score, played.total, state.time))
            with el.scope("designer"):
                designer, report = improved(state.designer, _with_payment(drawn, paid), self.artist(), of_artist)
            # Nothing was drawn for a lesson out of the store.
            designer = kept_if(again, state.designer, designer)
            payment = jnp.where(again, jnp.nan, jnp.mean(paid))
            spread = jnp.where(again, jnp.nan, report.entropy)
        offered = jnp.where(jax.vmap(way)(levels) <= self.longest, score, 0.0)
        kept = jax.tree.map(
            lambda a, b: jnp.where(again, a, b),
            rescore(state.kept, place, score, best, state.time), add(state.kept, levels, offered, best, state.time),
        )  # fmt: skip
        lesson = Lesson(levels, jnp.mean(played.total, 1), rival, payment, spread)
        return State(protagonist, antagonist, designer, kept, lesson, state.time + 1)

    # -- parts of a step ----------------------------------------------------------------------------------------------

    def _new_levels(self, state: State, key: PRNGKeyArray) -> tuple[MazeLevel, Trajectory | None]:
        """Levels that were not there before, and how they were drawn if somebody drew them."""
        if state.designer is not None:
            return self._drawn(state.designer, key)
        of_draw, of_edit = jax.random.split(key)
        drawn = jax.vmap(self.maze().level)(jax.random.split(of_draw, self.levels))

        def other(level: MazeLevel, key: PRNGKeyArray) -> MazeLevel:
            return edit(level, key, 5, self.edits)

        edited = jax.vmap(other)(state.lesson.levels, jax.random.split(of_edit, self.levels))
        # Editing begins when there is something to choose from.
        evolve = (self.edits > 0) & self._full_enough(state.kept)
        return jax.tree.map(lambda a, b: jnp.where(evolve, a, b), edited, drawn), None

    def _full_enough(self, kept: Kept) -> Bool[Array, ""]:
        """Levels come again when the store is half full."""
        return 2 * jnp.sum(kept.filled) >= self.kept

    def _drawn(self, designer: Player, key: PRNGKeyArray) -> tuple[MazeLevel, Trajectory]:
        of_sketch, of_begin, of_play = jax.random.split(key, 3)
        board = self.board()
        sketches = jax.vmap(board.level)(jax.random.split(of_sketch, self.levels))
        sketches = sketches._replace(noise=el.site("z", self.z * sketches.noise))
        blank = begin(board, designer.net, self.levels, of_begin, sketches)
        with el.scope("designer"):
            done, drawn = play(board, designer.net, blank, of_play, board.steps, lambda _: sketches)
        return done.state.level, drawn

    def _lesson(
        self, player: Player, levels: MazeLevel, learns: Bool[Array, ""], key: PRNGKeyArray
    ) -> tuple[Player, Played]:
        """A student plays levels, and learns from it if it is to."""
        of_play, of_update = jax.random.split(key)
        played = on_levels(self.maze(), player.net, levels, self.tries, self.limit, of_play)
        return kept_if(~learns, player, improved(player, played.trajectory, self.student(), of_update)[0]), played

    def _regret(self, total: Float[Array, "level try"], rival: Float[Array, "level try"]) -> Float[Array, "level"]:
        """How much more the antagonist got."""
        own = jnp.mean(total, 1)
        got = jnp.stack([jnp.max(rival, 1), jnp.mean(rival, 1), own])[self.rival]
        return got - own

    def _paid(
        self, regret: Float[Array, "level"], total: Float[Array, "level try"], time: Int[Array, ""]
    ) -> Float[Array, "level"]:
        hostile = (jnp.asarray(self.payment) == 1) | (time >= self.swap)
        return jnp.where(hostile, -jnp.mean(total, 1), regret)

    # -- what is seen -------------------------------------------------------------------------------------------------

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        of_random, of_test = jax.random.split(key)
        lesson, begun = state.lesson, state.time > 0
        levels = lesson.levels
        path = jax.vmap(way)(levels).astype(jnp.float32)
        best = jax.vmap(actions_to_goal)(levels)
        solvable = path > 0
        possible = jnp.where(solvable & (best <= self.limit), 1.0 - 0.9 * best / self.limit, 0.0)
        won = lesson.total > 0

        tests = suite(self.size)
        count = tests.facing.shape[0]
        world = self.maze(self.test_limit)
        chance = jax.vmap(world.level)(jax.random.split(of_random, self.random_tests))
        asked = jax.tree.map(lambda a, b: jnp.concatenate([jnp.repeat(a, self.tests, 0), b]), tests, chance)
        found = evaluate(
            world, state.protagonist.net, of_test, lanes=asked.facing.shape[0], steps=self.test_limit, levels=asked
        )
        right = (found.total > 0).astype(jnp.float32)
        transfer = right[: count * self.tests].reshape(count, -1).mean(1)
        hard = jnp.array([name in HARD for name in names(self.size)])
        can = jax.vmap(way)(chance) > 0

        def known(x: Array) -> Array:
            return jnp.where(begun, x, jnp.nan)

        return {
            "solvable": known(jnp.mean(solvable)),
            "blocks": known(jnp.mean(jnp.sum(levels.wall, (1, 2)))),
            "path": known(jnp.mean(path)),
            "solved_path": _mean(path, won),
            "solved": known(jnp.mean(won)),
            "rival_solved": known(_mean((lesson.rival > 0).astype(jnp.float32), ~jnp.isnan(lesson.rival))),
            "payment": lesson.payment,
            "regret": jnp.mean(possible - lesson.total),
            "spread": lesson.spread,
            "diversity": known(_diversity(levels.wall)),
            "transfer": transfer,
            "zero_shot": jnp.mean(transfer),
            "hard": _mean(transfer, hard),
            "random": _mean(right[count * self.tests :], can),
            "gallery": _drawing(jax.tree.map(lambda x: x[:SHOWN], levels)),
        }


def _with_payment(drawn: Trajectory, paid: Float[Array, "level"]) -> Trajectory:
    """The drawing of a level, ended and paid at its last action."""
    return drawn._replace(
        reward=drawn.reward.at[-1].set(paid), over=drawn.over.at[-1].set(True), beyond=jnp.zeros_like(drawn.beyond)
    )  # fmt: skip


def _mean(x: Float[Array, "item"], of: Bool[Array, "item"]) -> Float[Array, ""]:
    """Mean over some; not a number if there are none."""
    return jnp.sum(jnp.where(of, x, 0.0)) / jnp.where(jnp.any(of), jnp.sum(of), jnp.nan)


def _diversity(wall: Bool[Array, "level y x"]) -> Float[Array, ""]:
    """Share of cells in which two different levels differ, mean over pairs."""
    count = wall.shape[0]
    p = jnp.mean(wall, axis=0)
    return jnp.mean(2 * p * (1 - p)) * count / (count - 1)


def _drawing(levels: MazeLevel) -> Int[Array, "shown y x"]:
    def one(level: MazeLevel) -> Int[Array, "y x"]:
        signs = level.wall.astype(jnp.int32)
        return signs.at[level.start[0], level.start[1]].set(3).at[level.goal[0], level.goal[1]].set(2)

    return jax.vmap(one)(levels)
