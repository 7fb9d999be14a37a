import shutil
import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Have Ctrl-C arrive, also where the tests run in a shell's background, which ignores it for all its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, the machine's own, with Playwright's driver."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, to drive a browser")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    with sync_api.sync_playwright() as play:
        launched = play.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=240_000)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def embedded():
    """The default recipe on the embedded model."""
    from ponderank import Reranker

    with Reranker("default") as reranker:
        yield reranker


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Make a folder with a random two-layer BERT classifier: `tiny_bert(labels=2)`."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    import torch

    def make(labels=1, seed=0):
        folder = tmp_path_factory.mktemp(f"bert{labels}")
        tokenizer = word_pieces()
        torch.manual_seed(seed)
        config = transformers.BertConfig(
            vocab_size=tokenizer.get_vocab_size(), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=64, max_position_embeddings=96, num_labels=labels,
        )  # fmt: skip
        model = transformers.BertForSequenceClassification(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        model.save_pretrained(folder)
        fast = transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]",
            mask_token="[MASK]", model_max_length=96, model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        )  # fmt: skip
        fast.save_pretrained(folder)
        return folder

    return make


def word_pieces():
    """A WordPiece tokenizer of letters and a few words, with BERT's pair template."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,?!-[]"
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{c}" for c in letters),
        "the",
        "what",
        "is",
        "cat",
        "dog",
    ]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(words[:5])
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer
