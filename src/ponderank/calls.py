"""What models are asked and what they answer: prompts, the kinds of call, replies. Frozen, slotted, standard library only.

``ponderank.types`` has these names too; import them from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Role = Literal["", "system", "user", "assistant"]
"""Whose turn of a chat a part belongs to; ``""`` in prompts without a chat template."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a result cost. Adds with ``+``; ``seconds`` is model time, summed over calls."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a prompt: ours (``trusted``) or a query's or document's (untrusted, may be hostile).

    Special tokens are parsed in trusted parts only. ``may_shorten`` marks what may be cut from its end to fit a context:
    documents, never a query. A prompt whose parts have roles is a chat; the backend puts it into the model's template,
    and an ``assistant`` part at the end is what the answer begins with.
    """

    text: str
    trusted: bool
    may_shorten: bool = False
    role: Role = ""


Prompt: TypeAlias = tuple[Part, ...]
"""Raw (no part has a role) or a chat (every part has one)."""


def text_of(prompt: Prompt) -> str:
    """The parts' texts, joined; of a chat each turn behind its role, for people to read.

    >>> text_of((Part("Query: ", True), Part("who", False)))
    'Query: who'
    """
    turns = [
        f"\n<{part.role}>\n" * (part.role != "" and (not at or prompt[at - 1].role != part.role)) + part.text
        for at, part in enumerate(prompt)
    ]
    return "".join(turns).removeprefix("\n")


@dataclass(frozen=True, slots=True)
class Generate:
    """Continue ``prompt`` until a stop string, the model's own end, or ``max_tokens``.

    ``watch`` names labels whose log-probabilities are wanted where the stop string's last token was chosen: with the stop
    ``"</think> true"``, those of ``" true"`` and ``" false"`` right behind ``</think>``.

    With a ``temperature`` tokens are drawn; of the likeliest ``top_k`` only (0: of all), and of these from the fewest that together
    have ``top_p`` of the probability.
    """

    prompt: Prompt
    max_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int | None = None
    watch: tuple[str, ...] = ()
    top_p: float = 1.0
    top_k: int = 0


@dataclass(frozen=True, slots=True)
class Choose:
    """Log-probability of each label as the continuation of ``prompt``, over all tokens of a label; prefill only.

    ``scale`` ``"logit"`` asks for the first token's unnormalised logits instead (RankT5, bge-reranker-v2-gemma), which
    only a model in the same process can give.
    """

    prompt: Prompt
    labels: tuple[str, ...]
    scale: Literal["logprob", "logit"] = "logprob"


@dataclass(frozen=True, slots=True)
class Classify:
    """Cross-encoder logits of one query–text pair; ``level`` 0 runs every layer, ``l`` stops at the l-th exit from the end.

    ``other`` is a second text, for models that read a query and two texts as three segments (duoBERT).
    """

    query: str
    text: str
    level: int = 0
    other: str = ""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Summed log-probability of ``target`` after ``prompt``."""

    prompt: Prompt
    target: str


@dataclass(frozen=True, slots=True)
class Fused:
    """A text decoded over the encodings of several prompts, each read alone (Fusion-in-Decoder: ListT5)."""

    prompts: tuple[Prompt, ...]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Attend:
    """Attention that the tokens from part ``since`` to the prompt's end pay to the tokens of each of ``parts``; prefill only.

    A vector for each of ``parts``: for each of its tokens the mean over the paying tokens of the sum over heads and layers.
    """

    prompt: Prompt
    parts: tuple[int, ...]
    since: int


@dataclass(frozen=True, slots=True)
class Embed:
    """The model's last hidden states, pooled: one vector, or one a token with ``pool`` ``"tokens"``.

    ``pool``: ``"last"``, ``"first"`` or ``"mean"`` token. Vectors have length 1.
    """

    prompt: Prompt
    pool: Literal["last", "first", "mean", "tokens"] = "last"


Call: TypeAlias = Generate | Choose | Classify | Likelihood | Fused | Attend | Embed


@dataclass(frozen=True, slots=True)
class Reply:
    """A backend's answer to one call.

    ``text``: what was generated, without the stop string; ``stop``: that string, where the backend can tell.
    ``scores``: ``Classify`` → the head's logits, one (relevance) or two (not relevant, relevant); ``Choose`` → a
    log-probability per label; a watched ``Generate`` that ended at a stop string → the same, or empty where the backend
    could not tell them all.
    ``finish``: ``"stop"`` (ended by itself), ``"end"`` (the same, and known to be the model's own end, not a stop string),
    ``"length"``, ``"truncated"`` (the document was shortened to fit), ``"refused"``, or a server's own word; and, never kept
    in a cache, ``"interrupted"`` (by a deadline), ``"late"`` (nobody answered in time), ``"failed"`` (only nonsense came back).
    ``cut_tokens``: tokens of documents that were cut to fit the context. ``estimate``: how the scores were estimated where
    the server could not give them; empty if they are exact.
    ``vectors``: what ``Attend`` and ``Embed`` give. ``spans``: of ``Embed`` by token, each one's ``[start, end)`` in code points
    of the prompt's joined text; empty for tokens that are not in it.
    """

    text: str = ""
    finish: str = "stop"
    scores: tuple[float, ...] = ()
    usage: Usage = Usage()
    stop: str = ""
    cut_tokens: int = 0
    estimate: str = ""
    vectors: tuple[tuple[float, ...], ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
