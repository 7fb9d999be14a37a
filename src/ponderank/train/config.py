"""The training file: TOML to frozen dataclasses, with every key checked and every value on record."""

from __future__ import annotations

import dataclasses
import importlib.util
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponderank.errors import DataError
from ponderank.recipe import nearest

KINDS = ("none", "easy-to-hard", "hard-to-easy")
DIFFICULTIES = ("reciprank", "normscore", "kdescore")


@dataclass(frozen=True, slots=True)
class Model:
    """Where training starts.

    ``start`` is a folder, or ``python:PACKAGE/FOLDER`` inside an installed package. ``architecture`` is ``"bert"`` (any
    sequence classifier; ``labels`` 1 or 2) or ``"split-bert"`` (``models.split_bert``, started from a bi-encoder).
    ``sketch`` > 0 gives the split model a sketch of that many dimensions, taught before the rest by the ``[teacher]``;
    ``sketch_share`` > 0 replaces the share that it learned. ``late_interaction`` is what the MaxSim of the start's token
    states counts in the score to begin with, and, with a sketch, again the MaxSim weighted by its words.
    Layers under ``freeze_below`` do not learn; ``keep_frozen`` keeps in memory what a split model's say of each text.
    """

    start: str
    architecture: str = "bert"
    labels: int = 1
    join_layer: int = 4
    exits: tuple[int, ...] = (0, 2, 4, 6)
    scale: float = 20.0
    sketch: int = 0
    sketch_share: float = 0.0
    late_interaction: float = 0.0
    freeze_below: int = 0
    keep_frozen: bool = False
    max_length: int = 128


@dataclass(frozen=True, slots=True)
class Data:
    """One collection in BEIR layout.

    ``queries`` judged queries are drawn, and ``synthetic`` unjudged ones are cut from passages (keywords or a sentence).
    ``passages`` limits the corpus that negatives are searched in. Documents are cut to one of ``words``, drawn for each
    document; ``titles`` is the share of documents that keep their title.
    """

    folder: str
    split: str = "train"
    queries: int = 1_000_000
    synthetic: int = 0
    passages: int = 1_000_000
    words: tuple[int, ...] = (40, 56, 56, 80)
    titles: float = 0.5


@dataclass(frozen=True, slots=True)
class Negatives:
    """From our BM25's top ``depth``: ``hard`` of the first ``head``, the rest of ``per_query`` from anywhere below."""

    per_query: int = 7
    depth: int = 60
    hard: int = 4
    head: int = 12


@dataclass(frozen=True, slots=True)
class Curriculum:
    """What is drawn when, by how relevant the first stage finds each document (``train.draws``); nothing by default.

    ``kind`` is ``"easy-to-hard"`` or ``"hard-to-easy"``: queries are drawn in proportion to their curriculum weights, until
    all weigh the same after ``share`` of the steps (0: they never do). ``difficulty`` is ``"reciprank"``, ``"normscore"`` or
    ``"kdescore"``. ``pool`` > 0 keeps that many of BM25's best negatives for each query, of which every step draws
    ``negatives.per_query``, at a temperature that falls from the first to the second of ``temperatures``.
    """

    kind: str = "none"
    difficulty: str = "reciprank"
    share: float = 0.5
    pool: int = 0
    temperatures: tuple[float, ...] = (0.05, 0.001)

    @property
    def on(self) -> bool:
        """Whether anything is drawn otherwise than in shuffled order."""
        return self.kind != "none" or self.pool > 0


@dataclass(frozen=True, slots=True)
class Teacher:
    """Whom to learn from beside the labels: ``scale * cosine`` of a bi-encoder plus ``bm25 * z(BM25)``, plus
    ``late_interaction`` times the MaxSim of its token states, plain and weighted by idf (``train.teacher``).

    A list loss learns ``teacher + label_weight * label``; ``MarginMSELoss`` the differences of that to the positive's.
    Without a ``folder`` the labels stand alone.
    """

    folder: str = ""
    scale: float = 20.0
    bm25: float = 0.6
    late_interaction: float = 0.0
    label_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Training:
    """How long and how fast; 0 steps leave the start as it is.

    ``average`` last checkpoints are averaged; ``keep_start`` mixes the start's weights back in.
    """

    loss: str = "BinaryCrossEntropyLoss"
    loss_options: dict[str, Any] = field(default_factory=dict)
    steps: int = 1000
    batch_queries: int = 4
    learning_rate: float = 2e-5
    head_learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    seed: int = 0
    threads: int = 0
    save_every: int = 100
    evaluate_every: int = 100
    patience: int = 5
    average: int = 1
    keep_start: float = 0.0
    sketch_steps: int = 1500


@dataclass(frozen=True, slots=True)
class Dev:
    """A collection to watch: nDCG@10 of reranking BM25's top ``depth`` for ``queries`` judged queries."""

    folder: str
    split: str = "dev"
    queries: int = 50
    depth: int = 30


@dataclass(frozen=True, slots=True)
class Config:
    """A whole training file."""

    model: Model
    data: tuple[Data, ...]
    negatives: Negatives = field(default_factory=Negatives)
    curriculum: Curriculum = field(default_factory=Curriculum)
    teacher: Teacher = field(default_factory=Teacher)
    training: Training = field(default_factory=Training)
    dev: tuple[Dev, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Every setting, defaults included."""
        return dataclasses.asdict(self)


def read(path: str | Path, settings: tuple[str, ...] = ()) -> Config:
    """Read a training file; ``settings`` are ``section.key=value`` replacements, values in TOML's words.

    Raises:
        DataError: no such file, malformed TOML, an unknown or missing key, a value of the wrong type.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("no such training file", path=path)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"malformed TOML: {error}", path=path) from error
    for setting in settings:
        _replace(values, setting)
    config = config_of(values, path)
    _check(config, path)
    return config


def config_of(values: dict[str, Any], path: Path) -> Config:
    """The configuration in a mapping, as a file or ``Config.to_dict`` gives it; what is missing takes its default.

    Raises:
        DataError: an unknown or missing key, or a value of the wrong type.
    """
    config: Config = _made(Config, values, "", path)
    return config


def resolve(folder: str) -> Path:
    """The folder that a setting names; ``python:PACKAGE/FOLDER`` is inside an installed package.

    Raises:
        DataError: there is none.
    """
    if folder.startswith("python:"):
        package, _, rest = folder.removeprefix("python:").partition("/")
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise DataError(f"{folder!r} needs the Python package {package!r}: pip install {package.replace('_', '-')}")
        path = Path(spec.submodule_search_locations[0]) / rest
    else:
        path = Path(folder).expanduser()
    if not path.is_dir():
        raise DataError("no such folder", path=path)
    return path


def _replace(values: dict[str, Any], setting: str) -> None:
    name, equals, value = setting.partition("=")
    keys = name.split(".")
    if not equals or len(keys) != 2:
        raise DataError(f"--set {setting!r}: expected section.key=value, as in training.steps=100")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    section = values.setdefault(keys[0], {})
    if not isinstance(section, dict):
        raise DataError(f"--set {setting!r}: [[{keys[0]}]] is a list; edit the file instead")
    section[keys[1]] = parsed


def _made(kind: Any, values: Any, where: str, path: Path) -> Any:
    if not isinstance(values, dict):
        raise DataError(f"[{where}] should be a table, found {values!r}", path=path)
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}
    made = {}
    for key, value in values.items():
        name = f"{where}.{key}".strip(".")
        if key not in known:
            raise DataError(f"unknown key {name!r}; {nearest(key, known)}", path=path)
        made[key] = _value(hints[key], value, name, path)
    for key, spec in known.items():
        if key not in made and spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise DataError(f"the key {f'{where}.{key}'.strip('.')!r} is missing", path=path)
    return kind(**made)


def _value(hint: Any, value: Any, name: str, path: Path) -> Any:
    if dataclasses.is_dataclass(hint):
        return _made(hint, value, name, path)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise DataError(f"{name!r} should be a list, found {value!r}", path=path)
        return tuple(_value(typing.get_args(hint)[0], item, name, path) for item in value)
    plain = typing.get_origin(hint) or hint
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(plain, types.UnionType | type) and not isinstance(value, plain):
        raise DataError(f"{name!r} should be {getattr(plain, '__name__', plain)}, found {value!r}", path=path)
    return value


def _check(config: Config, path: Path) -> None:
    if config.model.architecture not in ("bert", "split-bert"):
        raise DataError(
            f"model.architecture is {config.model.architecture!r}; {nearest(config.model.architecture, ['bert', 'split-bert'])}",
            path=path,
        )
    if config.model.labels not in (1, 2):
        raise DataError(f"model.labels is {config.model.labels}; 1 (one logit) or 2 (monoBERT)", path=path)
    spec = config.model
    inside = [layer for layer in spec.exits if 0 < layer < spec.join_layer]
    if spec.keep_frozen and (spec.architecture != "split-bert" or spec.freeze_below < spec.join_layer or inside):
        raise DataError(
            "model.keep_frozen needs split-bert, freeze_below of at least join_layer, and no exit between 0 and join_layer",
            path=path,
        )
    if spec.sketch and (spec.architecture != "split-bert" or not config.teacher.folder):
        raise DataError("model.sketch needs split-bert and a [teacher] with a folder", path=path)
    if config.training.steps < 0:
        raise DataError(f"training.steps is {config.training.steps}; give 0 or more", path=path)
    if not config.data:
        raise DataError("there is no [[data]]", path=path)
    if config.negatives.hard > config.negatives.per_query:
        raise DataError("negatives.hard is larger than negatives.per_query", path=path)
    _check_curriculum(config, path)


def _check_curriculum(config: Config, path: Path) -> None:
    spec = config.curriculum
    for name, value, allowed in (("kind", spec.kind, KINDS), ("difficulty", spec.difficulty, DIFFICULTIES)):
        if value not in allowed:
            raise DataError(f"curriculum.{name} is {value!r}; {nearest(value, allowed)}", path=path)
    if not 0 <= spec.share <= 1:
        raise DataError(f"curriculum.share is {spec.share}; give a share of the steps from 0 to 1", path=path)
    if spec.pool and not config.negatives.per_query <= spec.pool <= config.negatives.depth:
        raise DataError(
            f"curriculum.pool is {spec.pool}; give 0, or from negatives.per_query ({config.negatives.per_query}) to "
            f"negatives.depth ({config.negatives.depth})",
            path=path,
        )
    if len(spec.temperatures) != 2 or min(spec.temperatures) <= 0:
        raise DataError(f"curriculum.temperatures is {list(spec.temperatures)}; give two numbers above 0", path=path)
