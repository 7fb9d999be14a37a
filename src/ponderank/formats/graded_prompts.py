"""The prompts of rerankers that grade, and what Retro* is told of a data set. Interface strings.

Source: arXiv 2509.00520 (ERank); TFRank's ``evaluation/run_eval.py`` and the samples of its training data; agentic-search,
folder ``Retro-star/evaluation/bright``: ``reranker_sglang.py`` and ``reranker_prompts.py`` (BRIGHT, short documents).
"""

from __future__ import annotations

from ponderank.errors import RecipeError

ERANK = (
    "Given a query and a document, please give a relevance score of 0 to 10.\n"
    "The goal or relevance definition is: {instruction}\n\n"
    "Here is the query:\n{query}\n\nHere is the document:\n{document}\n\n"
    "After thinking, directly choose a relevance score from [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].\n"
    "- 0 represents completely not related.\n- 10 means perfectly related.\n\n"
    "Desired output format:\n<think>put your thinking here</think><answer>Only allows an integer here</answer>\n\nYour output:"
)
"""Words as in figure 5 of arXiv 2509.00520; its line breaks could not be checked."""

TFRANK_SYSTEM = "Based on the relevance of the Documents to the Query and the Instruct provided to complete the task."

TFRANK_TASK = (
    "Please judge the relevance strength between the query and the document, and directly output the relevance judgment "
    "(yes or no), followed by the relevance score in parentheses, e.g., yes(score) or no(score).\n\n\n"
    "- Relevance scores are represented by numbers from 0 to 4, with the following meanings:\n"
    "0 means completely irrelevant,\n1 means weakly relevant,\n2 means moderately relevant,\n3 means strongly relevant,\n"
    "4 means completely relevant.\n\n"
    "- For binary relevance judgment (yes or no), the rule is:\n"
    'Scores 0 and 1 are considered irrelevant and represented as "no",\n'
    'Scores 2, 3, and 4 are considered relevant and represented as "yes".\n\n\n'
)
"""What ``<Instruct>:`` is followed by, in the samples of the training data."""

TFRANK_REMINDER = (
    "\nPlease directly output the relevance judgment (yes or no), followed by the relevance score in parentheses, "
    "e.g., yes(score) or no(score)."
)
"""What ``evaluation/run_eval.py`` puts behind the document from the second try on."""

RETRO_STAR = (
    "Here is the **relevance definition** in a retrieval task: {definition}\n\n"
    "Now given a **query** ({kind}) and a **document** ({doc_kind}) in this retrieval task, your mission is to perform the "
    "following steps.\n\n"
    "1. Query Analysis: Think to reason and describe what information would be most helpful in answering the query.\n"
    "2. Document Analysis: Discuss how the information provided by the document fulfills or fails to fulfill the requirements "
    "implied by the query.\n"
    "3. Relevance Annotation: Based on the relevance definition and the insights from the previous two steps, clearly justify "
    "your final relevance annotation result and annotate an integer score from a scale of 0 to 100. Please use the following "
    "guide:\n"
    "    - **80-100 (Highly Relevant):** The document directly and comprehensively addresses the query's intent. It is a core "
    "and authoritative answer.\n"
    "    - **60-80 (Relevant):** The document substantially addresses the query's intent, providing most of the key "
    "information, but might miss some minor details.\n"
    "    - **40-60 (Moderately Relevant):** The document is on-topic and addresses a part of the query's intent, but it is not "
    "a comprehensive answer.\n"
    "    - **20-40 (Slightly Relevant):** The document mentions keywords from the query, but its main topic is different. It "
    "offers very limited value.\n"
    "    - **0-20 (Irrelevant):** The document does not address the query's intent at all and is off-topic.\n\n"
    "After providing your detailed analysis and justification for all the steps above, conclude your entire response with the "
    "final relevance score. The score must be placed strictly between the <score> tags. There should be no other text or "
    "explanation inside the tags:\n<score>\n"
    "[From a scale of 0 to 100, annotate the degree of relevance between the query and the document.]\n</score>\n\n"
    "Query ({kind}):\n[Begin of Query]\n{query}\n[End of Query]\n\n"
    "Document ({doc_kind}):\n[Begin of Document]\n{document}\n[End of Document]\n"
)
"""``reranker_sglang.py``; ``{kind}``, ``{doc_kind}`` and ``{definition}`` are the three of ``rubric``."""

_POST = (
    "if the critical concepts or theories discussed in the document can provide references for domain experts to draft an "
    "answer to the query."
)
_THEOREMS = "if the theorems used in the document can provide helpful insights for solving the problem in the query."

_KINDS: dict[str, tuple[str, str, str]] = {
    "biology": ("biology post", "passage", _POST),
    "earth_science": ("earth science post", "passage", _POST),
    "economics": ("economics post", "passage", _POST),
    "psychology": ("psychology post", "passage", _POST),
    "robotics": ("robotics post", "passage", _POST),
    "stackoverflow": ("Stack Overflow post", "passage", _POST),
    "sustainable_living": ("sustainable living post", "passage", _POST),
    "leetcode": ("LeetCode problem", "coding problem solution",
                 "if the underlying algorithms or data structures used in the document can provide helpful insights for "
                 "solving the problem in the query."),
    "pony": ("Pony coding instruction", "Pony documentation passage",
             "if the Pony syntax described in the document is necessary for beginners with no prior knowledge of Pony to "
             "complete the coding instruction in the query."),
    "aops": ("math problem", "math problem solution", _THEOREMS),
    "theoremqa_questions": ("math problem", "math problem solution", _THEOREMS),
    "theoremqa_theorems": ("math problem", "math-related passage",
                           "if the theorem described in the document can help solve the problem in the query."),
}  # fmt: skip
_DEFAULT = ("query", "document", "if the document can help answer the query.")

DATASETS = tuple(_KINDS)
"""The data sets with a definition of their own: BRIGHT's."""


def rubric(dataset: str) -> tuple[str, str, str]:
    """What queries and documents of a data set are called, and its definition of relevance; the default for ``""``.

    Raises:
        RecipeError: no data set by that name.

    >>> rubric("")[2]
    'Given a query (query) and a document (document), the document is relevant to the query if the document can help answer the query.'
    """
    if dataset and dataset not in _KINDS:
        raise RecipeError(f"no rubric is named {dataset!r}; known: {', '.join(DATASETS)}, or none for the default")
    query, document, condition = _KINDS[dataset] if dataset else _DEFAULT
    return (
        query,
        document,
        f"Given a query ({query}) and a document ({document}), the document is relevant to the query {condition}",
    )
