"""JointRank's prompt: a block of snippets, of which the relevant ones are named in order, the others left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.choices import doc_part, query_part, thought_in
from ponderank.formats.parts import filled, ours
from ponderank.formats.reading import flaw_of, settled
from ponderank.types import Call, Doc, Generate, Judgement, Part, Prompt, Query, text_of

NONE = "NO_RELEVANT_SNIPPETS_FOUND"
_BEFORE = """\
Given a query and a documents, you must rank documents by relevance to the query.

Here is a cheatsheet for the different categories of relevance:

- document is dedicated to the query and contains the exact answer, directly and comprehensively addressing it with clear and \
explicit information.
- document answers the query but may be indirect, incomplete, or requires some inference; relevant information might be mixed \
with extraneous details.
- document seems related to the query but does not answer it.
- document has nothing to do with the query.

Your input is:

QUERY: {query}
DOCUMENTS:

"""
_AFTER = """\


[INSTRUCTIONS]
Split this task into steps:
1. **Understand the Intent (I):** Consider the underlying intent the search, such as solving a specific problem, or answering a \
question.
2. **Evaluate Match (M):** Measure how well the snippet content matches the likely intent of the query.
   - Keep in mind that you are shown the snippet from the document, which may be incomplete, truncated or include auxiliary text \
not directly related to the main query.
   - Consider synonyms, paraphrases, and implicit information that may not directly match the query's wording but still provide \
relevant answers.
   - Focus on the overall context and meaning of the document. Evaluate whether the document addresses the intent of the query \
in a meaningful way, beyond mere keyword matching.
3. **Determine the Final Position (P):** Having relevance for each snippet established, find best order of snippets, from most \
relevant to least relevant.
   - If uncertain, revisit the intent and matching steps to ensure your assessment is accurate.
IMPORTANT: You MUST output ONLY the indices of snippets separated by space, in order of relevance. Do not include any \
explanations, reasoning, or additional text in your output.
Do not include irrelevant snippets.
In case when there are no relevant snippets found, answer only with "NO_RELEVANT_SNIPPETS_FOUND", without mentioning any ids
[/INSTRUCTIONS]
All snippet ids: {ids}
The order of snippets is:"""
_LIST = re.compile(r"[\[(]?\d{1,6}[\])]?(?:[\s,;>]{1,4}[\[(]?\d{1,6}[\])]?){0,2000}")


@dataclass(frozen=True, slots=True)
class Snippets:
    """Have the relevant ones of up to ``widest`` snippets named in order; those left out are all alike below them.

    Args:
        max_tokens: the longest answer, thoughts included; 0 is what the answer alone takes.
        widest: the most snippets in one prompt.

    Source: JointRank (arXiv 2506.22262), V3RGANz/jointrank ``model/joint/listwise.py`` (prompt; irrelevant ones are left out).
    Differs: there every digit of the text is an id, one left out ranks by its place in the block, and an answer that cannot be
    read is asked for three times; here the answer's last line counts if it is a list and nothing else, those left out are
    tied, and what cannot be read is ``unparsed``.

    >>> dialogue = Snippets().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> (call,) = next(dialogue)
    >>> "Snippet 1\\n```me```\\n\\nSnippet 2\\n```you```\\n\\n[INSTR" in text_of(call.prompt)
    True
    """

    max_tokens: int = 0
    widest: int = 20

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_tokens < 0 or self.widest < 1:
            raise ValueError(f"max_tokens {self.max_tokens}, widest {self.widest}: need 0 or more, 1 or more")

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """One user's turn."""
        parts: list[Part] = [*filled(_BEFORE, {"query": query_part(query).text}, role="user")]
        for at, doc in enumerate(docs):
            parts += [ours("```\n\n" * (at > 0) + f"Snippet {at + 1}\n```", "user"), doc_part(doc, "user")]
        names = " ".join(str(at + 1) for at in range(len(docs)))
        return (*parts, ours("```" * bool(docs) + _AFTER.replace("{ids}", names), "user"))

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call; none where there is but one document."""
        count = len(docs)
        if count < 2:
            return Judgement((0.0,) * count)
        prompt = self.prompt(query, docs)
        (reply,) = yield [Generate(prompt, self.max_tokens or 16 + 4 * count)]
        answer = settled(reply.text)
        found = None if answer is None else named_in(answer, count)
        order, whole = found if found else ([], True)
        cut = reply.finish in ("length", "interrupted")
        return Judgement(
            tuple(float(count - order.index(at)) if at in order else 0.0 for at in range(count)),
            reasoning=thought_in(reply.text),
            flaw=flaw_of([reply], forced=cut or not whole, unread=found is None),
            prompt=text_of(prompt),
            verdict=(answer or "").strip() if found else "",
        )

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the places of those with a score above 0, best first, as the completion."""
        scores = judgement.scores
        order = sorted((at for at in range(len(docs)) if scores[at] > 0), key=lambda at: -scores[at])
        return text_of(self.prompt(query, docs)), " ".join(str(at + 1) for at in order) or NONE


def named_in(answer: str, count: int) -> tuple[list[int], bool] | None:
    """The places (from 0) that an answer names, best first, and whether it is as asked for; None where it says nothing.

    >>> named_in("3 1", 3), named_in("The order:\\n3, 3, 9", 3), named_in(NONE, 3), named_in("Snippet 2 is good", 3)
    (([2, 0], True), ([2], False), ([], True), None)
    """
    lines = [line.strip(" \t*`\"'.") for line in answer.splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return None
    if lines[-1].upper() == NONE:
        return [], len(lines) == 1
    if not _LIST.fullmatch(lines[-1]):
        return None
    told = [int(found) - 1 for found in re.findall(r"\d+", lines[-1])]
    order = [place for place in dict.fromkeys(told) if 0 <= place < count]
    return (order, order == told and len(lines) == 1) if order else None
