"""The command line: what it prints, what it refuses, and with which exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import emergelab as el
from emergelab import cli, terminal

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Run a command line in this process; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def go(*words):
        monkeypatch.setattr(sys, "argv", ["emergelab", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return go


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """One tiny run of the sorting study, made once by the command line itself."""
    out = tmp_path_factory.mktemp("cli") / "run"
    done = subprocess.run(
        [sys.executable, "-m", "emergelab", "run", "sorting", "--size", "tiny", "--out", str(out)],
        capture_output=True, text=True, cwd=ROOT, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_help_is_quick_and_needs_no_jax():
    code = "import sys; sys.argv = ['emergelab', '--help']\nfrom emergelab.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "assert not {'jax', 'numpy', 'xarray', 'matplotlib'} & set(sys.modules), set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for verb in ("list", "show", "run", "resume", "verify", "judge", "measure", "report", "sites", "doctor"):
        assert verb in done.stdout


def test_the_version(call):
    code, out, _ = call("--version")
    assert code == 0 and out == f"emergelab {el.__version__}\n" and call("version")[1] in out


def test_the_catalogue_needs_no_jax_either():
    code = "import sys\nfrom emergelab.catalogue import entries\n"
    code += "assert {'sorting', 'icl'} <= {e.slug for e in entries()}\nassert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_list_show_and_sites(call):
    code, out, _ = call("list")
    assert code == 0 and "sorting" in out and "icl" in out
    assert {e["slug"] for e in json.loads(call("list", "--json")[1])} >= {"sorting", "icl"}
    code, out, _ = call("show", "sorting")
    assert code == 0 and "Things to try" in out and "Parameters" in out and "Claims" in out
    page = json.loads(call("show", "sorting", "--json")[1])
    assert page["claims"] and page["sizes"]["quick"]["seeds"] >= 32
    code, out, _ = call("sites", "sorting")
    assert code == 0 and "state.cells.frozen" in out
    names = {s["name"] for s in json.loads(call("sites", "icl", "--json")[1])}
    assert any("L.0.pattern" in n for n in names)


def test_run_ends_with_verdicts_folder_figure_and_what_next(tiny):
    out, printed = tiny
    assert (out / "verdicts.json").exists() and (out / "run.json").exists()
    assert "verdicts:" in printed and f"run:      {out}" in printed and "next:     emergelab report" in printed
    figure = next(line.split()[1] for line in printed.splitlines() if line.startswith("figure:"))
    assert Path(figure).read_bytes().startswith(b"\x89PNG")


def test_judge_report_and_resume_of_a_finished_run(tiny, call):
    out, _ = tiny
    code, shown, _ = call("judge", out, "--json")
    judged = json.loads(shown)
    assert code == (1 if judged["unexpected"] else 0)
    assert {v["verdict"] for v in judged["verdicts"]} <= set(terminal.SIGNS)
    code, shown, _ = call("report", out)
    page = (out / "report.html").read_text()
    assert code == 0 and "cannot see" in page and "emergelab run sorting --size tiny" in page
    code, shown, _ = call("report", out, "--out", "elsewhere.html", "--json")
    assert json.loads(shown)["report"] == "elsewhere.html" and Path("elsewhere.html").exists()
    assert call("resume", out, "--quiet")[0] == 0


def test_conditions_parameters_and_clamps_from_the_command_line(call):
    code, out, err = call(
        "run",
        "sorting",
        "--size",
        "tiny",
        "--seeds",
        "2",
        "--condition",
        "bubble",
        "--condition",
        "insertion",
        "--set",
        "n=9",
        "--clamp",
        "state.cells.frozen=2@10:20",
        "--out",
        "r",
        "--json",
    )
    assert code == 0, err
    info = json.loads(Path("r/run.json").read_text())
    assert list(info["conditions"]) == ["bubble", "insertion"] and info["conditions"]["bubble"]["parameters"]["n"] == 9
    clamp = info["interventions"]["bubble"][0]
    assert clamp["site"] == "state.cells.frozen" and (clamp["during"]["start"], clamp["during"]["stop"]) == (10, 20)
    assert json.loads(out)["status"] == "finished"


def test_verify_fails_when_a_verdict_is_not_the_one_on_record(call):
    """Two seeds decide nothing, so every claim differs from the record: exit code 1, with the claims named."""
    before = Path("verdicts/sorting-tiny.md")
    before.parent.mkdir()
    old = "| claim | verdict | effect [95 %] | claimed | seeds | Holm p | published |\n| --- |\n| gone | |\n"
    before.write_text(f"# Verdicts\n\n{old}\n## Measured beside published\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n")
    code, out, _ = call(
        "verify", "sorting", "--size", "tiny", "--seeds", "2", "--quiet", "--record", "verdicts", "--out", "r"
    )
    assert code == 1 and "unexpected: inconclusive" in out
    page = before.read_text()
    assert "| claim | verdict |" in page and "versions: python" in page
    # What was written by hand below the table is not lost; the table itself is the new one.
    assert page.endswith("|\n\n## Measured beside published\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n")
    assert "gone" not in page
    assert Path("verdicts/figures/sorting-tiny.png").read_bytes().startswith(b"\x89PNG")
    # A run made elsewhere, with accelerators in it, is judged and recorded here with the same page.
    info = json.loads(Path("r/run.json").read_text())
    assert info["provenance"]["devices"] == ["cpu"] * len(info["provenance"]["devices"])
    info["provenance"]["devices"] = ["NVIDIA H100", "NVIDIA H100"]
    Path("r/run.json").write_text(json.dumps(info))
    assert call("judge", "r", "--record", "again")[0] == 1
    assert Path("again/sorting-tiny.md").read_text() == page[: page.index("\n\n## Measured") + 1].replace(
        f"{info['provenance']['cores']} cores", f"2 NVIDIA H100, {info['provenance']['cores']} cores"
    )


def test_doctor(call):
    code, out, _ = call("doctor", "--json")
    assert code == 0 and all(c["ok"] for c in json.loads(out))


CSV = "step,run,score\n" + "".join(
    f"{t},{s},{1 / (1 + np.exp(-(t - 50 - s) / 5)):.4f}\n" for s in range(6) for t in range(0, 100, 5)
)


@pytest.fixture
def files(tmp_path):
    rows = CSV.splitlines()
    made = {
        "good.csv": CSV,
        "nameless.csv": CSV.replace("run", "who"),
        "text.csv": "\n".join([*rows[:5], "20,0,high", *rows[6:]]),
        "empty.csv": "",
        "header.csv": rows[0],
        "twice.csv": "\n".join([*rows, rows[1]]),
        "blank-time.csv": "\n".join([*rows, ",0,0.5"]),
        "nothing.csv": "step,run,score\n1,0,\n2,0,\n",
        "odd.xyz": CSV,
        "binary.csv": "\x00\x01\x02",
        "bad.parquet": "PAR1 nothing",
        "note.json": "{}",
    }
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_measure_finds_the_onset_of_a_users_own_table(call, files):
    code, out, err = call(
        "measure",
        "good.csv",
        "--time",
        "step",
        "--value",
        "score",
        "--seed",
        "run",
        "--threshold",
        "0.5",
        "--out",
        "r.html",
    )
    assert code == 0, err
    said = " ".join(out.split())  # whatever the width of the terminal
    assert "emerges in 6 of 6 seeds" in said and "report: r.html" in said and "not asked: mirage (is the jump" in said
    page = Path("r.html").read_text()
    assert "--threshold 0.5" in page and "data:image/png;base64" in page
    code, out, _ = call(
        "measure", "good.csv", "--time", "step", "--value", "score", "--seed", "run", "--threshold", "0.5", "--json"
    )
    table = json.loads(out)["results"][0]["tables"]["seeds"]
    assert table["onset"] == [50, 55, 55, 55, 55, 55]


MEASURE = ("--time", "step", "--value", "score", "--seed", "run")
WRONG = {
    "unknown study": (("run", "sortin"), "no study 'sortin'; did you mean 'sorting'?"),
    "unknown study, show": (("show", "ilc"), "did you mean 'icl'?"),
    "unknown size": (("run", "sorting", "--size", "quik"), "no size 'quik'; did you mean 'quick'?"),
    "unknown condition": (("run", "sorting", "--condition", "buble"), "no condition 'buble'; did you mean 'bubble'?"),
    "unknown parameter": (("run", "sorting", "--size", "tiny", "--set", "nn=3"), "no parameter 'nn'; did you mean "
                                                                                 "'n'?"),
    "value out of range": (("run", "sorting", "--size", "tiny", "--set", "n=-3"), "parameter 'n' must be a whole "
                                                                                  "number"),
    "not NAME=VALUE": (("run", "sorting", "--set", "n"), "--set takes NAME=VALUE, got 'n'"),
    "set twice": (("run", "sorting", "--set", "n=3", "--set", "n=4"), "names 'n' twice"),
    "a wrong clamp": (("run", "sorting", "--clamp", "x=1@5"), "SITE=VALUE@START:STOP"),
    "a clamp of text": (("run", "sorting", "--clamp", "x=high"), "VALUE must be a number"),
    "an unknown site": (("run", "sorting", "--size", "tiny", "--clamp", "state.cells.frosen=1"), "did you mean "
                                                                                                 "'state.cells.frozen'?"),
    "seeds 0": (("run", "sorting", "--seeds", "0"), "seeds must be a whole number >= 1, got 0"),
    "unwritable folder": (("run", "sorting", "--size", "tiny", "--out", "good.csv/run"), "cannot be written"),
    "folder that is not a run": (("judge", "folder"), "not a run"),
    "folder that is absent": (("resume", "absent"), "no such folder"),
    "report of no run": (("report", "folder"), "not a run"),
    "verify nothing": (("verify",), "either a study or --all"),
    "no such column": (("measure", "good.csv", "--time", "stepp", "--value", "score"), "no column 'stepp'; did you "
                                                                                       "mean 'step'?"),
    "text in a number column": (("measure", "text.csv", *MEASURE), "column 'score' must hold numbers, got 'high' in "
                                                                   "row 5"),
    "empty file": (("measure", "empty.csv", *MEASURE), "the file is empty"),
    "no rows": (("measure", "header.csv", *MEASURE), "columns but no rows"),
    "time repeats within a seed": (("measure", "twice.csv", *MEASURE), "step=0 appears more than once within run=0"),
    "time repeats for want of a seed": (("measure", "nameless.csv", *MEASURE[:4]), "tells the replicates apart with "
                                                                               "--seed"),
    "blank time": (("measure", "blank-time.csv", *MEASURE), "'step' must not have empty cells, row 121"),
    "no number at all": (("measure", "nothing.csv", *MEASURE), "'score' has no finite number"),
    "unknown ending": (("measure", "odd.xyz", *MEASURE), "its ending must be one of"),
    "binary": (("measure", "binary.csv", *MEASURE), "binary.csv"),
    "damaged parquet": (("measure", "bad.parquet", *MEASURE), "cannot be read as parquet"),
    "absent file": (("measure", "absent.csv", *MEASURE), "no such file"),
    "a folder": (("measure", "folder", *MEASURE), "this is a folder"),
    "where nothing": (("measure", "good.csv", *MEASURE, "--where", "run=77"), "no row has run=77"),
    "where malformed": (("measure", "good.csv", *MEASURE, "--where", "run"), "--where takes COL=VALUE"),
    "items 0": (("measure", "good.csv", *MEASURE, "--items", "0"), "items must be"),
    "report into nowhere": (("measure", "good.csv", *MEASURE, "--out", "good.csv/x.html"), "cannot be written"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_is_one_clear_line_and_exit_code_2(call, files, case):
    (files / "folder").mkdir()
    words, message = WRONG[case]
    code, out, err = call(*words)
    assert code == 2, (out, err)
    assert message in err and err.startswith("emergelab: ") and err.count("\n") == 1, err
    assert not Path("runs").exists(), "a wrong call leaves nothing behind"


@pytest.mark.parametrize("words", [("run",), ("run", "sorting", "--seeds", "many"), ("fly",), ("measure", "x.csv")])
def test_a_malformed_command_line_is_exit_code_2(call, words):
    code, _, err = call(*words)
    assert code == 2 and "Traceback" not in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(call, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, err = call("run", "sorting", "--size", "tiny", "--out", tmp_path / "locked" / "r")
    assert code == 2 and "cannot be written" in err


# -- real data that no one here wrote -------------------------------------------------------------------------------


def pythia(shared_data, task, *more):
    file = shared_data / "pythia_evals" / "core_tasks.csv"
    rows = ("--where", f"task={task}", "--where", "shots=0", "--where", "deduped=False", "--spread", "metric=value")
    return (
        "measure",
        file,
        *rows,
        "--time",
        "step",
        "--value",
        "acc",
        "--seed",
        "size",
        "--stderr",
        "stderr",
        "--ask",
        "onset",
        "--ask",
        "mirage",
        "--json",
        *more,
    )


def test_lambada_emerges_between_512_and_1000_in_8_of_8_sizes_and_is_a_mirage(call, shared_data):
    code, out, err = call(*pythia(shared_data, "lambada_openai", "--companion", "ppl"))
    assert code == 0, err
    onset, mirage = json.loads(out)["results"]
    assert onset["tables"]["seeds"]["emerged"] == [True] * 8
    assert onset["tables"]["seeds"]["after"] == [512] * 8 and onset["tables"]["seeds"]["onset"] == [1000] * 8
    assert mirage["verdict"] == "mirage"


def test_log_perplexity_may_be_named(call, shared_data):
    code, out, err = call(*pythia(shared_data, "lambada_openai", "--companion", "log(ppl)"))
    assert code == 0, err
    assert json.loads(out)["results"][1]["verdict"] == "mirage"


def test_wsc_is_undecided_with_the_base_rate_warning(call, shared_data):
    code, out, _ = call(*pythia(shared_data, "wsc"))
    onset, mirage = json.loads(out)["results"]
    assert code == 0 and not any(onset["tables"]["seeds"]["emerged"])
    assert mirage["verdict"] == "undecided" and any("label base rates" in w for w in mirage["warnings"])


DOPAMINE = {
    ("freeway", 10): {
        "C51": [7, 5, 6, 7, 5],
        "Rainbow": [2, 2, 2, 2, 1],
        "IQN": [8, 1, 1, 3, 1],
        "Quantile (JAX)": [1] * 5,
        "DQN": [11, None, 12, 5, 23],
        "DQN (Adam + MSE in JAX)": [75, 11, None, 139, 3],
    },
    ("montezumarevenge", 100): {
        "C51": [None, 57, 41, 79, None],
        "IQN": 1,
        "Quantile (JAX)": 1,
        "Rainbow": 1,
        "DQN": 0,
        "DQN (Adam + MSE in JAX)": 0,
    },
    ("venture", 200): {"C51": 5, "Rainbow": 5, "IQN": 5, "Quantile (JAX)": 5, "DQN (Adam + MSE in JAX)": 5, "DQN": 0},
    ("tennis", 10): {"C51": 5, "IQN": 5, "Quantile (JAX)": 5, "DQN (Adam + MSE in JAX)": 5, "DQN": 0, "Rainbow": 0},
}


@pytest.mark.parametrize("game, threshold", DOPAMINE)
def test_atari_onsets(call, shared_data, game, threshold):
    file = shared_data / "dopamine_atari" / "curves.parquet"
    code, out, err = call(
        "measure",
        file,
        "--where",
        f"game={game}",
        "--time",
        "iteration",
        "--value",
        "value",
        "--seed",
        "seed",
        "--by",
        "agent",
        "--threshold",
        threshold,
        "--ask",
        "onset",
        "--json",
    )
    assert code == 0, err
    table = json.loads(out)["results"][0]["tables"]["seeds"]
    for agent, expected in DOPAMINE[game, threshold].items():
        onsets = [o for o, c in zip(table["onset"], table["condition"], strict=True) if c == agent]
        assert len(onsets) == 5
        if isinstance(expected, list):
            assert onsets == expected
        else:
            assert sum(o is not None for o in onsets) == expected


def test_a_fork_takes_every_intervention_that_has_a_word(call):
    words = ("--size", "tiny", "--condition", "bubble", "--seeds", 2, "--keep", "100", "--quiet")
    assert call("run", "sorting", *words, "--out", "parent")[0] == 0
    code, _, err = call(
        "fork", "parent", "--at", 100, "--quiet", "--out", "child", "--ablate", "noise@120:", "--shift",
        "noise=0.5@110:120", "--scale", "rates=[2,1,1]", "--swap", "state.cells.*=0,11@100:101",
    )  # fmt: skip
    assert code == 0, err
    done = json.loads(Path("child/run.json").read_text())["interventions"]["bubble"]
    assert [i["kind"] for i in done] == ["Ablate", "Shift", "Scale", "Swap"]
    assert [i["site"] for i in done] == ["noise", "noise", "rates", "state.cells.*"]


@pytest.mark.parametrize(
    "words, message",
    [
        (("--ablate", "rates=0"), "--ablate takes SITE or SITE@START:STOP"),
        (("--shift", "rates"), "--shift takes SITE=VALUE"),
        (("--scale", "rates=fast"), "VALUE must be a number"),
        (("--swap", "rates=1"), "ROW and ROW are two places"),
        (("--swap", "rates=1,2@5"), "whole numbers of steps"),
    ],
)
def test_a_wrong_intervention_is_one_clear_line(call, words, message):
    code, _, err = call("run", "sorting", "--size", "tiny", *words)
    assert code == 2 and message in err and err.count("\n") == 1, err
