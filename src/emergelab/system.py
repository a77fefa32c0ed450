"""A system is a state and the rule that changes it.

Two kinds: `System` is pure and runs inside one compiled JAX program; `HostSystem` is asynchronous Python, for worlds
that cannot be traced (language models, external simulators). Both have three verbs: `init`, `step`, `observe`.

Fields are parameters. `param` fields are traced: conditions may differ in them without a new compilation. `static`
fields shape the program. `choice` fields name one of a few options and are either.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from .errors import ParameterError, UserError, nearest
from .observable import Observable

__all__ = ["HostSystem", "System", "choice", "param", "parameters", "static"]

_META = "emergelab"


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What is known of one field of a system: kind, range and meaning."""

    kind: str  # "param" | "static" | "choice"
    low: float | None = None
    high: float | None = None
    options: tuple[str, ...] = ()
    unit: str = ""
    about: str = ""
    integer: bool = False
    is_static: bool = False
    shape: tuple[int, ...] = ()

    def expected(self) -> str:
        """What a value must be, in words: `a number in [0, 1]`."""
        if self.kind == "choice":
            return "one of " + ", ".join(map(repr, self.options))
        noun = "a whole number" if self.integer else "a number"
        if self.shape:
            noun = f"an array of shape {self.shape} of {'whole numbers' if self.integer else 'numbers'}"
        if self.low is not None and self.high is not None:
            return f"{noun} in [{self.low:g}, {self.high:g}]"
        if self.low is not None:
            return f"{noun} >= {self.low:g}"
        if self.high is not None:
            return f"{noun} <= {self.high:g}"
        return noun


def param(default: Any, *, low: float | None = None, high: float | None = None, unit: str = "", about: str = "") -> Any:
    """A traced parameter: conditions may differ in it without recompiling.

    Args:
        default: a number or an array; its type (whole or real) and its shape are the parameter's.
            Held as float32 or int32.
        low, high: inclusive range of every element; `None` is unbounded.
        unit: unit of the value, "" if it has none.
        about: one line for the docs and `emergelab show`.
    """
    array = np.asarray(default)
    info = Parameter("param", low, high, (), unit, about, array.dtype.kind in "iub", False, array.shape)
    if array.ndim:
        return eqx.field(default_factory=lambda: np.array(default), metadata={_META: info})
    return eqx.field(default=array.item(), metadata={_META: info})


def static(default: int, *, low: int | None = None, high: int | None = None, unit: str = "", about: str = "") -> Any:
    """A whole number that shapes the program (a size). Conditions that differ in it are compiled apart."""
    info = Parameter("static", low, high, (), unit, about, True, True)
    return eqx.field(default=default, static=True, metadata={_META: info})


def choice(default: str, *, options: tuple[str, ...], about: str = "", static: bool = False) -> Any:
    """One of a few named options.

    With `static=False` the field holds the option's index as a traced int32 (use `jnp.where` or `lax.switch`);
    with `static=True` it holds the name and shapes the program.
    """
    info = Parameter("choice", None, None, tuple(options), "", about, False, static)
    if default not in options:
        raise UserError(f"choice: the default {default!r} must be {info.expected()}")
    return eqx.field(default=default, static=static, metadata={_META: info})


def parameters(system: type[System] | type[HostSystem] | System | HostSystem) -> dict[str, Parameter]:
    """The parameters of a system (class or instance) by field name, in the order of declaration."""
    return {f.name: f.metadata[_META] for f in dataclasses.fields(system) if _META in f.metadata}


def defaults(system: type[System] | type[HostSystem]) -> dict[str, Any]:
    """Default values by name, as a user would write them."""
    out = {}
    for f in dataclasses.fields(system):
        if _META not in f.metadata:
            continue
        value = f.default_factory() if callable(f.default_factory) else f.default
        out[f.name] = _plain(f.metadata[_META], value)
    return out


def values(system: System | HostSystem) -> dict[str, Any]:
    """The values of all parameters of an instance as JSON-ready Python values (choices by name)."""
    return {name: _plain(info, getattr(system, name)) for name, info in parameters(system).items()}


def _plain(info: Parameter, value: Any) -> Any:
    if info.kind == "choice":
        return value if isinstance(value, str) else info.options[int(value)]
    if info.is_static:
        return int(value)
    array = np.asarray(value)
    if array.ndim:
        return array.tolist()
    # The shortest decimal that gives the same float32: 0.1, not 0.10000000149011612.
    return int(array) if info.integer else float(str(np.float32(array)))


def _checked(owner: str, name: str, info: Parameter, value: Any) -> Any:
    """The value as the field holds it, or a ParameterError that names parameter, range and value given."""

    def refuse() -> ParameterError:
        shown = (
            value
            if isinstance(value, str)
            else np.array2string(np.asarray(value), threshold=8)
            if np.ndim(value)
            else value
        )
        return ParameterError(f"{owner}: parameter {name!r} must be {info.expected()}, got {shown!r}")

    if info.kind == "choice":
        if isinstance(value, str):
            if value not in info.options:
                raise refuse()
            return value if info.is_static else np.int32(info.options.index(value))
        if info.is_static or not isinstance(value, (int, np.integer, np.ndarray)) or np.ndim(value):
            raise refuse()
        if not 0 <= int(value) < len(info.options):
            raise refuse()
        return np.int32(value)
    if isinstance(value, (str, bytes)) or value is None:
        raise refuse()
    array = np.asarray(value)
    if array.dtype.kind not in "iufb" or array.shape != info.shape:
        raise refuse()
    if info.integer and not np.all(np.equal(np.mod(array, 1), 0)):
        raise refuse()
    if not np.all(np.isfinite(array)):
        raise refuse()
    low_ok = info.low is None or np.all(array >= info.low - 1e-12)
    high_ok = info.high is None or np.all(array <= info.high + 1e-12)
    if not (low_ok and high_ok):
        raise refuse()
    if info.is_static:
        return int(array)
    return array.astype(np.int32 if info.integer else np.float32)


class _Parameters(eqx.Module):
    """What both kinds of system share: fields that are checked when an instance is made."""

    observables: ClassVar[tuple[Observable, ...]] = ()

    def __post_init__(self) -> None:
        # Equinox calls this while fields may still be set; tracing rebuilds instances without calling it.
        owner = type(self).__name__
        for name, info in parameters(self).items():
            object.__setattr__(self, name, _checked(owner, name, info, getattr(self, name)))

    def with_(self, **changes: Any) -> Any:
        """A copy with other parameter values. Unknown names and bad values raise `ParameterError`."""
        known = parameters(self)
        for name in changes:
            if name not in known:
                raise ParameterError(f"{type(self).__name__}: no parameter {name!r}{nearest(name, known)}")
        # As a user would write them, so that one form of value reaches the constructor.
        kept = {n: v if np.ndim(v := getattr(self, n)) else _plain(info, v) for n, info in known.items()}
        return type(self)(**{**kept, **changes})


class System(_Parameters):
    """A pure system: `init`, `step` and `observe` are JAX functions of arrays, traced once and vmapped over seeds.

    Class attribute `observables` declares what `observe` returns. Randomness is given, never kept: each step's key is
    addressed by (seed, time), so a run does not depend on how it was cut.

    Class attribute `population`, optional, names the arrays of the state whose first axis is the population (patterns
    such as `agents.*`). Where there are more devices than seeds and conditions, these arrays are cut among them; sums
    over the population go through `el.whole` where the last digit matters.
    """

    population: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def init(self, key: PRNGKeyArray) -> PyTree[Array]:
        """The state at time 0: any pytree of arrays."""

    @abc.abstractmethod
    def step(self, state: PyTree[Array], key: PRNGKeyArray) -> PyTree[Array]:
        """The state one step later, of the same structure, shapes and dtypes."""

    @abc.abstractmethod
    def observe(self, state: PyTree[Array], key: PRNGKeyArray) -> dict[str, Array]:
        """The observables' values by name; `key` serves evaluation on random batches."""


class HostSystem(_Parameters):
    """A system in asynchronous Python: a language model's agents, an external simulator.

    The state is JSON-serialisable (dicts, lists, numbers, strings), for it is checkpointed as JSON. `seed` and `time`
    address all randomness: use `np.random.default_rng([seed, time])` or pass them on to the model.
    """

    @abc.abstractmethod
    async def init(self, seed: int) -> Any:
        """The state at time 0, JSON-serialisable."""

    @abc.abstractmethod
    async def step(self, state: Any, context: Any) -> Any:
        """The state one step later. `context` has `.seed`, `.time`, `.rng`, `.emit(kind, **payload)` and `.site(name,
        value)`.
        """

    @abc.abstractmethod
    async def observe(self, state: Any, context: Any) -> Mapping[str, Any]:
        """The observables' values by name."""
