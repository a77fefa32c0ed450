"""A learner as a system: it finds the best policy of a small world, and obeys the laws of the engine."""

import numpy as np
import pytest

import emergelab as el
from emergelab.rl.learner import Learner, mean_length, mean_total
from emergelab.rl.networks import FeedForward
from emergelab.rl.rollout import evaluate
from emergelab.worlds.grid import Grid, read

LAKE = read("S...\n.P.P\n...P\nP..G")


class Walker(Learner):
    """Learns to cross a frozen lake."""

    lanes: int = el.static(8)
    horizon: int = el.static(16)

    observables = (
        el.Observable("total", about="reward of the last episodes", low=0, high=1, nan_ok=True),
        el.Observable("length", about="steps of the last episodes", unit="steps", low=0, nan_ok=True),
        el.Observable("best", about="reward of an episode that is played greedily", low=0, high=1),
    )

    def world(self):
        return Grid(LAKE, limit=20)

    def network(self, key):
        return FeedForward(key, 16, self.world().actions, widths=(16,))

    def observe(self, state, key):
        told = evaluate(self.world(), state.net, key, lanes=1, steps=20, greedy=True)
        return {"total": mean_total(state), "length": mean_length(state), "best": told.total[0]}


LEARNS = el.Condition({"rate": 5e-3})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return el.run(
        Walker(),
        seeds=4,
        steps=120,
        every=20,
        out=tmp_path_factory.mktemp("rl") / "walk",
        progress=False,
        conditions={
            "learns": LEARNS,
            "unrewarded": el.Condition(
                {"rate": 5e-3}, interventions=(el.Clamp("play.reward", np.zeros(8, np.float32)),)
            ),
        },
    )


def test_it_finds_the_way(run):
    """Six moves lead to the goal and value iteration knows no shorter way."""
    end = run.data.isel(time=-1)
    assert (end["best"].sel(condition="learns") == 1).all()
    assert (end["length"].sel(condition="learns") < 8).all()


def test_without_rewards_it_does_not(run):
    assert (run.data["best"].sel(condition="unrewarded").isel(time=-1) == 0).all()


def test_where_it_is_cut_changes_nothing(tmp_path):
    """The lanes are part of the state, so a learner goes on in the middle of its episodes."""
    keys = {"seeds": 2, "every": 2, "steps": 8, "conditions": {"learns": LEARNS}, "progress": False}
    whole = el.run(Walker(), out=tmp_path / "whole", chunk=4, workers=1, **keys)
    cut = el.run(Walker(), out=tmp_path / "cut", chunk=1, workers=1, **keys)
    for name in ("total", "length", "best"):
        np.testing.assert_array_equal(whole.data[name], cut.data[name])


def test_its_sites_are_known():
    known = {info.name for info in el.sites(Walker())}
    assert {f"play.{n}" for n in ("seen", "action", "reward", "logits", "value")} <= known
    assert {"learn.logits", "learn.value", "advantage", "rate"} <= known
    assert any(name.startswith("state.net.heads") for name in known)
    assert any(name.startswith("update.heads") for name in known)
