"""The prompts of listwise rerankers, word for word, and how passages are put into them.

Sources, with the commits that were read: sunnweiwei/RankGPT 0d62bc3 (``rank_gpt.py``); castorini/rank_llm 1b3cabb
(``prompt_templates/*.yaml``) and its release 8c1c2ed (``rank_listwise_os_llm.py``); 8421BCD/fullrank 3a53270 and
8421BCD/ReasonRank 06721fd (``utils.py``); gangiswag/llm-reranker 2d7cba4; hltcoe/rank-k ecdf232 (``rerank.py``);
DataScienceUIBK/DeAR-Reranking c31c739 (``listwise_rerank/prompts.py``). Differs, for all: ``[12]`` in a query is rewritten too,
so that it is not taken for a passage's id; texts are not repaired with ftfy (curly quotes, ligatures, broken encodings stay);
a prompt that is too long loses tokens of its longest passages, not the same number of words of every one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ponderank.contracts import Tokenizer
from ponderank.errors import RecipeError
from ponderank.formats.classify import asked
from ponderank.formats.parts import filled, ours
from ponderank.types import Doc, Part, Prompt, Query, Role

NUMBERS = re.compile(r"\[(\d+)\]")
LETTERS = re.compile(r"\[([A-Za-z]+)\]")
BOTH = re.compile(r"\[(\d+|[A-Za-z])\]")


@dataclass(frozen=True, slots=True)
class Listing:
    """A prompt for a list: what stands before the passages, each passage, and after; all but the first in the user's turn.

    ``replies``: where each passage is a turn of its own, what the model is made to have said to the ``first`` of the user's
    turns and to each passage; empty where there is one turn for all. ``rewrites``: what in passages must not look like an id.
    """

    system: str
    first: str
    last: str
    replies: tuple[str, str] | None = None
    letters: bool = False
    rewrites: re.Pattern[str] = NUMBERS


_RANK_LLM = "You are RankLLM, an intelligent assistant that can rank passages based on their relevancy to the query"
_ASK = (
    "I will provide you with {{num}} passages, each indicated by {kind} identifier []. Rank the passages based on their relevance "
    "to the search query: {{query}}.\n"
)
_END = (
    "Search Query: {{query}}.\nRank the {{num}} passages above based on their relevance to the search query. All the passages "
    "should be included and listed using identifiers, in descending order of relevance. The {form} should be [] > [], e.g., "
    "{example}{rest}"
)
_CONCISE = ", Answer concisely and directly and only respond with the ranking results, do not say any word or explain."
_ONLY = "nly respond with the ranking results, do not say any word or explain."
_NUMERICAL = _ASK.format(kind="a numerical")
_BLANK = _NUMERICAL + "\n"
_OUTPUT = "output format"

_GPT = "I will provide you with {num} passages, each indicated by number identifier []."
_GPT_RANK = "Rank the passages based on their relevance to query: {query}."
_GPT_TURNS = ("Okay, please provide the passages.", "Received passage [{id}].")

_CODER = "You are CodeRanker, an intelligent code reviewer that can analyze {reads} and rank {ranks} based on their relevance to {to}."
_SNIPPETS = (
    "I will provide you with {num} code snippets, each indicated by a numerical identifier []. Rank the code snippets based on "
    "their relevance to the functionality described by the "
)
_FUNCTIONS = (
    "I will provide you with {num} code functions, each indicated by a numerical identifier []. Rank the code functions based on "
    "their relevance to contain the faults causing the GitHub issue: "
)
_CODE_END = (
    " included and listed using identifiers, in descending order of relevance. The output format should be [] > [], e.g., "
    "[2] > [1]. Only respond with the ranking results, do not say any word or explain."
)

LISTINGS: dict[str, Listing] = {
    "rankgpt": Listing(
        "You are RankGPT, an intelligent assistant that can rank passages based on their relevancy to the query.",
        f"{_GPT} \n{_GPT_RANK}",
        "Search Query: {query}. \nRank the {num} passages above based on their relevance to the search query. The passages should "
        "be listed in descending order using identifiers. The most relevant passages should be listed first. The output format "
        "should be [] > [], e.g., [1] > [2]. Only response the ranking results, do not say any word or explain.",
        _GPT_TURNS,
    ),
    "dear": Listing(
        "You are RankLLM, an assistant that ranks passages by relevance to the query.",
        f"{_GPT}\n{_GPT_RANK}",
        "Search Query: {query}.\nRank the {num} passages above based on their relevance to the search query. The passages should "
        "be listed in descending order using identifiers.\nPlease follow the steps below:\nStep 1. List the information "
        "requirements to answer the query.\nStep 2. For each requirement, find the passages containing that information.\nStep "
        "3. Rank passages that best cover clear and diverse information. Include all passages.\nOutput format strictly: [2] > "
        "[1] > [3] ... Only output the ranking using identifiers; no explanations.",
        _GPT_TURNS,
    ),
    "zephyr": Listing(_RANK_LLM, _NUMERICAL, _END.format(form=_OUTPUT, example="[2] > [1]", rest=_CONCISE)),
    "vicuna": Listing(_RANK_LLM + ".", _BLANK, _END.format(form=_OUTPUT, example="[4] > [2]", rest=f", O{_ONLY}")),
    "full": Listing(_RANK_LLM + ".", _BLANK, _END.format(form=_OUTPUT, example="[2] > [1]", rest=f", O{_ONLY}")),
    "zephyr-letters": Listing(
        _RANK_LLM,
        _ASK.format(kind="an alphabetical"),
        _END.format(form=_OUTPUT, example="[B] > [A]", rest=_CONCISE),
        letters=True,
        rewrites=BOTH,
    ),
    "first": Listing(
        _RANK_LLM,
        _ASK.format(kind="a alphabetical") + "\n",
        _END.format(form=_OUTPUT, example="[B] > [A]", rest=f", O{_ONLY}"),
        letters=True,
        rewrites=LETTERS,
    ),
    "code": Listing(
        _CODER.format(reads="doc strings", ranks="code snippets", to="the doc string"),
        _SNIPPETS + "following doc string: {query}.\n\n",
        "Doc String: {query}.\nRank the {num} code snippets above based on their relevance to the functionality described by the "
        "doc string. All the code snippets should be" + _CODE_END,
    ),
    "code-issue": Listing(
        _CODER.format(reads="GitHub issues", ranks="code functions", to="contain the faults causing the GitHub issue"),
        _FUNCTIONS + "{query}.\n\n",
        "GitHub Issue: {query}. \nRank the {num} code functions above based on their relevance to contain the faults causing the "
        "GitHub issue. All the code functions should be" + _CODE_END,
    ),
    "reason-rank": Listing(
        "You are RankLLM, an intelligent assistant that can rank passages based on their relevance to the query. Given a query "
        "and a passage list, you first thinks about the reasoning process in the mind and then provides the answer (i.e., the "
        "reranked passage list). The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> "
        "tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>.",
        _BLANK,
        _END.format(form="format of the answer", example="[2] > [1]", rest="."),
    ),
    "reason-rank-qwen3": Listing(
        "You are RankLLM, an intelligent assistant that can rank passages based on their relevance to the query.",
        _BLANK,
        _END.replace(
            "The {form}",
            "The final ranked list should be enclosed within <answer> </answer> tags, i.e., <answer> ranked list here </answer>. "
            "The {form}",
        ).format(form="format of ranked list", example="[2] > [1]", rest=f". O{_ONLY}"),
    ),
}
"""By name. ``zephyr`` and ``zephyr-letters`` are rank_llm's now; ``vicuna`` is that of its release. ``code`` and ``code-issue`` are
CodeRankLLM's, for doc strings and for issues."""

RANK_K = (
    "\nDetermine a ranking of the passages based on how relevant they are to the query. \nIf the query is a question, how "
    "relevant a passage is depends on how well it answers the question. \nIf not, try analyze the intent of the query and assess "
    "how well each passage satisfy the intent. \nThe query may have typos and passages may contain contradicting information. \n"
    "However, we do not get into fact-checking. We just rank the passages based on they relevancy to the query. \n\nSort them "
    "from the most relevant to the least. \nAnswer with the passage number using a format of `[3] > [2] > [4] = [1] > [5]`. \n"
    "Ties are acceptable if they are equally relevant. \nI need you to be accurate but overthinking it is unnecessary.\nOutput "
    "only the ordering without any other text.\n\nQuery: {query}\n\n"
)

AROUND = {
    "vicuna": "{system} USER: {user} ASSISTANT:",
    "mistral": "[INST] {system}\n{user} [/INST]",
}
"""What stands around a prompt for models whose folder has no chat template, as FastChat (``conversation.py``) writes it."""


def listing(name: str) -> Listing:
    """The prompt of that name.

    Raises:
        RecipeError: there is none.

    >>> listing("zephyr").letters
    False
    """
    if name not in LISTINGS:
        raise RecipeError(f"no prompt for lists is named {name!r}; known: {', '.join(LISTINGS)}")
    return LISTINGS[name]


def ids(n: int, *, letters: bool = False) -> list[str]:
    """What ``n`` passages are called.

    >>> ids(3), ids(2, letters=True)
    (['1', '2', '3'], ['A', 'B'])
    """
    return [chr(ord("A") + at) for at in range(n)] if letters else [str(at + 1) for at in range(n)]


def ideal(order: Sequence[str]) -> str:
    """An answer in the form that is asked for.

    >>> ideal(["2", "1"])
    '[2] > [1]'
    """
    return " > ".join(f"[{one}]" for one in order)


def answer_tokens(n: int, tokenizer: Tokenizer, *, letters: bool = False) -> int:
    """Tokens that the answer for ``n`` passages takes, with a few to spare; at least six a passage.

    The least is for tokenizers that are not known, of which words are counted in the place of tokens.
    """
    return max(tokenizer.count(ideal(ids(n, letters=letters))), 6 * n) + 8


def harmless(text: str, rewrites: re.Pattern[str] = NUMBERS) -> str:
    """A text in which nothing looks like a passage's id.

    >>> harmless("as shown in [12], [A]")
    'as shown in (12), [A]'
    """
    return rewrites.sub(r"(\1)", text)


def titled(doc: Doc) -> str:
    """A document's text behind its title, as Anserini's collections have it."""
    return (f"Title: {doc.title} Content: {doc.text}" if doc.title else doc.text).strip()


def first_words(text: str, words: int) -> str:
    """The first ``words`` words with single spaces between; all of them with 0.

    >>> first_words("a  b\\nc", 2)
    'a b'
    """
    return " ".join(text.split()[: words or None])


def first_tokens(text: str, tokens: int, tokenizer: Tokenizer | None) -> str:
    """The longest beginning of at most ``tokens`` tokens; the whole text with 0, or without a tokenizer.

    Found by halving, since a tokenizer tells no more than numbers. The published code cuts between two of the whole text's
    tokens, so that a last word may end a few characters apart.
    """
    if not tokens or tokenizer is None:
        return text
    fits, over = 0, min(8 * tokens, len(text))
    while tokenizer.count(text[:over]) <= tokens:
        if over == len(text):
            return text
        fits, over = over, min(2 * over, len(text))
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if tokenizer.count(text[:middle]) <= tokens else (fits, middle)
    return text[:fits]


def chat(form: Listing, query: Query, contents: Sequence[str]) -> Prompt:
    """A listing with a query and the passages' contents in it, in turns."""
    values = {"num": str(len(contents)), "query": harmless(asked(query), form.rewrites)}
    system = (ours(form.system, "system"),)
    first = _worded(form.first, values)
    last = _worded(form.last, values)
    passages = zip(ids(len(contents), letters=form.letters), contents, strict=True)
    if form.replies is None:
        return (*system, *first, *_passages(passages, form.rewrites, "\n"), *last)
    turns: list[Part] = [*system, *first, ours(form.replies[0], "assistant")]
    for one in passages:
        turns += [*_passages([one], form.rewrites, ""), ours(form.replies[1].replace("{id}", one[0]), "assistant")]
    return (*turns, *last)


def without_turns(prompt: Prompt, around: str) -> Prompt:
    """A prompt of a system's and a user's turn as one text, with ``around`` for what stands around them.

    >>> parts = without_turns((ours("S", "system"), ours("U", "user")), AROUND["vicuna"])
    >>> "".join(part.text for part in parts)
    'S USER: U ASSISTANT:'
    """
    before, _, rest = around.partition("{system}")
    between, _, after = rest.partition("{user}")
    turns = {
        role: [Part(part.text, part.trusted, part.may_shorten) for part in prompt if part.role == role]
        for role in ("system", "user")
    }
    parts = [ours(before), *turns["system"], ours(between), *turns["user"], ours(after)]
    return tuple(part for part in parts if part.text)


def _worded(template: str, values: dict[str, str]) -> Prompt:
    return filled(template.replace("{num}", values["num"]), values, role="user")


def _passages(
    passages: Iterator[tuple[str, str]] | Sequence[tuple[str, str]], rewrites: re.Pattern[str], end: str
) -> Prompt:
    role: Role = "user"
    parts = []
    for name, content in passages:
        text = harmless(content, rewrites)
        parts += [ours(f"[{name}] ", role), Part(text, trusted=False, may_shorten=True, role=role)]
        parts += [ours(end, role)] if end else []
    return tuple(parts)
