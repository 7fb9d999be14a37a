"""Runs where llm-compressor is installed, which pins its own transformers: in an environment of its own, on the CPU."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("llmcompressor")

from ponderank import DataError, Reranker
from ponderank.cli.quantise import quantise as command
from ponderank.formats.rank1 import HEAD

THINKING = Path(__file__).parents[1] / "reasoner" / "thinking"
ROWS = [
    (
        f"{HEAD}dial {number}\nPassage: dial {number} is up. dial {number + 1} is down.\n<think>",
        " it is up. </think> true",
    )
    for number in range(6)
]


@pytest.mark.parametrize("target", ["gptq-int4", "awq-int4"])
def test_weights_have_four_bits_and_the_model_still_answers(tmp_path, capsys, target):
    shutil.copytree(THINKING, tmp_path / "m")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"prompt": p, "completion": c}) + "\n" for p, c in ROWS))
    command(tmp_path / "m", to=target, rows=rows)
    out = tmp_path.resolve() / f"m-{target}"
    assert capsys.readouterr().out == f"ponderank rerank --recipe rank1 --model {out}\n"
    config = json.loads((out / "config.json").read_text())["quantization_config"]
    weights = config["config_groups"]["group_0"]["weights"]
    assert (weights["num_bits"], weights["group_size"], weights["symmetric"]) == (4, 32, target == "gptq-int4")
    assert config["ignore"] == ["lm_head"]
    assert json.loads((out / "quantise.json").read_text())["calibrated_on"] == len(ROWS)
    assert (out / "model.safetensors").stat().st_size < 0.45 * (THINKING / "model.safetensors").stat().st_size
    with Reranker("rank1", model=out, threads=1, think_tokens=100) as reranker:
        assert reranker.rank("dial 1", ["dial 1 is up."]).docs[0].text == "dial 1 is up."


def test_without_rows_to_calibrate_on_it_says_where_they_come_from(tmp_path):
    shutil.copytree(THINKING, tmp_path / "m")
    with pytest.raises(DataError, match=r"calibrate on the model's own training rows.*--rows FILE"):
        command(tmp_path / "m", to="gptq-int4")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
