"""Studies and their catalogue: found without importing, checked when made, judged and drawn when run."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import emergelab as el
from emergelab import catalogue
from emergelab.report.assemble import report_run, sections

from .engine.systems import Voter


def study(**changes):
    from matplotlib.figure import Figure

    def draw(run):
        figure = Figure(figsize=(2, 2))
        figure.add_subplot().plot(run.data.time, run.data["up"].mean(("seed", "condition")))
        return figure

    parts = {
        "slug": "voters", "family": "societies", "system": Voter,
        "conditions": {"calm": {"noise": 0.0}, "wild": {"noise": 0.9}},
        "sizes": {
            "tiny": el.Size(steps=10, every=5, seeds=2, set={"n": 6}),
            "quick": el.Size(steps=40, every=10, seeds=12),
        },
        "claims": [
            el.Claim("calm voters stay where they are", el.level("up", "calm", value=10), "=", 9.0),
            el.Claim("wild voters stir", el.contrast("up", "wild", "calm"), ">", 30.0, expect="refuted"),
        ],
        "figures": [el.Figure("ups", draw, "Voters."), el.Figure("never", draw, needs=("absent",))],
        "papers": [el.Paper("Voters", authors="A. Nobody", year=1975, url="https://example.org/v")],
        "page": "Voters vote.\n\n## What it is\n\nA ring.\n\n## Things to try\n\nMore.",
    }  # fmt: skip
    return el.Study(**(parts | changes))


def test_run_judge_draw_and_report(tmp_path):
    made = study()
    run = made.run("quick", out=tmp_path / "r", progress=False)
    assert run.info["study"] == "voters" and run.info["size"] == "quick" and len(run.info["seeds"]) == 12
    verdicts = made.judge(run)
    assert [v["verdict"] for v in verdicts] == ["supported", "refuted"]
    assert json.loads((tmp_path / "r" / "verdicts.json").read_text()) == verdicts
    assert [name for _, name in made.draw(run)] == ["figures/ups.png"], "a figure without its conditions is left out"
    page = (tmp_path / "r" / "report.html").parent / "report.html"
    report_run(run, made, verdicts)
    text = page.read_text()
    for part in ("calm voters stay", "data:image/png;base64", "cannot see", "A. Nobody", "noise=0.9"):
        assert part in text


def test_sizes_conditions_and_parameters(tmp_path):
    run = study().run("tiny", out=tmp_path / "a", conditions=["wild"], set={"reach": 2}, seeds=[3, 5], progress=False)
    assert run.info["conditions"] == {"wild": {"parameters": {"n": 6, "noise": 0.9, "reach": 2}}}
    assert run.info["seeds"] == [3, 5]
    run = study().run("tiny", out=tmp_path / "b", set={"noise": 0.5}, progress=False)
    assert run.info["conditions"]["calm"]["parameters"]["noise"] == 0.5, "what the user sets comes last"


def test_a_run_without_a_study_has_a_report_too(tmp_path):
    run = el.run(Voter(), steps=20, every=5, seeds=4, out=tmp_path / "r", progress=False)
    text = Path(report_run(run, None, [])).read_text()
    assert "Voter" in text and "data:image/png;base64" in text


def test_sections_of_a_page():
    found = sections("Title.\n\nlead\n\n## What it is\n\nA.\n\n## Things to try\n\nB.\n")
    assert found == {"": "lead", "What it is": "A.", "Things to try": "B."}


@pytest.mark.parametrize("wrong, message", [
    ({"slug": "Two Words"}, "slug must be lower-case words"),
    ({"family": "zoo"}, "family must be one of societies"),
    ({"sizes": {"quick": el.Size(steps=1, every=1, seeds=1)}}, r"sizes must include 'tiny' and 'quick', \['tiny'\]"),
    ({"claims": [el.Claim("c", el.level("up", "calmm"), ">", 1.0)]}, "no condition 'calmm'; did you mean 'calm'?"),
    ({"conditions": {"calm": 3}}, "must be a mapping"),
])  # fmt: skip
def test_a_wrong_study_is_told(wrong, message):
    with pytest.raises(el.UserError, match=message):
        study(**wrong)


def test_wrong_choices_are_told(tmp_path):
    for options, message in [
        ({"size": "huge"}, "no size 'huge'"),
        ({"conditions": ["clam"]}, "no condition 'clam'; did you mean 'calm'?"),
        ({"conditions": ["calm", "calm"]}, "named twice"),
        ({"set": {"nois": 1}}, "did you mean 'noise'?"),
        ({"seeds": 0}, "seeds must be"),
    ]:
        with pytest.raises(el.UserError, match=message):
            study().run(**({"size": "tiny", "out": tmp_path / "r", "progress": False} | options))


@pytest.mark.parametrize("entry", catalogue.entries(), ids=lambda entry: entry.slug)
def test_every_study_of_the_catalogue_keeps_the_house_rules(entry):
    """Title, sections, margins, sizes and conditions that fit; every system passes the engine's check without
    running.
    """
    from emergelab.engine import compiled
    from emergelab.engine.plan import make_cells

    found = el.find(entry.slug)
    assert found.slug == entry.slug and found.title == entry.title and found.family == entry.family
    missing = {
        "What it is",
        "How it works",
        "Things to notice",
        "Things to try",
        "Differences from the paper",
        "References",
    } - set(sections(found.page))
    assert not missing, (entry.slug, missing)
    assert found.papers and found.claims and found.figures
    assert {"tiny", "quick", "full", "paper"} <= set(found.sizes)
    for size in found.sizes.values():
        assert size.steps % size.every == 0 and size.about
        base = found.system(**dict(size.set))
        names = list(size.conditions or found.conditions)
        make_cells(base, {n: found.conditions[n] for n in names}, ())
    smallest = found.system(**dict(found.sizes["tiny"].set))
    if isinstance(smallest, el.System):
        assert compiled.sites(smallest)
    else:
        with pytest.raises(el.UserError, match="known only while it runs"):
            compiled.sites(smallest)
    assert all(c.published and c.about for c in found.claims)
    _what_the_page_says_to_type_can_be_typed(found)


def _what_the_page_says_to_type_can_be_typed(found):
    """Options, conditions and parameters that it names are there."""
    import typer

    from emergelab.cli import app

    commands = typer.main.get_command(app).commands.values()
    options = {o for c in commands for p in c.params for o in (*p.opts, *p.secondary_opts)}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", found.page)) <= options, found.slug
    assert set(re.findall(r"--condition ([\w.,-]+)", found.page)) <= set(found.conditions), found.slug
    given = re.findall(r"--set ([^`\"]+)", found.page)
    names = {name for words in given for name in re.findall(r"(?:^| )(\w+)=", words)}
    assert names <= set(found.system.__dataclass_fields__), found.slug


def test_an_entry_point_adds_a_study(monkeypatch):
    class Point:
        name, value, module, attr, dist = "guest", "guest_package:study", "guest_package", "study", None

    monkeypatch.setattr(catalogue.metadata, "entry_points", lambda group: [Point()])
    catalogue.entries.cache_clear()
    try:
        assert "guest" in {e.slug for e in catalogue.entries()}
        with pytest.raises(el.UserError, match="guest_package:study cannot be imported"):
            el.find("guest")
    finally:
        catalogue.entries.cache_clear()


def test_records_of_a_study_are_finite(tmp_path):
    run = study().run("tiny", out=tmp_path / "r", progress=False)
    assert np.isfinite(run.data["up"]).all() and not run.diverged
