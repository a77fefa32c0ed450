"""Remake the example files beside this script with the tools whose logs the importers read.

The tests read what lies here and need none of these tools. To remake everything (network to PyPI, ten minutes):

    python3.11 -m venv /tmp/make
    /tmp/make/bin/pip install torch==2.13.0 tensorboard==2.21.0 tensorboardX==2.6.5 mlflow-skinny==3.17.2 \
        mesa==3.3.1 arviz==0.23.4 inspect-ai==0.3.285 lm-eval==0.4.13 polars==2.1.0 pyarrow pandas==3.1.1 \
        xarray==2026.9.0 h5netcdf==1.8.2 h5py==3.16.0 scipy==1.17.1 zarr==3.1.6
    /tmp/make/bin/python tests/runs/importers/files/make.py [NAME ...]

(arviz and lm-eval may ask for different versions of a common package; then use one environment for each and name what
to make.) Each function below says which tool wrote its files. Two things are NOT what a tool wrote of a real
experiment:

* `wandb.csv`, `wandb-grouped.csv`: the export button lives in the web application of Weights & Biases, which cannot be
  run here. The files are built to the layout of its exports: `Step`, then for each run `<run> - <metric>`,
  `<run> - <metric>__MIN` and `<run> - <metric>__MAX`; every cell in quotes; empty where a run has no value.
* `lm_eval/`: written by lm-evaluation-harness itself, but its `dummy` model stands where a language model would, and
  its answers are random numbers from a seeded generator whose accuracy rises with the checkpoint named in `model_args`.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def rise(time: np.ndarray, middle: float, rng: np.random.Generator) -> np.ndarray:
    """A score that jumps at `middle`, with a little noise."""
    return 1 / (1 + np.exp(-(time - middle) / 20)) + 0.02 * rng.standard_normal(len(time))


def fresh(name: str) -> Path:
    """An empty place for a file or folder of that name."""
    path = HERE / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    return path


def tables() -> None:
    """pandas: CSV, TSV, JSON lines, each also gzipped; polars: Parquet."""
    import pandas as pd
    import polars

    rng = np.random.default_rng(0)
    time = np.arange(0, 200, 10)
    frame = pd.concat(
        pd.DataFrame(
            {
                "step": time, "run": seed, "lr": lr, "acc": rise(time, 60 + 40 * (lr < 0.1), rng).round(4),
                "loss": (2 - rise(time, 70, rng)).round(4),
            }
        )
        for lr in (0.1, 0.01)
        for seed in range(3)
    )  # fmt: skip
    frame.to_csv(fresh("table.csv"), index=False)
    frame.to_csv(fresh("table.tsv"), index=False, sep="\t")
    fresh("table.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode(), mtime=0))
    frame.to_json(fresh("table.jsonl"), orient="records", lines=True)
    text = frame.to_json(orient="records", lines=True)
    fresh("table.ndjson.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    polars.DataFrame({c: frame[c].to_numpy() for c in frame}).write_parquet(fresh("table.parquet"))


def labelled() -> None:
    """xarray: netCDF-4 through h5netcdf, netCDF-3 through scipy, Zarr of both formats."""
    import xarray as xr

    rng = np.random.default_rng(1)
    time = np.array([0.0, 10, 20, 40, 80, 160, 320])
    acc = np.stack([[rise(time, 60 + 10 * s, rng) for s in range(3)] for _ in "ab"])
    acc[1, 2, 5:] = np.nan
    data = xr.Dataset(
        {
            "acc": (("condition", "seed", "time"), acc.astype(np.float32), {"long_name": "accuracy"}),
            "n": (("condition",), np.array([10, 20], dtype=np.int16)),
        },
        coords={"condition": ["small", "large"], "seed": [4, 7, 9], "time": ("time", time, {"units": "updates"})},
    )
    data.to_netcdf(fresh("labelled.nc"), engine="h5netcdf", encoding={"acc": {"zlib": True, "shuffle": True}})
    data.to_netcdf(fresh("labelled3.nc"), engine="scipy", format="NETCDF3_64BIT")
    data.to_zarr(fresh("labelled2.zarr"), zarr_format=2)
    data.to_zarr(fresh("labelled.zarr"), zarr_format=3, consolidated=False)


def tensorboard() -> None:
    """torch's SummaryWriter (simple values and tensors), tensorboardX, and tensorboard's writer of tensor summaries."""
    import torch
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.scalar import metadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util import tensor_util
    from tensorboardX import SummaryWriter as WriterX
    from torch.utils.tensorboard import SummaryWriter

    root = fresh("tensorboard")
    time = np.arange(0, 300, 15)
    rng = np.random.default_rng(2)
    for lr in ("lr-0.1", "lr-0.01"):
        for seed in (0, 1):
            with SummaryWriter(str(root / lr / f"seed-{seed}")) as writer:
                for step, value in zip(time, rise(time, 100 + 50 * (lr == "lr-0.01") + 10 * seed, rng), strict=True):
                    writer.add_scalar("train/acc", float(value), int(step))
                    writer.add_scalar("eval/acc", torch.tensor(float(value)), int(step), new_style=True)
                writer.add_text("note", "a text is no scalar")
                writer.add_histogram("weights", torch.arange(5.0), 0)
    with WriterX(str(fresh("tensorboardX"))) as writer:
        for step in range(0, 50, 5):
            writer.add_scalar("score", step / 50, step)
    events = EventFileWriter(str(fresh("tensorboard-tensors")))
    about = metadata.create_summary_metadata(display_name="", description="")
    for step in range(6):
        for name, dtype in (("half", np.float16), ("single", np.float32), ("double", np.float64), ("int", np.int64)):
            value = summary_pb2.Summary.Value(
                tag=name, metadata=about, tensor=tensor_util.make_tensor_proto(np.array(step + 0.25, dtype))
            )
            events.add_event(event_pb2.Event(wall_time=step, step=step, summary=summary_pb2.Summary(value=[value])))
    events.close()


def wandb() -> None:
    """Not made by the tool (see above): the layout of the export button of a chart and of a grouped chart."""
    rng = np.random.default_rng(3)
    time = np.arange(0, 100, 10)
    for name, runs, x in (
        ("wandb.csv", ("c51-seed1", "c51-seed2", "dqn-seed1", "dqn-seed2"), "Step"),
        ("wandb-grouped.csv", ("Group: c51", "Group: dqn"), "trainer/global_step"),
    ):
        columns = {x: [str(t) for t in time]}
        for i, run in enumerate(runs):
            values = [f"{v:.4f}" for v in rise(time, 30 + 10 * i, rng)]
            if i == 1:
                values[7:] = [""] * 3  # a run that ended early
            around = {"__MIN": -0.05, "__MAX": 0.05} if x != "Step" else {"__MIN": 0.0, "__MAX": 0.0}
            if x != "Step":
                for ending in ("", *around):
                    columns[f"{run} - _step{ending}"] = [str(t) for t in time]
            columns[f"{run} - eval/acc"] = values
            for ending, by in around.items():
                columns[f"{run} - eval/acc{ending}"] = [f"{float(v) + by:.4f}" if v else "" for v in values]
        with fresh(name).open("w", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))


def mlflow() -> None:
    """mlflow-skinny with its file store (in maintenance mode since 3.x, so it must be asked for)."""
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow as tool

    root = fresh("mlruns")
    with tempfile.TemporaryDirectory() as folder:
        tool.set_tracking_uri(f"file://{folder}/mlruns")
        tool.set_experiment("grokking")
        rng = np.random.default_rng(4)
        time = np.arange(0, 120, 20)
        for decay in (0.0, 1.0):
            for seed in (0, 1):
                with tool.start_run(run_name=f"wd{decay:g}-{seed}"):
                    tool.log_params({"weight_decay": decay, "seed": seed})
                    for step, value in zip(time, rise(time, 50 + 30 * (decay == 0), rng), strict=True):
                        tool.log_metric("val_acc", round(float(value), 4), step=int(step))
                        tool.log_metric("train/loss", float("nan") if step == 100 else 1.5, step=int(step))
        with tool.start_run(run_name="thrown away") as run:
            tool.log_metric("val_acc", 9.0, step=0)
        tool.delete_run(run.info.run_id)
        shutil.copytree(Path(folder) / "mlruns", root)
    for file in root.rglob("meta.yaml"):  # the place it was made in is nobody's business
        file.write_text(file.read_text().replace(folder, "/home/user"))
    for file in root.rglob("mlflow.source.name"):
        file.write_text("train.py")


TASK = """\
task: toy_sums
dataset_path: json
dataset_kwargs:
  data_files: {{test: {data}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{q}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: label
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
  - {{metric: brier_score, aggregation: brier_score, higher_is_better: false}}
"""

LM = """\
import random, sys
import lm_eval
from lm_eval.api.registry import register_model
from lm_eval.models.dummy import DummyLM
from lm_eval.__main__ import cli_evaluate

@register_model("rehearsal")
class Rehearsal(DummyLM):
    \"\"\"The harness's dummy with answers that are right more often at later checkpoints.\"\"\"
    def __init__(self, revision="step0", pretrained="", **kwargs):
        super().__init__()
        self.skill = int(revision.removeprefix("step")) / 2000
        self.random = random.Random(revision + pretrained)
    def loglikelihood(self, requests, disable_tqdm=False):
        out = []
        for request in requests:
            right = request.args[1].strip() == request.doc["choices"][request.doc["label"]]
            out.append((-self.random.random() * 4 + 3 * self.skill * right - 3, False))
        return out

sys.exit(cli_evaluate())
"""


def lm_eval() -> None:
    """lm-evaluation-harness's command line, on a local task and a local stand-in for a model."""
    root = fresh("lm_eval")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rng = np.random.default_rng(5)
        rows = []
        for a, b in rng.integers(1, 50, (40, 2)).tolist():
            rows.append({"q": f"{a}+{b}=", "choices": [str(a + b + 1), str(a + b)], "label": 1})
        (place / "toy.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (place / "toy.yaml").write_text(TASK.format(data=place / "toy.jsonl"))
        (place / "go.py").write_text(LM)
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": folder}
        for size in ("70m", "160m"):
            for step in (0, 1000, 2000):
                words = ["--model", "rehearsal", "--tasks", "toy_sums", "--include_path", folder, "--limit", "40"]
                words += ["--model_args", f"pretrained=toy/toy-{size},revision=step{step}", "--output_path"]
                words += [f"{folder}/out/{size}-{step}"]
                subprocess.run([sys.executable, str(place / "go.py"), *words], env=env, check=True, cwd=folder)
        for file in sorted((place / "out").rglob("results_*.json")):
            text = json.loads(file.read_text())
            text["pretty_env_info"] = "(left out)"  # the hardware of whoever made it: long, and of no use here
            target = root / file.relative_to(place / "out").parts[0] / "results.json"
            target.parent.mkdir(parents=True)
            target.write_text(json.dumps(text, indent=1).replace(folder, "/home/user"))


def inspect() -> None:
    """inspect-ai with its mock model, in both of its formats; the events of each sample are cut out of the .json."""
    from inspect_ai import Task, eval, task
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes, match

    @task
    def sums(level: int = 1) -> Task:
        items = [Sample(input=f"{i}+{level}=", target=str(i + level), id=f"sum-{i}") for i in range(4)]
        return Task(dataset=items, scorer=[match(), includes()], epochs=2)

    def answers(level: int) -> list[ModelOutput]:
        made = []
        for i in range(8):
            out = ModelOutput.from_content("mockllm/model", f"it is {i % 4 + (level if i % 3 else 0)}")
            out.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            made.append(out)
        return made

    root = fresh("inspect")
    for level, form in ((1, "eval"), (2, "json")):
        model = get_model("mockllm/model", custom_outputs=answers(level))
        with tempfile.TemporaryDirectory() as folder:
            logs = eval(sums(level=level), model=model, log_dir=folder, log_format=form, display="none", max_samples=1)
            assert logs[0].status == "success", logs[0].error
            root.mkdir(exist_ok=True)
            made, target = next(Path(folder).glob(f"*.{form}")), root / f"sums-{level}.{form}"
            if form == "json":
                text = json.loads(made.read_text())
                for sample in text["samples"]:
                    sample["events"] = []
                target.write_text(json.dumps(text, indent=1))
            else:
                shutil.copy(made, target)


def mesa() -> None:
    """Mesa: the model and agent frames of a DataCollector, and what batch_run returns, as CSV."""
    import mesa as tool
    import pandas as pd

    class Trader(tool.Agent):
        def __init__(self, model: tool.Model) -> None:
            super().__init__(model)
            self.wealth = 1

        def trade(self) -> None:
            if self.wealth:
                self.random.choice(self.model.agents).wealth += 1
                self.wealth -= 1

    class Market(tool.Model):
        def __init__(self, n: int = 5, seed: int | None = None) -> None:
            super().__init__(seed=seed)
            Trader.create_agents(self, n)
            self.datacollector = tool.DataCollector(
                model_reporters={"spread": lambda m: float(np.std([a.wealth for a in m.agents]))},
                agent_reporters={"wealth": "wealth"},
            )
            self.datacollector.collect(self)

        def step(self) -> None:
            self.agents.shuffle_do("trade")
            self.datacollector.collect(self)

    model = Market(seed=1)
    for _ in range(8):
        model.step()
    model.datacollector.get_model_vars_dataframe().to_csv(fresh("mesa-model.csv"))
    model.datacollector.get_agent_vars_dataframe().to_csv(fresh("mesa-agents.csv"))
    rows = tool.batch_run(
        Market, {"n": [3, 5], "seed": [1, 2]}, max_steps=6, data_collection_period=1, display_progress=False
    )
    pd.DataFrame(rows).to_csv(fresh("mesa-batch.csv"), index=False)


def arviz() -> None:
    """ArviZ: an InferenceData as netCDF and as Zarr."""
    import arviz as tool

    rng = np.random.default_rng(6)
    data = tool.from_dict(
        posterior={"mu": rng.normal(size=(4, 50)), "theta": rng.normal(size=(4, 50, 3))},
        sample_stats={"diverging": rng.random((4, 50)) < 0.02},
        observed_data={"y": np.array([28.0, 8, -3])},
        coords={"school": ["Choate", "Deerfield", "Phillips"]},
        dims={"theta": ["school"], "y": ["school"]},
    )
    data.to_netcdf(str(fresh("arviz.nc")))
    data.to_datatree().to_zarr(fresh("arviz.zarr"))  # the way that arviz itself names for zarr 3


MAKERS = (tables, labelled, tensorboard, wandb, mlflow, lm_eval, inspect, mesa, arviz)

if __name__ == "__main__":
    for maker in MAKERS:
        if not sys.argv[1:] or maker.__name__ in sys.argv[1:]:
            maker()
            print(f"made {maker.__name__}")
