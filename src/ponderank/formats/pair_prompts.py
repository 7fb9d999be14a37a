"""What rerankers that compare two passages are asked. Interface strings.

Source: llm-rankers ``llmrankers/pairwise.py`` (``PairwiseLlmRanker``, ``OpenAiPairwiseLlmRanker``, ``DuoT5LlmRanker``);
LLM-RankFusion ``rankers/pairwise.py``: ``OpenAiPairwiseLlmRanker`` (one letter), ``create_icl`` (examples); pygaggle
``model/tokenize.py`` (``T5DuoBatchTokenizer``).
"""

from __future__ import annotations

_SELECTS = (
    "You are RankGPT, an intelligent assistant specialized in selecting the most relevant passage from a pair of passages based "
    "on their relevance to the query."
)

PRP_SYSTEM = {"chat": _SELECTS, "letter": f"{_SELECTS} You should only output a single letter 'A' or 'B'."}
"""The system turn, by style; the others have none."""

_ASKED = 'Given a query "{query}", which of the following two passages is more relevant to the query?'
_PASSAGES = 'Passage A: "{first}"\n\nPassage B: "{second}"'

PRP_ASKED = {
    "chat": f"{_ASKED}\n        \n{_PASSAGES}\n\nOutput Passage A or Passage B:",
    "letter": f"{_ASKED}\n        \n{_PASSAGES}\n\nOutput A or B:",
    "begun": f"{_ASKED}\n\n{_PASSAGES}\n\nOutput Passage A or Passage B:",
    "raw": f"{_ASKED}\n\n{_PASSAGES}\n\nOutput Passage A or Passage B:",
}
"""The question, by style. The line of spaces is the authors' own."""

PRP_ANSWERED = {"chat": "Passage {}", "letter": "{}", "begun": "Passage: {}", "raw": "<pad> Passage {}"}
"""How an example is answered, by style."""

DUO_T5 = "Query: {query} Document0: {first} Document1: {second} Relevant:"
