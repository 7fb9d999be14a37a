"""Rank1: the model thinks about one query and one passage, then says true or false."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.formats.parts import ours
from ponderank.formats.quotes import quoted
from ponderank.formats.rank1_prompts import query_template
from ponderank.formats.reading import cut_at_sentence, judged, thought_part
from ponderank.types import Call, Choose, Doc, Generate, Judgement, Part, Prompt, Query, Reply, text_of

LABELS = (" true", " false")
END = "</think>"
VERDICTS = tuple(END + label for label in LABELS)
HEAD = "Determine if the following passage is relevant to the query. Answer only with 'true' or 'false'.\nQuery: "


@dataclass(frozen=True, slots=True)
class Rank1:
    """Judge by a thought and its verdict; the score is ``log P(true) - log P(false)`` behind the thought.

    Args:
        max_tokens: the longest thought; one that is cut off is ended at its last whole sentence and its verdict forced.
        think: False asks for the verdict at once, behind an empty thought (the paper's ablation, section 3.7, for a model
            trained without thoughts; what adaptive thinking asks first).
        rethinks: how often the thought is gone on with after its verdict, behind ``Wait`` (budget forcing, section 3.6).
        dataset: the name of one of the authors' dataset prompts (``rank1_prompts``), which the query is put into.
        wording: ``"code"`` or ``"paper"`` where the two word a dataset prompt differently.
        level: 0 thinks, 1 does not; see ``at_level``.

    Source: Rank1 (arXiv 2502.18418), ``rank1.py``: prompt, stop strings, forced verdict and its score.
    Differs: a verdict counts only where it was given; the reference also scores whatever token it was cut off at, if
    true and false are among its twenty likeliest. Where it fails it gives .5; here such a passage is flawed and last. Its
    rethinking stops with an error; here it works as described. A thought that ends itself without a verdict gets it right
    there. Log-odds in place of the probability, which saturates.

    >>> dialogue = Rank1(max_tokens=9).judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> text_of(next(dialogue)[0].prompt)[-23:]
    'who\\nPassage: me\\n<think>'
    """

    max_tokens: int = 8192
    think: bool = True
    rethinks: int = 0
    dataset: str = ""
    wording: str = "code"
    level: int = 0

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Generate, Choose}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        query_template(self.dataset, self.wording)
        if self.max_tokens < 1 or self.rethinks < 0 or self.level not in (0, 1):
            raise ValueError(
                f"max_tokens {self.max_tokens}, rethinks {self.rethinks}, level {self.level}: need 1 or more, 0 or more, 0 or 1"
            )

    def at_level(self, level: int) -> Rank1:
        """Level 1 is the same without a thought."""
        return replace(self, level=level)

    def prompt(self, query: Query, doc: Doc) -> Prompt:
        """What the model reads before it thinks."""
        before, after = query_template(self.dataset, self.wording)
        return (
            ours(HEAD + before),
            Part(asked(query), trusted=False),
            ours(f"{after}\nPassage: "),
            Part(doc.full_text, trusted=False, may_shorten=True),
            ours("\n<think>"),
        )

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """A thought with its verdict; a second, short call where the verdict has to be asked for."""
        prompt = self.prompt(query, docs[0])
        if not self.think or self.level:
            (reply,) = yield [Choose(forced(prompt, ""), LABELS)]
            return judged(prompt, "", [reply], LABELS)
        thought, replies, is_forced = yield from self._thought(prompt)
        for _ in range(self.rethinks):
            if replies[-1].finish in ("late", "refused"):
                break
            again = (*prompt, Part(thought, trusted=False), ours("\nWait"))
            more, new, is_forced = yield from self._thought(again)
            thought, replies = f"{thought}\nWait{more}", [*replies, *new]
        found = judged(prompt, thought, replies, LABELS, forced=is_forced)
        return replace(found, evidence=quoted(thought, docs[0].text))

    def _thought(self, prompt: Prompt) -> Generator[list[Call], list[Reply], tuple[str, list[Reply], bool]]:
        """The thought, the replies (the last has the verdict), and whether the verdict was forced."""
        (reply,) = yield [Generate(prompt, self.max_tokens, stop=VERDICTS, watch=LABELS)]
        if reply.finish in ("late", "refused"):
            return reply.text, [reply], False
        if reply.stop in VERDICTS and len(reply.scores) == 2:
            return reply.text, [reply], False
        thought = thought_part(reply.text)
        if reply.finish == "stop" or thought != reply.text:  # it ended its thought: what is its verdict there?
            place = (*prompt, Part(thought, trusted=False), ours(END))
        else:
            place, thought = forced(prompt, thought), cut_at_sentence(thought)
        (verdict,) = yield [Choose(place, LABELS)]
        return thought, [reply, verdict], reply.finish != "stop"

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the thought with its verdict as the completion."""
        label = LABELS[0] if judgement.scores[0] > 0 else LABELS[1]
        if not self.think:
            return text_of(forced(self.prompt(query, docs[0]), "")), label
        return text_of(self.prompt(query, docs[0])), f"{judgement.reasoning}{END}{label}"


def forced(prompt: Prompt, thought: str) -> Prompt:
    """A prompt whose thought is ended at its last whole sentence, so that only the verdict is missing.

    Source: ``rank1.py``, ``_fix_incomplete_responses``. Differs: nothing.

    >>> text_of(forced((ours("<think>"),), " It is. Or is it"))
    '<think>\\nIt is.\\n</think>'
    """
    return (*prompt, ours("\n"), Part(cut_at_sentence(thought), trusted=False), ours(f"\n{END}"))
