"""Reading orders that language models wrote, ``[3] > [1] > [2]``: pure functions that end on any string.

An id counts in the form that the prompt asked for, within a run of ids that nothing but ``>``, commas, line ends and marks of
lists hold together; a passage named in a sentence is no rank. What had to be repaired is told, never hidden.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ponderank.formats.reading import flaw_of, tagged
from ponderank.types import Judgement, Prompt, Reply, text_of

Repair = Literal["missing", "repeated", "unknown", "form", "other"]
"""What was not as asked: ids left out, said again, or not shown; another form than the prompt's; a second, different order."""

_IDS = {
    False: re.compile(r"\[{1,2}[^\S\n]{0,4}(\d+)[^\S\n]{0,4}\]{1,2}"),
    True: re.compile(r"\[{1,2}[^\S\n]{0,4}([A-Z])[^\S\n]{0,4}\]{1,2}"),
}
_NOUN = r"(?:(?:passage|document|doc)s?\s?#?\s?)?"
_GAP = re.compile(
    rf"(?P<joint>>=|>{{1,3}}|≥|→|≻|&gt;|[,;|=]|,?\s?and)?\s?(?:\d{{1,3}}[.)]|[-•])?\s?{_NOUN}", re.IGNORECASE
)
_ABOVE = frozenset({">", ">>", ">>>", ">=", "≥", "→", "≻", "&gt;"})
_LONGEST_GAP = 48
_EMPHASIS = str.maketrans("*_`", "   ")
_BARE = {
    False: rf"{_NOUN}(?:\(\s?\d+\s?\)|\{{\s?\d+\s?\}}|\d+)",
    True: rf"{_NOUN}(?:[(\[{{]\s?[A-Za-z]\s?[)\]}}]|[A-Za-z](?![A-Za-z]))",
}
_ONE = {False: re.compile(r"\d+"), True: re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")}
_JOINT = r"(?:\s{0,8}(?:>{1,3}|→|≻|&gt;|[,;|=])\s{0,8}|\s{1,8})"
_ALL_BARE = {
    letters: re.compile(
        rf"(?:[A-Za-z ]{{0,40}}:\s{{0,8}})?(?:({token}(?:{_JOINT}{token})*)|\[\s?({token}(?:{_JOINT}{token})*)\s?\])\s?[>,;]?",
        re.IGNORECASE,
    )
    for letters, token in _BARE.items()
}
_LISTED = re.compile(r"^[\s*_`]{0,8}\d{1,3}[.)][\s*_`]{0,8}\[{1,2}\s?(\d+|[A-Z])\s?\]{1,2}", re.MULTILINE)
_CUT = re.compile(r"\[{1,2}\s?\w{0,3}")
_DRESSING = " \t\r\n*_`\"'.…"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it was written: ``groups`` of places (from 0) best first, those in one group tied; and what was repaired."""

    groups: tuple[tuple[int, ...], ...]
    repairs: frozenset[Repair] = frozenset()

    def whole(self, n: int) -> list[int]:
        """Every place of ``n``: those written, then the missing ones in the order they were shown.

        >>> Order(((2,), (0,))).whole(4)
        [2, 0, 1, 3]
        """
        written = [place for group in self.groups for place in group]
        return written + sorted(set(range(n)) - set(written))

    def scores(self, n: int) -> tuple[float, ...]:
        """A score a place: ``n`` for the best, one less for each better one; equal for tied ones.

        >>> Order(((2,), (0, 1))).scores(4)
        (3.0, 3.0, 4.0, 1.0)
        """
        scores, above = [0.0] * n, 0
        missing = [(place,) for place in self.whole(n)[sum(map(len, self.groups)) :]]
        for group in (*self.groups, *missing):
            for place in group:
                scores[place] = float(n - above)
            above += len(group)
        return tuple(scores)


@dataclass(frozen=True, slots=True)
class _Run:
    """Ids in a row: where they stand, and how each is joined to the one before."""

    start: int
    end: int
    ids: tuple[str, ...]
    joints: tuple[str, ...]
    bent: bool


def read_order(answer: str, n: int, *, letters: bool = False) -> Order | None:
    """The order of ``n`` passages that an answer gives; None where there is none.

    Ids out of range are dropped, the first of the same id wins. Of several orders the one with the most ids counts, of equals
    the last. Bare ids (``3 > 1``) count only where the answer is nothing else.

    Source: the repair rule of RankGPT (``rank_gpt.py``, ``receive_permutation``), which rank_llm and its descendants share.
    Differs: they take every digit of the text for an id, also in sentences, numbered lists and thoughts.

    >>> read_order("Sure, of the 3 passages: [3] > [1]", 3)
    Order(groups=((2,), (0,)), repairs=frozenset({'missing'}))
    >>> read_order("Passage [2] says nothing about it.", 3) is None
    True
    """
    return _read(answer, n, letters)


def read_tied(answer: str, n: int) -> Order | None:
    """The order in an answer's last line, with ties: ``[3] > [1] = [2]``; None where there is none.

    Source: Rank-K (``rerank.py``, ``parse_ranking_more``): the last line only; a repeated id ends the reading.
    Differs: there ``[0]`` and ``[-1]`` name passages from the end, marks around the line lose its first or last id, ids that are
    not shown leave gaps between ranks, and tied passages stay as they were written.

    >>> read_tied("The order:\\n`[3] > [1] = [2]`", 3)
    Order(groups=((2,), (0, 1)), repairs=frozenset())
    """
    lines = answer.rstrip().splitlines()
    return _read(lines[-1], n, letters=False, ties=True) if lines else None


def read_tagged(answer: str, n: int) -> Order | None:
    """The order between ``<answer>`` and ``</answer>``; of an answer without these marks, all of it is read.

    Source: ReasonRank (``listwise_prompt_r1.toml`` and ``rankllm.py``, ``_clean_response``). Differs: there a text without marks
    is read thought and all, digit by digit.

    >>> read_tagged("I choose <answer> [2] > [1] </answer>", 2)
    Order(groups=((1,), (0,)), repairs=frozenset())
    """
    inside = tagged(answer, "answer")
    return read_order(answer if inside is None else inside, n)


def order_judgement(
    order: Order | None, n: int, prompt: Prompt, replies: Sequence[Reply], *, forced: bool = False, thought: str = "",
    answer: str = "",
) -> Judgement:  # fmt: skip
    """The judgement that an order is: a score a place; all equal, and flawed, where none could be read."""
    return Judgement(
        (0.0,) * n if order is None else order.scores(n),
        reasoning=thought,
        flaw=flaw_of(replies, forced=forced or bool(order and order.repairs), unread=order is None),
        prompt=text_of(prompt),
        verdict=answer.strip(),
    )


def _read(text: str, n: int, letters: bool, ties: bool = False) -> Order | None:
    """The order in a text; where its characters are not plain (``［１］``, ``①``) as if they were, which is a repair."""
    plain = unicodedata.normalize("NFKC", text)
    found = _plain(plain, n, letters, ties)
    if found is None or plain == text:
        return found
    as_is = _plain(text, n, letters, ties)
    return found if as_is == found else _with(found, "form")


def best_first(scores: Sequence[float]) -> list[int]:
    """Places by score, best first; equal ones in the order shown, not-a-number last.

    >>> best_first((1.0, 3.0, 1.0))
    [1, 0, 2]
    """
    return sorted(range(len(scores)), key=lambda at: (1, 0.0) if math.isnan(scores[at]) else (0, -scores[at]))


def _plain(text: str, n: int, letters: bool, ties: bool) -> Order | None:
    runs = list(_runs(text, letters))
    # one id is an order only where there is no other
    runs = [run for run in runs if (len(run.ids) > 1 or len(runs) == 1) and _counts(run, text)]
    orders = [order for run in runs if (order := _order(run, n, letters, ties))]
    if orders:
        best = max(reversed(orders), key=lambda order: sum(map(len, order.groups)))
        return best if all(_agrees(order, best) for order in orders) else _with(best, "other")
    ids, joints = _bare(text, letters)
    if not ids:
        ids = tuple(match for match in _LISTED.findall(text) if match.isalpha() == letters)
        joints = ("",) * len(ids)
        ids = ids if len(ids) > 1 else ()
    return _order(_Run(0, 0, ids, joints, bent=True), n, letters, ties) if ids else None


def _runs(text: str, letters: bool) -> Iterator[_Run]:
    """The longest stretches of ids that nothing but joints stand between."""
    start, end, bent, ranked = 0, -1, False, False
    ids: list[str] = []
    joints: list[str] = []
    for match in _IDS[letters].finditer(text):
        gap = text[end : min(match.start(), end + _LONGEST_GAP)] if ids else ""
        joint = _GAP.fullmatch(" ".join(gap.translate(_EMPHASIS).split())) if len(gap) < _LONGEST_GAP else None
        if ids and (joint is None or (ranked and not joint["joint"])):  # a line end, behind >, ends the order
            yield _Run(start, end, tuple(ids), tuple(joints), bent)
            ids, joints, bent, ranked = [], [], False, False
        if not ids:
            start = match.start()
        joints.append((joint["joint"] or "").lower() if ids and joint else "")
        ranked = ranked or joints[-1] in _ABOVE
        ids.append(match[1])
        bent = bent or match[0].count("[") != 1 or match[0].count("]") != 1
        end = match.end()
    if ids:
        yield _Run(start, end, tuple(ids), tuple(joints), bent)


def _counts(run: _Run, text: str) -> bool:
    """Whether a run is an order: not the prompt's example; ranked by ``>``, or filling its lines; a single id, the text."""
    if "e.g." in text[max(run.start - 8, 0) : run.start]:
        return False
    if len(run.ids) == 1:
        rest = (text[: run.start] + text[run.end :]).strip(_DRESSING + ">")
        return not rest or _CUT.fullmatch(rest) is not None
    if _ABOVE.intersection(run.joints):
        return True
    before = text[text.rfind("\n", 0, run.start) + 1 : run.start]
    line_end = text.find("\n", run.end)
    after = text[run.end : line_end if line_end >= 0 else len(text)].strip(_DRESSING + ",;]")
    opened = before.rstrip(_DRESSING + "[-•").rstrip()
    return not after and (not opened or opened.endswith(":") or re.fullmatch(r"\d{1,3}[.)]?", opened) is not None)


def _bare(text: str, letters: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ids of a text that is nothing but ids without their brackets, and what joins each to the one before."""
    found = _ALL_BARE[letters].fullmatch(text.strip(_DRESSING))
    if found is None:
        return (), ()
    pieces, ids = _ONE[letters].split(found[1] or found[2]), _ONE[letters].findall(found[1] or found[2])
    joints = ["=" if "=" in piece else ">" for piece in pieces[:-1]]
    return tuple(one.upper() for one in ids), tuple(joints)


def _order(run: _Run, n: int, letters: bool, ties: bool) -> Order | None:
    """A run's ids as places; None if none of them was shown. With ``ties`` a repeated id ends it, as Rank-K has it."""
    groups: list[tuple[int, ...]] = []
    seen: set[int] = set()
    repairs: set[Repair] = {"form"} if run.bent or (not ties and "=" in run.joints) else set()
    begun = False  # whether the ids that are tied here have one among them that counts
    for id_, joint in zip(run.ids, run.joints, strict=True):
        begun = begun and ties and joint == "="
        place = (ord(id_) - ord("A")) if letters else int(id_) - 1 if len(id_) < 10 else -1
        if not id_.isascii():
            repairs.add("form")
        if not 0 <= place < n:
            repairs.add("unknown")
        elif place in seen:
            repairs.add("repeated")
            if ties:
                break
        else:
            seen.add(place)
            groups = [*groups[:-1], (*groups[-1], place)] if begun else [*groups, (place,)]
            begun = True
    if not seen:
        return None
    return Order(tuple(groups), frozenset(repairs | ({"missing"} if len(seen) < n else set())))


def _agrees(one: Order, other: Order) -> bool:
    """Whether the ids of one stand in the same order in the other."""
    places = {place: rank for rank, group in enumerate(other.groups) for place in group}
    ranks = [places.get(place, -1) for group in one.groups for place in group]
    return -1 not in ranks and ranks == sorted(ranks)


def _with(order: Order, repair: Repair) -> Order:
    return replace(order, repairs=order.repairs | {repair})
