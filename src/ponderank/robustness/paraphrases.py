"""The same question in other words, by rules that leave its meaning alone. English; rules and tables are ours."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+")
_ASKS = frozenset({
    "what", "which", "who", "whom", "whose", "when", "where", "why", "how", "is", "are", "was", "were", "do", "does", "did", "can",
    "could", "has", "have", "had", "will", "would", "should", "may",
})  # fmt: skip

_SYNONYMS = {
    "show": "demonstrate", "shows": "demonstrates", "showed": "demonstrated", "demonstrates": "shows", "demonstrated": "shown",
    "method": "approach", "methods": "approaches", "approach": "method", "approaches": "methods", "kind": "type", "kinds": "types",
    "types": "kinds", "big": "large", "large": "big", "larger": "bigger", "quick": "fast", "fast": "quick",
    "rapid": "quick", "quickly": "fast", "rapidly": "quickly", "begin": "start", "begins": "starts", "start": "begin",
    "starts": "begins", "help": "aid", "helps": "aids", "reduces": "lowers", "reduced": "lowered", "reducing": "lowering",
    "decreases": "lowers", "decreased": "lowered", "raises": "increases", "increases": "raises", "increased": "raised",
    "increasing": "raising", "many": "numerous", "numerous": "many", "several": "a number of", "buy": "purchase",
    "purchase": "buy", "children": "kids", "kids": "children", "doctor": "physician", "doctors": "physicians",
    "physician": "doctor", "physicians": "doctors", "car": "automobile", "cars": "automobiles", "illness": "disease",
    "illnesses": "diseases", "about": "regarding", "concerning": "regarding",
    "regarding": "about", "conducted": "carried out", "performed": "carried out", "using": "by means of",
    "requires": "needs", "needs": "requires",
    "prevents": "averts", "possible": "feasible", "feasible": "possible",
    "papers": "articles", "articles": "papers", "obtained": "gained", "difficult": "hard", "cure": "remedy", "forbidden": "banned",
    "happens": "occurs", "happen": "occur", "occurs": "happens", "occur": "happen", "assist": "help", "answer": "reply",
}  # fmt: skip
"""General words and others of the same meaning and part of speech; technical terms are left alone."""

_WHOLE = (
    ("behaviour", "behavior"), ("colour", "color"), ("tumour", "tumor"), ("vapour", "vapor"), ("favour", "favor"),
    ("labour", "labor"), ("neighbour", "neighbor"), ("flavour", "flavor"), ("harbour", "harbor"), ("fibre", "fiber"),
    ("centre", "center"), ("litre", "liter"), ("theatre", "theater"), ("programme", "program"), ("catalogue", "catalog"),
    ("analyse", "analyze"), ("analysed", "analyzed"), ("defence", "defense"), ("aluminium", "aluminum"), ("modelling", "modeling"),
    ("travelling", "traveling"), ("labelled", "labeled"), ("grey", "gray"),
)  # fmt: skip
"""British and American words, which may have one of ``_ENDS``: ``labor`` is one, ``laboratory`` is none."""

_BEGINNINGS = (
    ("haemo", "hemo"), ("haemato", "hemato"), ("leukaemi", "leukemi"), ("anaemi", "anemi"), ("ischaemi", "ischemi"),
    ("oesophag", "esophag"), ("oestrogen", "estrogen"), ("paediatric", "pediatric"), ("anaesthe", "anesthe"), ("foetus", "fetus"),
    ("foetal", "fetal"), ("diarrhoea", "diarrhea"), ("sulph", "sulf"),
)  # fmt: skip
"""British and American beginnings of words."""

_IZED = re.compile(
    r"((?:organ|character|hospital|polar|ion|stabil|optim|minim|maxim|local|general|recogn)i)([sz])(e|es|ed|ing|ations?|ers?|able)"
)
_ENDS = ("", "s", "al", "able", "hood", "less")


def framed(text: str) -> str:
    """The question inside a polite sentence: of what is already a question another sentence than of key words.

    >>> framed("what is a gene?")
    'Could you tell me: what is a gene?'
    >>> framed("gene therapy of ADA deficiency.")
    'Please find what is written about this: gene therapy of ADA deficiency'
    """
    bare = text.strip().rstrip(" .?")
    if not bare:
        return text
    return f"Could you tell me: {bare}?" if is_question(text) else f"Please find what is written about this: {bare}"


def is_question(text: str) -> bool:
    """Whether it ends with a question mark or begins with a word that asks.

    >>> is_question("why do magnets pull"), is_question("magnets")
    (True, False)
    """
    first = _WORD.search(text)
    return text.rstrip().endswith("?") or (first is not None and first.group().lower() in _ASKS)


def synonyms(text: str) -> str:
    """General words of a short table become others of the same meaning.

    >>> synonyms("Methods that reduces large errors")
    'Approaches that lowers big errors'
    """

    def other(match: re.Match[str]) -> str:
        word = match.group()
        named = word not in (word.lower(), word.capitalize(), word.upper())  # StART is the name of something
        return word if named else _cased(_SYNONYMS.get(word.lower(), word), word)

    return _WORD.sub(other, text)


def other_spelling(text: str) -> str:
    """British spelling becomes American and American British, by a table of beginnings of words.

    >>> other_spelling("Behaviour of tumor cells in an organism")
    'Behavior of tumour cells in an organism'
    """
    return _WORD.sub(lambda match: _respelt(match.group()), text)


def _respelt(word: str) -> str:
    low = word.lower()
    ized = _IZED.fullmatch(low)
    if ized:
        return _cased(ized[1] + ("z" if ized[2] == "s" else "s") + ized[3], word)
    for pairs, fits in ((_WHOLE, _ENDS.__contains__), (_BEGINNINGS, lambda rest: True)):
        for two in pairs:
            for there, here in (two, two[::-1]):
                # analyses is a noun more often than a verb, and is spelt so everywhere
                if low.startswith(there) and fits(low[len(there) :]) and low != "analyses":
                    return _cased(here + low[len(there) :], word)
    return word


def _cased(word: str, like: str) -> str:
    """The word in the case of another; a word that the table lacks is given as itself and stays."""
    if word.lower() == like.lower():
        return like
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
