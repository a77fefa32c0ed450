"""Models by one word, as the command line names them."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UserError
from .base import LM

__all__ = ["KEY", "open_lm"]

KEY = "EMERGELAB_LM_KEY"
"""Environment variable whose key is sent to an address, if it is set."""

_FORMS = (
    "smollm2, a GGUF file, bfloat16:FILE, served:FILE, http://HOST/v1#MODEL, inspect:PROVIDER/MODEL, replay:RUN, "
    "shuffled:RUN or human"
)


def open_lm(spec: str, *, cache: str | Path | None = None, calls: int | None = None) -> LM:
    """A model by its name.

    Args:
        spec: "smollm2" (`emergelab get smollm2`), a GGUF file or a folder of safetensors, each of them with "bfloat16:"
            before it if its weights are to be rounded to that type (`open_embedded`), "served:FILE" (a GGUF file of any
            family, by llama.cpp), "http(s)://HOST/v1#MODEL" (an OpenAI-compatible address; the key is taken from
            $EMERGELAB_LM_KEY), "inspect:PROVIDER/MODEL" (a provider that Inspect knows), "replay:RUN" (the record of a
            run), "shuffled:RUN" (its decisions, dealt out to other situations: a null) or "human".
        cache: file in which answers are kept.
        calls: refuse to make more calls than this.

    Raises:
        UserError: no such model, or it is not here.
    """
    lm = _open(spec)
    lm.spec = spec
    if cache is not None:
        from .wrappers import Cached

        lm = Cached(lm, cache)
    if calls is not None:
        from .wrappers import Budget

        lm = Budget(lm, calls=calls)
    return lm


def _open(spec: str) -> LM:
    if spec == "human":
        from .human import Human

        return Human()
    if spec.startswith("replay:"):
        from .ledger import Replay

        return Replay(spec.removeprefix("replay:"))
    if spec.startswith("shuffled:"):
        from .shuffled import Dealer

        return Dealer(spec.removeprefix("shuffled:"))
    if spec.startswith("served:"):
        from .served import Served

        return Served(spec.removeprefix("served:"))
    if spec.startswith("inspect:"):
        from .api import Inspect

        return Inspect(spec.removeprefix("inspect:"))
    if spec.startswith(("http://", "https://")):
        from .endpoint import Endpoint

        url, _, model = spec.partition("#")
        if not model:
            raise UserError(f"--lm {spec}: name the model after a #, as in {url}#MODEL")
        if "@" in url:
            raise UserError("--lm: an address with a user and password would end up in the run's record; "
                            f"put a key into ${KEY} instead")  # fmt: skip
        return Endpoint(url, model, key=KEY if os.environ.get(KEY) else None)
    from ..assets import ASSETS

    known = [name for name, asset in ASSETS.items() if asset.kind == "language model"]
    kind, _, name = spec.rpartition(":")
    if kind not in ("", "bfloat16"):
        name = spec  # a colon in a file's name
    if name in known or Path(name).exists():
        from .embedded import open_embedded

        return open_embedded(name, dtype="bfloat16" if name != spec else "float32")
    raise UserError(f"--lm: no model {spec!r}; it may be {_FORMS}")
