"""Cross-encoders, pointwise."""

from __future__ import annotations

from ponderank.formats.classify import CrossEncoder
from ponderank.formats.passages import Passages
from ponderank.recipe import Recipe
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise

_LONG = Passages(length=160, stride=120)
_MONOBERT = "monoBERT, arXiv 1901.04085"
_LATE = "late interaction, arXiv 2004.12832"
_EMBEDDED = CrossEncoder(_LONG)  # its prob: calibration.json in the model's folder

RECIPES = (
    Recipe("default", "embedded", _EMBEDDED, Pointwise(prior_weight=0.2), _LATE,
           "the embedded model, with the first stage's scores where they are known"),
    Recipe("default-alone", "embedded", _EMBEDDED, Pointwise(), _LATE, "the embedded model's own scores"),
    Recipe("default-fast", "embedded", _EMBEDDED, LayeredExit(k=10, exits=((2, 2.5),), prior_weight=0.2), _LATE,
           "candidates that are very unlikely to reach the top 10 leave before the first layer"),
    Recipe("monobert-large", "castorini/monobert-large-msmarco", CrossEncoder(), Pointwise(), _MONOBERT),
    Recipe("monobert-base", "nboost/pt-bert-base-uncased-msmarco", CrossEncoder(), Pointwise(), _MONOBERT),
    Recipe("minilm-l6", "cross-encoder/ms-marco-MiniLM-L6-v2", CrossEncoder(), Pointwise(), "MiniLM, arXiv 2002.10957"),
    Recipe("bge-reranker-base", "BAAI/bge-reranker-base", CrossEncoder(), Pointwise(), "C-Pack, arXiv 2309.07597"),
    Recipe("monobert-maxp", "castorini/monobert-large-msmarco", CrossEncoder(Passages(150, 75)), Pointwise(),
           "MaxP, arXiv 1905.09217", "long documents as passages"),
)  # fmt: skip
