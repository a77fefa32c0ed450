"""The README's Python example does what the README says, in fewer than 25 lines."""

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_example(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) < 25
    for promised in ("el.param", "observables", "el.Clamp", "el.run", "el.Claim", "el.instruments."):
        assert promised in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    shown = capsys.readouterr().out
    assert shown.startswith("supported") and "32 of 32 seeds" in shown


def test_the_two_commands_come_first():
    lines = README.read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("```"))
    assert lines[first + 1].startswith("$ make demo") and lines[first + 2].startswith("$ make test")
    assert first < 12
