"""A ranking for people: a table in the terminal, a table in a notebook."""

from __future__ import annotations

import html
import textwrap
import unicodedata

from ponderank.types import Ranking


def text_table(ranking: Ranking, width: int = 100) -> str:
    """Rank, score, prob, id and the text's beginning, one line a document; no colours."""
    if not len(ranking):
        return f"no documents for {plain(ranking.query.text)!r}"
    names = max(2, min(20, max(len(doc.id) for doc in ranking.docs)))
    lines = [f"{'rank':>4}  {'score':>8}  {'prob':>5}  {'id':<{names}}  text"]
    for row in ranking.rows():
        prob = "" if row["prob"] is None else f"{row['prob']:.3f}"
        text = textwrap.shorten(plain(row["text"]), max(20, width - names - 25), placeholder=" …")
        lines.append(f"{row['rank']:>4}  {row['score']:>8.3f}  {prob:>5}  {plain(row['id'])[:names]:<{names}}  {text}")
    flaws = ", ".join(f"{count} {name}" for name, count in ranking.flaws().items())
    return "\n".join(lines + ([f"flaws: {flaws}"] if flaws else []))


def html_table(ranking: Ranking) -> str:
    """The same with evidence marked; every text is escaped."""
    rows = []
    for row in ranking.rows():
        prob = "" if row["prob"] is None else f"{row['prob']:.3f}"
        cells = (
            str(row["rank"]),
            f"{row['score']:.3f}",
            prob,
            _escaped(row["id"]),
            marked(row["text"], row.get("evidence", [])),
        )
        rows.append("<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("rank", "score", "prob", "id", "text"))
    return f"<p><b>{_escaped(ranking.query.text)}</b></p><table><tr>{head}</tr>{''.join(rows)}</table>"


def marked(text: str, evidence: list[dict[str, float]]) -> str:
    """The text as HTML with the evidence in ``<mark>``."""
    spans = merged([(int(e["start"]), int(e["end"])) for e in evidence])
    out, at = [], 0
    for start, end in spans:
        out += [_escaped(text[at:start]), "<mark>", _escaped(text[start:end]), "</mark>"]
        at = end
    return "".join(out) + _escaped(text[at:])


def _escaped(text: str) -> str:
    return html.escape(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in reading order, overlapping ones joined.

    >>> merged([(5, 9), (0, 3), (2, 4)])
    [(0, 4), (5, 9)]
    """
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def plain(text: str) -> str:
    """Text that cannot move a terminal's cursor: control characters and lone surrogates become U+FFFD, white space one space.

    >>> plain("a\\x1b[2Jb\\n c")
    'a\\ufffd[2Jb c'
    """
    text = " ".join(text.split())
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs", "Cf") else c for c in text)
