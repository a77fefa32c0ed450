"""A small society for the tests: pairs that cooperate or not, in turn with what the other did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import emergelab as el
from emergelab.lm import RATES, Ask, Choice, Constant, Language, Policy, Random, Rule, count, decide, rates

ACTIONS = ("cooperate", "defect")


def tit_for_tat(ask: Ask, rng: Any) -> str:
    last: str | None = ask.observation["last"]
    return last or "cooperate"


class Pair(el.HostSystem):
    """Two agents; both decide at once, each told what the other did last."""

    observables = (el.Observable("cooperation", about="share that cooperates", nan_ok=True), *RATES)
    policies: ClassVar[dict[str, Policy]] = {
        "random": Random(),
        "always": Constant("cooperate"),
        "tit_for_tat": Rule(tit_for_tat),
        "model": Language(),
    }
    policy: Any = el.choice("random", options=("random", "always", "tit_for_tat", "model"), static=True)

    async def init(self, seed: int) -> Any:
        return {"last": [None, None], "tally": {}}

    async def step(self, state: Any, context: Any) -> Any:
        asks = [
            Ask(
                agent=f"agent {i}",
                kind=Choice(ACTIONS),
                fallback="defect",
                prompt=f"Round {context.time}. The other played {state['last'][1 - i] or 'nothing yet'}. Your move?",
                observation={"last": state["last"][1 - i]},
                template="move",
            )
            for i in range(2)
        ]
        decisions = await decide(self.policies[self.policy], asks, context)
        count(state["tally"], decisions)
        return {**state, "last": [d.value for d in decisions]}

    async def observe(self, state: Any, context: Any) -> Mapping[str, Any]:
        known = [a == "cooperate" for a in state["last"] if a is not None]
        share = sum(known) / len(known) if known else float("nan")
        return {"cooperation": share, **rates(state["tally"])}
