"""Rows of data sets in the hub's shape, through ``datasets``: from a folder on this machine, or from the hub by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ponderank.errors import DataError, MissingExtra, PonderankError
from ponderank.recipe import nearest


@contextmanager
def _told(source: str, config: str) -> Iterator[None]:
    """Have whatever ``datasets`` raises name the source."""
    try:
        yield
    except PonderankError:
        raise
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        what = " ".join(str(cause).split())[:300] or type(cause).__name__
        hint = (
            ""
            if Path(source).exists()
            else "; give a local copy's folder in place of the name if the hub is out of reach"
        )
        raise DataError(f"datasets cannot load {config}: {what}{hint}", path=source) from error


def library() -> Any:
    """The module ``datasets``.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("collections", "reading data sets of the hub's shape") from error
    return datasets


class Source:
    """A data set: a folder, or a name on the hub at a revision; rows by configuration and split."""

    def __init__(self, name: str, *, revision: str | None = None) -> None:
        self.name = name
        self.revision = None if Path(name).is_dir() else revision

    def configs(self) -> list[str]:
        """The names of its configurations."""
        with _told(self.name, "its configurations"):
            return list(library().get_dataset_config_names(self.name, revision=self.revision))

    def splits(self, config: str | None) -> list[str]:
        """The names of a configuration's splits."""
        with _told(self.name, _shown(config)):
            return list(library().get_dataset_split_names(self.name, config, revision=self.revision))

    def rows(self, config: str | None, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows of a split with their numbers, from 1.

        Raises:
            DataError: no such configuration or split, or files that ``datasets`` cannot read.
            MissingExtra: ``datasets`` is not installed.
        """
        if config is not None and config not in (have := self.configs()):
            raise DataError(f"no configuration {config!r}; {nearest(config, have)}", path=self.name)
        if split not in (splits := self.splits(config)):
            raise DataError(f"no split {split!r} in {_shown(config)}; there are {', '.join(splits)}", path=self.name)
        with _told(self.name, _shown(config)):
            loaded = library().load_dataset(self.name, config, split=split, revision=self.revision)
        yield from enumerate(loaded, 1)

    def text(self, row: dict[str, Any], names: tuple[str, ...], config: str | None, line: int) -> str:
        """The first of ``names`` that the row has, as text.

        Raises:
            DataError: it has none; the error names the source, the configuration and the row.
        """
        for name in names:
            value = row.get(name)
            if isinstance(value, str | int):
                return str(value)
        raise DataError(
            f"no {' or '.join(map(repr, names))} with text in this row of {_shown(config)}; it has {', '.join(row)}",
            path=self.name, line=line,
        )  # fmt: skip

    def texts(self, row: dict[str, Any], name: str, config: str | None, line: int) -> tuple[str, ...]:
        """A list of texts in a row.

        Raises:
            DataError: it is not there, or not a list.
        """
        value = row.get(name)
        if not isinstance(value, list | tuple):
            raise DataError(
                f"no list {name!r} in this row of {_shown(config)}; it has {', '.join(row)}", path=self.name, line=line
            )
        return tuple(map(str, value))

    def one_split(self, config: str | None, wanted: str) -> str:
        """The split of that name, or the only one there is; mteb names the split after the configuration at times.

        Raises:
            DataError: neither.
        """
        splits = self.splits(config)
        if wanted in splits or len(splits) != 1:
            return wanted
        return splits[0]


def _shown(config: str | None) -> str:
    return "it" if config is None else f"the configuration {config!r}"
