"""A search for controllers: one step is 36 episodes, spent on novelty or on reward."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import emergelab as el

from . import _descriptor as learnt
from . import _emitters as emitters
from ._archive import Solutions, drawn, empty, grid, novelty, put, ring
from ._state import ArchiveState, Clock, Plan, Tally, counted, either
from ._world import AREAS, FINE, FREE, PROBES, SIDE, Episodes, Setting, cells, picture, play, weights

__all__ = ["BATCH", "GENERATIONS", "PARENTS", "SEARCHES", "SkillsArchive"]

# `novelty`: the most novel are bred. `elites`: MAP-Elites. `reward`: CMA-ES. `random`: genomes drawn anew each time.
SEARCHES = ("novelty", "elites", "reward", "random")
_NOVELTY, _ELITES, _REWARD, _RANDOM = range(4)
# `place`: x and y of the end. `code`: an autoencoder's code of a picture of it. `picture`: the picture.
SEEN = ("place", "code", "picture")
PARENTS = 18
GENERATIONS = 6  # of an emitter, in a step
BATCH = GENERATIONS * emitters.TEAM  # episodes of a step: two children of each parent
_CELLS = (FINE * SIDE) ** 2


class SkillsArchive(el.System):
    """Search by novelty in a given or a learnt space, with or without emitters, and what it is measured against."""

    search: str = el.choice("novelty", options=SEARCHES, about="who is bred: novel ones, elites, for reward, nobody")
    sees: str = el.choice("place", options=SEEN, about="what novelty is measured on", static=True)
    emitting: int = el.param(0, low=0, high=1, about="1: rewards that are found are climbed by emitters")
    kind: str = el.choice("elitist", options=emitters.KINDS, about="what an emitter is")
    train: int = el.param(1, low=0, high=1, about="0: the autoencoder stays as it was drawn")
    surprise: float = el.param(0.0, low=0.0, high=1.0, about="chance of a step to breed the badly reconstructed")
    mutation: float = el.param(0.05, low=0.0, about="standard deviation of a mutation, of each weight")
    bound: float = el.param(5.0, low=0.0, about="largest weight")
    wide: float = el.param(3.0, low=1e-6, about="distance to the nearest genome over the width of a new emitter")
    lone: float = el.param(0.05, low=1e-6, about="step size at which CMA-ES alone begins")
    chunk: int = el.param(12, low=1, unit="step", about="steps of exploring, then as many of emitters")
    patience: int = el.param(6, low=1, unit="step", about="steps without a better reward after which an emitter stops")
    added: int = el.param(5, low=0, high=BATCH, about="episodes of a step of exploring that are archived, at random")
    radius: float = el.param(0.8, low=1e-3, unit="cell", about="of the areas that pay")
    stay: int = el.param(15, low=1, unit="step", about="last steps of an episode, the mean of which is paid")
    speed: float = el.param(0.4, low=0.0, high=1.0, unit="cell", about="how far an action of 1 moves")
    blur: float = el.param(1.0, low=1e-3, unit="cell", about="size of the body's spot in a picture")
    rate: float = el.param(1e-3, low=0.0, high=1.0, about="learning rate of the autoencoder")
    near: int = el.static(15, low=1, about="neighbours to which novelty is measured")
    code: int = el.static(10, low=1, about="numbers of a learnt description")
    width: int = el.static(32, low=1, about="hidden units of encoder and decoder")
    updates: int = el.static(100, low=0, about="gradient steps of a training")
    batch: int = el.static(64, low=1, about="pictures of a gradient step")
    pixels: int = el.static(8, low=2, about="of a side of a picture")
    hidden: int = el.static(5, low=1, about="units of each of the controller's two hidden layers")
    length: int = el.static(60, low=1, unit="step", about="of an episode")
    room: int = el.static(1000, low=BATCH, about="solutions that the archive holds")
    purse: int = el.static(200, low=BATCH, about="solutions that the archive of rewards holds")
    queue: int = el.static(36, low=BATCH, about="candidates that wait")
    pool: int = el.static(8, low=1, about="emitters that may go on")

    observables = (
        el.Observable("areas", unit="1", low=0, high=len(AREAS), about="areas that pay in which an episode ended"),
        el.Observable("reached", unit="1", low=0, high=1, about="best reward, mean over all areas; 0 if not found"),
        el.Observable("best", unit="1", low=0, high=1, dims=("area",), about="best reward of each area"),
        el.Observable("height", unit="1", low=0, high=1, nan_ok=True, about="best reward, mean over areas found"),
        el.Observable("explored", unit="1", low=0, high=1, about="share of free cells of side 1/2 where any one ended"),
        el.Observable("coverage", unit="1", low=0, high=1, about="share of them where one ends that was kept"),
        el.Observable("archived", unit="1", low=0, about="solutions kept for novelty; of MAP-Elites: elites"),
        el.Observable("treasured", unit="1", low=0, about="solutions kept for reward"),
        el.Observable("novel", low=0, about="mean novelty of the parents, in units of the description"),
        el.Observable("ordered", unit="1", low=-1, high=1, about="rank correlation of described and true distances"),
        el.Observable("error", low=0, nan_ok=True, about="mean square of what reconstructions lack, all free cells"),
        el.Observable("tested", unit="1", low=0, about="candidates tried out"),
        el.Observable("kept", unit="1", low=0, about="candidates that improved and became emitters"),
        el.Observable("climb", unit="1", low=0, high=1, nan_ok=True, about="reward that an emitter has added, mean"),
        el.Observable("exploiting", unit="1", low=0, high=1, about="share of episodes played by emitters"),
        el.Observable("episodes", unit="1", low=0, about="episodes played in all"),
        el.Observable("ends", unit="1", low=0, dims=("row", "column"), about="episodes that ended in each cell"),
        el.Observable(
            "ways", unit="cell", dims=("area", "moment", "axis"), nan_ok=True, about="way of the best into each area"
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.room < _CELLS:
            raise el.UserError(
                f"SkillsArchive: parameter 'room' must be at least {_CELLS}, the cells of MAP-Elites, got {self.room}"
            )

    # -- the beginning ------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> ArchiveState:
        of_genomes, of_net = jax.random.split(key)
        numbers, dims = weights(self.hidden), self._dims()
        genome = jnp.clip(jax.random.normal(of_genomes, (PARENTS, numbers)), -self.bound, self.bound)
        place, each, _ = self.played(genome)
        descriptor = None
        if self.sees == "code":
            descriptor = learnt.new(of_net, self.pixels**2, self.width, self.code)
        pool, candidates = emitters.nobody(self.pool, self.queue, numbers, dims)
        parents = Solutions(genome, place, self.described(descriptor, place), jnp.max(each, -1))
        archive = empty(self.room, numbers, dims)
        row = grid(archive, parents, cells(place))
        archive = put(archive, parents, jnp.where(jnp.asarray(self.search) == _ELITES, row, self.room))
        # CMA-ES alone is an emitter in slot 0 that begins in the middle.
        lone = emitters.begin(jnp.zeros(numbers), self.lone, jnp.zeros(2), jnp.zeros(dims), 0.0)
        pool = emitters.seat(pool, lone, jnp.asarray(self.search) == _REWARD)
        zero = jnp.int32(0)
        tally = Tally(
            jnp.zeros(_CELLS, jnp.int32), jnp.zeros(len(AREAS)), jnp.zeros((len(AREAS), numbers)), zero, zero, zero,
            jnp.float32(0), jnp.float32(0),
        )  # fmt: skip
        return ArchiveState(
            parents=parents, archive=archive, paid=empty(self.purse, numbers, dims), candidates=candidates, pool=pool,
            descriptor=descriptor, clock=Clock(zero, jnp.int32(-1), zero, jnp.int32(1)),
            tally=counted(tally, genome, place, each), time=zero,
        )  # fmt: skip

    def _dims(self) -> int:
        return {"place": 2, "code": self.code, "picture": self.pixels**2}[self.sees]

    def played(self, genomes: Float[Array, "body number"]) -> Episodes:
        """An episode of each genome."""
        return play(genomes, Setting(self.speed, self.radius, self.stay), self.hidden, self.length)

    def described(
        self, descriptor: learnt.Descriptor | None, place: Float[Array, "body 2"]
    ) -> Float[Array, "body code"]:
        """How ends are described: by place, or by a picture, encoded or as it is."""
        if self.sees == "place":
            return el.site("code", place)
        shown = el.site("picture", picture(place, self.pixels, self.blur))
        return el.site("code", shown if descriptor is None else descriptor.net.encode(shown))

    # -- a step -------------------------------------------------------------------------------------------------------

    def step(self, state: ArchiveState, key: PRNGKeyArray) -> ArchiveState:
        """36 episodes, what is kept of them, and a training of the descriptor when it is due."""
        # Few draws of many numbers: each takes as long to compile as a good deal of what follows.
        of_noise, of_lots, of_training = jax.random.split(key, 3)
        noise = jax.random.normal(of_noise, (BATCH, weights(self.hidden)))
        lots = jax.random.uniform(of_lots, (2 * BATCH + self.pool + 1,))
        of_parents, of_archive, of_emitters, of_score = jnp.split(lots, [BATCH, 2 * BATCH, 2 * BATCH + self.pool])
        plan = self._plan(state, of_emitters)
        emitter, values, tried, (place, each) = self._tried(state, plan, self._bred(state, noise, of_parents), noise)
        new = Solutions(tried, place, self.described(state.descriptor, place), el.site("reward", jnp.max(each, -1)))
        both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), state.parents, new)
        novel = el.site("novelty", self._novelty(state, both))
        state = self._kept(state, plan, new, novel[PARENTS:], emitter.best, emitter.novel, of_archive)
        state = self._emitted(state, plan, new, novel[PARENTS:], emitter, values)
        state = self._selected(state, plan, both, novel, of_score[0])
        tally = counted(state.tally, tried, place, each)
        tally = tally._replace(episodes=tally.episodes + BATCH * plan.exploit)
        state = eqx.tree_at(lambda s: (s.tally, s.time), state, (tally, state.time + 1))
        return self._trained(state, of_training)

    def _plan(self, state: ArchiveState, lots: Float[Array, "slot"]) -> Plan:
        """Whose turn it is. Candidates are tried out in the first two thirds of the emitters' chunk, novel ones first;
        then an emitter runs that no other beats both in novelty and in improvement.
        """
        waiting, live, turn = state.candidates.store, state.pool.live, state.clock.turn
        rich = state.paid.rows.code, state.paid.full
        strange = novelty(waiting.rows.code, *rich, self.near)
        candidate = jnp.argmax(jnp.where(waiting.full, strange, -1.0))
        first = emitters.is_first(
            novelty(state.pool.emitters.code, *rich, self.near), state.pool.emitters.improvement, live
        )
        slot = jnp.where(state.clock.running >= 0, state.clock.running, emitters.choose(first, lots))
        alone = jnp.asarray(self.search) == _REWARD
        theirs = (self.emitting == 1) & (turn >= self.chunk) & ~alone
        test = theirs & jnp.any(waiting.full) & (3 * (turn - self.chunk) < 2 * self.chunk)
        run = theirs & jnp.any(live) & ~test
        return Plan(alone | test | run, test, candidate, jnp.where(alone, 0, slot))

    def _bred(
        self, state: ArchiveState, noise: Float[Array, "child number"], lots: Float[Array, "child"]
    ) -> Float[Array, "child number"]:
        """Genomes to explore with."""
        of_elites = state.archive.rows.genome[drawn(state.archive.full, lots)]
        of_novel = jnp.repeat(state.parents.genome, BATCH // PARENTS, axis=0)
        search = jnp.asarray(self.search)
        parent = jnp.where(search == _ELITES, of_elites, of_novel)
        child = jnp.where(search == _RANDOM, noise, parent + self.mutation * noise)
        return el.site("child", jnp.clip(child, -self.bound, self.bound))

    def _tried(
        self, state: ArchiveState, plan: Plan, bred: Float[Array, "child number"], noise: Array
    ) -> tuple[emitters.Emitter, Float[Array, "generation"], Float[Array, "child number"], tuple[Array, Array]]:
        """The episodes: six generations of an emitter, or those bred, which are as many."""
        kind = jnp.where(jnp.asarray(self.search) == _REWARD, 1, jnp.asarray(self.kind))
        one = jax.tree.map(lambda x: x[plan.candidate], state.candidates.store.rows)
        width = jnp.maximum(state.candidates.width[plan.candidate], 1e-6)  # that of an empty row is 0
        fresh = emitters.begin(one.genome, width, one.place, one.code, one.reward)
        old = jax.tree.map(lambda x: x[plan.slot], state.pool.emitters)

        def generation(emitter: emitters.Emitter, x: tuple[Array, Array]) -> tuple[emitters.Emitter, tuple]:
            children, noise = x
            asked = jnp.clip(emitters.ask(emitter, kind, noise), -self.bound, self.bound)
            genomes = jnp.where(plan.exploit, asked, children)
            place, each, _ = self.played(genomes)
            emitter, value = emitters.tell(emitter, kind, genomes, jnp.max(each, -1))
            return emitter, (value, genomes, place, each)

        rows = tuple(x.reshape(GENERATIONS, emitters.TEAM, -1) for x in (bred, noise))
        before = either(plan.test, fresh, old)
        with el.scope("play"):
            emitter, (values, *found) = el.site_scan(generation, before, rows)
        tried, place, each = (x.reshape(BATCH, -1) for x in found)
        return emitter, values, tried, (place, each)

    def _novelty(self, state: ArchiveState, both: Solutions) -> Float[Array, "solution"]:
        """Against parents, children and archive, and against paid solutions if there are emitters."""
        known = jnp.concatenate([both.code, state.archive.rows.code, state.paid.rows.code])
        full = jnp.concatenate(
            [jnp.ones(len(both.reward), bool), state.archive.full, state.paid.full & (self.emitting == 1)]
        )
        return novelty(both.code, known, full, self.near)

    def _kept(
        self,
        state: ArchiveState,
        plan: Plan,
        new: Solutions,
        novel: Float[Array, "child"],
        best: Float[Array, ""],
        record: Float[Array, ""],
        lots: Float[Array, "child"],
    ) -> ArchiveState:
        """Archives and candidates. `best` and `record`: an emitter's largest reward and novelty before this step."""
        alone, elites = jnp.asarray(self.search) == _REWARD, jnp.asarray(self.search) == _ELITES
        exploring = ~plan.exploit | alone
        at_random = exploring & (jnp.sum(lots < lots[:, None], -1) < self.added)
        most_novel = ~exploring & (jnp.arange(BATCH) == jnp.argmax(novel)) & (novel > record)
        row = jnp.where(elites, grid(state.archive, new, cells(new.place)), ring(state.archive, at_random | most_novel))
        worth = (new.reward > 0) & (exploring | (new.reward > best))
        # How far each child is from the nearest other genome tells how wide its emitter is to draw.
        genomes = jnp.concatenate([new.genome, state.parents.genome])
        apart = jnp.sqrt(jnp.sum((new.genome[:, None] - genomes) ** 2, -1))
        apart = jnp.min(jnp.where(jnp.eye(BATCH, BATCH + PARENTS, dtype=bool), jnp.inf, apart), -1)
        width = jnp.where(apart > 0, apart / self.wide, self.mutation)
        found = worth & ~plan.exploit & (self.emitting == 1)
        return eqx.tree_at(
            lambda s: (s.archive, s.paid, s.candidates),
            state,
            (
                put(state.archive, new, row),
                put(state.paid, new, ring(state.paid, worth)),
                emitters.propose(state.candidates, new, found, width),
            ),
        )

    def _emitted(
        self,
        state: ArchiveState,
        plan: Plan,
        new: Solutions,
        novel: Float[Array, "child"],
        emitter: emitters.Emitter,
        values: Float[Array, "generation"],
    ) -> ArchiveState:
        """Emitters after their generations: candidates are kept or dropped, emitters go on or stop."""
        alone = jnp.asarray(self.search) == _REWARD
        after = emitters.told(emitter, plan.test, values, new.reward)
        after = after._replace(novel=jnp.maximum(emitter.novel, jnp.max(novel)))
        promising = plan.test & (after.improvement > 0)
        stop = plan.exploit & ~plan.test & (after.idle >= self.patience)
        # CMA-ES alone starts anew at the best that it has found.
        champion = jnp.argmax(state.tally.best)
        anew = emitters.begin(
            state.tally.champion[champion], self.lone, after.place, after.code, state.tally.best[champion]
        )
        running = jnp.where(plan.exploit & ~plan.test, plan.slot, len(state.pool.live))
        put_back = either(alone & stop, anew, after)
        pool = emitters.seated(state.pool, put_back, running)
        pool = pool._replace(live=pool.live & ~(stop & ~alone & (jnp.arange(len(pool.live)) == running)))
        pool = emitters.seat(pool, after, promising)
        waiting = state.candidates.store
        done = plan.test & (jnp.arange(len(waiting.full)) == plan.candidate)
        waiting = waiting._replace(full=waiting.full & ~done)
        gained = jnp.where(promising, after.best - emitter.begun, 0.0)
        gained += jnp.where(plan.exploit & ~plan.test & ~alone, after.best - emitter.best, 0.0)
        tally = state.tally._replace(
            tested=state.tally.tested + plan.test, kept=state.tally.kept + promising, gained=state.tally.gained + gained
        )
        # An emitters' chunk in which there is nothing to do is one of exploring.
        begun = jnp.where(plan.exploit | (state.clock.turn < self.chunk), state.clock.turn, 0) + 1
        clock = state.clock._replace(
            turn=jnp.where(begun >= 2 * self.chunk, 0, begun),
            running=jnp.where(plan.exploit & ~plan.test & ~stop & (begun < 2 * self.chunk), plan.slot, -1),
        )
        return eqx.tree_at(
            lambda s: (s.pool, s.candidates, s.tally, s.clock),
            state,
            (pool, state.candidates._replace(store=waiting), tally, clock),
        )

    def _selected(
        self, state: ArchiveState, plan: Plan, both: Solutions, novel: Float[Array, "solution"], lot: Array
    ) -> ArchiveState:
        """The next parents: those most novel, or most badly reconstructed."""
        score = novel
        if state.descriptor is not None:
            odd = learnt.surprise(state.descriptor.net, picture(both.place, self.pixels, self.blur))
            score = jnp.where(lot < self.surprise, odd, novel)
        best = jax.lax.top_k(el.site("score", score), PARENTS)[1]
        parents = either(plan.exploit, state.parents, jax.tree.map(lambda x: x[best], both))
        tally = state.tally._replace(novel=jnp.where(plan.exploit, state.tally.novel, jnp.mean(novel[best])))
        return eqx.tree_at(lambda s: (s.parents, s.tally), state, (parents, tally))

    # -- the descriptor -----------------------------------------------------------------------------------------------

    def _trained(self, state: ArchiveState, key: PRNGKeyArray) -> ArchiveState:
        """A training when it is due, after which everything that is kept is described anew."""
        if state.descriptor is None:
            return state
        due = (state.clock.since + 1 >= state.clock.pause * self.chunk) & (self.train == 1)
        clock = state.clock._replace(
            since=jnp.where(due, 0, state.clock.since + 1), pause=state.clock.pause + due.astype(jnp.int32)
        )

        kept = (
            state.parents, state.archive.rows, state.paid.rows, state.candidates.store.rows, state.pool.emitters
        )  # fmt: skip
        place, code = (jnp.concatenate([getattr(x, name) for x in kept]) for name in ("place", "code"))
        full = jnp.concatenate([jnp.ones(PARENTS, bool), state.archive.full, state.paid.full])

        def work(descriptor: learnt.Descriptor, place: Array, full: Array, key: PRNGKeyArray) -> tuple:
            shown = picture(place, self.pixels, self.blur)
            with el.scope("train"):
                descriptor = learnt.trained(
                    descriptor, shown[: len(full)], full, key, self.rate, self.updates, self.batch
                )
            return descriptor, descriptor.net.encode(shown)

        descriptor, code = el.when(due, work, (state.descriptor, place, full, key), (state.descriptor, code))
        bounds = np.cumsum([len(x.place) for x in kept])[:-1]
        state = eqx.tree_at(
            lambda s: (
                s.parents.code, s.archive.rows.code, s.paid.rows.code, s.candidates.store.rows.code,
                s.pool.emitters.code,
            ),
            state,
            tuple(jnp.split(code, bounds)),
        )  # fmt: skip
        # Novelties in the units of the old description mean nothing in the new one.
        novel = jnp.where(due, 0.0, state.pool.emitters.novel)
        return eqx.tree_at(lambda s: (s.descriptor, s.clock, s.pool.emitters.novel), state, (descriptor, clock, novel))

    # -- what is shown ------------------------------------------------------------------------------------------------

    def observe(self, state: ArchiveState, key: PRNGKeyArray) -> dict[str, Array]:
        tally, free = state.tally, jnp.asarray(FREE.ravel())
        found = tally.best > 0
        kept = jnp.zeros(_CELLS, bool)
        for store in (state.archive, state.paid):
            here = cells(store.rows.place)[:, None] == jnp.arange(_CELLS)
            kept |= jnp.any(here & store.full[:, None], 0)
        probes = jnp.asarray(PROBES)
        # Places order themselves.
        order = jnp.float32(1.0)
        if self.sees != "place":
            order = learnt.ordered(self.described(state.descriptor, probes), PROBES)
        error = jnp.float32(jnp.nan)
        if state.descriptor is not None:
            error = jnp.mean(learnt.surprise(state.descriptor.net, picture(probes, self.pixels, self.blur)))
        with el.scope("best"):
            ways = self.played(tally.champion).way
        # Areas that were not found have no way.
        ways = jnp.where(found[:, None, None], jnp.moveaxis(ways, 0, 1), jnp.nan)
        episodes = PARENTS + BATCH * state.time
        return {
            "areas": jnp.sum(found).astype(jnp.float32),
            "reached": jnp.mean(tally.best),
            "best": tally.best,
            "height": jnp.sum(tally.best) / jnp.sum(found),
            "explored": jnp.sum((tally.ends > 0) & free) / jnp.sum(free),
            "coverage": jnp.sum(kept & free) / jnp.sum(free),
            "archived": jnp.sum(state.archive.full).astype(jnp.float32),
            "treasured": jnp.sum(state.paid.full).astype(jnp.float32),
            "novel": tally.novel,
            "ordered": order,
            "error": error,
            "tested": tally.tested.astype(jnp.float32),
            "kept": tally.kept.astype(jnp.float32),
            "climb": tally.gained / tally.kept,
            "exploiting": tally.episodes / episodes,
            "episodes": episodes.astype(jnp.float32),
            "ends": tally.ends.reshape(FINE * SIDE, FINE * SIDE).astype(jnp.float32),
            "ways": ways,
        }
