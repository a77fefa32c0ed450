"""A subject is asked forced choices, one round a step; the pairs of the next round depend on the scale so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab.errors import ParameterError
from emergelab.games import preferences as pr
from emergelab.games.foresight import CURVES
from emergelab.lm import (
    RATES,
    WEIGHTS,
    Amount,
    Ask,
    Choice,
    Decision,
    Request,
    Turn,
    count,
    decide,
    rates,
    weigh,
    weights,
)

from ._ahead import AMOUNTS, DELAYS, PROCESSES, later, states
from ._measures import correlated, fit, of_delays, of_free, of_goods, of_lotteries, of_orders, of_processes
from ._outcomes import CATEGORIES, GOODS, Item, goods, lotteries, outcomes
from ._policies import POLICIES
from ._prompts import CONTROLS, FIRST, QUESTIONS, WORDINGS

__all__ = ["UtilitiesLM"]

Pair = tuple[int, int]
TOPICS = ("outcomes", "goods", "processes", "delays")
MENU = 50  # things in a list, at most


def _number(name: str, about: str, low: float | None = 0.0, high: float | None = 1.0, unit: str = "1") -> el.Observable:
    return el.Observable(name, unit=unit, about=about, low=low, high=high, nan_ok=True)


class UtilitiesLM(el.HostSystem):
    """One step is one round: pairs are chosen, asked in both orders and under all questions, and the scale refitted."""

    items: int = el.static(120, low=4, high=120, about="things that are compared, lotteries included")
    lotteries: int = el.static(0, low=0, high=60, about="how many of them are lotteries over the others")
    topic: str = el.choice("outcomes", options=TOPICS, static=True, about="what is compared")
    pairs: int = el.static(0, low=0, high=7140, about="pairs that are asked in all; 0: 2 N log2 N as published")
    free: str = el.choice("off", options=("off", "on"), static=True, about="in the end, a free choice from all things")
    per_round: int = el.static(200, low=1, high=7140, about="pairs of a round after the first")
    policy: str = el.choice("model", options=tuple(POLICIES), static=True, about="who is asked")
    wording: str = el.choice("plain", options=tuple(WORDINGS), static=True, about="how it is asked")
    controls: str = el.choice("on", options=("on", "off"), static=True, about="the four control questions")
    flips: str = el.choice("both", options=("both", "one"), static=True, about="orders in which a pair is asked")
    samples: int = el.static(
        0, low=0, high=100, about="answers drawn for each order; 0: probabilities themselves, where a subject has them"
    )
    noise: float = el.param(0.5, low=0.0, high=100.0, unit="1", about="subject thurstone: noise of one judgement")
    folds: int = el.static(5, low=2, high=50, about="folds of the cross-validation; 20 hold out 5 % each, as published")
    epochs: int = el.static(1000, low=10, high=10_000, about="steps of the Thurstonian fit")

    observables = (
        el.Observable("asked", unit="1", about="pairs asked so far", low=0),
        _number("holdout", "answers told by a scale fitted to the other pairs, cross-validated"),
        _number("holdout_null", "the same after the answers were dealt out to other pairs"),
        _number("gain", "holdout minus holdout_null", low=-1),
        _number("holdout_one", "holdout with each pair asked in one order only"),
        _number("holdout_widths", "holdout by the Thurstonian fit, which has a width for each outcome"),
        _number("train", "answers told by the Thurstonian scale fitted to them"),
        _number("train_pseudo", "the same with pseudo-labels for pairs that nobody asked"),
        _number("ceiling", "answers told by those to the question in other words"),
        _number("log_loss", "cross-entropy of held-out answers", high=None, unit="nat"),
        _number("r2", "log-odds of held-out answers explained by the scale", low=None),
        _number("completeness", "mean of |2p - 1|: how far preferences are from none at all"),
        _number("inconsistency", "pairs whose preferred place stays when the order is turned; position alone: 1"),
        _number("bias", "log-odds that the place adds", high=None, unit="nat"),
        _number("cycles", "chance that a triad goes round in a circle; a coin: 1/4"),
        _number("cycles_hard", "triads that go round in a circle by majority; a coin: 1/4"),
        _number("again", "correlation of the scale with that under the question in other words", low=-1),
        _number("avoid", "correlation with the scale under the negated question: -1 if it is understood", low=-1),
        _number("words", "correlation with the scale under 'which has more words?'", low=-1),
        _number("chance", "correlation with the scale under 'pick one at random'", low=-1),
        _number("length", "correlation of the scale with the number of words", low=-1),
        _number("likelihood", "correlation of the scale with the text's log-probability", low=-1),
        _number("recovered", "correlation of the scale with the planted utilities", low=-1),
        _number("eu", "lotteries: correlation of fitted and expected utility", low=-1),
        _number("eu_error", "lotteries: mean distance of fitted and expected utility, in sd of the scale", high=None),
        _number("eu_null", "the same for the expected utility of another lottery", high=None),
        _number("log_r2", "goods: utility explained by a line over the logarithm of the amount", low=None),
        *(_number(f"rate_{n}", f"goods: log10 of the euros that one unit of {n} is worth", None, None)
          for n in [*GOODS][1:]),
        _number("instrumental", "processes: distance of the scale from any value function, in sd", high=None),
        _number("instrumental_null", "the same for processes whose ends have changed places", high=None),
        _number("maximised", "free choices that are the best of the list by the scale"),
        _number("maximised_null", "the same at random"),
        _number("maximised_luce", "the same, as the scale itself foretells"),
        _number("free_rank", "rank by the scale of what is freely chosen, best 1; at random: 1/2"),
        _number("free_scale", "correlation of the scale with how often a thing is freely chosen", low=-1),
        _number("free_place", "how often the most favoured place of the list is taken"),
        _number("more", "goods: of which more is better; delays: most minus least amount taken", low=-1),
        _number("later", "delays: correlation of the logarithms of delay and of what it leaves", low=-1),
        *(_number(f"left_{m:g}", f"delays: what {m:g} months leave of a value", high=None) for m in DELAYS),
        *(_number(f"rate_{n}", f"delays: rate of the nearest {n} curve", high=None, unit="1/month") for n in CURVES),
        *(_number(f"error_{n}", "delays: mean distance from that curve", high=None) for n in CURVES),
        WEIGHTS[0],
        *RATES,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        known = self.items - self.lotteries
        for ok, wrong in (
            (
                known >= 3 and self.lotteries <= known * (known - 1) // 2,
                f"'lotteries' must leave enough of items={self.items} to be over, got {self.lotteries}",
            ),
            (
                self.topic == "outcomes" or not self.lotteries,
                f"'lotteries' are over outcomes; set it to 0 for {self.topic}",
            ),
            (
                self.topic != "goods" or self.items in range(8, 25, len(GOODS)),
                f"'items' of the topic goods must be 8, 12, ... 24 ({len(GOODS)} goods), got {self.items}",
            ),
            (
                self.topic != "processes" or self.items in range(8, 4 * len(PROCESSES) + 1, 4),
                f"'items' of the topic processes must be 8, 12, ... {4 * len(PROCESSES)}, got {self.items}",
            ),
            (
                self.topic != "delays" or self.items == 1 + len(DELAYS) * len(AMOUNTS),
                f"'items' of the topic delays must be {1 + len(DELAYS) * len(AMOUNTS)}, got {self.items}",
            ),
            (known <= sum(map(len, CATEGORIES.values())), f"'items' must be at most 120 outcomes, got {known}"),
            (
                self.pairs == 0 or self.items <= self.pairs,
                f"'pairs' must be 0 or at least items={self.items}, got {self.pairs}",
            ),
        ):
            if not ok:
                raise ParameterError(f"UtilitiesLM: parameter {wrong}")

    @property
    def budget(self) -> int:
        """Pairs that are asked in all."""
        if self.topic == "delays":
            return self.items - 1
        every = self.items * (self.items - 1) // 2
        return min(every, self.pairs or round(2 * self.items * math.log2(self.items)))

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions that are put to each pair."""
        return QUESTIONS if self.controls == "on" else QUESTIONS[:1]

    def things(self, seed: int) -> list[Item]:
        """What is compared in a seed: the same in all conditions of one size."""
        if self.topic == "goods":
            return goods(self.items)
        rng = np.random.default_rng([seed, 1])
        if self.topic == "processes":
            return states(rng, self.items)
        if self.topic == "delays":
            return later(rng)
        plain = outcomes(rng, self.items - self.lotteries)
        return [*plain, *lotteries(rng, plain, self.lotteries)]

    async def init(self, seed: int) -> Any:
        """Nobody was asked anything."""
        answers: dict[str, list[list[float]]] = {question: [] for question in self.questions}
        return {"pairs": [], "answers": answers, "mean": [0.0] * self.items, "variance": [1.0] * self.items,
                "likely": [], "free": [], "seen": {}, "tally": {}}  # fmt: skip

    async def step(self, state: Any, context: Any) -> Any:
        """One round."""
        items = self.things(context.seed)
        new = self._choose(state, context.rng)
        likely = state["likely"] or await self._likely(items, context)
        shares = await self._ask(items, new, state["tally"], context)
        shares = context.site("answers", shares)
        pairs = [*state["pairs"], *map(list, new)]
        answers = {
            question: [*state["answers"][question], *shares[k].tolist()] for k, question in enumerate(self.questions)
        }
        free = state["free"]
        if self.free == "on" and not free and len(pairs) >= self.budget:
            free = await self._freely(items, state["tally"], context)
        seen, mean, variance = self._fitted(items, pairs, answers, likely, free, context.seed)
        context.emit("scale", texts=[item.text for item in items], mean=mean, sd=[math.sqrt(v) for v in variance])
        return {"pairs": pairs, "answers": answers, "mean": mean, "variance": variance, "likely": likely, "free": free,
                "seen": seen, "tally": state["tally"]}  # fmt: skip

    async def observe(self, state: Any, context: Any) -> Mapping[str, Any]:
        """What the answers so far show."""
        nothing = {o.name: math.nan for o in self.observables}
        counts = {"asked": float(len(state["pairs"])), "mass": weights(state["tally"])["mass"]}
        return nothing | state["seen"] | counts | rates(state["tally"])

    # -- asking -----------------------------------------------------------------------------------------------------

    def _choose(self, state: Any, rng: np.random.Generator) -> list[Pair]:
        """A ring first; then what tells most, until the budget is used up. Of delays each beside now, all at once."""
        if self.topic == "delays":
            return [] if state["pairs"] else [(k, 0) for k in range(1, self.items)]
        if not state["pairs"]:
            return pr.ring(rng, self.items)
        known = pr.table(state["pairs"], [0.5] * len(state["pairs"]), self.items)[1] > 0
        left = max(0, self.budget - len(state["pairs"]))
        return pr.next_pairs(rng, np.asarray(state["mean"]), known, min(self.per_round, left))

    async def _ask(
        self, items: Sequence[Item], pairs: Sequence[Pair], tally: dict[str, Any], context: Any
    ) -> Float[np.ndarray, "question pair 2"]:
        """How often the first of each pair is taken, when it is shown first and when it is shown second."""
        orders = 2 if self.flips == "both" else 1
        asks = [
            self._put(items, question, *(pair if order == 0 else pair[::-1]))
            for question in self.questions
            for pair in pairs
            for order in range(orders)
        ]
        written = self.policy == "model" and bool(pairs) and not context.lm.lm.scores
        copies = max(1, self.samples) if written else 1
        found = await decide(POLICIES[self.policy], [a for a in asks for _ in range(copies)], context)
        count(tally, found)
        weigh(tally, found)
        first = [
            float(np.mean([self._share(d, ask, context.rng) for d in found[k * copies : (k + 1) * copies]]))
            for k, ask in enumerate(asks)
        ]
        shown = np.asarray(first).reshape(len(self.questions), len(pairs), orders)
        out = np.full((len(self.questions), len(pairs), 2), np.nan)
        out[..., 0] = shown[..., 0]
        if orders == 2:
            out[..., 1] = 1 - shown[..., 1]
        return out

    def _put(self, items: Sequence[Item], question: str, i: int, j: int) -> Ask:
        """One question on a pair, in one order."""
        a, b = items[i], items[j]
        return Ask(
            agent="subject",
            kind=Choice((a.text, b.text), max_tokens=64),
            # an answer that cannot be read counts half and half, so it does not matter which
            fallback=a.text,
            prompt=WORDINGS[self.wording].turns(question),
            observation={
                "question": question,
                "items": [i, j],
                "utility": [a.utility, b.utility],
                "noise": float(self.noise),
                "rank": [list(a.rank), list(b.rank)],
                "words": [a.words, b.words],
            },
            template=f"{self.wording}/{question}",
        )

    def _share(self, decision: Decision, ask: Ask, rng: np.random.Generator) -> float:
        """How often the option shown first was taken."""
        first = ask.kind.options()[0]
        if decision.origin == "fallback":
            return 0.5
        if decision.probabilities is None:
            return float(decision.value == first)
        p = float(decision.probabilities[first])
        return float(rng.binomial(self.samples, min(max(p, 0.0), 1.0)) / self.samples) if self.samples else p

    def _listed(self, seed: int) -> list[int]:
        """Numbers of the items of a free choice, as they stand in the first list."""
        return [int(k) for k in np.random.default_rng([seed, 3]).permutation(self.items)[:MENU]]

    async def _freely(
        self, items: Sequence[Item], tally: dict[str, Any], context: Any
    ) -> list[list[float]]:  # fmt: skip
        """How often each place of the list is taken; in the k-th row the list begins with its k-th item."""
        listed = self._listed(context.seed)
        length = len(listed)
        asks = [self._menu([items[k] for k in np.roll(listed, -turn)]) for turn in range(length)]
        found = await decide(POLICIES[self.policy], asks, context)
        count(tally, found)
        rows = []
        for decision in found:
            if decision.origin == "fallback":
                rows.append([1 / length] * length)
            elif decision.probabilities is not None:
                rows.append([float(p) for p in decision.probabilities.values()])
            else:
                rows.append([float(decision.value == FIRST + k) for k in range(length)])
        return rows

    def _menu(self, items: Sequence[Item]) -> Ask:
        """A free choice from a list."""
        return Ask(
            agent="subject",
            kind=Amount(FIRST, FIRST + len(items) - 1, 1),
            # an answer that cannot be read counts for all alike
            fallback=FIRST,
            prompt=WORDINGS[self.wording].menu([item.text for item in items]),
            observation={
                "question": "free",
                "utility": [item.utility for item in items],
                "noise": float(self.noise),
                "rank": [list(item.rank) for item in items],
            },
            template=f"{self.wording}/free",
        )

    async def _likely(self, items: Sequence[Item], context: Any) -> list[float]:
        """How likely a model finds the texts themselves: is utility only familiarity? NaN where it cannot say."""
        if self.policy != "model" or self.topic in ("processes", "delays") or not context.lm.lm.scores:
            return [math.nan] * len(items)
        request = Request((Turn("user", "Say something that may happen."),))
        said = await context.lm.score([request] * len(items), [[item.text] for item in items], ["reader"] * len(items))
        return [float(s[0]) for s in said]

    # -- fitting ----------------------------------------------------------------------------------------------------

    def _fitted(
        self,
        items: Sequence[Item],
        pairs: Sequence[Sequence[int]],
        answers: Mapping[str, list[list[float]]],
        likely: Sequence[float],
        free: Sequence[Sequence[float]],
        seed: int,
    ) -> tuple[dict[str, float], list[float], list[float]]:
        """All that is shown, and the scale."""
        n = self.items
        mean = {q: np.nanmean(np.asarray(a, float), axis=1) for q, a in answers.items()}
        if self.topic == "delays":
            # all are compared with one thing only: there is nothing that a scale could be wrong about
            found = of_orders(answers["prefer"]) | of_delays(mean["prefer"])
            return found | {"completeness": float(np.abs(2 * mean["prefer"] - 1).mean())}, [0.0] * n, [1.0] * n
        tables = [pr.table(pairs, mean[q], n)[0] for q in self.questions]
        first, weight = pr.table(pairs, np.asarray(answers["prefer"])[:, 0], n)
        fold = pr.folds(np.random.default_rng([seed, 2]), pairs, n, self.folds)
        numbers, centre, variance, utility = fit(
            np.stack(tables), first, weight, fold, jax.random.key(seed), count=self.folds, epochs=self.epochs
        )
        found = {name: float(value) for name, value in numbers.items()}
        scale, by_question = np.asarray(centre, float), dict(zip(self.questions, np.asarray(utility), strict=True))
        own = by_question["prefer"]
        planted = [item.utility for item in items] if self.policy == "thurstone" else [math.nan] * n
        found |= {"gain": found["holdout"] - found["holdout_null"]}
        found |= {name: correlated(own, by_question[name]) for name in CONTROLS if name in by_question}
        found |= {
            "length": correlated(own, [item.words for item in items]),
            "likelihood": correlated(own, likely),
            "recovered": correlated(own, planted),
        }
        found |= of_orders(answers["prefer"]) | of_lotteries(items, scale) | of_goods(items, scale)
        if self.topic == "processes":
            found |= of_processes(items, scale)
        if free:
            found |= of_free(free, self._listed(seed), own)
        return found, scale.tolist(), np.asarray(variance, float).tolist()
