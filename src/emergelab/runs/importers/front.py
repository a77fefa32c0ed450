"""The front door: what was given is recognised by its content and ending, and read by the importer that knows it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from ...errors import UserError, nearest
from ._runs import REPEATS
from ._safe import beginning, files_below, one_line, parse_json, read_bytes
from .arrays import read_xarray
from .arviz import groups_of, is_arviz, read_arviz
from .inspect_logs import is_eval, is_inspect, read_inspect
from .lm_eval import is_lm_eval, read_lm_eval
from .mesa import is_mesa, read_mesa
from .mlflow import is_mlflow, read_mlflow
from .netcdf import CLASSIC, HDF5, read_netcdf
from .opened import Opened
from .tables import read_tidy
from .tensorboard import is_event_file, is_record, read_tensorboard
from .tidy import READERS, keep_rows, read_table, spread, to_frame
from .wandb import is_wandb, read_wandb
from .zarr import is_zarr, read_zarr

EXPECTED = (
    "a table (.csv, .tsv, .parquet, .jsonl, the texts also .gz), a W&B or Mesa CSV, netCDF, Zarr, TensorBoard event "
    "files, MLflow's mlruns, results of lm-evaluation-harness, Inspect logs, ArviZ, or an emergelab run"
)
KINDS = (
    "table", "wandb", "mesa", "xarray", "netcdf", "zarr", "arviz", "tensorboard", "mlflow", "lm-eval", "inspect", "run",
)  # fmt: skip

_READERS: dict[str, Callable[..., Opened]] = {
    "table": read_tidy, "wandb": read_wandb, "mesa": read_mesa, "xarray": read_xarray,
    "netcdf": read_netcdf, "zarr": read_zarr, "arviz": read_arviz, "tensorboard": read_tensorboard,
    "mlflow": read_mlflow, "lm-eval": read_lm_eval, "inspect": read_inspect,
}  # fmt: skip
_OF_FRAMES = ("table", "wandb", "mesa")
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".npy", ".npz", ".rds", ".rdata", ".mat")


def open_data(
    source: Any,
    *,
    kind: str | None = None,
    time: str | None = None,
    value: str | Sequence[str] | None = None,
    seed: str | None = None,
    by: str | None = None,
    companion: str | None = None,
    stderr: str | None = None,
    where: Sequence[tuple[str, str]] = (),
    spread_columns: tuple[str, str] | None = None,
    group: str | None = None,
    runs: str | None = None,
    repeats: str | None = None,
) -> Opened:
    """Anything that holds curves, as labelled data.

    Args:
        source: a path (file or folder), a list of paths (results of lm-evaluation-harness, Inspect logs), or an
            object: a frame of pandas, polars or pyarrow; an xarray Dataset, DataArray or DataTree; an InferenceData;
            Mesa's DataCollector or the rows of `batch_run`; an emergelab Run. kind: skip the guess: one of `KINDS`.
            time: column of the time axis; dim of labelled data; argument of an Inspect log. value: column(s) of
            scores; variable, tag or metric; all if not given. seed: column, parameter or dim of the replicate. by:
            column, parameter or dim of the condition. companion, stderr: further columns of a table. where: (column
            or parameter, value) pairs that must hold; tables and MLflow. spread_columns: (column of names, column of
            values) of a long table. group: of netCDF, Zarr and ArviZ. runs: regular expression with the groups
            `condition`, `seed`, `time` for the names of runs. repeats: "refuse", "last" or "mean": two records of one
            run at the same time.

    Raises:
        UserError: what was given fits nothing, is damaged, or does not understand a hint.
    """
    hints = {
        "time": time, "value": value, "seed": seed, "by": by, "companion": companion, "stderr": stderr,
        "where": tuple(where) or None, "spread_columns": spread_columns, "group": group, "runs": runs,
        "repeats": repeats,
    }  # fmt: skip
    given = {k: v for k, v in hints.items() if v is not None}
    if kind is not None and kind not in KINDS:
        raise UserError(f"kind: no {kind!r}{nearest(kind, KINDS)}")
    if repeats is not None and repeats not in REPEATS:
        raise UserError(f"repeats must be one of {', '.join(REPEATS)}, got {repeats!r}")
    if isinstance(source, str | Path):
        return _path(Path(source), kind, given)
    return _object(source, kind, given)


def kind_of(path: str | Path) -> str:
    """Which importer a file or folder is for, without reading more of it than that takes.

    Raises:
        UserError: it fits nothing, or cannot be read.
    """
    path = Path(path)
    found = _found(path)
    return _kind_of_frame(_table(path)) if found == "table" else found


def _found(path: Path) -> str:
    try:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        return _folder(path) if path.is_dir() else _file(path)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{str(path)[:200]!r}: cannot be read ({one_line(error)})") from None


def _table(path: Path) -> pd.DataFrame:
    return _records(path) if path.suffix.lower() == ".json" else read_table(path)


def _path(path: Path, kind: str | None, given: dict[str, Any]) -> Opened:
    found = kind or _found(path)
    if found == "run":
        from ..run import load

        return _run(load(path), given)
    if found in _OF_FRAMES:
        return _frame(_table(path), kind, given, path.name)
    return _call(found, path, given)


def _folder(path: Path) -> str:
    if is_zarr(path):
        return "arviz" if is_arviz(groups_of(path)) else "zarr"
    if (path / "run.json").is_file():
        return "run"
    if is_mlflow(path):
        return "mlflow"
    files, _ = files_below(path)
    if any(is_event_file(f) for f in files):
        return "tensorboard"
    if any(f.suffix == ".eval" for f in files):
        return "inspect"
    for file in [f for f in files if f.suffix == ".json"][:100]:
        try:
            text = parse_json(read_bytes(file), file.name)
        except UserError:
            continue
        if is_lm_eval(text):
            return "lm-eval"
        if is_inspect(text):
            return "inspect"
    endings = sorted({f.suffix for f in files if f.suffix})[:8]
    raise UserError(
        f"{path}: this is a folder with {len(files)} files ({', '.join(endings) or 'no endings'}) that fits nothing; "
        f"expected {EXPECTED}"
    )


def _file(path: Path) -> str:
    head = beginning(path)
    if head[:8] == HDF5:
        return "arviz" if is_arviz(groups_of(path)) else "netcdf"
    if head[:4] in CLASSIC:
        return "netcdf"
    if is_event_file(path) or is_record(head):
        return "tensorboard"
    if head[:4] == b"PK\x03\x04" and is_eval(read_bytes(path)):
        return "inspect"
    ending = path.suffix.lower()
    if ending in _PICKLES or head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise UserError(
            f"{path}: {ending or 'a pickle'} is not read (it carries no names of dims, and unpickling runs code); name "
            "the dims and pass an xarray.DataArray"
        )
    if ending == ".json":
        text = parse_json(read_bytes(path), str(path))
        if is_lm_eval(text):
            return "lm-eval"
        if is_inspect(text):
            return "inspect"
        if isinstance(text, list) and text and all(isinstance(row, dict) for row in text):
            return "table"
        keys = ", ".join(map(repr, list(text)[:6])) if isinstance(text, dict) else type(text).__name__
        raise UserError(f"{path}: JSON with {keys[:200]} fits nothing; expected {EXPECTED}")
    if ending in READERS or (ending == ".gz" and Path(path.stem).suffix.lower() in READERS):
        return "table"
    raise UserError(
        f"{path}: its ending must be one of {', '.join(READERS)}, got {ending or 'none'!r}, and it begins with "
        f"{head[:4]!r}; expected {EXPECTED}"
    )


def _records(path: Path) -> pd.DataFrame:
    rows = parse_json(read_bytes(path), str(path))
    if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
        raise UserError(f"{path}: JSON that is a list of objects was expected, one a row")
    return pd.DataFrame(rows)


def _object(source: Any, kind: str | None, given: dict[str, Any]) -> Opened:
    library = type(source).__module__.partition(".")[0]
    if isinstance(source, xr.DataTree) and kind is None and is_arviz(groups_of(source)):
        kind = "arviz"
    if kind not in (None, *_OF_FRAMES):
        return _call(str(kind), source, given)
    if isinstance(source, xr.Dataset | xr.DataArray | xr.DataTree):
        return _call("xarray", source, given)
    if isinstance(source, pd.DataFrame) or library in ("polars", "pyarrow"):
        return _frame(to_frame(source), kind, given, "table")
    if hasattr(source, "get_model_vars_dataframe"):
        return _call("mesa", source, given)
    if is_arviz(groups_of(source)):
        return _call("arviz", source, given)
    if isinstance(getattr(source, "data", None), xr.Dataset):
        return _run(source, given)
    if isinstance(source, list | tuple) and source and all(isinstance(row, dict) for row in source):
        return _frame(pd.DataFrame(list(source)), kind, given, "rows")
    if isinstance(source, list | tuple) and source and all(isinstance(p, str | Path) for p in source):
        kinds = {
            _file(Path(p)) if Path(p).is_file() else _folder(Path(p)) if Path(p).is_dir() else "absent" for p in source
        }
        if len(kinds) == 1 and kinds <= {"lm-eval", "inspect"}:
            return _call(kinds.pop(), list(source), given)
        raise UserError(
            "several paths must all be results of lm-evaluation-harness or all be Inspect logs, got "
            f"{', '.join(sorted(kinds))}"
        )
    raise UserError(f"a {type(source).__name__} fits nothing; expected {EXPECTED}, or such an object in memory")


def _run(run: Any, given: dict[str, Any]) -> Opened:
    made = _call("xarray", run.data, given)
    return Opened(made.data, "run", made.notes, made.columns)


def _frame(frame: pd.DataFrame, kind: str | None, given: dict[str, Any], name: str) -> Opened:
    """A frame may be a tidy table, W&B's or Mesa's; rows are chosen and scores spread first, whichever it is."""
    given = dict(given)
    frame = keep_rows(frame, given.pop("where", ()), name)
    if kind is None:
        kind = _kind_of_frame(frame, given)
    if (long := given.pop("spread_columns", None)) is not None:
        keys = [given[k] for k in ("seed", "by", "time") if k in given]
        stderr = given.get("stderr")
        frame = spread(frame, long[0], long[1], keys, [stderr] if stderr else [], name)
        if stderr and isinstance(given.get("value"), str):
            given["stderr"] = f"{given['value']}_{stderr}"
    return _call(kind, frame, {**given, "name": name})


def _kind_of_frame(frame: pd.DataFrame, given: Collection[str] = ()) -> str:
    if is_wandb([str(c) for c in frame.columns]):
        return "wandb"
    # Who names the time, or spreads scores, has a table of their own.
    return "mesa" if is_mesa(frame) and not {"spread_columns", "time"} & set(given) else "table"


def _call(kind: str, source: Any, given: dict[str, Any]) -> Opened:
    """The importer, with the hints that it understands."""
    if kind == "run":
        raise UserError("kind='run' needs the run's folder or the Run itself")
    reader = _READERS[kind]
    known = [
        p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY and p.name != "name"
    ]
    for hint in given:
        if hint not in (*known, "name"):
            raise UserError(
                f"{kind} data do not understand {hint}=; they understand {', '.join(f'{k}=' for k in known)}"
            )
    return reader(source, **given)
