"""Which recipes an engine and its model can run, and what keeps it from the others; nothing is ranked for it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ponderank.contracts import Backend
from ponderank.engines import ENGINES, kind_of
from ponderank.errors import BackendError, DataError, RecipeError
from ponderank.recipe import Recipe, nearest
from ponderank.recipes.needs import Needs
from ponderank.types import Attend, Call, Choose, Classify, Embed, Fused, Generate, Likelihood, Part, Reply

LANGUAGE: frozenset[type[Call]] = frozenset({Generate, Choose, Likelihood})
ANSWERS: dict[tuple[str, str], frozenset[type[Call]]] = {
    ("onnx", "classifier"): frozenset({Classify}),
    ("transformers", "classifier"): frozenset({Classify}),
    ("transformers", "language"): LANGUAGE,
    ("transformers", "encoder-decoder"): frozenset({Choose, Likelihood, Fused}),
    ("transformers", "embedder"): frozenset({Embed}),
    ("transformers", "attention"): frozenset({Attend}),
    ("llamacpp", "language"): LANGUAGE,
    ("vllm", "language"): LANGUAGE,
    ("http", "language"): LANGUAGE,
}
"""What backends answer, by engine and kind of model, without importing them; a test holds it against what they say."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an engine and a model answer.

    ``engine`` is one of ``engines.ENGINES`` or ``http``, ``calls`` what is answered by kind of model; ``model`` its name;
    ``estimates``: how a server that gives no log-probabilities makes do, empty if it need not; ``lacks``: why a call that such
    an engine could answer is missing here.
    """

    engine: str
    model: str
    calls: Mapping[str, frozenset[type[Call]]]
    estimates: str = ""
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Suited:
    """Whether a recipe runs, and the reason or a remark, empty if there is none."""

    runs: bool
    why: str = ""


def offered(engine: str, model: str | None = None) -> Offer:
    """What there is: a folder's architecture is read, a server asked three very short questions.

    Raises:
        RecipeError: no such engine.
        DataError: the model's folder has no ``config.json`` that can be read.
        BackendError: the server does not answer.
    """
    if engine.startswith(("http://", "https://")):
        return _served(engine, model)
    if engine not in ENGINES:
        raise RecipeError(
            f"no engine is named {engine!r}; {nearest(engine, ENGINES)}, or a URL such as http://127.0.0.1:8000/v1"
        )
    kinds = _kinds(engine, model)
    return Offer(
        engine,
        model or "",
        {kind: calls for (name, kind), calls in ANSWERS.items() if name == engine and kind in kinds},
    )


def suits(recipe: Recipe, offer: Offer, needs: Needs | None = None) -> Suited:
    """Whether a recipe runs on what is offered, each of its judges on its own.

    >>> from ponderank.recipes import find
    >>> suits(find("monobert-large"), Offer("http", "m", {"language": LANGUAGE})).why
    'asks for Classify; an engine that answers it: onnx, transformers'
    """
    remarks = []
    for judge in recipe.judges:
        form = judge.format
        if judge.model == "embedded" or not form.needs:
            continue  # runs by itself, whatever the engine
        if not any(form.needs <= calls for calls in offer.calls.values()):
            return Suited(False, _missing(form.needs, offer))
        if needs is not None and offer.engine not in needs.engines and offer.engine != "onnx":
            return Suited(False, f"needs {' or '.join(needs.engines)}")
        if judge.model and offer.model and _name(judge.model) != _name(offer.model):
            remarks.append(f"made for {judge.model}")
        if offer.estimates and Choose in form.needs:
            remarks.append(f"scores by {offer.estimates}")
    if not any(kind_of(judge.format) != "nothing" and judge.model != "embedded" for judge in recipe.judges):
        remarks.append("runs on the embedded model")
    return Suited(True, "; ".join(dict.fromkeys(remarks)))


def _missing(needs: frozenset[type[Call]], offer: Offer) -> str:
    asks = ", ".join(sorted(call.__name__ for call in needs))
    others = sorted({engine for (engine, _), calls in ANSWERS.items() if needs <= calls and engine != offer.engine})
    if offer.engine in {engine for (engine, _), calls in ANSWERS.items() if needs <= calls}:
        return f"asks for {asks}; {offer.lacks or 'this model is of another kind'}"
    return f"asks for {asks}; an engine that answers it: {', '.join(others) or 'none yet'}"


def _name(model: str) -> str:
    return model.rstrip("/").rpartition("/")[2].lower().removesuffix(".gguf")


def _kinds(engine: str, model: str | None) -> frozenset[str]:
    """The kinds of model that a folder may be; without a folder, all that the engine runs."""
    every = frozenset(kind for name, kind in ANSWERS if name == engine)
    if engine != "transformers" or model is None:
        return every
    path = Path(model) / "config.json"
    try:
        described = json.loads(path.read_text("utf-8"))
        names = " ".join(described.get("architectures") or ())
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"not a model's configuration: {error}", path=path) from error
    if described.get("is_encoder_decoder"):
        return frozenset({"encoder-decoder"})
    if "CausalLM" in names or "LMHead" in names:
        return frozenset({"language", "attention", "embedder"})
    return frozenset({"classifier"}) if "SequenceClassification" in names else frozenset({"embedder", "classifier"})


def _served(url: str, model: str | None) -> Offer:
    from ponderank.backends.http import HttpModel

    backend = HttpModel(url, model)
    try:
        named = backend.fingerprint  # meets the server
        hello = (Part("Say A or B.", trusted=True, role="user"),)
        if _asked(backend, Generate(hello, 1)) is None:
            raise BackendError(f"{url} serves {model or named!r} but writes nothing; is it a language model?")
        chosen = _asked(backend, Choose(hello, ("A", "B")))
        scored = _asked(backend, Likelihood((Part("Say A or B:", trusted=True),), " A"))
    finally:
        backend.close()
    given: set[type[Call]] = {Generate}
    given |= {call for call, reply in ((Choose, chosen), (Likelihood, scored)) if reply is not None}
    missing = sorted(call.__name__ for call in LANGUAGE - given)
    lacks = f"this server does not answer {', '.join(missing)}" if missing else ""
    return Offer("http", model or "", {"language": frozenset(given)}, chosen.estimate if chosen else "", lacks)


def _asked(backend: Backend, call: Call) -> Reply | None:
    """The reply to one call; None where the server has none to give."""
    backend.add(call)
    replies: list[tuple[int, Reply]] = []
    try:
        while not replies:
            replies = backend.step()
    except BackendError as error:
        if error.retryable or isinstance(call, Generate):
            raise
        return None  # such a call is not answered there, and the server says so
    ((_, reply),) = replies
    unscored = isinstance(call, Likelihood) and any(math.isnan(score) for score in reply.scores)
    return None if unscored or reply.finish in ("refused", "failed", "late") else reply
