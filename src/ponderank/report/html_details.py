"""Chosen queries on the page: the picture of ranks, and for each document its passage beside what each system said of it."""

from __future__ import annotations

from collections.abc import Sequence

from ponderank.report import words
from ponderank.report.bump import bump, kind
from ponderank.report.content import Detail, Passage, Said, Section, Shown
from ponderank.report.figures import COLOURS
from ponderank.report.html_tables import key
from ponderank.report.markup import Markup, joined, tag
from ponderank.show import merged


def anchor(section: int, place: int, doc: int | None = None) -> str:
    """The name of a chosen query on the page, or of one of its documents; ids themselves may hold anything.

    >>> anchor(0, 2, 1)
    's0q2d1'
    """
    return f"s{section}q{place}" + ("" if doc is None else f"d{doc}")


def details(at: int, section: Section) -> Markup:
    """All chosen queries; the script shows one at a time."""
    if not section.details:
        return Markup("")
    seen: dict[str, str] = {}
    parts = [_detail(at, place, section, detail, seen) for place, detail in enumerate(section.details)]
    intro = (
        "The largest gains and losses of each system and the widest disagreements. Thick lines are relevant documents, dashed ones are "
        f"judged not to be, thin ones are not judged; ranks below {section.depth} are squeezed. Marked in a passage is what a system's "
        "reasons quote, or the sentences that its score rests on."
    )
    return joined(
        [
            tag("h3", "Queries in detail", id=f"s{at}details"),
            tag("p", intro, class_="soft"),
            tag("div", *parts, class_="details"),
        ]
    )


def _detail(at: int, place: int, section: Section, detail: Detail, seen: dict[str, str]) -> Markup:
    links = {one.doc: f"#{anchor(at, place, number)}" for number, one in enumerate(detail.shown)}
    names = [system.name for system in section.systems]
    values = [
        tag("li", key(number), tag("bdi", name), f" {detail.values[name]:.3f}")
        for number, name in enumerate(names) if name in detail.values
    ]  # fmt: skip
    parts = [
        tag("h4", tag("bdi", detail.text or detail.query), dir="auto"),
        tag("p", "query ", tag("bdi", detail.query), f" · {section.main}:", class_="soft"), tag("ul", *values, class_="why"),
        tag("p", detail.instruction, class_="soft", dir="auto") if detail.instruction else "",
        tag("ul", *(tag("li", why) for why in detail.why), class_="why"),
    ]  # fmt: skip
    if detail.lines:
        parts.append(tag("figure", bump(detail.lines, names, section.depth, section.relevant, links), class_="scroll"))
    parts += [_doc(anchor(at, place, number), section, one, seen) for number, one in enumerate(detail.shown)]
    label = f"{detail.text or detail.query} — {detail.why[0]}" if detail.why else detail.text or detail.query
    return tag("article", *parts, class_="detail", id=anchor(at, place), data_label=label)


def _doc(name: str, section: Section, shown: Shown, seen: dict[str, str]) -> Markup:
    passage = section.passages.get(shown.doc)
    grade = "not judged" if shown.grade is None else f"grade {shown.grade}"
    top = tag(
        "header", tag("h5", tag("bdi", (passage.title if passage else "") or shown.doc), dir="auto"),
        tag("span", grade, class_=f"grade {kind(shown.grade, section.relevant)}"),
        tag("span", tag("bdi", shown.doc), class_="soft") if passage and passage.title else "",
    )  # fmt: skip
    if passage is None:
        text = tag("p", "Its text is not known.", class_="soft")
    elif shown.doc in seen:
        text = tag("p", tag("a", "Its text stands with another query.", href=f"#{seen[shown.doc]}"), class_="soft")
    else:
        seen[shown.doc] = name
        text = _passage(passage, [span for said in shown.said for span in said.evidence])
    quiet = "doc" if any(one.reasoning for one in shown.said) else "doc quiet"
    said = [_said(at, one) for at, one in enumerate(shown.said)]
    return tag("div", top, text, tag("div", *said, class_="systems"), class_=quiet, id=name)


def _passage(passage: Passage, evidence: Sequence[tuple[int, int]]) -> Markup:
    """The text with the evidence marked; ranges count from the whole text's beginning."""
    end = len(passage.text)
    ranges = [(max(0, a - passage.before), min(end, b - passage.before)) for a, b in evidence]
    parts: list[str] = ["… "] if passage.before else []
    at = 0
    for start, stop in merged([(a, b) for a, b in ranges if a < b]):
        parts += [passage.text[at:start], tag("mark", passage.text[start:stop])]
        at = stop
    parts += [passage.text[at:], f" … ({passage.after:,} characters more)" if passage.after else ""]
    return tag("p", *parts, class_="passage", dir="auto")


def _said(at: int, said: Said) -> Markup:
    parts = [tag("p", tag("strong", tag("bdi", said.system)), f" {words.rank_of(said)}")]
    told = words.figures_of(said)
    if said.verdict:
        parts.append(tag("p", "verdict ", tag("strong", said.verdict.strip())))
    if told:
        parts.append(tag("p", " · ".join(told), class_="soft"))
    if said.flaw:
        parts.append(tag("p", f"flaw: {said.flaw}", class_="flaw"))
    if said.reasoning:
        cut = f" ({said.cut:,} characters left out)" if said.cut else ""
        parts.append(tag("p", said.reasoning, cut, class_="thought", dir="auto", tabindex="0"))
    return tag("div", *parts, class_=f"said c{at % COLOURS}")
