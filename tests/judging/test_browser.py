"""The judging page in headless Chromium: Debian's, with Playwright's driver (`pip install playwright`)."""

import json
import re
import subprocess
import sys

import pytest
from judging_world import HOSTILE, pool
from typer.testing import CliRunner

from ponderank.cli.main import build
from ponderank.judging.events import standings
from ponderank.judging.offline import export, take_in
from ponderank.judging.pool import read_pool
from ponderank.judging.store import Store

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("playwright.sync_api", reason="needs playwright, to drive a browser")

pytestmark = pytest.mark.slow
PATIENCE_MS = 240_000


class Window:
    """A browser window of one assessor; ``given`` is what was graded by keyboard, ``errors`` what the page complained of."""

    def __init__(self, browser, url, name):
        self.page = browser.new_context().new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.errors, self.given = [], {}
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)
        self.page.fill("#name", name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#grades button")

    @property
    def item(self):
        return self.page.evaluate("document.body.dataset.item")

    def grade(self, value):
        item = self.item
        self.page.wait_for_selector("#text:not(.waiting)")
        self.page.keyboard.press(str(value))
        self.page.wait_for_function("item => document.body.dataset.item !== item", arg=item)
        self.given[item] = value

    def says(self, text):
        self.page.wait_for_function("text => document.getElementById('saved').textContent.includes(text)", arg=text)


def serve(source, store, port):
    words = ("judge", "serve", source, "--store", store, "--port", port)
    server = subprocess.Popen(
        [sys.executable, "-m", "ponderank.cli.main", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    line = server.stderr.readline()
    url = re.search(r"http://[^ ]+/", line)
    assert url, line + server.stderr.read()
    return server, url[0]


def call(*words):
    result = CliRunner().invoke(build(["judge"]), ["judge", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_thirty_judgements_an_undo_a_reload_two_people_and_a_killed_server_lose_nothing(world, tmp_path, browser):
    source, store, old = tmp_path / "pool.jsonl", tmp_path / "judgements.db", world / "old.qrels"
    runs = ("--run", world / "A.trec", "--run", world / "B.trec")
    call("pool", "--qrels", old, *runs, "--collection", world, "--depth", 10, "--what", "all", "--out", source)
    server, url = serve(source, store, 0)
    try:
        ada = Window(browser, url, "ada")
        for n in range(8):
            ada.grade(n % 4)
        taken_back = list(ada.given)[-1]
        ada.page.keyboard.press("u")
        ada.page.wait_for_function("item => document.body.dataset.item === item", arg=taken_back)
        ada.page.keyboard.press("r")
        ada.says("grade first")
        assert ada.page.is_hidden("#hidden")
        assert ada.page.get_attribute("[data-grade='3']", "aria-pressed") == "false"
        ada.grade(1)
        ada.says("saved")

        server.kill()  # SIGKILL, between two grades
        server.wait()
        ada.grade(2)
        ada.grade(3)
        ada.says("the server is away; 2 judgements kept here")
        server, url = serve(source, store, url.rstrip("/").rpartition(":")[2])
        ada.says("saved")

        for n in range(20):
            ada.grade(n % 3)
        here = ada.item
        ada.says("saved")
        ada.page.reload()
        ada.page.wait_for_selector("#grades button")
        assert (ada.page.text_content("#count"), ada.item) == ("30 of 36 judged", here)

        ada.page.keyboard.press("ArrowLeft")
        ada.page.keyboard.press("r")
        ada.page.wait_for_selector("#hidden:visible")
        assert re.search(r"Ranked .*\d by [AB]", ada.page.text_content("#hidden"))

        ben = Window(browser, url, "ben")
        assert ben.page.text_content("#count") == "0 of 36 judged"
        for _ in range(6):
            ben.grade(3)
        ben.says("saved")
        assert ada.errors == ben.errors == []
        assert ada.page.title() == "Judging · Ponderank"
    finally:
        server.kill()
        server.wait()

    (name,) = (read_pool(source).fingerprint,)
    with Store(store) as kept:
        found = standings(kept.events(name))
    assert len(ada.given) == 30
    for window, assessor in ((ada, "ada"), (ben, "ben")):
        assert {one.item: one.grade for one in found if one.assessor == assessor} == window.given

    merged, new = tmp_path / "merged.jsonl", tmp_path / "new.qrels"
    assert "ada & ben" in call("merge", store, "--policy", "majority", "--ties", "higher", "--out", merged)
    call("apply", "--qrels", old, merged, "--out", new)
    rows = json.loads(call("compare", "--qrels", old, "--qrels", new, *runs, "--format", "json"))
    for before, after in zip(rows[::2], rows[1::2], strict=True):
        assert after["judged"] > before["judged"]
        assert after["measures"]["nDCG@10"]["value"] != before["measures"]["nDCG@10"]["value"]


def test_the_one_file_form_works_from_a_disk_and_what_it_saves_is_taken_in(tmp_path, browser):
    many = pool(4)
    export(many, tmp_path / "page.html")
    window = Window(browser, (tmp_path / "page.html").as_uri(), "ada")
    for value in (3, 0):
        window.grade(value)
    window.page.keyboard.press("n")
    window.page.keyboard.type("hard to say")
    window.page.keyboard.press("Enter")
    window.grade(1)
    window.page.keyboard.press("u")
    window.page.reload()
    window.page.wait_for_selector("#grades button")
    with window.page.expect_download() as download:
        window.page.keyboard.press("d")
    download.value.save_as(tmp_path / "ada.json")
    with Store(tmp_path / "s.db") as store:
        store.add_pool(many)
        assert take_in(tmp_path / "ada.json", store) == (5, 5)
        found = standings(store.events(many.fingerprint))
    assert sorted((one.grade, one.note) for one in found if one.grade is not None) == [(0, ""), (3, "")]
    assert [one.note for one in found if one.grade is None] == ["hard to say"]
    assert window.errors == []


def test_a_hostile_passage_is_shown_as_the_text_it_is_also_highlighted(tmp_path, browser):
    from dataclasses import replace

    one = pool(1)
    item = replace(one.items[0], query=replace(one.items[0].query, text="img script onerror"))
    hostile = replace(item, doc=replace(item.doc, text=HOSTILE, title=HOSTILE))
    export(replace(one, items=(hostile,)), tmp_path / "page.html")
    window = Window(browser, (tmp_path / "page.html").as_uri(), HOSTILE[:60])
    assert window.page.text_content("#text") == HOSTILE
    window.page.keyboard.press("h")
    window.page.wait_for_selector("#text mark")
    assert window.page.text_content("#text") == window.page.text_content("#title") == HOSTILE
    assert window.page.locator("article img, article script").count() == 0
    assert window.page.title() == "Judging · Ponderank"
    assert window.errors == []
