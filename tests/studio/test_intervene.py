"""The command that the page shows is the command that is run, and the command line understands it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import emergelab as el

pytest.importorskip("panel")
import panel as pn

from emergelab.cli._options import interventions_of
from emergelab.studio import intervene


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("intervene") / "run"
    return el.find("sorting").run("tiny", seeds=2, conditions=["bubble"], keep=[0, 100], out=out, progress=False)


def test_a_fork_is_told_with_site_value_window_and_folder(run: Any) -> None:
    found = intervene.command(
        run, kind="clamp", site="rates", value="[1, 0,0]", start=120, stop=150, at=100, conditions=["bubble"], out="new"
    )
    assert found == ["fork", run.path, "--at", "100", "--clamp", "rates=[1,0,0]@120:150", "--condition", "bubble",
                     "--out", "new"]  # fmt: skip


@pytest.mark.parametrize(
    "kind, value, option, made",
    [
        ("ablate", "", "state.cells.*@5:", el.Ablate),
        ("shift", "1.5", "state.cells.*=1.5@5:", el.Shift),
        ("scale", "-2", "state.cells.*=-2@5:", el.Scale),
        ("swap", "0, 5", "state.cells.*=0,5@5:", el.Swap),
        ("clamp", "true", "state.cells.*=true@5:", el.Clamp),
    ],
)
def test_the_command_line_reads_what_the_page_writes(run: Any, kind: str, value: str, option: str, made: Any) -> None:
    found = intervene.command(run, kind=kind, site="state.cells.*", value=value, start=5)
    assert found[found.index(f"--{kind}") + 1] == option
    (read,) = interventions_of(**{kind: [option]})
    assert isinstance(read, made) and read.site == "state.cells.*" and int(read.during.start) == 5


def test_a_run_without_kept_states_is_run_again_from_the_start(run: Any) -> None:
    found = intervene.command(run, kind="scale", site="rates", value="0.5")
    assert found == [
        "run",
        "sorting",
        "--size",
        "tiny",
        "--seeds",
        "2",
        "--scale",
        "rates=0.5",
        "--condition",
        "bubble",
    ]


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"site": ""}, "choose a site"),
        ({"value": "high"}, "a number or a list of numbers"),
        ({"value": "[]"}, "a number or a list of numbers"),
        ({"start": 20, "stop": 10}, "must end after it begins"),
        ({"at": 100, "stop": 50}, "before anything is grown"),
        ({"at": 7}, "kept are 0, 100"),
        ({"kind": "explode"}, "must be one of"),
        ({"kind": "swap", "value": "3"}, "two numbers of rows"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(run: Any, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(el.UserError, match=said):
        intervene.command(run, **({"kind": "clamp", "site": "rates", "value": "0"} | wrong))


def test_the_form_previews_and_launches_the_same_command(run: Any) -> None:
    launched: list[Sequence[str]] = []
    page = intervene.intervene(run, el.find("sorting"), launched.append)
    site, kind = page.select(pn.widgets.AutocompleteInput)[0], page.select(pn.widgets.Select)[0]
    assert "rates" in site.options and "state.cells.value" in site.options
    site.value, kind.value = "rates", "ablate"
    button = page.select(pn.widgets.Button)[0]
    shown = " ".join(pane.object for pane in page.select(pn.pane.HTML))
    assert f"emergelab fork {run.path} --at 0 --ablate rates --out" in shown and not button.disabled
    button.clicks += 1
    assert list(launched[0][:6]) == ["fork", run.path, "--at", "0", "--ablate", "rates"]
    kind.value = "clamp"
    value = page.select(pn.widgets.TextInput)[-1]
    value.value_input = "high"
    assert button.disabled
    value.value_input = "[1, 0, 0]"
    assert not button.disabled
    button.clicks += 1
    assert "rates=[1,0,0]" in launched[1]


def test_a_refusal_to_launch_is_shown(run: Any) -> None:
    def refuse(_: Sequence[str]) -> None:
        raise el.UserError("two runs are going already")

    page = intervene.intervene(run, el.find("sorting"), refuse)
    page.select(pn.widgets.Button)[0].clicks += 1
    assert "two runs are going already" in " ".join(pane.object for pane in page.select(pn.pane.HTML))


def test_without_a_study_there_is_one_line(run: Any) -> None:
    assert "without a study" in intervene.intervene(run, None, lambda _: None).object
