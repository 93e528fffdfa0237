import numpy as np
import pytest
import torch

from core.scripts import Script
from models.calibration import FEWEST_OF_A_SCRIPT, fit_temperatures
from models.classifier import IGNORED_LABEL, OpinionClassifier, OpinionConfig
from tests.unit.models.test_classifier import small_model


def claims(
    rows: int, head_column: int, model: OpinionClassifier, *, logit: float = 8.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sentiment logits that are right 70 % of the time; the highest, `logit`, says how sure they claim to be."""
    chance = np.random.default_rng(seed)
    labels = np.full((rows, 2), IGNORED_LABEL)
    labels[:, head_column] = chance.integers(0, 3, rows)
    said = np.where(chance.random(rows) < 0.7, labels[:, head_column], (labels[:, head_column] + 1) % 3)
    logits = np.zeros((rows, sum(len(names) for names in model.config.heads.values())), dtype=np.float32)
    logits[np.arange(rows), said] = logit
    return logits, labels, np.ones_like(logits, dtype=bool)


def both_scripts(rows: int, column: int, model: OpinionClassifier, *, other_logit: float) -> tuple[object, ...]:
    """As many rows of either script, the Han ones with a logit of 8."""
    parts = zip(claims(rows, column, model), claims(rows, column, model, logit=other_logit, seed=1), strict=True)
    scripts: list[Script] = ["han"] * rows + ["other"] * rows
    return (*(np.concatenate(pair) for pair in parts), scripts)


def test_overconfidence_is_cooled_and_other_heads_are_left_alone() -> None:
    """Scores claim what they keep; a head without answers keeps its temperature."""
    model = small_model(temperatures={"sentiment": 1.0, "topic": 1.3})
    column = list(model.config.heads).index("sentiment")
    temperatures = fit_temperatures(model, *claims(600, column, model), ["han"] * 600)
    assert temperatures["sentiment"] > 2
    assert temperatures["topic"] == 1.3


def test_classes_that_a_source_lacks_say_nothing_about_confidence() -> None:
    """A high logit for an answer that nobody could give in that source is not doubt."""
    model = small_model()
    column = list(model.config.heads).index("sentiment")
    logits, labels, mask = claims(600, column, model)
    logits[:, 2], mask[:, 2] = 50.0, False
    kept = labels[:, column] != 2
    with_mask = fit_temperatures(model, logits[kept], labels[kept], mask[kept], ["han"] * int(kept.sum()))
    logits[:, 2], mask[:, 2] = -50.0, True
    impossible = fit_temperatures(model, logits[kept], labels[kept], mask[kept], ["han"] * int(kept.sum()))
    assert with_mask["sentiment"] == pytest.approx(impossible["sentiment"], abs=0.01)


def test_scripts_of_unequal_confidence_get_temperatures_of_their_own() -> None:
    """A model may boast in one language and understate in another."""
    model = small_model()
    column = list(model.config.heads).index("sentiment")
    temperature = fit_temperatures(model, *both_scripts(500, column, model, other_logit=2.0))["sentiment"]
    assert isinstance(temperature, dict)
    assert temperature["han"] > 2 * temperature["other"]


@pytest.mark.parametrize(
    ("rows", "other_logit"), [(500, 8.0), (FEWEST_OF_A_SCRIPT - 1, 2.0)], ids=["alike", "too few"]
)
def test_scripts_share_a_temperature_unless_two_pay(rows: int, other_logit: float) -> None:
    """Figures that differ by chance, or of a handful of rows, are not worth a second one."""
    model = small_model()
    column = list(model.config.heads).index("sentiment")
    temperatures = fit_temperatures(model, *both_scripts(rows, column, model, other_logit=other_logit))
    assert isinstance(temperatures["sentiment"], float)


def test_scores_follow_the_temperature_of_the_texts_script() -> None:
    """The same logits are surer where the script is cooler; a head with one temperature asks for no script."""
    model = small_model(temperatures={"sentiment": {"han": 1.0, "other": 4.0}, "topic": 1.0})
    logits = torch.zeros(2, sum(map(len, model.config.heads.values())))
    logits[:, 0] = 2.0
    scores = model.scores(logits, ["han", "other"])["sentiment"][:, 0]
    assert scores.tolist() == pytest.approx([2.718281828**2 / (2.718281828**2 + 2), 0.4518], abs=1e-3)
    with pytest.raises(ValueError, match="sentiment head is calibrated by script: 2 rows, 1 scripts"):
        model.scores(logits, ["han"])


def test_config_defaults_are_uncalibrated() -> None:
    """A fresh model claims its softmax."""
    assert set(OpinionConfig().temperatures.values()) == {1.0}
