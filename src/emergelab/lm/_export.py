"""A run's ledger as a log of Inspect (https://inspect.aisi.org.uk), for its viewer and for tools that read its logs.

Written without Inspect. One sample is one society: its id is the condition, its epoch counts the seeds from 1. A
society's calls are model events with request, configuration, answer and log-probabilities; its decisions are info
events; its scores are the last values of the observables and the numbers of calls and decisions.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..runs.run import Run
from .ledger import Call, Ledger

__all__ = ["to_inspect"]

_STATUS = {"finished": "success", "interrupted": "cancelled"}


def to_inspect(run: Run | str | os.PathLike[str], path: str | os.PathLike[str]) -> Path:
    """Write a run's ledger as a log of Inspect.

    Args:
        run: a run of a `HostSystem`, or its path.
        path: a new file; its name ends in `.eval` (a zip, as Inspect writes it) or `.json`.

    Returns:
        the file.

    Raises:
        UserError: another ending, a file that is there already, or a run without calls and decisions.
    """
    file = Path(path)
    if file.suffix not in (".eval", ".json"):
        raise UserError(f"{file}: a log of Inspect ends in .eval or .json")
    if file.exists():
        raise UserError(f"{file} is there already; name a new file")
    ledger = Ledger(run)
    if not ledger.calls and not ledger.decisions:
        raise UserError(f"{ledger.run.path}: no calls and no decisions on record; there is nothing to export")
    header, samples = _header(ledger), _samples(ledger)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".json":
        file.write_text(_text(header | {"samples": samples}))
        return file
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", _text(sample))
        archive.writestr("summaries.json", _text([_summary(s) for s in samples]))
        archive.writestr("header.json", _text(header))
    return file


def _header(ledger: Ledger) -> dict[str, Any]:
    info = ledger.run.info
    created = info["provenance"]["created"]
    task = info.get("study") or info["system"]["name"]
    ident = hashlib.blake2b(f"{ledger.run.path} {created}".encode(), digest_size=11).hexdigest()
    conditions, seeds = list(map(str, info["conditions"])), info["seeds"]
    about = info.get("lm", {})
    tokens = ledger.tokens()
    return {
        "version": 2,
        "status": _STATUS.get(ledger.run.status, "started"),
        "eval": {
            "eval_id": ident,
            "run_id": ident,
            "task_id": ident,
            "created": created,
            "task": task,
            "task_version": 0,
            "task_args": {k: info[k] for k in ("size", "steps", "every") if info.get(k) is not None},
            "dataset": {"name": task, "samples": len(conditions), "sample_ids": conditions, "shuffled": False},
            "model": _model(about.get("name", "none")),
            "model_args": {k: v for k, v in about.items() if k != "name"},
            "config": {"epochs": len(seeds)},
            "packages": {"emergelab": info["provenance"]["versions"]["emergelab"]},
            "metadata": {"seeds": seeds, "run": ledger.run.path},
        },
        "stats": {
            "started_at": created,
            "model_usage": {_model(about.get("name", "none")): _usage(*tokens)},
        },
    }


def _samples(ledger: Ledger) -> list[dict[str, Any]]:
    info = ledger.run.info
    conditions, seeds = list(map(str, info["conditions"])), list(info["seeds"])
    data, created = ledger.run.data, info["provenance"]["created"]
    calls: dict[tuple[str, int], list[Call]] = {}
    decisions: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for call in ledger.calls:
        calls.setdefault((call.condition, call.seed), []).append(call)
    for decision in ledger.decisions:
        decisions.setdefault((decision["condition"], decision["seed"]), []).append(decision)
    out = []
    for condition in conditions:
        for k, seed in enumerate(seeds):
            own, decided = calls.get((condition, seed), []), decisions.get((condition, seed), [])
            last = {str(n): _last(data[n].sel(condition=condition, seed=seed).values) for n in data.data_vars}
            last |= {"calls": len(own), "decisions": len(decided)}
            # the calls of a step come before what was decided by them
            events = sorted(
                [(c.time, 0, _model_event(c)) for c in own] + [(d["time"], 1, _info_event(d)) for d in decided],
                key=lambda e: e[:2],
            )
            out.append(
                {
                    "id": condition,
                    "epoch": k + 1,
                    "input": f"condition {condition}, seed {seed}",
                    "target": "",
                    "scores": {n: {"value": v} for n, v in last.items() if v is not None},
                    "metadata": {"condition": condition, "seed": seed},
                    "events": [
                        event | {"uuid": f"{condition}-{seed}-{i}", "timestamp": created, "working_start": float(time)}
                        for i, (time, _, event) in enumerate(events)
                    ],
                }
            )
    return out


def _model_event(call: Call) -> dict[str, Any]:
    held, prompt = call.request, call.request["prompt"]
    turns = [["user", prompt]] if isinstance(prompt, str) else prompt
    config = {"temperature": held["temperature"], "top_p": held["top_p"], "max_tokens": held["max_tokens"]}
    if held["stop"]:
        config["stop_seqs"] = held["stop"]
    if "schema" in held:
        config["response_schema"] = {"name": "answer", "json_schema": held["schema"]}
    model = _model(call.model)
    if call.verb == "complete":
        text, tokens = call.answer["text"], (call.answer.get("tokens_in", 0), call.answer.get("tokens_out", 0))
        stop = "max_tokens" if call.answer["ended"] == "length" else "stop"
        logprob = call.answer.get("logprob")
        choice = {"message": _said(text, model), "stop_reason": stop}
        about = {} if logprob is None else {"logprob": logprob}
    else:
        # what was scored stands where Inspect keeps the alternatives of a token, the likeliest first
        order = np.argsort(-np.asarray(call.answer, dtype=float), kind="stable")
        top = [{"token": call.continuations[i], "logprob": float(call.answer[i])} for i in order]
        config |= {"logprobs": True, "top_logprobs": len(top)}
        content = [top[0] | {"top_logprobs": top}] if top else []
        text, tokens = (top[0]["token"] if top else ""), (0, 0)
        choice = {"message": _said(text, model), "stop_reason": "stop", "logprobs": {"content": content}}
        about = {"continuations": list(call.continuations)}
    return {
        "event": "model",
        "model": model,
        "input": [{"role": role, "content": said} for role, said in turns],
        "tools": [],
        "tool_choice": "none",
        "config": config,
        "output": {"model": model, "choices": [choice], "completion": text, "usage": _usage(*tokens)},
        "metadata": {"agent": call.agent, "time": call.time, "draw": call.draw, "verb": call.verb, **about},
    }


def _info_event(decision: Mapping[str, Any]) -> dict[str, Any]:
    data = {k: v for k, v in decision.items() if k not in ("condition", "seed")}
    return {"event": "info", "source": "decision", "data": data}


def _said(text: str, model: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "source": "generate", "model": model}


def _usage(read: int, written: int) -> dict[str, int]:
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}


def _model(name: str) -> str:
    """As Inspect names models: provider/model."""
    return name if "/" in name else f"emergelab/{name}"


def _last(values: Any) -> float | None:
    """The last value that is a number."""
    known = [float(v) for v in np.ravel(values) if math.isfinite(v)]
    return known[-1] if known else None


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "epoch", "input", "target", "scores", "metadata")
    return {k: sample[k] for k in kept} | {"completed": True}


def _text(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, default=str)
