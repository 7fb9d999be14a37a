"""Seeded queries and passages for prompts that compare, and how a prompt's turns become one digest."""

import hashlib
import random

WORDS = [
    "who", "wrote", "Hamlet", "naïve", "東京", "“quoted”", "it's", "[3]", "{brace}", "Passage", "B:", "<answer>[2]</answer>", "a\tb",
    "50%", "$x$", "\\n", "the", "of", "and", "tide", "moon", "Document", "3,", "Document", "1", "[1]", ">", "[2]", '{"[1]":', "9}",
    "passage", "0", "</think>", "true",
]  # fmt: skip
CASES = 12
EXAMPLES = (("what is a {tide}?", 'Tides rise by the moon\'s "pull".', "The moon\nis grey."),)
ANSWERS = {
    "setwise": ["Passage B", "B", "Passage C.", "The answer is Passage C", "Passage B is better than Passage A", "none", "b"],
    "prp": ["Passage A", "Passage B", "B", "Passage B is better than Passage A", "neither"],
    "rank-r1": [
        "<think>[1]?</think> <answer>[2]</answer>", "<THINK>a</THINK>\n<Answer> [3] </Answer>", "<think>a</think><answer>2</answer>",
        "<think>it says </think> <answer>[1]</answer></think><answer>[2]</answer>", "<think>a</think><answer>[4]</answer>",
    ],
}  # fmt: skip
"""What models may answer, to see what the published code makes of it."""


def case(seed):
    """A query and 2 to 10 passages; some have several lines."""
    rng = random.Random(seed)
    query = " ".join(rng.choices(WORDS, k=rng.randint(1, 8)))
    docs = []
    for _ in range(rng.randint(2, 10)):
        lines = [" ".join(rng.choices(WORDS, k=rng.randint(1, 20))) for _ in range(rng.randint(1, 3))]
        docs.append("\n\n".join(lines))
    return query, docs


def digest(turns):
    """The first 16 hexadecimal digits of the SHA-256 of ``[(role, text), …]``."""
    joined = "\x00".join(f"{role}\x01{text}" for role, text in turns)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
