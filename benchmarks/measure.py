"""What every benchmark script needs: taking turns, a row of a comparison, and writing results down."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One comparison: what emergelab does beside what a peer does, both as a median with the extremes."""

    what: str
    peer: str
    unit: str
    ours: float
    ours_range: tuple[float, float]
    theirs: float
    theirs_range: tuple[float, float]
    higher_is_better: bool
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times better emergelab is; below one it is worse."""
        return self.ours / self.theirs if self.higher_is_better else self.theirs / self.ours


def timed(work: Callable[[], Any]) -> float:
    """Seconds of wall time that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def take_turns(works: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call each of several measurements once per round, so that a busy machine is equally unkind to all."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(work())
    return found


def row(
    what: str,
    peer: str,
    unit: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    higher_is_better: bool = True,
    note: str = "",
) -> Row:
    """A row from the rounds of both sides."""
    return Row(
        what,
        peer,
        unit,
        statistics.median(ours),
        (min(ours), max(ours)),
        statistics.median(theirs),
        (min(theirs), max(theirs)),
        higher_is_better,
        note,
    )


def machine() -> dict[str, Any]:
    """The machine in words: system, processor, cores that may be used, and how busy it was."""
    try:
        names = [
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
    except OSError:
        names = []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.platform(),
        "processor": names[0] if names else platform.processor(),
        "cores": cores,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def carry_out(
    script: str,
    parts: Mapping[str, tuple[str, Callable[[int], Sequence[Row]]]],
    packages: Sequence[str],
    *,
    rounds: int,
) -> None:
    """The command line of a benchmark: measure the parts that are asked for, print them, and write them down.

    Args:
        script: file of the benchmark; its docstring is the help.
        parts: letter -> title, and what measures it in a number of rounds.
        packages: whose versions are noted.
        rounds: how many, if nothing is said.
    """
    stem = Path(script).stem
    about = sys.modules["__main__"].__doc__
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(parts), help="parts, e.g. a,c (default: all)")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"timed rounds a part (default: {rounds})")
    parser.add_argument("--name", default=stem, help=f"of the files in results (default: {stem})")
    given = parser.parse_args()
    wanted = [part.strip() for part in given.only.split(",") if part.strip()]
    if not wanted or set(wanted) - set(parts) or given.rounds < 1:
        parser.error(f"--only takes {', '.join(parts)}, --rounds >= 1; got {given.only!r}, {given.rounds}")
    console = Console(width=max(140, Console().width))
    command, folder = shlex.join(["python", f"benchmarks/{stem}.py", *sys.argv[1:]]), Path(script).parent / "results"
    for part in wanted:
        title, measured = parts[part]
        console.print(f"measuring ({part}) {title} ...", style="dim", highlight=False)
        rows = measured(given.rounds)
        show(f"({part}) {title}", rows, console)
        keep(folder, given.name, {part: (title, rows)}, command, packages)
    console.print(f"written: {folder.name}/{given.name}.json, {folder.name}/{given.name}.md", highlight=False)


def show(title: str, rows: Sequence[Row], console: Console) -> None:
    """Print a comparison."""
    made = Table(title=title, title_justify="left", title_style="bold")
    made.add_column("what")
    made.add_column("unit")
    made.add_column("emergelab", justify="right")
    made.add_column("peer", justify="right")
    made.add_column("ratio", justify="right")
    made.add_column("against")
    for r in rows:
        style = "green" if r.ratio >= 1 else "yellow"
        made.add_row(r.what, r.unit, _span(r.ours, r.ours_range), _span(r.theirs, r.theirs_range),
                     f"[{style}]{r.ratio:.3g}x[/]", r.peer)  # fmt: skip
    console.print(made)
    for r in rows:
        if r.note:
            console.print(f"  {r.what}: {r.note}", style="dim", highlight=False)


def keep(
    folder: Path,
    name: str,
    parts: Mapping[str, tuple[str, Sequence[Row]]],
    command: str,
    packages: Sequence[str],
) -> None:
    """Write FOLDER/NAME.json and FOLDER/NAME.md; parts that were not measured now keep their entries."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for part, (title, rows) in parts.items():
        known[part] = {
            "title": title,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "machine": machine(),
            "versions": versions(*packages),
            "rows": [asdict(r) | {"ratio": r.ratio} for r in rows],
        }
    known = dict(sorted(known.items()))
    file.write_text(json.dumps(known, indent=1) + "\n")
    (folder / f"{name}.md").write_text(_page(known))


def _page(known: Mapping[str, Any]) -> str:
    lines = [
        "# Measured",
        "",
        "Median of the rounds, smallest and largest in brackets. A ratio above one: emergelab is faster.",
    ]
    for part, found in known.items():
        lines += [
            "",
            f"## ({part}) {found['title']}",
            "",
            f"{found['date'][:10]}, {found['machine']['processor']}, {found['machine']['cores']} cores, "
            f"load average {found['machine'].get('load', 'unknown')}; "
            + ", ".join(f"{k} {v}" for k, v in found["versions"].items()),
            "",
            "| what | unit | emergelab | peer | ratio | against |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for r in found["rows"]:
            ours, theirs = _span(r["ours"], r["ours_range"]), _span(r["theirs"], r["theirs_range"])
            lines.append(f"| {r['what']} | {r['unit']} | {ours} | {theirs} | **{r['ratio']:.3g}** | {r['peer']} |")
        notes = [f"- {r['what']}: {r['note']}" for r in found["rows"] if r["note"]]
        lines += ["", *notes] if notes else []
    return "\n".join(lines) + "\n"


def _span(middle: float, extremes: Sequence[float]) -> str:
    low, high = extremes
    return f"{_short(middle)} [{_short(low)}, {_short(high)}]"


def _short(x: float) -> str:
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"
