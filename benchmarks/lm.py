"""Language models inside the process, against their peers; benchmarks/README.md says what is compared and how.

python benchmarks/lm.py [--only a,b] [--rounds 3]

The weights have to be here (`emergelab get smollm2`). Peers that are not installed are left out and named.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import emergelab as el
from emergelab import assets
from emergelab.lm import Request
from emergelab.lm.base import Address
from emergelab.studies.societies.repeated_games_lm import RepeatedGamesLM
from emergelab.studies.societies.repeated_games_lm._policies import POLICIES
from measure import Row, carry_out, row, take_turns, timed

PACKAGES = ("emergelab", "jax", "jaxlib", "numpy", "xllamacpp", "torch", "transformers", "gdm-concordia")
OPENING = (
    "You play a game with many others. In each round you meet one of them, whom you have not met before. Both of you "
    "choose at the same time. If both cooperate, both get 8 points. If one defects, it gets 10 points and the other "
    "none. If both defect, both get 5 points. Everybody hears what was played before. "
)
THREADS = 2
_ROUNDED, _OWN = "bfloat16", ("the same without sharing",)


def _prompts(n: int) -> list[str]:
    return [
        f"{OPENING}You are agent {i}. Last time agent {i * 7 % n} played {'FJ'[i % 2]}, and so did {i * 3 % 100} per "
        "cent of all. J or F?\nAnswer:"
        for i in range(n)
    ]


def _requests(prompts: Sequence[str], tokens: int = 1) -> list[Request]:
    return [
        Request(p, address=Address(seed=0, time=0, agent=str(i)), max_tokens=tokens, temperature=0.7)
        for i, p in enumerate(prompts)
    ]


class Models:
    """The engines that are here, each opened when it is first needed."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}
        self.missing: list[str] = []

    def ours(self) -> Any:
        """JAX."""
        from emergelab.lm.embedded import open_embedded

        return self._get("ours", lambda: open_embedded("smollm2"))

    def rounded(self) -> Any:
        """JAX, with weights in bfloat16."""
        from emergelab.lm.embedded import open_embedded

        return self._get("rounded", lambda: open_embedded("smollm2", dtype="bfloat16"))

    def llama(self) -> Any:
        """llama.cpp, or None."""
        from emergelab.lm.served import Served

        if not self._here("xllamacpp"):
            return None
        return self._get("llama", lambda: Served("smollm2", slots=8, context=1024, threads=THREADS))

    def torch(self) -> Any:
        """PyTorch, or None."""
        from lm_peers import Transformers

        if not (self._here("torch") and self._here("transformers")):
            return None
        return self._get("torch", lambda: Transformers(assets.find("smollm2")))

    def _here(self, package: str) -> bool:
        if importlib.util.find_spec(package) is not None:
            return True
        if package not in self.missing:
            self.missing.append(package)
        return False

    def _get(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._open:
            self._open[name] = make()
        return self._open[name]


MODELS = Models()


def decisions(rounds: int) -> list[Row]:
    """(a) Log-probabilities of two letters after prompts that share their beginning."""
    rows = []
    for n, times in ((64, rounds), (1024, max(1, rounds // 3))):
        prompts, letters = _prompts(n), [" J", " F"]
        requests, ours, llama, torch = _requests(prompts), MODELS.ours(), MODELS.llama(), MODELS.torch()

        def shared(
            share: bool = True, requests: list[Request] = requests, ours: Any = ours, letters: Any = letters
        ) -> float:
            ours.share = share
            ours._openings.clear()  # what an earlier round left would be an advantage
            seconds = timed(lambda: ours.score(requests, [letters] * len(requests)))
            ours.share = True
            return len(requests) / seconds

        works: dict[str, Callable[[], float]] = {"ours": shared, _ROUNDED: lambda f=shared: f(ours=MODELS.rounded())}
        if n == 64:  # what does not share costs the same a decision at any number, and far longer in all
            works["the same without sharing"] = lambda f=shared: f(False)
        if llama is not None:
            works["llama.cpp (xllamacpp, 8 slots)"] = lambda m=llama, r=requests, w=letters: (
                len(r) / timed(lambda: m.score(r, [w] * len(r)))
            )
        if torch is not None and n == 64:
            works[f"PyTorch (transformers, float32, {torch.device})"] = lambda m=torch, p=prompts, w=letters: (
                len(p) / timed(lambda: m.score(p, w))
            )
        if n == 64:
            take_turns(works, 1)  # compiles
        found = take_turns(works, times)
        length = len(ours.tokenizer.encode(prompts[1], begin=True))
        note = f"prompts of {length} tokens, {len(ours.tokenizer.encode(OPENING, begin=True))} of them shared"
        rows += [
            row(f"{n} decisions{name}", peer, "decisions/s", found[whose], found[peer], note="" if i or name else note)
            for whose, name in (("ours", ""), (_ROUNDED, f", {_ROUNDED}"))
            for i, peer in enumerate(list(works)[2:])
            if not (name and peer in _OWN)
        ]
    return rows


def writing(rounds: int) -> list[Row]:
    """(b) Tokens of sampled answers, for 1, 8 and 32 at once."""
    rows, tokens = [], 48
    for n in (1, 8, 32):
        prompts = [f"{OPENING}Once upon a time agent {i} met agent {i + 7}, and" for i in range(n)]
        requests, ours, llama, torch = _requests(prompts, tokens), MODELS.ours(), MODELS.llama(), MODELS.torch()

        def asked(model: Any, requests: list[Request] = requests) -> float:
            made: list[Any] = []
            seconds = timed(lambda: made.extend(model.complete(requests)))
            return sum(c.tokens_out for c in made) / seconds

        works: dict[str, Callable[[], float]] = {
            "ours": lambda f=asked, m=ours: f(m), _ROUNDED: lambda f=asked: f(MODELS.rounded()),
        }  # fmt: skip
        if llama is not None:
            works["llama.cpp (xllamacpp, 8 slots)"] = lambda f=asked, m=llama: f(m)
        if torch is not None:
            name = f"PyTorch (transformers, float32, {torch.device})"
            works[name] = lambda m=torch, p=prompts: len(p) * tokens / timed(lambda: m.write(p, tokens))
        take_turns(works, 1)
        found = take_turns(works, rounds)
        rows += [
            row(f"{n} at once, up to {tokens} tokens{name}", peer, "tokens/s", found[whose], found[peer])
            for whose, name in (("ours", ""), (_ROUNDED, f", {_ROUNDED}"))
            for peer in list(works)[2:]
        ]
    return rows


def society(rounds: int) -> list[Row]:
    """(c) A generation of the donor game, against the same society whose agents are asked one after the other."""
    from emergelab.studies.societies.donor_game_lm import DonorGameLM
    from lm_peers import OneByOne

    ours, seeds = MODELS.ours(), 2

    def grow(lm: Any) -> float:
        ours._openings.clear()
        with tempfile.TemporaryDirectory() as folder:
            return timed(
                lambda: el.run(
                    DonorGameLM(agents=4, policy="model"), steps=1, seeds=seeds, lm=lm, out=f"{folder}/run",
                    progress=False,
                )
            )  # fmt: skip

    works = {"ours": lambda: grow(ours), "a loop over agents": lambda: grow(OneByOne(ours))}
    found = take_turns(works, 1 + max(1, rounds // 3))
    found = {who: times[1:] for who, times in found.items()}  # the first of each compiles
    note = f"{seeds} societies of 4 agents: 4 strategies in words, 24 probes and 16 donations each"
    return [
        row("a generation", "a loop over agents", "s", found["ours"], found["a loop over agents"],
            higher_is_better=False, note=note)
    ]  # fmt: skip


_SIZES = {8: {"dilemmas": 4, "battles": 2, "ordinals": 2}, 32: {"dilemmas": 10, "battles": 6, "ordinals": 16}}
_THOUGHT = 16  # tokens of each answer that an agent of Concordia gives itself


def streams(rounds: int) -> list[Row]:
    """(e) A round of repeated games: all agents at once, so many at a time, one by one, by Concordia, and again."""
    rows = []
    for agents in _SIZES:
        times = rounds if agents == 8 else max(1, rounds // 3)
        with tempfile.TemporaryDirectory() as folder:
            works, said = _rounds(agents, folder)
            # What was warmed up by 8 agents is warm for 32; but the first answers have to be in the cache.
            take_turns(works if agents == 8 else {n: works[n] for n in ("32 streams", "again")}, 1)
            found = take_turns(works, times)
        ours, alone = found[f"{agents} streams"], found["a loop over agents"]
        what = f"{agents} agents"
        rows += [
            row(f"{what}, {name}", "a loop over agents", "decisions/s", found[name], alone, note=said[name]())
            for name in found
            if name.endswith(("stream", "streams"))
        ]
        rows.append(
            row(f"{what}, asked again", "the first time", "decisions/s", found["again"], ours, note=said["again"]())
        )
        if "Concordia" in found:
            peer = f"Concordia, answers to itself of {_THOUGHT} tokens"
            rows.append(row(what, peer, "decisions/s", ours, found["Concordia"], note=said["Concordia"]()))
    return rows


def _rounds(agents: int, folder: str) -> tuple[dict[str, Callable[[], float]], dict[str, Callable[[], str]]]:
    """What plays one round of so many agents, as decisions a second, and what can be said of its last time."""
    from emergelab.lm.wrappers import Cached, Limited
    from lm_peers import Concordia, Counted, OneByOne

    ours = MODELS.ours()
    counts: dict[str, Counted] = {}
    made = itertools.count()

    def play(name: str, wrapped: Callable[[Any], Any], policy: Callable[[Any], Any] | None = None) -> float:
        ours._openings.clear()
        counts[name] = Counted(ours)
        lm = wrapped(counts[name])
        policies = {} if policy is None else {"model": policy(lm)}
        with patch.dict(POLICIES, policies):
            seconds = timed(
                lambda: el.run(
                    RepeatedGamesLM(**_SIZES[agents], rounds=2, wording="brief"), steps=1, seeds=1, lm=lm,
                    out=f"{folder}/{next(made)}", progress=False,
                )
            )  # fmt: skip
        return agents / seconds

    cached: list[Cached] = []

    def remembering(lm: Any) -> Cached:
        cached.append(Cached(lm, f"{folder}/answers.sqlite"))
        return cached[-1]

    works: dict[str, Callable[[], float]] = {
        f"{n} stream{'s' * (n > 1)}": lambda n=n: play(f"{n} stream{'s' * (n > 1)}", lambda lm: Limited(lm, 2 * n))
        for n in (1, 8, 32)
        if n <= agents
    }
    works["a loop over agents"] = lambda: play("a loop over agents", OneByOne)
    works["again"] = lambda: play("again", remembering)
    if agents == 8 and MODELS._here("concordia"):  # asked one by one, more agents cost it the same a decision
        works["Concordia"] = lambda: play("Concordia", lambda lm: lm, lambda lm: Concordia(lm, _THOUGHT))
    said: dict[str, Callable[[], str]] = {name: lambda name=name: counts[name].said() for name in works}
    said["again"] = lambda: f"{cached[-1].hits} of {cached[-1].hits + cached[-1].misses} requests found in the cache"
    return works, said


_MEMORY = {
    "ours": "from emergelab.lm.embedded import open_embedded as o; m = o('smollm2'); "
    "m.score(rs, [[' J', ' F']] * len(rs)); m.complete(ws)",
    "llama.cpp (xllamacpp, 8 slots)": "from emergelab.lm.served import Served; "
    "m = Served('smollm2', slots=8, context=1024); m.score(rs, [[' J', ' F']] * len(rs)); m.complete(ws)",
    "PyTorch (transformers, float32, cpu)": "from lm_peers import Transformers; from emergelab import assets; "
    "m = Transformers(assets.find('smollm2')); m.score([r.prompt for r in rs], [' J', ' F']); "
    "m.write([w.prompt for w in ws], 16)",
}


def most_memory() -> float:
    """The most megabytes that this process has held. What `resource` tells is inherited from the process before."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def memory(rounds: int) -> list[Row]:
    """(d) The most memory that a process took which scored 64 prompts and wrote 8 answers."""
    del rounds
    gc.collect()
    found = {}
    here = {"llama": MODELS._here("xllamacpp"), "PyTor": MODELS._here("torch") and MODELS._here("transformers")}
    for name, work in _MEMORY.items():
        if not here.get(name[:5], True):
            continue
        code = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import lm; "
            f"rs = lm._requests(lm._prompts(64)); ws = lm._requests(lm._prompts(8), 16); {work}; "
            "print(lm.most_memory())"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        found[name] = [float(done.stdout.strip().splitlines()[-1])]
    return [
        row("64 decisions and 8 answers", peer, "MB", found["ours"], found[peer], higher_is_better=False)
        for peer in list(found)[1:]
    ]


PARTS: dict[str, tuple[str, Callable[[int], list[Row]]]] = {
    "a": ("Decisions by log-probability", decisions),
    "b": ("Writing", writing),
    "c": ("A society", society),
    "d": ("Memory", memory),
    "e": ("A society against one call at a time", streams),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=3)
    if MODELS.missing:
        print(f"not installed, so not compared: {', '.join(MODELS.missing)}")


if __name__ == "__main__":
    main()
