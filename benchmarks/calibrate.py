"""The full calibration of every instrument, written as the tables that its page in the docs shows.

    python benchmarks/calibrate.py                    all of them (hours)
    python benchmarks/calibrate.py onset mirage       some
    python benchmarks/calibrate.py onset --draws 100  fewer data sets a row

Each scene has its own number of data sets; `--draws` caps it. Tables go to docs/instruments/calibration/NAME.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata as metadata
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

from emergelab import instruments
from emergelab.instruments import _scenes, calibrate

FOLDER = Path(__file__).parent.parent / "docs" / "instruments" / "calibration"

_ALL = 1_000_000


def page(instrument: str, most: int) -> str:
    """The tables of one instrument: false alarms, then power."""
    parts = []
    for title, null in (("False alarms (nothing is there)", True), ("Power (what is there, found)", False)):
        rows = []
        for name, scene in _scenes.find(instrument).items():
            if scene.is_null != null:
                continue
            begun = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = calibrate(instrument, name, draws=min(most, scene.draws))
            print(f"{instrument} / {name}: {time.perf_counter() - begun:.0f} s", flush=True)
            for r in found.table.itertuples():
                size = "" if null else f"{r.effect:g} | "
                span = f"{r.rate:.3f} [{r.low:.3f}, {r.high:.3f}]"
                what = scene.about if null else f"{scene.about} ({scene.unit})"
                rows.append(f"| {what} | {size}{r.seeds} | {span} | {r.draws} |")
        if rows:
            extra = "" if null else " size |"
            bars = "| --- | --- | --- | --- |" + ("" if null else " --- |")
            head = f"| scene |{extra} seeds | rate [95 %] | data sets |\n{bars}\n"
            parts.append(f"**{title}**\n\n{head}" + "\n".join(rows))
    version = metadata.version("emergelab")
    command = f"python benchmarks/calibrate.py {instrument}" + (f" --draws {most}" if most < _ALL else "")
    stamp = f"Made on {datetime.now(UTC):%Y-%m-%d} by `{command}`, emergelab {version}."
    return "\n\n".join(parts) + f"\n\n{stamp}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instruments", nargs="*", choices=[*instruments.INSTRUMENTS, []], help="default: all")
    parser.add_argument("--draws", type=int, default=_ALL, help="at most this many data sets a row")
    asked = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for instrument in asked.instruments or instruments.INSTRUMENTS:
        (FOLDER / f"{instrument}.md").write_text(page(instrument, asked.draws))


if __name__ == "__main__":
    main()
