"""The game of attributes in plain PyTorch, one seed at a time, the way EGG's games are written.

A speaker and a listener as modules, a loss, an Adam optimiser each, a Python loop over batches. Same objects, networks,
estimators and sizes as emergelab's; what is compared is the loop, not the libraries' choice of default sizes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

__all__ = ["game_steps", "topsim"]


class HeadSpeaker(nn.Module):
    def __init__(self, inputs: int, positions: int, symbols: int, hidden: int) -> None:
        super().__init__()
        self.shape = (positions, symbols)
        self.net = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, positions * symbols),
        )  # fmt: skip

    def forward(self, x: Tensor, say: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        logits = self.net(x).view(-1, *self.shape)
        return logits, say(logits)


class HeadListener(nn.Module):
    def __init__(self, positions: int, symbols: int, answers: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(positions * symbols, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, answers),
        )  # fmt: skip

    def forward(self, message: Tensor) -> Tensor:
        return self.net(message.flatten(1))


class RecurrentSpeaker(nn.Module):
    def __init__(self, inputs: int, positions: int, symbols: int, hidden: int, width: int = 16) -> None:
        super().__init__()
        self.positions = positions
        self.begin, self.cell = nn.Linear(inputs, hidden), nn.GRUCell(width, hidden)
        self.out, self.words = nn.Linear(hidden, symbols), nn.Linear(symbols, width, bias=False)
        self.start = nn.Parameter(torch.randn(width) * width**-0.5)

    def forward(self, x: Tensor, say: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        state, heard = self.begin(x), self.start.expand(len(x), -1)
        logits, symbols = [], []
        for _ in range(self.positions):
            state = self.cell(heard, state)
            logits.append(self.out(state))
            symbols.append(say(logits[-1]))
            heard = self.words(symbols[-1])
        return torch.stack(logits, 1), torch.stack(symbols, 1)


class RecurrentListener(nn.Module):
    def __init__(self, positions: int, symbols: int, answers: int, hidden: int, width: int = 16) -> None:
        super().__init__()
        self.words, self.cell = nn.Linear(symbols, width, bias=False), nn.GRUCell(width, hidden)
        self.out = nn.Linear(hidden, answers)

    def forward(self, message: Tensor) -> Tensor:
        state = message.new_zeros(len(message), self.cell.hidden_size)
        for position in self.words(message).unbind(1):
            state = self.cell(position, state)
        return self.out(state)


def game_steps(
    steps: int,
    *,
    agents: str,
    estimator: str,
    attributes: int,
    values: int,
    positions: int,
    symbols: int,
    hidden: int,
    batch: int,
    warm: int = 20,
) -> float:
    """Seconds of `steps` steps of one seed, after `warm` untimed ones."""
    makes = {"heads": (HeadSpeaker, HeadListener), "recurrent": (RecurrentSpeaker, RecurrentListener)}[agents]
    speaker = makes[0](attributes * values, positions, symbols, hidden)
    listener = makes[1](positions, symbols, attributes * values, hidden)
    optimisers = [torch.optim.Adam(net.parameters(), 1e-3) for net in (speaker, listener)]
    objects = torch.cartesian_prod(*[torch.arange(values)] * attributes)
    shown = fn.one_hot(objects, values).flatten(1).float()
    baseline, batches = 0.0, 0

    def relaxed(logits: Tensor) -> Tensor:
        return fn.gumbel_softmax(logits, tau=1.0, hard=True)

    def drawn(logits: Tensor) -> Tensor:
        return fn.one_hot(torch.distributions.Categorical(logits=logits).sample(), symbols).float()

    def step() -> None:
        nonlocal baseline, batches
        target = torch.randint(len(objects), (batch,))
        logits, message = speaker(shown[target], relaxed if estimator == "gumbel" else drawn)
        answers = listener(message).view(batch, attributes, values)
        losses = fn.cross_entropy(answers.transpose(1, 2), objects[target], reduction="none").mean(1)
        total = losses.mean()
        if estimator == "reinforce":
            rewards = -losses.detach()
            said = (fn.log_softmax(logits, -1) * message).sum((1, 2))
            total = total - ((rewards - baseline) * said).mean()
            batches += 1
            baseline += (float(rewards.mean()) - baseline) / batches
        for optimiser in optimisers:
            optimiser.zero_grad()
        total.backward()
        for net, optimiser in zip((speaker, listener), optimisers, strict=True):
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()

    for _ in range(warm):
        step()
    begun = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - begun


def topsim(messages: list[list[int]], meanings: list[list[int]]) -> float:
    """Topographic similarity pair by pair in Python with SciPy's Spearman, as analysis scripts of the field do it."""
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    def edit(a: list[int], b: list[int]) -> int:
        row = list(range(len(b) + 1))
        for i, x in enumerate(a):
            new = [i + 1]
            for j, y in enumerate(b):
                new.append(min(row[j + 1] + 1, new[j] + 1, row[j] + (x != y)))
            row = new
        return row[-1]

    pairs = [edit(messages[i], messages[j]) for i in range(len(messages)) for j in range(i + 1, len(messages))]
    return float(spearmanr(pairs, pdist(meanings, "hamming")).statistic)
