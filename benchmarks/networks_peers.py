"""Steps of the studies `induction-head` and `rich-lazy-rank` in plain PyTorch, as one would write them for a paper.

The same tasks, networks, optimisers and sizes as in emergelab at size `quick`, one seed at a time; the step of `icl` is
in icl_peers.py. Nothing is skipped except what PyTorch itself fuses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["induction_steps", "rich_lazy_steps"]


def _timed(step: Callable[[], None], steps: int, warm: int, threads: int | None) -> float:
    """Seconds of `steps` steps, after `warm` untimed ones."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        for _ in range(warm):
            step()
        begun = time.perf_counter()
        for _ in range(steps):
            step()
        return time.perf_counter() - begun
    finally:
        torch.set_num_threads(before)


class Rotary(nn.Module):
    """Causal multi-head attention with rotary positions behind a norm, added to the stream."""

    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.norm, self.heads = nn.LayerNorm(width), heads
        self.inner = nn.Linear(width, 3 * width, bias=False)
        self.outer = nn.Linear(width, width, bias=False)
        half = width // heads // 2
        angle = torch.arange(tokens)[:, None] * 10_000.0 ** (-torch.arange(half) / half)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def _turned(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * self.cos - b * self.sin, a * self.sin + b * self.cos], dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = self.inner(self.norm(x)).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(self._turned(q), self._turned(k), v, is_causal=True)
        return x + self.outer(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Inducer(nn.Module):
    """Embedded pairs, two layers of attention, a readout at the last token."""

    def __init__(self, dim: int, labels: int, width: int, heads: int) -> None:
        super().__init__()
        self.items, self.labels = nn.Linear(dim, width), nn.Embedding(labels, width)
        self.layers = nn.Sequential(*(Rotary(width, heads, 5) for _ in range(2)))
        self.read = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, labels))

    def forward(self, items: Tensor, labels: Tensor) -> Tensor:
        a, b = self.items(items), self.labels(labels)
        x = torch.stack([a[:, 0], b[:, 0], a[:, 1], b[:, 1], a[:, 2]], dim=1)
        return self.read(self.layers(x)[:, -1])


def induction_steps(
    steps: int,
    *,
    dim: int,
    labels: int,
    width: int,
    heads: int,
    classes: int,
    batch: int,
    threads: int | None = None,
    seed: int = 0,
    warm: int = 20,
) -> float:
    """Seconds that `steps` gradient steps of one seed take: two pairs and a query, labels dealt anew."""
    torch.manual_seed(seed)
    vectors = torch.randn(classes, dim)
    pairs = torch.combinations(torch.arange(labels))
    pairs = pairs[torch.randperm(len(pairs))][: len(pairs) * 4 // 5]
    net = Inducer(dim, labels, width, heads)
    rule = torch.optim.Adam(net.parameters(), lr=2e-4)

    def step() -> None:
        one = torch.randint(classes, (batch,))
        other = torch.randint(classes - 1, (batch,))
        known = torch.stack([one, other + (other >= one)], dim=1)
        given = pairs[torch.randint(len(pairs), (batch,))]
        given = torch.where(torch.rand(batch, 1) < 0.5, given, given.flip(1))
        asked = torch.randint(2, (batch, 1))
        items = vectors[torch.cat([known, known.gather(1, asked)], dim=1)]
        loss = nn.functional.cross_entropy(net(items, given), given.gather(1, asked)[:, 0])
        rule.zero_grad()
        loss.backward()
        rule.step()

    return _timed(step, steps, warm, threads)


class Leaky(nn.Module):
    """Rectified units without leak (dt = tau) and without biases, read out linearly in every step."""

    def __init__(self, units: int, inputs: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.into = nn.Linear(inputs, units, bias=False)
        self.around = nn.Linear(units, units, bias=False)
        self.out = nn.Linear(units, outputs, bias=False)
        nn.init.normal_(self.around.weight, std=gain / math.sqrt(units))

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], self.around.in_features)
        states = []
        for now in self.into(x):
            h = torch.relu(now + self.around(h))
            states.append(h)
        return self.out(torch.stack(states))


def rich_lazy_steps(
    steps: int,
    *,
    units: int,
    batch: int,
    gain: float = 1.25,
    noise: float = 0.1,
    threads: int | None = None,
    seed: int = 0,
    warm: int = 20,
) -> float:
    """Seconds that `steps` gradient steps of one seed take: the perceptual decision in eight steps of 100 ms."""
    torch.manual_seed(seed)
    net = Leaky(units, 3, 3, gain)
    rule = torch.optim.SGD(net.parameters(), lr=0.003, momentum=0.9)
    strengths = torch.tensor([0.0, 6.4, 12.8, 25.6, 51.2]) / 100

    def step() -> None:
        sign = torch.where(torch.rand(batch) < 0.5, 1.0, -1.0)
        lean = sign * strengths[torch.randint(len(strengths), (batch,))] / 2
        wait = (torch.arange(8) < 7).float()[:, None].expand(8, batch)
        shown = torch.stack([0.5 + lean, 0.5 - lean], dim=-1).expand(8, batch, 2) * wait[..., None]
        x = torch.cat([wait[..., None], shown + noise * torch.randn(8, batch, 2)], dim=-1)
        target = torch.zeros(8, batch, dtype=torch.long)
        target[-1] = torch.where(sign > 0, 1, 2)
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), target.flatten())
        rule.zero_grad()
        loss.backward()
        rule.step()

    return _timed(step, steps, warm, threads)
