"""Write `reference.json`: what transformers makes of the same weights. The tests hold our own numbers against it.

It needs packages that emergelab does not, so give it an environment of its own, with the weights fetched beforehand:

    emergelab get smollm2 && emergelab get minilm
    python -m venv oracle && oracle/bin/pip install torch==2.13.0 transformers==5.23.0 gguf==0.19.0 accelerate==1.15.0
    oracle/bin/python tests/lm/make_reference.py SMOLLM2.gguf MINILM_FOLDER

`emergelab get` prints where the weights lie. `measure` is also called by the tests where transformers is installed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import texts

HERE = Path(__file__).parent
NEW_TOKENS = 200


def measure(gguf: Path) -> dict[str, Any]:
    """Log-probabilities, greedy continuations and token ids of the chat model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).eval()
    out: dict[str, Any] = {"prompts": {}, "greedy": {}, "ids": [], "chat": {}}
    with torch.no_grad():
        for name, text in {**texts.PROMPTS, "long": texts.long_prompt()}.items():
            ids = tokenizer(text, return_tensors="pt").input_ids
            logp = torch.log_softmax(model(ids).logits[0].double(), -1)
            told = logp[:-1].gather(1, ids[0, 1:, None])[:, 0]
            top = logp[-1].topk(10)
            out["prompts"][name] = {
                "tokens": ids.shape[1],
                "sum": round(float(told.sum()), 5),
                "last": [round(float(x), 5) for x in told[-8:]],
                "top": [[int(i), round(float(p), 5)] for i, p in zip(top.indices, top.values, strict=True)],
            }
        for name in ("france", "game"):
            ids = tokenizer(texts.PROMPTS[name], return_tensors="pt").input_ids
            made = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
                eos_token_id=[0, 2],
            )
            new = made[0, ids.shape[1] :].tolist()
            out["greedy"][name] = {"ids": new, "text": tokenizer.decode(new, skip_special_tokens=True)}
    for text in texts.HOSTILE:
        ids = tokenizer(text).input_ids
        out["ids"].append({"count": len(ids), "sha256": digest(ids)})
    for name, turns in texts.TURNS.items():
        messages = [{"role": r, "content": c} for r, c in turns]
        out["chat"][name] = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return out


def embed(folder: Path) -> list[list[float]]:
    """Unit vectors of the sentences, by the encoder's published recipe: mean over tokens, then length 1."""
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=384, intermediate_size=1536, num_attention_heads=12, num_hidden_layers=6, vocab_size=30522
    )
    model = BertModel(config, add_pooling_layer=False)
    weights = {k.removeprefix("bert."): v for k, v in load_file(folder / "model.safetensors").items()}
    lost = model.load_state_dict(weights, strict=False).missing_keys
    assert not lost, lost
    model.eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    out = []
    with torch.no_grad():
        for text in texts.SENTENCES:
            ids = torch.tensor([tokenizer.encode(text).ids])
            mean = model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(0)
            out.append([round(float(x), 7) for x in mean / mean.norm()])
    return out


def digest(ids: list[int]) -> str:
    """A checksum of token ids, for texts whose ids would fill pages."""
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16]


def main() -> None:
    """Measure and write."""
    gguf, folder = map(Path, sys.argv[1:])
    made = {
        "versions": {p: metadata.version(p) for p in ("torch", "transformers", "gguf", "tokenizers")},
        "sha256": hashlib.sha256(gguf.read_bytes()).hexdigest(),
        **measure(gguf),
        "embeddings": embed(folder),
    }
    (HERE / "reference.json").write_text(json.dumps(made, ensure_ascii=True) + "\n")
    print("wrote", HERE / "reference.json")


if __name__ == "__main__":
    main()
