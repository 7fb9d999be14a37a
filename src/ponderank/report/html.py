"""A report as one HTML file: its styles, its script and its pictures are in it, and its policy allows nothing else."""

from __future__ import annotations

from importlib.resources import files

from ponderank.report import words
from ponderank.report.content import How, Report, Section, System
from ponderank.report.html_details import details
from ponderank.report.html_results import comparisons, costs, figures, holes, queries, results
from ponderank.report.html_tables import cell, head, key, table
from ponderank.report.markup import Markup, joined, tag
from ponderank.single_page import policy

_PARTS = (("queries", "queries"), ("details", "in detail"), ("holes", "holes"), ("made", "how it was measured"))


def page(report: Report) -> str:
    """The whole file."""
    style, script = (
        files("ponderank.report").joinpath("static", f"report.{end}").read_text("utf-8") for end in ("css", "js")
    )
    metas = (
        {"charset": "utf-8"},
        {"http_equiv": "Content-Security-Policy", "content": policy(script, style)},
        {"name": "viewport", "content": "width=device-width, initial-scale=1"},
        {"name": "color-scheme", "content": "light dark"},
        {"name": "generator", "content": f"ponderank {report.version}"},
    )
    top = [*(tag("meta", **meta) for meta in metas), tag("title", report.title), Markup(f"<style>{style}</style>")]
    parts = [_opening(report), *([_overall(report)] if report.overall else [])]
    parts += [_section(at, section, report.how) for at, section in enumerate(report.sections)]
    parts.append(
        tag("footer", f"Made by ponderank {report.version}. This file needs nothing outside it.", class_="soft")
    )
    body = tag("body", *parts, Markup(f"<script>{script}</script>"))
    return f'<!doctype html>\n<html lang="en">\n<head>{joined(top)}</head>\n{body}\n</html>\n'


def _opening(report: Report) -> Markup:
    several = len(report.sections) > 1
    links = [tag("a", "all collections", href="#overall")] if report.overall else []
    for at, section in enumerate(report.sections):
        links.append(tag("a", tag("strong", section.name) if several else "results", href=f"#s{at}"))
        links += [tag("a", word, href=f"#s{at}{name}") for name, word in _PARTS if name != "details" or section.details]
    said = [
        tag(
            "p",
            tag("strong", f"{section.name}: ") if several else "",
            words.summary(section, report.how),
            class_="short",
        )
        for section in report.sections
    ]
    return tag("header", tag("h1", report.title, dir="auto"), *said, tag("nav", *links))


def _section(at: int, section: Section, how: How) -> Markup:
    said = [tag("p", line, class_="soft") for line in words.about(section)]
    parts = [results(section, how), figures(section, how), costs(section), comparisons(section, how)]
    parts += [queries(at, section), details(at, section), holes(at, section), _made(at, section)]
    return tag("section", tag("h2", section.name, id=f"s{at}", dir="auto"), *said, *parts)


def _made(at: int, section: Section) -> Markup:
    """What was done with ties and missing queries, what is not on the page, and the manifests."""
    said: dict[str, list[str]] = {}
    for system in section.systems:
        said.setdefault(str(system.handling), []).append(system.name)
    lines = [
        words.sentence(line) if len(said) == 1 else f"{', '.join(names)}: {words.sentence(line)}"
        for line, names in said.items()
    ]
    parts = [tag("h3", "How it was measured", id=f"s{at}made"), _listed(lines)]
    if section.left_out:
        parts += [tag("h4", "Left out of this page"), _listed(list(map(words.sentence, section.left_out)))]
    parts.append(tag("h4", "Manifests"))
    parts += [
        tag("details", tag("summary", key(place), tag("bdi", system.name)), _manifest(system))
        for place, system in enumerate(section.systems)
    ]
    return joined(parts)


def _listed(lines: list[str]) -> Markup:
    return tag("ul", *(tag("li", line) for line in lines), class_="plain")


def _manifest(system: System) -> Markup:
    if system.first_stage:
        return tag("p", f"Not given as a run: the order that {system.path} began with.", class_="soft")
    if system.manifest is None:
        return tag("p", f"{system.path}; it came without a manifest.", class_="soft")
    pairs = [("folder", system.path), *words.flat(system.manifest)]
    return tag(
        "dl", *(part for name, value in pairs if value != "none" for part in (tag("dt", name), tag("dd", value)))
    )


def _overall(report: Report) -> Markup:
    assert report.overall is not None
    found, rows = report.overall.standings, []
    tasks = list(dict.fromkeys(task for scores in report.overall.table.values() for task in scores))
    for system in words.ranked(report):
        mine = report.overall.table[system]
        cells = [
            tag("th", tag("bdi", system), scope="row"),
            *(cell(words.value(mine.get(task)), mine.get(task)) for task in tasks),
        ]
        cells += [
            cell("–" if rank[system] != rank[system] else f"{rank[system]:g}", rank[system])
            for rank in found.ranks.values()
        ]
        rows.append(tag("tr", *cells))
    names = [
        "run",
        *(f"{task}, {report.overall.measures[task]}" for task in tasks),
        *(f"rank by {rule}" for rule in found.ranks),
    ]
    lines = [tag("p", line, class_="soft") for line in words.overall_said(report)]
    return tag("section", tag("h2", "All collections", id="overall"), table(head(names), rows, "sorted"), *lines)
