"""Several devices compute what one does: blocks of seeds side by side, or one population cut among them."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Int, PRNGKeyArray

import emergelab as el

from .systems import Drift, Voter

ROOT = Path(__file__).resolve().parents[2]


class Crowd(eqx.Module):
    money: Int[Array, "group member"]
    spent: Int[Array, "group"]


class Village(el.System):
    """Groups whose members pay whole coins into a common chest, which is shared out: sums over all, and exact."""

    population = ("money", "spent")
    groups: int = el.static(8, low=1, high=64, about="groups")
    tax: float = el.param(0.1, low=0.0, high=1.0, about="share that is paid")
    observables = (el.Observable("chest"), el.Observable("money", dims=("group",)))

    def init(self, key: PRNGKeyArray) -> Crowd:
        return Crowd(jax.random.randint(key, (self.groups, 16), 0, 1000), jnp.zeros(self.groups, jnp.int32))

    def step(self, state: Crowd, key: PRNGKeyArray) -> Crowd:
        paid = jnp.floor(self.tax * state.money).astype(jnp.int32)
        chest = jnp.sum(el.whole(jnp.sum(paid, axis=1)))
        luck = jax.random.randint(key, state.money.shape, 0, 3)
        return Crowd(state.money - paid + luck * (chest // state.money.size), state.spent + jnp.sum(paid, axis=1))

    def observe(self, state: Crowd, key: PRNGKeyArray) -> dict[str, Array]:
        by_group = jnp.sum(state.money, axis=1)
        return {"chest": jnp.sum(el.whole(by_group)), "money": by_group}


class Misnamed(Village):
    population = ("mony",)


def main(folder: str, stop: str) -> None:
    """What the tests below let a process with some number of devices do."""
    out = Path(folder)
    el.run(Drift(), steps=200, every=20, seeds=8, out=out / "drift", progress=False, workers=2)
    el.run(Voter(), steps=200, every=20, seeds=9, conditions={"a": {}, "b": {"noise": 0.3}}, out=out / "voter",
           progress=False)  # fmt: skip
    el.run(Village(), steps=60, every=5, seeds=1, out=out / "village", progress=False)
    el.run(Village(groups=9), steps=60, every=5, seeds=1, out=out / "uneven", progress=False)
    if stop == "stop":
        from emergelab.engine import driver

        write, left = driver.Store.write_checkpoint, [3]

        def some(self, *args):
            write(self, *args)
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

        driver.Store.write_checkpoint = some
        with contextlib.suppress(el.Interrupted):
            el.run(Village(), steps=60, every=5, seeds=1, out=out / "stopped", progress=False, chunk=2)
    print(json.dumps({"devices": jax.local_device_count()}))


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The same runs on one device and on three."""
    found = {}
    for devices in (1, 3):
        folder = tmp_path_factory.mktemp(f"on{devices}")
        env = dict(os.environ, XLA_FLAGS=f"--xla_force_host_platform_device_count={devices}")
        code = f"from tests.engine.test_devices import main; main({str(folder)!r}, 'stop')"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == {"devices": devices}
        found[devices] = folder
    return found


@pytest.mark.parametrize("name", ["drift", "voter", "village", "uneven"])
def test_the_results_are_those_of_one_device(grown, name):
    one, three = (el.load(grown[n] / name) for n in (1, 3))
    for observable in one.data.data_vars:
        np.testing.assert_array_equal(one.data[observable].values, three.data[observable].values, err_msg=observable)


def test_the_population_is_cut_among_the_devices():
    """On one device nothing is; on more, the declared arrays are, and as many devices are used as divide them."""
    from emergelab.engine.blocks import _parts, devices_of_each

    shape = jax.eval_shape(lambda: Crowd(jnp.zeros((1, 1, 8, 16)), jnp.zeros((1, 1, 8))))
    assert _parts(shape, Village.population, 4) == {"devices": 4, "parted": (True, True)}
    assert _parts(shape, ("money",), 3) == {"devices": 2, "parted": (True, False)}
    assert devices_of_each({"conditions": {"base": {}}, "seeds": [0]}, Village()) == 1


def test_a_run_that_was_begun_on_three_devices_goes_on_on_one(grown):
    stopped = grown[3] / "stopped"
    assert el.load(stopped).status == "interrupted" and el.load(stopped).done < 1
    made = el.resume(stopped, progress=False)
    whole = el.load(grown[1] / "village")
    for observable in whole.data.data_vars:
        np.testing.assert_array_equal(whole.data[observable].values, made.data[observable].values)


def test_a_population_of_arrays_that_are_not_there_is_one_line():
    from emergelab.engine.blocks import _parts

    shape = jax.eval_shape(lambda: Crowd(jnp.zeros((1, 1, 8, 16)), jnp.zeros((1, 1, 8))))
    with pytest.raises(el.UserError, match=r"no site of population matches 'state\.mony'"):
        _parts(shape, Misnamed.population, 2)


def test_whole_is_nothing_on_one_device():
    x = jnp.arange(4.0)
    assert el.whole(x) is x
