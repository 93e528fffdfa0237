"""The starter in each precision, on generated text."""

import random
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from core.records import Opinion
from models import precision
from models.checkpoints import STARTER
from models.inference import Classifier
from models.precision import set_precision

SUBJECTS = ("快递", "这家店的客服", "新出的手机", "昨晚的比赛", "银行", "The bank", "This phone", "The new policy")
VERBS = ("真的", "今天", "又一次", "据说", "还是", "was", "has been", "looks", "turned out")
ENDS = (
    "太慢了",
    "很好用",
    "发布了公告",
    "让人失望",
    "涨了5%",
    "terrible",
    "great news",
    "announced on Monday",
    "a scam",
    "fine",
)
TEXTS = 400
AGREEMENT = 0.995


@cache
def opinions(name: precision.Precision) -> tuple[Opinion, ...]:
    chance = random.Random(5)
    texts = [
        " ".join(f"{chance.choice(SUBJECTS)} {chance.choice(VERBS)} {chance.choice(ENDS)} {number}" for _ in range(3))
        for number in range(TEXTS)
    ]
    return tuple(Classifier.load(STARTER, device="cpu", precision=name, cache_entries=0).classify(texts))


def chosen(monkeypatch: pytest.MonkeyPatch, *, is_native: bool, gain: float) -> tuple[str, torch.dtype]:
    """What `auto` takes where bfloat16 is `gain` times as fast, and what the encoder is left in."""
    forward = SimpleNamespace(encoder=torch.nn.Linear(2, 2))
    seconds = {torch.float32: gain, torch.bfloat16: 1.0}
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda: is_native)
    monkeypatch.setattr(precision, "_seconds", lambda timed, _: seconds[timed.encoder.weight.dtype])
    name = set_precision(cast(Any, forward), "auto", [])
    return name, forward.encoder.weight.dtype


@pytest.mark.parametrize("head", ["topic_label", "sentiment"])
def test_bfloat16_gives_the_labels_of_float32(head: str) -> None:
    """Workers in different precision agree on at least 99.5 % of the texts."""
    same = [
        getattr(a, head) == getattr(b, head) for a, b in zip(opinions("float32"), opinions("bfloat16"), strict=True)
    ]
    assert sum(same) >= AGREEMENT * TEXTS


def test_a_named_precision_is_used() -> None:
    """The setting pins it, whatever a trial would say."""
    for name in ("float32", "bfloat16"):
        assert Classifier.load(STARTER, device="cpu", precision=name).precision == name


def test_auto_takes_bfloat16_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU that multiplies it natively and shows it."""
    assert chosen(monkeypatch, is_native=True, gain=2.0) == ("bfloat16", torch.bfloat16)


def test_auto_keeps_float32_for_a_small_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gain within the noise of a trial is not worth other figures, and the weights are whole again."""
    assert chosen(monkeypatch, is_native=True, gain=1.05) == ("float32", torch.float32)


def test_auto_never_emulates_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that a neighbour disturbed cannot choose what the hardware does not have."""
    assert chosen(monkeypatch, is_native=False, gain=9.0) == ("float32", torch.float32)
