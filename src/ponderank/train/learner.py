"""The model that learns: a base with its adapters, and a checkpoint of it as a model of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ponderank.train.folder import started
from ponderank.train.reasoner_config import Reasoner


def export(config: Reasoner, start: str, checkpoint: Path, out: Path, tokenizer: Path) -> None:
    """Write a checkpoint as a model of its own: adapters merged, in the base's number format, with the tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind = AutoConfig.from_pretrained(start).dtype or torch.float32
    source = str(checkpoint) if config.full else start
    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    if not config.full:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(checkpoint)).merge_and_unload()
    shutil.rmtree(out, ignore_errors=True)
    model.to(kind).save_pretrained(out)
    for path in tokenizer.iterdir():
        shutil.copyfile(path, out / path.name)


def learner(config: Reasoner, place: Path) -> Any:
    """The base with its adapters; whatever learns is held in float32."""
    import torch
    from transformers import AutoModelForCausalLM, set_seed

    from ponderank.train.reasoner_start import half

    set_seed(config.seed)
    kind = torch.bfloat16 if half() and not config.full else torch.float32
    model = AutoModelForCausalLM.from_pretrained(started(config.base, place), dtype=kind)
    if not config.full:
        from peft import LoraConfig, get_peft_model

        grown = (place / "start").is_dir()
        tied = bool(model.config.get_text_config().tie_word_embeddings)
        model = get_peft_model(model, LoraConfig(
            task_type="CAUSAL_LM", r=config.rank, lora_alpha=config.alpha, lora_dropout=0.0, target_modules="all-linear",
            modules_to_save=(_tables(model) if grown else None), ensure_weight_tying=grown and tied,
        ))  # fmt: skip
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    return model


def _tables(model: Any) -> list[str]:
    """The names of the embeddings and, where it is another table, of the output layer."""
    tied = bool(model.config.get_text_config().tie_word_embeddings)
    wanted = [model.get_input_embeddings(), *([] if tied else [model.get_output_embeddings()])]
    return [name.rpartition(".")[2] for name, module in model.named_modules() if any(module is one for one in wanted)]
