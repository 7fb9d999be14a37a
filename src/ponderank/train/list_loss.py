"""Our list losses for sentence-transformers' ``CrossEncoderTrainer``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ponderank.errors import DataError
from ponderank.recipe import nearest
from ponderank.train.losses import LOSSES


class ListLoss(nn.Module):  # type: ignore[misc]
    """One of ``train.losses.LOSSES`` by name, fed as ``ListNetLoss`` is: a query, its documents, a label for each.

    Lists may differ in length. ``dear`` learns from two numbers for each document, ``[label, teacher]``, so its labels are
    ``[N, 2]``. ``mini_batch_size`` is how many pairs go through the model at once (``None``: all of the batch's); the
    other ``options`` are the loss's own.

    Raises:
        DataError: no such loss or option, a model with several labels, or labels that do not fit the documents.
    """

    def __init__(self, model: Any, loss: str, *, mini_batch_size: int | None = None, **options: Any) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise DataError(f"no list loss {loss!r}; {nearest(loss, LOSSES)}")
        if model.num_labels != 1:
            raise DataError(f"{loss} needs a model with 1 label, this one has {model.num_labels}")
        if mini_batch_size is not None and mini_batch_size < 1:
            raise DataError(f"mini_batch_size is {mini_batch_size}; give 1 or more")
        parameters = inspect.signature(LOSSES[loss]).parameters.values()
        allowed = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - {"weights", "generator"}
        for name in options.keys() - allowed:
            raise DataError(f"{loss} has no option {name!r}; {nearest(name, sorted(allowed) or ['mini_batch_size'])}")
        self.model, self.loss, self.options, self.mini_batch_size = model, loss, options, mini_batch_size
        self.targets = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "mask"][1:]

    def forward(
        self, inputs: Sequence[Any], labels: Sequence[Tensor], prompt: str | None = None, task: str | None = None
    ) -> Tensor:
        """The loss of a batch: ``inputs`` are queries and their lists of documents, ``labels`` a tensor for each query."""
        queries, docs = inputs
        counts = [len(texts) for texts in docs]
        shape = (len(self.targets),) if len(self.targets) > 1 else ()
        expected = [(count, *shape) for count in counts]
        if isinstance(labels, Tensor) or [tuple(x.shape) for x in labels] != expected:
            raise DataError(f"{self.loss} needs for each query a list of labels, one {self.targets} for each document")
        pairs = [(query, text) for query, texts in zip(queries, docs, strict=True) for text in texts]
        scores = self._scores(pairs, prompt, task)
        columns = pad_sequence([x.float() for x in labels], batch_first=True).to(scores.device)
        targets = columns.unbind(-1) if shape else (columns,)
        real = torch.arange(columns.shape[1])[None, :] < torch.tensor(counts)[:, None]
        table = pad_sequence(list(scores.split(counts)), batch_first=True)
        return LOSSES[self.loss](table, *targets, real.to(scores.device), **self.options)

    def _scores(self, pairs: list[tuple[str, str]], prompt: str | None, task: str | None) -> Tensor:
        """The model's score of each pair, ``[pairs]``."""
        step = self.mini_batch_size or len(pairs)
        scores = []
        for start in range(0, len(pairs), step):
            tokens = self.model.preprocess(pairs[start : start + step], prompt=prompt, task=task)
            moved = {k: v.to(self.model.device) if isinstance(v, Tensor) else v for k, v in tokens.items()}
            scores.append(self.model(moved)["scores"].view(-1))
        return torch.cat(scores)

    def get_config_dict(self) -> dict[str, Any]:
        """What a model card says of the loss."""
        return {"loss": self.loss, "mini_batch_size": self.mini_batch_size, **self.options}
