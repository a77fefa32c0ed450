"""Language models inside the process, against their peers; benchmarks/README.md says what is compared and how.

python benchmarks/lm.py [--only a,b] [--rounds 3]

The weights have to be here (`emergelab get smollm2`). Peers that are not installed are left out and named.
"""

from __future__ import annotations

import gc
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from emergelab import assets
from emergelab.lm import Request
from emergelab.lm.base import Address
from measure import Row, carry_out, row, take_turns, timed

PACKAGES = ("emergelab", "jax", "jaxlib", "numpy", "xllamacpp", "torch", "transformers")
OPENING = (
    "You play a game with many others. In each round you meet one of them, whom you have not met before. Both of you "
    "choose at the same time. If both cooperate, both get 8 points. If one defects, it gets 10 points and the other "
    "none. If both defect, both get 5 points. Everybody hears what was played before. "
)
THREADS = 2


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

        works: dict[str, Callable[[], float]] = {"ours": shared}
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
            row(f"{n} decisions", peer, "decisions/s", found["ours"], found[peer], note="" if i else note)
            for i, peer in enumerate(list(works)[1:])
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

        works: dict[str, Callable[[], float]] = {"ours": lambda f=asked, m=ours: f(m)}
        if llama is not None:
            works["llama.cpp (xllamacpp, 8 slots)"] = lambda f=asked, m=llama: f(m)
        if torch is not None:
            name = f"PyTorch (transformers, float32, {torch.device})"
            works[name] = lambda m=torch, p=prompts: len(p) * tokens / timed(lambda: m.write(p, tokens))
        take_turns(works, 1)
        found = take_turns(works, rounds)
        rows += [
            row(f"{n} at once, up to {tokens} tokens", peer, "tokens/s", found["ours"], found[peer])
            for peer in list(works)[1:]
        ]
    return rows


def society(rounds: int) -> list[Row]:
    """(c) A generation of the donor game, against the same society whose agents are asked one after the other."""
    import emergelab as el
    from emergelab.studies.societies.donor_game_lm import DonorGameLM
    from lm_peers import OneByOne

    ours, seeds = MODELS.ours(), 8

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
    take_turns(works, 1)
    found = take_turns(works, max(1, rounds // 3))
    note = f"{seeds} societies of 4 agents: 4 strategies in words, 24 probes and 16 donations each"
    return [
        row("a generation", "a loop over agents", "s", found["ours"], found["a loop over agents"],
            higher_is_better=False, note=note)
    ]  # fmt: skip


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
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=3)
    if MODELS.missing:
        print(f"not installed, so not compared: {', '.join(MODELS.missing)}")


if __name__ == "__main__":
    main()
