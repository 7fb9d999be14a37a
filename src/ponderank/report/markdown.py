"""A report as Markdown: the same content without pictures; whatever was read is escaped, so that it stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ponderank.report import words
from ponderank.report.content import Detail, How, Report, Section, Shown
from ponderank.show import merged

_SPECIAL = re.compile(r"([\\`*_\[\]|~$>]|:(?=//)|(?<=www)\.|^[-+=#]|(?<=^\d)[.)])")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_MOST_ROWS = 1_000


def markdown(report: Report) -> str:
    """The whole text."""
    parts = [f"# {plain(report.title)}"]
    for section in report.sections:
        parts.append(f"**{plain(section.name)}:** {plain(words.summary(section, report.how))}")
    if report.overall is not None:
        parts += _overall(report)
    for section in report.sections:
        parts += _section(section, report.how)
    return "\n\n".join([*(part for part in parts if part), f"Made by ponderank {report.version}."]) + "\n"


def plain(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line: no markup, no HTML.

    >>> plain("<b>a*b</b>\n[x](y)")
    '&lt;b&gt;a\\*b&lt;/b&gt; \\[x\\](y)'
    """
    text = " ".join(_CONTROL.sub(" ", text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(r"\\\1", text).replace("\\>", "&gt;")


def grid(head: Sequence[str], rows: Iterable[Sequence[str]], labels: int = 1) -> str:
    """A table whose cells are Markdown already; the first ``labels`` columns flush left."""
    rule = ["---"] * labels + ["---:"] * (len(head) - labels)
    return "\n".join(f"| {' | '.join(row)} |" for row in [[plain(name) for name in head], rule, *rows])


def _section(section: Section, how: How) -> list[str]:
    parts = [f"## {plain(section.name)}", " ".join(map(plain, words.about(section))), _results(section)]
    if section.baseline is not None:
        parts += [plain(words.compared_how(how, section.baseline)), _comparisons(section, how)]
    kinds = words.costs_of(section)
    if kinds:
        rows = [
            [plain(s.name), *(words.short(s.cost.get(kind)) for kind in kinds), plain(words.flaws_said(s)) or "–"]
            for s in section.systems
        ]
        parts += ["### What a query cost", grid(["run", *(words.COSTS[kind] for kind in kinds), "flaws in all"], rows)]
    parts += ["### Query by query", _queries(section), "### Queries in detail" if section.details else ""]
    seen: set[str] = set()
    for detail in section.details:
        parts += _detail(section, detail, seen)
    return [*parts, *_holes(section), *_made(section)]


def _results(section: Section) -> str:
    rows = []
    for system in section.systems:
        note = " (baseline)" if system.name == section.baseline else " (first stage)" if system.first_stage else ""
        cells = [words.value(system.measures[measure]) for measure in section.measures]
        rows.append([plain(system.name) + note, *cells, f"{system.judged:.1%}", words.moves_said(system)])
    return grid(
        ["run", *section.measures, f"Judged@{section.depth}", f"relevant into and out of top {section.depth}"], rows
    )


def _comparisons(section: Section, how: How) -> str:
    rows = [
        [plain(system.name), plain(measure), *map(plain, words.comparison(one, how))]
        for measure in section.measures
        for system in section.others()
        if (one := system.compared.get(measure)) is not None
    ]
    return grid(["run", "measure", *words.comparison_head(how)], rows, labels=2)


def _queries(section: Section) -> str:
    names = [system.name for system in section.systems]
    values = [section.values[name][section.main] for name in names]
    queries = list(dict.fromkeys(query for found in values for query in found))
    rows = [
        [plain(query), plain(section.texts.get(query, "")), *(words.value(found.get(query)) for found in values)]
        for query in queries[:_MOST_ROWS]
    ]
    rest = f"\n\n{len(queries) - _MOST_ROWS:,} more are in the JSON form." if len(queries) > _MOST_ROWS else ""
    return f"{plain(section.main)} of each query.\n\n" + grid(["query", "text", *names], rows, labels=2) + rest


def _detail(section: Section, detail: Detail, seen: set[str]) -> list[str]:
    names = [system.name for system in section.systems]
    parts = [
        f"#### {plain(detail.text or detail.query)}",
        f"Query {plain(detail.query)}; {plain('; '.join(detail.why))}.",
    ]
    if detail.instruction:
        parts.append(plain(detail.instruction))
    rows = [
        [
            plain(line.doc),
            "–" if line.grade is None else str(line.grade),
            *(str(line.ranks.get(name, "–")) for name in names),
        ]
        for line in reversed(detail.lines)
    ]
    parts.append("Ranks:\n\n" + grid(["document", "grade", *names], rows))
    for shown in detail.shown:
        parts += _shown(section, shown, seen)
    return parts


def _shown(section: Section, shown: Shown, seen: set[str]) -> list[str]:
    passage = section.passages.get(shown.doc)
    grade = "not judged" if shown.grade is None else f"grade {shown.grade}"
    title = f" {plain(passage.title)}" if passage and passage.title else ""
    parts = [f"**{plain(shown.doc)}**{title} ({grade})"]
    if passage is not None and shown.doc not in seen:
        seen.add(shown.doc)
        spans = merged([
            (max(0, a - passage.before), min(len(passage.text), b - passage.before))
            for said in shown.said for a, b in said.evidence
        ])  # fmt: skip
        text, at = "… " if passage.before else "", 0
        for start, end in spans:
            if at <= start < end:
                text += f"{_kept(passage.text[at:start])}**{plain(passage.text[start:end])}**"
                at = end
        parts.append("> " + text + _kept(passage.text[at:]) + (" …" if passage.after else ""))
    lines = []
    for said in shown.said:
        facts = [words.rank_of(said), *words.figures_of(said)]
        facts += [f"verdict {said.verdict}"] * bool(said.verdict) + [f"flaw {said.flaw}"] * bool(said.flaw)
        cut = f" ({said.cut:,} characters left out)" if said.cut else ""
        thought = f"\n  {plain(said.reasoning)}{cut}" if said.reasoning else ""
        lines.append(f"- {plain(said.system)}: {plain(', '.join(facts))}{thought}")
    return [*parts, "\n".join(lines)]


def _kept(text: str) -> str:
    """Plain, with the spaces at its ends as one space each."""
    words_ = plain(text)
    return f"{' ' * text[:1].isspace()}{words_}{' ' * (text[-1:].isspace() and bool(words_))}"


def _holes(section: Section) -> list[str]:
    measures, rows = words.bounded(section), []
    for system in section.systems:
        missing = system.handling.missing
        named = f" ({plain(words.first_few(missing))})" if missing else ""
        cells = [" – ".join(map(words.value, system.bounds[measure])) for measure in measures]
        rows.append([plain(system.name), f"{system.judged:.1%}", *cells, f"{len(missing)}{named}"])
    head = [
        "run",
        f"Judged@{section.depth}",
        *(f"{measure}, bounds" for measure in measures),
        "queries without results",
    ]
    return ["### Holes", grid(head, rows), plain(words.bounds_said(section))]


def _made(section: Section) -> list[str]:
    lines = [f"- {plain(system.name)}: {plain(str(system.handling))}" for system in section.systems]
    parts = ["### How it was measured", "\n".join(lines)]
    if section.left_out:
        parts.append("Left out:\n\n" + "\n".join(f"- {plain(line)}" for line in section.left_out))
    parts.append("### Manifests")
    for system in section.systems:
        pairs = [("path", system.path), *words.flat(system.manifest or {})]
        rows = [[plain(name), plain(value)] for name, value in pairs if value != "none"]
        parts.append(f"**{plain(system.name)}**\n\n" + grid(["setting", "value"], rows, labels=2))
    return parts


def _overall(report: Report) -> list[str]:
    assert report.overall is not None
    found, table = report.overall.standings, report.overall.table
    tasks = list(dict.fromkeys(task for scores in table.values() for task in scores))
    rows = [
        [plain(system), *(words.value(table[system].get(task)) for task in tasks)]
        + ["–" if rank[system] != rank[system] else f"{rank[system]:g}" for rank in found.ranks.values()]
        for system in words.ranked(report)
    ]
    head = [
        "run",
        *(f"{task}, {report.overall.measures[task]}" for task in tasks),
        *(f"rank by {rule}" for rule in found.ranks),
    ]
    return [
        "## All collections",
        grid(head, rows),
        "\n".join(f"- {plain(line)}" for line in words.overall_said(report)),
    ]
