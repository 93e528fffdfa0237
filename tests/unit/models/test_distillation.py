"""Teachers' soft answers."""

from pathlib import Path

import pytest
import torch

from core.errors import UsageError
from core.taxonomy import CLASSES
from models.checkpoints import load_checkpoint
from models.classifier import IGNORED_LABEL, OpinionClassifier
from models.distillation import ask_teachers
from models.recipe import Distillation
from tests.support.checkpoints import tiny_checkpoint

HEADS = {head: list(CLASSES[head]) for head in sorted(CLASSES)}
TEXTS = ["今天天气不错", "bad " * 30, "ok", "新能源汽车销量大增"]


def test_teachers_speak_with_one_voice_of_equal_weight(tmp_path: Path) -> None:
    """The student hears the mean of its teachers, each text in its own row whatever its length."""
    teachers = [tiny_checkpoint(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 2))]
    alone = [ask_teachers(Distillation(teachers=(str(t),)), TEXTS, HEADS).float() for t in teachers]
    both = ask_teachers(Distillation(teachers=tuple(map(str, teachers))), TEXTS, HEADS)
    torch.testing.assert_close(both.float(), (alone[0] + alone[1]) / 2, atol=2e-3, rtol=0)
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
    one = ask_teachers(Distillation(teachers=(str(teachers[0]),)), TEXTS[2:3], HEADS).float()
    torch.testing.assert_close(one[0], alone[0][2], atol=5e-3, rtol=0)


def test_each_head_is_a_distribution(tmp_path: Path) -> None:
    """Soft answers of one head sum to one, flatter at a higher temperature."""
    teacher = tiny_checkpoint(tmp_path / "a", seed=1)
    cool = ask_teachers(Distillation(teachers=(str(teacher),), temperature=1), TEXTS, HEADS).float()
    warm = ask_teachers(Distillation(teachers=(str(teacher),), temperature=8), TEXTS, HEADS).float()
    for found in (cool, warm):
        sums = torch.stack([part.sum(dim=-1) for part in torch.split(found, [len(n) for n in HEADS.values()], -1)])
        torch.testing.assert_close(sums, torch.ones_like(sums), atol=5e-3, rtol=0)
    assert warm.max() < cool.max()


def test_a_teacher_with_other_classes_is_refused(tmp_path: Path) -> None:
    """Soft answers are columns: another order of classes would teach nonsense silently."""
    teacher = tiny_checkpoint(tmp_path / "a", seed=1)
    other = {**HEADS, "topic": HEADS["topic"][::-1]}
    with pytest.raises(UsageError, match="other classes"):
        ask_teachers(Distillation(teachers=(str(teacher),)), TEXTS, other)


def test_soft_answers_teach_rows_without_labels(tmp_path: Path) -> None:
    """An unlabelled row pulls the student towards its teachers, and a weight of 0 leaves the labels alone."""
    model, _ = load_checkpoint(tiny_checkpoint(tmp_path / "a", seed=1))
    model.config.soft_weight, model.config.soft_temperature = 0.5, 2.0
    ids = torch.tensor([[5, 6, 7]])
    soft = torch.zeros(1, sum(map(len, HEADS.values())))
    soft[0, 0] = soft[0, len(HEADS["sentiment"])] = 1.0
    assert loss(model, ids, soft) > 0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    before = loss(model, ids, soft)
    before.backward()
    optimizer.step()
    assert loss(model, ids, soft) < before
    model.config.soft_weight = 0.0
    assert loss(model, ids, soft) == 0


def loss(model: OpinionClassifier, ids: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
    labels = torch.full((len(ids), len(HEADS)), IGNORED_LABEL)
    found: torch.Tensor = model(ids, torch.ones_like(ids), labels=labels, soft_scores=soft).loss
    return found
