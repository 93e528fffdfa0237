from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AlbertConfig, AlbertModel, AutoModel, ModernBertConfig, PreTrainedModel

from core.errors import UsageError
from models.bases import load_base
from models.shrinking import keep_layers, set_dropout
from tests.support import encoders

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")  # DeBERTa's code

Make = Callable[[Path], Path]
KINDS = [encoders.bert, encoders.xlm_roberta, encoders.deberta, encoders.distilbert]


def read(encoder: PreTrainedModel) -> tuple[torch.Tensor, ...]:
    ids = torch.tensor([[5, 6, 7, 8]])
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        return tuple(encoder.eval()(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states)


@pytest.mark.parametrize("make", KINDS)
def test_the_lowest_layers_stay(make: Make, tmp_path: Path) -> None:
    """After two of three layers the states are those that the whole encoder had there."""
    encoder, _ = load_base(make(tmp_path))
    before = read(encoder)
    keep_layers(encoder, 2)
    after = read(encoder)
    assert len(after) == len(before) - 1
    assert torch.allclose(after[-1], before[2], atol=1e-6)


@pytest.mark.parametrize("make", KINDS)
def test_a_smaller_encoder_survives_its_folder(make: Make, tmp_path: Path) -> None:
    """Its config says how many layers there are, so that none is filled in at random."""
    encoder, tokenizer = load_base(make(tmp_path / "whole"))
    keep_layers(encoder, 1)
    encoder.save_pretrained(tmp_path / "small")
    tokenizer.save_pretrained(tmp_path / "small")
    again, _ = load_base(tmp_path / "small")
    assert torch.allclose(read(again)[-1], read(encoder)[-1], atol=1e-6)


def test_layers_that_differ_keep_their_kind() -> None:
    """ModernBERT's layers see near or far; its config lists them, and must not be longer than they are."""
    special = {"pad_token_id": 0, "bos_token_id": 1, "cls_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}
    encoder = AutoModel.from_config(ModernBertConfig(vocab_size=20, **encoders.SIZE, **special))
    keep_layers(encoder, 2)
    assert len(encoder.config.layer_types) == encoder.config.num_hidden_layers == 2
    assert read(encoder)[-1].shape == (1, 4, 16)


def test_an_encoder_that_shares_its_layers_is_refused() -> None:
    """ALBERT has one layer that it runs through again and again."""
    encoder = AlbertModel(AlbertConfig(vocab_size=20, embedding_size=8, **encoders.SIZE))
    with pytest.raises(UsageError, match="base of type albert") as caught:
        keep_layers(encoder, 2)
    assert caught.value.remedy


def test_more_layers_than_there_are_is_refused(tmp_path: Path) -> None:
    """With both numbers."""
    encoder, _ = load_base(encoders.bert(tmp_path))
    with pytest.raises(UsageError, match="has 3 layers, the recipe asks for 4"):
        keep_layers(encoder, 4)


@pytest.mark.parametrize("make", KINDS)
def test_dropout_is_set_everywhere(make: Make, tmp_path: Path) -> None:
    """With none, a training encoder reads like a finished one; also after it was saved and loaded."""
    encoder, tokenizer = load_base(make(tmp_path / "base"))
    set_dropout(encoder, 0.0)
    encoder.save_pretrained(tmp_path / "dry")
    tokenizer.save_pretrained(tmp_path / "dry")
    for model in (encoder, load_base(tmp_path / "dry")[0]):
        assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} <= {0.0}
