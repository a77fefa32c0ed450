"""The town as a system: one step is a quarter of an hour."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

import emergelab as el
from emergelab.games import memory as mind

from . import _seen
from . import _town as town
from ._interview import QUESTIONS, about_facts, cues, interview, people_of, share
from ._past import everyday, past, sources
from ._people import NEVER, People, Town

__all__ = ["Smallville"]


class Smallville(People):
    """A town of people who see, remember, plan, talk and reflect."""

    observables = (
        el.Observable("aware", ("fact",), "1", "share of people with a memory of the fact", 0, 1),
        el.Observable("bound", ("fact",), "1", "share reached if everyone told everything to all near", 0, 1),
        el.Observable("r0", ("fact",), "1", "people told first by the source and by those it told, by teller",
                      nan_ok=True),
        el.Observable("recall", ("fact",), "1", "share of those who know that find it when asked for it", 0, 1, True),
        el.Observable("precision", ("fact",), "1", "share of what they find that is about it", 0, 1, True),
        el.Observable("spoken", ("fact",), "1", "share of those who know to whom it occurs in a talk", 0, 1, True),
        el.Observable("false_yes", ("fact",), "1", "share of those who do not know that say they do", 0, 1, True),
        el.Observable("funnel", ("event", "stage"), "1", "guests who got that far", 0),
        el.Observable("unaware_there", ("event",), "1", "share of the unaware who were there anyway", 0, 1, True),
        el.Observable("kept", unit="1", about="share of planned visits to the party that took place", nan_ok=True),
        el.Observable("density", unit="1", about="share of pairs who know of each other", low=0, high=1),
        el.Observable("accuracy", ("question",), "1", "right answers in the interview", 0, 1, True),
        el.Observable("accuracy_all", unit="1", about="mean over the five kinds of questions", nan_ok=True),
        el.Observable("typical", unit="1", about="share of lunches at the café", low=0, high=1, nan_ok=True),
        el.Observable("memories", unit="1", about="mean number of memories", low=0),
        el.Observable("insights", unit="1", about="mean number of thoughts from reflection", low=0),
        el.Observable("talks", unit="1", about="talks by person and day", low=0, nan_ok=True),
        el.Observable("stale", unit="1", about="share of facts told to one who knew", low=0, high=1, nan_ok=True),
        el.Observable("heard_at", ("fact", "agent"), "15 min", "slot of first hearing; -1 never"),
        el.Observable("told_by", ("fact", "agent"), "1", "who told; -1 nobody"),
        el.Observable("told_where", ("fact", "agent"), "1", "place of first hearing; -1 nowhere"),
        el.Observable("ties", ("agent", "other"), "1", "talks so far", 0),
        el.Observable("walked", ("slot", "agent"), "1", "place in each of the last slots, homes after public ones; "
                      "slot s is in row s modulo their number; -1 before the beginning"),
        el.Observable("spoke", ("slot", "agent"), "1", "with whom one talked then; -1 nobody"),
        el.Observable("knows", ("agent", "other"), "1", "whether both have a memory of the other", 0, 1),
        el.Observable("query", ("rank", "part"), "1", "what one person calls up on meeting the host at the café",
                      nan_ok=True),
    )  # fmt: skip

    # -- the beginning ----------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> Town:
        """People with homes, work, friends and habits; four of them know something."""
        n, words = self.agents, self._words
        k_life, k_words, k_past = jax.random.split(key, 3)
        life = town.life_of(k_life, n, self.places, self.wander, self.acquainted)
        minds, made = past(life, words, n, self.places, self.capacity, self.clutter, k_past)
        met = town.contacts(life.route)
        common = jnp.arange(n) >= len(town.FACTS) - 1  # those who are the source of nothing
        hub, leaf = jnp.argmax(jnp.where(common, met, -1)), jnp.argmin(jnp.where(common, met, 1e6))
        who = jnp.stack([jnp.int32(-1), hub.astype(jnp.int32), leaf.astype(jnp.int32), jnp.int32(0)])
        facts, events = (n, len(town.FACTS)), (n, len(town.EVENTS))
        known = sources(self.agents) & (jnp.array(town.SEEDED) == 0)
        no = jnp.zeros(events, bool)
        return Town(
            clock=jnp.int32(0), life=life, vectors=town.vectors_of(k_words, words, self.width), minds=minds, made=made,
            lunch=jnp.zeros(n, jnp.int32), typical=jnp.int32(0), lunches=jnp.int32(0),
            ties=jnp.zeros((n, n)), noticed=jnp.full(n, NEVER), stirred=jnp.zeros(n),
            goal=jnp.zeros(n, jnp.int32), until=jnp.zeros(n, jnp.int32),
            heard_at=jnp.where(known, 0, NEVER), told_by=jnp.full(facts, NEVER), told_where=jnp.full(facts, NEVER),
            reached=known, stored=no, retrieved=no, planned=no, came=no, there=no,
            silent=jnp.arange(n) == who[self.silence], knocked=jnp.zeros(n, bool), hub=hub.astype(jnp.int32),
            talks=jnp.float32(0), told=jnp.float32(0), stale=jnp.float32(0), insights=jnp.zeros(n),
            walked=jnp.full((town.REMEMBERED, n), NEVER), spoke=jnp.full((town.REMEMBERED, n), NEVER),
        )  # fmt: skip

    # -- a slot -----------------------------------------------------------------------------------------------------

    def step(self, state: Town, key: PRNGKeyArray) -> Town:
        """Go somewhere, meet, call something up, talk, notice, decide, reflect."""
        n, words, t = self.agents, self._words, state.clock
        hour, day = t % town.SLOTS, t // town.SLOTS
        u = jax.random.uniform(key, (8, n))
        up = town.awake(hour)

        place = self._whereabouts(state, hour)
        near = town.together(place) & up
        reached = state.reached | ((near.astype(jnp.float32) @ state.reached) > 0)
        other = town.pairs(place, u[0])
        met = (other != jnp.arange(n)) & up
        tie = state.ties[jnp.arange(n), other]
        likely = self.talk * (0.3 + 0.7 * tie / (tie + 2.0))

        # One thing is called up a slot: for the day's plan, for lunch, for what to do now, or for a talk.
        start = jnp.array([town.START[f] for f in town.EVENTS])
        planning = (self.plan > 0) & (hour == town.PLANNING)
        hungry = hour == town.LUNCH - 1
        deciding = jnp.any(t == start - 1) & (self.plan == 0)
        alone = planning | hungry | deciding
        talking = el.site("talking", met & ~alone & (u[1][jnp.minimum(jnp.arange(n), other)] < likely))
        cue = self._cue(state, words, planning, hungry, deciding, other, place, hour)
        index, score, minds = self._call_up(state, cue, u[2], talking | alone)

        found = _seen.taken(minds, index)
        found = found._replace(what=jnp.where(jnp.isfinite(score), found.what, mind.NONE))
        state = self._eat(state, found, score, hour, hungry, place)
        heard, item = self._say(state, found, score, talking, other, u)
        fact = item.what - words.facts
        is_news = heard & (fact >= 0) & (fact < len(town.FACTS))

        seen = other + (n + 1) * place
        notices = met & (seen != state.noticed)
        ordinary = everyday(u[4])
        weight = jnp.where(is_news, jnp.array(town.IMPORTANCE)[jnp.clip(fact, 0, len(town.FACTS) - 1)], ordinary)
        sight = mind.node(mind.EVENT, other, words.hours + town.part_of_day(hour), words.places + place, t, ordinary)
        chat = mind.node(
            mind.CHAT, item.who, item.what, item.where, t, weight, source=other,
            exact=item.exact & (u[5] < self.fidelity),
        )  # fmt: skip
        state = self._decide(state, words, found, is_news & chat.exact, fact, planning, deciding, day, t, u[6], u[7])
        note, noted = self._note(state, words, hour, t)
        thoughts, thinks = self._reflect(state, minds, words, t)

        keeps = self.perceive > 0
        new = jax.tree.map(lambda *x: jnp.stack(x, axis=1), note, sight, chat, *thoughts)
        wanted = jnp.stack([noted, notices & keeps, heard & keeps, *thinks], axis=1)
        minds, made = jax.vmap(mind.store)(minds, state.made, new, wanted)
        minds, knocked, planned = jax.lax.optimization_barrier(self._knock_out(state, minds, words, t))
        state = self._book(state, place, other, talking, is_news, fact, t)
        stirred = state.stirred + jnp.where(notices & keeps, ordinary, 0.0) + jnp.where(heard & keeps, weight, 0.0)
        return eqx.tree_at(
            lambda s: (s.clock, s.minds, s.made, s.noticed, s.stirred, s.reached, s.knocked, s.planned, s.insights),
            state,
            (
                t + 1, minds, made, jnp.where(notices, seen, state.noticed), jnp.where(thinks[0], 0.0, stirred),
                reached | (state.heard_at != NEVER), knocked, planned,
                state.insights + sum(x.astype(jnp.float32) for x in thinks),
            ),
        )  # fmt: skip

    # -- what is seen -----------------------------------------------------------------------------------------------

    def observe(self, state: Town, key: PRNGKeyArray) -> dict[str, Array]:
        """Who knows what, verified in memory; how far guests got; interviews."""
        n, words = self.agents, self._words
        facts = jnp.arange(len(town.FACTS))
        k_ask, k_talk = jax.random.split(key)
        aware = self._aware(state.minds, words)
        lots = jax.random.uniform(k_talk, (3, n))
        asked = people_of(state.ties, k_ask)
        # The questions of the interview, and last a talk with anybody anywhere.
        partner = jnp.floor(lots[1] * n).astype(jnp.int32)
        spot = words.places + jnp.floor(lots[2] * self.places).astype(jnp.int32)
        talk = jax.vmap(lambda a, b: mind.cue_of(state.vectors, a, b))(partner, spot)
        asks = jnp.concatenate([cues(state.vectors, words, asked), talk[None]])

        def one(cue: Float[Array, "agent d"]) -> tuple[mind.Stream, Bool[Array, "agent k"], Float[Array, "agent"]]:
            index, score, _ = self._call_up(state, cue, lots[0], jnp.ones(n, bool))
            found = _seen.taken(state.minds, index)
            near = jax.vmap(mind.similarity, (0, None, 0))(state.minds, state.vectors, cue)
            return found, jnp.isfinite(score), jnp.max(jnp.where(mind.present(state.minds), near, -1.0), axis=1)

        found, real, nearest = jax.vmap(one)(asks)
        five, rest = len(QUESTIONS), slice(len(QUESTIONS), -1)
        tonight = state.life.route[jnp.minimum(state.clock // town.SLOTS, town.DAYS - 1) * town.SLOTS + 74]
        answers = interview(jax.tree.map(lambda x: x[:five], found), real[:five], words, asked, state.ties, tonight)
        of_facts = jax.tree.map(lambda x: x[rest], found)
        recall, precision, false_yes = about_facts(of_facts, real[rest], words, aware, nearest[rest])
        occurs = jnp.any(real[-1][..., None] & (found.what[-1][..., None] == words.facts + facts), axis=1)

        mutual = _seen.acquainted(state, words)
        event = jnp.array(town.EVENTS)
        guest = ~sources(n)[:, event]
        start = jnp.array([town.START[f] for f in town.EVENTS])
        heard = ((state.heard_at != NEVER)[:, event]) & (state.heard_at[:, event] < start)
        steps = jnp.stack([heard, state.stored, state.retrieved, state.planned, state.came], axis=-1)
        unaware = guest & ~state.stored & (state.clock > start + 1)
        days = state.clock / town.SLOTS
        return {
            "aware": jnp.mean(aware, axis=0),
            "bound": jnp.mean(state.reached, axis=0),
            "r0": _seen.spread(state),
            "recall": recall,
            "precision": precision,
            "spoken": jax.vmap(share, 1)(occurs, aware),
            "false_yes": false_yes,
            "funnel": jnp.sum(steps & guest[..., None], axis=0).astype(jnp.float32),
            "unaware_there": jax.vmap(share, 1)(state.there, unaware),
            "kept": share(state.came[:, 0], state.planned[:, 0] & guest[:, 0]),
            "density": jnp.sum(mutual) / (n * (n - 1)),
            "accuracy": answers,
            "accuracy_all": jnp.mean(answers),
            "typical": jnp.where(state.lunches > 0, state.typical / jnp.maximum(state.lunches, 1), jnp.nan),
            "memories": jnp.mean(jnp.sum(mind.present(state.minds), axis=1)),
            "insights": jnp.mean(state.insights),
            "talks": jnp.where(days > 0, state.talks / n / jnp.maximum(days, 1e-6), jnp.nan),
            "stale": jnp.where(state.told > 0, state.stale / jnp.maximum(state.told, 1), jnp.nan),
            "heard_at": state.heard_at.T,
            "told_by": state.told_by.T,
            "told_where": state.told_where.T,
            "ties": state.ties,
            "walked": state.walked,
            "spoke": state.spoke,
            "knows": mutual,
            "query": _seen.query(state, words, self.rule(), self.recency == "rank"),
        }
