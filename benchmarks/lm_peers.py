"""SmolLM2 as users of PyTorch's transformers would ask it, and a model that is asked one agent at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emergelab.lm import LM, Completion, Request


class Transformers:
    """The same weights in PyTorch, in float32, on a GPU if there is one: padded batches, no sharing of prompts."""

    def __init__(self, file: Path, rows: int = 32) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, padding_side="left")
        self.tokenizer.pad_token_id = 0
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
        self.model, self.rows = model.eval().to(self.device), rows

    def score(self, prompts: Sequence[str], words: Sequence[str]) -> np.ndarray:
        """Log-probabilities of words of one token, [prompt, word]."""
        import torch

        wanted = [self.tokenizer(w).input_ids[0] for w in words]
        out = []
        with torch.inference_mode():
            for at in range(0, len(prompts), self.rows):
                given = self.tokenizer(list(prompts[at : at + self.rows]), return_tensors="pt", padding=True)
                logits = self.model(**given.to(self.device), logits_to_keep=1).logits[:, -1]
                out.append(torch.log_softmax(logits, -1)[:, wanted].cpu().numpy())
        return np.concatenate(out)

    def write(self, prompts: Sequence[str], tokens: int) -> int:
        """Sample answers of exactly so many tokens; how many tokens there are."""
        import torch

        given = self.tokenizer(list(prompts), return_tensors="pt", padding=True).to(self.device)
        with torch.inference_mode():
            made = self.model.generate(
                **given,
                do_sample=True,
                temperature=0.7,
                top_k=0,
                top_p=1.0,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                pad_token_id=0,
            )
        return int(made.shape[0] * (made.shape[1] - given.input_ids.shape[1]))


class OneByOne(LM):
    """A model that is asked one request at a time, as a loop over agents would ask it."""

    def __init__(self, lm: Any) -> None:
        self.lm, self.name, self.revision = lm, f"{lm.name}, one by one", lm.revision

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        """One call a request."""
        return [self.lm.complete([r])[0] for r in requests]

    def score(self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """One call a request."""
        return [self.lm.score([r], [c])[0] for r, c in zip(requests, continuations, strict=True)]
