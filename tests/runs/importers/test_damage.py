"""Whatever bytes are given: labelled data or one line of UserError. Nothing is run, and it ends soon."""

import gzip
import io
import json
import pickle
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.runs.importers import _safe, open_data

FILES = Path(__file__).parent / "files"
SINGLE = (
    "table.csv", "table.csv.gz", "table.jsonl", "table.parquet", "wandb.csv", "mesa-batch.csv", "labelled.nc",
    "labelled3.nc", "inspect/sums-1.eval", "inspect/sums-2.json", "lm_eval/70m-0/results.json",
)  # fmt: skip
FOLDERS = ("tensorboard-tensors", "mlruns", "labelled.zarr", "labelled2.zarr", "lm_eval")
QUICK = settings(
    max_examples=15, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def check(source, **hints):
    """Data or one line; returns which."""
    try:
        opened = open_data(source, **hints)
    except el.UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 1500
        return None
    assert isinstance(opened.data, xr.Dataset) and opened.data.data_vars
    for variable in opened.data.variables.values():
        assert variable.dtype.kind in "iufbUO" and variable.values.shape == variable.shape
    repr(opened.data)
    return opened


@st.composite
def damage(draw):
    """What may happen to a file: it is cut off, bits turn, a piece is written over, repeated or lost."""
    kind = draw(st.sampled_from(["cut", "bits", "bits", "over", "twice", "lost"]))
    places = draw(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=6))
    data = draw(st.binary(min_size=1, max_size=12))

    def do(raw):
        at = [int(p * len(raw)) for p in places]
        out = bytearray(raw)
        if kind == "cut":
            return bytes(out[: at[0]])
        if kind == "bits":
            for p, place in zip(places, at, strict=True):
                out[place] ^= 1 << int(p * 8000) % 8
        elif kind == "over":
            out[at[0] : at[0] + len(data)] = data
        elif kind == "twice":
            out[at[0] : at[0]] = out[at[0] : at[0] + 40]
        else:
            del out[at[0] : at[0] + len(data)]
        return bytes(out)

    return do


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SINGLE)
def test_a_damaged_file(name, tmp_path):
    raw = (FILES / name).read_bytes()
    target = tmp_path / Path(name).name
    hints = {"by": "lr", "seed": "run"} if name.startswith("table") else {}

    @QUICK
    @given(damage())
    def go(do):
        target.write_bytes(do(raw))
        check(target, **hints)

    go()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_with_a_damaged_file(name, tmp_path):
    folder = tmp_path / name
    shutil.copytree(FILES / name, folder)
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.stat().st_size)

    @settings(QUICK, max_examples=8 if name.endswith("zarr") else 15)
    @given(st.integers(0, 10_000), damage())
    def go(which, do):
        file = files[which % len(files)]
        raw = file.read_bytes()
        try:
            file.write_bytes(do(raw))
            check(folder)
        finally:
            file.write_bytes(raw)

    go()


HEADS = (
    b"",
    b"\x89HDF\r\n\x1a\n",
    b"CDF\x01",
    b"CDF\x02",
    b"PAR1",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"{",
    b"[",
    b"a,b\n",
    b"\x80\x04",
)
ENDINGS = (".csv", ".csv.gz", ".jsonl", ".json", ".parquet", ".nc", ".eval", ".h5", "", ".tfevents.1")


@pytest.mark.filterwarnings("ignore")
@settings(QUICK, max_examples=80)
@given(st.sampled_from(HEADS), st.binary(max_size=300), st.sampled_from(ENDINGS))
def test_random_bytes(tmp_path, head, body, ending):
    target = tmp_path / f"x{ending}"
    target.write_bytes(head + body)
    check(target)


numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    numbers, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x, max_size=3), max_leaves=8
)


@pytest.mark.filterwarnings("ignore")
@settings(QUICK, max_examples=20)
@given(
    st.sampled_from(
        ["results", "n-samples", "higher_is_better", "config", "model_name", "date", "samples", "eval", "status"]
    ),
    anything,
)
def test_json_with_anything_in_it(tmp_path, key, value):
    for name in ("inspect/sums-2.json", "lm_eval/70m-0/results.json"):
        text = json.loads((FILES / name).read_text())
        text[key] = value
        if key == "results":
            text["results"] = {"toy": value}
        if key == "samples" and isinstance(value, dict):
            text["samples"] = [{"id": value, "epoch": 1, "scores": {"match": {"value": value}}}]
        (tmp_path / "x.json").write_text(json.dumps(text))
        check(tmp_path / "x.json")


@pytest.mark.filterwarnings("ignore")
@settings(QUICK, max_examples=30)
@given(st.data())
def test_frames_with_anything_in_them(data):
    names = [
        "step",
        "seed",
        "time",
        "acc",
        "RunId",
        "iteration",
        "Step",
        "AgentID",
        "a - b",
        "a - b__MIN",
        "Unnamed: 0",
    ]
    columns = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=5, unique=True))
    cell = st.sampled_from([0, 1, 2, 3]) | st.floats() | st.sampled_from(["x", None, "", True, 10**400])
    rows = data.draw(st.lists(st.lists(cell, min_size=len(columns), max_size=len(columns)), max_size=6))
    check(pd.DataFrame(rows, columns=columns, dtype=object))


# -- what wishes to do harm -----------------------------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def test_nothing_is_unpickled(tmp_path):
    evil = pickle.dumps(Bomb())
    for name in ("x.csv", "x.json", "x.nc", "x.pkl", "x.parquet", "x.eval", "events.out.tfevents.1"):
        (tmp_path / name).write_bytes(evil)
        assert check(tmp_path / name) is None
    np.save(tmp_path / "x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    assert check(tmp_path / "x.npy") is None


@pytest.mark.parametrize("codec", ["pickle", "json2", "msgpack2", "numcodecs.pickle"])
def test_zarr_objects_are_refused_whatever_decodes_them(tmp_path, codec):
    folder = tmp_path / "x.zarr"
    shutil.copytree(FILES / "labelled2.zarr", folder)
    about = json.loads((folder / "acc" / ".zarray").read_text())
    about.update(dtype="|O", filters=[{"id": codec}], compressor=None, fill_value=None)
    (folder / "acc" / ".zarray").write_text(json.dumps(about))
    for file in (folder / "acc").glob("[0-9]*"):
        file.write_bytes(pickle.dumps(np.array([Bomb()], dtype=object)))
    with pytest.raises(el.UserError, match=f"the decoder '{codec}' is not let through"):
        open_data(folder)


@pytest.mark.parametrize("name", ["labelled.zarr", "labelled2.zarr"])
def test_a_zarr_that_declares_more_than_there_can_be(tmp_path, name):
    folder = tmp_path / "x.zarr"
    shutil.copytree(FILES / name, folder)
    file = next(f for f in (folder / "acc" / "zarr.json", folder / "acc" / ".zarray") if f.exists())
    good = json.loads(file.read_text())
    for shape, message in (
        ([1 << 20, 1 << 20, 7], "numbers, more than"),
        ([2, 3, -1], "must be a list of whole"),
        ([2, 3], "differ in length"),
    ):
        file.write_text(json.dumps({**good, "shape": shape}))
        with pytest.raises(el.UserError, match=message):
            open_data(folder)
    if name == "labelled2.zarr":
        file.write_text(json.dumps({**good, "compressor": {"id": "zlib", "level": 1}}))
        chunk = next(f for f in file.parent.iterdir() if f.name[0].isdigit())
        chunk.write_bytes(zlib.compress(b"\0" * 10_000_000))
        with pytest.raises(el.UserError, match="decompresses to more than"):
            open_data(folder)


def test_an_hdf5_that_declares_more_than_there_can_be(tmp_path, monkeypatch):
    monkeypatch.setattr(_safe, "MAX_CELLS", 20)
    with pytest.raises(el.UserError, match=r"labelled\.nc: .*numbers, more than the 20 that are read"):
        open_data(FILES / "labelled.nc")


def test_an_attribute_that_declares_more_values_than_it_has(tmp_path):
    raw = (FILES / "arviz.nc").read_bytes()
    # DIMENSION_LIST of a variable of three dims: a dataspace of one dim of size 3, of maximal size 3.
    at = raw.find(struct.pack("<QQ", 3, 3), raw.find(b"DIMENSION_LIST"))
    for size in (1 << 20, 1 << 31, 1 << 40):
        (tmp_path / "x.nc").write_bytes(raw[:at] + struct.pack("<Q", size) + raw[at + 8 :])
        with pytest.raises(el.UserError, match="declares more values than it holds"):
            open_data(tmp_path / "x.nc")


def test_compressed_files_that_grow_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(_safe, "MAX_BYTES", 100_000)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"step,acc\n" + b"1,1\n" * 100_000))
    with pytest.raises(el.UserError, match="decompresses to more than 100,000 bytes"):
        open_data(tmp_path / "x.csv.gz")
    (tmp_path / "x.csv").write_bytes(b"step,acc\n" + b"1,1\n" * 100_000)
    with pytest.raises(el.UserError, match="400,009 bytes, more than the 100,000 that are read"):
        open_data(tmp_path / "x.csv")


def _zip(members, *, lie=None):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    raw = bytearray(made.getvalue())
    if lie is not None:  # the directory says less than the member holds
        at = raw.rfind(b"PK\x01\x02")
        struct.pack_into("<I", raw, at + 24, lie)
    return bytes(raw)


def test_zips_that_escape_or_explode(tmp_path):
    log = json.loads((FILES / "inspect" / "sums-2.json").read_text())
    header, samples = json.dumps({k: v for k, v in log.items() if k != "samples"}), json.dumps(log["samples"])
    target = tmp_path / "x.eval"
    target.write_bytes(
        _zip({"header.json": header, "../../escaped.json": "{}", "/etc/x": "{}", "summaries.json": samples})
    )
    assert check(target) is not None and not (tmp_path.parent / "escaped.json").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.eval"], "nothing is unpacked"
    target.write_bytes(_zip({"header.json": header, "summaries.json": b"[" + b" " * 5_000_000 + b"]"}, lie=100))
    with pytest.raises(el.UserError, match="decompresses to more than 100 bytes"):
        open_data(target)
    target.write_bytes(_zip({"header.json": header, "summaries.json": samples}, lie=(1 << 32) - 2))
    with pytest.raises(el.UserError, match="more than is read"):
        open_data(target)


def test_a_million_brackets(tmp_path):
    (tmp_path / "x.json").write_bytes(b"[" * 1_000_000)
    with pytest.raises(el.UserError, match="cannot be read as JSON"):
        open_data(tmp_path / "x.json")


def test_a_pipe_is_no_file(tmp_path):
    import os

    os.mkfifo(tmp_path / "x.csv")
    with pytest.raises(el.UserError, match="no ordinary file"):
        open_data(tmp_path / "x.csv")


def test_runs_with_no_common_times_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(_safe, "MAX_CELLS", 1000)
    frame = pd.DataFrame({"step": np.arange(100), "seed": np.arange(100), "acc": 1.0})
    with pytest.raises(el.UserError, match="10,000 numbers, more than the 1,000"):
        open_data(frame)


def test_event_files_check_their_checksums(tmp_path):
    file = next((FILES / "tensorboardX").iterdir())
    raw = bytearray(file.read_bytes())
    raw[-10] ^= 1
    (tmp_path / file.name).write_bytes(raw)
    with pytest.raises(el.UserError, match="wrong checksum"):
        open_data(tmp_path)
    (tmp_path / file.name).write_bytes(struct.pack("<QI", 1 << 62, 0))
    with pytest.raises(el.UserError, match="wrong checksum"):
        open_data(tmp_path)
