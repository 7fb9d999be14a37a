"""A training's folder: what began it, its checkpoints, and the model that comes out. ``OUT/training`` is called ``place``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.errors import DataError


def finished(out: Path) -> bool:
    """Whether the model is there whole."""
    return (out / "config.json").is_file()


def refuse_strangers(out: Path) -> None:
    """Refuse a folder with a model that no training of ours began.

    Raises:
        DataError: it holds one.
    """
    if finished(out) and not (out / "training" / "training.json").is_file():
        raise DataError("this folder holds a model that did not come from here; give another --out", path=out)


def claim(place: Path, config: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """Write ``training.json``, or refuse a folder that another configuration or other files began.

    Raises:
        DataError: it was begun with something else.
    """
    about = json.loads(json.dumps({"config": config, "files": files, "versions": _versions()}))
    path = place / "training.json"
    before = manifests.read(path)
    if before is None:
        place.mkdir(parents=True, exist_ok=True)
        manifests.write_whole(path, manifests.dumped(about))
        return
    changed = list(manifests.differences(before, about))
    if changed:
        raise DataError(
            f"this folder was begun with another training ({changed[0]}); give another --out, or --fresh", path=path
        )


def sources(base: str, collections: Sequence[str]) -> dict[str, str]:
    """Fingerprints of a base's folder and of collections, by name; a base on the Hub has none."""
    files = {}
    if Path(base).is_dir():
        from ponderank.backends.weights import fingerprint, weights

        folder = Path(base)
        files["base"] = fingerprint([*(weights(folder) if _has_weights(folder) else []), folder / "config.json"], {})
    for name in collections:
        for path in sorted(Path(name).rglob("*.*")):
            if path.suffix in (".jsonl", ".tsv", ".trec", ".gz"):
                files[f"{Path(name).name}/{path.relative_to(name)}"] = manifests.file_hash(path)
    return files


def _has_weights(base: Path) -> bool:
    return any(base.glob("*.safetensors")) or any(base.glob("pytorch_model*.bin"))


def _versions() -> dict[str, str]:
    import peft
    import trl

    return {**manifests.versions(), "trl": trl.__version__, "peft": peft.__version__}


def forget(out: Path) -> None:
    """Remove what an earlier training left in ``out``, and nothing else."""
    if (out / "training" / "training.json").is_file():
        for path in (out / "config.json", *out.glob("model*.safetensors*")):
            path.unlink(missing_ok=True)
        shutil.rmtree(out / "training")


def publish(made: Path, out: Path) -> None:
    """Move an export's files into ``out``; ``config.json`` last, which says that all are there."""
    for path in sorted(made.iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(out / path.name)
    made.rmdir()


def checkpoints(place: Path) -> list[Path]:
    """Those that were written to their end, in the order of their steps."""
    states = place.glob("checkpoints/checkpoint-*/trainer_state.json")
    whole = [path.parent for path in states if _is_json(path)]
    return sorted(whole, key=lambda path: int(path.name.rpartition("-")[2]))


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text("utf-8"))
    except ValueError:
        return False
    return True


def chosen(state: Any, place: Path, *, judged: bool) -> Path:
    """The best checkpoint where there was a judge, or the last; by name, for the folder may have moved since."""
    best = place / "checkpoints" / Path(state.best_model_checkpoint or "none").name
    return best if judged and best.is_dir() else checkpoints(place)[-1]


def started(base: str, place: Path) -> str:
    """The model that learning begins with: ``place/start`` where marks had to be added, else the base."""
    return str(place / "start") if (place / "start").is_dir() else base
