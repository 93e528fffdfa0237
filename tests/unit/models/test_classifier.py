from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, ElectraConfig, PretrainedConfig

from core.taxonomy import SENTIMENTS, TOPICS
from models.classifier import IGNORED_LABEL, OpinionClassifier, OpinionConfig, masked_cross_entropy

SMALL = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
CLASSES = len(TOPICS) + len(SENTIMENTS)


def small_model(**changes: object) -> OpinionClassifier:
    torch.manual_seed(0)
    return OpinionClassifier(OpinionConfig(encoder=BertConfig(**SMALL), **changes)).eval()


def batch() -> dict[str, torch.Tensor]:
    return {"input_ids": torch.tensor([[1, 2, 3], [4, 5, 0]]), "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}


@pytest.mark.parametrize("encoder", [BertConfig(**SMALL), ElectraConfig(**SMALL, embedding_size=8)])
@pytest.mark.parametrize("pooling", ["mean", "mean_max"])
def test_any_encoder_gives_logits_for_both_heads(encoder: PretrainedConfig, pooling: str) -> None:
    """The encoder is data, not code of ours."""
    model = OpinionClassifier(OpinionConfig(encoder=encoder, pooling=pooling)).eval()
    parts = model.split_heads(model(**batch()).logits)
    assert {head: part.shape for head, part in parts.items()} == {"sentiment": (2, 3), "topic": (2, 17)}


def test_an_encoder_that_is_given_keeps_its_weights() -> None:
    """Embeddings that were trimmed or grown before are not drawn anew: a training would start from noise there."""
    encoder = BertModel(BertConfig(**SMALL))
    encoder.set_input_embeddings(nn.Embedding.from_pretrained(torch.full((SMALL["vocab_size"], 16), 0.5)))
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    kept = OpinionClassifier(OpinionConfig(encoder=encoder.config), encoder).encoder.state_dict()
    assert all(torch.equal(weight, kept[name]) for name, weight in before.items() if not name.startswith("pooler"))


@pytest.mark.parametrize("pooling", ["mean", "mean_max"])
def test_padding_does_not_change_a_verdict(pooling: str) -> None:
    """A text gets the same scores alone and in a batch with longer ones."""
    model = small_model(pooling=pooling)
    alone = model(input_ids=torch.tensor([[4, 5]]), attention_mask=torch.tensor([[1, 1]])).logits
    torch.testing.assert_close(model(**batch()).logits[1:], alone, atol=1e-5, rtol=1e-5)


def test_a_checkpoint_comes_back_equal(tmp_path: Path) -> None:
    """Config, head order, temperatures and weights survive save and load."""
    model = small_model(temperatures={"topic": 1.5, "sentiment": 0.7})
    model.save_pretrained(tmp_path)
    loaded = OpinionClassifier.from_pretrained(tmp_path).eval()
    assert list(loaded.config.heads) == list(model.config.heads)
    assert loaded.config.temperatures == {"topic": 1.5, "sentiment": 0.7}
    torch.testing.assert_close(loaded(**batch()).logits, model(**batch()).logits)


def test_weights_are_saved_as_safetensors_only(tmp_path: Path) -> None:
    """A checkpoint of ours can be loaded without running code."""
    small_model().save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_scores_sum_to_one_and_follow_the_temperature() -> None:
    """A higher temperature makes the same verdict less sure."""
    model = small_model()
    logits = model(**batch()).logits
    sharp = model.scores(logits)["topic"]
    model.config.temperatures = {"topic": 4.0, "sentiment": 1.0}
    soft = model.scores(logits)["topic"]
    torch.testing.assert_close(soft.sum(dim=-1), torch.ones(2))
    assert soft.max() < sharp.max()
    assert (soft.argmax(dim=-1) == sharp.argmax(dim=-1)).all()


def test_a_missing_head_takes_no_part_in_the_loss() -> None:
    """A topic-only row must not pull on the sentiment head."""
    model = small_model()
    column = list(model.config.heads).index("topic")
    labels = torch.full((2, 2), IGNORED_LABEL)
    labels[:, column] = 3
    model(**batch(), labels=labels).loss.backward()
    assert model.heads["topic"].weight.grad.abs().sum() > 0
    assert model.heads["sentiment"].weight.grad.abs().sum() == 0


def test_a_batch_without_labels_has_no_loss_but_a_graph() -> None:
    """A batch of unlabelled rows neither fails nor moves anything."""
    loss = small_model()(**batch(), labels=torch.full((2, 2), IGNORED_LABEL)).loss
    loss.backward()
    assert loss.item() == 0.0


def test_an_absent_class_is_neither_learnt_nor_unlearnt() -> None:
    """Reviews without neutral rows must not teach that nothing is neutral."""
    logits = torch.zeros((1, 3), requires_grad=True)
    mask = torch.tensor([[True, False, True]])
    masked_cross_entropy(logits, torch.tensor([0]), mask, smoothing=0.1).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert logits.grad[0, 0] < 0 < logits.grad[0, 2]


def test_smoothing_goes_to_known_classes_only() -> None:
    """With two known classes, 0.2 of smoothing asks for 0.9 and 0.1."""
    best = torch.log(torch.tensor([[0.9, 1.0, 0.1]])).requires_grad_()
    mask = torch.tensor([[True, False, True]])
    masked_cross_entropy(best, torch.tensor([0]), mask, smoothing=0.2).backward()
    assert best.grad is not None
    torch.testing.assert_close(best.grad, torch.zeros((1, 3)), atol=1e-6, rtol=0)


def test_word_dropout_happens_in_training_only() -> None:
    """Inference reads every word; training hides some, never the first token."""
    model = small_model(word_dropout=0.5, mask_token_id=9)
    ids, mask = torch.ones((4, 40), dtype=torch.long), torch.ones((4, 40), dtype=torch.long)
    hidden = model._drop_words(ids, mask)
    assert 0.3 < (hidden == 9).float().mean() < 0.7
    assert (hidden[:, 0] == 1).all()
    first, second = (model(input_ids=ids, attention_mask=mask).logits for _ in range(2))
    torch.testing.assert_close(first, second)
