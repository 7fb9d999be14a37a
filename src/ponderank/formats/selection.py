"""A prompt that has a model pick the best of the documents shown: TourRank's, one stage of a tournament."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.choices import doc_part, query_part, thought_in
from ponderank.formats.parts import filled, ours
from ponderank.formats.reading import flaw_of, settled
from ponderank.formats.thoughts import was_cut
from ponderank.types import Call, Doc, Generate, Judgement, Part, Prompt, Query, Reply, text_of

_SYSTEM = (
    "You are an intelligent assistant that can compare multiple documents based on their relevancy to the given query."
)
_FIRST = (
    "I will provide you with the given query and {count} documents. \nConsider the content of all the documents comprehensively "
    "and select the {select} documents that are most relevant to the given query: {query}."
)
_READY = "Okay, please provide the documents."
_LAST = (
    "The Query is: {query}.\nNow, you must output the top {select} documents that are most relevant to the Query using the "
    "following format strictly, and nothing else. Don't output any explanation, just the following format:\n"
    "Document 3, ..., Document 1"
)
_ITEM = re.compile(r"\bdocument[ :#*\[]{0,4}(\d{1,6})", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s\d,;>.…*()\[\]-]*")
"""What may stand between the items of a list, numbers of its own included."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Pick the most relevant of the documents shown; the one named first scores highest, those not named 0.

    Args:
        select: how many are to be picked; None asks for half of those shown, rounded down, and at least one.
        max_tokens: the longest answer, thoughts included.
        widest: the most documents to be shown at once; theirs were twenty.

    The scores of those picked fall by one from the number asked for, so that a stage that wants fewer takes the first named; one
    that wants more fills up in first-stage order.

    Source: TourRank (arXiv 2406.11678), ``TourRank_multiprocessing.py`` (``get_prefix_role_prompt``, ``get_post_role_prompt``,
    ``get_top_M``; stages 20 to 10, 10 to 4, 20 to 10, 10 to 5, 5 to 2).
    Differs: with ``select`` None the stage of 10 to 4 asks for 5. There an item that is no number stands for the first document
    not named, more than asked for all win, the first sentence counts only, and sampling is at the server's default; here
    they are left out, the surplus is left out, and both are told (flaw ``incomplete``). Texts are shown whole.

    >>> form = Selection(select=1)
    >>> dialogue = form.judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> call, = next(dialogue)
    >>> [part.text for part in call.prompt if part.role == "assistant"]
    ['Okay, please provide the documents.', 'Received Document 1.', 'Received Document 2.']
    """

    select: int | None = None
    max_tokens: int = 2048
    widest: int = 100

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.select is not None and self.select < 1) or self.max_tokens < 1 or self.widest < 2:
            raise ValueError(
                f"select {self.select}, max_tokens {self.max_tokens}, widest {self.widest}: need 1 or more or None, 1 or more, 2 or more"
            )

    def wanted(self, count: int) -> int:
        """How many of ``count`` documents are asked for.

        >>> Selection().wanted(20), Selection().wanted(5), Selection(select=4).wanted(3)
        (10, 2, 3)
        """
        return max(1, min(count, count // 2 if self.select is None else self.select))

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """A chat with a turn for each document."""
        asked, select = {"query": query_part(query).text}, str(self.wanted(len(docs)))
        first = _FIRST.replace("{count}", str(len(docs))).replace("{select}", select)
        parts: list[Part] = [*filled(first, asked, role="user"), ours(_READY, "assistant")]
        for at, doc in enumerate(docs):
            parts += [ours(f"Document {at + 1}: ", "user"), doc_part(doc, "user")]
            parts.append(ours(f"Received Document {at + 1}.", "assistant"))
        return (ours(_SYSTEM, "system"), *parts, *filled(_LAST.replace("{select}", select), asked, role="user"))

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call; none where there is but one document."""
        count = len(docs)
        if count < 2:
            return Judgement((0.0,) * count)
        prompt, wanted = self.prompt(query, docs), self.wanted(count)
        (reply,) = yield [Generate(prompt, self.max_tokens)]
        picked, whole = picked_in(reply, count)
        whole, picked = whole and len(picked) == wanted, picked[:wanted]
        scores = [0.0] * count
        for rank, place in enumerate(picked):
            scores[place] = float(wanted - rank)
        return Judgement(
            tuple(scores),
            reasoning=thought_in(reply.text),
            flaw=flaw_of([reply], forced=not whole, unread=not picked),
            prompt=text_of(prompt),
            verdict=", ".join(f"Document {place + 1}" for place in picked),
        )

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the best documents, best first, as the completion."""
        best = sorted(range(len(docs)), key=lambda at: -judgement.scores[at])[: self.wanted(len(docs))]
        return text_of(self.prompt(query, docs)), ", ".join(f"Document {at + 1}" for at in best)


def picked_in(reply: Reply, count: int) -> tuple[list[int], bool]:
    """The places that a reply names, in its order, and whether it is a list of documents shown and nothing else.

    Of several lines the last ones that are lists count; without any, the last line that names a document.

    >>> picked_in(Reply("Document 3, Document 1"), 3), picked_in(Reply("The best:\\nDocument 2\\nDocument 9"), 3)
    (([2, 0], True), ([1], False))
    """
    answer = settled(reply.text, cut=was_cut(reply))
    lines = [line for line in (answer or "").splitlines() if line.strip()]
    at = next((i for i in range(len(lines) - 1, -1, -1) if _ITEM.search(lines[i])), -1)
    if at < 0:
        return [], False
    start = at
    while start > 0 and _is_list(lines[start]) and _is_list(lines[start - 1]):
        start -= 1
    told = [int(found) - 1 for line in lines[start : at + 1] for found in _ITEM.findall(line)]
    shown = [place for place in dict.fromkeys(told) if 0 <= place < count]
    return shown, shown == told and len(lines) == at + 1 - start and _is_list(lines[at])


def _is_list(line: str) -> bool:
    rest, items = _ITEM.subn("", line)
    return items > 0 and _BETWEEN.fullmatch(rest) is not None
