"""Equal questions are computed once, archetypes asked once, and nothing that an agent decides changes by the first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float

import emergelab as el
from emergelab.lm import (
    WEIGHTS,
    Amount,
    Ask,
    Budget,
    Choice,
    Language,
    Ledger,
    Request,
    Scripted,
    decide,
    replay,
    weigh,
    weights,
)
from emergelab.lm.decisions import Kind
from emergelab.lm.desk import Desk

SITUATIONS = ("alone", "in company", "alone", "alone", "in company", "at sea")


class Crowd(el.HostSystem):
    """Six agents in three situations, who choose and name a number, and then write a word."""

    observables = WEIGHTS
    keyed: Any = el.choice("no", options=("no", "yes"), static=True)
    kind: Any = el.choice("choice", options=("choice", "amount"), static=True)

    async def init(self, seed: int) -> Any:
        return {"said": [], "words": [], "tally": {}}

    async def step(self, state: Any, context: Any) -> Any:
        kind: Kind = Choice(("sing", "be silent", "walk")) if self.kind == "choice" else Amount(0, 4, step=1)
        asks = [
            Ask(f"agent {i}", kind, kind.parse(kind.options()[0]), f"You are {where}.",
                equivalence_key=where if self.keyed == "yes" else "")
            for i, where in enumerate(SITUATIONS)
        ]  # fmt: skip
        found = await decide(Language(), asks, context)
        weigh(state["tally"], found)
        words = await context.lm.complete([Request("A word?")] * 6, [a.agent for a in asks])
        return {"said": [d.value for d in found], "words": [w.text for w in words], "tally": state["tally"]}

    async def observe(self, state: Any, context: Any) -> Mapping[str, Any]:
        return weights(state["tally"])


class Tasteful(Scripted):
    """Likes continuations by their prompt alone, and keeps what it was asked."""

    def __init__(self, merges: bool) -> None:
        super().__init__(lambda r: f"{r.address.rng().integers(1000)}", lambda r, c: 0.0, name="tasteful")
        self.merges, self.asked = merges, 0

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        self.asked += len(requests)
        return [
            np.array([-1.0 - sum(map(ord, f"{r.prompt}{c}")) % 17 / 5 for c in own])
            for r, own in zip(requests, continuations, strict=True)
        ]


def grown(out: Path, lm: Any, **parameters: Any) -> Any:
    return el.run(Crowd(), conditions={"base": parameters}, seeds=2, steps=3, out=out, lm=lm, progress=False)


@pytest.mark.parametrize("kind", ["choice", "amount"])
def test_merging_changes_no_answer(kind: str, tmp_path: Path) -> None:
    one, all_ = Tasteful(True), Tasteful(False)
    merged, apart = grown(tmp_path / "merged", one, kind=kind), grown(tmp_path / "apart", all_, kind=kind)
    assert 2 * one.asked <= all_.asked, "three situations of six agents; numbers are the same in all seeds, too"
    assert Ledger(merged).digests == Ledger(apart).digests
    assert Ledger(merged).calls == Ledger(apart).calls, "the record is of each agent, whoever was computed"
    assert Ledger(merged).decisions == Ledger(apart).decisions
    again = Tasteful(True)
    budget = Budget(again, calls=1000)
    grown(tmp_path / "budget", budget, kind=kind)
    assert budget.calls == again.asked + 6 * 3 * 2, "what was not computed is not paid"


@pytest.mark.parametrize("kind", ["choice", "amount"])
def test_an_archetype_has_one_distribution_and_many_samples(kind: str, tmp_path: Path) -> None:
    lm = Tasteful(False)
    keyed = grown(tmp_path / "keyed", lm, kind=kind, keyed="yes")
    apart = grown(tmp_path / "apart", Tasteful(False), kind=kind)
    ours, theirs = Ledger(keyed).decisions, Ledger(apart).decisions
    assert [(d["agent"], d["value"]) for d in ours] == [(d["agent"], d["value"]) for d in theirs]
    assert [d["probabilities"] for d in ours] == [d["probabilities"] for d in theirs]
    by_agent = {d["agent"]: d.get("archetype") for d in ours}
    assert by_agent == {"agent 0": None, "agent 1": None, "agent 2": "agent 0", "agent 3": "agent 0",
                        "agent 4": "agent 1", "agent 5": None}  # fmt: skip
    alone = [d["value"] for d in ours if d["agent"] in ("agent 0", "agent 2", "agent 3")]
    assert len(set(alone)) > 1, "each draws for itself"
    assert {c.agent for c in Ledger(keyed) if c.verb == "score"} == {"agent 0", "agent 1", "agent 5"}
    assert replay(keyed, out=tmp_path / "again", system=Crowd).same


def test_a_key_joins_only_what_is_asked_alike(tmp_path: Path) -> None:
    class Two(Crowd):
        async def step(self, state: Any, context: Any) -> Any:
            asks = [Ask("a", Choice(("x", "y")), "x", "p", equivalence_key="k"),
                    Ask("b", Choice(("x", "z")), "x", "p", equivalence_key="k")]  # fmt: skip
            return {**state, "said": [set(d.probabilities) == set(a.kind.options()) for a, d in
                                      zip(asks, await decide(Language(), asks, context), strict=True)]}  # fmt: skip

    lm = Tasteful(True)
    made = el.run(Two(), seeds=1, steps=1, out=tmp_path / "run", lm=lm, progress=False)
    assert [set(d["probabilities"]) for d in Ledger(made).decisions] == [{"x", "y"}, {"x", "z"}]


def test_without_log_probabilities_each_agent_is_asked(tmp_path: Path) -> None:
    lm = Scripted(lambda r: "sing", name="writer")
    made = grown(tmp_path / "run", lm, keyed="yes")
    assert len(Ledger(made).decisions) == 36 == len([c for c in Ledger(made) if "be silent" in c.request["prompt"]])
    assert np.isnan(made.data["mass"].values).all()


def test_mass_and_bias_are_observables(tmp_path: Path) -> None:
    made = grown(tmp_path / "run", Tasteful(True))
    decisions = [d for d in Ledger(made).decisions if d["seed"] == 0]
    for name, key in (("mass", "mass"), ("place_bias", "bias")):
        wanted = np.mean([d[key] for d in decisions])
        assert made.data[name].sel(condition="base", seed=0).values[-1] == pytest.approx(wanted)
    assert 0 < made.data["mass"].values[0, 0, -1] <= 1 and made.data["place_bias"].values[0, 0, -1] > 0


def test_a_batch_of_the_embedded_model_is_the_same_merged(smollm2: Any) -> None:
    """Only the batch is smaller, which moves the last digits at most."""
    assert smollm2.merges
    items = [(Request(f"You are {where}. You"), [" sing", " walk"]) for where in SITUATIONS]
    merged = asyncio.run(Desk(smollm2).ask("score", items))
    alone = smollm2.score(*map(list, zip(*items, strict=True)))
    np.testing.assert_allclose(merged, alone, atol=1e-4)
    np.testing.assert_array_equal(merged[0], merged[2])
