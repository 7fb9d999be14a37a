"""A reranker that grades a group of documents together: GroupRank, a reason and then a grade from 0 to 10 for each."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.choices import query_part
from ponderank.formats.group_rank_prompts import GROUP_RANK_SYSTEM, GROUP_RANK_USER
from ponderank.formats.parts import filled, ours
from ponderank.formats.reading import flaw_of, settled, tagged
from ponderank.formats.thoughts import was_cut
from ponderank.types import Call, Doc, Generate, Judgement, Part, Prompt, Query, text_of

_REASON, _REASONED = "<reason>", "</reason>"
_FENCED = re.compile(r"```(?:json)?([^`]*)```")
_GRADE = re.compile(
    r"\[\s{0,4}(\d{1,6})\s{0,4}\]{1,4}\s{0,4}\"?\s{0,8}:\s{0,8}\"?(-?\d{1,6}(?:\.\d{1,6})?)\"?(?=\s{0,8}(?:[,}]|\n))"
)
_TOP = 10


@dataclass(frozen=True, slots=True)
class GroupRank:
    """Grade a group of documents from 0 to 10, behind a reason; grades compare across groups.

    A document without a grade scores not-a-number; any that lacks one, or a grade that had to be repaired to be read, is a
    flaw (``incomplete``). An answer without grades is ``unparsed``.

    Args:
        max_tokens: the longest text.
        temperature: of the text; theirs.
        seed: of the text.
        top_p: of the text; theirs.
        max_characters: a document is cut behind so many (flaw ``truncated``).
        widest: the most documents to be shown at once; theirs were ten and twenty.

    Source: GroupRank (arXiv 2511.11653); Diver ``Reranker/rerank_groupwise.py`` (prompt, 3,000 characters, 8,000 tokens,
    temperature .3, top-p .8, repairs).
    Differs: grades as given; dividing them by 10, and mixing in the retriever's, is
    for the strategy (``Groups``). There one bad grade loses the whole group, whose documents all get 0; here what can be read
    counts and the rest is missing. The answer is read behind the reason only, and the last one counts; a grade outside
    0 to 10 is none.

    >>> dialogue = GroupRank().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> "Documents:\\n[1]. me\\n\\n[2]. you\\n\\n" in text_of(next(dialogue)[0].prompt)
    True
    """

    max_tokens: int = 8000
    temperature: float = 0.3
    seed: int = 42
    max_characters: int = 3000
    widest: int = 100
    top_p: float = 0.8

    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.temperature < 0 or self.max_characters < 1 or self.widest < 1:
            raise ValueError(
                f"max_tokens {self.max_tokens}, temperature {self.temperature}, max_characters {self.max_characters}, widest "
                f"{self.widest}: need 1 or more, 0 or more, 1 or more, 1 or more"
            )

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """A system and a user turn."""
        before, after = GROUP_RANK_USER.replace("{count}", str(len(docs))).split("{documents}")
        parts: list[Part] = []
        for at, doc in enumerate(docs):
            text = _one_line(doc)[: self.max_characters]
            parts += [
                ours("\n\n" * (at > 0) + f"[{at + 1}]. ", "user"),
                Part(text, trusted=False, may_shorten=True, role="user"),
            ]
        head = filled(before, {"query": query_part(query).text}, role="user")
        return (ours(GROUP_RANK_SYSTEM, "system"), *head, *parts, ours("\n\n" + after, "user"))

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call."""
        count = len(docs)
        if not count:
            return Judgement(())
        prompt = self.prompt(query, docs)
        (reply,) = yield [
            Generate(prompt, self.max_tokens, temperature=self.temperature, seed=self.seed, top_p=self.top_p)
        ]
        found, whole = grades_in(reply.text, count, cut=was_cut(reply))
        flaw = flaw_of([reply], forced=not whole or len(found) < count, unread=not found)
        if flaw is None and any(len(_one_line(doc)) > self.max_characters for doc in docs):
            flaw = "truncated"
        return Judgement(
            tuple(found.get(at, math.nan) for at in range(count)),
            reasoning=_reason(reply.text),
            flaw=flaw,
            prompt=text_of(prompt),
            verdict=", ".join(f"{found[at]:g}" if at in found else "?" for at in range(count)) if found else "",
        )

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the reason with whole grades as the completion; one that is missing is left out."""
        rows = [
            f'  "[{at + 1}]": {min(max(round(score), 0), _TOP)}'
            for at, score in enumerate(judgement.scores)
            if not math.isnan(score)
        ]
        grades = "{\n" + ",\n".join(rows) + "\n}"
        completion = (
            f"{_REASON}\n{judgement.reasoning.strip()}\n{_REASONED}\n\n<answer>\n```json\n{grades}\n```\n</answer>"
        )
        return text_of(self.prompt(query, docs)), completion


def _one_line(doc: Doc) -> str:
    return re.sub("\n+", " ", doc.full_text)


def _reason(text: str) -> str:
    before = text.rpartition(_REASONED)[0] or text.partition("<answer>")[0]
    return before.rpartition("</think>")[2].strip().removeprefix(_REASON).strip()


def grades_in(text: str, count: int, *, cut: bool = False) -> tuple[dict[int, float], bool]:
    """The grades that a text gives, by place from 0, and whether they stood there whole and in the form asked for.

    They are the last JSON object of the answer, which is what stands behind the reason. Repairs: a bracket too many in an
    id, an end that is missing, ids given twice (the last counts) or not shown, grades that are no numbers within 0 to 10.

    >>> grades_in('<reason>so</reason><answer>{"[1]": 5, "[2]": 10}</answer>', 2)
    ({0: 5.0, 1: 10.0}, True)
    >>> grades_in('<reason>so</reason><answer>{"[1]": 5, "[2]]": 8, "[3]": 1', 2, cut=True)
    ({0: 5.0, 1: 8.0}, False)
    """
    answer = settled(text)
    answer = None if answer is None else settled(answer, start=_REASON, end=_REASONED)
    if answer is None or (cut and _REASONED not in text and "</think>" not in text):
        return {}, False
    inside = tagged(answer, "answer")
    whole = inside is not None and "</answer>" in answer and not cut
    pairs, sound = _pairs(answer if inside is None else inside, ended=not cut or "</answer>" in answer)
    found: dict[int, float] = {}
    for name, value in pairs:
        place, grade = _place(name, count), _number(value)
        if place is None or grade is None or place in found or "]]" in name or isinstance(value, str):
            sound = False
        if place is not None and grade is not None:
            found[place] = grade
    return found, whole and sound


def _pairs(text: str, *, ended: bool) -> tuple[list[tuple[str, Any]], bool]:
    """The ids and grades of the last JSON object in a text, and whether it could be read as it stood.

    Of a text that did not end by itself the last number may be the beginning of a longer one.
    """
    fenced = _FENCED.findall(text)
    body = (fenced[-1] if fenced else text).strip()
    body = body[max(body.rfind("{"), 0) :]
    end = body.find("}")
    try:
        read = json.loads(body if end < 0 else body[: end + 1], object_pairs_hook=list)
        if isinstance(read, list) and all(isinstance(pair, tuple) for pair in read):
            return read, True
    except (ValueError, RecursionError):
        pass
    return [(f"[{name}]", float(value)) for name, value in _GRADE.findall(body + "}" * ended)], False


def _place(name: str, count: int) -> int | None:
    match = re.fullmatch(r"\s*\[?\s*(\d{1,6})\s*\]*\s*", name)
    place = int(match[1]) - 1 if match else -1
    return place if 0 <= place < count else None


def _number(value: object) -> float | None:
    if isinstance(value, str):
        value = float(value) if re.fullmatch(r"\s*\d{1,6}(\.\d{1,6})?\s*", value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or isinstance(value, Mapping):
        return None
    return float(value) if 0 <= value <= _TOP else None
