"""Files that the real tools wrote are read as what was logged; nothing is filled in, and roles are told or refused."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pytest
import xarray as xr

import emergelab as el
from emergelab.runs.importers import kind_of, open_data

from .files.make import rise

FILES = Path(__file__).parent / "files"

KINDS = {
    "table.csv": "table", "table.csv.gz": "table", "table.tsv": "table", "table.jsonl": "table",
    "table.ndjson.gz": "table", "table.parquet": "table", "wandb.csv": "wandb", "wandb-grouped.csv": "wandb",
    "mesa-model.csv": "mesa", "mesa-agents.csv": "mesa", "mesa-batch.csv": "mesa", "labelled.nc": "netcdf",
    "labelled3.nc": "netcdf", "labelled.zarr": "zarr", "labelled2.zarr": "zarr", "arviz.nc": "arviz",
    "arviz.zarr": "arviz", "tensorboard": "tensorboard", "tensorboardX": "tensorboard",
    "tensorboard-tensors": "tensorboard", "mlruns": "mlflow", "lm_eval": "lm-eval",
    "lm_eval/70m-0/results.json": "lm-eval", "inspect": "inspect", "inspect/sums-1.eval": "inspect",
    "inspect/sums-2.json": "inspect",
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_file_is_recognised_and_read(name):
    assert kind_of(FILES / name) == KINDS[name]
    hints = {"by": "lr", "seed": "run"} if name.startswith("table") else {}
    opened = open_data(FILES / name, **hints)
    assert opened.kind == KINDS[name] and opened.data.data_vars and all(isinstance(n, str) for n in opened.notes)
    assert set(opened.columns) <= set(opened.data.dims) | {"seed"}
    for variable in opened.data.values():
        assert variable.dtype.kind in "iufb"


def test_every_example_is_small():
    assert all(f.stat().st_size < 60_000 for f in FILES.rglob("*") if f.is_file())


# -- tables ---------------------------------------------------------------------------------------------------------


def test_the_same_table_in_every_form():
    frame = pd.read_csv(FILES / "table.csv")
    forms = [frame, polars.from_dict(frame.to_dict("list")), polars.from_dict(frame.to_dict("list")).lazy()]
    forms += [pa.table(frame.to_dict("list")), frame.to_dict("records")]
    forms += [FILES / n for n in KINDS if n.startswith("table")]
    first = open_data(frame, by="lr", seed="run", value="acc").data
    assert dict(first.sizes) == {"condition": 2, "seed": 3, "time": 20}
    assert (
        first["acc"].sel(condition=0.1, seed=1, time=60).item()
        == frame.query("lr == 0.1 and run == 1 and step == 60").acc.item()
    )
    for form in forms:
        xr.testing.assert_equal(open_data(form, by="lr", seed="run", value="acc").data, first)


def test_a_table_whose_columns_speak_for_themselves():
    opened = open_data(
        pd.DataFrame({"Epoch": [0, 1, 0, 1], "seed": [3, 3, 4, 4], "acc": [0.1, np.nan, 0.3, 0.4], "who": list("aabb")})
    )
    assert opened.columns == {"time": "Epoch", "seed": "seed"} and list(opened.data) == ["acc"]
    assert opened.notes == ("time is the column 'Epoch'", "seed is the column 'seed'")
    assert np.isnan(opened.data["acc"].sel(seed=3, time=1))


def test_rows_chosen_and_scores_spread():
    long = pd.DataFrame(
        [(t, s, m, t + s + 10 * (m == "ppl"), k) for t in (1, 2) for s in (0, 1) for m in ("acc", "ppl") for k in "ab"],
        columns=["t", "seed", "metric", "value", "kept"],
    )
    opened = open_data(
        long,
        where=[("kept", "a")],
        spread_columns=("metric", "value"),
        time="t",
        seed="seed",
        value="acc",
        companion="ppl",
    )
    assert opened.data["ppl"].sel(seed=1, time=2) == 13 and opened.data["acc"].sel(seed=1, time=2) == 3


def test_a_column_called_like_a_dim_stays_apart():
    opened = open_data(pd.DataFrame({"step": [1, 2], "time": [5.0, 6.0]}), time="step", value="time")
    assert (
        list(opened.data) == ["time_"]
        and list(opened.data["time_"].values) == [5, 6]
        and list(opened.data.time) == [1, 2]
    )


# -- labelled arrays ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["labelled.nc", "labelled3.nc", "labelled.zarr", "labelled2.zarr"])
def test_labelled_files_are_what_xarray_wrote(name):
    rng = np.random.default_rng(1)
    time = np.array([0.0, 10, 20, 40, 80, 160, 320])
    acc = np.stack([[rise(time, 60 + 10 * s, rng) for s in range(3)] for _ in "ab"])
    acc[1, 2, 5:] = np.nan
    data = open_data(FILES / name).data
    np.testing.assert_array_equal(data["acc"], acc.astype(np.float32))
    assert list(data.condition.values) == ["small", "large"] and list(data.seed.values) == [4, 7, 9]
    assert data["n"].dims == ("condition",) and list(data["n"].values) == [10, 20]
    assert data.time.attrs["units"] == "updates" and data["acc"].attrs["long_name"] == "accuracy"
    assert data["acc"].sel(condition="large", seed=9, time=320).isnull(), "an ended record is not filled"
    only = open_data(FILES / name, value="acc", by="condition", seed="seed").data
    assert list(only) == ["acc"] and "condition" in only.coords


def test_objects_of_xarray_are_read_as_they_are():
    array = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("rat", "day"), coords={"day": [1, 2, 4]})
    opened = open_data(array, seed="rat", time="day")
    assert opened.data["value"].dims == ("seed", "time") and opened.columns == {"time": "day", "seed": "rat"}
    tree = xr.DataTree.from_dict({"a": array.to_dataset(name="x"), "b": array.to_dataset(name="y")})
    assert list(open_data(tree, group="b").data) == ["y"]
    with pytest.raises(el.UserError, match="say which with group="):
        open_data(tree)


def test_times_of_files_stay_numbers_with_their_unit(tmp_path):
    data = xr.Dataset(
        {"y": ("time", [1.0, 2])}, coords={"time": ("time", [0, 36], {"units": "hours since 2000-01-01"})}
    )
    data.to_netcdf(tmp_path / "t.nc", engine="scipy")
    read = open_data(tmp_path / "t.nc").data
    assert list(read.time.values) == [0, 36] and read.time.attrs["units"] == "hours since 2000-01-01"


@pytest.mark.parametrize("name", ["arviz.nc", "arviz.zarr"])
def test_chains_are_seeds_and_draws_are_time(name):
    rng = np.random.default_rng(6)
    mu, theta = rng.normal(size=(4, 50)), rng.normal(size=(4, 50, 3))
    opened = open_data(FILES / name)
    assert opened.data["mu"].dims == ("seed", "time") and opened.columns == {"time": "draw", "seed": "chain"}
    np.testing.assert_array_equal(opened.data["mu"], mu)
    np.testing.assert_array_equal(opened.data["theta"].sel(school="Deerfield"), theta[..., 1])
    assert "there are also" in opened.notes[0]
    assert open_data(FILES / name, group="sample_stats").data["diverging"].dtype == bool
    assert list(open_data(FILES / name, group="observed_data").data["y"].values) == [28, 8, -3]
    with pytest.raises(el.UserError, match="no group 'priorr'"):
        open_data(FILES / name, group="priorr")


def test_inference_data_in_memory():
    class InferenceData(dict):
        def groups(self):
            return list(self)

    data = xr.Dataset({"mu": (("chain", "draw"), np.zeros((2, 5)))}, coords={"draw": np.arange(5)})
    assert open_data(InferenceData(posterior=data)).data["mu"].dims == ("seed", "time")
    assert open_data(xr.DataTree.from_dict({"posterior": data, "prior": data})).data["mu"].dims == ("seed", "time")


# -- loggers --------------------------------------------------------------------------------------------------------


def test_tensorboard_tags_folders_and_values():
    data = open_data(FILES / "tensorboard").data
    assert set(data.data_vars) == {"train/acc", "eval/acc"}, "texts and histograms are no scalars"
    assert list(data.condition.values) == ["lr-0.01", "lr-0.1"] and list(data.seed.values) == [0, 1]
    rng, time = np.random.default_rng(2), np.arange(0, 300, 15)
    np.testing.assert_array_equal(data.time, time)
    for lr in ("lr-0.1", "lr-0.01"):
        for seed in (0, 1):
            expected = rise(time, 100 + 50 * (lr == "lr-0.01") + 10 * seed, rng).astype(np.float32)
            for tag in data:  # simple_value and, as new_style writes it, a tensor
                np.testing.assert_array_equal(data[tag].sel(condition=lr, seed=seed), expected)
    one = open_data(FILES / "tensorboard", runs=r"lr-(?P<condition>.+)/seed-(?P<seed>\d)", value="eval/acc").data
    assert list(one.condition.values) == ["0.01", "0.1"] and list(one) == ["eval/acc"]


def test_tensorboard_tensors_of_every_precision():
    data = open_data(FILES / "tensorboard-tensors").data
    for name in ("half", "single", "double"):
        np.testing.assert_array_equal(data[name], np.arange(6) + 0.25)
    np.testing.assert_array_equal(data["int"], np.arange(6))


def test_a_restarted_run_and_the_folders_of_keras(tmp_path):
    file = next((FILES / "tensorboardX").iterdir())
    for split in ("train", "validation"):
        for i, name in enumerate((file.name, file.name + ".1")):
            (tmp_path / "run" / split).mkdir(parents=True, exist_ok=True)
            raw = file.read_bytes()
            (tmp_path / "run" / split / name).write_bytes(raw if i == 0 else raw[: len(raw) * 2 // 3])
    opened = open_data(tmp_path)
    assert set(opened.data.data_vars) == {"train/score", "validation/score"} and opened.data["train/score"].dims == (
        "time",
    )
    assert any("share their run and time" in n for n in opened.notes) and any("cut off" in n for n in opened.notes)
    np.testing.assert_allclose(opened.data["train/score"], np.arange(0, 50, 5) / 50, rtol=1e-6)
    with pytest.raises(el.UserError, match="records at time 0 in one run; pass repeats='last'"):
        open_data(tmp_path, repeats="refuse")


def test_wandb_runs_are_seeds_and_bounds_are_kept_where_they_say_something():
    rng, time = np.random.default_rng(3), np.arange(0, 100, 10)
    opened = open_data(FILES / "wandb.csv")
    assert list(opened.data) == ["eval/acc"], "__MIN and __MAX that repeat the value are dropped"
    assert list(opened.data.condition.values) == ["c51", "dqn"] and list(opened.data.seed.values) == [1, 2]
    first = opened.data["eval/acc"].sel(condition="c51", seed=1)
    np.testing.assert_allclose(first, rise(time, 30, rng), atol=1e-4)
    assert opened.data["eval/acc"].sel(condition="c51", seed=2).isnull().sum() == 3, (
        "a run that ended early ends in NaN"
    )
    grouped = open_data(FILES / "wandb-grouped.csv")
    assert set(grouped.data.data_vars) == {"eval/acc", "eval/acc__MIN", "eval/acc__MAX"}
    assert any("means over groups" in n for n in grouped.notes) and grouped.columns["time"] == "trainer/global_step"


def test_mlflow_runs_parameters_and_what_was_deleted():
    plain = open_data(FILES / "mlruns")
    assert plain.data.sizes["seed"] == 4 and any("differ in seed, weight_decay" in n for n in plain.notes)
    assert "1 deleted runs are left out" in plain.notes
    opened = open_data(FILES / "mlruns", by="weight_decay", seed="seed")
    data = opened.data
    assert list(data.condition.values) == ["0.0", "1.0"] and list(data.seed.values) == [0, 1]
    assert opened.columns == {"time": "step", "condition": "weight_decay", "seed": "seed"}
    rng, time = np.random.default_rng(4), np.arange(0, 120, 20)
    for decay in (0.0, 1.0):
        for seed in (0, 1):
            expected = rise(time, 50 + 30 * (decay == 0), rng).round(4)
            np.testing.assert_allclose(data["val_acc"].sel(condition=str(decay), seed=seed), expected, atol=1e-12)
    assert data["train/loss"].sel(time=100).isnull().all() and (data["train/loss"].sel(time=80) == 1.5).all()
    kept = open_data(FILES / "mlruns", where=[("weight_decay", "1.0")], value="val_acc").data
    assert kept.sizes["seed"] == 2 and list(kept) == ["val_acc"]
    named = open_data(FILES / "mlruns", by="weight_decay").data
    assert set(named.seed.values) == {0, 1}, "runs without a number are counted within their condition"
    assert open_data(FILES / "mlruns", runs=r"wd(?P<condition>\d)-(?P<seed>\d)").data.condition.values.tolist() == [
        "0",
        "1",
    ]
    with pytest.raises(el.UserError, match="no parameter or tag 'wd'"):
        open_data(FILES / "mlruns", by="wd")


def test_lm_eval_steps_models_and_companions():
    opened = open_data(FILES / "lm_eval")
    acc = opened.data["toy_sums/acc"]
    assert list(acc.condition.values) == ["toy/toy-70m", "toy/toy-160m"]
    assert list(acc.time.values) == [0, 1000, 2000] and acc.attrs["items"] == 40 and acc.attrs["higher_is_better"] == 1
    assert acc.attrs["stderr"] == "toy_sums/acc_stderr" and "toy_sums/brier_score" in acc.attrs["companions"]
    for i, size in enumerate(("70m", "160m")):
        for step in (0, 1000, 2000):
            said = json.loads((FILES / "lm_eval" / f"{size}-{step}" / "results.json").read_text())["results"][
                "toy_sums"
            ]
            assert acc.isel(condition=i).sel(time=step) == said["acc,none"]
    assert "toy_sums/brier_score_stderr" not in opened.data, "'N/A' is no number"
    by_hand = open_data(
        FILES / "lm_eval", runs=r"toy-(?P<condition>\d+m).*step(?P<time>\d+)", value="toy_sums/acc"
    ).data
    assert list(by_hand.condition.values) == ["70m", "160m"] and list(by_hand) == ["toy_sums/acc"]
    last = open_data([FILES / "lm_eval" / f"{s}-2000" / "results.json" for s in ("70m", "160m")])
    assert last.columns["time"].startswith("parameters") and list(last.data.time.values) == [70e6, 160e6]


def test_results_of_old_versions_of_the_harness(tmp_path):
    for size in ("70m", "1.4b"):
        text = {
            "results": {"lambada_openai": {"ppl": 3.5, "ppl_stderr": 0.1, "acc": 0.7, "acc_stderr": 0.01}},
            "versions": {"lambada_openai": 0},
            "config": {"model": "gpt2", "model_args": f"pretrained=EleutherAI/pythia-{size}", "num_fewshot": 0},
        }
        (tmp_path / f"{size}.json").write_text(json.dumps(text))
    data = open_data(tmp_path).data
    assert list(data.time.values) == [70e6, 1.4e9] and data["lambada_openai/ppl"].dims == ("time",)


def test_inspect_samples_are_items_and_epochs_replicates():
    opened = open_data(FILES / "inspect")
    match = opened.data["match"]
    assert match.dims == ("condition", "seed", "item") and opened.columns["condition"] == "level"
    assert list(match["item"].values) == [f"sum-{i}" for i in range(4)] and list(match.seed.values) == [1, 2]
    log = json.loads((FILES / "inspect" / "sums-2.json").read_text())
    for sample in log["samples"]:
        expected = {"C": 1.0, "I": 0.0}[sample["scores"]["match"]["value"]]
        assert match.sel(condition="2", seed=sample["epoch"], item=sample["id"]) == expected
    single = open_data(FILES / "inspect" / "sums-1.eval").data
    xr.testing.assert_equal(single["match"], match.sel(condition="1", drop=True))
    assert list(open_data(FILES / "inspect", time="level").data["match"].time.values) == [1, 2]


def test_an_unfinished_inspect_log_is_read_and_named(tmp_path):
    log = json.loads((FILES / "inspect" / "sums-2.json").read_text())
    log["status"] = "error"
    log["samples"][0]["scores"]["match"]["value"] = {"grade": 0.5, "why": "because"}
    (tmp_path / "log.json").write_text(json.dumps(log))
    opened = open_data(tmp_path / "log.json")
    assert (
        any("did not finish" in n for n in opened.notes) and "1 scores are no numbers and are left out" in opened.notes
    )
    assert opened.data["match/grade"].count() == 1


def test_mesa_in_memory_and_from_csv():
    frame = pd.DataFrame({"spread": [0.0, 0.5, 0.8]})
    agents = pd.DataFrame(
        {"wealth": [1, 1, 2, 0]}, index=pd.MultiIndex.from_product([[0, 1], [1, 2]], names=["Step", "AgentID"])
    )

    class DataCollector:
        agent_reporters = {"wealth": None}

        def get_model_vars_dataframe(self):
            return frame

        def get_agent_vars_dataframe(self):
            return agents

    data = open_data(DataCollector()).data
    assert data["spread"].dims == ("time",) and data["wealth"].dims == ("agent", "time") and data.sizes["time"] == 3
    assert data["wealth"].sel(agent=1, time=1) == 2 and data["wealth"].sel(time=2).isnull().all()
    assert open_data(frame, kind="mesa").data["spread"].sel(time=2) == 0.8
    raw = pd.read_csv(FILES / "mesa-agents.csv")
    read = open_data(FILES / "mesa-agents.csv").data["wealth"]
    row = raw.iloc[17]
    assert read.sel(time=row.Step, agent=row.AgentID) == row.wealth and (read.sum("agent") == 5).all()


def test_a_mesa_batch():
    opened = open_data(FILES / "mesa-batch.csv")
    data, raw = opened.data, pd.read_csv(FILES / "mesa-batch.csv")
    assert data["spread"].dims == ("condition", "seed", "time"), (
        "what the model reports is not repeated for every agent"
    )
    assert opened.columns == {"time": "Step", "condition": "n", "seed": "seed", "agent": "AgentID"}
    row = raw.query("n == 5 and seed == 2 and Step == 4 and AgentID == 3").iloc[0]
    assert data["wealth"].sel(condition="5", seed=2, time=4, agent=3) == row.wealth
    assert data["spread"].sel(condition="5", seed=2, time=4) == row.spread
    assert data["wealth"].sel(condition="3", agent=5).isnull().all(), "a smaller model has no such agent"
    rows = raw.drop(columns=["AgentID", "wealth"]).drop_duplicates().to_dict("records")
    assert open_data(rows).data["spread"].dims == ("condition", "seed", "time")


def test_a_run_of_our_own(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    assert kind_of(tmp_path) == "run"
    with pytest.raises(el.UserError, match="not one of emergelab's"):
        open_data(tmp_path)
    run = SimpleNamespace(data=xr.Dataset({"up": (("condition", "seed", "time"), np.zeros((1, 2, 3)))}))
    assert open_data(run).kind == "run" and open_data(run, value="up").data["up"].dims == ("condition", "seed", "time")


def test_rows_longer_than_the_header_are_refused(tmp_path):
    """pandas would take the first column for labels of rows, and every score would stand under its neighbour's name."""
    (tmp_path / "x.csv").write_text("step,acc\n1,0.5,9\n2,0.6,9\n")
    with pytest.raises(el.UserError, match="more cells than the first line has names"):
        open_data(tmp_path / "x.csv")


# -- what is refused ------------------------------------------------------------------------------------------------

REFUSED = {
    "absent": (lambda d: d / "absent.csv", {}, "no such file or folder"),
    "empty folder": (lambda d: d, {}, "this is a folder with 0 files"),
    "unknown ending": (lambda d: _write(d / "x.xyz", b"abc"), {}, "its ending must be one of"),
    "a pickle": (lambda d: _write(d / "x.pkl", b"\x80\x04K\x01."), {}, "unpickling runs code"),
    "a pickle by another name": (lambda d: _write(d / "x.dat", b"\x80\x04K\x01."), {}, "unpickling runs code"),
    "numpy": (lambda d: _write(d / "x.npz", b"PK\x03\x04"), {}, "name the dims and pass an xarray.DataArray"),
    "other JSON": (lambda d: _write(d / "x.json", b'{"a": 1}'), {}, "JSON with 'a' fits nothing"),
    "no time": (lambda d: _write(d / "x.csv", b"a,b\n1,2\n"), {}, "which column is the time"),
    "an object": (lambda d: 3, {}, "a int fits nothing"),
    "a hint that is not understood": (lambda d: FILES / "tensorboard", {"group": "x"}, "do not understand group="),
    "an unknown kind": (lambda d: FILES / "wandb.csv", {"kind": "wand"}, "did you mean 'wandb'"),
    "a wrong kind": (lambda d: FILES / "table.csv", {"kind": "wandb"}, "not an export of a W&B chart"),
    "another wrong kind": (lambda d: FILES / "table.csv", {"kind": "netcdf"}, "no netCDF file"),
    "an unknown tag": (lambda d: FILES / "tensorboard", {"value": "train/ac"}, "did you mean 'train/acc'"),
    "a pattern that is none": (lambda d: FILES / "tensorboard", {"runs": "("}, "no regular expression"),
    "a pattern without groups": (lambda d: FILES / "tensorboard", {"runs": "seed"}, "must have named groups"),
    "a pattern that does not fit": (lambda d: FILES / "wandb.csv", {"runs": "(?P<seed>9+)"}, "does not fit the run"),
    "a pattern that tells too little": (lambda d: FILES / "wandb.csv", {"runs": r"(?P<seed>\d)$"}, "the same labels"),
    "repeats": (lambda d: FILES / "wandb.csv", {"repeats": "first"}, "repeats must be one of"),
    "an MLflow line": (lambda d: _mlflow(d, "12 0.5"), {}, "has step 0|must be"),
    "an MLflow text": (lambda d: _mlflow(d, "12 high 1"), {}, "must be 'timestamp value step'"),
    "two kinds of path": (lambda d: [FILES / "inspect", FILES / "lm_eval"], {}, "several paths must all be"),
    "no inspect log": (lambda d: FILES / "inspect", {"by": "size"}, "no model, task or argument 'size'"),
}  # fmt: skip


def _write(path, raw):
    path.write_bytes(raw)
    return path


def _mlflow(folder, line):
    (folder / "metrics").mkdir()
    (folder / "meta.yaml").write_text("run_id: x\n")
    (folder / "metrics" / "acc").write_text(line + "\n")
    return folder


@pytest.mark.parametrize("case", REFUSED)
def test_what_fits_nothing_is_one_clear_line(case, tmp_path):
    make, hints, message = REFUSED[case]
    if case == "an MLflow line":
        assert any(message.split("|")[0] in n for n in open_data(make(tmp_path)).notes)
        return
    with pytest.raises(el.UserError, match=message) as caught:
        open_data(make(tmp_path), **hints)
    assert "\n" not in str(caught.value)


def test_links_are_not_followed(tmp_path):
    shutil.copytree(FILES / "tensorboardX", tmp_path / "logs")
    (tmp_path / "logs" / "other").symlink_to(FILES / "tensorboard", target_is_directory=True)
    opened = open_data(tmp_path / "logs")
    assert list(opened.data) == ["score"] and "1 links were not followed" in opened.notes
    shutil.copytree(FILES / "labelled.zarr", tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "acc" / "c" / "9").symlink_to("/etc/hostname")
    with pytest.raises(el.UserError, match="holds links, which are not followed"):
        open_data(tmp_path / "a.zarr")
