"""A cross-encoder that starts exactly at a bi-encoder: split lower layers, gated joint layers, interaction head.

Why: fine-tuning a bi-encoder checkpoint as a plain cross-encoder on little data forgets what the bi-encoder knew. Here
the pair is encoded as ``[CLS] q [SEP] [CLS] d [SEP]`` and, before any training, the score *is* the bi-encoder's
``scale * cos(q, d)``; training only adds to it:

- layers below ``join_layer`` attend within the query and within the document only (PreTTR's split layers);
- layers from ``join_layer`` on also attend across, through one gate per head that starts at 0;
- the head adds, at each exit, a learned re-weighting of the cosine and a weighted MaxSim between the token states
  (late interaction), starting at no effect but for the last exit's MaxSim, if asked. A model that stops at an exit scores
  by what it has so far and a cosine of its own, fitted to the full score after training; so one model scores early
  (``level`` > 0) or in full;
- before any layer, a ``Sketch`` matches words by a learned projection of the word table and a learned weight each, at a
  hundredth of the work. What it finds is part of the score, and with a cosine of its own it is the cheapest exit.

Source: split layers PreTTR (arXiv 2004.14255), MaxSim ColBERT (arXiv 2004.12832), gates at zero Flamingo
(arXiv 2204.14198), joint reading monoBERT (arXiv 1901.04085). Differs: the combination and the warm start are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.modeling_outputs import SequenceClassifierOutput


class SplitBertConfig(BertConfig):  # type: ignore[misc]
    """BERT's configuration plus ``join_layer`` (first layer that reads across), ``exits`` (layers scored), ``scale``,
    ``sketch`` (dimensions of the score before any layer; 0: none)."""

    model_type = "split-bert"

    def __init__(
        self,
        join_layer: int = 3,
        exits: tuple[int, ...] = (0, 2, 4, 6),
        scale: float = 20.0,
        sketch: int = 0,
        **kwargs: object,
    ) -> None:
        kwargs.setdefault("num_labels", 1)
        super().__init__(**kwargs)
        self.join_layer, self.exits, self.scale, self.sketch = join_layer, list(exits), scale, sketch


class Exit(nn.Module):  # type: ignore[misc]
    """What one depth adds to the score: a re-weighted cosine of the means and a weighted MaxSim of the tokens."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.cosine = nn.Parameter(torch.zeros(hidden))
        self.token_weight = nn.Linear(hidden, 1)
        self.maxsim = nn.Parameter(torch.zeros(()))
        self.words = nn.Parameter(torch.zeros(()))  # the same with the sketch's weights of the query's words
        self.bias = nn.Parameter(torch.zeros(()))
        # what the score of a model that stops here adds instead of the last cosine; fitted after training
        self.early = nn.Parameter(torch.ones(hidden), requires_grad=False)
        self.early_bias = nn.Parameter(torch.zeros(()), requires_grad=False)
        nn.init.zeros_(self.token_weight.weight)
        nn.init.zeros_(self.token_weight.bias)

    def forward(
        self, hidden: Tensor, is_query: Tensor, is_doc: Tensor, importance: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """``hidden [B, T, H]``, masks ``[B, T]`` (float), the query's words' shares ``[B, T]`` → added score ``[B]`` (in
        units of ``scale``) and the elementwise cosine ``[B, H]``."""
        return self._score(hidden, is_query, hidden, is_doc, importance)

    def segments(self, query: Tensor, doc: Tensor, importance: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same for one unpadded pair: ``query [1, Tq, H]``, ``doc [1, Td, H]``, ``importance [1, Tq]``."""
        return self._score(query, torch.ones_like(query[..., 0]), doc, torch.ones_like(doc[..., 0]), importance)

    def _score(
        self, query: Tensor, is_query: Tensor, doc: Tensor, is_doc: Tensor, importance: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        unit = nn.functional.normalize
        product = unit((query * is_query[..., None]).sum(1), dim=-1) * unit((doc * is_doc[..., None]).sum(1), dim=-1)
        similarity = unit(query, dim=-1) @ unit(doc, dim=-1).transpose(1, 2)
        best = (similarity - 4.0 * (1.0 - is_doc[:, None, :])).amax(-1)
        weight = self.maxsim * (self.token_weight(query)[..., 0] - 1e4 * (1.0 - inside(is_query))).softmax(-1)
        if importance is not None:
            weight = weight + self.words * importance
        return (product @ self.cosine) + (weight * best).sum(-1) + self.bias, product


def inside(mask: Tensor) -> Tensor:
    """``mask [B, T]`` of one run of ones a row, without the run's ends: a text without its ``[CLS]`` and ``[SEP]``.

    >>> inside(torch.tensor([[0.0, 1.0, 1.0, 1.0, 0.0]])).tolist()
    [[0.0, 0.0, 1.0, 0.0, 0.0]]
    """
    beside = nn.functional.pad(mask, (1, 1))
    return mask * beside[:, :-2] * beside[:, 2:]


class Sketch(nn.Module):  # type: ignore[misc]
    """What the word table alone says: a weighted MaxSim of words and a cosine of weighted means, in a learned projection.

    Every word has a weight of its own, which learns what idf is for. No positions: word order does not count.
    ``share`` times the MaxSim is part of the model's score; ``exit`` makes a score of its own out of both.
    """

    def __init__(self, vocabulary: int, hidden: int, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(hidden, size)
        self.weight = nn.Embedding(vocabulary, 1)
        self.share = nn.Parameter(torch.zeros(()))
        self.cosine = nn.Parameter(torch.tensor(10.0))
        self.maxsim = nn.Parameter(torch.tensor(10.0))
        self.bias = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.weight.weight)

    def read(self, words: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Word vectors ``[B, T, H]``, ids and mask ``[B, T]`` → mean ``[B, S]``, words ``[B, T, S]``, weights ``[B, T]``;
        both kinds of vector have length 1."""
        states, weights = self.project(words), self.weights(ids, mask)
        unit = nn.functional.normalize
        return unit((states * weights[..., None]).sum(1), dim=-1), unit(states, dim=-1), weights

    def weights(self, ids: Tensor, mask: Tensor) -> Tensor:
        """What each word counts, ``[B, T]``."""
        return nn.functional.softplus(self.weight(ids)[..., 0]) * mask

    def matched(
        self, query: tuple[Tensor, Tensor, Tensor], doc: tuple[Tensor, Tensor, Tensor], is_doc: Tensor
    ) -> Tensor:
        """What ``read`` gave for each side, mask ``[B, Td]`` → weighted mean of each query word's best match ``[B]``."""
        best = (query[1] @ doc[1].transpose(1, 2) - 4.0 * (1.0 - is_doc[:, None, :])).amax(-1)
        return (best * query[2]).sum(-1) / query[2].sum(-1).clamp_min(1e-6)

    def exit(self, matched: Tensor, query: Tensor, doc: Tensor) -> Tensor:
        """The cheapest score ``[B]``: of ``matched`` and both sides' means ``[B, S]``."""
        return self.cosine * (query * doc).sum(-1) + self.maxsim * matched + self.bias


class SplitBertForSequenceClassification(PreTrainedModel):  # type: ignore[misc]
    """One logit a pair; see the module's docstring."""

    config_class = SplitBertConfig
    base_model_prefix = "bert"
    supports_gradient_checkpointing = False

    def __init__(self, config: SplitBertConfig) -> None:
        super().__init__(config)
        self.num_labels = 1
        self.bert = BertModel(config, add_pooling_layer=False)
        joint = config.num_hidden_layers - config.join_layer
        self.gates = nn.Parameter(torch.zeros(joint, config.num_attention_heads))
        self.exits = nn.ModuleList(Exit(config.hidden_size) for _ in config.exits)
        self.sketch = Sketch(config.vocab_size, config.hidden_size, config.sketch) if config.sketch else None
        self.joinable: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
        """Where the states at ``join_layer`` come from in training, if not from the layers (``train.frozen``)."""
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Leave everything as its constructor made it: zeros are the warm start."""

    @property
    def levels(self) -> int:
        """How many scores it can stop at, the last included."""
        return int(sum(layer > 0 for layer in self.config.exits)) + (self.sketch is not None)

    def embed(self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Each segment gets positions from 0, and segment id 0 throughout, as the bi-encoder saw it."""
        query_tokens = ((1 - token_type_ids) * attention_mask).sum(1, keepdim=True)
        position = torch.arange(input_ids.shape[1], device=input_ids.device)[None] - token_type_ids * query_tokens
        table = self.bert.embeddings
        words = (
            table.word_embeddings(input_ids)
            + table.position_embeddings(position)
            + table.token_type_embeddings.weight[0]
        )
        return table.dropout(table.LayerNorm(words))

    def words(self, input_ids: Tensor) -> Tensor:
        """What the sketch reads ``[B, T, H]``: the word table, normalised as the first layer would see it at no position."""
        table = self.bert.embeddings
        return table.LayerNorm(table.word_embeddings(input_ids) + table.token_type_embeddings.weight[0])

    def sketched(self, input_ids: Tensor, is_query: Tensor, is_doc: Tensor) -> tuple[Tensor, Tensor]:
        """Of pairs ``[B, T]``: what the sketch adds to the score, and its own score, each ``[B]``."""
        assert self.sketch is not None
        words = self.words(input_ids)
        query, doc = self.sketch.read(words, input_ids, is_query), self.sketch.read(words, input_ids, is_doc)
        matched = self.sketch.matched(query, doc, is_doc)
        return self.sketch.share * matched, self.sketch.exit(matched, query[0], doc[0])

    def importance(self, input_ids: Tensor, is_query: Tensor) -> Tensor | None:
        """The share of each of the query's words in what the sketch says they count, ``[B, T]``; None without a sketch."""
        if self.sketch is None:
            return None
        weights = self.sketch.weights(input_ids, inside(is_query))
        return weights / weights.sum(-1, keepdim=True).clamp_min(1e-6)

    def layer(self, index: int, hidden: Tensor, own: Tensor, other: Tensor | None) -> Tensor:
        """One BERT layer; ``own`` and ``other`` are additive masks ``[B, 1, T, T]`` within and across the segments
        (``other`` None: there is one segment only)."""
        block = self.bert.encoder.layer[index]
        heads, size = self.config.num_attention_heads, hidden.shape[-1] // self.config.num_attention_heads
        batch, length = hidden.shape[0], hidden.shape[1]

        def split(linear: nn.Module) -> Tensor:
            return linear(hidden).view(batch, length, heads, size).transpose(1, 2)

        this = block.attention.self
        query, key, value = split(this.query), split(this.key), split(this.value)
        logits = query @ key.transpose(-1, -2) * size**-0.5
        weights = (logits + own).softmax(-1)
        if other is not None and index >= self.config.join_layer:
            gate = self.gates[index - self.config.join_layer].view(1, heads, 1, 1)
            weights = weights + gate * (logits + other).softmax(-1)
        context = (weights @ value).transpose(1, 2).reshape(batch, length, heads * size)
        out = block.attention.output
        hidden = out.LayerNorm(hidden + out.dropout(out.dense(context)))
        wide = block.intermediate.intermediate_act_fn(block.intermediate.dense(hidden))
        return block.output.LayerNorm(hidden + block.output.dropout(block.output.dense(wide)))

    def masks(self, token_type_ids: Tensor, attention_mask: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Additive masks within and across the segments, each ``[B, 1, T, T]``."""
        same = (token_type_ids[:, :, None] == token_type_ids[:, None, :]).to(dtype)
        valid = attention_mask[:, None, :].to(dtype)
        return ((same * valid - 1.0) * 1e4)[:, None], (((1.0 - same) * valid - 1.0) * 1e4)[:, None]

    def stopped(self, index: int, total: Tensor, product: Tensor) -> Tensor:
        """The score ``[B]`` of a model that ends after layer ``index``: what the exits added, and this depth's cosine."""
        if index == self.config.num_hidden_layers:
            return total + self.config.scale * product.sum(-1)
        last = self.exits[self.config.exits.index(index)]
        return total + self.config.scale * (product @ last.early) + last.early_bias

    def scores(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Score after each exit, cumulative, the sketch first: ``[B, levels]``; the last column is the model's score."""
        hidden = self.embed(input_ids, token_type_ids, attention_mask)
        own, other = self.masks(token_type_ids, attention_mask, hidden.dtype)
        is_query = ((1 - token_type_ids) * attention_mask).to(hidden.dtype)
        is_doc = (token_type_ids * attention_mask).to(hidden.dtype)
        importance = self.importance(input_ids, is_query)
        total, columns = hidden.new_zeros(hidden.shape[0]), []
        if self.sketch is not None:
            total, alone = self.sketched(input_ids, is_query, is_doc)
            columns.append(alone)
        ready = self.joinable if self.training else None
        for index in range(self.config.num_hidden_layers + 1):
            if ready and index == self.config.join_layer:
                hidden = ready(input_ids, attention_mask, token_type_ids)
            if index in self.config.exits:
                added, product = self.exits[self.config.exits.index(index)](hidden, is_query, is_doc, importance)
                total = total + self.config.scale * added
                if index:  # what a layer-0 exit adds counts, but one stops there by the sketch
                    columns.append(self.stopped(index, total, product))
            if index < self.config.num_hidden_layers and not (ready and index < self.config.join_layer):
                hidden = self.layer(index, hidden, own, other)
        return torch.stack(columns, dim=1)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **_: object,
    ) -> SequenceClassifierOutput:
        """Logits ``[B, 1]``; ``hidden_states`` carries the exits' scores ``[B, exits]`` for their training."""
        attention_mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        token_type_ids = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        scores = self.scores(input_ids, attention_mask, token_type_ids)
        return SequenceClassifierOutput(logits=scores[:, -1:], hidden_states=(scores,))

    @classmethod
    def from_bi_encoder(
        cls,
        folder: str | Path,
        *,
        join_layer: int = 3,
        exits: tuple[int, ...] | None = None,
        scale: float = 20.0,
        sketch: int = 0,
        late_interaction: float = 0.0,
    ) -> tuple[SplitBertForSequenceClassification, PreTrainedTokenizerFast]:
        """Warm-start from a mean-pooled BERT bi-encoder's folder; the score is ``scale * cosine`` until trained.

        ``late_interaction`` times the MaxSim of its token states comes on top, and, with a sketch, as much of the MaxSim
        in which each of the query's words counts as the sketch says.
        """
        base = BertModel.from_pretrained(str(folder), add_pooling_layer=False)
        layers = base.config.num_hidden_layers
        fields = {
            k: v
            for k, v in base.config.to_dict().items()
            if k not in ("architectures", "model_type", "transformers_version")
        }
        exits = exits or (0, layers // 3, 2 * layers // 3, layers)
        config = SplitBertConfig(join_layer=join_layer, exits=exits, scale=scale, sketch=sketch, **fields)
        model = cls(config)
        model.bert.load_state_dict(base.state_dict(), strict=False)
        model.exits[-1].maxsim.data.fill_(late_interaction / scale)
        if sketch:
            model.exits[-1].words.data.fill_(late_interaction / scale)
        return model, pair_tokenizer(folder)


def pair_tokenizer(folder: str | Path) -> PreTrainedTokenizerFast:
    """The folder's tokenizer with pairs written ``[CLS] q [SEP] [CLS] d [SEP]``, each side as a bi-encoder reads it."""
    from tokenizers.processors import TemplateProcessing

    source = AutoTokenizer.from_pretrained(str(folder))
    c, s = source.cls_token, source.sep_token
    inner = source.backend_tokenizer
    inner.post_processor = TemplateProcessing(
        single=f"{c} $A {s}",
        pair=f"{c} $A {s} {c}:1 $B:1 {s}:1",
        special_tokens=[(c, source.cls_token_id), (s, source.sep_token_id)],
    )
    # BertTokenizer would put its own template back on loading
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=source.model_max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{name}_token": getattr(source, f"{name}_token") for name in ("cls", "sep", "pad", "unk", "mask")},
    )


def register() -> None:
    """Make ``split-bert`` folders loadable through transformers' auto classes. Calling it again does nothing."""
    AutoConfig.register("split-bert", SplitBertConfig, exist_ok=True)
    AutoModelForSequenceClassification.register(SplitBertConfig, SplitBertForSequenceClassification, exist_ok=True)
    AutoModel.register(SplitBertConfig, SplitBertForSequenceClassification, exist_ok=True)
