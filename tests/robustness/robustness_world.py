"""A small collection with known answers, and judges whose figures are known beforehand."""

import json
from dataclasses import dataclass

from ponderank.backends.adapters import Batched
from ponderank.backends.testing import Oracle
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.pair import PRP
from ponderank.formats.permutation import RankLLM
from ponderank.formats.setwise import Setwise
from ponderank.recipe import Judge, Recipe
from ponderank.robustness.laid import Suite
from ponderank.run import Experiment
from ponderank.strategies.cascade import Cascade
from ponderank.strategies.pairs import PairHeapsort
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.setwise import SetwiseHeapsort
from ponderank.strategies.window import Window
from ponderank.types import Generate, Reply, Usage

WORDS = ("alpha", "beta")
DOCS = 24


def write_collection(folder, docs=DOCS):
    """Two queries, ``what is WORD``; document i repeats a query's word (docs - i) times, so that counting gives the run's order.

    The first document of each query is relevant, the last was judged not to be.
    """
    (folder / "qrels").mkdir(parents=True)
    corpus = [
        {"_id": f"{word}{i}", "text": " ".join([word] * (docs - i) + ["filler"] * i)}
        for word in WORDS
        for i in range(docs)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in corpus))
    queries = [{"_id": word, "text": f"what is {word}"} for word in WORDS]
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    rows = "".join(f"{word}\t{word}0\t1\n{word}\t{word}{docs - 1}\t0\n" for word in WORDS)
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    lines = [f"{word} Q0 {word}{i} {i + 1} {docs - i} first\n" for word in WORDS for i in range(docs)]
    (folder / "first.trec").write_text("".join(lines))
    return folder


def suite(folder, recipe=None, **given):
    """A suite on that collection."""
    wanted = {"run_file": folder / "first.trec", "k": DOCS, "recipe": recipe or ALONE}
    return Suite(Experiment(folder, **wanted), **given)


ALONE = Recipe("alone", "none", CrossEncoder(), Pointwise())


def counting(query, text):
    """How often the query's words stand in the text."""
    words = set(query.lower().split())
    return float(sum(word in words for word in text.lower().split()))


def counter():
    """A judge that counts the query's words."""
    return Oracle(counting)


def fooled():
    """A judge that counts, and believes whatever calls itself relevant."""
    return Oracle(lambda query, text: counting(query, text) + 1000.0 * ("relevant" in text))


def company():
    """A judge whose scores depend on how many others are judged with them: it turns its order round in odd batches."""

    def judge(calls):
        turn = -1.0 if len(calls) % 2 else 1.0
        return [Reply(scores=(turn * counting(c.query, c.text),), usage=Usage(calls=1)) for c in calls]

    return Batched(judge, size=10_000, fingerprint="company")


@dataclass(frozen=True, slots=True)
class Eager:
    """A strategy that likes what it is shown first, whatever it is: scores fall with the position."""

    widest = 1
    absolute = True

    def plan(self, n, priors=None):
        yield [(i,) for i in range(n)]
        return [float(-i) for i in range(n)]


EAGER = Recipe("eager", "none", CrossEncoder(), Eager())


class Reader(Batched):
    """A judge of passages shown together: ``says`` writes the answer from what the passages are worth, in the order shown.

    ``prompts`` remembers what was asked; ``fails`` says, from the same, what is answered in a way that nobody can read.
    """

    def __init__(self, says, fails=lambda worth: False):
        self.says, self.fails, self.prompts = says, fails, []
        super().__init__(self._answers, 1000, fingerprint="reader", can=frozenset({Generate}))

    def _answers(self, calls):
        return [self._answer(call) for call in calls]

    def _answer(self, call):
        self.prompts.append("".join(part.text for part in call.prompt))
        query = next(part.text for part in call.prompt if not part.trusted)
        docs = [part.text for part in call.prompt if part.may_shorten]
        worth = [counting(query.split()[-1], doc) for doc in docs]
        text = "I cannot say." if self.fails(worth) else self.says(worth)
        return Reply(text, usage=Usage(calls=1))


def an_order(worth):
    """The right order of passages, in the words of a listwise answer."""
    best_first = sorted(range(len(worth)), key=lambda at: -worth[at])
    return " > ".join(f"[{at + 1}]" for at in best_first)


def as_shown(worth):
    """The order in which the passages were shown."""
    return " > ".join(f"[{at + 1}]" for at in range(len(worth)))


def the_better(worth):
    """The right letter, of two passages or of several."""
    return "Passage " + "ABCDEFG"[worth.index(max(worth))]


def the_first(worth):
    """The letter of what is shown first."""
    return "Passage A"


def the_last(worth):
    """The letter of what is shown last."""
    return "Passage " + "ABCDEFG"[len(worth) - 1]


LISTS = Recipe("lists", "none", RankLLM(), Window(6, 3))
TWOS = Recipe("twos", "none", PRP(), PairHeapsort(k=3))
BESTS = Recipe("bests", "none", Setwise(), SetwiseHeapsort())
STAGES = Recipe(
    "stages", "none", CrossEncoder(), Cascade((Pointwise(), Window(6, 3)), (8,)), others=(Judge("none", RankLLM()),)
)
