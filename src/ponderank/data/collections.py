"""One registry of collections: a folder, or ``SCHEME:NAME``, opened as a ``Collection``.

What comes from elsewhere is laid out once as a folder in BEIR layout (``laid_out.home``), with its facts in
``collection.json`` and given candidates in ``first.trec``; from then on it is a folder like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ponderank.data import bright, contrast, irds, mteb_tasks, squad
from ponderank.data.beir import Collection
from ponderank.data.facts import FILE, Facts
from ponderank.data.hub import Source
from ponderank.data.laid_out import Parts, lay_out, place
from ponderank.data.mteb_layout import Layout
from ponderank.data.mteb_layout import read as read_layout
from ponderank.errors import DataError
from ponderank.recipe import nearest

BEIR = {
    "arguana": "ArguAna", "climate-fever": "ClimateFEVER", "dbpedia": "DBPedia", "fever": "", "fiqa": "FiQA2018",
    "hotpotqa": "", "msmarco": "", "nfcorpus": "NFCorpus", "nq": "", "quora": "", "scidocs": "SCIDOCS",
    "scifact": "SciFact", "touche2020": "Touche2020", "trec-covid": "TRECCOVID",
}  # fmt: skip
"""BEIR's collections as the hub's ``mteb/NAME`` names them, and the prompt Rank1 was run with on each."""

FOLLOWIR = {"core17": ("Core17", "AP@1000"), "robust04": ("Robust04", "AP@1000"), "news21": ("News21", "nDCG@5")}
"""FollowIR's collections: mteb's name, and the measure that is reported beside p-MRR."""

MFOLLOWIR = ("fas", "rus", "zho", "eng-fas", "eng-rus", "eng-zho")
MIRACL = ("ar", "bn", "de", "en", "es", "fa", "fi", "fr", "hi", "id", "ja", "ko", "ru", "sw", "te", "th", "yo", "zh")


@dataclass(frozen=True, slots=True)
class Scheme:
    """Where collections come from.

    Args:
        name: what stands before the colon.
        shape: how an id is written.
        about: what it is, in a line.
        facts: the facts of a collection by its name; raises DataError for a name that is wrong.
        read: its parts, by name, the folder given in place of its source (or None), and its facts.
        names: the names there are, where they can be listed.
        extra: the extra of Ponderank that it takes.
    """

    name: str
    shape: str
    about: str
    facts: Callable[[str], Facts]
    read: Callable[[str, str | None, Facts], Parts]
    names: tuple[str, ...] = ()
    extra: str = "collections"


def _beir_facts(name: str) -> Facts:
    return Facts(
        about=f"BEIR's {name}", licence="varies; see BEIR's table", drop_self=name in ("arguana", "quora"),
        measures=("nDCG@10", "R@100"), prompt=BEIR.get(name, ""),
    )  # fmt: skip


def _beir(name: str, folder: str | None, known: Facts) -> Parts:
    if folder is None and name not in BEIR:
        raise DataError(f"no BEIR collection {name!r}; {nearest(name, BEIR)}; beir:{name}@FOLDER opens a folder")
    return read_layout(Layout.of(Source(folder or f"mteb/{name}")), known)


def _followir_facts(name: str) -> Facts:
    if name not in FOLLOWIR:
        raise DataError(f"FollowIR has no {name!r}; {nearest(name, FOLLOWIR)}")
    return Facts(
        about=f"FollowIR's {name}: the same query under two instructions", licence="MIT", split="test",
        measures=("pMRR", FOLLOWIR[name][1]), given=True,
    )  # fmt: skip


def _followir(name: str, folder: str | None, known: Facts) -> Parts:
    return read_layout(Layout.of(Source(folder or f"mteb/{FOLLOWIR[name][0]}InstructionRetrieval")), known)


def _mfollowir_facts(name: str) -> Facts:
    if name not in MFOLLOWIR:
        raise DataError(f"mFollowIR has no {name!r}; {nearest(name, MFOLLOWIR)}")
    return Facts(
        about=f"mFollowIR in {name}: the same query under two instructions", licence="ODC-By", split="test",
        measures=("pMRR", "nDCG@20"), given=True,
    )  # fmt: skip


def _mfollowir(name: str, folder: str | None, known: Facts) -> Parts:
    across = "-cross-lingual" if name.startswith("eng-") else ""
    source = Source(folder or f"jhu-clsp/mFollowIR{across}-parquet-mteb")
    return read_layout(Layout.of(source, name.removeprefix("eng-")), known)


def _miracl_facts(name: str) -> Facts:
    if name not in MIRACL:
        raise DataError(f"MIRACL has no language {name!r}; {nearest(name, MIRACL)}")
    return Facts(about=f"MIRACL in {name}", licence="CC BY-SA 4.0", split="dev", measures=("nDCG@10", "R@100"))


def _miracl(name: str, folder: str | None, known: Facts) -> Parts:
    return read_layout(Layout.of(Source(folder or "mteb/MIRACLRetrieval"), name), known)


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("beir", "beir:scifact", "BEIR, from a folder or the hub", _beir_facts, _beir, tuple(BEIR)),
        Scheme("bright", "bright:biology[/long | /gpt4_reason]", "BRIGHT: excluded ids, long documents, reasoning queries",
               bright.facts, bright.read, bright.TASKS),
        Scheme("nevir", "nevir:test", "NevIR: pairs that differ in a negation", contrast.nevir_facts, contrast.nevir,
               ("train", "validation", "test")),
        Scheme("condaqa", "condaqa:FOLDER", "CondaQA's files as contrast pairs", contrast.condaqa_facts, contrast.condaqa,
               extra=""),
        Scheme("followir", "followir:core17", "FollowIR: changed instructions", _followir_facts, _followir, tuple(FOLLOWIR)),
        Scheme("mfollowir", "mfollowir:fas", "mFollowIR, in its language or with English queries", _mfollowir_facts,
               _mfollowir, MFOLLOWIR),
        Scheme("miracl", "miracl:sw", "MIRACL's languages", _miracl_facts, _miracl, MIRACL),
        Scheme("xquad", "xquad:de", "XQuAD: the paragraph of a question", squad.xquad_facts, squad.xquad, squad.LANGUAGES),
        Scheme("ir_datasets", "ir_datasets:ID", "every id of ir_datasets, TREC DL among them", irds.facts, irds.read),
        Scheme("mteb", "mteb:TASK[/SUBSET]", "every retrieval or reranking task of mteb", mteb_tasks.facts, mteb_tasks.read,
               extra="mteb"),
    )
}  # fmt: skip
"""Every source by name."""


def open_collection(name: str | Path) -> Collection:
    """Open a collection: a folder in BEIR layout, or ``SCHEME:NAME``, or ``SCHEME:NAME@FOLDER`` with a local copy.

    A local copy may have the source's own shape or BEIR layout. What is not a folder in BEIR layout is laid out as one the
    first time; a changed local copy is laid out again.

    Raises:
        DataError: no such folder, scheme or name, or files that cannot be read.
        MissingExtra: what the source takes is not installed.
    """
    told = str(name)
    scheme, colon, rest = told.partition(":")
    if Path(told).is_dir() or not colon or (scheme not in SCHEMES and ("/" in scheme or "." in scheme)):
        return Collection.open(told)
    if scheme not in SCHEMES:
        raise DataError(f"no collections {scheme!r}; {nearest(scheme, SCHEMES)}, or give a folder in BEIR layout")
    key, local = _parted(SCHEMES[scheme], rest)
    facts = replace(SCHEMES[scheme].facts(key), name=f"{scheme}:{key}")
    if local is not None and any((local / f"corpus.jsonl{end}").is_file() for end in ("", ".gz")):
        opened = Collection.open(local)
        if (local / FILE).is_file():
            return opened
        return replace(opened, told=replace(facts, split="", given=facts.given and (local / "first.trec").is_file()))
    folder = place(f"{scheme}:{key}", local)
    if (folder / "corpus.jsonl").is_file():
        return Collection.open(folder)
    return lay_out(SCHEMES[scheme].read(key, None if local is None else str(local), facts), folder)


def _parted(scheme: Scheme, rest: str) -> tuple[str, Path | None]:
    """The name and the local copy's folder; of ``xquad:/data/de`` the folder's name is the name."""
    key, at, folder = rest.partition("@")
    if not key:
        raise DataError(f"no name after {scheme.name}:; write {scheme.shape}")
    if at:
        if not Path(folder).exists():
            raise DataError(f"no such folder; {scheme.name}:{key}@FOLDER expects a local copy", path=folder)
        return key, Path(folder)
    path = Path(key)
    if key.startswith((".", "/", "~")) or (scheme.name == "condaqa" or (path.is_dir() and key not in scheme.names)):
        path = path.expanduser()
        if not path.is_dir():
            raise DataError(f"no such folder; write {scheme.shape}, or {scheme.name}:NAME@FOLDER", path=path)
        if scheme.names and path.name not in scheme.names and scheme.name != "beir":
            known = ", ".join(scheme.names)
            raise DataError(f"say which of {known} it is: {scheme.name}:NAME@{key}", path=path)
        return path.name, path
    return key, None


def listed(name: str | None = None) -> list[dict[str, object]]:
    """The schemes, or one of them, or one collection's facts as far as they are known unopened; ready for JSON.

    Raises:
        DataError: no such scheme or collection.

    >>> listed("bright:pony")[0]["measures"]
    ['nDCG@10', 'R@100']
    """
    if name is not None and ":" in name:
        scheme, _, rest = name.partition(":")
        if scheme not in SCHEMES:
            raise DataError(f"no collections {scheme!r}; {nearest(scheme, SCHEMES)}")
        return [_known(SCHEMES[scheme], _parted(SCHEMES[scheme], rest)[0])]
    if name is not None and name not in SCHEMES:
        raise DataError(f"no collections {name!r}; {nearest(name, SCHEMES)}")
    chosen = list(SCHEMES.values()) if name is None else [SCHEMES[name]]
    return [
        {"name": one.name, "shape": one.shape, "about": one.about, "extra": one.extra, "names": list(one.names)}
        for one in chosen
    ]


def _known(scheme: Scheme, key: str) -> dict[str, object]:
    facts = scheme.facts(key)
    told = {
        "about": facts.about, "licence": facts.licence, "split": facts.split, "measures": list(facts.measures),
        "relevant": facts.relevant, "drop_self": facts.drop_self, "pairs": facts.pairs, "given": facts.given,
        "prompt": facts.prompt, "extra": scheme.extra,
    }  # fmt: skip
    return {"name": f"{scheme.name}:{key}", **told}
