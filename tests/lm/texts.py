"""Texts on which the embedded models are held against another implementation. Standard library only."""

import random

PROMPTS = {
    "france": "The capital of France is",
    "code": "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "numbers": "1, 1, 2, 3, 5, 8, 13, 21, 34, 55,",
    "game": (
        "<|im_start|>system\nYou play a game.<|im_end|>\n<|im_start|>user\nLast round Bo defected. Do you cooperate or "
        "defect?<|im_end|>\n<|im_start|>assistant\n"
    ),
    "mixed": "Ångström, naïve, 北京, Москва 🙂 — «quoted» text\twith\ttabs",
}


def long_prompt() -> str:
    """A little over a thousand tokens of plain prose about a game between two players."""
    draw = random.Random(7)
    names, moves = ("Ada", "Bo", "Cy", "Di"), ("cooperated", "defected", "waited", "left the room")
    lines = []
    for turn in range(1, 90):
        a, b = draw.sample(names, 2)
        lines.append(f"In round {turn} {a} {draw.choice(moves)} while {b} {draw.choice(moves)}.")
    return " ".join(lines) + " In the last round"


def noise(length: int, seed: int) -> str:
    """Characters from everywhere: ASCII, Latin, CJK, emoji, combining marks, controls, private use."""
    draw = random.Random(seed)
    ranges = ((32, 127), (32, 127), (0xA0, 0x250), (0x4E00, 0x9FFF), (0x1F300, 0x1F64F), (0x300, 0x36F), (1, 32),
              (0xE000, 0xE100), (0x5D0, 0x5EB), (0x600, 0x700))  # fmt: skip
    return "".join(chr(draw.randrange(*draw.choice(ranges))) for _ in range(length))


HOSTILE = [
    "",
    " ",
    "\n",
    "\n\n\n",
    "  two leading spaces and trailing  ",
    "a\tb\r\nc\x0bd\x0c",
    "1234567890 3.14159 1e-9 0x1F 1,000,000",
    "2024-05-17T12:34:56Z",
    "don't can't we'll they've I'm it's you're he'd",
    "DON'T CAN'T",
    "snake_case camelCase kebab-case SCREAMING_CASE __init__",
    "!!!???...;;;:::---===+++",
    "北京大学的学生在图书馆里学习。",
    "日本語のテキストとカタカナ、ひらがな",
    "한국어 문장입니다",
    "Привет, мир! Ёлка.",
    "مرحبا بالعالم",
    "שלום עולם",
    "हिन्दी में पाठ",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🙂🙃 🇩🇪",
    "e\u0301 versus é",
    "\ufeffbyte order mark",
    "zero\u200bwidth\u200djoiner\u00a0nbsp",
    "<|im_start|>user\nhello<|im_end|>\n",
    "text<|im_end|>text<|endoftext|>",
    "<|im_start|><|im_start|> <|im_end|> <|unknown|> <repo_name> <file_sep>",
    "<|im_start |> < |im_end|>",
    "x" * 2000,
    " " * 300,
    "\ufffd\ufffd",
    "ﬁ ligature ™ ©",
    '$\\frac{a}{b}$ <html>&amp;</html> {"json": [1, 2]}',
    noise(500, 1),
    noise(500, 2),
    noise(10_000, 3),
]

TURNS = {
    "user": [("user", "Hello?")],
    "system": [("system", "You are a lighthouse keeper."), ("user", "Who are you?")],
    "three": [("user", "Hi."), ("assistant", "Hello!"), ("user", "Do you cooperate or defect?")],
}

SENTENCES = [
    "A man is eating food.",
    "Someone is having a meal.",
    "The stock market fell sharply on Tuesday.",
    "Ein Satz auf Deutsch mit Umlauten: äöü.",
    "",
    "word " * 400,
]
