"""Weights on disk: where they lie, what reads them, and how they are told from others."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .. import assets
from ..errors import UserError, nearest
from ._gguf import Gguf, Safetensors
from ._llama import Config, config_of_folder, config_of_gguf
from ._tokenizer import Tokenizer

__all__ = ["checksum", "opened", "place"]


def place(name: str) -> Path:
    """Where the weights lie that a name or a path means; `UserError` where there are none."""
    if name in assets.ASSETS:
        if assets.ASSETS[name].kind != "language model":
            raise UserError(f"{name} is no language model but a {assets.ASSETS[name].kind}")
        return assets.find(name)
    path = Path(name)
    if not path.exists():
        models = [a.name for a in assets.ASSETS.values() if a.kind == "language model"]
        raise UserError(f"no model and no path {name!r}{nearest(name, models)}")
    return path


def opened(path: Path) -> tuple[Gguf | Safetensors, Tokenizer, Config]:
    """The weights still on disk, their tokenizer, and the shape of the model."""
    if path.is_dir():
        folder = Safetensors(path)
        return folder, Tokenizer.of_folder(path), config_of_folder(folder.config, folder.names, str(path))
    file = Gguf(path)
    config = config_of_gguf(file.fields, file.names, str(path))
    return file, Tokenizer.of_gguf(file.fields, path), config


def checksum(path: Path) -> str:
    """The first 16 hex digits of the SHA-256 of all weights."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.glob("*.safetensors")):
        with file.open("rb") as source:
            while block := source.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
