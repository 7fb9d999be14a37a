"""The page in headless Chromium: Debian's, with Playwright's driver (`pip install playwright`)."""

import pytest

from ponderank.report.gather import Wanted, gather
from ponderank.report.html import page
from ponderank.report.sources import read_sources, tasks
from report_world import HOSTILE, letters, write_folder, write_hostile

pytest.importorskip("playwright.sync_api", reason="needs playwright, to drive a browser")

pytestmark = pytest.mark.slow
PATIENCE_MS = 240_000


class Window:
    """A page; ``told`` is whatever it complained of, asked the network for, or popped up."""

    def __init__(self, browser, path, **context):
        self.page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.told = []
        self.page.on("pageerror", lambda error: self.told.append(f"error {error}"))
        self.page.on("console", lambda message: self.told.append(f"console {message.text}"))
        self.page.on("dialog", lambda dialog: (self.told.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.told.append(f"request {request.url}"))
        self.page.goto(path.as_uri())
        self.told = [line for line in self.told if line != f"request {path.as_uri()}"]


def saved(report, path):
    path.write_text(page(report), encoding="utf-8")
    return path


def test_nothing_of_what_was_read_runs(tmp_path, browser):
    report = gather(tasks(read_sources(write_hostile(tmp_path))), Wanted(details=2, title=HOSTILE))
    window = Window(browser, saved(report, tmp_path / "report.html"))
    assert window.page.title().startswith("</script><script>document.title='owned'")
    assert window.page.locator("img, iframe, svg[onload]").count() == 0
    assert window.page.locator("script").count() == 1
    window.page.fill("input[type=search]", "img onerror")
    window.page.locator(".details select").select_option(index=1)
    window.page.locator("thead button").first.click()
    assert "<img src=x onerror=" in window.page.locator("article.picked .passage").first.text_content()
    assert window.told == []
    # and were there a hole in the escaping, the policy would stop what comes through
    window.page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: 'data:,', alt: ''}))")
    ran = window.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return true; } catch { return false; } }"
    )
    assert ran is False


def test_sorting_finding_and_choosing_work(tmp_path, folders, browser):
    report = gather(tasks(read_sources(folders)), Wanted(details=2))
    window = Window(browser, saved(report, tmp_path / "report.html"))
    names = window.page.locator("table").first.locator("tbody th bdi")
    assert names.all_text_contents() == ["BM25", "good", "odd"]
    measure = window.page.locator("table").first.locator("thead button").nth(1)
    measure.click()
    assert names.first.text_content() == "good"
    measure.click()
    assert names.last.text_content() == "good"

    window.page.fill("input[type=search]", "thing 3")
    assert window.page.locator("#s0list tbody tr:visible th").all_text_contents() == ["q3"]
    assert window.page.locator("output").text_content() == "1 of 6"
    window.page.fill("input[type=search]", "")

    shown = window.page.locator("article.detail:visible")
    assert shown.count() == 1
    window.page.locator("#s0list a").last.click()
    chosen = window.page.locator("select").input_value()
    assert shown.get_attribute("id") == chosen == window.page.evaluate("location.hash.slice(1)")
    window.page.locator("button.step").last.click()
    assert shown.get_attribute("id") != chosen
    assert window.told == []


def test_everything_can_be_read_without_the_script(tmp_path, folders, browser):
    report = gather(tasks(read_sources(folders)), Wanted(details=2))
    window = Window(browser, saved(report, tmp_path / "report.html"), java_script_enabled=False)
    assert window.page.locator("article.detail").count() == len(report.sections[0].details)
    assert all(detail.is_visible() for detail in window.page.locator("article.detail").all())
    assert window.page.locator("#s0list tbody tr").last.is_visible()
    assert not window.page.locator("input[type=search]").is_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(tmp_path, collection, folders, browser, width):
    long = write_folder(tmp_path / ("a-run-with-a-very-long-name" * 4), collection, letters({1: "dc"}))
    report = gather(tasks(read_sources([*folders, long])), Wanted(details=2))
    window = Window(browser, saved(report, tmp_path / "report.html"), viewport={"width": width, "height": 800})
    assert window.page.evaluate("document.documentElement.scrollWidth") <= width
