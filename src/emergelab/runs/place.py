"""A place is where a run lies: a local folder or any URL that fsspec knows (`s3://...`, `memory://...`)."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import functools
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ..errors import RunError

try:
    import fcntl
except ImportError:  # not POSIX: no lock is to be had without a dependency
    fcntl = None  # type: ignore[assignment]
    _TOGETHER = _ALONE = _AT_ONCE = 0
else:
    _TOGETHER, _ALONE, _AT_ONCE = fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_NB

_REMEDY = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room in the quota",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
    errno.EROFS: "make the file system writable",
}  # fmt: skip

_PATIENCE = 10.0  # seconds that Zarr's thread may take to end


class Place:
    """A folder by path or URL, with writes that a reader never sees half done."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url)
        try:
            self.fs, self.root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise RunError(f"{self.url}: this address cannot be opened ({error})") from None
        self.local = Path(self.root) if isinstance(self.fs, LocalFileSystem) else None

    def __str__(self) -> str:
        return self.url

    def _at(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}" if name else self.root

    def exists(self, name: str = "") -> bool:
        return bool(self.fs.exists(self._at(name)))

    def is_empty(self) -> bool:
        """Whether nothing lies here (or the place does not exist)."""
        return not self.exists() or (self.fs.isdir(self.root) and not self.fs.ls(self.root, detail=False))

    def names(self, folder: str, suffix: str = "") -> list[str]:
        """Sorted names (without the folder) of the finished files in `folder`."""
        if not self.exists(folder):
            return []
        self.fs.invalidate_cache(self._at(folder))
        found = (path.rsplit("/", 1)[-1] for path in self.fs.ls(self._at(folder), detail=False))
        return sorted(n for n in found if n.endswith(suffix) and not n.startswith("."))

    def folders(self, folder: str) -> list[str]:
        """Sorted names (without the path) of the folders in `folder`."""
        found = self.fs.ls(self._at(folder), detail=True)
        return sorted(f["name"].rstrip("/").rsplit("/", 1)[-1] for f in found if f["type"] == "directory")

    def make(self) -> None:
        """Create the folder and prove that it can be written."""
        try:
            self.fs.makedirs(self.root, exist_ok=True)
            self._write(".writable", b"")
            self.fs.rm_file(self._at(".writable"))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise RunError(f"{self.url}: cannot be written ({reason}); choose another folder with --out") from None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Around whatever writes here.

        Raises:
            RunError: for any `OSError`: one line that says what is in the way and that the run can go on afterwards.
        """
        try:
            yield
        except OSError as error:
            what = _REMEDY.get(error.errno or 0, "mend that")
            reason = error.strerror or type(error).__name__
            raise RunError(
                f"{self.url}: cannot be written ({reason}); {what}, then go on with: emergelab resume {self.url}"
            ) from None

    def read(self, name: str) -> bytes:
        """The whole of a file.

        Raises:
            RunError: it is a link that leads out of the folder.
            OSError: it cannot be read.
        """
        path = self._at(name)
        if self.local is not None and not Path(path).resolve().is_relative_to(self.local.resolve()):
            raise RunError(f"{self.url}: {name} is a link that leads out of the folder, which is not followed")
        return bytes(self.fs.cat_file(path))

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file; a reader sees the old one or the new one, never a part.

        Raises:
            RunError: the disk is full, the folder may not be written, or the like.
        """
        with self.writing():
            self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        target = self._at(name)
        if self.local is None:
            # An object store shows an object only when it is whole.
            self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            self.fs.pipe_file(target, data)
            return
        path = Path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with self.writing():
            if self.exists(name):
                self.fs.rm_file(self._at(name))

    def zarr(self, name: str, read_only: bool = False) -> Any:
        """A Zarr store at `name`."""
        from zarr.storage import FsspecStore, LocalStore

        _end_zarr_in_peace()
        if self.local is not None:
            return LocalStore(self._at(name), read_only=read_only)
        return FsspecStore.from_url(f"{self.url.rstrip('/')}/{name}", read_only=read_only)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the place alone. The lock dies with the process, so a killed run can be resumed at once."""
        with self._lock_file(".lock") as (file, flock):
            if file is not None:
                try:
                    flock(file, _ALONE | _AT_ONCE)
                except OSError:
                    raise RunError(
                        f"{self.url}: another process is writing this run; wait for it or stop it first"
                    ) from None
            yield

    @contextlib.contextmanager
    def committing(self, alone: bool = False) -> Iterator[None]:
        """Around what one of several processes writes; whoever wants to be `alone` waits until the others are out.

        Behind a URL and where the system has no locks nobody is waited for.
        """
        with self._lock_file(".committing") as (file, flock):
            if file is not None:
                flock(file, _ALONE if alone else _TOGETHER)
            yield

    @contextlib.contextmanager
    def _lock_file(self, name: str) -> Iterator[tuple[Any, Any]]:
        """An open file to be locked and the function that locks it, or None twice where no lock is to be had."""
        if self.local is None or fcntl is None:
            yield None, None
            return
        with self.writing():
            file = (self.local / name).open("w")
        with file:
            yield file, fcntl.flock


@functools.cache
def _end_zarr_in_peace() -> None:
    """Let Zarr's thread finish when the process ends, so that the last line is the one that says what was wrong.

    Zarr writes several files at once and leaves the others alone when one fails (a full disk), and at the end it gives
    its thread a fifth of a second. On a busy machine that is too little: both would end in tracebacks on the error
    stream.
    """
    from zarr.core import sync  # registers Zarr's own end, which therefore comes after this one

    async def rest() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)

    def end() -> None:
        loop, thread = sync.loop[0], sync.iothread[0]
        if loop is None or thread is None or not thread.is_alive():
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(rest(), loop).result(_PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)

    atexit.register(end)
