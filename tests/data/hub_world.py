"""Small folders in the shape of hub data sets: a README that lists configurations, and JSONL files."""

import json


def write_dataset(folder, configs):
    """`configs`: {configuration: {split: rows}}; the configuration "default" needs no name when loading."""
    folder.mkdir(parents=True, exist_ok=True)
    head = ["---", "configs:"]
    for config, splits in configs.items():
        head += [f"- config_name: {config}", "  data_files:"]
        for split, rows in splits.items():
            path = folder / config / f"{split}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
            head += [f"  - split: {split}", f"    path: {config}/{split}.jsonl"]
    (folder / "README.md").write_text("\n".join([*head, "---", ""]), "utf-8")
    return folder


def bright(folder):
    examples = [
        {"query": "why do leaves fall?", "reasoning": "r", "id": "0", "excluded_ids": ["d3"], "gold_ids_long": ["L1"],
         "gold_ids": ["d1"], "gold_answer": "a"},
        {"query": "why is the sky blue?", "reasoning": "r", "id": "1", "excluded_ids": ["N/A"], "gold_ids_long": ["L2"],
         "gold_ids": ["d2"], "gold_answer": "a"},
    ]  # fmt: skip
    thought = [{**row, "query": f"Let us think. {row['query']}"} for row in examples]
    documents = [
        {"id": "d1", "content": "leaves fall in autumn because of a layer of cells"},
        {"id": "d2", "content": "the sky is blue because of scattering"},
        {"id": "d3", "content": "why do leaves fall? why do leaves fall?"},
    ]
    long_documents = [{"id": "L1", "content": "all about leaves"}, {"id": "L2", "content": "all about the sky"}]
    return write_dataset(
        folder,
        {
            "examples": {"biology": examples},
            "documents": {"biology": documents},
            "long_documents": {"biology": long_documents},
            "gpt4_reason": {"biology": thought},
        },
    )


def nevir(folder):
    rows = [
        {"id": f"{n}-0", "WorkerId": 1, "q1": f"who won {n}?", "q2": f"who lost {n}?", "doc1": f"Ann won {n}.",
         "doc2": f"Ann did not win {n}."}
        for n in range(2)
    ]  # fmt: skip
    return write_dataset(folder, {"default": {"train": rows[:1], "validation": rows[:1], "test": rows}})


def followir(folder):
    return write_dataset(
        folder,
        {
            "corpus": {
                "corpus": [{"_id": "a", "title": "T", "text": "about art"}, {"_id": "b", "title": "", "text": "x"}]
            },
            "queries": {"queries": [{"_id": "7-og", "text": "art"}, {"_id": "7-changed", "text": "art"}]},
            "instruction": {
                "instruction": [
                    {"query-id": "7-og", "instruction": "anything"},
                    {"query-id": "7-changed", "instruction": "not art"},
                ]
            },
            "default": {
                "test": [
                    {"query-id": "7-og", "corpus-id": "a", "score": 1},
                    {"query-id": "7-og", "corpus-id": "b", "score": 1},
                    {"query-id": "7-changed", "corpus-id": "a", "score": 0},
                    {"query-id": "7-changed", "corpus-id": "b", "score": 1},
                ]
            },
            "top_ranked": {
                "top_ranked": [
                    {"query-id": "7-og", "corpus-ids": ["b", "a"]},
                    {"query-id": "7-changed", "corpus-ids": ["b", "a"]},
                ]
            },
            "qrel_diff": {"qrel_diff": [{"query-id": "7", "corpus-ids": ["a"]}]},
        },
    )


def by_language(folder, shape, language, split):
    """mteb's layout with a language: `shape` is "{language}-{part}" (MIRACL) or "{part}-{language}" (mFollowIR)."""
    parts = {
        "corpus": [{"_id": "a", "title": "Paka", "text": "paka ni mnyama"}, {"_id": "b", "title": "", "text": "mti"}],
        "queries": [{"_id": "q1", "text": "paka ni nini?"}],
        "default" if shape.startswith("{part}") else "qrels": [{"query-id": "q1", "corpus-id": "a", "score": 1}],
    }
    configs = {
        shape.format(part=part, language=language): {split if part in ("default", "qrels") else part: rows}
        for part, rows in parts.items()
    }
    return write_dataset(folder, configs)


def xquad(folder):
    rows = [
        {"id": f"q{n}", "context": f"Absatz {n // 2}", "question": f"Was steht in {n}?",
         "answers": {"text": ["x"], "answer_start": [0]}}
        for n in range(4)
    ]  # fmt: skip
    return write_dataset(folder, {"xquad.de": {"validation": rows}})


def condaqa_row(**more):
    row = {
        "QuestionID": "q10", "PassageID": 4, "PassageEditID": 0, "SampleID": 1, "label": "YES", "original cue": "rarely",
        "sentence1": "They rarely go.", "sentence2": "Do they stay?", "original passage": "They rarely go.",
        "original sentence": "They rarely go.",
    }  # fmt: skip
    return {**row, **more}


def condaqa(folder):
    folder.mkdir(parents=True)
    rows = [
        condaqa_row(),
        condaqa_row(PassageEditID=1, sentence1="They seldom go.", SampleID=2),
        condaqa_row(PassageEditID=3, sentence1="They often go.", label="NO", SampleID=3),
        condaqa_row(QuestionID="q20", label="DON'T KNOW", SampleID=4),
    ]
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
