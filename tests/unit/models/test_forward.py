"""Real encoders of several architectures, tiny and with random weights."""

from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    DebertaV2Config,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    XLMRobertaConfig,
)

from models.checkpoints import load_checkpoint
from models.classifier import OpinionClassifier, OpinionConfig
from models.forward import ForwardPass

TEXTS = [[5, 6, 7], list(range(10, 19)), list(range(20, 29)), list(range(5, 40))]
SIZES = {"vocab_size": 100, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 66}
WIDTHS = {"hidden_size": 16, "intermediate_size": 32}
MARKS = {"pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}
PACKABLE = [BertConfig, XLMRobertaConfig, ElectraConfig]
OTHERS = [(DebertaV2Config, {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}), (ModernBertConfig, MARKS)]


@pytest.fixture
def tokenizer(checkpoint: Any) -> PreTrainedTokenizerBase:
    return load_checkpoint(checkpoint)[1]


def model_of(encoder: PreTrainedConfig) -> OpinionClassifier:
    """With weights large enough that a token of a wrong position or neighbour shows."""
    torch.manual_seed(0)
    model = OpinionClassifier(OpinionConfig(encoder=encoder, pooling="mean_max")).eval()
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)
    return model


def usual_logits(model: OpinionClassifier) -> torch.Tensor:
    """What transformers computes for one text at a time."""
    with torch.inference_mode():
        rows = [model(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long)).logits for ids in TEXTS]
    return torch.cat(rows)


@pytest.mark.parametrize("config", PACKABLE)
def test_packed_texts_are_read_as_if_alone(
    config: type[PreTrainedConfig], tokenizer: PreTrainedTokenizerBase
) -> None:
    """No text sees its neighbour, and positions begin anew with each, also where they begin past the padding's."""
    model = model_of(config(**SIZES, **WIDTHS))
    expected = usual_logits(model)
    forward = ForwardPass(model, tokenizer, TEXTS, torch.device("cpu"))
    assert forward.is_packed
    assert torch.allclose(forward(TEXTS), expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")  # DeBERTa in transformers
@pytest.mark.parametrize(("config", "extra"), OTHERS)
def test_encoders_that_cannot_be_packed_are_padded(
    config: type[PreTrainedConfig], extra: dict[str, Any], tokenizer: PreTrainedTokenizerBase
) -> None:
    """Disentangled and windowed attention are not ours to rebuild; such encoders keep their own."""
    model = model_of(config(**SIZES, **WIDTHS, **extra))
    expected = usual_logits(model)
    forward = ForwardPass(model, tokenizer, TEXTS, torch.device("cpu"))
    assert not forward.is_packed
    assert torch.allclose(forward(TEXTS), expected, atol=1e-4)


def test_the_model_of_a_packed_pass_still_takes_padded_batches(tokenizer: PreTrainedTokenizerBase) -> None:
    """Whoever holds the model may call it as transformers documents it."""
    model = model_of(BertConfig(**SIZES, **WIDTHS))
    expected = usual_logits(model)
    assert ForwardPass(model, tokenizer, TEXTS, torch.device("cpu")).is_packed
    rows = tokenizer.pad({"input_ids": TEXTS}, return_tensors="pt")
    with torch.inference_mode():
        found = model(rows["input_ids"], rows["attention_mask"]).logits
    assert torch.allclose(found, expected, atol=1e-4)


def test_long_texts_are_attended_in_pieces_with_the_same_result(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What attention holds at once is bounded; that changes no figure."""
    model = model_of(BertConfig(**SIZES, **WIDTHS))
    forward = ForwardPass(model, tokenizer, TEXTS, torch.device("cpu"))
    texts = [list(range(5, 40))] * 7
    expected = forward(texts)
    monkeypatch.setattr("models.packing.SCORES_AT_ONCE", 2 * 2 * 35 * 35)
    assert torch.allclose(forward(texts), expected, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_packed_texts_are_read_as_if_alone_on_cuda(tokenizer: PreTrainedTokenizerBase) -> None:
    """The variable-length kernel answers what the CPU answers, but for bfloat16."""
    model = model_of(BertConfig(**SIZES, **WIDTHS))
    expected = usual_logits(model)
    forward = ForwardPass(model, tokenizer, TEXTS, torch.device("cuda"))
    forward.encoder.to(torch.bfloat16)
    assert torch.allclose(forward(TEXTS).cpu(), expected, atol=0.1)
