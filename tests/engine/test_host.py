"""The engine of host systems: concurrent, logged, resumable, and honest about what failed."""

import json

import numpy as np
import pytest

import emergelab as el
from emergelab.engine import host

from .systems import Chatter


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(host, "_PAUSE", 0.0)


def test_records_events_and_labels(tmp_path):
    made = el.run(
        Chatter(),
        steps=10,
        every=2,
        seeds=5,
        conditions={"quiet": {"talk": 0.0}, "loud": {"talk": 1.0}},
        out=tmp_path / "r",
        progress=False,
    )
    np.testing.assert_array_equal(made.data["said"].sel(condition="loud").values, np.tile(np.arange(0, 11, 2), (5, 1)))
    assert (made.data["said"].sel(condition="quiet") == 0).all()
    events = made.events.to_pylist()
    assert {e["kind"] for e in events} == {"message", "state"}
    assert sum(e["kind"] == "message" for e in events) == 5 * 10
    assert sum(e["kind"] == "state" for e in events) == 2 * 5 * 10
    assert json.loads(next(e["payload"] for e in events if e["kind"] == "message")) == {"text": "hello at 0"}


def test_a_failing_endpoint_costs_its_seed_only(tmp_path):
    Chatter.attempts = 0
    made = el.run(Chatter(fails=1.0), steps=6, seeds=4, out=tmp_path / "r", progress=False, retries=2)
    assert set(made.failed["base"]) == {1, 3}
    assert made.failed["base"][1]["step"] == 3 and "the endpoint hung up" in made.failed["base"][1]["error"]
    assert Chatter.attempts == 2 * 6 + 2 * (3 + 3), "two repetitions of the failing step, no more"
    assert np.isfinite(made.data["said"].sel(seed=[0, 2])).all()
    assert np.isnan(made.data["said"].sel(seed=[1, 3], time=slice(4, None))).all(), "nothing is filled in"
    assert sorted(e["seed"] for e in made.events.to_pylist() if e["kind"] == "failed") == [1, 3]


def test_concurrency_and_every_change_nothing(tmp_path):
    one = el.run(Chatter(), steps=12, every=1, seeds=6, out=tmp_path / "a", progress=False, workers=1)
    many = el.run(Chatter(), steps=12, every=4, seeds=6, out=tmp_path / "b", progress=False, workers=6)
    np.testing.assert_array_equal(one.data["said"].sel(time=many.data.time).values, many.data["said"].values)


def test_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    whole = el.run(Chatter(), steps=12, seeds=3, out=tmp_path / "whole", progress=False)
    write, count = host.Store.write_checkpoint, 0

    def some(self, *args):
        nonlocal count
        count += 1
        if count > 17:
            raise KeyboardInterrupt
        write(self, *args)

    monkeypatch.setattr(host.Store, "write_checkpoint", some)
    monkeypatch.setattr(host, "_COMMIT_SECONDS", 0.0)
    with pytest.raises(el.Interrupted, match="emergelab resume"):
        el.run(Chatter(), steps=12, seeds=3, out=tmp_path / "cut", progress=False)
    monkeypatch.setattr(host.Store, "write_checkpoint", write)
    assert 0 < el.load(tmp_path / "cut").done < 1
    cut = el.resume(tmp_path / "cut", progress=False)
    np.testing.assert_array_equal(whole.data["said"].values, cut.data["said"].values)
    keys = [("time", "ascending"), ("seed", "ascending")]
    assert whole.events.sort_by(keys).to_pylist() == cut.events.sort_by(keys).to_pylist()


def test_sites_of_host_systems_can_be_clamped(tmp_path):
    made = el.run(Chatter(talk=0.0), steps=10, seeds=2, out=tmp_path / "r", progress=False,
                  interventions=[el.Clamp("speaks", True, during=(4, 7))])  # fmt: skip
    np.testing.assert_array_equal(made.data["said"].values[0, 0], [0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3])


def test_wrong_observables_are_the_authors_mistake(tmp_path):
    class Wrong(Chatter):
        async def observe(self, state, context):
            return {"heard": 1}

    with pytest.raises(el.UserError, match=r"must return \['said'\], got \['heard'\]"):
        el.run(Wrong(), steps=2, seeds=1, out=tmp_path / "r", progress=False)
