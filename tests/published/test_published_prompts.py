"""The bytes that published rerankers were trained or run with, written out in full, and the source of each."""

import pytest

from ponderank.formats.graded import ERank, RetroStar, TFRank
from ponderank.formats.graded_prompts import DATASETS, rubric
from ponderank.formats.pair_form import PairForm
from ponderank.formats.yes_no import (
    BGE_GEMMA,
    FOLLOWIR,
    MONOT5,
    MT5_TRUE,
    MT5_YES,
    MXBAI_RERANK_V2,
    PTT5,
    QWEN3_RERANKER,
    RANKT5,
)
from ponderank.types import Classify, Doc, Query, text_of

QUERY, DOC = Query("q", "who wrote Hamlet?"), Doc("d", "Shakespeare wrote it.")


def said(prompt):
    """A prompt's own text, without names of turns."""
    return "".join(part.text for part in prompt)


@pytest.mark.parametrize(
    ("form", "labels"),
    [(MONOT5, ("true", "false")), (MT5_YES, ("yes", "no")), (MT5_TRUE, ("true", "false")), (PTT5, ("sim", "não"))],
)
def test_monot5_and_its_kin(form, labels):
    # pygaggle: model/tokenize.py, T5BatchTokenizer; rerank/transformer.py, prediction_tokens
    assert text_of(form.prompt(QUERY, DOC)) == "Query: who wrote Hamlet? Document: Shakespeare wrote it. Relevant:"
    assert form.labels == labels


def test_monot5_with_an_instruction():
    # FollowIR: models/rerankers/reranker_models.py, MonoT5Reranker.predict, f"{q} {i}".strip()
    prompt = MONOT5.prompt(Query("q", "who wrote Hamlet?", "Plays only."), DOC)
    assert text_of(prompt) == "Query: who wrote Hamlet? Plays only. Document: Shakespeare wrote it. Relevant:"


def test_rankt5():
    # rax: examples/t5x/tasks.py, _msmarco_preprocessor: "Query:", query, "Document:", passage joined by spaces
    assert text_of(RANKT5.prompt(QUERY, DOC)) == "Query: who wrote Hamlet? Document: Shakespeare wrote it."
    assert (RANKT5.labels, RANKT5.scale) == (("<extra_id_10>",), "logit")


def test_qwen3_reranker():
    # Qwen3-Embedding: README.md (transformers usage) and examples/qwen3_reranker_transformers.py
    assert text_of(QWEN3_RERANKER.prompt(QUERY, DOC)) == (
        "<|im_start|>system\n"
        "Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer "
        'can only be "yes" or "no".<|im_end|>\n'
        "<|im_start|>user\n"
        "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n"
        "<Query>: who wrote Hamlet?\n"
        "<Document>: Shakespeare wrote it.<|im_end|>\n"
        "<|im_start|>assistant\n"
        "<think>\n\n</think>\n\n"
    )
    assert QWEN3_RERANKER.labels == ("yes", "no")


def test_followir():
    # FollowIR: models/rerankers/reranker_models.py, FollowIRReranker; the instruction behind the query
    prompt = FOLLOWIR.prompt(Query("q", "who wrote Hamlet?", "Plays only."), DOC)
    assert text_of(prompt) == (
        "<s> [INST] You are an expert Google searcher, whose job is to determine if the following document is relevant to the "
        "query (true/false). Answer using only one word, one of those two choices.\n"
        "\n"
        "Query: who wrote Hamlet? Plays only.\n"
        "Document: Shakespeare wrote it.\n"
        'Relevant (only output one word, either "true" or "false"): [/INST] '
    )
    assert FOLLOWIR.labels == ("true", "false")


@pytest.mark.parametrize(
    ("instruction", "line"), [("", ""), ("Plays only.", "instruction: Plays only.\n")], ids=["without", "with"]
)
def test_mxbai_rerank_v2(instruction, line):
    # mxbai-rerank: mxbai_rerank/mxbai_rerank_v2.py, MxbaiRerankV2
    assert text_of(MXBAI_RERANK_V2.prompt(Query("q", "who wrote Hamlet?", instruction), DOC)) == (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n"
        f"{line}query: who wrote Hamlet?\n"
        "document: Shakespeare wrote it.\n"
        "You are a search relevance expert who evaluates how well documents match search queries. For each query-document pair, "
        "carefully analyze the semantic relationship between them, then provide your binary relevance judgment (0 for not "
        "relevant, 1 for relevant).\n"
        "Relevance:<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert MXBAI_RERANK_V2.labels == ("1", "0")


def test_bge_reranker_v2_gemma():
    # FlagEmbedding: inference/reranker/decoder_only/base.py, BaseLLMReranker
    assert text_of(BGE_GEMMA.prompt(QUERY, DOC)) == (
        "A: who wrote Hamlet?\n"
        "B: Shakespeare wrote it.\n"
        "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
        "prediction of either 'Yes' or 'No'."
    )
    assert (BGE_GEMMA.labels, BGE_GEMMA.scale) == (("Yes",), "logit")


def test_rankllama():
    # tevatron: examples/rankllama/data.py, RerankerTrainPreProcessor (title, space, text; no end token)
    doc = Doc("d", "Shakespeare wrote it.", "Hamlet")
    calls = next(PairForm().judge(QUERY, [doc], None))
    assert calls == [Classify("query: who wrote Hamlet?", "document: Hamlet Shakespeare wrote it.")]


def test_erank():
    # arXiv 2509.00520, figure 5: these words in this order; its line breaks could not be checked and are left out here
    prompt = ERank().prompt(Query("q", "who wrote Hamlet?", "Find the author."), DOC)
    assert {part.role for part in prompt} == {"user"}
    assert " ".join(said(prompt).split()) == (
        "Given a query and a document, please give a relevance score of 0 to 10. The goal or relevance definition is: Find the "
        "author. Here is the query: who wrote Hamlet? Here is the document: Shakespeare wrote it. After thinking, directly choose "
        "a relevance score from [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]. - 0 represents completely not related. - 10 means perfectly "
        "related. Desired output format: <think>put your thinking here</think><answer>Only allows an integer here</answer> "
        "Your output:"
    )


TFRANK = (
    "<|im_start|>system\n"
    "Based on the relevance of the Documents to the Query and the Instruct provided to complete the task.\n"
    "<|im_end|>\n"
    "<|im_start|>user\n"
    "<Instruct>: Please judge the relevance strength between the query and the document, and directly output the relevance "
    "judgment (yes or no), followed by the relevance score in parentheses, e.g., yes(score) or no(score).\n"
    "\n"
    "\n"
    "- Relevance scores are represented by numbers from 0 to 4, with the following meanings:\n"
    "0 means completely irrelevant,\n"
    "1 means weakly relevant,\n"
    "2 means moderately relevant,\n"
    "3 means strongly relevant,\n"
    "4 means completely relevant.\n"
    "\n"
    "- For binary relevance judgment (yes or no), the rule is:\n"
    'Scores 0 and 1 are considered irrelevant and represented as "no",\n'
    'Scores 2, 3, and 4 are considered relevant and represented as "yes".\n'
    "\n"
    "\n"
    "<Query>: who wrote Hamlet?\n"
    "\n"
    "\n"
    "<Document>: Shakespeare wrote it.{reminder} /no think\n"
    "<|im_end|>\n"
    "<|im_start|>assistant\n"
    "<think>\n\n</think>\n\n"
)


def test_tfrank():
    # TFRank: evaluation/run_eval.py, build_completion_prompt; user text from datasets_example/…yesno-score-nothink-pointwise
    assert text_of(TFRank().prompt(QUERY, DOC)) == TFRANK.format(reminder="")


def test_tfrank_as_its_runs_asked():
    # the same with try_num >= 1, which every scored prompt of the published loop has
    assert text_of(TFRank(reminder=True).prompt(QUERY, DOC)) == TFRANK.format(
        reminder="\nPlease directly output the relevance judgment (yes or no), followed by the relevance score in parentheses, "
        "e.g., yes(score) or no(score)."
    )


def test_retro_star():
    # agentic-search: Retro-star/evaluation/bright/reranker_sglang.py, get_prompt_template; reranker_prompts.py, "leetcode"
    prompt = RetroStar(dataset="leetcode").prompt(QUERY, DOC)
    assert {part.role for part in prompt} == {"user"}
    assert said(prompt) == (
        "Here is the **relevance definition** in a retrieval task: Given a query (LeetCode problem) and a document (coding problem "
        "solution), the document is relevant to the query if the underlying algorithms or data structures used in the document "
        "can provide helpful insights for solving the problem in the query.\n"
        "\n"
        "Now given a **query** (LeetCode problem) and a **document** (coding problem solution) in this retrieval task, your "
        "mission is to perform the following steps.\n"
        "\n"
        "1. Query Analysis: Think to reason and describe what information would be most helpful in answering the query.\n"
        "2. Document Analysis: Discuss how the information provided by the document fulfills or fails to fulfill the "
        "requirements implied by the query.\n"
        "3. Relevance Annotation: Based on the relevance definition and the insights from the previous two steps, clearly "
        "justify your final relevance annotation result and annotate an integer score from a scale of 0 to 100. Please use the "
        "following guide:\n"
        "    - **80-100 (Highly Relevant):** The document directly and comprehensively addresses the query's intent. It is a "
        "core and authoritative answer.\n"
        "    - **60-80 (Relevant):** The document substantially addresses the query's intent, providing most of the key "
        "information, but might miss some minor details.\n"
        "    - **40-60 (Moderately Relevant):** The document is on-topic and addresses a part of the query's intent, but it is "
        "not a comprehensive answer.\n"
        "    - **20-40 (Slightly Relevant):** The document mentions keywords from the query, but its main topic is different. "
        "It offers very limited value.\n"
        "    - **0-20 (Irrelevant):** The document does not address the query's intent at all and is off-topic.\n"
        "\n"
        "After providing your detailed analysis and justification for all the steps above, conclude your entire response with "
        "the final relevance score. The score must be placed strictly between the <score> tags. There should be no other text "
        "or explanation inside the tags:\n"
        "<score>\n"
        "[From a scale of 0 to 100, annotate the degree of relevance between the query and the document.]\n"
        "</score>\n"
        "\n"
        "Query (LeetCode problem):\n"
        "[Begin of Query]\n"
        "who wrote Hamlet?\n"
        "[End of Query]\n"
        "\n"
        "Document (coding problem solution):\n"
        "[Begin of Document]\n"
        "Shakespeare wrote it.\n"
        "[End of Document]\n"
    )


def test_retro_star_defines_relevance_for_every_subset_of_bright():
    # reranker_prompts.py, ReasoningBrightShortInstructions
    assert len(DATASETS) == 12
    assert rubric("biology") == (
        "biology post", "passage",
        "Given a query (biology post) and a document (passage), the document is relevant to the query if the critical concepts "
        "or theories discussed in the document can provide references for domain experts to draft an answer to the query.",
    )  # fmt: skip
    assert rubric("aops") == (
        "math problem", "math problem solution",
        "Given a query (math problem) and a document (math problem solution), the document is relevant to the query if the "
        "theorems used in the document can provide helpful insights for solving the problem in the query.",
    )  # fmt: skip
