"""Interventions do exactly what they say, exactly when they say it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.engine import compiled

from .systems import Drift, Voter


class Counter(el.System):
    """Adds what its site holds: the sum of all steps at which an intervention acted."""

    size: int = el.static(3, low=1, about="length")
    observables = (el.Observable("total", dims=("i",)),)

    def init(self, key):
        return jnp.zeros(self.size)

    def step(self, state, key):
        return state + el.site("increment", jnp.arange(1.0, self.size + 1))

    def observe(self, state, key):
        return {"total": state}


def increments(tmp_path, *interventions, steps=12, **options):
    made = el.run(Counter(), steps=steps, seeds=2, interventions=interventions, out=tmp_path, progress=False, **options)
    return np.diff(made.data["total"].values[0, 0], axis=0)


PLAIN = np.tile([1.0, 2.0, 3.0], (12, 1))


@given(start=st.integers(0, 12), length=st.integers(0, 12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_clamp_acts_exactly_in_its_window(tmp_path_factory, start, length):
    got = increments(tmp_path_factory.mktemp("r") / "r", el.Clamp("increment", 9.0, during=(start, start + length)))
    expected = PLAIN.copy()
    expected[start : start + length] = 9.0
    np.testing.assert_array_equal(got, expected)


def test_each_kind_does_what_it_says(tmp_path):
    for i, (intervention, expected) in enumerate([
        (el.Clamp("increment", [7.0, 8.0, 9.0]), PLAIN * 0 + [7, 8, 9]),
        (el.Ablate("increment"), PLAIN * 0),
        (el.Ablate("increment", to="mean"), PLAIN * 0 + 2),
        (el.Shift("increment", 1), PLAIN + 1),
        (el.Scale("increment", 0.5), PLAIN * 0.5),
        (el.Swap("increment", 0, 2), PLAIN[:, ::-1]),
        (el.Swap("incr*", [0, 1], [1, 2]), None),
        (el.Replay("increment", np.arange(36).reshape(12, 3)), np.arange(36.0).reshape(12, 3)),
    ]):  # fmt: skip
        got = increments(tmp_path / str(i), intervention)
        if expected is not None:
            np.testing.assert_allclose(got, expected, rtol=1e-6, err_msg=str(intervention))


def test_they_are_applied_in_the_order_given(tmp_path):
    np.testing.assert_array_equal(
        increments(tmp_path / "a", el.Shift("increment", 1), el.Scale("increment", 2)), (PLAIN + 1) * 2
    )
    np.testing.assert_array_equal(
        increments(tmp_path / "b", el.Scale("increment", 2), el.Shift("increment", 1)), PLAIN * 2 + 1
    )


def test_schedules(tmp_path):
    got = increments(tmp_path / "pulses", el.Ablate("increment", during=el.Pulses(period=4, width=1, start=2)))
    assert [t for t in range(12) if got[t, 0] == 0] == [2, 6, 10]
    got = increments(tmp_path / "ramp", el.Clamp("increment", 0.0, during=el.Ramp(2, 6)))
    np.testing.assert_allclose(got[:, 0], [1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0, 0], atol=1e-6)


def test_noise_is_addressed_by_seed_and_time(tmp_path):
    whole = increments(tmp_path / "a", el.Noise("increment", 1.0), chunk=12)
    cut = increments(tmp_path / "b", el.Noise("increment", 1.0), chunk=1)
    np.testing.assert_array_equal(whole, cut)
    assert len(np.unique(whole - PLAIN)) == 36
    assert abs((whole - PLAIN).std() - 1) < 0.4


def test_state_can_be_clamped_without_code_in_the_system(tmp_path):
    made = el.run(Voter(noise=0.0), steps=40, seeds=4, out=tmp_path / "r", progress=False,
                  interventions=[el.Clamp("state", True, during=(20, None))])  # fmt: skip
    assert (made.data["up"].sel(time=slice(0, 19)) < 20).all()
    assert (made.data["up"].sel(time=slice(20, None)) == 20).all()


def test_replaying_a_recorded_site_reproduces_the_run(tmp_path):
    """Record what each seed's agents adopted, play it back: the same run, seed by seed."""
    first = el.run(Voter(), steps=50, seeds=[3, 1, 8], out=tmp_path / "a", taps=["adopted"], progress=False)
    replay = el.Replay.of(first, "adopted")
    again = el.run(Voter(), steps=50, seeds=[8, 3], interventions=[replay], out=tmp_path / "b", progress=False)
    np.testing.assert_array_equal(first.data["opinion"].sel(seed=[8, 3]).values, again.data["opinion"].values)
    other = el.run(Voter(), steps=50, seeds=[8], interventions=[el.Replay.of(first, "adopted")], out=tmp_path / "c",
                   conditions={"x": {"reach": 4}}, progress=False)  # fmt: skip
    np.testing.assert_array_equal(first.data["opinion"].sel(seed=[8]).values, other.data["opinion"].values)


def test_replay_needs_every_step(tmp_path):
    first = el.run(Voter(), steps=50, every=10, seeds=2, out=tmp_path / "a", taps=["adopted"], progress=False)
    with pytest.raises(el.UserError, match="needs every=1"):
        el.Replay.of(first, "adopted")
    with pytest.raises(el.UserError, match="holds no site 'other'"):
        el.Replay.of(first, "other")


def test_a_tap_shows_what_interventions_made(tmp_path):
    made = el.run(Voter(), steps=20, seeds=2, out=tmp_path / "r", taps=["adopted", "state"], progress=False,
                  interventions=[el.Clamp("adopted", True, during=(5, 10))])  # fmt: skip
    assert (made.data["adopted"].sel(time=slice(5, 9)) == 1).all()
    np.testing.assert_array_equal(made.data["state"].values, made.data["opinion"].values)


def test_sweeps_over_strength_and_time_compile_once(tmp_path):
    def go(i, strength, start):
        el.run(Drift(d=7), steps=6, seeds=2, out=tmp_path / str(i), progress=False,
               interventions=[el.Shift("force", strength, during=(start, start + 2))])  # fmt: skip

    go(0, 0.1, 0)
    before = compiled.compilations
    for i, (strength, start) in enumerate([(0.2, 1), (0.5, 3), (-1.0, 0)], start=1):
        go(i, strength, start)
    assert compiled.compilations == before


def test_conditions_with_their_own_interventions(tmp_path):
    conditions = {
        "plain": {},
        "early": el.Condition(interventions=(el.Ablate("increment", during=(0, 3)),)),
        "late": el.Condition(interventions=(el.Ablate("increment", during=(9, 12)),)),
    }
    made = el.run(Counter(), steps=12, seeds=2, conditions=conditions, out=tmp_path / "r", progress=False)
    ends = {c: made.data["total"].sel(condition=c).isel(seed=0, time=-1, i=0).item() for c in conditions}
    assert ends == {"plain": 12, "early": 9, "late": 9}
    assert made.data["total"].sel(condition="early", time=3).max() == 0


@pytest.mark.parametrize("intervention, message", [
    (lambda: el.Clamp("incremnt", 1.0), "no site of Counter matches 'incremnt'; did you mean 'increment'?"),
    (lambda: el.Clamp("increment", [1.0, 2.0]), r"does not fit site 'increment' of shape \[3\]"),
    (lambda: el.Clamp("increment", "high"), "value must be a number"),
    (lambda: el.Ablate("increment", to="median"), "to must be 'zero' or 'mean'"),
    (lambda: el.Clamp("increment", 1.0, during=(5, 2)), "stop must be >= start"),
    (lambda: el.Clamp("increment", 1.0, during=(-1, 2)), "start must be a whole number of steps >= 0"),
    (lambda: el.Clamp("increment", 1.0, during=7), "during must be None"),
    (lambda: el.Swap("increment", 0, [1, 2]), "equally long"),
    (lambda: el.Swap("increment", 0, 1, axis=3), "has no axis 3"),
    (lambda: el.Pulses(period=2, width=3), "width must be in"),
    (lambda: el.Ramp(5, 5), "full must be > start"),
])  # fmt: skip
def test_a_wrong_intervention_is_one_clear_line(tmp_path, intervention, message):
    with pytest.raises(el.UserError, match=message) as caught:
        increments(tmp_path / "r", intervention())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "r").exists()


def test_noise_and_ramps_need_real_sites(tmp_path):
    for wrong in (el.Noise("adopted", 1.0), el.Clamp("adopted", True, during=el.Ramp(0, 5))):
        with pytest.raises(el.UserError, match="real-valued site"):
            el.run(Voter(), steps=5, seeds=1, interventions=[wrong], out=tmp_path / "r", progress=False)


def test_edit_is_local():
    def f(x):
        return el.site("x", x) * 2

    with el.edit(el.Clamp("x", 5.0)):
        assert f(jnp.float32(1)) == 10
    assert f(jnp.float32(1)) == 2
    with pytest.raises(el.UserError, match="met no site"), el.edit(el.Clamp("y", 5.0)):
        f(jnp.float32(1))


def test_a_clamped_value_passes_no_gradient():
    def f(w):
        return (el.site("hidden", w * 3.0) ** 2).sum()

    def clamped(w):
        with el.edit(el.Clamp("hidden", 1.0)):
            return f(w)

    w = jnp.ones(4)
    assert (jax.grad(f)(w) == 18).all()
    assert (jax.grad(clamped)(w) == 0).all()
