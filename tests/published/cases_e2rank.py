"""Cases for E2Rank, from seeds by plain arithmetic: a query, documents, and a vector for any text."""

from __future__ import annotations

import hashlib
import json
import random

SIZES = (1, 2, 9, 10, 11, 15, 19, 20, 21, 25, 37, 100)
BLOCK = 50
BLOCKS = 2
WORDS = [
    "who", "wrote", "the", "[1]", "[2]", "passage", "<think>", "relevant", "documents", "query:", "Instruct", "東京",
    "naïve\n\nrain", "", "cats",
]  # fmt: skip


def case(n, seed):
    """A query and ``n`` different documents; now and then one is empty, or longer than the 1,024 words that are read."""
    rng = random.Random(1000 * n + seed)
    query = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 8)))
    lengths = [1100 if n <= 11 and rng.random() < 0.02 else rng.randint(0, 12) for _ in range(n)]
    return query, [
        " ".join(rng.choice(WORDS) for _ in range(length)) + f" {i}" * (i != 4) for i, length in enumerate(lengths)
    ]


def vector(text):
    """Eight numbers of length 1, from the text's digest."""
    digest = hashlib.sha256(text.encode()).digest()
    numbers = [int.from_bytes(digest[4 * i : 4 * i + 4], "big") / 2**31 - 1 for i in range(8)]
    length = sum(x * x for x in numbers) ** 0.5
    return [x / length for x in numbers]


def chat(user):
    """Qwen3's template for one turn, thinking switched off."""
    return f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


def digest(seen):
    """Sixteen hex digits of what was embedded and of the order."""
    return hashlib.sha256(json.dumps(seen, ensure_ascii=True).encode()).hexdigest()[:16]
