"""Text to token ids and back, for byte-level BPE vocabularies, from a GGUF header or a `tokenizer.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UserError, need
from ._gguf import read_json
from .base import ModelError, Turn

__all__ = ["Tokenizer"]

_LLAMA3 = ("llama-bpe", "llama3", "llama-v3")
_CONTROL, _USER = 3, 4  # kinds of token in a GGUF header that are found in a text before it is cut
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_HALVES = re.compile("[\ud800-\udfff]")
_ENDS = ("<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>", "<|end_of_text|>")


class Tokenizer:
    """A vocabulary with its rules.

    Tokens such as `<|im_end|>` are recognised wherever they occur in a text, as the model's other users have it.
    Characters of which a vocabulary has no piece (some control characters in SmolLM2's) are dropped, as they are there.

    Attributes:
        size: number of tokens.
        ends: ids with which the model ends an answer.
        end: the one with which it ends its turn.
    """

    def __init__(self, inner: Any, template: str | None, ends: Sequence[int], named: Mapping[str, str]) -> None:
        self._inner, self._template, self._named = inner, template, dict(named)
        self.size: int = inner.get_vocab_size()
        known = [inner.token_to_id(name) for name in _ENDS]
        own = [*ends, *(i for i in known if i is not None)]
        if not own:
            raise ModelError("the vocabulary has no token that ends an answer")
        self.end = own[0]
        self.ends: tuple[int, ...] = tuple(sorted(set(own)))

    @classmethod
    def of_gguf(cls, fields: Mapping[str, Any], path: Path) -> Tokenizer:
        """From the fields of a GGUF header.

        Raises:
            ModelError: the vocabulary is of a kind that is not read here.
        """
        library = need("tokenizers", "lm", "cutting text into tokens")
        model, cut = fields.get("tokenizer.ggml.model"), str(fields.get("tokenizer.ggml.pre", "default"))
        if model != "gpt2":
            raise ModelError(f"{path}: the vocabulary is of kind {model!r}, and only 'gpt2' (byte-level BPE) is read")
        tokens = fields["tokenizer.ggml.tokens"]
        merges = [tuple(m.split(" ", 1)) for m in fields["tokenizer.ggml.merges"]]
        inner = library.Tokenizer(
            library.models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, ignore_merges=cut in _LLAMA3)
        )
        inner.pre_tokenizer = _cutter(library.pre_tokenizers, cut, path)
        inner.decoder = library.decoders.ByteLevel()
        kinds = fields.get("tokenizer.ggml.token_type", [1] * len(tokens))
        for kind, special in ((_CONTROL, True), (_USER, False)):
            added = [
                library.AddedToken(t, special=special, normalized=False)
                for t, k in zip(tokens, kinds, strict=True)
                if k == kind
            ]
            (inner.add_special_tokens if special else inner.add_tokens)(added)

        named, ends = {}, []
        for name in ("bos", "eos", "eot"):
            found = fields.get(f"tokenizer.ggml.{name}_token_id")
            if found is not None:
                named[f"{name}_token"] = tokens[found]
                ends += [found] if name != "bos" else []
        made = cls(inner, fields.get("tokenizer.chat_template"), ends, named)
        if fields.get("tokenizer.ggml.add_bos_token", False) and "bos_token" in named:
            made._begin_with(library, named["bos_token"])
        return made

    @classmethod
    def of_folder(cls, folder: Path) -> Tokenizer:
        """From `tokenizer.json`, with the chat template of `tokenizer_config.json` or `chat_template.jinja`."""
        library = need("tokenizers", "lm", "cutting text into tokens")
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise ModelError(f"{folder}: holds no tokenizer.json")
        inner = library.Tokenizer.from_file(str(file))
        inner.no_padding()
        inner.no_truncation()
        path = folder / "tokenizer_config.json"
        config = read_json(path) if path.is_file() else {}
        template, alone = config.get("chat_template"), folder / "chat_template.jinja"
        if template is None and alone.is_file():
            template = alone.read_text()
        named = {}
        for name in ("bos_token", "eos_token"):
            value = config.get(name)
            value = value.get("content") if isinstance(value, dict) else value
            if isinstance(value, str):
                named[name] = value
        end = inner.token_to_id(named["eos_token"]) if "eos_token" in named else None
        return cls(inner, template if isinstance(template, str) else None, [] if end is None else [end], named)

    def _begin_with(self, library: Any, token: str) -> None:
        self._inner.post_processor = library.processors.TemplateProcessing(
            single=f"{token} $A", special_tokens=[(token, self._inner.token_to_id(token))]
        )

    def encode(self, text: str, begin: bool = True) -> list[int]:
        """Token ids of a text.

        Args:
            text: any text; lone surrogates become the replacement character.
            begin: put the vocabulary's first token before it, where it has one that is always put there.
        """
        clean = _HALVES.sub("\ufffd", text)
        return list(self._inner.encode(clean, add_special_tokens=begin).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without tokens that are not text; an unfinished character is U+FFFD."""
        return str(self._inner.decode([int(i) for i in ids], skip_special_tokens=True))

    def piece(self, token: int) -> str:
        """One token as text, control tokens by name."""
        return str(self._inner.decode([int(token)], skip_special_tokens=False))

    @cached_property
    def _compiled(self) -> Any:
        """The chat template as a program; compiling it takes longer than many prompts."""
        if self._template is None:
            raise ModelError("this model has no chat template; give the prompt as one text")
        sandbox = need("jinja2.sandbox", "lm", "chat templates")
        environment = sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        return environment.from_string(self._template)

    def chat(self, turns: Sequence[Turn]) -> str:
        """Turns as the one text that the model was trained on, up to where its answer begins.

        Raises:
            ModelError: the model has no chat template, or it refuses these turns.
        """
        messages = [{"role": t.role, "content": t.text} for t in turns]
        try:
            return str(self._compiled.render(messages=messages, add_generation_prompt=True, **self._named))
        except UserError:
            raise
        except Exception as error:  # whatever a template may do wrong
            raise ModelError(f"the model's chat template cannot be used ({type(error).__name__}: {error})") from None


def _refuse(message: str) -> None:
    """What a template calls for turns that it was not made for."""
    raise ModelError(f"the model's chat template refuses these turns: {message}")


def _cutter(library: Any, name: str, path: Path) -> Any:
    """How a text is cut into words before they are cut into tokens; GGUF headers name it."""
    plain = library.ByteLevel(add_prefix_space=False, use_regex=True)
    if name in ("default", "gpt-2"):
        return plain
    if name in ("smollm", "starcoder"):
        return library.Sequence([library.Digits(individual_digits=True), plain])
    if name in _LLAMA3:
        import tokenizers

        words = library.Split(tokenizers.Regex(_WORDS), behavior="isolated")
        return library.Sequence([words, library.ByteLevel(add_prefix_space=False, use_regex=False)])
    raise ModelError(
        f"{path}: the rule {name!r} for cutting text is not known; known: default, gpt-2, llama-bpe, smollm"
    )
