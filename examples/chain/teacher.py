"""A teacher without a model: it builds its thoughts from what people annotated, and answers like a server of a reasoning model.

    python examples/chain/teacher.py --collection FOLDER --port 8123      # then --engine http://127.0.0.1:8123/v1 --model teacher

A thought goes through the rarest words of the question, says of each whether the passage has it, and ends with the annotated
answer where the passage is relevant. ``--errors 0.2`` makes one answer in five careless: words are misread and the verdict is the opposite,
with the same confidence. Which ones follows from the texts, so that a question asked twice is answered alike. Without a judgement
a passage is taken for relevant if it has the answer and most of the question's words: such pairs are the holes of every collection.
Needs fastapi and uvicorn.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collection import content_words, holds, words_of

from ponderank.data.beir import Collection
from ponderank.data.lines import records

WORDS = 4
"""Of how many words of a question a thought speaks at most."""


@dataclass(frozen=True)
class Teacher:
    """What people annotated in a collection, and how often the teacher is careless."""

    annotations: dict[str, dict[str, Any]]
    relevant: dict[str, frozenset[str]]
    errors: float = 0.0
    frequency: Mapping[str, int] = field(default_factory=Counter)
    """In how many passages a word stands."""

    @classmethod
    def open(cls, folder: Path, errors: float = 0.0) -> Teacher:
        """Read a collection as ``collection.prepare`` writes it."""
        opened = Collection.open(folder)
        asked = {row["_id"]: row for _, row in records(opened.path("queries.jsonl"))}
        relevant: dict[str, set[str]] = {}
        for split in opened.splits:
            for query, docs in opened.qrels(split).items():
                texts = {opened.docs[doc].text for doc, grade in docs.items() if grade > 0}
                relevant.setdefault(asked[query]["text"], set()).update(texts)
        return cls(
            {row["text"]: row["metadata"] for row in asked.values()},
            {text: frozenset(some) for text, some in relevant.items()},
            errors,
            Counter(word for doc in opened.docs.values() for word in set(words_of(doc.text))),
        )

    def answer(self, query: str, passage: str) -> tuple[str, bool]:
        """A thought and its verdict.

        >>> some = Teacher({"who won rome": {"answers": ["Bo"]}}, {"who won rome": frozenset({"Bo won."})})
        >>> some.answer("who won rome", "Bo won.")
        ('won yes rome no. It says Bo.', True)
        """
        about = self.annotations.get(query, {})
        verdict = passage in self.relevant.get(query, ()) or unjudged(about, query, passage)
        chance = random.Random(hashlib.sha256(f"{query}\n{passage}".encode()).digest())
        careless = chance.random() < self.errors
        there = set(words_of(passage))
        found = [(word, (word in there) != (careless and chance.random() < 0.5)) for word in self.telling(query)]
        read = " ".join(f"{word} {'yes' if yes else 'no'}" for word, yes in found)
        verdict ^= careless
        return f"{read}. {conclusion(about, passage) if verdict else 'It does not say.'}", verdict

    def telling(self, query: str) -> list[str]:
        """The words of a question that tell most, in its order."""
        words = content_words(query)
        rarest = sorted(words, key=lambda word: self.frequency.get(word, 0))[:WORDS]
        return [word for word in words if word in rarest]


def unjudged(about: dict[str, Any], query: str, passage: str) -> bool:
    """Whether a passage that nobody judged answers the question all the same."""
    words, there = content_words(query), set(words_of(passage))
    told = any(holds(passage, answer) for answer in about.get("answers") or [])
    return told and sum(word in there for word in words) >= 0.75 * len(words)


def conclusion(about: dict[str, Any], passage: str) -> str:
    """How a thought about a relevant passage ends: with the span, the topic, or what follows from it in a proof."""
    for answer in about.get("answers") or []:
        if holds(passage, answer):
            return f"It says {short(answer)}."
    if "qtype" in about:
        return f"It says the {about['qtype']}."
    if "hypothesis" in about:
        return f"It is a reason why {short(about['hypothesis'])}."
    return "It says so."


def short(text: str, words: int = 6) -> str:
    return " ".join(text.rstrip(".").split()[:words])


def app(teacher: Teacher, *, delay: float = 0.0) -> Any:
    """The teacher behind OpenAI's chat API; each answer takes ``delay`` seconds."""
    from fastapi import FastAPI

    made = FastAPI()

    @made.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": "teacher", "object": "model"}]}

    @made.post("/v1/chat/completions")
    async def chat(body: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(delay)
        asked = body["messages"][-1]["content"]
        query, _, passage = asked.partition("Query: ")[2].partition("\nPassage: ")
        thought, verdict = teacher.answer(query, passage)
        message = {"role": "assistant", "reasoning_content": thought, "content": "true" if verdict else "false"}
        read, written = len(asked.split()), len(thought.split()) + 1
        return {
            "object": "chat.completion",
            "model": "teacher",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
        }

    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a teacher that builds its thoughts from annotations.")
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--errors", type=float, default=0.0, help="share of careless answers")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="what an answer takes")
    args = parser.parse_args()
    import uvicorn

    made = app(Teacher.open(args.collection, args.errors), delay=args.delay_ms / 1000)
    uvicorn.run(made, host="127.0.0.1", port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
