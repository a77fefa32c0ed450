"""An agent in a maze that rewires the graph it plans with whenever an action fails."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

import emergelab as el

from ._graph import GOAL, START, Graph, activity, code, gains, hops, insert, patch_crossed, spread, weaken
from ._maze import Maze, carve, cell_of, centre, distances, moved_wall, slide
from ._minds import MINDS, Intent, table_intent, table_learnt, table_way, walk_intent, wish
from ._rivals import RIVALS, decided, learnt, novice, planned, survey, surveyed

__all__ = ["SIDE", "VISITS", "NeuralSearch", "State"]

SIDE = 12  # rooms a side of the largest maze
VISITS = 3
NEVER = 99
BORN = 8  # neurons that a mutation makes
NEAR = 3  # how many of them near the agent
PROBES = 32  # places at which the code is tried out


class State(eqx.Module):
    """Where the agent stands, what it knows, and what has happened so far.

    Attributes:
        maze: the walls.
        changed: the walls after one has moved.
        waves: of the harmonic code.
        graph: the searching mind's knowledge.
        table: the tabular learner's.
        place: of the agent.
        heading: of the walker, radians.
        here: the neuron that the agent believes to be at.
        stopped: where the last behaviour ended, before the way back if it failed.
        barred: whether it got less than half as far as it should.
        visit: which one is under way; `VISITS` or the parameter's number when all is over.
        took: motor steps of each visit.
        reached: whether the goal was found in it.
        best: motor steps of the shortest way between the middles of cells.
        failed: behaviours that failed.
        deleted: synapses whose weight fell to 0.
        grown: neurons made since the beginning.
        confused: times the agent believed to be at a neuron from which a wall parts it.
        hops: synapses of the last plan.
        cost: of the last plan, in synapses of no length.
        from_start: cost of the cheapest plan from the start at that time, whether it is followed or not.
        linked: share of neurons from which the goal could be reached, at the last plan.
        rival: what the mind knows that takes the others' place; none if there is no such.
    """

    maze: Maze
    changed: Maze
    waves: Float[Array, "wave 2"]
    graph: Graph
    table: Float[Array, "cell 4"]
    place: Float[Array, "2"]
    heading: Float[Array, ""]
    here: Int[Array, ""]
    stopped: Float[Array, "2"]
    barred: Bool[Array, ""]
    visit: Int[Array, ""]
    took: Int[Array, "visit"]
    reached: Bool[Array, "visit"]
    best: Float[Array, "visit"]
    failed: Int[Array, ""]
    deleted: Int[Array, ""]
    grown: Int[Array, ""]
    confused: Int[Array, ""]
    hops: Int[Array, ""]
    cost: Float[Array, ""]
    from_start: Float[Array, ""]
    linked: Float[Array, ""]
    rival: PyTree[Array]


class Travel(NamedTuple):
    """What came of a run towards a point.

    Attributes:
        place: where it ended.
        steps: motor steps it took.
        there: whether the neuron that was meant answers.
        found: whether the goal was met on the way.
    """

    place: Float[Array, "2"]
    steps: Int[Array, ""]
    there: Bool[Array, ""]
    found: Bool[Array, ""]


class NeuralSearch(el.System):
    """One step is one behaviour: a run towards a point, and back if it failed."""

    mind: str = el.choice("graph", options=MINDS, about="who decides: searching graph, random walk, Q-table")
    rival: str = el.choice(
        "none", options=RIVALS, static=True,
        about="who decides in the place of `mind`: planner with a map, explorer of frontiers, policy learner",
    )  # fmt: skip
    rooms: int = el.param(6, low=2, high=SIDE, unit="cell", about="cells a side of the maze")
    winding: float = el.param(1.0, low=0.0, high=1.0, about="1: long corridors, 0: many short dead ends")
    loops: float = el.param(0.1, low=0.0, high=1.0, about="chance of a wall that the tree leaves to be opened")
    speed: float = el.param(0.02, low=1e-3, high=0.08, about="length of a motor step; the maze is 1 wide")
    near: float = el.param(0.03, low=0.0, high=0.5, about="how near the goal must be to be found")
    grip: float = el.param(0.0, low=0.0, high=1.0, about="0: one slides along walls, 1: walls stop all of a move")
    budget: int = el.param(10_000, low=1, unit="step", about="most motor steps of a visit")
    visits: int = el.param(1, low=1, high=VISITS, about="how often the agent is put back to the start")
    change: int = el.param(NEVER, low=0, about="first visit (from 0) with a wall moved")
    forget: int = el.param(NEVER, low=0, about="visit before which all synapses become hopeful again")
    elsewhere: int = el.param(NEVER, low=0, about="first visit (from 0) with the goal in another corner")
    density: float = el.param(2.0, low=0.1, about="neurons a cell at the beginning, as far as there are places")
    reach: float = el.param(1.6, low=0.1, high=20.0, unit="cell", about="longest synapse")
    decay: float = el.param(0.95, low=0.1, high=0.999, about="of activity, a tenth of the maze's width")
    hope: float = el.param(0.8, low=0.0, high=1.0, about="weight of a synapse that was never tried")
    learn: float = el.param(0.5, low=0.0, high=1.0, about="share of the way to 1 that a success brings a weight")
    unlearn: float = el.param(0.8, low=0.0, high=1.0, about="what a failure takes from it")
    floor: float = el.param(0.05, low=0.0, high=1.0, about="weights below are 0: the synapse is gone")
    both: int = el.param(1, low=0, high=1, about="1: a failure weakens the way back, too")
    heed: float = el.param(1.0, low=0.0, high=1.0, about="chance of a failure to change anything")
    blame: float = el.param(0.0, low=0.0, unit="cell", about="half width of the wall that is inferred from a failure")
    growth: int = el.param(1, low=0, high=1, about="1: neurons are made where plans end")
    whim: float = el.param(0.0, low=0.0, high=1.0, about="chance to choose the next neuron at random")
    waves: int = el.param(32, low=1, high=32, about="plane waves of the code that are in use")
    pitch: float = el.param(3.0, low=0.1, unit="1", about="standard deviation of their frequency, cycles a width")
    sure: float = el.param(0.99, low=-1.0, high=1.0, about="activity at which the agent believes to be at a neuron")
    turn: float = el.param(0.5, low=0.0, about="standard deviation of the walker's turns, radians")
    stride: int = el.param(8, low=1, unit="step", about="motor steps of the walker between turns")
    epsilon: float = el.param(0.1, low=0.0, high=1.0, about="chance of the Q-table to act at random")
    rate: float = el.param(0.5, low=0.0, high=1.0, about="the Q-table's learning rate")
    discount: float = el.param(0.95, low=0.0, high=1.0, about="the Q-table's discount")
    promise: float = el.param(0.0, low=0.0, about="the Q-table's first values; 1 makes it try what it never tried")
    places: int = el.static(112, low=BORN + 8, about="most neurons")

    observables: ClassVar[tuple[el.Observable, ...]] = (
        el.Observable("took", dims=("visit",), unit="1", about="motor steps of each visit so far", low=0),
        el.Observable("reached", dims=("visit",), unit="1", about="1 if the goal was found", low=0, high=1),
        el.Observable("best", dims=("visit",), unit="1", about="motor steps of the shortest way", low=0),
        el.Observable("now", unit="1", about="visits that are over", low=0, high=VISITS),
        el.Observable("failed", unit="1", about="behaviours that failed", low=0),
        el.Observable("deleted", unit="1", about="synapses deleted", low=0),
        el.Observable("grown", unit="1", about="neurons made since the beginning", low=0),
        el.Observable("neurons", unit="1", about="neurons alive", low=0),
        el.Observable("confused", unit="1", about="neurons mistaken across a wall", low=0),
        el.Observable("hops", unit="1", about="synapses of the last plan", low=0),
        el.Observable("cost", unit="1", about="cost of the last plan, in synapses of no length", low=0),
        el.Observable("from_start", unit="1", about="cost of the cheapest plan from the start", low=0),
        el.Observable("linked", unit="1", about="neurons from which the goal could be reached", low=0, high=1),
        el.Observable(
            "mislocated", unit="1", about="excess distance of the neuron that answers over the nearest, cells", low=0
        ),
        el.Observable("place", dims=("axis",), unit="1", about="where the agent is, widths", low=0, high=1),
        el.Observable(
            "stopped", dims=("axis",), unit="1", about="where its last behaviour ended before the way back, widths"
        ),
    )

    # -- the beginning ------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> State:
        of_maze, of_wall, of_waves, of_places, of_heading = jax.random.split(key, 5)
        maze = carve(SIDE, self.rooms, self.winding, self.loops, of_maze)
        first, last = jnp.int32(0), (self.rooms - 1) * (SIDE + 1)
        corner = jnp.asarray(self.rooms - 1)
        changed = moved_wall(maze, self.rooms, first, last, of_wall)
        waves = self.pitch * jax.random.normal(of_waves, (32, 2))
        place = jax.random.uniform(of_places, (self.places, 2))
        begin = centre(0, 0, self.rooms)
        place = place.at[GOAL].set(self._goal(0)).at[START].set(begin)
        count = jnp.clip(jnp.round(self.density * self.rooms**2), 2, self.places)
        graph = Graph(
            place,
            code(place, waves, self.waves),
            jnp.full((self.places, self.places), jnp.asarray(self.hope, jnp.float32)),
            jnp.arange(self.places) < count,
        )
        ways = []
        for visit in range(VISITS):
            walls = jax.tree.map(lambda a, b, v=visit: jnp.where(v >= self.change, b, a), maze, changed)
            goal = jnp.where(visit >= self.elsewhere, corner, last)
            ways.append(distances(walls, first)[goal] / (self.rooms * self.speed))
        zero = jnp.int32(0)
        return State(
            maze=maze, changed=changed, waves=waves, graph=graph,
            table=jnp.full((SIDE * SIDE, 4), jnp.asarray(self.promise, jnp.float32)),
            place=begin, heading=jax.random.uniform(of_heading, maxval=2 * jnp.pi), here=jnp.int32(START),
            stopped=begin, barred=jnp.bool_(False), visit=zero,
            took=jnp.zeros(VISITS, jnp.int32), reached=jnp.zeros(VISITS, bool),
            best=jnp.stack(ways).astype(jnp.float32), failed=zero, deleted=zero, grown=zero, confused=zero, hops=zero,
            cost=jnp.float32(0.0), from_start=jnp.float32(0.0), linked=jnp.float32(0.0),
            rival=self._newcomer(),
        )  # fmt: skip

    def _newcomer(self) -> PyTree[Array]:
        if self.rival == "none":
            return None
        return novice(SIDE, self.discount) if self.rival == "ppo" else survey(SIDE, self.rooms)

    def _goal(self, visit: Int[Array, ""] | int) -> Float[Array, "2"]:
        row = jnp.where(visit >= self.elsewhere, 0, self.rooms - 1)
        return centre(row, self.rooms - 1, self.rooms)

    # -- one behaviour ------------------------------------------------------------------------------------------------

    def step(self, state: State, key: PRNGKeyArray) -> State:
        behave = self._behave if self.rival == "none" else self._compete
        return el.when(state.visit < self.visits, behave, (state, key), state)

    def _behave(self, state: State, key: PRNGKeyArray) -> State:
        of_wish, of_walk, of_table, of_heed, of_birth = jax.random.split(key, 5)
        searching = jnp.asarray(self.mind) == 0
        maze = self._walls(state)
        seen = el.site("seen", state.place)

        gain = el.site("gain", gains(state.graph, self.reach / self.rooms, self.decay, 10.0))
        value = el.site("activity", spread(gain, GOAL, searching))
        stuck = searching & ~jnp.any(gain[state.here] * value > 0)
        to = wish(gain[state.here], value, self.whim, of_wish)
        intents, heading = self._intents(state, seen, to, of_walk, of_table)
        intent = jax.tree.map(lambda *x: jnp.stack(x)[self.mind], *intents)
        limit = jnp.where(stuck, 0, intent.limit)

        meant = jnp.where(searching, to, -1)
        with el.scope("out"):
            out = self._travel(state, maze, intent.to, meant, limit)
        failed = searching & ~stuck & ~out.there & ~out.found
        # Who failed goes back to where it came from; the way was free a moment ago.
        home = state.graph.place[state.here]
        with el.scope("back"):
            back = self._travel(state, maze, home, state.here, jnp.where(failed, intent.limit, 0), out.place)
        found = out.found | (failed & back.found)
        place = back.place
        lost = failed & ~back.there & ~found

        heeded = failed & jax.random.bernoulli(of_heed, self.heed)
        weight = self._rewired(state, to, out, searching & ~stuck & ~failed, heeded)
        graph = state.graph._replace(weight=weight)
        graph, here, grown = self._mutated(state, graph, place, to, stuck, lost, failed, of_birth)
        believed = graph.place[here]
        gone = jnp.sum((gain > 0) & (weight == 0)).astype(jnp.int32)

        before = self._index(state.place)
        table = table_learnt(
            state.table, before, intent.choice, self._index(place), found, self.rate, self.discount
        )  # fmt: skip
        after = State(
            maze=state.maze, changed=state.changed, waves=state.waves, graph=graph,
            table=jnp.where(jnp.asarray(self.mind) == 2, table, state.table),
            place=place, heading=heading, here=here, stopped=out.place,
            barred=_length(place - seen) < 0.5 * self.speed * self.stride, visit=state.visit,
            # A thought takes as long as a motor step, so nobody thinks for ever.
            took=state.took.at[state.visit].add(out.steps + back.steps + stuck),
            reached=state.reached.at[state.visit].set(found), best=state.best,
            failed=state.failed + failed, deleted=state.deleted + gone, grown=state.grown + grown,
            confused=state.confused + (searching & self._parted(maze, place, believed)),
            hops=jnp.where(stuck, state.hops, hops(gain, value, state.here, GOAL)),
            cost=self._cost(value[state.here], state.cost),
            from_start=self._cost(value[START], state.from_start),
            linked=jnp.where(searching, jnp.sum(value > 0) / jnp.sum(state.graph.alive), 0.0),
            rival=state.rival,
        )  # fmt: skip
        # Without new neurons nothing can change any more where no plan is left.
        return self._next_visit(after, found, stuck & (jnp.asarray(self.growth) == 0))

    def _intents(
        self, state: State, seen: Float[Array, "2"], to: Int[Array, ""], of_walk: PRNGKeyArray, of_table: PRNGKeyArray
    ) -> tuple[tuple[Intent, Intent, Intent], Float[Array, ""]]:
        """What each of the minds would do, and the walker's new heading."""
        aim = state.graph.place[to]
        graph = Intent(aim, self._time_for(_length(aim - seen)), to)
        stride = self.stride * self.speed
        walk, heading = walk_intent(seen, state.heading, state.barred, self.turn, stride, self.stride, of_walk)
        limit = self._time_for(1.0 / self.rooms)
        table = table_intent(seen, state.table, self.rooms, SIDE, self.epsilon, limit, of_table)
        return (graph, walk, table), heading

    def _compete(self, state: State, key: PRNGKeyArray) -> State:
        """A behaviour of a rival: a run to a neighbouring cell, without a graph and without a way back."""
        of_choice, of_learning = jax.random.split(key)
        seen = el.site("seen", state.place)
        row, column = cell_of(seen, self.rooms)
        here = row * SIDE + column
        if self.rival == "ppo":
            with el.scope("ppo"):
                rival, way = decided(state.rival, here, of_choice)
            to = table_way(row, column, way, self.rooms)
            # The same time that the table has, which does not know the distance either.
            limit = self._time_for(1.0 / self.rooms)
        else:
            goal = self._index(self._goal(state.visit))
            rival, cell = planned(state.rival, self.rooms, here, goal, self.rival == "frontier")
            to = centre(cell // SIDE, cell % SIDE, self.rooms)
            limit = jnp.maximum(jnp.ceil(_length(to - seen) / self.speed), 1).astype(jnp.int32)
        with el.scope("out"):
            out = self._travel(state, self._walls(state), to, jnp.int32(-1), limit)
        if self.rival == "ppo":
            with el.scope("ppo"):
                rival = learnt(rival, self._index(out.place), out.found, self.discount, of_learning)
        else:
            rival = surveyed(rival, here, cell, self._index(out.place))
        took = state.took.at[state.visit].add(out.steps)
        fields = (out.place, out.place, took, state.reached.at[state.visit].set(out.found), rival)
        after = eqx.tree_at(lambda s: (s.place, s.stopped, s.took, s.reached, s.rival), state, fields)
        return self._next_visit(after, out.found, jnp.bool_(False))

    def _cost(self, value: Float[Array, ""], before: Float[Array, ""]) -> Float[Array, ""]:
        """What a plan costs whose activity is known, or what the last one did if there is none."""
        return jnp.where(value > 0, jnp.log(jnp.maximum(value, 1e-30)) / jnp.log(self.decay), before)

    def _time_for(self, length: Float[Array, ""] | float) -> Int[Array, ""]:
        return jnp.ceil(1.4 * length / self.speed + 4).astype(jnp.int32)

    def _travel(
        self,
        state: State,
        maze: Maze,
        to: Float[Array, "2"],
        neuron: Int[Array, ""],
        limit: Int[Array, ""],
        start: Float[Array, "2"] | None = None,
    ) -> Travel:
        """Run straight to a point until the neuron that is meant answers, the goal is met, or time is up.

        Who does not get on for two motor steps gives up before.
        """
        goal = self._goal(state.visit)
        wanted = state.graph.code[jnp.maximum(neuron, 0)]

        def on(carry: tuple[Travel, Array]) -> Array:
            now, idle = carry
            return (now.steps < limit) & ~now.there & ~now.found & (idle < 2)

        def turn(carry: tuple[Travel, Array]) -> tuple[Travel, Array]:
            now, idle = carry
            way = to - el.site("felt", now.place)
            far = _length(way)
            move = way * jnp.minimum(1.0, self.speed / jnp.maximum(far, 1e-9))
            place = slide(maze, self.rooms, now.place, el.site("move", move), self.grip)
            held = _length(place - now.place) < 0.1 * self.speed
            answer = jnp.sum(code(el.site("sensed", place), state.waves, self.waves) * wanted)
            there = (neuron >= 0) & (answer >= self.sure)
            found = _length(place - goal) <= self.near
            return Travel(place, now.steps + 1, there, found), jnp.where(held, idle + 1, 0)

        begun = Travel(state.place if start is None else start, jnp.int32(0), jnp.bool_(False), jnp.bool_(False))
        return jax.lax.while_loop(on, turn, (begun, jnp.int32(0)))[0]

    def _rewired(
        self, state: State, to: Int[Array, ""], out: Travel, succeeded: Bool[Array, ""], heeded: Bool[Array, ""]
    ) -> Float[Array, "node node"]:
        """Weights after a behaviour: success strengthens the synapse that was used, failure weakens it.

        With `blame`, all synapses that cross the wall that must be there are weakened, too.
        """
        weight, here = state.graph.weight, state.here
        # Whoever runs into the goal on the way elsewhere remembers that it is there.
        used = jnp.where(out.found, GOAL, to)
        better = weight[here, used] + self.learn * (1.0 - weight[here, used])
        weight = weight.at[here, used].set(jnp.where(succeeded & (used != here), better, weight[here, used]))
        index = jnp.arange(weight.shape[0])
        used_one = (index[:, None] == here) & (index[None, :] == to)
        crossing = patch_crossed(state.graph.place, out.place, state.graph.place[to], self.blame / self.rooms)
        which = used_one | (used_one.T & (jnp.asarray(self.both) == 1)) | (crossing & (jnp.asarray(self.blame) > 0))
        return weaken(weight, which & heeded, self.unlearn, self.floor)

    def _mutated(
        self,
        state: State,
        graph: Graph,
        place: Float[Array, "2"],
        to: Int[Array, ""],
        stuck: Bool[Array, ""],
        lost: Bool[Array, ""],
        failed: Bool[Array, ""],
        key: PRNGKeyArray,
    ) -> tuple[Graph, Int[Array, ""], Int[Array, ""]]:
        """The graph after a behaviour with the neurons it calls for, where the agent believes to be, and their number.

        Where no plan is left, neurons appear near the agent and anywhere. Who does not find back recalls a neuron that
        answers to where it is, or recruits one.
        """
        of_near, of_far = jax.random.split(key)
        near = place + jax.random.normal(of_near, (NEAR, 2)) / self.rooms
        drawn = jnp.clip(jnp.concatenate([near, jax.random.uniform(of_far, (BORN - NEAR, 2))]), 0.0, 1.0)
        sensed = el.site("located", place)
        answer = activity(graph, code(sensed, state.waves, self.waves))
        winner = jnp.argmax(answer).astype(jnp.int32)
        recalled = answer[winner] >= self.sure
        recruit = lost & ~recalled
        born = jnp.where(stuck, drawn, sensed)
        which = el.site(
            "grow", (jnp.full(BORN, stuck) | (recruit & (jnp.arange(BORN) == 0))) & (jnp.asarray(self.growth) == 1)
        )
        index = jnp.arange(self.places)
        keep = (index == GOAL) | (index == START) | (index == state.here) | (index == to)
        codes = code(born, state.waves, self.waves)
        made_none = (graph, jnp.zeros(BORN, jnp.int32))

        def make(graph: Graph) -> tuple[Graph, Int[Array, "born"]]:
            return insert(graph, born, codes, which, self.hope, keep, self.reach / self.rooms)

        graph, rows = el.when(jnp.any(which), make, (graph,), made_none)
        # What has just failed is not hoped for again from next door.
        first, made = rows[0], recruit & which[0]
        graph = graph._replace(weight=graph.weight.at[first, to].set(jnp.where(made, 0.0, graph.weight[first, to])))
        arrived = ~failed & ~stuck
        here = jnp.where(made, first, jnp.where(lost, winner, jnp.where(arrived, to, state.here)))
        return graph, here.astype(jnp.int32), jnp.sum(which).astype(jnp.int32)

    def _next_visit(self, state: State, found: Bool[Array, ""], hopeless: Bool[Array, ""]) -> State:
        """After the goal was found: back to the start. Out of time or out of hope: all visits are over."""
        spent = ~found & (hopeless | (state.took[state.visit] >= self.budget))
        visit = jnp.where(spent, self.visits, state.visit + found).astype(jnp.int32)
        again = found
        graph = state.graph
        hopeful = again & (visit == self.forget)
        weight = jnp.where(hopeful, self.hope, graph.weight)
        shifted = again & (visit == self.elsewhere)
        index = jnp.arange(self.places) == GOAL
        goal = jnp.where(shifted, self._goal(visit), graph.place[GOAL])
        graph = Graph(
            graph.place.at[GOAL].set(goal),
            graph.code.at[GOAL].set(code(goal, state.waves, self.waves)),
            jnp.where(shifted & (index[:, None] | index[None, :]), self.hope, weight),
            graph.alive,
        )
        begin = centre(0, 0, self.rooms)
        fields = (graph, jnp.where(again, begin, state.place), jnp.where(again, START, state.here), visit)
        return eqx.tree_at(lambda s: (s.graph, s.place, s.here, s.visit), state, fields)

    def _walls(self, state: State) -> Maze:
        late = state.visit >= self.change
        return jax.tree.map(lambda a, b: jnp.where(late, b, a), state.maze, state.changed)

    def _index(self, place: Float[Array, "2"]) -> Int[Array, ""]:
        row, column = cell_of(place, self.rooms)
        return row * SIDE + column

    def _parted(self, maze: Maze, a: Float[Array, "2"], b: Float[Array, "2"]) -> Bool[Array, ""]:
        """Whether two places lie in neighbouring cells with a wall between."""
        (row, column), (other_row, other_column) = cell_of(a, self.rooms), cell_of(b, self.rooms)
        low, left = jnp.minimum(row, other_row), jnp.minimum(column, other_column)
        aside = (row == other_row) & (jnp.abs(column - other_column) == 1) & maze.right[row, left]
        above = (column == other_column) & (jnp.abs(row - other_row) == 1) & maze.up[low, column]
        return aside | above

    # -- what is seen -------------------------------------------------------------------------------------------------

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        graph = state.graph
        probe = jax.random.uniform(key, (PROBES, 2))
        answers = jax.vmap(lambda p: activity(graph, code(p, state.waves, self.waves)))(probe)
        way = probe[:, None] - graph.place[None]
        gap = jnp.where(graph.alive, jnp.sqrt(jnp.sum(way**2, -1)), jnp.inf)
        taken = jnp.take_along_axis(gap, jnp.argmax(answers, 1)[:, None], 1)[:, 0]
        return {
            "took": state.took,
            "reached": state.reached,
            "best": state.best,
            "now": state.visit,
            "failed": state.failed,
            "deleted": state.deleted,
            "grown": state.grown,
            "neurons": jnp.sum(graph.alive),
            "confused": state.confused,
            "hops": state.hops,
            "cost": state.cost,
            "from_start": state.from_start,
            "linked": state.linked,
            "mislocated": jnp.mean(taken - jnp.min(gap, 1)) * self.rooms,
            "place": state.place,
            "stopped": state.stopped,
        }


def _length(way: Float[Array, "2"]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.sum(way**2))
