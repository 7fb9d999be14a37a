"""Pages whose code is run."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_about_a_new_reranker_runs_from_top_to_bottom():
    world = {"__name__": "page"}
    for number, block in enumerate(blocks("new-reranker.md")):
        exec(compile(block, f"new-reranker.md, block {number}", "exec"), world)
    assert "CHAMPION" in world


def test_the_page_about_strategies_makes_recipes_that_are_whole():
    from ponderank.backends.adapters import WordTokenizer
    from ponderank.backends.testing import Counting
    from ponderank.recipe import check

    world = {}
    for block in blocks("strategies.md"):
        exec(block, world)
    for name in ("staged", "diverse"):
        check(world[name], Counting(WordTokenizer()))


def test_a_new_reranker_takes_about_thirty_lines():
    method = blocks("new-reranker.md")[0]
    body = method[method.index("@dataclass") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 30


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_a_page_links_only_to_what_is_there(page):
    text = (DOCS / page).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (DOCS / target).exists(), f"{page} links to {target}"


def test_the_page_about_published_systems_names_recipes_that_are_there():
    from ponderank.recipes import RECIPES

    table = (DOCS / "published.md").read_text("utf-8").partition("Not here:")[0]
    names = re.findall(r"`([a-z0-9.]+(?:-[a-z0-9.]+)+)`", table)
    unknown = [name for name in names if name not in RECIPES and name.strip(".") == name]
    assert len(names) > 60
    assert not unknown
