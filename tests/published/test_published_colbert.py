"""ColBERT against its authors' code: what is read, which vectors count, MaxSim, and scores of a tiny checkpoint.

Recorded by ``record_colbert.py``. A query of more than 29 words is one difference: there it is cut, here it is not.
"""

import json
from pathlib import Path

import pytest
from cases_colbert import LENGTH, checkpoint, texts, vectors

from ponderank.formats.late_interaction import ColBERT, is_mark, maxsim
from ponderank.types import Doc, Query, text_of

RECORDED = json.loads((Path(__file__).parent / "colbert.json").read_text())
QUERIES, DOCS = texts()
LONG = 3


def test_the_sum_of_maxima_is_the_same():
    ours = []
    for seed in range(200):
        query = vectors(seed, 1 + seed % 32)
        ours += [maxsim(query, vectors(1000 + 10 * seed + i, 1 + (7 * seed + 5 * i) % 60)) for i in range(4)]
    assert ours == pytest.approx(RECORDED["made"], abs=1e-4)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from ponderank.backends.transformers_embedding import TorchEmbedder

    return TorchEmbedder(checkpoint(tmp_path_factory.mktemp("colbert")), device="cpu")


@pytest.mark.torch
@pytest.mark.parametrize("at", [i for i in range(len(QUERIES)) if i != LONG])
def test_a_query_is_read_the_same_and_its_masks_are_not_attended_to(embedder, at):
    ids, seen = RECORDED["queries"][at]
    ours = embedder.tokenizer.fit(ColBERT().of_query(Query("q", QUERIES[at]), embedder.tokenizer).prompt, 96).ids
    assert ours == ids
    assert [id_ != embedder._mask for id_ in ours] == [bool(x) for x in seen]


@pytest.mark.torch
def test_a_long_query_is_cut_there_and_whole_here(embedder):
    theirs, _ = RECORDED["queries"][LONG]
    ours = embedder.tokenizer.fit(ColBERT().of_query(Query("q", QUERIES[LONG]), embedder.tokenizer).prompt, 96).ids
    assert len(theirs) == 32
    assert ours == [*theirs[:-1], *[theirs[-2]] * 11, theirs[-1]]


@pytest.mark.torch
@pytest.mark.parametrize("at", range(len(DOCS)))
def test_a_document_is_read_the_same_and_the_same_vectors_count(embedder, at):
    ids, kept = RECORDED["docs"][at]
    call = ColBERT().of_document(Doc("d", DOCS[at]))
    assert embedder.context == LENGTH
    placed = embedder.tokenizer.fit(call.prompt, embedder.context)
    assert placed.ids == ids
    text = text_of(call.prompt)
    assert [i for i, (a, b) in enumerate(placed.spans) if not is_mark(text[a:b])] == kept


@pytest.mark.torch
@pytest.mark.parametrize("at", [i for i in range(len(QUERIES)) if i != LONG])
def test_the_scores_are_those_of_the_authors_model(embedder, at):
    dialogue = ColBERT(widest=100).judge(
        Query("q", QUERIES[at]), [Doc(str(i), doc) for i, doc in enumerate(DOCS)], embedder.tokenizer
    )
    tickets = [embedder.add(call) for call in next(dialogue)]
    replies = {}
    while len(replies) < len(tickets):
        replies.update(embedder.step())
    with pytest.raises(StopIteration) as end:
        dialogue.send([replies[ticket] for ticket in tickets])
    assert end.value.value.scores == pytest.approx(RECORDED["scores"][at], abs=2e-4)
