"""First stages with vectors: what they find, what a run's folder says of them, and what is refused. No torch, but at the end."""

import hashlib
import json
import sys
from itertools import pairwise

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from ponderank import DataError, Doc, MissingExtra, Query, Reranker
from ponderank.backends.adapters import Batched
from ponderank.data.collections import open_collection
from ponderank.embedders import embedder, encoder_of
from ponderank.formats.embedding import BiEncoder
from ponderank.run import Experiment, dry_run, perform
from ponderank.run_input import DEEPER, bm25, dense, hybrid
from ponderank.types import Embed, Reply, Usage, text_of

FINAL = ("run.trec", "trace.jsonl", "metrics.json", "manifest.json")
WORDS = ("wing", "flow", "heat", "shock", "plate", "jet", "lift", "drag", "wake", "noise")
MANY = 2_100
"""More documents than two shards hold."""


class Digest:
    """Embeds a text as four numbers from its digest."""

    can = frozenset({Embed})

    def __init__(self, name="digest", stop_after=None):
        self.fingerprint, self.stop_after, self.asked, self._waiting = name, stop_after, [], []

    def add(self, call):
        self.asked.append(text_of(call.prompt))
        self._waiting.append(len(self.asked))
        return len(self.asked)

    def step(self):
        some, self._waiting = self._waiting[:64], self._waiting[64:]
        if self.stop_after is not None and some and some[-1] > self.stop_after:
            raise KeyboardInterrupt
        return [(ticket, Reply(vectors=(vector(self.asked[ticket - 1]),))) for ticket in some]

    def close(self):
        raise AssertionError("a model that was given is not closed")


def vector(text):
    numbers = [byte / 127.5 - 1 for byte in hashlib.sha256(text.encode()).digest()[:4]]
    length = sum(x * x for x in numbers) ** 0.5
    return tuple(x / length for x in numbers)


def text_of_doc(n):
    return " ".join(WORDS[(n * step) % len(WORDS)] for step in (1, 3, 7)) + f" no{n}"


def written(folder, docs=40, queries=6):
    (folder / "qrels").mkdir(parents=True)
    rows = [json.dumps({"_id": f"d{n}", "text": text_of_doc(n)}) + "\n" for n in range(docs)]
    (folder / "corpus.jsonl").write_text("".join(rows))
    asked = [json.dumps({"_id": f"q{n}", "text": f"{WORDS[n]} {WORDS[n + 2]}"}) + "\n" for n in range(queries)]
    (folder / "queries.jsonl").write_text("".join(asked))
    (folder / "qrels" / "test.tsv").write_text("".join(f"q{n}\td{n}\t1\n" for n in range(queries)))
    return folder


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path / "collection")


def flat():
    """Every document scores the same, so that the first stage's order stays."""
    return Batched(lambda calls: [Reply(scores=(0.0,), usage=Usage(calls=1)) for _ in calls], 8)


def experiment(folder, stage="dense", **changes):
    given = {"embedder": "a-model", "encoder": BiEncoder(), "k": 10, "recipe": "default-alone", "first_stage": stage}
    return Experiment(folder, **given | changes)


def performed(one, out, model=None):
    perform(one, out, backend=flat(), embedder=model or Digest())
    rows = [json.loads(line) for line in (out / "trace.jsonl").read_text().splitlines()]
    return {row["query"]: [(doc["id"], doc["first_score"]) for doc in row["docs"]] for row in rows}


def manifest(out):
    return json.loads((out / "manifest.json").read_text())


def cosine(query, n):
    return sum(a * b for a, b in zip(vector(query), vector(text_of_doc(n)), strict=True))


def test_a_dense_run_ranks_the_documents_whose_vectors_are_nearest(folder, tmp_path):
    found = performed(experiment(folder), tmp_path / "out")
    for n in range(6):
        query = f"{WORDS[n]} {WORDS[n + 2]}"
        nearest = sorted(range(40), key=lambda doc: -cosine(query, doc))[:10]
        assert [name for name, _ in found[f"q{n}"]] == [f"d{doc}" for doc in nearest]
        assert [score for _, score in found[f"q{n}"]] == pytest.approx(
            [cosine(query, doc) for doc in nearest], abs=2e-3
        )


def unit(scores):
    low, high = min(scores.values()), max(scores.values())
    return {name: (score - low) / (high - low) for name, score in scores.items()}


def test_a_hybrid_run_orders_bm25s_best_by_words_and_meaning_and_keeps_k(folder, tmp_path):
    found = performed(experiment(folder, "hybrid", k=3, hybrid_weight=0.4), tmp_path / "out")
    queries = list(open_collection(folder).queries.values())
    for first in bm25(open_collection(folder)).search(queries, 3 * DEEPER):
        words = unit({doc.id: score for doc, score in zip(first.docs, first.scores, strict=True)})
        meaning = unit({doc.id: cosine(first.query.text, int(doc.id[1:])) for doc in first.docs})
        mixed = {name: 0.4 * words[name] + 0.6 * meaning[name] for name in words}
        best = sorted(mixed, key=lambda name: -mixed[name])[:3]
        assert [name for name, _ in found[first.query.id]] == best
        assert [score for _, score in found[first.query.id]] == pytest.approx([mixed[name] for name in best], abs=5e-3)


def test_a_hybrid_of_weight_1_keeps_bm25s_order(folder, tmp_path):
    found = performed(experiment(folder, "hybrid", hybrid_weight=1), tmp_path / "out")
    collection = open_collection(folder)
    for first in bm25(collection).search(collection.queries.values(), 10 * DEEPER):
        assert [name for name, _ in found[first.query.id]] == [doc.id for doc in first.docs[:10]]


@pytest.mark.parametrize("stage", ["dense", "hybrid"])
def test_own_and_excluded_documents_do_not_cost_a_place(folder, tmp_path, stage):
    best = performed(experiment(folder, stage, k=4), tmp_path / "free")
    own, *others = (name for name, _ in best["q0"])
    text = (folder / "queries.jsonl").read_text().replace('"q0"', f'"{own}"')
    (folder / "queries.jsonl").write_text(text)
    (folder / "qrels" / "test.tsv").write_text(f"{own}\td3\t1\n")
    (folder / "collection.json").write_text(json.dumps({"drop_self": True, "excluded": {own: others}}))
    found = performed(experiment(folder, stage, k=4), tmp_path / "out")
    assert len(found[own]) == 4
    assert not {own, *others} & {name for name, _ in found[own]}


def test_a_bm25_runs_manifest_says_what_it_always_said(folder, tmp_path):
    performed(experiment(folder, None, embedder=None, encoder=None), tmp_path / "out")
    told = manifest(tmp_path / "out")
    assert set(told) == {"versions", "recipe", "model", "collection", "first_stage", "options"}
    assert told["first_stage"] == {"kind": "bm25"}
    assert told["options"] == {
        "split": "test", "k": 10, "limit": None, "drop_self": False, "measures": ["nDCG@10", "RR@10", "R@100", "AP"]
    }  # fmt: skip


def test_a_manifest_names_the_embedding_model_and_how_it_was_asked(folder, tmp_path):
    encoder = BiEncoder("query: {query}", "passage: {document}", "last")
    performed(experiment(folder, encoder=encoder), tmp_path / "dense")
    dense_told = {
        "kind": "dense", "embedder": {"path": "a-model", "fingerprint": "digest"}, "query_template": "query: {query}",
        "document_template": "passage: {document}", "pool": "last",
    }  # fmt: skip
    assert manifest(tmp_path / "dense")["first_stage"] == dense_told
    performed(experiment(folder, "hybrid", encoder=encoder), tmp_path / "hybrid")
    assert manifest(tmp_path / "hybrid")["first_stage"] == {
        **dense_told,
        "kind": "hybrid",
        "weight": 0.2,
        "deeper": DEEPER,
    }


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, "first_stage.embedder.fingerprint: digest there, other now"),
        ({"encoder": BiEncoder("q: {query}")}, "first_stage.query_template"),
        ({"first_stage": "hybrid"}, "first_stage.kind: dense there, hybrid now"),
    ],
)
def test_another_first_stage_in_the_same_folder_is_refused(folder, tmp_path, change, differs):
    performed(experiment(folder), tmp_path / "out")
    with pytest.raises(DataError, match=differs):
        performed(experiment(folder, **change), tmp_path / "out", Digest("digest" if change else "other"))


def test_the_same_model_somewhere_else_goes_on(folder, tmp_path):
    performed(experiment(folder), tmp_path / "out")
    performed(experiment(folder, embedder="moved"), tmp_path / "out")


def test_templates_are_what_the_model_reads(folder, tmp_path):
    model = Digest()
    performed(experiment(folder, encoder=BiEncoder("query: {query}", "passage: {document}")), tmp_path / "out", model)
    assert model.asked[:40] == [f"passage: {text_of_doc(n)}" for n in range(40)]
    assert all(text.startswith("query: ") for text in model.asked[40:])


REFUSED = {
    "no-model": (
        {"embedder": None, "encoder": None},
        "dense needs an embedding model; give its folder with --embedder",
    ),
    "bm25-with-a-model": ({"first_stage": "bm25"}, "is for --first-stage dense or hybrid"),
    "nothing-with-a-model": ({"first_stage": None}, "is for --first-stage dense or hybrid"),
    "unknown": ({"first_stage": "sparse"}, "no first stage 'sparse'; give one of bm25, given, dense, hybrid"),
    "with-a-run": ({"run_file": "first.trec"}, "give one"),
    "weight-of-dense": ({"hybrid_weight": 0.5}, "hybrid weight 0.5: it is for --first-stage hybrid"),
    "weight-too-high": ({"first_stage": "hybrid", "hybrid_weight": 2}, "hybrid weight 2"),
    "no-folder": ({"encoder": None}, "a-model: no such folder of an embedding model"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_do_not_fit_are_refused_before_anything_is_done(folder, tmp_path, case):
    change, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        perform(experiment(folder, **change), tmp_path / "out", backend=flat(), embedder=Digest())
    assert not (tmp_path / "out").exists()
    assert not (folder / ".ponderank").exists()


def test_a_folder_without_a_model_is_refused(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no weights here"):
        perform(experiment(folder, embedder=tmp_path / "empty"), tmp_path / "out", backend=flat())


def test_vectors_of_another_model_are_refused_and_the_remedy_is_said(folder, tmp_path):
    collection = open_collection(folder)
    dense(collection, "a-model", BiEncoder(), folder=tmp_path / "i", embedder=Digest())
    with pytest.raises(DataError, match=r"another model.*give another folder, or delete this one"):
        dense(collection, "a-model", BiEncoder(), folder=tmp_path / "i", embedder=Digest("other"))


def test_vectors_of_a_corpus_that_changed_are_refused(folder, tmp_path):
    performed(experiment(folder), tmp_path / "out")
    with (folder / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "new", "text": "new"}\n')
    with pytest.raises(DataError, match=r"\.ponderank/dense-.*another corpus, or one that changed since"):
        performed(experiment(folder), tmp_path / "other")


def test_a_read_only_collection_keeps_its_vectors_in_the_users_cache(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder.chmod(0o555)
    performed(experiment(folder), tmp_path / "out")
    folder.chmod(0o755)
    assert not (folder / ".ponderank").exists()
    assert list((tmp_path / "cache").rglob("dense.json"))


def test_a_line_that_is_wrong_is_told_before_a_model_is_asked(folder, tmp_path):
    with (folder / "corpus.jsonl").open("a") as file:
        file.write("no json\n")
    model = Digest()
    with pytest.raises(DataError, match=r"corpus\.jsonl:41"):
        performed(experiment(folder), tmp_path / "out", model)
    assert model.asked == []


@pytest.fixture
def many(tmp_path):
    return written(tmp_path / "many", docs=MANY)


@pytest.mark.parametrize(("stop_after", "kept"), [(1_000, "0"), (1_100, "1,024"), (2_060, "2,048")])
def test_a_build_that_is_interrupted_says_how_far_it_is_and_goes_on(many, tmp_path, stop_after, kept):
    with pytest.raises(
        KeyboardInterrupt, match=rf"^{kept} of 2,100 documents have their vectors, in .*goes on from here"
    ):
        performed(experiment(many), tmp_path / "out", Digest(stop_after=stop_after))
    model = Digest()
    performed(experiment(many), tmp_path / "out", model)
    assert sum(" no" in text for text in model.asked) == MANY - int(kept.replace(",", ""))
    (many / ".ponderank").rename(tmp_path / "aside")
    performed(experiment(many), tmp_path / "undisturbed")
    for name in FINAL:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name


def test_progress_is_told_while_vectors_are_made_and_not_again(many, tmp_path):
    told = []
    collection = open_collection(many)
    dense(collection, "m", BiEncoder(), embedder=Digest(), on_progress=lambda *one: told.append(one))
    assert told[-1] == (MANY, MANY)
    assert {total for _, total in told} == {MANY}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) > 20
    told.clear()
    dense(collection, "m", BiEncoder(), embedder=Digest(), on_progress=lambda *one: told.append(one))
    assert told == []


def test_the_library_finds_candidates_by_words_by_meaning_and_by_both(folder):
    collection, queries = open_collection(folder), [Query("q", "wing heat")]
    vectors = dense(collection, "m", BiEncoder(), embedder=Digest())
    both = hybrid(collection, vectors, 0.3)
    for found in (bm25(collection), vectors, both):
        (one,) = found.search(queries, 5)
        assert len(one.docs) == 5
        with Reranker("default-alone", backend=flat()) as reranker:
            (ranking,) = reranker.rank_many([one])
        assert [doc.id for doc in ranking.docs] == [doc.id for doc in one.docs]


@pytest.mark.parametrize(("weight", "deeper"), [(-0.1, 1), (1.1, 1), (float("nan"), 1), (0.5, 0)])
def test_a_hybrid_of_no_sense_is_refused(folder, weight, deeper):
    from ponderank.retrieval.dense import Hybrid

    with pytest.raises(ValueError, match="weight"):
        Hybrid(None, None, weight, deeper)


def checkpoint(folder, prompts=None, pooling=None):
    folder.mkdir()
    if prompts is not None:
        (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        modules = [
            {"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ]
        (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def test_a_checkpoint_that_says_nothing_reads_bare_texts_and_takes_their_mean(tmp_path):
    assert encoder_of(checkpoint(tmp_path / "m")) == BiEncoder("{query}", "{document}", "mean")


@pytest.mark.parametrize("name", ["document", "passage", "corpus"])
def test_a_checkpoints_prompts_stand_before_the_texts(tmp_path, name):
    folder = checkpoint(tmp_path / "m", {"query": "query: ", name: "passage: ", "clustering": "c: "})
    assert encoder_of(folder) == BiEncoder("query: {query}", "passage: {document}")
    assert encoder_of(folder, query_template="{query}", document_template="{text}") == BiEncoder("{query}", "{text}")


POOLINGS = [
    ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "first"),
    ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
    ({"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True, "include_prompt": True}, "last"),
    ({"embedding_dimension": 4, "pooling_mode": "cls"}, "first"),
    ({"embedding_dimension": 4, "pooling_mode": "lasttoken"}, "last"),
    ({"embedding_dimension": 4}, "mean"),
]


@pytest.mark.parametrize(("pooling", "pool"), POOLINGS)
def test_a_checkpoints_pooled_token_is_taken(tmp_path, pooling, pool):
    folder = checkpoint(tmp_path / "m", pooling=pooling)
    assert encoder_of(folder).pool == pool
    assert encoder_of(folder, pool="first").pool == "first"


@pytest.mark.parametrize(
    ("pooling", "named"),
    [
        ({"pooling_mode_max_tokens": True}, "by max"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "by cls and mean"),
        ({"pooling_mode": ["cls", "mean"]}, "by .*cls.*mean"),
        ({"pooling_mode": "weightedmean"}, "by weightedmean"),
        ({"pooling_mode": "mean", "include_prompt": False}, "leaves out its prompt"),
    ],
)
def test_a_pooling_that_is_not_known_is_refused_unless_another_is_given(tmp_path, pooling, named):
    folder = checkpoint(tmp_path / "m", {"query": "query: "}, pooling)
    with pytest.raises(DataError, match=f"{named}.*--pool"):
        encoder_of(folder)
    assert encoder_of(folder, pool="last").pool == "last"


@pytest.mark.parametrize(
    "given", [{"query_template": "query"}, {"document_template": "{query}"}, {"pool": "max"}], ids=str
)
def test_a_template_without_its_text_or_an_unknown_pool_is_bad_input(tmp_path, given):
    with pytest.raises(DataError, match=next(iter(given))):
        encoder_of(checkpoint(tmp_path / "m"), **given)


def test_without_torch_the_extra_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    model = checkpoint(tmp_path / "m")
    Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(str(model / "tokenizer.json"))
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"")
    with pytest.raises(MissingExtra, match=r"pip install 'ponderank\[torch\]'"):
        perform(experiment(folder, embedder=model), tmp_path / "out", backend=flat())


@pytest.mark.torch
@pytest.mark.parametrize("stage", ["dense", "hybrid"])
def test_a_models_own_vectors_are_searched(tiny_bert, folder, tmp_path, stage):
    """The whole way in torch, against vectors that transformers gives by itself."""
    torch = pytest.importorskip("torch")
    import transformers

    model = tiny_bert()
    perform(experiment(folder, stage, embedder=model, encoder=None, k=40, hybrid_weight=None if stage == "dense" else 0),
            tmp_path / "out", backend=flat())  # fmt: skip
    bert = transformers.AutoModel.from_pretrained(model).eval()
    words = Tokenizer.from_file(str(model / "tokenizer.json"))

    def embedded(text):
        with torch.inference_mode():
            states = bert(input_ids=torch.tensor([words.encode(text).ids])).last_hidden_state[0]
        return torch.nn.functional.normalize(states.mean(0), dim=0)

    for line in (tmp_path / "out" / "trace.jsonl").read_text().splitlines():
        row = json.loads(line)
        query = embedded(open_collection(folder).queries[row["query"]].text)
        own = [float(query @ embedded(text_of_doc(int(doc["id"][1:])))) for doc in row["docs"]]
        assert len(own) == 40 or stage == "hybrid"
        assert all(a >= b - 2e-3 for a, b in pairwise(own))


@pytest.mark.torch
def test_the_first_stages_model_answers_nothing_from_memory(tiny_bert):
    """A query that equals a document would differ in its last bit from one that is read, so a resumed run from an undisturbed."""
    backend = embedder(tiny_bert())
    call = BiEncoder().of_document(Doc("d", "the cat"))
    for _ in range(2):
        ticket = backend.add(call)
        ((answered, reply),) = backend.step()
        assert answered == ticket
        assert reply.usage.cached_tokens == 0


@pytest.mark.torch
def test_a_dry_run_builds_the_index_and_asks_no_reranker(tiny_bert, folder):
    one = experiment(folder, embedder=tiny_bert(), encoder=None)
    told = []
    assert dry_run(one, on_vectors=lambda *done: told.append(done)).calls == 60
    assert told[-1] == (40, 40)
