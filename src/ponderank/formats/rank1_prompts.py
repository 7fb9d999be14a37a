"""The authors' prompts by dataset: what the query is put into before the model judges a passage.

Source: ``prompts.py`` of the Rank1 repository (``CODE``) and Table 10 of arXiv 2502.18418 (``PAPER``, only where the wording
differs; white space at the ends does not count). Interface strings: the models were run with these bytes.
"""

from __future__ import annotations

from ponderank.errors import RecipeError

PLACE = "FILL_QUERY_HERE"
"""Stands for the query."""

CODE: dict[str, str] = {
    "SciFact": (
        "Claim: FILL_QUERY_HERE\n\n"
        "A relevant passage would provide evidence that either **supports** or **refutes** this "
        "claim. A passage with any information on any related subpart should be relevant."
    ),
    "ClimateFEVER": (
        "I am looking to write an essay for and need to find evidence the supports or contradict "
        "this statement:\n\n"
        "FILL_QUERY_HERE\n\n"
        "If the passage provides information that supports or contradicts it in any way it is "
        "relevant so I can cite it.\n\n"
    ),
    "TRECCOVID": ("FILL_QUERY_HERE If the article answers any part of the question it is relevant."),
    "ArguAna": (
        "I am looking to write an essay and need to find counterarguments against this statement:\n\n"
        "FILL_QUERY_HERE\n\n"
        "Does this passage have any counterargument or evidence that could be used to help me?\n\n"
    ),
    "DBPedia": (
        "I am looking to write an essay on this topic and need as much related background "
        "information to help me. The topic is:\n\n"
        "FILL_QUERY_HERE\n\n"
        "If the passage provides any background information that could be connected it is relevant.\n\n"
    ),
    "FiQA2018": ("FILL_QUERY_HERE Find a passage that would be a good answer from StackExchange."),
    "NFCorpus": (
        "Topic: FILL_QUERY_HERE\n\n"
        "Given the above topic, I need to learn about all aspects of it. It does not need to be "
        "directly relevant, only tangentially informational. Please mark as relevant any passages "
        "with even weak connections. I need to learn fast for my job, which means I need to "
        "understand each part individually.\n\n"
        "Again remember, any connection means relevant even if indirect. So if it is not addressed, "
        "that is okay -- it does not need to be explicitly. \n\n"
        "Find me passages with any type of connection, including weak connections!!!!"
    ),
    "Touche2020": (
        "I am looking to write an essay and need to find arguments for or against this statement:\n\n"
        "FILL_QUERY_HERE\n\n"
        "Does this passage have any argument or evidence that could be used to help me?\n\n"
    ),
    "SCIDOCS": (
        "papers that could be cited in FILL_QUERY_HERE. Anything with even indirect relevance should "
        "be relevant. This includes papers in the same broader field of science"
    ),
    "BrightRetrieval_aops": (
        "Find different but similar math problems to FILL_QUERY_HERE\n\n"
        "A document is relevant if it uses the same class of functions and shares **any** "
        "overlapping techniques."
    ),
    "BrightRetrieval_theoremqa_questions": (
        "Find a passage which uses the same mathematical process as this one: FILL_QUERY_HERE"
    ),
    "BrightRetrieval_leetcode": (
        "I am looking to find different problems that share similar data structures (of any kind) or "
        "algorithms (e.g. DFS, DP, sorting, traversals, etc.). I am looking for problems that share "
        "one or both of these similarities to this:\n"
        "    \n"
        "FILL_QUERY_HERE\n\n"
        "Does this passage share any similarities? e.g. if there was a textbook on leetcode "
        "problems, this would be in the same book even though it could be in a different chapter. \n\n\n"
    ),
    "BrightRetrieval_pony": (
        "I will use the programming language pony. Problem: FILL_QUERY_HERE\n\n"
        "But to solve the problem above, I need to know things about pony. A passage is relevant if "
        "it contains docs that match **any** part (even basic parts) of the code I will have to "
        "write for the above program."
    ),
    "BrightRetrieval": (
        "Can you find background information about the concepts used to answer the question:\n\n"
        "FILL_QUERY_HERE\n\n"
        "A passage is relevant if it contains background information about a **sub-concept** that "
        "someone might cite/link to when answering the above question."
    ),
}
"""By task, or task and subset with ``_`` between."""

CODE["BrightRetrieval_theoremqa_theorems"] = CODE["BrightRetrieval_theoremqa_questions"]

PAPER: dict[str, str] = {
    "ClimateFEVER": (
        "Claim: FILL_QUERY_HERE\n\n"
        "A relevant passage would provide evidence that either **supports** or **refutes** this "
        "claim. A passage with any information on any related subpart should be relevant."
    ),
    "NFCorpus": (
        "Topic: FILL_QUERY_HERE\n\n"
        "Given the above topic, I need to learn about all aspects of it. It does not need to be "
        "directly relevant, only tangentially informational. Please mark as relevant any passages "
        "with even weak connections. I need to learn fast for my job, which means I need to "
        "understand each part individually.\n\n"
        "Again remember, any connection means relevant even if indirect. So if it is not addressed, "
        "that is okay – it does not need to be explicitly.\n\n"
        "Find me passages with any type of connection, including weak connections!!!!"
    ),
    "Touche2020": ("FILL_QUERY_HERE **any** arguments for or against"),
    "BrightRetrieval_leetcode": (
        "I am looking to find different problems that share similar data structures (of any kind) or "
        "algorithms (e.g. DFS, DP, sorting, traversals, etc.). I am looking for problems that share "
        "one or both of these similarities to this:\n\n"
        "FILL_QUERY_HERE\n\n"
        "Does this passage share any similarities? e.g. if there was a textbook on leetcode "
        "problems, this would be in the same book even though it could be in a different chapter."
    ),
    "BrightRetrieval_pony": (
        "I will use the programming language pony. Problem: FILL_QUERY_HERE\n\n"
        "But to solve the problem above, I need to know things about pony. A passage is relevant if "
        "it contains docs that match any part (even basic parts) of the code I will have to write "
        "for the above program."
    ),
}
"""Where the paper words it differently."""


def query_template(dataset: str, wording: str = "code") -> tuple[str, str]:
    """What stands before and after the query for a dataset; two empty strings for none.

    A subset without a prompt of its own has its task's: ``BrightRetrieval_biology`` that of ``BrightRetrieval``.

    Raises:
        RecipeError: no prompt by that name, or a wording that is not ``"code"`` or ``"paper"``.

    >>> query_template("SciFact")[0]
    'Claim: '
    """
    if wording not in ("code", "paper"):
        raise RecipeError(f"wording is {wording!r}; give 'code' or 'paper'")
    if not dataset:
        return "", ""
    table = CODE if wording == "code" else {**CODE, **PAPER}
    name = dataset if dataset in table else dataset.partition("_")[0]
    if name not in table:
        raise RecipeError(
            f"no dataset prompt is named {dataset!r}; known: {', '.join(sorted(CODE))} (others were run with the bare query)"
        )
    before, _, after = table[name].partition(PLACE)
    return before, after
