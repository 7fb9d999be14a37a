import hashlib
import json
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ponderank import Candidates, DataError, Doc, Query, RecipeError
from ponderank.backends.testing import Oracle
from ponderank.data.beir import Collection
from ponderank.formats.embedding import BiEncoder
from ponderank.retrieval.dense import DenseIndex, default_index_folder
from ponderank.types import Embed, Reply, text_of


class Digest:
    """Embeds a text as four numbers from its digest; refuses the text "refused"."""

    can = frozenset({Embed})

    def __init__(self, name="digest", before_step=None):
        self.fingerprint, self.before_step, self.embedded, self._waiting = name, before_step, [], []

    def add(self, call):
        self.embedded.append(text_of(call.prompt))
        self._waiting.append((len(self.embedded), self.embedded[-1]))
        return len(self.embedded)

    def step(self):
        if self.before_step:
            self.before_step(self)
        found = [
            (ticket, Reply(vectors=() if text == "refused" else (vector(text),))) for ticket, text in self._waiting[:3]
        ]
        del self._waiting[:3]
        return found

    def close(self):
        self._waiting.clear()


def vector(text):
    numbers = [byte / 127.5 - 1 for byte in hashlib.sha256(text.encode()).digest()[:4]]
    length = sum(x * x for x in numbers) ** 0.5
    return tuple(x / length for x in numbers)


def collection(folder, texts):
    folder.mkdir(exist_ok=True)
    rows = [json.dumps({"_id": f"d{i}", "text": text}) + "\n" for i, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("".join(rows))
    return Collection.open(folder)


TEXTS = [f"text {i % 37}" for i in range(50)]
QUERIES = [Query(f"q{i}", f"query {i}") for i in range(5)]


@pytest.fixture
def index(tmp_path):
    return DenseIndex.open_or_build(
        collection(tmp_path / "c", TEXTS), tmp_path / "i", Digest(), BiEncoder(), dtype="float32", shard=7
    )


def by_hand(query, texts, k, barred=()):
    """Every document compared with the query; ties in the corpus' order."""
    scores = [round(sum(a * b for a, b in zip(vector(query.text), vector(text), strict=True)), 6) for text in texts]
    order = sorted(range(len(texts)), key=lambda i: -scores[i])
    return [f"d{i}" for i in order if f"d{i}" not in barred][:k]


def ids(candidates):
    return [doc.id for doc in candidates.docs]


@pytest.mark.parametrize("k", [1, 6, 7, 8, 13, 50, 99])
def test_the_search_is_exact_and_ties_keep_the_corpus_order(index, k):
    for query, found in zip(QUERIES, index.search(QUERIES, k), strict=True):
        assert ids(found) == by_hand(query, TEXTS, k)
        assert list(found.scores) == sorted(found.scores, reverse=True)


def test_equal_texts_tie_at_the_cut(tmp_path):
    index = DenseIndex.open_or_build(
        collection(tmp_path / "c", ["same"] * 40), tmp_path / "i", Digest(), BiEncoder(), shard=7
    )
    assert ids(index.search(QUERIES[:1], 9)[0]) == [f"d{i}" for i in range(9)]


def test_what_is_excluded_does_not_cost_a_place(index):
    query = Query("d3", "query 1")
    excluded = {"d3": by_hand(query, TEXTS, 2)}
    (found,) = index.search([query], 5, drop_self=True, excluded=excluded)
    assert ids(found) == by_hand(query, TEXTS, 5, {"d3", *excluded["d3"]})


def test_a_refused_document_is_never_found_and_a_refused_query_finds_nothing(tmp_path):
    index = DenseIndex.open_or_build(
        collection(tmp_path / "c", ["a", "refused", "b"]), tmp_path / "i", Digest(), BiEncoder()
    )
    found, nothing = index.search([QUERIES[0], Query("q", "refused")], 5)
    assert sorted(ids(found)) == ["d0", "d2"]
    assert ids(nothing) == []


def test_a_saved_index_is_opened_without_reading_a_document_again(index, tmp_path):
    embedder = Digest()
    again = DenseIndex.open_or_build(
        collection(tmp_path / "c", TEXTS), tmp_path / "i", embedder, BiEncoder(), dtype="float32"
    )
    assert embedder.embedded == []
    assert again.search(QUERIES, 9) == index.search(QUERIES, 9)


def test_half_precision_finds_nearly_the_same(index, tmp_path):
    half = DenseIndex.open_or_build(collection(tmp_path / "c", TEXTS), tmp_path / "half", Digest(), BiEncoder())
    for a, b in zip(index.search(QUERIES, 50), half.search(QUERIES, 50), strict=True):
        close = dict(zip(ids(b), b.scores, strict=True))
        assert all(abs(close[name] - score) < 2e-3 for name, score in zip(ids(a), a.scores, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedder": Digest("other")}, "another model"),
        ({"encoder": BiEncoder(document_template="passage: {document}")}, "other templates"),
        ({"encoder": BiEncoder(pool="last")}, "another pooled token"),
        ({"texts": [*TEXTS, "new"]}, "another corpus"),
        ({"dtype": "float16"}, "another number type"),
    ],
)
def test_vectors_made_otherwise_are_refused_and_kept(index, tmp_path, change, message):
    texts, embedder = change.get("texts", TEXTS), change.get("embedder", Digest())
    changed = collection(tmp_path / "other", texts)
    with pytest.raises(DataError, match=message) as error:
        DenseIndex.open_or_build(
            changed, tmp_path / "i", embedder, change.get("encoder", BiEncoder()), dtype=change.get("dtype", "float32")
        )
    assert "give another folder, or delete this one" in str(error.value)
    assert len(DenseIndex(tmp_path / "i", Digest(), BiEncoder()).search(QUERIES, 3)) == 5


def test_a_queries_template_may_change(index, tmp_path):
    DenseIndex(tmp_path / "i", Digest(), BiEncoder(query_template="query: {query}"))


@pytest.mark.parametrize("stop_after", [0, 1, 7, 20, 49])
def test_a_build_that_broke_off_goes_on_and_gives_the_same(index, tmp_path, stop_after):
    def give_up(embedder):
        if len(embedder.embedded) - len(embedder._waiting) >= stop_after:
            raise KeyboardInterrupt

    corpus = collection(tmp_path / "c", TEXTS)
    folder = tmp_path / f"broken{stop_after}"
    first, second = Digest(before_step=give_up), Digest()
    with pytest.raises(KeyboardInterrupt):
        DenseIndex.open_or_build(corpus, folder, first, BiEncoder(), dtype="float32", shard=7)
    with pytest.raises(DataError, match="not a complete index"):
        DenseIndex(folder, Digest(), BiEncoder())
    made = DenseIndex.open_or_build(corpus, folder, second, BiEncoder(), dtype="float32", shard=7)
    assert len(second.embedded) == 50 - stop_after // 7 * 7
    assert made.search(QUERIES, 20) == index.search(QUERIES, 20)


def test_a_build_that_was_killed_goes_on(tmp_path):
    """``kill -9`` while it works, three times; what was written whole is not made again."""
    collection(tmp_path / "c", TEXTS)
    script = textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_dense import BiEncoder, Collection, DenseIndex, Digest
        slow = Digest(before_step=lambda _: time.sleep(0.03))
        DenseIndex.open_or_build(Collection.open({str(tmp_path / "c")!r}), {str(tmp_path / "i")!r}, slow, BiEncoder(), shard=5)
    """)
    rng = random.Random(0)
    for number in (0, 3, 6):
        process = subprocess.Popen([sys.executable, "-c", script])
        until = time.monotonic() + 60
        while not (tmp_path / "i" / f"{number:06d}.npy").is_file() and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        assert process.wait() == -signal.SIGKILL
    finishing = Digest()
    index = DenseIndex.open_or_build(Collection.open(tmp_path / "c"), tmp_path / "i", finishing, BiEncoder(), shard=5)
    assert 0 < len(finishing.embedded) <= 15
    fresh = DenseIndex.open_or_build(Collection.open(tmp_path / "c"), tmp_path / "j", Digest(), BiEncoder(), shard=50)
    assert index.search(QUERIES, 20) == fresh.search(QUERIES, 20)


def test_a_lost_shard_is_told(index, tmp_path):
    (tmp_path / "i" / "000003.npy").unlink()
    with pytest.raises(DataError, match=r"lacks 000003\.npy"):
        DenseIndex(tmp_path / "i", Digest(), BiEncoder())


def test_an_empty_corpus_and_a_model_without_vectors_are_refused(tmp_path):
    with pytest.raises(DataError, match="the corpus is empty"):
        DenseIndex.open_or_build(collection(tmp_path / "c", []), tmp_path / "i", Digest(), BiEncoder())
    with pytest.raises(RecipeError, match=r"this backend \(oracle:None:0\.0\) gives none"):
        DenseIndex.open_or_build(collection(tmp_path / "c", ["x"]), tmp_path / "i", Oracle({}), BiEncoder())


def given(query, *pairs):
    docs = tuple(Doc(f"d{i}", TEXTS[i]) for i, _ in pairs)
    return Candidates(query, docs, tuple(score for _, score in pairs))


def test_given_candidates_are_scored_by_look_up_and_interpolated(index):
    query = QUERIES[0]
    first = given(query, (4, 9.0), (30, 5.0), (12, 2.0))
    asked = len(index.embedder.embedded)
    (found,) = index.interpolated([first], 0.25)
    assert index.embedder.embedded[asked:] == [query.text]
    cosines = {i: sum(a * b for a, b in zip(vector(query.text), vector(TEXTS[i]), strict=True)) for i in (4, 30, 12)}
    expected = {f"d{i}": 0.25 * score + 0.75 * cosines[i] for i, score in ((4, 9.0), (30, 5.0), (12, 2.0))}
    assert dict(zip(ids(found), found.scores, strict=True)) == pytest.approx(expected, abs=1e-5)
    assert list(found.scores) == sorted(found.scores, reverse=True)


def test_the_ends_of_the_scale_are_either_order_alone(index):
    firsts = index.search(QUERIES, 10)
    reversed_ = [Candidates(f.query, f.docs[::-1], tuple(range(10, 0, -1))) for f in firsts]
    for normalise in (False, True):
        assert [ids(c) for c in index.interpolated(reversed_, 1.0, normalise=normalise)] == [ids(c) for c in reversed_]
        by_vectors = index.interpolated(reversed_, 0.0, normalise=normalise)
        assert [c.scores for c in by_vectors] == [tuple(sorted(c.scores, reverse=True)) for c in by_vectors]
        assert [set(ids(c)) for c in by_vectors] == [set(ids(c)) for c in firsts]


def test_normalised_scores_of_a_query_do_not_depend_on_their_scale(index):
    first = given(QUERIES[0], (4, 9.0), (30, 5.0), (12, 2.0))
    scaled = given(QUERIES[0], (4, 900.0), (30, 500.0), (12, 200.0))
    assert index.interpolated([first], 0.5, normalise=True) == index.interpolated([scaled], 0.5, normalise=True)


def test_candidates_in_a_tie_keep_their_order(index):
    (found,) = index.interpolated([given(QUERIES[0], (40, 1.0), (3, 1.0))], 0.5)
    assert TEXTS[40] == TEXTS[3]
    assert ids(found) == ["d40", "d3"]
    assert index.interpolated([Candidates(QUERIES[0], (), ())], 0.5)[0].docs == ()


def test_what_cannot_be_interpolated_is_refused(index):
    with pytest.raises(ValueError, match="weight is 2"):
        index.interpolated([], 2)
    with pytest.raises(ValueError, match="'q0' have no scores"):
        index.interpolated([Candidates(QUERIES[0], (Doc("d1", ""),))], 0.5)
    with pytest.raises(DataError, match="no vector of document 'x'"):
        index.interpolated([Candidates(QUERIES[0], (Doc("x", ""),), (1.0,))], 0.5)
    with pytest.raises(ValueError, match="k is 0"):
        index.search(QUERIES, 0)


def test_models_and_templates_have_folders_of_their_own(tmp_path):
    corpus = collection(tmp_path / "c", ["x"])
    folders = {
        default_index_folder(corpus, embedder, encoder)
        for embedder in (Digest(), Digest("other"))
        for encoder in (BiEncoder(), BiEncoder(pool="first"), BiEncoder("q: {query}"))
    }
    assert len(folders) == 4
