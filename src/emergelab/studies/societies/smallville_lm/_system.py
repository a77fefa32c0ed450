"""The small town as a host system: people decide through `emergelab.lm.decide`, and remember in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
import pydantic
from jaxtyping import Float

import emergelab as el
from emergelab.errors import ParameterError
from emergelab.lm import RATES, Amount, Ask, Choice, Decision, Message, Struct, count, decide, rates
from emergelab.lm.memory import Found, Memory, Retrieval, cached, facts_in, hashed

from ._policies import NOTHING, POLICIES
from ._prompts import WORDINGS
from ._town import ALIASES, EVENING, FACTS, HOME, NAMES, PLACES, TEXTS, VENUE, routes

__all__ = ["Hour", "SmallvilleLM", "clock"]

Embed = Callable[[Sequence[str]], Float[np.ndarray, "text dim"]]
Place = Literal["café", "market", "library"]


class Hour(pydantic.BaseModel):
    """A plan for one hour, for models that can write one under a schema."""

    place: Place
    activity: str


assert get_args(Place) == PLACES
_RATING = Amount(1, 10, step=1)
_MEETING = Choice(("continue", "join", "talk"))
_FALSE = "Ada is having a party at the market today at five."
_RETRIEVALS = {
    "all": Retrieval(),
    "recency": Retrieval(relevance=0.0, importance=0.0),
    "relevance": Retrieval(recency=0.0, importance=0.0),
    "importance": Retrieval(recency=0.0, relevance=0.0),
    "random": Retrieval(recency=0.0, relevance=0.0, importance=0.0),
    "released": Retrieval(recency=0.5, relevance=3.0, importance=2.0, decay=0.99, ranked=True, oldest_first=True),
}
"""What calls memories up, by name. A step is an hour."""
_PLANS = 2
"""Hours that a plan is for."""


@lru_cache(maxsize=1)
def _by_words() -> Embed:
    return cached(hashed)


@lru_cache(maxsize=1)
def _by_minilm() -> Embed:
    from emergelab.lm.minilm import open_minilm

    return cached(open_minilm().embed)


_EMBEDDINGS: dict[str, Callable[[], Embed]] = {"words": _by_words, "minilm": _by_minilm}
"""How texts become vectors, by name; each text is embedded once in a process."""


class SmallvilleLM(el.HostSystem):
    """One step is one hour: places are chosen, those who meet decide what to do, talk, and remember; then evening."""

    people: int = el.static(5, low=4, high=len(NAMES), about="people")
    policy: str = el.choice("model", options=tuple(POLICIES), static=True, about="who decides")
    wording: str = el.choice("plain", options=tuple(WORDINGS), static=True, about="how things are put")
    retrieval: str = el.choice("all", options=tuple(_RETRIEVALS), static=True, about="what calls memories up")
    embedding: str = el.choice("words", options=tuple(_EMBEDDINGS), static=True, about="how texts become vectors")
    planning: str = el.choice(
        "choice", options=("choice", "struct", "none"), static=True, about="how hours are planned"
    )
    hours: int = el.static(6, low=1, high=9, about="hours before the evening", unit="h")
    found: int = el.static(3, low=1, high=30, about="memories that a question calls up")
    talk: int = el.static(1, low=0, high=1, about="whether people talk")
    reflect: int = el.static(1, low=0, high=1, about="whether people reflect")
    threshold: float = el.param(20.0, low=1.0, high=1e3, about="summed importance that sets off reflection")
    silence: str = el.choice("nobody", options=("nobody", "host"), static=True, about="who does not speak")
    knockout: int = el.static(0, low=0, high=len(NAMES), about="people whose memory of the party is deleted at midday")
    planted: int = el.static(0, low=0, high=1, about="whether the last one believes in a party elsewhere")

    observables = (
        *(el.Observable(f"aware_{f}", unit="1", about=f"share with a memory of the {f}", low=0, high=1) for f in FACTS),
        el.Observable("meetings", unit="1", about="meetings so far", low=0),
        el.Observable("talks", unit="1", about="talks so far", low=0),
        el.Observable("stated", unit="1", about="share of utterances that state a fact", nan_ok=True),
        el.Observable("invented", unit="1", about="share of stated facts the speaker did not know", nan_ok=True),
        el.Observable("recall", unit="1", about="share of those aware to whom the party comes to mind", nan_ok=True),
        el.Observable("precision", unit="1", about="share of what comes to mind that is the party", nan_ok=True),
        el.Observable("guests", unit="1", about="people but the host who go to the party", low=0, nan_ok=True),
        el.Observable("came_aware", unit="1", about="share of the aware who go to the café", nan_ok=True),
        el.Observable("came_unaware", unit="1", about="share of the unaware who go there", nan_ok=True),
        el.Observable("buyers", unit="1", about="people but its source who go to the dull sale", nan_ok=True),
        el.Observable("misled", unit="1", about="people who go where a false memory says", nan_ok=True),
        el.Observable("yes_aware", unit="1", about="share of the aware who say they know of a party", nan_ok=True),
        el.Observable("yes_unaware", unit="1", about="share of the unaware who say so", nan_ok=True),
        el.Observable("memories", unit="1", about="mean number of memories", low=0),
        el.Observable("insights", unit="1", about="thoughts from reflection so far", low=0),
        *RATES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.knockout >= self.people:
            raise ParameterError(
                f"SmallvilleLM: knockout must be below the number of people ({self.people}), for the host keeps its "
                f"memory, got {self.knockout}"
            )

    # -- the beginning ----------------------------------------------------------------------------------------------

    async def init(self, seed: int) -> Any:
        """People who know each other and their habits; three of them know something."""
        habits = routes(seed, self.people, self.hours)
        rng = np.random.default_rng([seed, 7])
        out = []
        for i, name in enumerate(NAMES[: self.people]):
            memory = Memory(hashed)
            for other in NAMES[: self.people]:
                if other != name:
                    memory.add("thought", f"{other} lives in the same town.", -1, 3)
            memory.add("thought", f"I am usually at the {habits[i].day[0]} in the morning.", -1, 3)
            if i < len(FACTS):
                fact = FACTS[i]
                memory.add("event", TEXTS[fact], 0, {"party": 8, "candidacy": 7, "sale": 2}[fact], facts=(fact,))
            if self.planted and i == self.people - 1:
                memory.add("event", _FALSE, 0, 8, facts=("party",))
            out.append({
                "name": name, "day": habits[i].day, "evening": habits[i].evening, "busy": float(rng.random()),
                "memory": memory.to_json(), "stirred": 0.0, "next": None,
            })  # fmt: skip
        ties = [[1] * self.people for _ in range(self.people)]  # all have talked before
        return {"people": out, "ties": ties, "rated": {}, "tally": {}, "counts": {}, "last": {}}

    # -- an hour ----------------------------------------------------------------------------------------------------

    async def step(self, state: Any, context: Any) -> Any:
        """An hour of the day; after the last one, the evening."""
        people = state["people"]
        minds = [self._remembered(p) for p in people]
        hour = context.time
        if self.knockout and hour == self.hours // 2:
            self._knock_out(minds, context)
        if hour < self.hours:
            place = await self._places(state, minds, hour, context)
            if self.talk:
                await self._meet(state, minds, place, hour, context)
            if self.reflect:
                await self._reflect(state, minds, hour, context)
        else:
            place = await self._evening(state, minds, hour, context)
        for person, memory in zip(people, minds, strict=True):
            person["memory"] = memory.to_json()
        context.emit("hour", places=place, knows=[[f for f in FACTS if m.knows(f)] for m in minds])
        return state

    def _remembered(self, person: Mapping[str, Any]) -> Memory:
        return Memory.from_json(person["memory"], _EMBEDDINGS[self.embedding](), _RETRIEVALS[self.retrieval])

    def _knock_out(self, minds: Sequence[Memory], context: Any) -> None:
        """The first so many who know of the party, the host apart, forget it."""
        knowing = [i for i in range(1, self.people) if minds[i].knows("party")]
        for i in knowing[: self.knockout]:
            gone = minds[i].forget("party")
            context.emit("knockout", agent=NAMES[i], memories=gone)

    def _recall(self, i: int, memory: Memory, question: str, now: int, context: Any) -> list[Found]:
        """What comes to mind, logged with its scores."""
        if self.retrieval == "random":
            # Chance has no score: memories are drawn alike, and called up as any others.
            rng = np.random.default_rng([context.seed, now, i, len(memory)])
            chosen = [memory.nodes[j] for j in rng.permutation(len(memory))[: self.found]]
            found = [Found(node, 1.0, 0.0, 0.0, 0.0) for node in chosen]
        else:
            found = memory.retrieve(question, now, self.found)
        context.emit(
            "retrieval", agent=NAMES[i], query=question, ids=[f.node.id for f in found],
            parts=[[round(x, 4) for x in (f.recency, f.relevance, f.importance)] for f in found],
        )  # fmt: skip
        return found

    async def _places(self, state: Any, minds: list[Memory], hour: int, context: Any) -> list[str]:
        """Where everybody is in this hour: as planned, or as usual."""
        people = state["people"]
        if self.planning != "none" and hour % _PLANS == 0:
            asks = []
            for i in range(self.people):
                usual = people[i]["day"][hour]
                found = self._recall(i, minds[i], "What is on today?", hour, context)
                kind = Choice(PLACES) if self.planning == "choice" else Struct(Hour, 64)
                fallback: Any = usual if self.planning == "choice" else {"place": usual, "activity": "as usual"}
                asks.append(self._ask(i, "plan", kind, fallback, found, hour, {"usual": usual}))
            for i, decision in enumerate(await self._decide(state, asks, context)):
                chosen = decision.value if self.planning == "choice" else decision.value["place"]
                people[i]["day"][hour : hour + _PLANS] = [chosen] * len(people[i]["day"][hour : hour + _PLANS])
                minds[i].add("plan", f"I plan to be at the {chosen} at {clock(hour)}.", hour, 2)
        wanted = [p["next"] or p["day"][hour] for p in people]
        for person in people:
            person["next"] = None
        at = context.site("place", np.array([PLACES.index(p) for p in wanted], np.int32))
        return [PLACES[int(k)] for k in np.asarray(at)]

    async def _meet(self, state: Any, minds: list[Memory], place: list[str], hour: int, context: Any) -> None:
        """Those at the same place meet two by two; each decides what to do, and those who talk say something."""
        people, counts = state["people"], state["counts"]
        order = np.random.default_rng([context.seed, hour, 5]).permutation(self.people).tolist()
        pairs = []
        for where in PLACES:
            here = [i for i in order if place[i] == where]
            pairs += [(a, b) for a, b in zip(here[::2], here[1::2], strict=False)]
        both = [(i, j) for a, b in pairs for i, j in ((a, b), (b, a))]
        mine = {i: self._recall(i, minds[i], f"{NAMES[j]}, {place[i]}", hour, context) for i, j in both}
        asks = [
            self._ask(i, "meets", _MEETING, "continue", mine[i], hour, {
                "other": NAMES[j], "place": place[i], "tie": state["ties"][i][j],
            })
            for i, j in both
        ]  # fmt: skip
        does = dict(zip([i for i, _ in both], await self._decide(state, asks, context), strict=True))
        for i, j in both:
            minds[i].add("event", f"I saw {NAMES[j]} at the {place[i]}.", hour, 1)
            if does[i].value == "join" and hour + 1 < self.hours:
                people[i]["next"] = people[j]["next"] or people[j]["day"][hour + 1]
        counts["meetings"] = counts.get("meetings", 0) + len(pairs)
        talking = [(i, j) for i, j in both if does[i].value == "talk" and not (self.silence == "host" and i == 0)]
        asks = [
            self._ask(i, "says", Message(40), NOTHING, mine[i], hour, {
                "other": NAMES[j], "place": place[i], "known": [f for f in FACTS if minds[i].knows(f)],
            })
            for i, j in talking
        ]  # fmt: skip
        said = await self._decide(state, asks, context)
        counts["talks"] = counts.get("talks", 0) + len({frozenset(p) for p in talking})
        before = [{f for f in FACTS if m.knows(f)} for m in minds]
        await self._hear(state, minds, talking, said, before, hour, context)

    async def _hear(
        self, state: Any, minds: list[Memory], talking: list[tuple[int, int]], said: list[Decision],
        before: list[set[str]], hour: int, context: Any,
    ) -> None:  # fmt: skip
        """Listeners rate what they hear and remember it, with the facts that the rule finds in it."""
        counts = state["counts"]
        texts = [f"{NAMES[i]} told me: {d.value}" for (i, _), d in zip(talking, said, strict=True)]
        await self._rate(state, [j for _, j in talking], texts, hour, context)
        for (i, j), text, decision in zip(talking, texts, said, strict=True):
            facts = facts_in(decision.value, ALIASES)
            counts["utterances"] = counts.get("utterances", 0) + 1
            counts["stating"] = counts.get("stating", 0) + bool(facts)
            counts["facts"] = counts.get("facts", 0) + len(facts)
            counts["invented"] = counts.get("invented", 0) + len(set(facts) - before[i])
            weight = state["rated"][text]
            minds[j].add("chat", text, hour, weight, facts=facts, source=NAMES[i])
            state["people"][j]["stirred"] += weight
            state["ties"][i][j] += 1
            state["ties"][j][i] += 1
            context.emit("said", speaker=NAMES[i], listener=NAMES[j], text=decision.value, facts=list(facts))

    async def _rate(self, state: Any, who: Sequence[int], texts: Sequence[str], hour: int, context: Any) -> None:
        """Importance of texts, asked once for each text."""
        new = [(i, t) for i, t in dict(zip(texts, who, strict=True)).items() if i not in state["rated"]]
        asks = [self._ask(i, "rates", _RATING, 1.0, [], hour, {"text": text}) for text, i in new]
        found = await self._decide(state, asks, context)
        rated = np.asarray(context.site("importance", np.array([d.value for d in found], float)))
        state["rated"] |= {text: float(np.clip(w, 1, 10)) for (text, _), w in zip(new, rated, strict=True)}

    async def _reflect(self, state: Any, minds: list[Memory], hour: int, context: Any) -> None:
        """Those in whom enough has come up draw a conclusion, which keeps pointers to what it rests on."""
        due = [i for i, p in enumerate(state["people"]) if p["stirred"] > self.threshold]
        asks, resting = [], []
        for i in due:
            latest = minds[i].nodes[-1].text
            found = self._recall(i, minds[i], f"What matters about this? {latest}", hour, context)
            asks.append(self._ask(i, "reflects", Message(40), NOTHING, found, hour, {}))
            resting.append([f.node.id for f in found])
        for i, evidence, decision in zip(due, resting, await self._decide(state, asks, context), strict=True):
            # A thought states no more facts than its owner knew.
            facts = [f for f in facts_in(decision.value, ALIASES) if minds[i].knows(f)]
            minds[i].add("thought", decision.value, hour, 6, facts=facts, evidence=evidence)
            state["people"][i]["stirred"] = 0.0
            state["counts"]["insights"] = state["counts"].get("insights", 0) + 1

    async def _evening(self, state: Any, minds: list[Memory], hour: int, context: Any) -> list[str]:
        """Everybody goes somewhere, and is asked whether it knows of the party. Where they go is returned."""
        people, options = state["people"], (*PLACES, HOME)
        aware = [m.knows("party") for m in minds]
        found = [
            self._recall(i, minds[i], "Where to go this evening? What is on today at five?", hour, context)
            for i in range(self.people)
        ]
        asks = [
            self._ask(i, "evening", Choice(options), HOME, found[i], hour, {
                "usual": people[i]["evening"], "busy": people[i]["busy"],
                "known": [f for f in FACTS if minds[i].knows(f)],
            })
            for i in range(self.people)
        ]  # fmt: skip
        goes = [d.value for d in await self._decide(state, asks, context)]
        told = [self._recall(i, minds[i], "party", hour, context) for i in range(self.people)]
        asks = [self._ask(i, "knows", Choice(("yes", "no")), "no", told[i], hour, {}) for i in range(self.people)]
        yes = [d.value == "yes" for d in await self._decide(state, asks, context)]

        guests = range(1, self.people)
        here = [goes[i] == VENUE["party"] for i in range(self.people)]
        comes = [[f for f in found[i] if "party" in f.node.facts] for i in range(self.people)]
        misled = [self.planted and goes[i] == "market" and any("market" in f.node.text for f in comes[i])
                  for i in range(self.people)]  # fmt: skip
        state["last"] = {
            "recall": _mean([bool(comes[i]) for i in range(self.people) if aware[i]]),
            "precision": _mean([len(comes[i]) / max(len(found[i]), 1) for i in range(self.people) if aware[i]]),
            "guests": float(sum(here[i] for i in guests)),
            "came_aware": _mean([here[i] for i in guests if aware[i]]),
            "came_unaware": _mean([here[i] for i in guests if not aware[i]]),
            "buyers": float(sum(goes[i] == VENUE["sale"] for i in range(self.people) if i != 2)),
            "misled": float(sum(misled)),
            "yes_aware": _mean([yes[i] for i in range(self.people) if aware[i]]),
            "yes_unaware": _mean([yes[i] for i in range(self.people) if not aware[i]]),
        }
        return goes

    # -- asking -----------------------------------------------------------------------------------------------------

    def _ask(
        self, i: int, question: str, kind: Any, fallback: Any, found: Sequence[Found], hour: int,
        values: Mapping[str, Any],
    ) -> Ask:  # fmt: skip
        others = ", ".join(n for n in NAMES[: self.people] if n != NAMES[i])
        told = {"name": NAMES[i], "others": others, "time": clock(hour, self.hours), **values}
        prompt = WORDINGS[self.wording].turns(question, [f.node.text for f in found], **told)
        memories = [
            {"text": f.node.text, "facts": list(f.node.facts), "importance": f.node.importance, "score": f.score}
            for f in found
        ]
        return Ask(NAMES[i], kind, fallback, prompt, {**values, "memories": memories}, f"{self.wording}/{question}")

    async def _decide(self, state: Any, asks: Sequence[Ask], context: Any) -> list[Decision]:
        decisions = await decide(POLICIES[self.policy], asks, context)
        count(state["tally"], decisions)
        return decisions

    async def observe(self, state: Any, context: Any) -> Mapping[str, Any]:
        """Who knows what, verified in memory; what was said; who came; how many answers were repaired or replaced."""
        facts = [{f for n in p["memory"] for f in n["facts"]} for p in state["people"]]
        counts = state["counts"]

        def ratio(a: str, b: str) -> float:
            return counts.get(a, 0) / counts[b] if counts.get(b) else float("nan")

        undefined = dict.fromkeys(
            ("recall", "precision", "guests", "came_aware", "came_unaware", "buyers", "misled", "yes_aware",
             "yes_unaware"), float("nan"),
        )  # fmt: skip
        return {
            **{f"aware_{f}": sum(f in known for known in facts) / self.people for f in FACTS},
            "meetings": float(counts.get("meetings", 0)),
            "talks": float(counts.get("talks", 0)),
            "stated": ratio("stating", "utterances"),
            "invented": ratio("invented", "facts"),
            **undefined,
            **state["last"],
            "memories": sum(len(p["memory"]) for p in state["people"]) / self.people,
            "insights": float(counts.get("insights", 0)),
            **rates(state["tally"]),
        }


def clock(hour: int, hours: int | None = None) -> str:
    """The time of day of a step: the last hour before the evening is four o'clock."""
    return f"{EVENING if hours is not None and hour >= hours else 10 + hour}:00"


def _mean(values: Sequence[float | bool]) -> float:
    return sum(values) / len(values) if values else float("nan")
