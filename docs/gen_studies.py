"""MkDocs hook: a page for every study, made from the study itself, and the lists of studies and of verdicts.

A page is the docstring of the study's file followed by what the file declares (conditions, sizes, parameters,
observables, claims), so the documentation cannot say something else than the code. Nothing is run; the picture is the
headline figure of the run whose verdicts were recorded last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markdown.extensions.toc import slugify
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from PIL import Image

from emergelab.catalogue import Entry, entries, find
from emergelab.system import defaults, parameters

KINDS = ("supported", "refuted", "inconclusive", "untested")

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

    from emergelab.study import Study


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of studies and of recorded verdicts to the navigation."""
    sections = {name: content for item in config.nav for name, content in item.items()}
    sections["Studies"] += [{_short(entry.slug): f"studies/{entry.slug}.md"} for entry in _own()]
    for file in _recorded(Path(config.docs_dir, "verdicts")):
        title = file.read_text(encoding="utf-8").partition("\n")[0]
        sections["Verdicts"].append({_heading(title): f"verdicts/{file.name}"})
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Make the pages of the studies."""
    for entry in _own():
        study = find(entry.slug)
        if not study.page.partition("\n")[2].strip():
            raise PluginError(f"study {entry.slug!r}: its page has a title but no sections ({entry.module})")
        source = Path("src", *entry.module.split(".")).as_posix()
        picture = headline(f"{entry.slug}-quick", Path(config.docs_dir, "verdicts"), "../verdicts/")
        files.append(File.generated(config, f"studies/{entry.slug}.md", content=page(study, source, picture)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the lists."""
    if page.file.src_uri == "studies/index.md":
        rows = [(f"[{_short(e.slug)}]({e.slug}.md)", e.family, e.title.rstrip(".")) for e in _own()]
        return markdown.replace("<!-- studies -->", table(("study", "family", "what it shows"), rows))
    if page.file.src_uri == "verdicts/index.md":
        return markdown.replace("<!-- verdicts -->", verdicts(Path(config.docs_dir, "verdicts")))
    if page.file.src_uri == "benchmarks.md":
        results = Path(config.docs_dir).parent / "benchmarks" / "results"
        return markdown.replace("<!-- benchmarks -->", measured(results))
    if page.file.src_uri.startswith("verdicts/"):
        page.meta["hide"] = ["toc"]  # the table of claims needs the room
        return recorded(markdown, headline(Path(page.file.src_uri).stem, Path(config.docs_dir, "verdicts")))
    return markdown


def headline(name: str, folder: Path, way: str = "") -> str:
    """The headline figure of a recorded run as Markdown, with the caption that it holds; nothing where there is none.

    Args:
        name: study and size.
        folder: of recorded verdicts.
        way: from the page to that folder.
    """
    file = folder / "figures" / f"{name}.png"
    if not file.exists():
        return ""
    with Image.open(file) as picture:
        caption = picture.text["Description"]  # type: ignore[attr-defined]
    link = f" [Verdicts]({way}{name}.md)." if way else ""
    shown = escape(re.sub(r"[\[\]`*]", "", caption))
    return f"![{shown}]({way}figures/{name}.png){{ .headline }}\n\n<small>{caption}{link}</small>"


def recorded(text: str, picture: str = "") -> str:
    """A recorded page, with verdicts in colour and ways to what was written below the table, which is long.

    Args:
        text: the page.
        picture: shown above the table.
    """
    text = re.sub(rf"\*\*({'|'.join(KINDS)})\*\*", r'<span class="verdict \1">\1</span>', text)
    head, bar, rest = text.partition("\n| claim")
    ways = [f"[{title}](#{slugify(title, '-')})" for title in re.findall(r"^## (.+)$", rest, re.M)]
    below = f"\nBelow the table: {', '.join(ways)}.\n" if ways else ""
    return f"{head}{below}\n{picture}\n{bar}{rest}" if bar else text


def page(study: Study, source: str, picture: str = "") -> str:
    """The page of one study as Markdown.

    Args:
        study: of which.
        source: where its code is.
        picture: shown below its papers.
    """
    title, _, rest = study.page.partition("\n")
    parts = [
        f"# {title.strip().rstrip('.')}",
        f"`emergelab run {study.slug}` · family *{study.family}* · `{source}`",
    ]
    if study.papers:
        parts.append("\n".join(f"- {_paper(paper)}" for paper in study.papers))
    if picture:
        parts.append(picture)
    parts.append(rest.strip())
    parts += [
        "## Claims",
        "Stated as the papers state them. How they are judged: [Claims and verdicts](../concepts/claims.md).",
        "\n".join(_claims(study)),
    ]
    parts += ["## Sizes", table(("size", "seeds", "steps", "conditions", "what was cut"), _sizes(study))]
    parts += [
        "## Conditions",
        "Parameters that differ from the defaults.",
        table(("condition", "set", "about"), _conditions(study)),
    ]
    parts += ["## Parameters", table(("parameter", "default", "must be", "about"), _parameters(study))]
    parts += ["## Observables", table(("observable", "dims", "unit", "about"), _observables(study))]
    return "\n\n".join(parts) + "\n"


def measured(folder: Path) -> str:
    """What the benchmarks have written down: a table a part, with its date, versions, machine and command."""
    parts = []
    for file in sorted(folder.glob("*.json")):
        parts.append(f"## {file.stem}")
        for part, found in json.loads(file.read_text(encoding="utf-8")).items():
            machine = found["machine"]
            versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
            rows = [
                (r["what"], r["unit"], f"{r['ours']:.3g}", f"{r['theirs']:.3g}", f"**{r['ratio']:.3g}**", r["peer"])
                for r in found["rows"]
            ]
            parts += [
                f"### ({part}) {found['title']}",
                f"`{found['command']}`, {found['date'][:10]}, {machine['processor']}, {machine['cores']} cores, load "
                f"{machine.get('load', 'unknown')}; {versions}",
                table(("what", "unit", "emergelab", "peer", "ratio", "against"), rows),
            ]
    return "\n\n".join(parts)


def verdicts(folder: Path) -> str:
    """A table of the recorded pages in a folder: `emergelab verify SLUG --record FOLDER` writes them."""
    rows = []
    for file in _recorded(folder):
        title, _, rest = file.read_text(encoding="utf-8").partition("\n")
        found = re.findall(r"\*\*(supported|refuted|inconclusive|untested)\*\*", rest)
        badges = [f'<span class="verdict {kind}">{found.count(kind)} {kind}</span>' for kind in KINDS if kind in found]
        rows.append((f"[{_heading(title)}]({file.name})", ", ".join(badges)))
    if not rows:
        return "No verdicts are recorded here yet; `make verify` makes them on your machine."
    return table(("study and size", "claims"), rows)


def _recorded(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.md") if file.name != "index.md")


def _heading(title: str) -> str:
    """The words of a page's first line: `# Verdicts: sorting, size quick` -> `sorting, size quick`."""
    return title.lstrip("# ").removeprefix("Verdicts: ").strip()


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; `|` and line breaks in cells are made harmless."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_bar(cell) for cell in line) + " |" for line in lines)


def _own() -> list[Entry]:
    """The studies of this package; those that other installed packages add have their own documentation."""
    return [entry for entry in entries() if entry.module.startswith("emergelab.studies.")]


def _claims(study: Study) -> Iterable[str]:
    for i, claim in enumerate(study.claims, 1):
        yield f"{i}. **{_cell(claim.text)}**"
        margin = {
            ">": f"above {claim.margin:g}",
            "<": f"below −{claim.margin:g}",
            "=": f"within ±{claim.margin:g}",
        }
        unit = "" if claim.unit in ("", "1") else f" {_cell(claim.unit)}"
        holds = f"holds if {margin[claim.direction]}{unit}"
        yield f"    - *test:* {_cell(claim.test.words())}; {holds}"
        if claim.published:
            yield f"    - *published:* {_cell(claim.published)}"
        if claim.about:
            yield f"    - *reading:* {_cell(claim.about)}"


def _sizes(study: Study) -> Iterable[Sequence[str]]:
    for name, size in study.sizes.items():
        count = len(size.conditions or study.conditions)
        yield f"`{name}`", str(size.seeds), f"{size.steps:,}", str(count), _cell(size.about)


def _conditions(study: Study) -> Iterable[Sequence[str]]:
    for name, condition in study.conditions.items():
        changes = [f"`{key}={value}`" for key, value in condition.set.items()]
        changes += [f"`{type(i).__name__}({i.site})`" for i in condition.interventions]
        yield f"`{name}`", ", ".join(changes) or "the defaults", _cell(condition.about)


def _parameters(study: Study) -> Iterable[Sequence[str]]:
    default = defaults(study.system)
    for name, known in parameters(study.system).items():
        unit = f" ({known.unit})" if known.unit not in ("", "1") else ""
        kind = " (shapes the program)" if known.is_static else ""
        yield f"`{name}`", f"`{_brief(default[name])}`", known.expected() + unit + kind, _cell(known.about)


def _observables(study: Study) -> Iterable[Sequence[str]]:
    for seen in study.system.observables:
        yield f"`{seen.name}`", ", ".join(seen.dims), seen.unit, _cell(seen.about)


def _paper(paper: Any) -> str:
    text = _cell(str(paper))
    return f"[{text}]({paper.url})" if paper.url else text


def _short(slug: str) -> str:
    """A slug as words: `in-context` becomes `In context`; short ones and `lm` are acronyms."""
    words = re.sub(r"\blm\b", "LM", slug.replace("-", " "))
    return words.upper() if len(words) <= 3 else words[:1].upper() + words[1:]


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _cell(text: object) -> str:
    """Text as Markdown takes it literally, on one line; what stands in backticks is left to be code."""
    pieces = re.split(r"(`[^`]+`)", " ".join(str(text).split()))
    return "".join(p if p.startswith("`") else re.sub(r"([*_\[\]#])", r"\\\1", escape(p)) for p in pieces)


def _bar(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
