"""What rerankers that name the best of several passages are asked. Interface strings.

Source: llm-rankers ``llmrankers/setwise.py``; its folder ``Rank-R1/prompts``: ``prompt_setwise-R1.toml`` (0.1),
``prompt_setwise-R1-v0.2.toml`` (0.2), ``prompt_setwise.toml`` (without a thought).
"""

from __future__ import annotations

SETWISE_SYSTEM = (
    "You are RankGPT, an intelligent assistant specialized in selecting the most relevant passage from a pool of passages "
    "based on their relevance to the query."
)

SETWISE_ASKED = (
    'Given a query "',
    '", which of the following passages is the most relevant one to the query?\n\n',
)
"""What stands before and behind the query."""

_END = "Output only the passage label of the most relevant passage"

SETWISE_ENDS = {"chat": f"{_END}.", "begun": f"{_END}:", "raw": f"{_END}:"}
"""What stands behind the passages, by style."""

RANK_R1_SYSTEM = {
    "0.1": (
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first "
        "thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning process and "
        "answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process "
        "here </think> <answer> answer here </answer>."
    ),
    "0.2": (
        "You are RankLLM, an intelligent assistant capable of evaluating the relevancy of passages to a given query."
    ),
    "direct": (
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant provides "
        "the user with the answer enclosed within <answer> </answer> tags, i.e., <answer> answer here </answer>."
    ),
}

_ASKED = 'Given the query: "{query}", which of the following documents is most relevant?\n{docs}\n'
_LABEL = (
    "provide only the label of the most relevant document to the query, enclosed in square brackets, within the answer tags. "
    "For example, if the third document is the most relevant, the answer should be: "
)

RANK_R1_USER = {
    "0.1": (
        f"{_ASKED}After completing the reasoning process, please {_LABEL}"
        "<think> reasoning process here </think> <answer>[3]</answer>."
    ),
    "0.2": (
        "You will be presented with a query, and a set of documents.\n\n"
        "Your task consists of the following step:\n\n"
        "1. Analyze the query: Carefully read the query and identify the core problem or question being asked.\n\n"
        "2. Analyze the documents: Thoroughly examine each document and briefly explain how each document is relevant or not "
        "relevant to the query.\n\n"
        "3. Find the most relevant document: Based on your analysis, select the most relevant document to the query from the set "
        "and briefly explain why.\n\n"
        "Important: Provide your analysis within the <think> </think> tags and answer only the label of the most relevant "
        "document, enclosed in square brackets, within the <answer> </answer> tags. For example, if the third document is the "
        "most relevant, your response should be:\n<think> Your analysis here </think>\n<answer>[3]</answer>\n\n"
        "Here is the query: {query}\n\nHere are the documents:\n{docs}"
    ),
    "direct": f"{_ASKED}Please {_LABEL}<answer>[3]</answer>.",
}
"""By version; ``{docs}`` are the passages."""
