"""The system of the study `rich-lazy-rank`: a network that learns a task from weights of a given structure."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.nn import alignment as al
from emergelab.nn import recurrent as rc
from emergelab.nn.decisions import INPUTS, OUTPUTS, TASKS, Trials

from ._nets import Recurrent, TwoLayer, flat_start, form
from ._theory import final_alignment

__all__ = ["Given", "RichLazy"]

WIRINGS = ("gaussian", "types", "shuffled")
Net = Recurrent | TwoLayer


class Given(eqx.Module):
    """What a seed keeps, so that the network can be compared with what it was.

    Attributes:
        inputs: the probes, always the same: trials, or vectors for two layers.
        choice: which choice is right in each.
        first: the network at the start.
        hidden: its hidden states at the decision, one row a probe.
        kernel: its tangent kernel.
    """

    inputs: Array
    choice: Int[Array, "probe"]
    first: Net | None = None
    hidden: Float[Array, "probe unit"] | None = None
    kernel: Float[Array, "n n"] | None = None


class RichLazy(el.Training):
    """A network learns from initial weights that differ in structure, not in norm; one step is one update."""

    net: str = el.choice(
        "recurrent", options=("recurrent", "linear"), static=True, about="recurrent, or two linear layers"
    )
    task: str = el.choice("perceptual", options=tuple(TASKS), static=True, about="what the recurrent network learns")
    centred: str = el.choice("no", options=("no", "yes"), static=True, about="is the first network's output taken off")
    units: int = el.static(300, low=4, high=10_000, about="hidden units")
    trials: int = el.static(32, low=1, high=65_536, about="trials in a gradient step")
    tests: int = el.static(256, low=8, high=65_536, about="trials behind loss and accuracy")
    probes: int = el.static(200, low=8, high=65_536, about="trials whose hidden states are compared")
    kernels: int = el.static(24, low=2, high=1024, about="of these, trials behind the tangent kernel")
    wiring: str = el.choice("gaussian", options=WIRINGS, about="structure of the recurrent weights at the start")
    rank: int = el.param(
        10_000, low=1, high=10_000, about="singular values kept of Gaussian ones; at most there are `units`"
    )
    gain: float = el.param(1.25, low=0.0, high=100.0, unit="1", about="sd of a weight times the root of the units")
    turn: float = el.param(
        0.0, low=0.0, high=1.0, unit="1", about="leading directions of Gaussian ones turned to the task's"
    )
    tau: float = el.param(1.0, low=1.0, high=1000.0, about="time constant of a unit, in steps of 100 ms")
    noise: float = el.param(0.1, low=0.0, high=100.0, unit="1", about="noise of a stimulus in one step")
    rate: float = el.param(0.003, low=0.0, high=100.0, about="learning rate")
    momentum: float = el.param(0.9, low=0.0, high=1.0, unit="1", about="share of the last update that goes on")
    scale: float = el.param(
        1.0, low=1e-3, high=1e4, unit="1", about="factor of the output; the rate is over its square"
    )
    demand: float = el.param(3.0, low=1e-3, high=1e3, unit="1", about="length of the map that two layers learn")

    observables = (
        el.Observable("loss", unit="nat", about="cross-entropy in all steps (two layers: squared error)", low=0.0),
        el.Observable("accuracy", unit="1", about="right decisions at the last step", low=0.0, high=1.0, nan_ok=True),
        el.Observable("dw", unit="1", about="Frobenius norm of the change of the hidden weights", low=0.0),
        el.Observable("dw_relative", unit="1", about="the same over their norm at the start", low=0.0),
        el.Observable("ra", unit="1", about="hidden states: alignment with the first", low=0.0, high=1.0),
        el.Observable("ka", unit="1", about="tangent kernel: alignment with the first", low=-1.0, high=1.0),
        el.Observable("ka_theory", unit="1", about="two layers: where ka ends", low=0.0, high=1.0, nan_ok=True),
        el.Observable("signs", unit="1", about="hidden states of the same sign as at the start", low=0.0, high=1.0),
        el.Observable("gdv", unit="1", about="how hidden states tell choices apart; 0 not at all, -1 fully", low=-1.0),
        el.Observable("norm", unit="1", about="Frobenius norm of the hidden weights", low=0.0),
        el.Observable("dimension", unit="1", about="participation ratio of their squared singular values", low=0.0),
        el.Observable("dimension_change", unit="1", about="the same of their change", low=0.0),
        el.Observable("radius", unit="1", about="their spectral radius", low=0.0, nan_ok=True),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernels > self.probes:
            raise el.UserError(
                f"RichLazy: parameter 'kernels' must be at most probes={self.probes}, got {self.kernels}"
            )
        if self.net == "linear" and self.task != "perceptual":
            raise el.UserError("RichLazy: parameter 'task' is of the recurrent network; leave it out for net='linear'")

    # -- the start -------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> el.TrainState:
        begun = super().init(key)
        hidden, kernel = self.features(begun.net, begun.given.inputs)
        given = Given(begun.given.inputs, begun.given.choice, begun.net, hidden, kernel)
        return el.TrainState(begun.net, begun.memory, given, begun.time)

    def given(self, key: PRNGKeyArray) -> Given:
        if self.net == "linear":
            inputs = jax.random.normal(key, (self.probes, self.units))
            return Given(inputs, (inputs @ self.wanted() < 0).astype(jnp.int32))
        shown = self.drawn(key, self.probes)
        return Given(shown.inputs, shown.choice)

    def network(self, key: PRNGKeyArray) -> Net:
        of_weights, of_types, of_shuffle, of_rest, of_task = jax.random.split(key, 5)
        rank, turn = jnp.asarray(self.rank), jnp.asarray(self.turn)
        length = jnp.asarray(self.gain) * self.units**0.5
        if self.net == "linear":
            return flat_start(of_weights, self.units, length, jnp.minimum(rank, self.units), turn)
        net = Recurrent.make(of_rest, self.units, INPUTS[self.task], OUTPUTS, jnp.asarray(self.tau))
        types = rc.cell_types(of_types, self.units)
        all_wirings = jnp.stack([
            rc.of_rank(of_weights, self.units, rank, self.directions(net, of_task), turn),
            types,
            rc.shuffled(of_shuffle, types),
        ])  # fmt: skip
        weights = rc.of_norm(all_wirings[jnp.asarray(self.wiring)], length)
        return eqx.tree_at(lambda n: n.layer.weights, net, weights)

    def directions(self, net: Recurrent, key: PRNGKeyArray) -> tuple[Float[Array, "unit"], Float[Array, "unit"]]:
        """Left and right vector of the weights that would serve the decision: to what says it, from what tells it.

        The left one is the difference of the two choices' readouts; the right one is the covariance of the right choice
        with the states one step before the decision, in a network without recurrent weights.
        """
        shown = self.drawn(key, 1024)
        before = net.layer(shown.inputs)[-2]
        sign = 1.0 - 2.0 * shown.choice
        tells = jnp.mean((sign - sign.mean())[:, None] * before, axis=0)
        return net.readout[1] - net.readout[2], tells

    def wanted(self) -> Float[Array, "input"]:
        """The map that two layers learn. It lies on the first axis; the network's directions are random."""
        return jnp.zeros(self.units).at[0].set(jnp.asarray(self.demand))

    # -- learning --------------------------------------------------------------------------------------------------

    def drawn(self, key: PRNGKeyArray, trials: int) -> Trials:
        """Fresh trials of the task. Site: `noise`."""
        return TASKS[self.task](key, trials, el.site("noise", jnp.asarray(self.noise)))

    def batch(self, key: PRNGKeyArray, given: Given) -> Any:
        return self.wanted() if self.net == "linear" else self.examples(key, given, self.trials)

    def examples(self, key: PRNGKeyArray, given: Given, trials: int) -> tuple[Trials, Array]:
        """Fresh trials, and what is taken off the network's output in each: nothing, or the first network's output.

        Sites of the first network stand under `first`.
        """
        shown = self.drawn(key, trials)
        if self.centred == "no" or not isinstance(given.first, Recurrent):
            return shown, jnp.zeros(())
        with el.scope("first"):
            return shown, given.first(shown.inputs)

    def loss(self, net: Net, batch: Any, key: PRNGKeyArray) -> Float[Array, ""]:
        if isinstance(net, TwoLayer):
            # On white inputs the mean squared error is the squared distance of the maps.
            return 0.5 * jnp.sum((net.map() - batch) ** 2)
        shown, offset = batch
        logits = jnp.asarray(self.scale) * (net(shown.inputs) - offset)
        return optax.softmax_cross_entropy_with_integer_labels(logits, shown.targets).mean()

    def rule(self) -> optax.GradientTransformation:
        return optax.trace(decay=self.momentum)

    def pace(self, time: Int[Array, ""]) -> Float[Array, ""]:
        return jnp.asarray(self.rate) / jnp.asarray(self.scale) ** 2

    # -- what it shows ---------------------------------------------------------------------------------------------

    def features(self, net: Net, inputs: Array) -> tuple[Float[Array, "probe unit"], Float[Array, "n n"]]:
        """Hidden states at the decision, and the tangent kernel of the decision's outputs."""
        if isinstance(net, TwoLayer):
            return inputs @ net.weights.T, form(net)

        def decision(weights: Float[Array, "unit unit"], trial: Float[Array, "time input"]) -> Float[Array, "output"]:
            changed = eqx.tree_at(lambda n: n.layer.weights, net, weights)
            return changed(trial[:, None])[-1, 0]

        few = jnp.moveaxis(inputs[:, : self.kernels], 1, 0)
        return net.layer(inputs)[-1], al.tangent_kernel(decision, net.layer.weights, few)

    def observe(self, state: el.TrainState, key: PRNGKeyArray) -> dict[str, Array]:
        net, given = state.net, state.given
        hidden, kernel = self.features(net, given.inputs)
        weights, begun = (n.weights if isinstance(n, TwoLayer) else n.layer.weights for n in (net, given.first))
        moved = rc.norm(weights - begun)
        out = {
            "dw": moved,
            "dw_relative": moved / jnp.maximum(rc.norm(begun), 1e-12),
            "ra": al.representation_alignment(given.hidden, hidden),
            "ka": al.alignment(given.kernel, kernel),
            "signs": al.sign_similarity(given.hidden, hidden),
            "gdv": al.gdv(hidden, given.choice, 2),
            "norm": rc.norm(weights),
            "dimension": al.participation(weights),
            "dimension_change": al.participation(weights - begun),
            "radius": rc.spectral_radius(weights),
        }
        if isinstance(net, TwoLayer):
            return out | self._of_two_layers(net, given.first)
        shown, offset = self.examples(key, given, self.tests)
        logits = jnp.asarray(self.scale) * (net(shown.inputs) - offset)
        return out | {
            "loss": optax.softmax_cross_entropy_with_integer_labels(logits, shown.targets).mean(),
            "accuracy": jnp.mean(jnp.argmax(logits[-1], axis=-1) == shown.targets[-1]),
            "ka_theory": jnp.array(jnp.nan),
        }

    def _of_two_layers(self, net: TwoLayer, first: TwoLayer) -> dict[str, Array]:
        axis = self.wanted() / jnp.asarray(self.demand)
        length, rank = rc.norm(first.weights), jnp.minimum(jnp.asarray(self.rank), self.units)
        # All singular values that are not zero are equal, so their square turns the Gram matrix into a projector.
        seen = jnp.sum((first.weights @ axis) ** 2) * rank / jnp.maximum(length**2, 1e-12)
        return {
            "loss": 0.5 * jnp.sum((net.map() - self.wanted()) ** 2),
            "accuracy": jnp.array(jnp.nan),
            "ka_theory": final_alignment(length, rank, self.units, jnp.asarray(self.demand), seen),
        }
