import gzip
import json
from pathlib import Path

import pytest
import torch

from core.errors import UsageError
from core.taxonomy import TOPICS
from models.averaging import epoch_checkpoints
from models.checkpoints import load_checkpoint
from models.datasets import LabelledText
from models.distillation import ask_teachers
from models.finetune import WORK_FOLDER, finetune, read_part, train_recipe
from models.inference import Classifier
from models.recipe import DataFile, Distillation, Optimisation, Recipe
from models.release import release
from models.training import Progress
from tests.unit.models.test_registry import DAY

GOOD, BAD = ("很好 nice", "very good tea", "服务 很好"), ("很差 bad", "very bad tea", "服务 很差")
FAST = Optimisation(epochs=8, batch_rows=8, learning_rate=5e-3, warmup_share=0.1, patience_epochs=8)


def rows(repeats: int) -> list[LabelledText]:
    return [
        LabelledText(f"{text} {number}", sentiment=sentiment, topic=topic)
        for number in range(repeats)
        for texts, sentiment, topic in ((GOOD, "positive", "travel"), (BAD, "negative", "finance"))
        for text in texts
    ]


def write(path: Path, labelled: list[LabelledText]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": row.text, "topic": row.topic, "sentiment": row.sentiment}) for row in labelled]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write(tmp_path / "data" / "a.train.jsonl.gz", rows(12))
    write(tmp_path / "data" / "a.dev.jsonl.gz", rows(2))
    return Recipe.model_validate(
        {
            "name": "tiny",
            "tokenizer": {"pieces": 300, "max_piece_chars": 4},
            "encoder": {
                "model_type": "bert",
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 16,
                "max_position_embeddings": 40,
            },
            "max_length": 32,
            "save_dtype": "float16",
            "optimisation": FAST.model_copy(update={"average_epochs": True}),
            "train": [{"file": "a.train.jsonl.gz", "repeat": 1.5, "absent": ["neutral"]}],
            "dev": [{"file": "a.dev.jsonl.gz", "absent": ["neutral"]}],
            "test": ["a.dev.jsonl.gz"],
            "notes": ["made in a test"],
        }
    )


def test_a_recipe_gives_a_checkpoint_that_has_learnt_both_heads(recipe: Recipe, tmp_path: Path) -> None:
    """The whole way from labelled files to a calibrated, loadable classifier with a card."""
    seen: list[Progress] = []
    trained = train_recipe(recipe, tmp_path / "data", tmp_path / "out", on_progress=seen.append)
    version = release(trained, recipe, tmp_path / "data", created_at=DAY)
    classifier = Classifier.load(trained.folder, device="cpu")
    good, bad = classifier.classify(["very good tea", "服务 很差"])
    assert (good.sentiment, good.topic_label) == ("positive", "travel")
    assert (bad.sentiment, bad.topic_label) == ("negative", "finance")
    assert classifier.version == version.version
    assert version.version.startswith("tiny-")
    assert trained.dev["macro_f1"] > 0.9
    assert seen[-1].step == seen[-1].steps
    card = (trained.folder / "README.md").read_text(encoding="utf-8")
    assert version.version in card
    assert "| a.dev.jsonl.gz | topic | ? | 12 |" in card
    assert "made in a test" in card


def test_a_champion_learns_new_labels(checkpoint: Path, tmp_path: Path) -> None:
    """The retrain job's training: from a checkpoint and rows to a candidate, the champion untouched."""
    before = (checkpoint / "model.safetensors").read_bytes()
    trained = finetune(checkpoint, rows(10), rows(2), tmp_path / "out", replay_rows=rows(1), optimisation=FAST)
    assert trained.rows == {"new labels": 60, "replay": 6}
    assert Classifier.load(trained.folder, device="cpu").classify(["服务 很差"])[0].sentiment == "negative"
    assert (checkpoint / "model.safetensors").read_bytes() == before


def test_a_candidate_is_held_to_the_champions_whole_answer_on_older_rows(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its first choices alone it would become far surer of them than the champion was; uncalibrated scores."""
    texts = [f"older text {number}" for number in range(240)]
    heads = load_checkpoint(checkpoint)[0].config.heads

    def scores(folder: Path) -> torch.Tensor:
        return ask_teachers(Distillation(teachers=(str(folder),), temperature=1.0), texts, heads).float()

    before = scores(checkpoint)
    names = [name for classes in heads.values() for name in classes]
    topics = [names.index(topic) for topic in TOPICS]
    older = [
        LabelledText(text, topic=names[topics[int(row[topics].argmax())]])
        for text, row in zip(texts, before, strict=True)
    ]

    once = FAST.model_copy(update={"epochs": 1, "learning_rate": 2e-2})

    def moved(weight: float) -> float:
        monkeypatch.setattr("models.finetune.REPLAY_SOFT_WEIGHT", weight)
        out = tmp_path / str(weight)
        finetune(checkpoint, rows(1), older[:6], out, replay_rows=older[6:], optimisation=once)
        return float((scores(out) - before)[:, topics].abs().sum(dim=1).mean())

    assert moved(0.5) < 0.8 * moved(0.01)


def test_training_goes_on_where_it_was_stopped(checkpoint: Path, recipe: Recipe, tmp_path: Path) -> None:
    """With `resume`, the epochs already done are not done again."""
    short = recipe.model_copy(update={"optimisation": FAST.model_copy(update={"epochs": 2})})
    train_recipe(short, tmp_path / "data", tmp_path / "out")
    seen: list[Progress] = []
    longer = recipe.model_copy(update={"optimisation": FAST.model_copy(update={"epochs": 4})})
    train_recipe(longer, tmp_path / "data", tmp_path / "out", resume=True, on_progress=seen.append)
    assert seen[0].epoch > 2


def test_a_new_training_forgets_the_epochs_of_another(recipe: Recipe, tmp_path: Path) -> None:
    """Without `resume`, what lies in the folder is not averaged in."""
    once = recipe.model_copy(update={"optimisation": FAST.model_copy(update={"epochs": 1, "average_epochs": True})})
    train_recipe(once, tmp_path / "data", tmp_path / "out")
    (only,) = epoch_checkpoints(tmp_path / "out" / WORK_FOLDER)
    only.rename(only.with_name("checkpoint-999"))
    train_recipe(once, tmp_path / "data", tmp_path / "out")
    assert epoch_checkpoints(tmp_path / "out" / WORK_FOLDER) == [only]


def test_a_training_ends_when_its_time_is_up(recipe: Recipe, tmp_path: Path) -> None:
    """What was learnt until then is kept, evaluated and saved."""
    hurried = FAST.model_copy(update={"epochs": 500, "most_minutes": 0.02})
    trained = train_recipe(recipe.model_copy(update={"optimisation": hurried}), tmp_path / "data", tmp_path / "out")
    load_checkpoint(trained.folder)
    assert set(trained.dev) == {"sentiment_macro_f1", "topic_macro_f1", "macro_f1"}


def test_the_trained_tokenizer_is_kept_for_the_next_run(recipe: Recipe, tmp_path: Path) -> None:
    """Training one takes minutes on real data."""
    once = recipe.model_copy(update={"optimisation": FAST.model_copy(update={"epochs": 1})})
    train_recipe(once, tmp_path / "data", tmp_path / "out")
    assert (tmp_path / "out" / WORK_FOLDER / "tokenizer" / "tokenizer.json").is_file()


def test_nothing_to_learn_from_is_said_at_once(checkpoint: Path, tmp_path: Path) -> None:
    """Before any weight is loaded."""
    with pytest.raises(UsageError):
        finetune(checkpoint, [], rows(1), tmp_path)


def test_a_part_of_a_file_is_spread_evenly(tmp_path: Path) -> None:
    """Files are often sorted by class; the first rows would be one class only."""
    write(tmp_path / "a.jsonl.gz", rows(10))
    part = read_part(tmp_path, DataFile(file="a.jsonl.gz", most_rows=6))
    assert len(part) == 6
    assert {row.sentiment for row in part} == {"positive", "negative"}


def test_a_student_learns_from_a_teacher_on_rows_without_labels(recipe: Recipe, tmp_path: Path) -> None:
    """The teacher's answers are asked for every row, unlabelled ones too, and end up in the student."""
    data = tmp_path / "data"
    teacher = train_recipe(recipe, data, tmp_path / "teacher").folder
    write(data / "more.jsonl.gz", [LabelledText(row.text) for row in rows(2)])
    taught = recipe.model_copy(
        update={
            "base": str(teacher),
            "distillation": Distillation(teachers=(str(teacher),), weight=0.5, unlabelled=("more.jsonl.gz",)),
        }
    )
    student = train_recipe(taught, data, tmp_path / "student")
    assert student.dev["macro_f1"] == 1.0
    assert load_checkpoint(student.folder)[0].config.soft_weight == 0.5
