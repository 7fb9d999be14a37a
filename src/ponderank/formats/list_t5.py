"""ListT5: five passages, each encoded alone, and one decoder that writes their numbers from the least relevant to the most."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.formats.parts import ours
from ponderank.formats.reading import flaw_of
from ponderank.types import Call, Doc, Flaw, Fused, Judgement, Part, Prompt, Query, text_of

_NUMBER = re.compile(r"(?<![\w.-])\d{1,3}(?![\w.])", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListT5:
    """Rank up to five passages by the order in which the decoder names them.

    Fewer than ``size`` passages are shown more than once, since the model was trained on five prompts. What the decoder writes
    is read from its end, where the most relevant stand: the last mention of a number counts, numbers that were not shown do not,
    and passages not named are last, in the order shown.

    Args:
        size: most passages, and prompts a call.

    Source: ListT5 (arXiv 2402.15838), ``run_listt5.py`` (``make_listwise_text``, ``get_rel_index``, ``get_full_order_in_one_loop``
    for fewer than five; ``max_gen_length`` of 7 with the start and the end).
    Differs: what cannot be read leaves the passages in their order (flaw ``unparsed``); there it makes the first one the best, the
    number 0 the last passage, and a number above five ends the run with an error. Repairs are flawed as ``incomplete``. The
    context of a prompt is the backend's (512 tokens by default); theirs is 256, 512 or 1,024 by collection. An instruction goes
    behind the query.

    >>> dialogue = ListT5().judge(Query("q", "who"), [Doc("a", "me", "It"), Doc("b", "you")], None)
    >>> [text_of(prompt) for prompt in next(dialogue)[0].prompts][2:4]
    ['Query: who, Index: 3, Context: It me', 'Query: who, Index: 4, Context: you']
    """

    size: int = 5

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Fused}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.size < 2:
            raise ValueError(f"size {self.size}; give 2 or more")

    @property
    def widest(self) -> int:
        """Most passages in a call."""
        return self.size

    def prompts(self, query: Query, docs: Sequence[Doc]) -> tuple[Prompt, ...]:
        """What the encoder reads, one prompt a passage."""
        question = Part(asked(query), trusted=False)
        return tuple(
            (
                ours("Query: "),
                question,
                ours(f", Index: {at + 1}, Context: "),
                Part(f"{doc.title} {doc.text}".strip(), trusted=False, may_shorten=True),
            )
            for at, doc in enumerate(docs)
        )

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call; none for a passage alone."""
        n = len(docs)
        if n < 2:
            return Judgement((1.0,) * n)
        shown = filled_up(n, self.size)
        prompts = self.prompts(query, [docs[at] for at in shown])
        (reply,) = yield [Fused(prompts, self.size + 1)]  # a token a number, and the end
        named, whole = order(reply.text, len(shown))
        places = list(dict.fromkeys(shown[at] for at in named))  # best first
        flaw: Flaw | None = flaw_of([reply], unread=not places, forced=not whole)
        return Judgement(
            scores(places, n), flaw=flaw, prompt="\n".join(map(text_of, prompts)), verdict=" ".join(reply.text.split())
        )


def filled_up(n: int, size: int) -> list[int]:
    """Which of ``n`` passages stand in each of ``size`` prompts: the first ones once more often, in order.

    >>> filled_up(3, 5), filled_up(5, 5)
    ([0, 0, 1, 1, 2], [0, 1, 2, 3, 4])
    """
    return sorted(at % n for at in range(max(size, n)))


def order(text: str, n: int) -> tuple[list[int], bool]:
    """The places (from 0) that a text names, most relevant first, and whether it names each of ``n`` once and nothing else.

    >>> order("3 1 4 2 5", 5), order("2 2 9", 2)
    (([4, 1, 3, 0, 2], True), ([1], False))
    """
    numbers = [int(found) for found in _NUMBER.findall(text)]
    named = list(dict.fromkeys(number - 1 for number in reversed(numbers) if 1 <= number <= n))
    bare = all(piece.isdigit() for piece in text.split())
    return named, bare and len(numbers) == len(named) == n


def scores(places: Sequence[int], n: int) -> tuple[float, ...]:
    """A score a passage from places best first: ``n`` for the best; those not named last in their order; 0 for all if none is.

    >>> scores([2, 0], 4), scores([], 2)
    ((3.0, 2.0, 4.0, 1.0), (0.0, 0.0))
    """
    if not places:
        return (0.0,) * n
    ranked = [*places, *(at for at in range(n) if at not in places)]
    return tuple(float(n - ranked.index(at)) for at in range(n))
