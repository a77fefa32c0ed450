"""A plan: which conditions share a compiled program, and how (condition x seed) is cut into independent blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..condition import as_condition
from ..errors import UserError
from ..intervention import Intervention
from ..system import HostSystem, System


@dataclass(frozen=True)
class Cell:
    """One condition, ready to run: its system and all interventions that act in it."""

    name: str
    system: Any
    interventions: tuple[Intervention, ...]


@dataclass(frozen=True)
class Block:
    """Conditions of one program x a slice of the seeds: the unit that is computed, checkpointed and resumed."""

    index: int
    conditions: tuple[int, ...]
    seeds: tuple[int, int]
    width: int  # seeds computed (the last block repeats a seed so that all share one program)

    def to_json(self) -> dict[str, Any]:
        return {"conditions": list(self.conditions), "seeds": list(self.seeds), "width": self.width}


def make_cells(
    system: System | HostSystem, conditions: Mapping[str, Any] | None, interventions: Sequence[Intervention]
) -> list[Cell]:
    """Conditions in the order given; without any, one named "base".

    Raises:
        UserError: a condition that is no mapping, a parameter that is unknown or out of range (naming the condition).
    """
    for item in interventions:
        if not isinstance(item, Intervention):
            raise UserError(f"interventions must be el.Clamp, el.Ablate, ...; got {type(item).__name__}")
    cells = []
    for name, value in (conditions or {"base": {}}).items():
        if isinstance(value, (System, HostSystem)):
            cells.append(Cell(name, value, tuple(interventions)))
            continue
        condition = as_condition(value)
        try:
            changed = system.with_(**condition.set)
        except UserError as error:
            raise UserError(f"condition {name!r}: {error}") from None
        cells.append(Cell(name, changed, (*interventions, *condition.interventions)))
    names = [cell.name for cell in cells]
    if len(set(names)) != len(names):
        raise UserError(f"conditions must have different names, got {names}")
    return cells


def signature(cell: Cell) -> Any:
    """What must be equal for two conditions to share one compiled program."""
    leaves, treedef = jax.tree.flatten((cell.system, cell.interventions))
    return treedef, tuple((np.shape(x), np.asarray(x).dtype.name) for x in leaves)


def group(cells: Sequence[Cell]) -> list[tuple[int, ...]]:
    """Indices of the conditions that share a program, in the order of first appearance."""
    groups: dict[Any, list[int]] = {}
    for index, cell in enumerate(cells):
        groups.setdefault(signature(cell), []).append(index)
    return [tuple(members) for members in groups.values()]


def cut(
    groups: Sequence[tuple[int, ...]],
    n_seeds: int,
    workers: int,
    state_bytes: Sequence[int],
    block_bytes: int,
    block_seeds: int | None = None,
) -> list[Block]:
    """Blocks so that every worker has one and no block's state is larger than it should be.

    Args:
        groups: indices of the conditions that share a program.
        n_seeds: seeds of the run.
        workers: blocks that are computed at once.
        state_bytes: bytes of state of one seed of one condition, by group.
        block_bytes: bytes of state of a block, at most (one seed of each of its conditions is the least).
        block_seeds: seeds a block, if the user wants to say.
    """
    width = block_seeds
    if width is None:
        # Narrow blocks waste the vector units, so few seeds are not split among workers.
        parts = workers if n_seeds >= 4 * workers or (n_seeds >= 2 * workers and len(groups) < workers) else 1
        width = -(-n_seeds // parts)
        # One width for all groups: the seed axis on disk has one chunk size, and no two blocks may share a chunk.
        for members, size in zip(groups, state_bytes, strict=True):
            width = min(width, max(1, block_bytes // max(1, size * len(members))))
        # As many blocks, but of one width as far as can be: a narrower last one is padded, which is work for nothing.
        width = -(-n_seeds // -(-n_seeds // width))
    blocks: list[Block] = []
    for members in groups:
        for start in range(0, n_seeds, width):
            blocks.append(Block(len(blocks), members, (start, min(start + width, n_seeds)), width))
    return blocks
