"""What can be taken away from a run: figures, numbers, the report, and the commands that make it again."""

from __future__ import annotations

import asyncio
import functools
import io
import shlex
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
from tornado.web import RequestHandler

from ..errors import UserError, nearest
from ..figures import style
from ..report.assemble import repeat_command
from ..runs.run import Run
from .growing import Growing
from .runs import Runs
from .shell import address, html

# Matplotlib's settings are of the whole process, so one figure is drawn after the other.
_DRAWING = threading.Lock()
_LARGEST = 1 << 30  # bytes of data.zarr that are packed; a larger one is taken from the disk


def export(runs: Runs, name: str, run: Run) -> pn.viewable.Viewable:
    """The tab of a run from which things are taken away."""
    curves = [n for n, v in run.data.data_vars.items() if v.dims == ("condition", "seed", "time")]
    choice = pn.widgets.Select(name="Observable", options=[str(c) for c in curves], width=300)
    links = html("")

    def offered(_: Any = None) -> None:
        links.object = _downloads(
            (f"{choice.value} as {form.upper()}", {"name": name, "what": form, "observable": choice.value})
            for form in ("svg", "png")
        )

    choice.param.watch(offered, "value")
    offered()
    figures = _downloads((f, {"name": name, "what": "figure", "file": f}) for f in runs.figures(name))
    data = _downloads(
        [("all scalar observables as CSV", {"name": name, "what": "csv"}),
         ("data.zarr, packed", {"name": name, "what": "zarr"})]
    )  # fmt: skip
    report = _downloads([("report as HTML", {"name": name, "what": "report"})])
    return pn.Column(
        html("<h2>Figures</h2>"), choice if curves else html(""), links if curves else html(""),
        html(f"<p>Those of the study:</p>{figures}" if figures else ""),
        html(f"<h2>Data</h2>{data}<p>On disk: <code>{escape(str(runs.path(name) / 'data.zarr'))}</code></p>"),
        html(f"<h2>Report</h2>{report}"),
        html(f"<h2>Again</h2>{commands(runs, name, run)}"),
        sizing_mode="stretch_width",
    )  # fmt: skip


def _downloads(links: Any) -> str:
    entries = "".join(
        f'<a href="{escape(address("download", **query), quote=True)}" download>{escape(words)}</a>'
        for words, query in links
    )
    return f'<div class="downloads">{entries}</div>' if entries else ""


def commands(runs: Runs, name: str, run: Run) -> str:
    """The command lines that make a run, repeat it, and read it, as HTML."""
    folder = shlex.quote(str(runs.path(name)))
    python = f'import emergelab as el\n\nrun = el.load("{runs.path(name)}")\nrun.data'
    lines = {
        "It was made by": repeat_command(run.info),
        "Again, from its run.json alone": f"emergelab rerun {folder}",
        "Go on, if it was interrupted": f"emergelab resume {folder}",
        "In Python": python,
    }
    return "".join(
        f'<span class="quiet">{escape(what)}</span><pre>{escape(line)}</pre>' for what, line in lines.items()
    )


class Download(RequestHandler):
    """Files out of the folder of runs, and what is made of them on the way; nothing else is to be had."""

    def initialize(self, runs: Runs) -> None:
        self._runs = runs

    async def get(self) -> None:
        """`name=` says which run and `what=` what of it: figure, svg, png, csv, zarr or report."""
        makers: dict[str, Callable[[str], Any]] = {
            "figure": self._figure,
            "svg": functools.partial(self._curves, form="svg"),
            "png": functools.partial(self._curves, form="png"),
            "csv": self._csv,
            "zarr": self._zarr,
            "report": self._report,
        }
        name, what = self.get_query_argument("name", ""), self.get_query_argument("what", "")
        try:
            if what not in makers:
                raise UserError(f"there is no {what!r} to be had{nearest(what, makers)}")
            data, kind, file = await makers[what](name)
        except (UserError, OSError) as error:
            self.set_status(404)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(" ".join(str(error).split()))
            return
        self.set_header("Content-Type", kind)
        show = "inline" if what == "figure" else "attachment"
        self.set_header("Content-Disposition", f'{show}; filename="{file}"')
        self.finish(data)

    async def _figure(self, name: str) -> tuple[bytes, str, str]:
        file = self.get_query_argument("file", "")
        if not file.endswith(".png"):
            raise UserError("figures are PNG files")
        return self._runs.file(name, "figures", file).read_bytes(), "image/png", _ascii(file)

    async def _curves(self, name: str, form: str) -> tuple[bytes, str, str]:
        run, observable = self._runs.load(name), self.get_query_argument("observable", "")
        data = await asyncio.to_thread(drawn, run, observable, form)
        return data, {"svg": "image/svg+xml", "png": "image/png"}[form], _ascii(f"{name}-{observable}.{form}")

    async def _csv(self, name: str) -> tuple[bytes, str, str]:
        text = await asyncio.to_thread(table, self._runs.load(name))
        return text.encode(), "text/csv; charset=utf-8", _ascii(f"{name}.csv")

    async def _zarr(self, name: str) -> tuple[bytes, str, str]:
        self._runs.load(name)
        return await asyncio.to_thread(packed, self._runs, name), "application/zip", _ascii(f"{name}.zarr.zip")

    async def _report(self, name: str) -> tuple[bytes, str, str]:
        self._runs.load(name)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.html"
            words = ["report", str(self._runs.path(name)), "--out", str(file)]
            made = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "emergelab", *words,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            _, said = await made.communicate()
            if made.returncode or not file.exists():
                lines = said.decode(errors="replace").strip().splitlines()
                raise UserError(lines[-1] if lines else "the report could not be made")
            return file.read_bytes(), "text/html; charset=utf-8", _ascii(f"{name}.html")


def _ascii(name: str) -> str:
    """A file's name as a header may hold it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)


def drawn(run: Run, observable: str, form: str) -> bytes:
    """The curves of an observable in the house style, as a file of a format that matplotlib writes.

    Raises:
        UserError: the run has no such observable.
    """
    curves = Growing(run)
    if observable not in curves.names:
        raise UserError(f"the run has no observable {observable!r}{nearest(observable, curves.names)}")
    curves.read()
    out = io.BytesIO()
    with _DRAWING:
        fig, ax = style.new()
        for i, condition in enumerate(curves.conditions):
            hue = style.COLOURS[i % len(style.COLOURS)]
            style.band(ax, curves.known(), curves.values(observable, i), label=condition, colour=hue)
        style.finish(ax, title=observable, xlabel="step", ylabel=curves.about[observable], legend=True)
        fig.savefig(out, format=form, dpi=150)
    return out.getvalue()


def table(run: Run) -> str:
    """All scalar observables as a tidy table: a row for each condition, seed and time that is written."""
    data = run.data
    scalars = [str(n) for n, v in data.data_vars.items() if v.dims == ("condition", "seed", "time")]
    if not scalars:
        raise UserError("this run has no scalar observable; take its data.zarr")
    frame = data[scalars].load().to_dataframe().reset_index()
    return str(frame[np.isfinite(frame[scalars]).any(axis=1)].to_csv(index=False))


def packed(runs: Runs, name: str) -> bytes:
    """data.zarr as a ZIP file, which `xarray.open_zarr` reads through `zarr.storage.ZipStore`.

    Raises:
        UserError: it is larger than 1 GiB, or holds a link out of the folder of runs.
    """
    root = runs.path(name) / "data.zarr"
    files = [p for p in sorted(root.rglob("*")) if p.is_file()]
    if sum(p.stat().st_size for p in files) > _LARGEST:
        raise UserError("data.zarr is larger than 1 GiB; take it from the disk")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            parts = path.relative_to(root).parts
            archive.writestr("/".join(parts), runs.file(name, "data.zarr", *parts).read_bytes())
    return out.getvalue()
