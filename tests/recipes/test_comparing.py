"""The table of recipes that compare passages: each ranks as its strategy promises, by a model that knows relevance."""

import json
import random
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ponderank import Candidates, Doc, Engine, Query, Reranker
from ponderank.backends.adapters import WordTokenizer
from ponderank.backends.testing import Counting
from ponderank.formats.exclusion import IRanker
from ponderank.formats.group_rank import GroupRank
from ponderank.formats.pair import PRP, DuoBERT, DuoT5
from ponderank.formats.selection import Selection
from ponderank.formats.setwise import RankR1, Setwise
from ponderank.recipe import Recipe
from ponderank.recipes.comparing import NEEDS, RECIPES
from ponderank.recipes.needs import HERE
from ponderank.strategies.elimination import Elimination
from ponderank.strategies.groups import Groups
from ponderank.strategies.pairs import AllPairs, PairHeapsort, PairQuicksort, PairSliding, SwissRounds
from ponderank.strategies.setwise import SetwiseBubble, SetwiseHeapsort
from ponderank.strategies.tourrank import TourRank
from ponderank.strategies.window import Window
from ponderank.types import Choose, Classify, Generate, Likelihood, Reply

KINDS = (
    AllPairs, DuoBERT, DuoT5, Elimination, GroupRank, Groups, IRanker, PRP, PairHeapsort, PairQuicksort, PairSliding, RankR1,
    Selection, Setwise, SetwiseBubble, SetwiseHeapsort, SwissRounds, TourRank, Window,
)  # fmt: skip
BY_NAME = {recipe.name: recipe for recipe in RECIPES}


def relevance(text):
    return int(re.search(r"relevance (\d+)", text)[1])


class Knowing:
    """A model that knows the relevance of every passage shown, and answers in the form that it is asked for."""

    can = frozenset({Generate, Choose, Classify, Likelihood})
    fingerprint = "knowing"
    tokenizer = WordTokenizer()

    def __init__(self):
        self.calls = []
        self._ready = []

    def add(self, call):
        self.calls.append(call)
        self._ready.append((len(self.calls), self._reply(call)))
        return len(self.calls)

    def step(self):
        ready, self._ready = self._ready, []
        return ready

    def close(self):
        pass

    def _reply(self, call):
        if isinstance(call, Classify):
            return Reply(scores=(float(relevance(call.other)), float(relevance(call.text))))
        known = [relevance(part.text) for part in call.prompt if part.may_shorten]
        if isinstance(call, Choose):
            return Reply(scores=tuple(0.5 * value - 100.0 for value in known))
        return Reply(said("".join(part.text for part in call.prompt if part.trusted), known), finish="end")


def said(asked, known):
    best = max(range(len(known)), key=lambda at: known[at])
    if "least likely passage" in asked:
        return f"hm</think><answer> passage {known.index(min(known))} </answer>"
    if "JSON format" in asked:
        grades = ", ".join(f'"[{at + 1}]": {value / 10}' for at, value in enumerate(known))
        return f"<reason>hm</reason><answer>{{{grades}}}</answer>"
    if "output the top" in asked:
        wanted = int(re.search(r"output the top (\d+)", asked)[1])
        return ", ".join(f"Document {at + 1}" for at in sorted(range(len(known)), key=lambda at: -known[at])[:wanted])
    if "<answer>" in asked:
        return f"<think>hm</think> <answer>[{best + 1}]</answer>"
    return f"Passage {'ABCDEFGHIJKLMNOPQRSTUVW'[best]}"


def candidates(n, seed=0):
    values = random.Random(seed).sample(range(n), n)
    return Candidates(Query("q", "who"), tuple(Doc(str(at), f"relevance {value}") for at, value in enumerate(values)))


SURE = {SwissRounds: 1, TourRank: 2, Window: 10, Elimination: 19}
"""How many at the head are right with a model that makes no mistakes; ten in the others."""


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("n", [2, 11, 37])
def test_a_model_without_mistakes_gives_the_right_head(recipe, n):
    backend, asked = Knowing(), candidates(n)
    ((_, ranking),) = Engine(recipe, backend).run([asked])
    right = sorted(range(n), key=lambda at: -relevance(asked.docs[at].text))
    sure = min(SURE.get(type(recipe.strategy), 10), n)
    assert sorted(ranking.order) == list(range(n))
    head = sorted if isinstance(recipe.strategy, TourRank) else list  # its best two have the same points
    assert head(ranking.order[:sure]) == head(right[:sure])
    assert ranking.flaws() == {}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_dry_run_counts_the_calls_of_every_recipe(recipe):
    ((_, ranking),) = Engine(recipe, Counting(WordTokenizer())).run([candidates(25)])
    assert sorted(ranking.order) == list(range(25))
    each = 2 if getattr(recipe.format, "both_orders", False) else 1
    assert ranking.usage.calls >= each * len(ranking.trace) > 0


def test_every_recipe_has_a_name_of_its_own():
    assert len(BY_NAME) == len(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_survives_being_written_down(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())), KINDS) == recipe


def test_what_a_model_needs_is_known_for_every_recipe_with_a_model():
    assert set(NEEDS) == {recipe.name for recipe in RECIPES if recipe.model}


def test_a_recipe_whose_model_must_be_given_says_so():
    assert all(recipe.note.endswith("give its model") for recipe in RECIPES if not recipe.model)


def test_raw_prompts_are_for_t5_alone_which_runs_in_this_process():
    raw = {
        recipe.name
        for recipe in RECIPES
        if getattr(recipe.format, "style", "") == "raw" or isinstance(recipe.format, DuoT5)
    }
    assert raw == {name for name, needs in NEEDS.items() if needs.engines == HERE}


def test_both_orders_are_asked_once():
    for recipe in RECIPES:
        if getattr(recipe.format, "both_orders", False):
            assert not recipe.strategy.both_orders


# -- over a chat server -----------------------------------------------------------------------------------------------


class Chat(BaseHTTPRequestHandler):
    """A chat server of nobody in particular: it gives texts and no more."""

    def do_GET(self):
        self._send({"object": "list", "data": [{"id": "someone", "object": "model", "owned_by": "someone"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions"):
            self.send_error(404)
            return
        asked = "\n".join(turn["content"] for turn in body["messages"])
        last = body["messages"][-1]["content"] if "output the top" not in asked else asked
        known = [int(found) for found in re.findall(r"relevance (\d+)", last)]
        message = {"role": "assistant", "content": said(asked, known)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._send({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 3}})

    def _send(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def chat_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join(5)
    server.server_close()


SERVED = ["setwise-heapsort", "setwise-heapsort-10", "setwise-bubble", "rank-r1", "prp-allpair", "prp-heapsort", "prp-sliding",
          "prp-quicksort", "group-rank", "tourrank"]  # fmt: skip


@pytest.mark.parametrize("name", SERVED)
def test_a_recipe_without_a_model_asks_any_chat_server(name, chat_url):
    pytest.importorskip("aiohttp")
    from ponderank.backends.http import HttpModel

    backend = HttpModel(chat_url, "someone", backoff=0.01, timeout=5.0)
    asked = candidates(12, seed=3)
    with Reranker(BY_NAME[name], backend=backend) as reranker:
        ranking = reranker.rank("who", [doc.text for doc in asked.docs])
    right = sorted(range(12), key=lambda at: -relevance(asked.docs[at].text))
    sure, head = (2, sorted) if name == "tourrank" else (10, list)
    assert head(ranking.order[:sure]) == head(right[:sure])
    assert ranking.flaws() == {}
