"""The laws of the engine: what a run may not depend on."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.engine import compiled

from .systems import Drift, Voter


def run(system, out, **options):
    options = {"steps": 60, "every": 5, "seeds": 6, "progress": False} | options
    return el.run(system, out=out, **options)


def same(a, b):
    for name in a.data.data_vars:
        np.testing.assert_array_equal(a.data[name].values, b.data[name].values, err_msg=name)


@given(chunk=st.integers(1, 15), workers=st.integers(1, 3))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_chunks_and_workers_change_nothing(tmp_path_factory, chunk, workers):
    folder = tmp_path_factory.mktemp("r")
    conditions = {"calm": {"pull": 0.1}, "still": {"pull": 0.0}}
    plain = run(Drift(), folder / "a", conditions=conditions, block_seeds=3, chunk=13, workers=1)
    cut = run(Drift(), folder / "b", conditions=conditions, block_seeds=3, chunk=chunk, workers=workers)
    same(plain, cut)


@pytest.mark.parametrize("every", [1, 3, 4, 12])
def test_how_often_is_recorded_changes_nothing(tmp_path, every):
    fine = run(Drift(), tmp_path / "fine", every=1)
    coarse = run(Drift(), tmp_path / "coarse", every=every)
    np.testing.assert_array_equal(coarse.data.time.values, np.arange(0, 61, every))
    np.testing.assert_array_equal(fine.data["norm"].sel(time=coarse.data.time).values, coarse.data["norm"].values)


def test_vmapped_conditions_equal_single_runs_exactly_for_whole_numbers(tmp_path):
    conditions = el.grid(noise=[0.0, 0.3], reach=[1, 3])
    together = run(Voter(), tmp_path / "all", conditions=conditions)
    for name, condition in conditions.items():
        alone = run(Voter(**condition.set), tmp_path / name, conditions={name: {}})
        np.testing.assert_array_equal(
            together.data["opinion"].sel(condition=name).values, alone.data["opinion"].sel(condition=name).values
        )


def test_vmapped_conditions_equal_single_runs_to_rounding_for_reals(tmp_path):
    conditions = el.grid(pull=[0.0, 0.1, 0.3])
    together = run(Drift(), tmp_path / "all", conditions=conditions)
    for i, (name, condition) in enumerate(conditions.items()):
        alone = run(Drift(**condition.set), tmp_path / str(i), conditions={name: {}})
        np.testing.assert_allclose(
            together.data["norm"].sel(condition=name).values, alone.data["norm"].sel(condition=name).values, rtol=1e-4
        )


def test_seeds_are_addressed_not_consumed(tmp_path):
    """Seed 4 is seed 4, whichever seeds run beside it; conditions share their random numbers."""
    many = run(Voter(), tmp_path / "many", seeds=6, conditions={"a": {}, "b": {}})
    some = run(Voter(), tmp_path / "some", seeds=[4, 1])
    np.testing.assert_array_equal(many.data["up"].sel(seed=[4, 1], condition="a"), some.data["up"].isel(condition=0))
    np.testing.assert_array_equal(many.data["up"].sel(condition="a"), many.data["up"].sel(condition="b"))
    assert len(np.unique(many.data["up"].sel(condition="a", time=60).values)) > 1, "seeds must differ"


def test_conditions_of_one_static_part_share_one_program(tmp_path):
    conditions = el.grid(noise=[0.0, 0.1, 0.2], reach=[1, 2])
    before = compiled.compilations
    run(Voter(n=17), tmp_path / "a", conditions=conditions)
    assert compiled.compilations == before + 1
    run(Voter(n=17), tmp_path / "b", conditions=conditions, chunk=2, every=1, steps=7)
    assert compiled.compilations <= before + 2  # the record buffer's length may differ
    run(Voter(), tmp_path / "c", conditions={"small": {"n": 10}, "large": {"n": 10, "noise": 0.5}})
    assert compiled.compilations <= before + 3


def test_conditions_of_different_size_run_apart(tmp_path):
    class Sized(Voter):
        observables = (el.Observable("up"),)

        def observe(self, state, key):
            return {"up": state.sum()}

    made = run(Sized(), tmp_path / "r", conditions={"small": {"n": 5}, "large": {"n": 50}})
    assert len(made.info["blocks"]) >= 2
    assert made.data["up"].sel(condition="small").max() <= 5
    assert made.data["up"].sel(condition="large").max() > 5


def test_divergence_is_marked_per_seed_and_the_others_go_on(tmp_path):
    made = run(Drift(), tmp_path / "r", steps=400, every=5, conditions={"calm": {"pull": 0.1}, "wild": {"pull": -2.0}})
    assert made.status == "finished"
    assert set(made.diverged) == {"wild"}
    for seed, step in made.diverged["wild"].items():
        curve = made.data["norm"].sel(condition="wild", seed=seed)
        assert not np.isfinite(curve.sel(time=step).item())
        assert np.isfinite(curve.sel(time=slice(0, step - 5))).all()
    assert np.isfinite(made.data["norm"].sel(condition="calm")).all()
    kinds = made.events.to_pydict()
    assert set(kinds["kind"]) == {"diverged"} and set(kinds["condition"]) == {"wild"}


def test_nan_that_means_undefined_is_no_divergence(tmp_path):
    made = run(Drift(), tmp_path / "r", conditions={"calm": {"pull": 0.1}})
    assert np.isnan(made.data["ratio"].isel(time=0)).all()
    assert not made.diverged


def test_records_need_not_fit_in_memory(tmp_path, monkeypatch):
    """The record buffer is bounded: a run longer than it is written piece by piece and reads as a whole."""
    from emergelab.engine import blocks

    whole = run(Voter(), tmp_path / "whole", every=1)
    monkeypatch.setattr(blocks, "_BUFFER_BYTES", 2000)
    pieces = run(Voter(), tmp_path / "pieces", every=1)
    same(whole, pieces)


def test_a_run_of_no_steps_holds_the_start(tmp_path):
    made = run(Voter(), tmp_path / "r", steps=0)
    assert made.data.sizes["time"] == 1 and made.done == 1
    assert np.isfinite(made.data["up"]).all()


def test_functions_in_the_state_are_kept(tmp_path):
    """A network with its activation function may be the state as it is."""
    import equinox as eqx
    import jax

    class Net(el.System):
        observables = (el.Observable("out"),)

        def init(self, key):
            return eqx.nn.MLP(2, "scalar", 4, 1, key=key)

        def step(self, state, key):
            return jax.tree.map(lambda x: x * 0.9 if eqx.is_array(x) else x, state)

        def observe(self, state, key):
            return {"out": state(np.ones(2, np.float32))}

    made = run(Net(), tmp_path / "r", steps=10, every=5)
    assert np.abs(made.data["out"].isel(time=-1)).max() < np.abs(made.data["out"].isel(time=0)).max()


BAD = [
    ({"seeds": 0}, "seeds must be a whole number >= 1, got 0"),
    ({"seeds": [1, 1]}, "different whole numbers"),
    ({"steps": 7, "every": 2}, "multiple of every=2"),
    ({"every": 0}, "every must be a whole number >= 1"),
    ({"steps": -1}, "steps must be"),
    ({"conditions": {"a": {"nois": 1}}}, "condition 'a': Voter: no parameter 'nois'; did you mean 'noise'?"),
    ({"conditions": {"a": {"noise": 2}}}, r"parameter 'noise' must be a number in \[0, 1\], got 2"),
    ({"conditions": {"a": 3}}, "must be a mapping of parameters"),
    ({"taps": ["nothing"]}, "no site of Voter matches 'nothing'"),
    ({"chunk": 0}, "chunk must be"),
]


@pytest.mark.parametrize("options, message", BAD)
def test_a_wrong_call_is_one_clear_line_and_leaves_nothing(tmp_path, options, message):
    with pytest.raises(el.UserError, match=message) as caught:
        run(Voter(), tmp_path / "r", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "r").exists()


def test_a_system_that_does_not_keep_its_promises_is_told(tmp_path):
    class Changing(Voter):
        def step(self, state, key):
            return state.astype("float32")

    class Silent(Voter):
        def observe(self, state, key):
            return {"up": state.sum()}

    class Flat(Voter):
        def observe(self, state, key):
            return {"up": state, "opinion": state}

    class Empty(Voter):
        observables = ()

    for system, message in [
        (Changing(), r"Changing.step must keep the state as bool\[20\], got float32\[20\]"),
        (Silent(), r"does not return \['opinion'\]"),
        (Flat(), r"observable 'up' has dims \[\] but observe returns shape \[20\]"),
        (Empty(), "observables is empty"),
    ]:
        with pytest.raises(el.UserError, match=message):
            run(system, tmp_path / "r")
