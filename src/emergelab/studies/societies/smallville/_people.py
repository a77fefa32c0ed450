"""The people of the town: what they are, and what they do in a quarter of an hour."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

import emergelab as el
from emergelab.errors import ParameterError
from emergelab.games import memory as mind

from . import _town as town
from ._past import sources

__all__ = ["NEVER", "STAGES", "People", "Town"]

NEVER = -1
STAGES = ("heard", "stored", "retrieved", "planned", "came")
"""How far one can get with an event."""
_RECENT = 100
"""Memories that one reflects upon."""
_LATE = 0.3
"""How much what there is to do may still change on the day of an event."""


class Town(eqx.Module):
    """The state.

    Attributes:
        clock: slot, from 0.
        life: what was settled at the beginning.
        vectors: embeddings of the words.
        minds: everybody's memories; `made`: how many each has made so far.
        lunch: where each eats; `typical`: lunches at the café so far, `lunches`: all lunches.
        ties: talks of each pair so far.
        noticed: whom and where each saw last.
        stirred: importance that has come up since the last reflection.
        goal, until: where one has gone to an event, and up to which slot.
        heard_at, told_by, told_where: slot, person and place of first hearing of each fact.
        reached: who could have heard, had everybody told everything to everyone near.
        stored, retrieved, planned, came: how far each got with each event; `there`: who was at its place.
        silent: who does not speak. `knocked`: who lost a memory by intervention.
        talks, told, stale: talks so far, facts told, and those of them that the listener knew.
        insights: thoughts that came of reflection, by agent.
        walked, spoke: where everybody was in each of the last slots, and with whom each talked; -1 before the beginning
            and for nobody. Slot s is in row s modulo their number.
    """

    clock: Int[Array, ""]
    life: town.Life
    vectors: Float[Array, "word d"]
    minds: mind.Stream
    made: Int[Array, "agent"]
    lunch: Int[Array, "agent"]
    typical: Int[Array, ""]
    lunches: Int[Array, ""]
    ties: Float[Array, "agent other"]
    noticed: Int[Array, "agent"]
    stirred: Float[Array, "agent"]
    goal: Int[Array, "agent"]
    until: Int[Array, "agent"]
    heard_at: Int[Array, "agent fact"]
    told_by: Int[Array, "agent fact"]
    told_where: Int[Array, "agent fact"]
    reached: Bool[Array, "agent fact"]
    stored: Bool[Array, "agent event"]
    retrieved: Bool[Array, "agent event"]
    planned: Bool[Array, "agent event"]
    came: Bool[Array, "agent event"]
    there: Bool[Array, "agent event"]
    silent: Bool[Array, "agent"]
    knocked: Bool[Array, "agent"]
    hub: Int[Array, ""]
    talks: Float[Array, ""]
    told: Float[Array, ""]
    stale: Float[Array, ""]
    insights: Float[Array, "agent"]
    walked: Int[Array, "slot agent"]
    spoke: Int[Array, "slot agent"]


class People(el.System):
    """Parameters of the town, and what its people do; `Smallville` puts it together."""

    agents: int = el.static(25, low=6, high=2000, about="people")
    places: int = el.static(12, low=4, high=50, about="public places; homes come on top, one for two people")
    capacity: int = el.static(160, low=32, high=4096, about="memories that one person can hold")
    width: int = el.static(32, low=4, high=512, about="dimensions of the embedding")
    found: int = el.static(6, low=1, high=30, about="memories that a question calls up")
    recency: str = el.choice("hours", options=("hours", "rank"), static=True, about="what recency decays with")
    oldest_first: int = el.param(0, low=0, high=1, about="rank only: the oldest get the most, as in the released code")
    w_recency: float = el.param(1.0, low=0.0, high=100.0, about="weight of recency")
    w_relevance: float = el.param(1.0, low=0.0, high=100.0, about="weight of relevance")
    w_importance: float = el.param(1.0, low=0.0, high=100.0, about="weight of importance")
    w_chance: float = el.param(0.0, low=0.0, high=100.0, about="weight of chance in retrieval")
    decay: float = el.param(0.995, low=0.5, high=1.0, about="decay of recency by hour, or by rank")
    perceive: int = el.param(1, low=0, high=1, about="whether what is seen and heard is remembered")
    reflect: int = el.param(1, low=0, high=1, about="whether people reflect")
    plan: int = el.param(1, low=0, high=1, about="whether people plan their days")
    talk: float = el.param(0.4, low=0.0, high=1.0, about="chance that close friends talk in a slot that they meet for")
    focus: float = el.param(0.0, low=0.0, high=10.0, about="how much a talk asks for news, against partner and place")
    fidelity: float = el.param(0.9, low=0.0, high=1.0, about="chance that the time of an event is passed on with it")
    threshold: float = el.param(60.0, low=1.0, high=1e6, about="summed importance that sets off reflection")
    wander: float = el.param(0.1, low=0.0, high=1.0, about="share of slots in which one is somewhere else")
    acquainted: float = el.param(0.167, low=0.0, high=1.0, about="share of pairs who know each other from before")
    clutter: int = el.param(0, low=0, high=2000, about="memories of places that people bring along")
    silence: str = el.choice("nobody", options=("nobody", "hub", "leaf", "host"), about="who does not speak")
    knockout: int = el.param(0, low=0, high=2000, about="people whose memory of the party is deleted")
    knockout_at: int = el.param(town.SLOTS + 20, low=0, high=10**6, about="slot at which it is", unit="15 min")
    planted_at: int = el.param(10**6, low=0, high=10**6, about="slot at which the hub is given a false party",
                               unit="15 min")  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.recency == "hours" and not isinstance(self.oldest_first, jax.Array) and self.oldest_first:
            raise ParameterError(
                "Smallville: oldest_first=1 needs recency='rank'; by the hour the oldest cannot come first"
            )
        if self.capacity < self.agents + 32:
            raise ParameterError(
                f"Smallville: capacity must be at least agents + 32 ({self.agents + 32}), so that everybody's friends "
                f"fit, got {self.capacity}"
            )

    @property
    def _words(self) -> town.Words:
        return town.words_of(self.agents, self.places)

    def _whereabouts(self, state: Town, hour: Int[Array, ""]) -> Int[Array, "agent"]:
        eating = (hour >= town.LUNCH) & (hour < town.AFTER_LUNCH)
        due = jnp.where(eating, state.lunch, state.life.route[state.clock])
        place: Int[Array, "agent"] = el.site("place", jnp.where(state.clock < state.until, state.goal, due))
        return place

    def _cue(
        self, state: Town, words: town.Words, planning: Array, hungry: Array, deciding: Array,
        other: Int[Array, "agent"], place: Int[Array, "agent"], hour: Int[Array, ""],
    ) -> Float[Array, "agent d"]:  # fmt: skip
        """What everybody asks its memory: what is new today, where one eats, what to do here and now, or the talk's."""
        here = words.places + place
        first = jnp.where(planning, words.news, jnp.where(hungry, words.hours + town.NOON, other))
        first = jnp.where(deciding, words.hours + town.part_of_day(hour), first)
        second = jnp.where(planning | hungry, mind.NONE, here)
        asked = jax.vmap(lambda a, b: mind.cue_of(state.vectors, a, b))(first, second)
        alone = planning | hungry | deciding
        asked = asked + jnp.where(alone, 0.0, self.focus) * state.vectors[words.news]
        return asked / jnp.maximum(jnp.linalg.norm(asked, axis=1, keepdims=True), 1e-6)

    def rule(self) -> mind.Rule:
        """How memories are scored here."""
        weights = jnp.stack(
            [jnp.asarray(w, jnp.float32) for w in (self.w_recency, self.w_relevance, self.w_importance)]
        )
        return mind.Rule(
            weights, jnp.asarray(self.decay), jnp.asarray(self.w_chance), jnp.asarray(self.oldest_first), town.HOURS
        )

    def _call_up(
        self, state: Town, cue: Float[Array, "agent d"], lot: Float[Array, "agent"], yes: Bool[Array, "agent"]
    ) -> tuple[Int[Array, "agent k"], Float[Array, "agent k"], mind.Stream]:
        rule, t, n = self.rule(), state.clock, self.agents

        def one(own: mind.Stream, cue: Array, lot: Array) -> tuple[Array, Array]:
            three = mind.parts(own, state.vectors, cue, t, rule, self.recency == "rank")
            return mind.best(mind.scores(own, three, lot, rule), self.found)

        nothing = jnp.zeros((n, self.found), jnp.int32), jnp.full((n, self.found), -jnp.inf)
        index, score = el.when(jnp.any(yes), jax.vmap(one), (state.minds, cue, lot), nothing)
        minds = jax.vmap(mind.called_up, (0, 0, 0, None, 0))(state.minds, index, score, t, yes)
        return index, score, minds

    def _eat(
        self, state: Town, found: mind.Stream, score: Float[Array, "agent k"], hour: Int[Array, ""],
        hungry: Bool[Array, ""], place: Int[Array, "agent"],
    ) -> Town:  # fmt: skip
        """Lunch is where most of what comes to mind took place, weighed by score; at the café if nothing does."""
        where = found.where - self._words.places
        public = jnp.isfinite(score) & (where >= 0) & (where < self.places)
        votes = jnp.sum(
            jnp.where(public, jnp.maximum(score, 0.0), 0.0)[..., None] * (where[..., None] == jnp.arange(self.places)),
            axis=1,
        )
        lunch = jnp.where(hungry, jnp.argmax(votes, axis=1).astype(jnp.int32), state.lunch)
        eats = hour == town.LUNCH
        typical = state.typical + jnp.where(eats, jnp.sum(place == town.CAFE), 0)
        return eqx.tree_at(
            lambda s: (s.lunch, s.typical, s.lunches), state,
            (lunch, typical, state.lunches + jnp.where(eats, self.agents, 0)),
        )  # fmt: skip

    def _say(
        self, state: Town, found: mind.Stream, score: Float[Array, "agent k"], talking: Bool[Array, "agent"],
        other: Int[Array, "agent"], u: Float[Array, "8 agent"],
    ) -> tuple[Bool[Array, "agent"], mind.Stream]:  # fmt: skip
        """Who is told something, and what: each says one of the things that come to mind, in proportion to score."""
        chances = jnp.where(jnp.isfinite(score), jnp.maximum(score, 1e-6), 0.0)
        upto = jnp.cumsum(chances, axis=1)
        pick = jnp.sum(u[3][:, None] * upto[:, -1:] >= upto, axis=1)
        pick = jnp.minimum(pick, self.found - 1)
        said = jax.tree.map(lambda x: x[jnp.arange(self.agents), pick], found)
        speaks = el.site("speaks", talking & ~state.silent & (upto[:, -1] > 0))
        return talking & speaks[other], jax.tree.map(lambda x: x[other], said)

    def _decide(
        self, state: Town, words: town.Words, found: mind.Stream, told: Bool[Array, "agent"], fact: Int[Array, "agent"],
        planning: Bool[Array, ""], deciding: Bool[Array, ""], day: Int[Array, ""], t: Int[Array, ""],
        late: Float[Array, "agent"], lot: Float[Array, "agent"],
    ) -> Town:  # fmt: skip
        """Plan to go to what comes to mind with its time, or go there at once; go to what was planned."""
        event, start = jnp.array(town.EVENTS), jnp.array([town.START[f] for f in town.EVENTS])
        comes = found.what[..., None] == words.facts + event
        got, timed = jnp.any(comes, axis=1), jnp.any(comes & found.exact[..., None], axis=1)
        today = (start // town.SLOTS == day) & (t < start)
        now = t == start - 1

        host = jnp.where(event == town.FALSE, town.PARTY, event)
        tie = state.ties[:, host]
        worth = 0.05 * jnp.array(town.IMPORTANCE)[event] + 0.5 * tie / (tie + 2.0)
        own = sources(self.agents)[:, event]
        free = (worth > state.life.busy) | own

        # Who plans does so in the morning, and on hearing of something on its own day.
        hears = (self.plan > 0) & told[:, None] & (fact[:, None] == event) & today
        thinks = (planning & today) | (deciding & now)
        retrieved = state.retrieved | (thinks & got) | hears
        planned = state.planned | (planning & today & timed & free) | (hears & free)
        nobody = jnp.zeros((self.agents, len(town.FACTS)), bool)
        stored = state.stored | (
            now & el.when(jnp.any(now), lambda m: self._aware(m, words), (state.minds,), nobody)[:, event]
        )
        willing = jnp.where(self.plan > 0, planned, timed & free)
        still = (worth > state.life.busy + _LATE * (late[:, None] - 0.5)) | own
        goes = el.site("goes", now & willing & still & (t >= state.until)[:, None])
        # Nobody can be in two places: equally good events are decided by lot.
        liking = jnp.where(goes, worth + 1e-3 * jnp.where(event == town.FALSE, lot[:, None], 0.5), -1.0)
        chosen = goes & (jnp.argmax(liking, axis=1)[:, None] == jnp.arange(len(event)))
        any_ = jnp.any(chosen, axis=1)
        which = jnp.argmax(chosen, axis=1)
        venue = jnp.array([town.VENUE[f] for f in town.EVENTS])
        return eqx.tree_at(
            lambda s: (s.retrieved, s.planned, s.stored, s.came, s.goal, s.until), state,
            (
                retrieved, planned, stored, state.came | chosen, jnp.where(any_, venue[which], state.goal),
                jnp.where(any_, t + 1 + town.LASTS, state.until),
            ),
        )  # fmt: skip

    def _note(
        self, state: Town, words: town.Words, hour: Int[Array, ""], t: Int[Array, ""]
    ) -> tuple[mind.Stream, Bool[Array, "agent"]]:
        """What one writes into one's own memory: the day's plan, piece by piece, and facts as they come about."""
        me = jnp.arange(self.agents)
        piece = jnp.clip(hour - town.PLANNING - 1, 0, 5)
        part = jnp.array([town.MORNING, town.AFTERNOON, town.NIGHT])[jnp.minimum(piece, 2)]
        due = (t // town.SLOTS) * town.SLOTS + jnp.array([40, 60, 74])[jnp.minimum(piece, 2)]
        fact = jnp.array(town.EVENTS)[jnp.clip(piece - 3, 0, 2)]
        planner = (self.plan > 0) & (hour > town.PLANNING) & (hour <= town.PLANNING + 6)
        visit = planner & (piece >= 3)
        wanted = planner & jnp.where(piece < 3, True, state.planned[:, jnp.clip(piece - 3, 0, 2)])

        late = (me == town.LATE) & (t == town.SEEDED[town.LATE])
        planted = (me == state.hub) & (t == self.planted_at)
        fact = jnp.where(late, town.LATE, jnp.where(planted, town.FALSE, fact))
        comes = late | planted
        is_fact = comes | visit
        what = jnp.where(is_fact, words.facts + fact, words.hours + part)
        where = jnp.where(is_fact, jnp.array(town.VENUE)[fact], state.life.route[due])
        weight = jnp.where(is_fact, jnp.array(town.IMPORTANCE)[fact], 3.0)
        kind = jnp.where(comes, mind.EVENT, mind.PLAN)
        who = jnp.where(planted, town.PARTY, me)
        return mind.node(kind, who, what, words.places + where, t, weight), comes | wanted

    def _reflect(
        self, state: Town, minds: mind.Stream, words: town.Words, t: Int[Array, ""]
    ) -> tuple[tuple[mind.Stream, mind.Stream], tuple[Bool[Array, "agent"], Bool[Array, "agent"]]]:
        """When enough has come up: a thought about the person, and one about the matter, that weigh most of late."""
        n = self.agents
        due = (self.reflect > 0) & (state.stirred > self.threshold) & (t % 4 == 0)

        def one(own: mind.Stream, made: Array, me: Array) -> tuple[mind.Stream, mind.Stream, Array]:
            recent = mind.present(own) & (own.serial >= made - _RECENT)
            weight = jnp.where(recent, own.importance, 0.0)
            by_person = jnp.zeros(n + 1).at[jnp.where(own.who == mind.NONE, n, own.who)].add(weight)
            by_person = by_person[:n].at[me].set(0.0)
            person = jnp.argmax(by_person)
            facts = words.facts + jnp.arange(len(town.FACTS))
            by_fact = jnp.sum(jnp.where(own.what[:, None] == facts, weight[:, None], 0.0), axis=0)
            matter = facts[jnp.argmax(by_fact)]

            about = mind.insight(own, recent & (own.who == person))
            friend = mind.node(
                mind.THOUGHT, person, words.friend, about.where, t, jnp.minimum(10.0, about.importance + 2.0),
                evidence=about.evidence,
            )  # fmt: skip
            of = mind.insight(own, recent & (own.what == matter))
            issue = mind.node(
                mind.THOUGHT, of.who, matter, of.where, t, jnp.minimum(10.0, of.importance + 1.0), exact=of.exact,
                evidence=of.evidence,
            )  # fmt: skip
            return friend, issue, jnp.any(by_fact > 0)

        blank = mind.node(mind.THOUGHT, jnp.zeros(n, jnp.int32), 0, 0, 0, 0.0)
        friend, issue, any_ = el.when(
            jnp.any(due), jax.vmap(one), (minds, state.made, jnp.arange(n)), (blank, blank, jnp.zeros(n, bool))
        )
        return (friend, issue), (due, due & any_)

    def _knock_out(
        self, state: Town, minds: mind.Stream, words: town.Words, t: Int[Array, ""]
    ) -> tuple[mind.Stream, Bool[Array, "agent"], Bool[Array, "agent event"]]:
        """Delete the party from the memory of some who know of it, but not of its host."""
        now = t == self.knockout_at
        nobody = jnp.zeros((self.agents, len(town.FACTS)), bool)
        knows = el.when(now, lambda m: self._aware(m, words), (minds,), nobody)[:, town.PARTY]
        knows = knows & (jnp.arange(self.agents) != town.PARTY)
        order = jnp.argsort(jnp.argsort(jnp.where(knows, state.life.lot, 2.0)))
        hit = knows & (order < self.knockout) & now
        gone = hit[:, None] & (minds.what == words.facts + town.PARTY)
        plans = state.planned & ~(hit[:, None] & (jnp.array(town.EVENTS) == town.PARTY))
        return mind.forgotten(minds, gone), state.knocked | hit, plans

    def _book(
        self, state: Town, place: Int[Array, "agent"], other: Int[Array, "agent"], talking: Bool[Array, "agent"],
        is_news: Bool[Array, "agent"], fact: Int[Array, "agent"], t: Int[Array, ""],
    ) -> Town:  # fmt: skip
        """Count talks, and write down who first heard what, when, where and from whom."""
        facts = jnp.arange(len(town.FACTS))
        told = is_news[:, None] & (fact[:, None] == facts)
        first = told & (state.heard_at == NEVER)
        late = sources(self.agents) & (jnp.array(town.SEEDED) == t) & (t > 0)
        planted = (jnp.arange(self.agents) == state.hub)[:, None] & (facts == town.FALSE) & (t == self.planted_at)
        start, venue = (jnp.array([which[f] for f in town.EVENTS]) for which in (town.START, town.VENUE))
        there = state.there | ((t == start + 1) & (place[:, None] == venue))
        ties = state.ties.at[jnp.arange(self.agents), other].add(talking.astype(jnp.float32))
        row = t % town.REMEMBERED
        return eqx.tree_at(
            lambda s: (
                s.walked, s.spoke, s.heard_at, s.told_by, s.told_where, s.there, s.ties, s.talks, s.told, s.stale
            ),
            state,
            (
                state.walked.at[row].set(place), state.spoke.at[row].set(jnp.where(talking, other, NEVER)),
                jnp.where(first | ((late | planted) & (state.heard_at == NEVER)), t, state.heard_at),
                jnp.where(first, other[:, None], state.told_by), jnp.where(first, place[:, None], state.told_where),
                there, el.site("ties", ties), state.talks + jnp.sum(talking),
                state.told + jnp.sum(told), state.stale + jnp.sum(told & ~first),
            ),
        )  # fmt: skip

    def _aware(self, minds: mind.Stream, words: town.Words) -> Bool[Array, "agent fact"]:
        """Who has a memory of which fact."""
        facts = words.facts + jnp.arange(len(town.FACTS))
        return jnp.any(mind.present(minds)[..., None] & (minds.what[..., None] == facts), axis=1)
