"""Rerankers that are asked a closed question: one prompt, and the next token's label is the verdict. No thought."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.errors import RecipeError
from ponderank.formats.parts import filled, values_of
from ponderank.formats.reading import flaw_of, log_odds, probability
from ponderank.types import Call, Choose, Doc, Judgement, Prompt, Query, Reply, text_of

_INSTRUCTED = "{instructed}"


@dataclass(frozen=True, slots=True)
class YesNo:
    """Judge by the label that would come next behind a fixed template.

    Args:
        template: the prompt with ``{query}``, ``{document}`` (title and text; or ``{title}``, ``{text}``), maybe
            ``{instruction}``, and ``{instructed}`` where something stands only if there is an instruction.
        labels: relevant and not relevant; or one label, whose own value is the score.
        instructed: what stands for ``{instructed}`` where the query has an instruction.
        instruction: what stands for ``{instruction}`` where the query has none.
        scale: ``"logit"`` reads the labels' first tokens before the softmax; only a model in this process can tell.
        score: ``"odds"``, ``log P(first) - log P(second)``, or ``"logprob"``, ``log P(first)`` of the two alone. Both order
            alike and neither saturates. One label: its value.
        has_prob: False where the score is no statement about one document (a listwise trained logit).

    ``{instruction}`` and ``{query}`` are never cut, nor is the template; only the document's end is.

    >>> form = YesNo("Query: {query} Document: {document} Relevant:", ("true", "false"))
    >>> dialogue = form.judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> text_of(next(dialogue)[0].prompt)
    'Query: who Document: me Relevant:'
    """

    template: str
    labels: tuple[str, ...]
    instructed: str = ""
    instruction: str = ""
    scale: Literal["logprob", "logit"] = "logprob"
    score: Literal["odds", "logprob"] = "odds"
    has_prob: bool = True

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Choose}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.labels) not in (1, 2):
            raise ValueError(f"{len(self.labels)} labels; give one, or two (relevant, not relevant)")
        if len(self.labels) == 1 and self.scale != "logit":
            raise ValueError("one label alone is scored by its logit; give scale='logit', or two labels")
        if self.score not in ("odds", "logprob") or self.scale not in ("logprob", "logit"):
            raise ValueError(
                f"score {self.score!r}, scale {self.scale!r}: need 'odds' or 'logprob', 'logprob' or 'logit'"
            )
        if "{query}" not in self.template or not any(name in self.template for name in ("{document}", "{text}")):
            raise ValueError("the template names no {query} or no {document} (or {text}); give it both")

    def prompt(self, query: Query, doc: Doc) -> Prompt:
        """What the model reads."""
        given = query.instruction != "" and query.instruction != query.text
        template = self.template.replace(_INSTRUCTED, self.instructed if given else "")
        values = values_of(query, doc)
        values["instruction"] = query.instruction if given else self.instruction
        return filled(template, values, shorten="document" if "{document}" in template else "text")

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, one call."""
        prompt = self.prompt(query, docs[0])
        (reply,) = yield [Choose(prompt, self.labels, self.scale)]
        value = self._value(reply)
        odds = reply.scores[0] if len(self.labels) == 1 and reply.scores else log_odds(reply.scores)
        unread = math.isnan(value)
        prob = probability(odds) if self.has_prob and not unread else None
        return Judgement(
            (value,),
            None if prob is None else (prob,),
            flaw=flaw_of([reply], unread=unread),
            prompt=text_of(prompt),
            verdict="" if unread or len(self.labels) == 1 else self.labels[odds < 0].strip(),
            estimate=reply.estimate,
        )

    def _value(self, reply: Reply) -> float:
        if len(reply.scores) != len(self.labels):
            return math.nan
        if len(self.labels) == 1:
            return reply.scores[0] if math.isfinite(reply.scores[0]) else math.nan
        odds = log_odds(reply.scores)
        return odds if self.score == "odds" or math.isnan(odds) else _log_sigmoid(odds)

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the label as the completion.

        Raises:
            RecipeError: the format has one label only, which says nothing of a document that is not relevant.
        """
        if len(self.labels) == 1:
            raise RecipeError(
                f"a format with the one label {self.labels[0]!r} is trained by ranking its logit, not by text; use two labels"
            )
        relevant = judgement.scores[0] > (0.0 if self.score == "odds" else -math.log(2))
        return text_of(self.prompt(query, docs[0])), self.labels[not relevant]


def _log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))


_MONO = "Query: {query}{instructed} Document: {document} Relevant:"
_BEHIND = " {instruction}"

MONOT5 = YesNo(_MONO, ("true", "false"), _BEHIND, score="logprob")
"""monoT5: ``log P(true)`` of the two words at the decoder's first step.

Source: arXiv 2003.06713; pygaggle ``rerank/transformer.py`` (``MonoT5``, ``prediction_tokens``: ``▁true``, ``▁false``) and
``model/tokenize.py`` (template). An instruction goes behind the query as in FollowIR's ``reranker_models.py``.
Differs: pygaggle, FollowIR and rank_llm cut a long prompt at its right end and lose ``Relevant:``; here the document is cut.
rank_llm's template ends with a space more and its probability saturates (``math.exp`` of raw logits, which can overflow).
"""

MT5_YES = YesNo(_MONO, ("yes", "no"), _BEHIND, score="logprob")
"""mT5 trained on mMARCO or translated MS MARCO by unicamp-dl. Source: pygaggle ``prediction_tokens`` (``▁yes``, ``▁no``)."""

MT5_TRUE = YesNo(_MONO, ("true", "false"), _BEHIND, scale="logit", score="logprob")
"""mT5-3B and mT5-13B on mMARCO: ``▁true`` against ``▁``, the first of the tokens of ``false``.

Source: pygaggle ``prediction_tokens``. Differs: nothing; the first tokens' logits give the same two-way softmax.
"""

PTT5 = YesNo(_MONO, ("sim", "não"), _BEHIND, score="logprob")
"""Portuguese T5 by unicamp-dl. Source: pygaggle ``prediction_tokens`` (``▁sim``, ``▁não``)."""

RANKT5 = YesNo(
    "Query: {query}{instructed} Document: {document}", ("<extra_id_10>",), _BEHIND, scale="logit", has_prob=False
)
"""RankT5: the logit of ``<extra_id_10>`` at the decoder's first step.

Source: arXiv 2210.10634; the template as in rax's ``examples/t5x/tasks.py``; token 32089 as in lightning-ir. Differs: the
original reads no end token behind the prompt (``add_eos=False`` there); the checkpoints converted for transformers are run
with the tokenizer's ``</s>``, as here.
"""

_QWEN3_JUDGE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
    "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}"
    "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)

QWEN3_RERANKER = YesNo(
    _QWEN3_JUDGE,
    ("yes", "no"),
    instruction="Given a web search query, retrieve relevant passages that answer the query",
)
"""Qwen3-Reranker.

Source: arXiv 2506.05176; Qwen3-Embedding ``README.md`` (transformers usage) and ``examples/qwen3_reranker_transformers.py``.
Differs: log-odds in place of their sigmoid. The README's default instruction; the example's own is "Given the user query,
retrieval the relevant passages". Its vLLM example puts empty lines between the fields and doubles ``<|im_end|>``, and gives
a label outside the top 20 the log-probability -10; not followed.
"""

FOLLOWIR = YesNo(
    "<s> [INST] You are an expert Google searcher, whose job is to determine if the following document is relevant to the "
    "query (true/false). Answer using only one word, one of those two choices.\n\n"
    "Query: {query}{instructed}\nDocument: {document}\n"
    'Relevant (only output one word, either "true" or "false"): [/INST] ',
    ("true", "false"),
    _BEHIND,
)
"""FollowIR-7B: its vocabulary's ``true`` and ``false`` behind the closing space, without a word mark.

Source: arXiv 2403.15246; FollowIR ``models/rerankers/reranker_models.py`` (``FollowIRReranker``). The tokenizer puts a ``<s>``
of its own before the template's, there and here. Differs: log-odds in place of the probability; there 2,048 tokens are kept of
the whole prompt, so that a long document loses the question behind it; here only the document is cut.
"""

MXBAI_RERANK_V2 = YesNo(
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    "{instructed}query: {query}\ndocument: {document}\n"
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document pair, "
    "carefully analyze the semantic relationship between them, then provide your binary relevance judgment (0 for not "
    "relevant, 1 for relevant).\nRelevance:<|im_end|>\n<|im_start|>assistant\n",
    ("1", "0"),
    "instruction: {instruction}\n",
)
"""mxbai-rerank-v2: ``logit(1) - logit(0)``.

Source: mxbai-rerank ``mxbai_rerank_v2.py``. Differs: pieces of the prompt are tokenised together, not one by one; a query is not
cut; their optional division by an estimated greatest score is left out, as it changes no order.
"""

BGE_GEMMA = YesNo(
    "A: {query}{instructed}\nB: {document}\nGiven a query A and a passage B, determine whether the passage contains an answer "
    "to the query by providing a prediction of either 'Yes' or 'No'.",
    ("Yes",),
    _BEHIND,
    scale="logit",
)
"""bge-reranker-v2-gemma: the logit of ``Yes`` alone; ``prob`` is its sigmoid, as with their ``normalize=True``.

Source: FlagEmbedding ``inference/reranker/decoder_only/base.py``. Differs: pieces of the prompt are tokenised together, not one
by one; an instruction, which theirs has no place for, goes behind the query.
"""
