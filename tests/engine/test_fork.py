"""Kept states: what they hold, and that a fork equals a run from the beginning with the same intervention later on."""

import numpy as np
import pytest

import emergelab as el

from .systems import Drift, Voter

CONDITIONS = {"near": {}, "far": {"reach": 3}, "still": {"noise": 0.0}}


def voters(folder, **options):
    return el.run(
        Voter(), steps=40, every=4, seeds=5, conditions=CONDITIONS, out=folder, progress=False, **options
    )


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return voters(tmp_path_factory.mktemp("r") / "parent", keep="log", block_seeds=2, taps=["adopted"])


def same(a, b):
    assert set(a.data.data_vars) == set(b.data.data_vars)
    for name in a.data.data_vars:
        np.testing.assert_array_equal(a.data[name].values, b.data[name].values, err_msg=name)


def test_doubling_times_and_the_end_are_kept(parent):
    assert parent.kept == [0, 4, 8, 16, 32, 40]
    assert len(parent.place.names("kept", ".npz")) == 6 * len(parent.info["blocks"])


def test_keeping_changes_nothing(parent, tmp_path):
    same(parent, voters(tmp_path / "plain", taps=["adopted"], chunk=3))


def test_a_state_is_what_is_observed_at_its_time(parent):
    state = parent.state(16, "far")
    (leaf,) = state.data_vars.values()
    assert leaf.dims[0] == "seed" and list(state.seed.values) == [0, 1, 2, 3, 4]
    up = parent.data["up"].sel(condition="far", time=16)
    np.testing.assert_array_equal(leaf.values.reshape(5, -1).sum(axis=1), up)


def test_a_fork_equals_a_run_with_the_intervention_from_there_on(parent, tmp_path):
    clamp = el.Clamp("adopted", True, during=(None, 24))
    forked = el.fork(parent.path, 16, interventions=[clamp], out=tmp_path / "fork", progress=False)
    whole = voters(
        tmp_path / "whole", taps=["adopted"], interventions=[el.Clamp("adopted", True, during=(16, 24))]
    )
    same(forked, whole)
    assert (forked.data["up"].values != parent.data["up"].values).any()
    assert forked.info["fork"] == {"at": 16} and forked.info["parent"] == parent.path


def test_an_idle_fork_of_some_conditions_equals_its_parent(parent, tmp_path):
    forked = el.fork(
        parent.path, 8, conditions=["still", "near"], out=tmp_path / "f", progress=False, keep=[20, 36], workers=1
    )
    assert list(forked.data.condition.values) == ["near", "still"]
    same_part = parent.data.sel(condition=["near", "still"])
    for name in forked.data.data_vars:
        np.testing.assert_array_equal(forked.data[name].values, same_part[name].values)
    assert forked.kept == [20, 36]
    again = el.fork(forked.path, 20, steps=60, out=tmp_path / "g", progress=False)
    assert again.data.time[-1] == 60


def test_a_fork_can_be_grown_again_from_its_run_json(parent, tmp_path):
    recorded = el.run(Voter(), steps=40, seeds=5, out=tmp_path / "rec", taps=["adopted"], progress=False)
    replay = el.Replay.of(recorded, "adopted")
    forked = el.fork(parent.path, 32, interventions=[replay], out=tmp_path / "f", progress=False)
    same(forked, el.rerun(forked.path, out=tmp_path / "again", progress=False))


def test_a_fork_resumes_like_any_run(parent, tmp_path, monkeypatch):
    from emergelab.engine import blocks

    clamp = el.Clamp("adopted", True, during=(20, 24))
    whole = el.fork(parent.path, 16, interventions=[clamp], out=tmp_path / "whole", progress=False)
    calls = []

    def dying(*args, **options):
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("killed")
        return write(*args, **options)

    write = blocks.Store.write_checkpoint
    monkeypatch.setattr(blocks.Store, "write_checkpoint", dying)
    with pytest.raises(RuntimeError, match="killed"):
        el.fork(parent.path, 16, interventions=[clamp], out=tmp_path / "cut", progress=False, chunk=1, workers=1)
    monkeypatch.undo()
    same(el.resume(tmp_path / "cut", progress=False), whole)


def test_a_fork_at_the_beginning_is_a_run(parent, tmp_path):
    forked = el.fork(parent.path, 0, interventions=[el.Ablate("adopted")], out=tmp_path / "f", progress=False)
    same(forked, voters(tmp_path / "w", taps=["adopted"], interventions=[el.Ablate("adopted")]))


@pytest.mark.parametrize(("call", "message"), [
    ({"at": 12}, r"no state of step 12 was kept \(kept: 0, 4, 8, 16, 32, 40\)"),
    ({"at": 16, "conditions": ["nea"]}, "no condition 'nea'; did you mean 'near'"),
    ({"at": 16, "steps": 16}, "steps must be a multiple of every=4 above 16, got 16"),
    ({"at": 16, "interventions": [el.Ablate("adopted", during=el.Pulses(4, 1))]}, "Pulses begins at step 0, before"),
    ({"at": 16, "interventions": [el.Replay("adopted", np.zeros((3, 20), bool))]}, "recording ends before the fork"),
])  # fmt: skip
def test_a_wrong_fork_is_one_clear_line(parent, tmp_path, call, message):
    with pytest.raises(el.UserError, match=message) as caught:
        el.fork(parent.path, **call, out=tmp_path / "f", progress=False)
    assert "\n" not in str(caught.value) and not (tmp_path / "f").exists()


@pytest.mark.parametrize(("keep", "message"), [
    ("linear", "keep must be 'log' or a list of record times, got 'linear'"),
    ([3], "multiples of every=2 from 0 to 8, got 3"),
    ([10], "from 0 to 8, got 10"),
])  # fmt: skip
def test_times_that_cannot_be_kept_are_named(tmp_path, keep, message):
    with pytest.raises(el.UserError, match=message):
        el.run(Drift(), steps=8, every=2, seeds=1, out=tmp_path / "r", progress=False, keep=keep)


def test_a_run_that_kept_nothing_says_how_to(tmp_path):
    made = el.run(Drift(), steps=4, seeds=1, out=tmp_path / "r", progress=False)
    with pytest.raises(el.UserError, match="none; grow it with keep='log'"):
        made.state(2)
