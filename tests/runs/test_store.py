"""What lies on disk can be opened at any time, and anything that is no run is refused with one clear line."""

import json
import shutil
import threading

import numpy as np
import pytest

import emergelab as el

from ..engine.systems import Drift, Voter


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("store") / "run"
    return el.run(
        Voter(), steps=40, every=4, seeds=[5, 2, 9], conditions={"a": {}, "b": {"noise": 0.5}}, out=out, progress=False
    )


def test_labels(finished):
    data = finished.data
    assert dict(data.sizes) == {"condition": 2, "seed": 3, "time": 11, "agent": 20}
    assert list(data.condition.values) == ["a", "b"] and list(data.seed.values) == [5, 2, 9]
    assert data["up"].dims == ("condition", "seed", "time")
    assert data["opinion"].dims == ("condition", "seed", "time", "agent")
    assert data["up"].attrs["long_name"] == "agents of opinion 1"
    np.testing.assert_array_equal(data["opinion"].sum("agent"), data["up"])


def test_run_json_holds_what_repeats_it(finished):
    info = json.loads((finished.place.local / "run.json").read_text())
    assert info["status"] == "finished" and info["seeds"] == [5, 2, 9]
    assert info["conditions"]["b"]["parameters"] == {"n": 20, "noise": 0.5, "reach": 1}
    assert info["conditions"]["a"]["parameters"]["noise"] == 0.05, "the shortest decimal, not float32's tail"
    assert {"python", "jax", "emergelab", "zarr"} <= set(info["provenance"]["versions"])
    again = el.run(Voter(**info["conditions"]["b"]["parameters"]), steps=40, every=4, seeds=info["seeds"],
                   out=finished.place.local.parent / "again", progress=False)  # fmt: skip
    np.testing.assert_array_equal(again.data["up"].isel(condition=0), finished.data["up"].sel(condition="b"))


def test_data_are_lazy(finished):
    variable = el.load(finished.path).data["opinion"].variable
    assert not isinstance(variable._data, np.ndarray)


def test_nothing_that_runs_code_lies_in_a_run(finished):
    for file in finished.place.local.rglob("*"):
        assert file.suffix not in (".pkl", ".pickle", ".py")
    for file in finished.place.local.glob("checkpoints/*.npz"):
        with np.load(file, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype.kind in "iufb" for name in arrays.files)


def test_whole_numbers_are_stored_exactly(tmp_path):
    import jax.numpy as jnp

    class Big(Voter):
        observables = (el.Observable("value"),)

        def observe(self, state, key):
            return {"value": jnp.int32(2**24 + 1)}

    made = el.run(Big(), steps=1, seeds=1, out=tmp_path / "r", progress=False)
    assert made.data["value"].values.ravel()[0] == 2**24 + 1


def test_a_reader_may_open_a_growing_run_at_any_time(tmp_path):
    out, failures, seen = tmp_path / "r", [], []
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            if not (out / "run.json").exists():
                continue
            try:
                run = el.load(out)
                curve = run.data["norm"].values
                written = np.isfinite(curve).all(axis=(0, 1))
                # What is written is a beginning: no hole before the last record.
                assert not np.any(np.diff(written.astype(int)) > 0)
                seen.append(run.done)
            except Exception as error:
                failures.append(error)
                return

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        el.run(Drift(), steps=400, every=1, seeds=4, out=out, progress=False, chunk=4)
    finally:
        stop.set()
        reader.join()
    assert not failures, failures[0]
    assert seen == sorted(seen) and len(set(seen)) > 3


def test_any_fsspec_place_serves():
    made = el.run(Voter(), steps=10, seeds=2, out="memory://bucket/run", progress=False)
    assert el.load("memory://bucket/run").status == "finished"
    assert np.isfinite(made.data["up"]).all()


REFUSED = {
    "absent": (lambda d: shutil.rmtree(d), "no such folder"),
    "no run.json": (lambda d: (d / "run.json").unlink(), "not a run"),
    "truncated run.json": (lambda d: (d / "run.json").write_text('{"format": "emerg'), "run.json is damaged"),
    "foreign run.json": (lambda d: (d / "run.json").write_text('{"a": 1}'), "not one of emergelab's"),
    "a list": (lambda d: (d / "run.json").write_text("[1]"), "not one of emergelab's"),
    "another version": (lambda d: _edit(d, version=99), "run format 99, this emergelab reads 1"),
    "lacking keys": (lambda d: _edit(d, seeds=None, drop="seeds"), "it lacks seeds"),
}


def _edit(folder, drop=None, **changes):
    info = json.loads((folder / "run.json").read_text()) | changes
    info.pop(drop, None)
    (folder / "run.json").write_text(json.dumps(info))


@pytest.mark.parametrize("damage", REFUSED)
def test_what_is_no_run_is_refused(finished, tmp_path, damage):
    folder = tmp_path / "copy"
    shutil.copytree(finished.path, folder)
    do, message = REFUSED[damage]
    do(folder)
    with pytest.raises(el.UserError, match=message) as caught:
        el.load(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_damaged_data_and_checkpoints_are_refused(finished, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished.path, folder)
    shutil.rmtree(folder / "data.zarr")
    with pytest.raises(el.UserError, match=r"data\.zarr is damaged or missing"):
        _ = el.load(folder).data
    _edit(folder, status="interrupted")
    (folder / "checkpoints" / "00000.npz").write_bytes(b"PK nothing")
    with pytest.raises(el.UserError, match=r"00000\.npz is damaged"):
        el.resume(folder, progress=False)


def test_an_occupied_or_unwritable_folder_is_refused(finished, tmp_path):
    with pytest.raises(el.UserError, match="already holds a run; choose another folder, or continue"):
        el.run(Voter(), steps=4, seeds=1, out=finished.path, progress=False)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes.txt").write_text("mine")
    with pytest.raises(el.UserError, match="is not empty"):
        el.run(Voter(), steps=4, seeds=1, out=tmp_path / "x", progress=False)
    assert (tmp_path / "x" / "notes.txt").read_text() == "mine"
    with pytest.raises(el.UserError, match="cannot be written"):
        el.run(Voter(), steps=4, seeds=1, out=tmp_path / "x" / "notes.txt" / "run", progress=False)
    with pytest.raises(el.UserError, match="cannot be opened"):
        el.run(Voter(), steps=4, seeds=1, out="nosuchscheme://a/b", progress=False)
