"""Learning on a stream in plain PyTorch, one seed at a time, the way continual-learning libraries run it.

A dataset and a loader for each experience, a strategy as a Python loop over batches, and a memory that is filled by
reservoir sampling and read through a loader of its own (Avalanche's replay plugin does so). Same digits, network, steps
and sizes as emergelab's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

__all__ = ["stream_steps"]


class Reservoir:
    """Examples met, each kept with equal chance."""

    def __init__(self, slots: int, features: int) -> None:
        self.x, self.y = torch.zeros(slots, features), torch.zeros(slots, dtype=torch.long)
        self.met, self.slots = 0, slots

    def add(self, x: Tensor, y: Tensor) -> None:
        for one, label in zip(x, y, strict=True):
            at = self.met if self.met < self.slots else int(torch.randint(self.met + 1, ()))
            if at < self.slots:
                self.x[at], self.y[at] = one, label
            self.met += 1

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        filled = min(self.met, self.slots)
        data = TensorDataset(self.x[:filled], self.y[:filled])
        loader = DataLoader(data, count, sampler=RandomSampler(data, replacement=True, num_samples=count * 10_000))
        yield from loader


def stream_steps(
    x: np.ndarray, y: np.ndarray, *, phases: int, per_phase: int, batch: int, hidden: int, slots: int, count: int
) -> float:
    """Seconds of a whole stream of one seed, classes shared out among phases; without a memory if `slots` is 0."""
    order = np.random.default_rng(0).permutation(10).reshape(phases, -1)
    net = nn.Sequential(
        nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    )
    optimiser = torch.optim.SGD(net.parameters(), 0.05)
    memory = Reservoir(max(slots, 1), x.shape[1])
    begun = time.perf_counter()
    for classes in order:
        mine = np.isin(y, classes)
        data = TensorDataset(torch.tensor(x[mine]), torch.tensor(y[mine], dtype=torch.long))
        sampler = RandomSampler(data, replacement=True, num_samples=batch * per_phase)
        again = memory.batches(count) if slots and memory.met else None
        for inputs, labels in DataLoader(data, batch, sampler=sampler):
            loss = fn.cross_entropy(net(inputs), labels)
            if again is not None:
                old, old_labels = next(again)
                loss = loss + fn.cross_entropy(net(old), old_labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if slots:
                memory.add(inputs, labels)
    return time.perf_counter() - begun
