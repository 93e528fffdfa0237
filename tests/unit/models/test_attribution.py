"""Attributions at the embedding layer: what they sum to, and that any encoder will do."""

from pathlib import Path

import pytest
import torch
from transformers import DebertaV2Config, PretrainedConfig, XLMRobertaConfig

from models.attribution import Method, attribute, blank_token
from models.checkpoints import load_checkpoint
from models.classifier import OpinionClassifier, OpinionConfig

METHODS: tuple[Method, ...] = ("gradient", "integrated")
SMALL = {
    "vocab_size": 320,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
}
WINDOW, BLANKS = [2, 7, 9, 11, 3], [2, 1, 1, 1, 3]


@pytest.fixture
def model(checkpoint: Path) -> OpinionClassifier:
    return load_checkpoint(checkpoint)[0]


def log_odds(model: OpinionClassifier, ids: list[int], head: str, index: int) -> float:
    tokens = torch.tensor([ids])
    with torch.no_grad():
        logits = model.split_heads(model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits)[head][0]
    others = torch.cat([logits[:index], logits[index + 1 :]])
    return float(logits[index] - torch.logsumexp(others, dim=0))


@pytest.mark.parametrize("head", ["sentiment", "topic"])
def test_integrated_gradients_sum_to_what_the_tokens_add(model: OpinionClassifier, head: str) -> None:
    """Completeness: the figures share out the whole difference to a text of blanks, no more and no less."""
    figures = attribute(model, WINDOW, BLANKS, head=head, index=1, method="integrated")
    difference = log_odds(model, WINDOW, head, 1) - log_odds(model, BLANKS, head, 1)
    assert abs(difference) > 1e-3, "a difference too small to share out proves nothing"
    assert sum(figures) == pytest.approx(difference, rel=0.05)


def test_the_gradient_is_the_slope_towards_blanks(model: OpinionClassifier) -> None:
    """A small step of every embedding towards the blank changes the log-odds by that share of the sum."""
    layer = model.encoder.get_input_embeddings()
    figures = attribute(model, WINDOW, BLANKS, head="sentiment", index=0, method="gradient")
    step = 1e-2
    with torch.no_grad():
        mixed = layer(torch.tensor(WINDOW)) * (1 - step) + layer(torch.tensor(BLANKS)) * step
    before = log_odds(model, WINDOW, "sentiment", 0)
    handle = layer.register_forward_hook(lambda *_: mixed.unsqueeze(0))
    try:
        after = log_odds(model, WINDOW, "sentiment", 0)
    finally:
        handle.remove()
    assert sum(figures) == pytest.approx((before - after) / step, rel=0.05, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_special_tokens_get_nothing(model: OpinionClassifier, method: Method) -> None:
    """Where both rows hold the same token there is nothing to attribute."""
    figures = attribute(model, WINDOW, BLANKS, head="sentiment", index=0, method=method)
    assert figures[0] == figures[-1] == 0.0
    assert all(figure != 0.0 for figure in figures[1:-1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")  # DeBERTa still uses it
@pytest.mark.parametrize("encoder", [XLMRobertaConfig(**SMALL), DebertaV2Config(**SMALL)], ids=lambda e: e.model_type)
def test_any_encoder_will_do(encoder: PretrainedConfig, method: Method) -> None:
    """Nothing but the input embeddings of the encoder is touched, whatever its architecture."""
    torch.manual_seed(3)
    model = OpinionClassifier(OpinionConfig(encoder=encoder)).eval()
    figures = attribute(model, WINDOW, BLANKS, head="sentiment", index=2, method=method)
    assert all(figure != 0.0 for figure in figures[1:-1])
    assert model.encoder.get_input_embeddings().weight.grad is None


def test_the_blank_is_the_mask_where_there_is_one(checkpoint: Path) -> None:
    """Mask, else unknown, else padding: the token that the encoder knows as nothing."""
    tokenizer = load_checkpoint(checkpoint)[1]
    assert blank_token(tokenizer) == tokenizer.mask_token_id
