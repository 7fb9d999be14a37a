import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ponderank.report.content import Report
from ponderank.report.gather import Wanted, gather
from ponderank.report.html import page
from ponderank.report.markdown import markdown, plain
from ponderank.report.sources import read_sources, tasks
from report_world import HOSTILE, letters, write_collection, write_folder, write_hostile


class Seen(HTMLParser):
    """Elements, attributes and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A report in which whatever can be hostile is."""
    return gather(
        tasks(read_sources(write_hostile(tmp_path_factory.mktemp("hostile")))), Wanted(details=2, title=HOSTILE)
    )


@pytest.fixture
def report(folders):
    return gather(tasks(read_sources(folders)), Wanted(details=2))


def test_what_is_read_becomes_text_and_never_an_element(hostile):
    seen = Seen(page(hostile))
    assert seen.open == []
    assert seen.tags.count("script") == seen.tags.count("style") == 1
    assert not {"img", "iframe", "object", "link", "base", "form"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name == "style"]
    assert sum("</script><script>document.title" in text for text in seen.texts) >= 20


def test_a_page_leads_nowhere_but_to_itself(hostile):
    seen = Seen(page(hostile))
    links = [value for name, value in seen.attributes if name in ("href", "src", "xlink:href", "action", "data")]
    ids = [value for name, value in seen.attributes if name == "id"]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert len(ids) == len(set(ids))
    assert "url(" not in page(hostile)
    assert "@import" not in page(hostile)


def test_the_policy_names_the_one_script_and_the_one_style(report):
    text = page(report)
    for tag in ("script", "style"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{digest}&#x27;" in text
    assert "default-src &#x27;none&#x27;" in text


def test_markdown_holds_no_markup_of_what_was_read(hostile):
    text = markdown(hostile)
    assert "<" not in text
    assert not re.search(r"(?<!\\)\[[^\]]*\]\(", text)
    assert not re.search(r"(?<!\\)`", text)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
    assert plain("a\nb\x00|c") == "a b \\|c"
    assert [plain(line) for line in ("# x", "- x", "1. x", "see http://x")] == [
        "\\# x",
        "\\- x",
        "1\\. x",
        "see http\\://x",
    ]


def test_json_is_the_report_itself(hostile, report):
    for one in (hostile, report):
        told = json.loads(json.dumps(one.to_dict(), allow_nan=False))
        assert told["format"] == "ponderank-report-1"
        (section,) = told["sections"]
        assert [system["name"] for system in section["systems"]] == [system.name for system in one.sections[0].systems]
        assert section["values"] == one.sections[0].values
        assert set(told) - {"format"} == set(Report.__slots__)


def test_all_three_writers_say_the_same_numbers(report):
    html, text = page(report), markdown(report)
    (section,) = report.sections
    for system in section.systems:
        for measure in section.measures:
            value = f"{system.measures[measure]:.4f}"
            low, high = system.bounds[measure]
            for written in (html, text):
                assert value in written
                assert f"{low:.4f} – {high:.4f}" in written
        for one in system.compared.values():
            assert f"{one.wins}/{one.ties}/{one.losses}" in html
            assert f"{one.wins}/{one.ties}/{one.losses}" in text


def test_the_page_says_what_was_done_and_what_is_not_there(report):
    html = page(report)
    assert "6 judged queries; no ties in the top 10." in html
    assert "queries are not shown in detail" in html or "at most 6 documents are shown" in html
    assert "Not given as a run: the order that" in html
    assert "fingerprint" in html


def test_a_text_stands_once_on_the_page_and_the_second_time_a_link_to_it(report):
    (section,) = report.sections
    twice = replace(section, details=(section.details[0], replace(section.details[0], query="again")))
    text = page(replace(report, sections=(twice,)))
    shown = len(section.details[0].shown)
    assert text.count('class="passage"') == text.count("Its text stands with another query.") == shown


def test_evidence_is_marked_in_the_passage(report):
    assert "<mark>says that thing 0 is made of stuff</mark>" in page(report)
    assert "**says that thing 0 is made of stuff**" in markdown(report)


def test_several_collections_have_a_section_each_and_one_together(folders, tmp_path):
    other = write_collection(tmp_path / "others", name="p")
    same = write_folder(tmp_path / "b" / "good", other, letters({0: "c"}), name="p")
    made = gather(tasks(read_sources([*folders, same])), Wanted(details=1))
    html, text = page(made), markdown(made)
    Seen(html)
    assert 'id="overall"' in html
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## All collections",
        "## things",
        "## others",
    ]
    assert "rank by bradley-terry" in html


def test_equal_input_gives_equal_bytes(folders):
    twice = [page(gather(tasks(read_sources(folders)), Wanted(details=2))) for _ in range(2)]
    assert twice[0] == twice[1]
