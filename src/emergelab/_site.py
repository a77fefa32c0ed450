"""A site is a named place inside a step where a value may be read or replaced.

`y = site("L.0.pattern", y)` is the identity until a handler is installed *while the step is being traced*; after
compilation nothing is left but the edited computation. Handlers are of two kinds:

- an *editor* (see `emergelab.intervention`) returns another value of the same shape and dtype;
- a *recorder* (`tap`, `catalogue`) notes the value and leaves it as it is. Recorders see what editors made.

The stack of handlers is part of JAX's trace-cache key (`jax.make_user_context`, made once at import). Without that, an
inner `jit`, a scan body or a `checkpoint` that was traced before would silently ignore an intervention.
"""

from __future__ import annotations

import abc
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import get_opaque_trace_state
from jaxtyping import Array, PyTree

from .errors import SiteError, nearest

__all__ = ["SiteInfo", "catalogue", "scope", "site", "site_grad", "site_scan", "site_vmap", "tap"]


class Handler(abc.ABC):
    """What stands on the stack: sees every announced value and returns it, edited or not."""

    @abc.abstractmethod
    def key(self) -> Any:
        """A hashable identity: equal keys reuse a trace."""

    @abc.abstractmethod
    def process(self, name: str, value: Any) -> Any:
        """The value that the system goes on with."""


class _Stack(threading.local):
    def __init__(self) -> None:
        self.editors: list[Handler] = []
        self.recorders: list[Recorder] = []
        self.scope: tuple[str, ...] = ()


_stack = _Stack()
# Creating a context is not thread-safe; using one is. Hence once, at import.
_cache_key = jax.make_user_context(())
# Handlers hold tracers of one trace, so none may ever be mistaken for another: a serial number, not id(), which is
# reused.
_serial = itertools.count()


def serial() -> int:
    """A number that no other handler of this process has."""
    return next(_serial)


@contextmanager
def installed(handler: Handler, kind: str) -> Iterator[Any]:
    """Install a handler for the time of a trace; `kind` is "editors" or "recorders"."""
    stack = getattr(_stack, kind)
    stack.append(handler)
    key = tuple(h.key() for h in (*_stack.editors, *_stack.recorders))
    try:
        with _cache_key(key):
            yield handler
    finally:
        stack.remove(handler)


def site(name: str, value: Any) -> Any:
    """Announce `value` under `name` (prefixed by the enclosing `scope`s) and return it, possibly replaced.

    Names are dotted (`L.0.pattern`); interventions address them by glob patterns (`L.*.pattern`).
    """
    if not (_stack.editors or _stack.recorders):
        return value
    full = ".".join((*_stack.scope, name))
    for handler in _stack.editors:
        value = handler.process(full, value)
    for recorder in _stack.recorders:
        recorder.process(full, value)
    return value


@contextmanager
def scope(*names: str | int) -> Iterator[None]:
    """Prefix the names of all sites inside: `with scope("L", 0): site("pattern", p)` announces `L.0.pattern`."""
    before = _stack.scope
    _stack.scope = (*before, *map(str, names))
    try:
        yield
    finally:
        _stack.scope = before


def matches(pattern: str, name: str) -> bool:
    """Whether a glob pattern (or an exact name) addresses a site."""
    return pattern == name or fnmatchcase(name, pattern)


class Recorder(Handler):
    """Notes the value of every site that matches one of its patterns."""

    def __init__(self, patterns: tuple[str, ...] = ("*",)) -> None:
        self.patterns = patterns
        self.values: dict[str, Array] = {}
        self.serial = serial()
        # A value belongs to the trace in which it is announced; in another one it would be a dead tracer.
        self.trace = get_opaque_trace_state()

    def key(self) -> Any:
        # Each recorder must be traced anew: a cached trace would never call it.
        return ("tap", self.serial)

    def process(self, name: str, value: Any) -> Any:
        if any(matches(p, name) for p in self.patterns):
            self.add(name, value)
        return value

    def add(self, name: str, value: Any) -> None:
        if get_opaque_trace_state() != self.trace:
            raise SiteError(
                f"site {name!r} stands inside lax.scan, lax.cond, grad, vmap, an inner jit or jax.checkpoint, where "
                "its value cannot be read from outside: use el.site_scan, el.site_grad or el.site_vmap "
                "in its place, or return the value and announce it there"
            )
        if name in self.values:
            raise SiteError(
                f"site {name!r} is announced twice in one step; give each its own name with `with el.scope(...)`, "
                "or use el.site_scan if it stands in a loop"
            )
        self.values[name] = value


def tap(f: Callable[..., Any], *patterns: str) -> Callable[..., tuple[Any, dict[str, Array]]]:
    """`f` that also returns the values of its sites: `tap(f, "L.*.h")(x) -> (f(x), {"L.0.h": ...})`.

    Raises `SiteError` if a value cannot be carried out of the transform in which it is announced (`lax.scan`,
    `lax.cond`, `grad`, `vmap`, an inner `jit`, `jax.checkpoint`).
    """

    def tapped(*args: Any, **kwargs: Any) -> tuple[Any, dict[str, Array]]:
        recorder = Recorder(patterns or ("*",))
        with installed(recorder, "recorders"):
            out = f(*args, **kwargs)
        return out, recorder.values

    return tapped


def site_scan(
    f: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]], init: PyTree, xs: PyTree, length: int | None = None
) -> tuple[PyTree, PyTree]:
    """`lax.scan` whose inner sites can be read: a tap gets them stacked on a new leading axis.

    Interventions act on the value of each iteration (its shape has no such axis).
    """
    recorders = _stack.recorders
    if not recorders:
        return jax.lax.scan(f, init, xs, length)

    def body(carry: PyTree, x: PyTree) -> tuple[PyTree, Any]:
        (carry, y), values = _inner(f, recorders, carry, x)
        return carry, (y, values)

    carry, (ys, stacked) = jax.lax.scan(body, init, xs, length)
    _announce_again(recorders, stacked)
    return carry, ys


def site_grad(f: Callable[..., Any], has_aux: bool = False) -> Callable[..., PyTree]:
    """`jax.grad` (by the first argument) whose inner sites can be read: a tap gets the values of the forward pass.

    Args:
        f: from arrays to a number; with `has_aux`, to a number and anything else.
        has_aux: whether gradient and that anything are returned, as a pair.
    """

    def gradient(*args: PyTree) -> PyTree:
        recorders = _stack.recorders
        if not recorders:
            return jax.grad(f, has_aux=has_aux)(*args)

        def forward(*args: PyTree) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
            out, values = _inner(f, recorders, *args)
            value, aux = out if has_aux else (out, None)
            return value, (aux, values)

        found, (aux, values) = jax.grad(forward, has_aux=True)(*args)
        _announce_again(recorders, values)
        return (found, aux) if has_aux else found

    return gradient


def site_vmap(f: Callable[..., PyTree], in_axes: Any = 0) -> Callable[..., PyTree]:
    """`jax.vmap` whose inner sites can be read: a tap gets their values with a new leading axis.

    Interventions act on the value of each example (its shape has no such axis).
    """

    def mapped(*args: PyTree) -> PyTree:
        recorders = _stack.recorders
        if not recorders:
            return jax.vmap(f, in_axes)(*args)

        def one(*args: PyTree) -> tuple[PyTree, dict[str, Array]]:
            return _inner(f, recorders, *args)

        out, values = jax.vmap(one, in_axes)(*args)
        _announce_again(recorders, values)
        return out

    return mapped


def _inner(f: Callable[..., PyTree], recorders: list[Recorder], *args: PyTree) -> tuple[PyTree, dict[str, Array]]:
    """What `f` returns and what its sites hold, inside a transform that the values have to be carried out of."""
    inner = Recorder(tuple(p for r in recorders for p in r.patterns))
    _stack.recorders = []
    try:
        with installed(inner, "recorders"):
            return f(*args), inner.values
    finally:
        _stack.recorders = recorders


@contextmanager
def unread() -> Iterator[None]:
    """Inside, values stand where nobody could carry them out: they may be edited and listed, but are not recorded."""
    recorders = _stack.recorders
    _stack.recorders = [r for r in recorders if isinstance(r, _Catalogue)]
    try:
        with _cache_key(tuple(h.key() for h in (*_stack.editors, *_stack.recorders))):
            yield
    finally:
        _stack.recorders = recorders


def _announce_again(recorders: list[Recorder], values: dict[str, Array]) -> None:
    for recorder in recorders:
        for name, value in values.items():
            recorder.process(name, value)


class SiteInfo(NamedTuple):
    """One line of `el.sites`: where a site is announced and what it holds (for one seed)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    where: str

    def __str__(self) -> str:
        return f"{self.name}  {self.dtype}{list(self.shape)}  ({self.where})"


class _Catalogue(Recorder):
    """Notes shapes only, so that it may look into transforms that values cannot leave."""

    def process(self, name: str, value: Any) -> Any:
        shape = jax.ShapeDtypeStruct(jnp.shape(value), jnp.result_type(value))
        self.values.setdefault(name, shape)
        return value


def catalogue(f: Callable[..., Any], *args: PyTree) -> tuple[PyTree, dict[str, Any]]:
    """Shapes and dtypes of what `f` returns and of all its sites, by abstract evaluation: nothing is computed."""
    recorder = _Catalogue()
    with installed(recorder, "recorders"):
        out = jax.eval_shape(lambda *a: f(*a), *args)
    return out, dict(recorder.values)


def require(pattern: str, known: dict[str, Any] | list[str], owner: str = "") -> list[str]:
    """The known sites that `pattern` addresses; a `SiteError` with the nearest name if there is none."""
    hits = [name for name in known if matches(pattern, name)]
    if not hits:
        of = f" of {owner}" if owner else ""
        raise SiteError(f"no site{of} matches {pattern!r}{nearest(pattern, known)}")
    return hits
