"""Verdicts as a page for docs/verdicts: what was run, with which versions, when, and what came out."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..runs.run import Run
from ..study import Study
from ..terminal import bound, interval, summary

_HEAD = "| claim | verdict | effect [95 %] | claimed | seeds | Holm p | published |"


def record_verdicts(folder: Path, study: Study, run: Run, verdicts: Sequence[Mapping[str, Any]]) -> Path:
    """Write FOLDER/<slug>-<size>.md, and the study's headline figure beside it as FOLDER/figures/<slug>-<size>.png.

    What stands below the table of an older page is kept. Returns the path of the page.
    """
    info = run.info
    made = info["provenance"]
    versions = ", ".join(f"{k} {v}" for k, v in made["versions"].items())
    lines = [
        f"# Verdicts: {study.slug}, size {info['size']}",
        "",
        f"{study.title} {summary(verdicts).capitalize()}.",
        "",
        f"- command: `{re.sub(r' --out[ =][^ ]+', '', made['command'])}`",  # where the run lies says nothing
        f"- date: {made['created'][:10]}; computing: {info['wall_seconds']:.0f} s on {_where(made)} "
        f"({made['platform']})",
        f"- {len(info['conditions'])} conditions x {len(info['seeds'])} seeds x {info['steps']} steps, recorded "
        f"every {info['every']}",
        f"- versions: {versions}",
        f"- what was cut: {study.size(info['size']).about or 'nothing'}",
        "",
        _HEAD,
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in verdicts:
        remark = "; ".join(filter(None, (row["reason"], row["note"])))
        claim = row["text"] + (f"<br><small>{row['test']}{'; ' + remark if remark else ''}</small>")
        p = "–" if row["p"] is None else f"{row['p']:.2g}"
        cells = (claim, f"**{row['verdict']}**", interval(row), bound(row), str(row["seeds"]), p, row["published"])
        lines.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |")
    name = f"{study.slug}-{info['size']}"
    path, picture = folder / f"{name}.md", _headline(study, run)
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        if picture is not None:
            (folder / "figures" / f"{name}.png").write_bytes(picture)
        notes = _below(path.read_text(encoding="utf-8")) if path.exists() else ""
        path.write_text("\n".join(lines) + "\n" + notes, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another folder with --record") from None
    return path


def _headline(study: Study, run: Run) -> bytes | None:
    """The first figure that can be drawn, in as few bytes as a repository should keep; it holds its caption."""
    figure = next(iter(study.drawable(run)), None)
    if figure is None:
        return None
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    about = PngInfo()
    about.add_itxt("Description", figure.caption or study.title)
    drawn, kept = io.BytesIO(), io.BytesIO()
    figure.draw(run).savefig(drawn, format="png", dpi=110)
    Image.open(drawn).convert("RGB").quantize(128).save(kept, format="png", optimize=True, pnginfo=about)
    return kept.getvalue()


def _where(made: Mapping[str, Any]) -> str:
    """What computed: cores, or accelerators with the cores beside them. Runs of old do not say which devices."""
    cores, others = f"{made['cores']} cores", Counter(d for d in made.get("devices", ()) if d != "cpu")
    return ", ".join([*(f"{n} {kind}" for kind, n in others.items()), cores])


def _below(page: str) -> str:
    """What stands below the table of an earlier page."""
    _, head, rest = page.partition(_HEAD + "\n")
    lines = rest.splitlines(keepends=True)
    rows = next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return "".join(lines[rows:]) if head else ""
