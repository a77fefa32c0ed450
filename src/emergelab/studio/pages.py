"""The pages about runs, and the table of all pages."""

from __future__ import annotations

import functools
import time as clock
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import panel as pn

from ..catalogue import entries, find
from ..errors import UserError
from ..runs.run import Run
from ..study import Study
from . import catalogue
from .curves import Board
from .export import export
from .processes import Processes
from .runs import Listed, Runs
from .shell import Builder, address, asked, chip, html, link, notice

_TABS = ("Curves", "State", "Intervene", "Judge", "Questions", "Export")
_PERIOD = 1000  # ms between two looks at the disk


# -- the list ---------------------------------------------------------------------------------------------------------


def listing(runs: Runs, processes: Processes) -> tuple[str, Sequence[Any]]:
    """The page of all runs; it follows those that go on."""
    table = html(_listing(runs, processes))
    names = [r.name for r in runs.listing() if r.status != "no run"]
    chosen = pn.widgets.MultiChoice(
        label="Compare runs", options=names, max_items=3, sizing_mode="stretch_width", max_width=460
    )
    go = html("")

    def offered(_: Any) -> None:
        go.object = (
            f"<p>{link('show them beside each other', 'compare', name=chosen.value)}</p>" if chosen.value else ""
        )

    def tick() -> None:
        text = _listing(runs, processes)
        if text != table.object:
            table.object = text

    chosen.param.watch(offered, "value")
    pn.state.add_periodic_callback(tick, period=2 * _PERIOD)
    return "Runs", [table, chosen, go]


def _listing(runs: Runs, processes: Processes) -> str:
    found = runs.listing()
    names = {r.name for r in found}
    rows = [_row(r) for r in found]
    for job in processes.jobs():
        if job.name not in names and (job.alive or job.said):
            status, words = ("running", "starting") if job.alive else ("no run", job.said)
            rows.insert(
                0, f'<tr><td>{escape(job.name)}</td><td>{chip(status)}</td><td colspan="4">{escape(words)}</td></tr>'
            )
    if not rows:
        return f"<p>No runs here yet. {link('Choose a study', './')} and start one.</p>"
    head = "".join(f'<th scope="col">{c}</th>' for c in ("run", "status", "done", "study", "size", "begun (UTC)"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _row(r: Listed) -> str:
    if r.status == "no run":
        return f'<tr><td>{escape(r.name)}</td><td>{chip(r.status)}</td><td colspan="4">{escape(r.note)}</td></tr>'
    what = f"{r.size} · " if r.size else ""
    size = f"{what}{_count(r.conditions, 'condition')} x {_count(r.seeds, 'seed')} x {r.steps:,} steps"
    return (
        f"<tr><td>{link(r.name, 'run', name=r.name)}</td><td>{chip(r.status)}</td><td>{_meter(r.done)}</td>"
        f"<td>{escape(r.study)}</td><td>{escape(size)}</td><td>{escape(r.created[:16].replace('T', ' '))}</td></tr>"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _meter(done: float, wide: bool = False) -> str:
    per = f"{done:.0%}"
    return f'<span class="meter{" wide" * wide}" aria-hidden="true"><i style="width:{per}"></i></span>{per}'


# -- one run ----------------------------------------------------------------------------------------------------------


def run(runs: Runs, processes: Processes) -> tuple[str, Sequence[Any]]:
    """The page of the run that the address names, with a tab for each thing one may do with it."""
    name = (asked("name") or [""])[0]
    job = processes.job(name)
    if job is not None and not runs.path(name).joinpath("run.json").exists():
        return name, [_awaited(runs, processes, name)]
    return name, _opened(runs, processes, name)


def _awaited(runs: Runs, processes: Processes, name: str) -> pn.viewable.Viewable:
    """A run whose process has not made its folder yet; the page becomes the run's own once it has."""
    place = pn.Column(notice("Starting: the program is compiled ..."), sizing_mode="stretch_width")

    def tick() -> None:
        job = processes.job(name)
        if runs.path(name).joinpath("run.json").exists():
            watch.stop()
            place[:] = _opened(runs, processes, name)
        elif job is None or not job.alive:
            watch.stop()
            place[:] = [notice(job.said if job and job.said else "The process has ended without a word.", wrong=True)]

    watch = pn.state.add_periodic_callback(tick, period=_PERIOD // 2)
    return place


def _opened(runs: Runs, processes: Processes, name: str) -> list[Any]:
    found = runs.load(name)
    return [_Head(runs, processes, name, found).view(), _tabs(runs, processes, name, found)]


def study_of(found: Run) -> Study | None:
    """The study of a run, if it was made with one that this installation has."""
    slug = found.info.get("study")
    return find(slug) if slug and slug in {e.slug for e in entries()} else None


def _order(study: Study | None) -> list[str]:
    """The observables of a study in the order in which it declares them."""
    return [o.name for o in study.system.observables] if study else []


class _Head:
    """What a run is and how far; buttons to stop it and to go on with it."""

    def __init__(self, runs: Runs, processes: Processes, name: str, found: Run) -> None:
        self._runs, self._processes, self._name = runs, processes, name
        self._text, self._said = html(""), pn.Column(sizing_mode="stretch_width")
        self._stop = pn.widgets.Button(name="Stop", button_type="default", width=100)
        self._resume = pn.widgets.Button(name="Resume", button_type="primary", width=100)
        self._stop.on_click(lambda _: self._tried(lambda: self._processes.stop(name)))
        self._resume.on_click(lambda _: self._tried(lambda: self._processes.launch(["resume", str(runs.path(name))])))
        self._first = (clock.monotonic(), found.done)
        self._show(found)

    def view(self) -> pn.viewable.Viewable:
        pn.state.add_periodic_callback(self._tick, period=_PERIOD)
        return pn.Column(self._text, pn.Row(self._stop, self._resume), self._said, sizing_mode="stretch_width")

    def _tried(self, work: Callable[[], Any]) -> None:
        try:
            work()
            self._said[:] = []
            self._first = (clock.monotonic(), self._runs.load(self._name).done)
        except UserError as error:
            self._said[:] = [notice(str(error), wrong=True)]
        self._tick()

    def _tick(self) -> None:
        try:
            self._show(self._runs.load(self._name))
        except (UserError, OSError) as error:
            self._said[:] = [notice(str(error), wrong=True)]

    def _show(self, found: Run) -> None:
        job, info = self._processes.job(self._name), found.info
        status = self._runs.status(found)
        ours = job is not None and job.alive
        if ours and status == "interrupted":
            status = "running"  # it has been started again, and compiles before it takes its lock
        slug = info.get("study")
        what = link(slug, "study", slug=slug) if slug else escape(info["system"]["name"])
        lost = sum(len(s) for marks in (found.diverged, found.failed) for s in marks.values())
        size = f"{_count(len(info['conditions']), 'condition')} x {_count(len(info['seeds']), 'seed')}"
        gone = f" · {lost} trajectories diverged or failed" if lost else ""
        parent = _parent(self._runs, self._name, info.get("parent"))
        text = f"<p>{chip(status)} {what} · {size} x {info['steps']:,} steps{gone}{parent}</p>"
        if status != "finished":
            left = self._left(found.done) if status == "running" else ""
            text += f"<p>{_meter(found.done, wide=True)} {escape(left)}</p>"
        if status == "running" and not ours:
            text += '<p class="quiet">Started elsewhere: Ctrl-C there stops it.</p>'
        if status == "finished" and ours:
            text += '<p class="quiet">All is grown; the claims are being judged and the figures drawn.</p>'
        if job is not None and not job.alive and status == "interrupted" and job.said.startswith("emergelab:"):
            text += f'<p class="notice wrong">{escape(job.said)}</p>'
        if text != self._text.object:
            self._text.object = text
        self._stop.visible, self._resume.visible = ours and status == "running", status == "interrupted"

    def _left(self, done: float) -> str:
        """How long it will still take, from how it went since the page was opened."""
        begun, before = self._first
        seconds = clock.monotonic() - begun
        if done <= before or seconds < 1:
            return ""
        left = (1 - done) * seconds / (done - before)
        return f"about {left:.0f} s left" if left < 100 else f"about {left / 60:.0f} min left"


def _parent(runs: Runs, name: str, parent: str | None) -> str:
    """A word on the run that this one was forked from, with a way to see both."""
    if not parent:
        return ""
    try:
        before = runs.name(parent)
    except UserError:
        return f" · made from {escape(parent.rstrip('/').rpartition('/')[2])}"
    both = link("beside each other", "compare", name=[before, name])
    return f" · made from {link(before, 'run', name=before)} ({both})"


def _tabs(runs: Runs, processes: Processes, name: str, found: Run) -> pn.viewable.Viewable:
    """One button a tab; a tab is built when it is first opened. `tab=` in the address opens one."""
    place = pn.Column(sizing_mode="stretch_width", min_height=300)
    buttons = {tab: pn.widgets.Button(name=tab, width=104, margin=(4, 2)) for tab in _TABS}
    made: dict[str, Any] = {}

    def show(tab: str) -> None:
        for key, button in buttons.items():
            button.button_type = "primary" if key == tab else "default"
        if tab not in made:
            try:
                made[tab] = _tab(runs, processes, name, tab)
            except (UserError, OSError) as error:
                place[:] = [notice(str(error), wrong=True)]
                return
        place[:] = [made[tab]]

    for tab, button in buttons.items():
        button.on_click(functools.partial(lambda tab, _: show(tab), tab))
    show(next((t for t in _TABS if t.lower() in asked("tab")), _TABS[0]))
    return pn.Column(pn.FlexBox(*buttons.values(), gap="0px"), place, sizing_mode="stretch_width")


def _tab(runs: Runs, processes: Processes, name: str, tab: str) -> pn.viewable.Viewable:
    found = runs.load(name)
    if tab == "Curves":
        study = study_of(found)
        return Board(runs, [name], _order(study)).view()
    if tab == "Export":
        return export(runs, name, found)
    if tab == "Questions":
        from .questions import questions

        return questions(found)
    if tab == "State":
        from .player import player

        return player(found, study_of(found))
    if tab == "Judge":
        from .judging import judging

        return judging(found, study_of(found))
    from .intervene import intervene

    said = pn.Column(sizing_mode="stretch_width")

    def launch(arguments: Sequence[str]) -> None:
        started = processes.launch(arguments)
        both = address("compare", name=[name, started])
        said[:] = [
            html(
                f'<p class="notice" role="status">Started: {link(started, "run", name=started)} · '
                f'<a href="{escape(both, quote=True)}">beside the original</a></p>'
            )
        ]

    return pn.Column(intervene(found, study_of(found), launch), said, sizing_mode="stretch_width")


# -- several runs, and data from elsewhere ----------------------------------------------------------------------------


def compare(runs: Runs, processes: Processes) -> tuple[str, Sequence[Any]]:
    """Up to three runs in the same plots."""
    names = list(dict.fromkeys(asked("name")))
    if not 1 <= len(names) <= 3:
        raise UserError(f"one to three runs are shown beside each other, got {len(names)}")
    for name in names:
        job = processes.job(name)
        if job is not None and job.alive and not runs.path(name).joinpath("run.json").exists():
            return "Beside each other", [_begun(runs, processes, names)]
    return "Beside each other", _beside(runs, processes, names)


def _beside(runs: Runs, processes: Processes, names: Sequence[str]) -> list[Any]:
    lines = "".join(
        f"<li>{link(name, 'run', name=name)} {chip(runs.status(runs.load(name)))} "
        f"{['solid', 'dashed', 'dotted'][i]}</li>"
        for i, name in enumerate(names)
    )
    study = study_of(runs.load(names[0]))
    return [html(f"<ul>{lines}</ul>"), Board(runs, names, _order(study)).view()]


def _begun(runs: Runs, processes: Processes, names: Sequence[str]) -> pn.viewable.Viewable:
    """Runs of which one has not made its folder yet."""
    place = pn.Column(notice("Starting: the program is compiled ..."), sizing_mode="stretch_width")

    def tick() -> None:
        waiting = [n for n in names if not runs.path(n).joinpath("run.json").exists()]
        dead = [job for n in waiting if (job := processes.job(n)) is None or not job.alive]
        if not waiting:
            watch.stop()
            place[:] = _beside(runs, processes, names)
        elif dead:
            watch.stop()
            said = next((job.said for job in dead if job and job.said), "The process has ended without a word.")
            place[:] = [notice(said, wrong=True)]

    watch = pn.state.add_periodic_callback(tick, period=_PERIOD // 2)
    return place


def measure(runs: Runs, processes: Processes) -> tuple[str, Sequence[Any]]:
    """The page on which a file is dropped to be measured."""
    from .questions import measure_page

    return "Measure your own curves", [measure_page()]


PAGES: dict[str, Builder] = {
    "/": catalogue.cards,
    "/study": catalogue.study,
    "/runs": listing,
    "/run": run,
    "/compare": compare,
    "/measure": measure,
}
"""All pages by their path."""
