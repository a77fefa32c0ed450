"""Inspect logs (`.eval` and `.json`): scores of samples become items, epochs replicates, model or task arguments
conditions.

An `.eval` file is a zip; its members are read into memory by name and never unpacked to disk. Newer logs pack them with
Zstandard, which Python's own zip reader does not know before 3.14, so members are cut out by their directory entry.
Only the header and the summaries are read; transcripts of samples are not.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...errors import UserError, nearest
from . import _safe
from ._runs import REPEATS, Repeats, _numbers_if_all, chosen
from ._safe import decoding, files_below, inflate, natural, parse_json, read_bytes, unzstd, within
from .opened import Opened

_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_STORED, _DEFLATED, _ZSTD = 0, 8, 93


@dataclass
class _Log:
    file: str
    header: dict[str, Any]
    samples: list[dict[str, Any]]

    @property
    def said(self) -> dict[str, str]:
        """What a log says of itself and may be a condition: model, task, and the arguments of both."""
        about = self.header.get("eval")
        about = about if isinstance(about, dict) else {}
        out = {key: str(about[key]) for key in ("model", "task") if isinstance(about.get(key), str)}
        for group in ("task_args", "model_args"):
            arguments = about.get(group)
            for key, value in arguments.items() if isinstance(arguments, dict) else ():
                if isinstance(value, str | int | float | bool):
                    out.setdefault(str(key), str(value))
        return out


def is_inspect(text: Any) -> bool:
    """Whether a JSON object is an Inspect log."""
    return isinstance(text, dict) and isinstance(text.get("eval"), dict) and "task" in text["eval"]


def is_eval(raw: bytes) -> bool:
    """Whether the bytes are an Inspect log in a zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return bool({"header.json", "_journal/start.json"} & set(archive.namelist()))
    except (zipfile.BadZipFile, ValueError, struct.error, OSError, NotImplementedError):
        return False


def read_inspect(
    path: str | Path | Sequence[str | Path],
    *,
    value: str | Sequence[str] | None = None,
    by: str | None = None,
    time: str | None = None,
    repeats: Repeats = "refuse",
) -> Opened:
    """One log, several, or a folder of them.

    Args:
        path: file(s) or folder; of a folder every `.eval` and every JSON file that is a log.
        value: scorers to read, all if not given. C, P, I and N count 1, 0.5, 0 and 0; a score of several values becomes
            variables `<scorer>/<key>`.
        by: "model", "task", or an argument of either, as condition; without it all that differ between the logs.
        time: an argument that is a number (a checkpoint's step), as time axis.
        repeats: what to do with a sample that was scored twice in the same epoch under the same condition.

    Raises:
        UserError: no log, one without scores, a name that no log has.
    """
    if repeats not in REPEATS:
        raise UserError(f"repeats must be one of {', '.join(REPEATS)}, got {repeats!r}")
    name, logs, notes = _logs(path)
    said = [log.said for log in logs]
    conditions, columns = _conditions(said, by, time, name)
    times = _times(said, time, name)
    rows, unread = _rows(logs, conditions, times)
    if not rows:
        raise UserError(f"{name}: no sample has a score that is a number (or C, P, I, N)")
    if unread:
        notes.append(f"{unread} scores are no numbers and are left out")
    wanted = chosen(sorted({r[4] for r in rows}), value, name, "scorer")
    data = _block([r for r in rows if r[4] in wanted], repeats, name, notes)
    if time is None:
        data = data.isel(time=0, drop=True)
    else:
        data["time"].attrs["long_name"] = time
        columns["time"] = time
    if conditions is None:
        data = data.isel(condition=0, drop=True)
    return Opened(data, "inspect", tuple(notes), {"seed": "epoch", "item": "sample", **columns})


def _logs(path: str | Path | Sequence[str | Path]) -> tuple[str, list[_Log], list[str]]:
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]
    notes: list[str] = []
    logs: list[_Log] = []
    seen = 0
    for one in paths:
        if one.is_dir():
            files, links = files_below(one)
            if links:
                notes.append(f"{links} links were not followed")
            for file in files:
                if file.suffix in (".eval", ".json"):
                    seen += 1
                    log = _log(file, notes, named=file.suffix == ".eval")
                    logs += [log] if log else []
        else:
            seen += 1
            log = _log(one, notes, named=True)
            logs += [log] if log else []
    name = paths[0].name if paths else "logs"
    if not logs:
        raise UserError(f"{name}: no Inspect log in {seen} files")
    return name, logs, notes


def _log(file: Path, notes: list[str], *, named: bool) -> _Log | None:
    raw = read_bytes(file)
    if raw[:2] == b"PK":
        header, samples = _from_zip(raw, file.name)
    else:
        try:
            header = parse_json(raw, file.name)
        except UserError:
            if named:
                raise
            return None
        if not is_inspect(header):
            if named:
                raise UserError(f"{file.name}: no Inspect log (an object with 'eval' and 'samples')")
            return None
        samples = header.get("samples")
    if not isinstance(samples, list) or not samples:
        raise UserError(f"{file.name}: the Inspect log holds no samples")
    status = header.get("status")
    if status != "success":
        notes.append(f"{file.name}: the evaluation did not finish (status {str(status)[:20]!r}); what it holds is read")
    return _Log(file.name, header, [s for s in samples if isinstance(s, dict)])


# -- the zip --------------------------------------------------------------------------------------------------------


def _from_zip(raw: bytes, name: str) -> tuple[dict[str, Any], list[Any]]:
    with decoding(name, "zip"), zipfile.ZipFile(io.BytesIO(raw)) as archive:
        entries = {info.filename: info for info in archive.infolist()}
    left = [_safe.MAX_BYTES]

    def member(key: str) -> Any:
        return parse_json(_member(raw, entries[key], name, left), f"{name}: {key}")

    def several(prefix: str) -> list[str]:
        return sorted((k for k in entries if k.startswith(prefix) and k.endswith(".json")), key=natural)

    head = next((k for k in ("header.json", "_journal/start.json") if k in entries), None)
    if head is None:
        raise UserError(f"{name}: no Inspect log: the zip holds neither header.json nor _journal/start.json")
    header = member(head)
    if not is_inspect(header):
        raise UserError(f"{name}: no Inspect log: {head} describes no evaluation")
    if "summaries.json" in entries:
        samples = member("summaries.json")
    elif several("_journal/summaries/"):
        samples = []
        for key in several("_journal/summaries/"):
            part = member(key)
            samples += part if isinstance(part, list) else []
    else:
        samples = [member(key) for key in several("samples/")]
    return header, samples if isinstance(samples, list) else []


def _member(raw: bytes, entry: zipfile.ZipInfo, name: str, left: list[int]) -> bytes:
    """One member, decompressed no further than its directory entry says and than all members together may be."""
    where = f"{name}: {entry.filename[:80]}"
    if entry.file_size > left[0]:
        raise UserError(f"{where}: decompresses to {entry.file_size:,} bytes, more than is read")
    if entry.flag_bits & 1:
        raise UserError(f"{where}: is encrypted")
    start = entry.header_offset
    if raw[start : start + 4] != b"PK\x03\x04" or start + 30 > len(raw):
        raise UserError(f"{where}: the zip is damaged")
    a, b = struct.unpack_from("<HH", raw, start + 26)
    packed = raw[start + 30 + a + b : start + 30 + a + b + entry.compress_size]
    if entry.compress_type == _STORED:
        out = packed
    elif entry.compress_type == _DEFLATED:
        out = inflate(packed, where, entry.file_size, bare=True)
    elif entry.compress_type == _ZSTD:
        out = unzstd(packed, where, entry.file_size)
    else:
        raise UserError(f"{where}: is packed by method {entry.compress_type}, which no Inspect log uses")
    if len(out) != entry.file_size or zlib.crc32(out) != entry.CRC:
        raise UserError(f"{where}: the zip is damaged (wrong checksum)")
    left[0] -= len(out)
    return out


# -- the labels -----------------------------------------------------------------------------------------------------


def _conditions(
    said: list[dict[str, str]], by: str | None, time: str | None, name: str
) -> tuple[list[str] | None, dict[str, str]]:
    if by is not None:
        return [_one(s, by, said, name) for s in said], {"condition": by}
    keys = [k for k in dict.fromkeys(k for s in said for k in s) if k != time and len({s.get(k) for s in said}) > 1]
    if not keys:
        return None, {}
    if len(keys) == 1:
        return [s.get(keys[0], "") for s in said], {"condition": keys[0]}
    return [", ".join(f"{k}={s.get(k, '')}" for k in keys) for s in said], {"condition": ", ".join(keys)}


def _one(said: dict[str, str], key: str, everyone: list[dict[str, str]], name: str) -> str:
    if key not in said:
        raise UserError(
            f"{name}: a log has no model, task or argument {key!r}{nearest(key, {k for s in everyone for k in s})}"
        )
    return said[key]


def _times(said: list[dict[str, str]], time: str | None, name: str) -> list[float]:
    if time is None:
        return [0.0] * len(said)
    out = []
    for s in said:
        text = _one(s, time, said, name)
        try:
            out.append(float(text))
        except ValueError:
            out.append(np.nan)
        if not np.isfinite(out[-1]):
            raise UserError(f"{name}: the argument {time!r} must be a number to be the time, got {text[:60]!r}")
    return out


def _score(value: Any) -> float | None:
    if isinstance(value, str):
        if value in _LETTERS:
            return _LETTERS[value]
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, bool | int | float):
        return float(value) if abs(value) < 1e300 or value != value else None
    return None


_Row = tuple[str, int, str, float, str, float]  # condition, epoch, item, time, variable, score


def _rows(logs: list[_Log], conditions: list[str] | None, times: list[float]) -> tuple[list[_Row], int]:
    rows: list[_Row] = []
    unread = 0
    for i, log in enumerate(logs):
        for sample in log.samples:
            epoch, scores = sample.get("epoch", 1), sample.get("scores")
            if not isinstance(scores, dict) or not isinstance(epoch, int) or abs(epoch) > 1 << 53:
                unread += 1
                continue
            where = (conditions[i] if conditions else "", int(epoch), str(sample.get("id"))[:200], times[i])
            for scorer, score in scores.items():
                value = score.get("value") if isinstance(score, dict) else None
                several = {f"{scorer}/{k}": v for k, v in value.items()} if isinstance(value, dict) else {scorer: value}
                for variable, one in several.items():
                    number = _score(one)
                    if number is None:
                        unread += 1
                    else:
                        rows.append((*where, str(variable), number))
    return rows, unread


def _block(rows: list[_Row], repeats: Repeats, name: str, notes: list[str]) -> xr.Dataset:
    if not rows:
        raise UserError(f"{name}: no score to read")
    conditions, epochs, items, times, variables = (sorted({r[k] for r in rows}) for k in range(5))
    conditions, items = sorted(conditions, key=lambda t: natural(str(t))), sorted(items, key=lambda t: natural(str(t)))
    shape = tuple(map(len, (conditions, epochs, items, times)))
    within(int(np.prod(shape, dtype=object)) * len(variables), name)
    at: list[dict[Any, int]] = [{x: i for i, x in enumerate(xs)} for xs in (conditions, epochs, items, times)]
    again = Counter(r[:5] for r in rows)
    twice = sum(n - 1 for n in again.values())
    if twice and repeats == "refuse":
        key = next(k for k, n in again.items() if n > 1)
        raise UserError(
            f"{name}: sample {key[2]!r} has more than one {key[4]!r} in epoch {key[1]}; name what tells the logs apart "
            "with by=, or pass repeats='last' or repeats='mean'"
        )
    data = {}
    for variable in variables:
        block, count = np.full(shape, np.nan), np.zeros(shape)
        for r in rows:
            if r[4] != variable:
                continue
            place = tuple(at[k][r[k]] for k in range(4))
            block[place] = r[5] if repeats != "mean" or not count[place] else block[place] + r[5]
            count[place] += 1
        if repeats == "mean":
            block /= np.maximum(count, 1)
        data[variable] = (("condition", "seed", "item", "time"), block)
    if twice:
        notes.append(
            f"{twice} scores share their sample and epoch with another; "
            + ("averaged" if repeats == "mean" else "the last counts")
        )
    labels = {"condition": conditions, "seed": epochs, "item": _numbers_if_all([str(i) for i in items]), "time": times}
    return xr.Dataset(data, coords=labels)
