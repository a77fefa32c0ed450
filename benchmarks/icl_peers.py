"""The step of the study `icl` in plain PyTorch, as one would write it for a paper.

The same task, network, optimiser and sizes as `emergelab.studies.networks.icl` at size `quick`, one seed at a
time: two layers of single-head causal attention without normalisation, three ReLU layers on the last token,
Adam at 1e-3, a fresh batch every step. Nothing is folded or skipped except what PyTorch itself fuses.

    python benchmarks/icl_peers.py --steps 500 --threads 2
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from torch import Tensor, nn

__all__ = ["Task", "TwoLayers", "torch_steps"]


class Task:
    """Item and label sequences: bursty ones with the answer in context, and independent draws."""

    def __init__(
        self,
        generator: torch.Generator,
        *,
        classes: int = 1024,
        labels: int = 16,
        items: int = 8,
        burst: int = 4,
        dim: int = 32,
        p_bursty: float = 1.0,
        noise: float = 0.1,
    ) -> None:
        self.generator, self.labels, self.items, self.burst = generator, labels, items, burst
        self.p_bursty, self.noise, self.classes, self.dim = p_bursty, noise, classes, dim
        self.means = torch.randn(classes, dim, generator=generator) / math.sqrt(dim)
        self.vectors = torch.randn(labels, dim, generator=generator) / math.sqrt(dim)
        self.places = torch.eye(2 * items + 1)

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Tokens of shape (size, 2N + 1, 2N + 1 + dim), and the labels asked for."""
        g, n = self.generator, self.items
        known = torch.randint(self.classes, (size, n // self.burst), generator=g)
        order = torch.rand(size, n, generator=g).argsort(dim=1) // self.burst
        asked = torch.randint(n // self.burst, (size, 1), generator=g)
        bursty = known.gather(1, torch.cat([order, asked], dim=1))
        free = torch.randint(self.classes, (size, n + 1), generator=g)
        k = torch.where(torch.rand(size, 1, generator=g) < self.p_bursty, bursty, free)
        eta = torch.randn(size, n + 1, self.dim, generator=g) / math.sqrt(self.dim)
        x = (self.means[k] + self.noise * eta) / math.sqrt(1 + self.noise**2)
        pairs = torch.stack([x, self.vectors[k % self.labels]], dim=2).flatten(1, 2)[:, :-1]
        return torch.cat([self.places.expand(size, -1, -1), pairs], dim=2), k[:, -1] % self.labels


class TwoLayers(nn.Module):
    """Two attention layers and a perceptron on the last token."""

    def __init__(self, width: int, labels: int, length: int) -> None:
        super().__init__()
        self.attention = nn.ModuleList(
            nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(3)) for _ in range(2)
        )
        self.hidden = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(3))
        self.biases = nn.Parameter(torch.randn(3) / math.sqrt(width))
        self.out = nn.Linear(width, labels, bias=False)
        self.register_buffer("unseen", torch.ones(length, length).triu(1).bool())
        for layer in self.attention:
            for linear in layer:
                nn.init.normal_(linear.weight, std=width**-0.5)
        for linear in self.hidden:
            nn.init.normal_(linear.weight, std=(2 / width) ** 0.5)
        nn.init.normal_(self.out.weight, std=width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        for query, key, value in self.attention:
            scores = query(x) @ key(x).transpose(1, 2)
            x = x + scores.masked_fill(self.unseen, -math.inf).softmax(dim=-1) @ value(x)
        h = x[:, -1]
        for linear, bias in zip(self.hidden, self.biases, strict=True):
            h = torch.relu(linear(h) + bias)
        return self.out(h)


def torch_steps(
    steps: int = 500,
    *,
    batch: int = 48,
    labels: int = 16,
    items: int = 8,
    dim: int = 32,
    classes: int = 1024,
    threads: int | None = None,
    seed: int = 0,
    warm: int = 20,
) -> tuple[int, float]:
    """Train one seed and say how long it took.

    Args:
        steps: gradient steps that are timed.
        batch, labels, items, dim, classes: sizes, those of the study's size `quick` by default.
        threads: PyTorch's threads; None leaves its own choice.
        seed: of network and data.
        warm: steps before the clock starts.

    Returns:
        steps timed, and the wall time in seconds.
    """
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        torch.manual_seed(seed)
        task = Task(torch.Generator().manual_seed(seed), classes=classes, labels=labels, items=items, dim=dim)
        net = TwoLayers(2 * items + 1 + dim, labels, 2 * items + 1)
        rule = torch.optim.Adam(net.parameters(), lr=1e-3)

        def step() -> None:
            x, y = task.batch(batch)
            loss = nn.functional.cross_entropy(net(x), y)
            rule.zero_grad()
            loss.backward()
            rule.step()

        for _ in range(warm):
            step()
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return steps, time.perf_counter() - start
    finally:
        torch.set_num_threads(before)


def main() -> None:
    """Print steps a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=None, help="PyTorch's threads (default: its own choice)")
    given = parser.parse_args()
    steps, seconds = torch_steps(given.steps, threads=given.threads)
    print(f"PyTorch {torch.__version__}: {steps / seconds:.0f} steps/s ({1e3 * seconds / steps:.2f} ms a step)")


if __name__ == "__main__":
    main()
