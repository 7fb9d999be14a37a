"""Record the prompts, texts and orders of ListT5 on the cases of ``cases_list_t5``.

    python tests/published/record_list_t5.py CLONE > tests/published/list_t5.json

The clone is https://github.com/soyoung97/ListT5; its model needs transformers 4.33. The code is run as it is but for the GPU; what
it imports only to evaluate is replaced by empty modules.
"""

import contextlib
import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from cases_list_t5 import CONTEXT, SEEDS, case, model, tokenizer, written


class Anything(types.ModuleType):
    """A module that has whatever is looked for."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def published(clone):
    """Their two modules, for the CPU."""
    sys.path.insert(0, str(clone))
    import FiDT5
    from transformers import LlamaForCausalLM, LlamaTokenizer, T5Tokenizer, pipeline  # noqa: F401

    for name in ("jsonlines", "pandas", "beir_eval"):
        sys.modules[name] = Anything(name)
    path = clone / "run_listt5.py"
    spec = importlib.util.spec_from_file_location("run_listt5", path)
    module = importlib.util.module_from_spec(spec)
    exec(compile(path.read_text().replace("'cuda'", "'cpu'"), str(path), "exec"), module.__dict__)
    return module, FiDT5.FiDT5


def evaluator(module, fused, folder):
    """Theirs, with our small model."""
    from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

    size = tokenizer(folder)
    theirs = module.ListT5Evaluator.__new__(module.ListT5Evaluator)
    theirs.args = types.SimpleNamespace(
        listwise_k=5, out_k=2, padding="max_length", max_input_length=CONTEXT, max_gen_length=7, measure_flops=False
    )
    theirs.tok = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    plain = T5ForConditionalGeneration.from_pretrained(model(size, folder))
    theirs.model = fused(plain.config)
    theirs.model.load_t5(plain.state_dict())
    theirs.model.eval()
    theirs.num_forward, theirs.best_cache, theirs.global_exclude = 0, {}, []
    return theirs


def run(theirs, seed):
    """One case: the prompts, what is written over them, and the full order as they read it."""
    query, docs = case(seed)
    shown = [f"{title} {text}".strip() for title, text in docs]  # as in run_tournament_sort
    asked = []
    theirs.run_inference = lambda tensors: asked.append(tensors) or type(theirs).run_inference(theirs, tensors)
    theirs.make_listwise_text = lambda q, c: asked.append(type(theirs).make_listwise_text(theirs, q, c)) or asked[-1]
    order = outcome(lambda: theirs.get_full_order_in_one_loop(query, shown, list(range(len(shown)))))
    texts = []
    if asked:
        output = type(theirs).run_inference(theirs, asked[1])
        texts = theirs.tok.batch_decode(output.sequences, skip_special_tokens=True)
    return {"prompts": asked[0] if asked else [], "text": "".join(texts), "order": order}


def read(theirs, text):
    """The full order that they read in a text over five prompts."""
    output = types.SimpleNamespace(sequences=None)
    theirs.tok = types.SimpleNamespace(batch_decode=lambda *args, **kwargs: [text])
    theirs.make_listwise_text = lambda *args: []
    theirs.make_input_tensors = lambda *args: {}
    theirs.run_inference = lambda tensors: output
    return outcome(lambda: theirs.get_full_order_in_one_loop("who", ["x"] * 5, list(range(5))))


def outcome(fn):
    try:
        return fn()
    except Exception as error:
        return type(error).__name__


def main(clone):
    module, fused = published(clone)
    commit = subprocess.run(
        ["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        theirs = evaluator(module, fused, Path(folder))
        names = [name for name in theirs.model.state_dict() if name.startswith("encoder.")]
        cases = [run(theirs, seed) for seed in SEEDS]
        texts = [written(seed) for seed in range(200)] + ["", "5 4 3 2 0", "5 4 3 2 6", "[1] > [2]", "none"]
        readings = {text: read(theirs, text) for text in texts}
    return {
        "repository": "soyoung97/ListT5", "commit": commit.strip(), "names": names, "readings": readings, "cases": cases
    }  # fmt: skip


if __name__ == "__main__":
    from cases_attention import digest

    with contextlib.redirect_stdout(io.StringIO()):
        found = main(Path(sys.argv[1]))
    for one in found["cases"]:
        one["prompts"] = [digest(prompt) for prompt in one["prompts"]]
    print(json.dumps(found).replace('{"prompts"', '\n{"prompts"').replace('"readings"', '\n"readings"'))
