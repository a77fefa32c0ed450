"""SmolLM2 as users of PyTorch's transformers would ask it, and societies that ask it one agent at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emergelab.lm import LM, Address, Ask, Completion, Decision, Policy, Request
from emergelab.lm.memory import hashed


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


class Counted(LM):
    """A model that counts: how often it was called, with how many requests, and tokens that it read and wrote."""

    def __init__(self, lm: Any) -> None:
        self.lm, self.name, self.revision = lm, lm.name, lm.revision
        self.calls = self.requests = self.read = self.written = 0

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        """As the model does."""
        made: list[Completion] = self.lm.complete(requests)
        self._note(requests)
        self.written += sum(c.tokens_out for c in made)
        return made

    def score(self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """As the model does."""
        self._note(requests)
        found: list[np.ndarray] = self.lm.score(requests, continuations)
        return found

    def _note(self, requests: Sequence[Request]) -> None:
        self.calls, self.requests = self.calls + 1, self.requests + len(requests)
        for request in requests:
            text = request.prompt if isinstance(request.prompt, str) else self.lm.tokenizer.chat(request.prompt)
            self.read += len(self.lm.tokenizer.encode(str(text), begin=False))

    def said(self) -> str:
        """The counts in words."""
        return f"{self.calls} calls, {self.requests} requests, {self.read:,} tokens read, {self.written:,} written"


class Concordia(Policy):
    """Agents of Concordia (gdm-concordia, the prefab "basic"), one after the other.

    Before it chooses, an agent asks itself what situation it is in, what kind of person it is and what such a person
    would do, and sums up its memories: a call each, and one more for the choice.

    Args:
        lm: the model behind them.
        tokens: the longest answer to such a question; Concordia allows a thousand.
    """

    def __init__(self, lm: LM, tokens: int) -> None:
        self.model, self.agents = _for_concordia(lm, tokens), {}

    async def decide(self, asks: Sequence[Ask], context: Any) -> list[Decision]:
        """What each agent is told becomes its observation, the options those of its act."""
        from concordia.typing import entity

        out = []
        for ask in asks:
            agent = self.agents.get(ask.agent) or self._agent(ask.agent)
            self.agents[ask.agent] = agent
            agent.observe(" ".join(turn.text for turn in ask.prompt))
            spec = entity.ActionSpec(
                call_to_action="Which option does {name} choose?",
                output_type=entity.OutputType.CHOICE,
                options=ask.kind.options(),
            )
            out.append(Decision(ask.kind.check(agent.act(spec)), "policy"))
        return out

    def _agent(self, name: str) -> Any:
        from concordia.associative_memory.basic_associative_memory import AssociativeMemoryBank
        from concordia.prefabs.entity import basic

        memory = AssociativeMemoryBank(lambda text: hashed([text])[0])
        return basic.Entity(params={"name": name}).build(self.model, memory)


def _for_concordia(lm: LM, tokens: int) -> Any:
    """A model as Concordia wants it. Its components ask from threads of their own; one call is served at a time."""
    from concordia.language_model import language_model

    gate, asked = threading.Lock(), iter(range(1_000_000))

    class Model(language_model.LanguageModel):
        def sample_text(
            self, prompt: str, *, max_tokens: int = 1000, terminators: Any = (), temperature: float = 0.5, **_: Any
        ) -> str:
            with gate:
                request = Request(
                    prompt, Address(draw=next(asked)), min(max_tokens, tokens), temperature, stop=tuple(terminators)
                )
                return lm.complete([request])[0].text

        def sample_choice(self, prompt: str, responses: Sequence[str], **_: Any) -> tuple[int, str, dict[str, Any]]:
            with gate:
                best = int(np.argmax(lm.score([Request(prompt)], [list(responses)])[0]))
            return best, responses[best], {}

    return Model()
