"""An intervention is what is done to a site, and when.

Strengths, target values and times are arrays, hence operands of the compiled program: a sweep over them compiles once.
The *kind* of intervention and its site are static. All act on the value that a site announces; a glob pattern
(`L.*.pattern`) addresses several. Applied in the order given.

`during` is `None` (always), `(start, stop)` in steps (start inclusive, stop exclusive, either may be `None`), or a
schedule: `Window`, `Pulses`, `Ramp`.
"""

from __future__ import annotations

import abc
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ._site import Handler, installed, matches, serial
from .errors import SiteError, UserError

__all__ = [
    "Ablate",
    "Clamp",
    "Intervention",
    "Noise",
    "Pulses",
    "Ramp",
    "Replay",
    "Scale",
    "Shift",
    "Swap",
    "Window",
    "clamps",
    "edit",
]

FOREVER = 2**31 - 1
Time = Int[Array, ""] | Int[np.ndarray, ""]


class Schedule(eqx.Module):
    """When an intervention acts, and how strongly: 0 is not at all, 1 is fully."""

    @abc.abstractmethod
    def strength(self, time: Int[Array, ""]) -> Float[Array, ""]:
        """Strength in [0, 1] at step `time`."""


def _time(value: Any, name: str, empty: int) -> Time:
    if isinstance(value, jax.Array):
        return value  # a traced time
    if value is None:
        value = empty
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise UserError(f"during: {name} must be a whole number of steps >= 0 or None, got {value!r}")
    return np.asarray(min(int(value), FOREVER), np.int32)


class Window(Schedule):
    """Fully on in [start, stop), off elsewhere."""

    start: Time
    stop: Time

    def __init__(self, start: Any = None, stop: Any = None) -> None:
        self.start = _time(start, "start", 0)
        self.stop = _time(stop, "stop", FOREVER)
        if isinstance(start, int) and isinstance(stop, int) and stop < start:
            raise UserError(f"during: stop must be >= start, got ({start}, {stop})")

    def strength(self, time: Int[Array, ""]) -> Float[Array, ""]:
        return ((time >= self.start) & (time < self.stop)).astype(jnp.float32)


class Pulses(Schedule):
    """On for `width` steps at the start of every `period` within [start, stop)."""

    period: Time
    width: Time
    start: Time
    stop: Time

    def __init__(self, period: int, width: int, start: Any = None, stop: Any = None) -> None:
        if isinstance(period, int) and isinstance(width, int) and not 0 < width <= period:
            raise UserError(f"Pulses: width must be in [1, period={period}], got {width}")
        self.period, self.width = _time(period, "period", 1), _time(width, "width", 1)
        self.start, self.stop = _time(start, "start", 0), _time(stop, "stop", FOREVER)

    def strength(self, time: Int[Array, ""]) -> Float[Array, ""]:
        inside = (time >= self.start) & (time < self.stop)
        return (inside & ((time - self.start) % self.period < self.width)).astype(jnp.float32)


class Ramp(Schedule):
    """Grows linearly from 0 at `start` to 1 at `full`, and stays. For real-valued sites only."""

    start: Time
    full: Time

    def __init__(self, start: int, full: int) -> None:
        if isinstance(start, int) and isinstance(full, int) and full <= start:
            raise UserError(f"Ramp: full must be > start={start}, got {full}")
        self.start, self.full = _time(start, "start", 0), _time(full, "full", 1)

    def strength(self, time: Int[Array, ""]) -> Float[Array, ""]:
        done = (time - self.start).astype(jnp.float32) / (self.full - self.start).astype(jnp.float32)
        return jnp.clip(done, 0.0, 1.0)


def _schedule(during: Any) -> Schedule:
    if isinstance(during, Schedule):
        return during
    if during is None:
        return Window()
    if isinstance(during, Sequence) and not isinstance(during, str) and len(during) == 2:
        return Window(*during)
    raise UserError(f"during must be None, (start, stop) or a schedule (Window, Pulses, Ramp), got {during!r}")


class Moment(eqx.Module):
    """Where in a run a step stands: what interventions may depend on besides the value itself."""

    time: Int[Array, ""]
    seed: Int[Array, ""]
    key: PRNGKeyArray


class Intervention(eqx.Module):
    """What is done to a site, and when. Subclasses say what (`apply`); this class says when."""

    site: eqx.AbstractVar[str]
    during: eqx.AbstractVar[Schedule]

    #: names of the constructor's payload, in order, for writing to and reading from run.json
    payload: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def apply(self, name: str, value: Array, moment: Moment) -> Array:
        """The new value; it is cast and broadcast to the shape and dtype of the old one."""

    def __call__(self, name: str, value: Array, moment: Moment) -> Array:
        """The value at `name` as the system goes on with it."""
        try:
            new = jnp.broadcast_to(jnp.asarray(self.apply(name, value, moment)), value.shape)
        except ValueError as error:
            raise SiteError(
                f"{type(self).__name__}({self.site!r}): what it holds does not fit site {name!r} of shape "
                f"{list(value.shape)} ({str(error).splitlines()[0]})"
            ) from None
        real = jnp.issubdtype(value.dtype, jnp.inexact)
        new = new.astype(value.dtype)
        strength = self.during.strength(moment.time)
        if isinstance(self.during, Ramp):
            if not real:
                raise SiteError(
                    f"{type(self).__name__}({self.site!r}): a Ramp needs a real-valued site, {name!r} is {value.dtype}"
                )
            # Exact at both ends: a blend of equal weights 0 and 1 would not be, for infinities.
            blend = value + strength.astype(value.dtype) * (new - value)
            return jnp.where(strength >= 1, new, jnp.where(strength <= 0, value, blend))
        return jnp.where(strength > 0, new, value)


def _number(owner: str, name: str, value: Any) -> Any:
    if isinstance(value, (jax.Array, np.ndarray, np.generic)):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "iufb":
        raise UserError(f"{owner}: {name} must be a number or an array of numbers, got {value!r}")
    return (
        array.astype(np.float32)
        if array.dtype.kind == "f"
        else array.astype(np.int32)
        if array.dtype.kind in "iu"
        else array
    )


class Clamp(Intervention):
    """Replace the value by `value` (broadcast to the site's shape), everywhere or `where` a mask is true.

    `where` is a boolean array that broadcasts to the site's shape: one head, one row, one agent. A traced scalar turns
    the clamp on and off by condition.
    """

    site: str = eqx.field(static=True)
    value: Any
    where: Any
    during: Schedule
    payload: ClassVar[tuple[str, ...]] = ("value", "where")

    def __init__(self, site: str, value: Any, during: Any = None, where: Any = None) -> None:
        self.site, self.value, self.during = site, _number("Clamp", "value", value), _schedule(during)
        self.where = where if where is None or isinstance(where, jax.Array) else np.asarray(where)
        if self.where is not None and self.where.dtype != bool:
            raise UserError(f"Clamp: where must be true or false for each element, got {self.where.dtype} numbers")

    def apply(self, name: str, value: Array, moment: Moment) -> Array:
        if self.where is None:
            return jnp.asarray(self.value)
        return jnp.where(self.where, jnp.asarray(self.value, value.dtype), value)


def clamps(values: Mapping[str, Array], during: Any = None) -> list[Clamp]:
    """A clamp for every site that a tap has read, to the value that it has read: the second pass of an edit.

    Holding what a first pass saw while something else is changed tells what acts through what:

        _, seen = el.tap(net, "L.*.pattern")(x)
        with el.edit(el.Ablate("L.0.v"), *el.clamps(seen)):
            y = net(x)  # the values of layer 0 are gone, all patterns are as they were

    Args:
        values: sites and their values, as `tap` returns them.
        during: when, as for every intervention.
    """
    return [Clamp(name, value, during=during) for name, value in values.items()]


class Ablate(Intervention):
    """Remove what the value carries: `to="zero"`, or `to="mean"` (every element becomes the mean over all of them)."""

    site: str = eqx.field(static=True)
    during: Schedule
    to: str = eqx.field(static=True)
    payload: ClassVar[tuple[str, ...]] = ("to",)

    def __init__(self, site: str, to: str = "zero", during: Any = None) -> None:
        if to not in ("zero", "mean"):
            raise UserError(f"Ablate: to must be 'zero' or 'mean', got {to!r}")
        self.site, self.to, self.during = site, to, _schedule(during)

    def apply(self, name: str, value: Array, moment: Moment) -> Array:
        if self.to == "zero":
            return jnp.zeros_like(value)
        return jnp.mean(value.astype(jnp.result_type(value, jnp.float32)))


class Shift(Intervention):
    """Add `by` (steering along a direction; broadcast to the site's shape)."""

    site: str = eqx.field(static=True)
    by: Any
    during: Schedule
    payload: ClassVar[tuple[str, ...]] = ("by",)

    def __init__(self, site: str, by: Any, during: Any = None) -> None:
        self.site, self.by, self.during = site, _number("Shift", "by", by), _schedule(during)

    def apply(self, name: str, value: Array, moment: Moment) -> Array:
        return value + self.by


class Scale(Intervention):
    """Multiply by `by`."""

    site: str = eqx.field(static=True)
    by: Any
    during: Schedule
    payload: ClassVar[tuple[str, ...]] = ("by",)

    def __init__(self, site: str, by: Any, during: Any = None) -> None:
        self.site, self.by, self.during = site, _number("Scale", "by", by), _schedule(during)

    def apply(self, name: str, value: Array, moment: Moment) -> Array:
        return value * self.by


class Noise(Intervention):
    """Add Gaussian noise of standard deviation `scale`, addressed by (seed, time, site)."""

    site: str = eqx.field(static=True)
    scale: Any
    during: Schedule
    payload: ClassVar[tuple[str, ...]] = ("scale",)

    def __init__(self, site: str, scale: Any, during: Any = None) -> None:
        self.site, self.scale, self.during = site, _number("Noise", "scale", scale), _schedule(during)

    def apply(self, name: str, value: Array, moment: Moment) -> Array:
        if not jnp.issubdtype(value.dtype, jnp.floating):
            raise SiteError(f"Noise({self.site!r}): site {name!r} is {value.dtype}, and noise needs a real-valued site")
        key = jax.random.fold_in(moment.key, zlib.crc32(name.encode()))
        return value + self.scale * jax.random.normal(key, value.shape, value.dtype)


class Swap(Intervention):
    """Exchange the slices `a` and `b` (indices or equally long lists of indices) along `axis`: a transplant."""

    site: str = eqx.field(static=True)
    a: Any
    b: Any
    axis: int = eqx.field(static=True)
    during: Schedule
    payload: ClassVar[tuple[str, ...]] = ("a", "b", "axis")

    def __init__(self, site: str, a: Any, b: Any, axis: int = 0, during: Any = None) -> None:
        self.site, self.axis, self.during = site, int(axis), _schedule(during)
        self.a, self.b = np.atleast_1d(_number("Swap", "a", a)), np.atleast_1d(_number("Swap", "b", b))
        if self.a.shape != self.b.shape:
            raise UserError(f"Swap: a and b must be equally long, got {self.a.shape[0]} and {self.b.shape[0]}")

    def apply(self, name: str, value: Array, moment: Moment) -> Array:
        if not -value.ndim <= self.axis < value.ndim:
            raise SiteError(f"Swap({self.site!r}): site {name!r} of shape {list(value.shape)} has no axis {self.axis}")
        first = jnp.moveaxis(value, self.axis, 0)
        first = first.at[jnp.concatenate([self.a, self.b])].set(first[jnp.concatenate([self.b, self.a])])
        return jnp.moveaxis(first, 0, self.axis)


class Replay(Intervention):
    """Play back recorded values: at step t the value is `values[t - start]`, with `start` the window's.

    `values` has dims (time, *site). With `seeds` (the seeds of its rows) it has dims (seed, time, *site), and each
    seed hears its own recording. After the last recorded step the last value is held; give `during` to avoid that.
    """

    site: str = eqx.field(static=True)
    values: Any
    seeds: Any
    during: Schedule
    payload: ClassVar[tuple[str, ...]] = ("values", "seeds")

    def __init__(self, site: str, values: Any, seeds: Any = None, during: Any = None) -> None:
        self.site, self.during = site, _schedule(during)
        self.values = _number("Replay", "values", values)
        self.seeds = None if seeds is None else np.asarray(seeds, np.int32)
        if self.seeds is not None and self.seeds.shape != np.shape(self.values)[:1]:
            raise UserError(
                f"Replay: values must have one row for each of the {self.seeds.size} seeds, got "
                f"{np.shape(self.values)[0]}"
            )
        if not isinstance(self.during, Window):
            raise UserError("Replay: during must be None or (start, stop)")

    @classmethod
    def of(cls, run: Any, site: str, condition: str | None = None, during: Any = None) -> Replay:
        """What `site` held in a run that was recorded with `taps=[site], every=1`, seed by seed."""
        if site not in run.data:
            raise UserError(
                f"Replay.of: the run holds no site {site!r}; record it with el.run(..., taps=[{site!r}], every=1)"
            )
        record = run.data[site]
        steps = record.time.values
        if len(steps) > 1 and steps[1] - steps[0] != 1:
            raise UserError(
                f"Replay.of: the run was recorded every {steps[1] - steps[0]} steps; playing back needs every=1"
            )
        if condition is None:
            if record.sizes["condition"] > 1:
                raise UserError(f"Replay.of: condition must be one of {list(record.condition.values)}")
            condition = str(record.condition.values[0])
        values = record.sel(condition=condition).transpose("seed", "time", ...)
        return cls(site, values.values, seeds=record.seed.values, during=during)

    def apply(self, name: str, value: Array, moment: Moment) -> Array:
        record = jnp.asarray(self.values)
        if self.seeds is not None:
            record = record[jnp.argmax(jnp.asarray(self.seeds) == moment.seed)]
        row = jnp.clip(moment.time - self.during.start, 0, record.shape[0] - 1)  # type: ignore[attr-defined]
        return record[row]


class Editor(Handler):
    """The handler that carries out a list of interventions while a function is traced."""

    def __init__(self, interventions: Sequence[Intervention], moment: Moment) -> None:
        self.interventions, self.moment = tuple(interventions), moment
        self.met: set[str] = set()
        self.serial = serial()

    def key(self) -> Any:
        # Interventions hold tracers, so two editors are never known to be equal: trace anew.
        return ("edit", self.serial)

    def process(self, name: str, value: Any) -> Any:
        for intervention in self.interventions:
            if matches(intervention.site, name):
                self.met.add(intervention.site)
                value = intervention(name, value, self.moment)
        return value


@contextmanager
def edit(*interventions: Intervention, time: Any = 0, seed: Any = 0, key: PRNGKeyArray | None = None) -> Iterator[None]:
    """Apply interventions to the sites announced inside: a knocked-out score, a clamp without the engine.

    Args:
        interventions: applied in the order given.
        time, seed, key: what schedules, `Replay` and `Noise` see.

    Raises:
        SiteError: if an intervention met no site.
    """
    moment = Moment(
        jnp.asarray(time, jnp.int32), jnp.asarray(seed, jnp.int32), jax.random.key(0) if key is None else key
    )
    with editing(interventions, moment) as editor:
        yield
    for intervention in interventions:
        if intervention.site not in editor.met:
            raise SiteError(f"{type(intervention).__name__}({intervention.site!r}) met no site of that name")


@contextmanager
def editing(interventions: Sequence[Intervention], moment: Moment) -> Iterator[Editor]:
    """`edit` for the engine, which has checked the names before and knows the moment."""
    editor = Editor(interventions, moment)
    with ExitStack() as stack:
        if interventions:
            stack.enter_context(installed(editor, "editors"))
        yield editor


KINDS: dict[str, Callable[..., Intervention]] = {
    cls.__name__: cls for cls in (Clamp, Ablate, Shift, Scale, Noise, Swap, Replay)
}
SCHEDULES: dict[str, Callable[..., Schedule]] = {cls.__name__: cls for cls in (Window, Pulses, Ramp)}
