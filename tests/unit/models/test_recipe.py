from pathlib import Path

import pytest

from core.errors import NotFoundError, UsageError
from models.recipe import load_recipe

STARTER = Path(__file__).parents[3] / "models" / "recipes" / "starter.yaml"


def test_the_committed_recipe_can_be_read() -> None:
    """The starter can be trained again from what is in the repository."""
    recipe = load_recipe(STARTER)
    assert recipe.name == "starter"
    assert recipe.encoder is not None
    assert recipe.encoder["model_type"] == "electra"


def test_the_starter_trains_on_nothing_it_is_tested_on() -> None:
    """Nor on the non-commercial set, nor on the one labelled by emoticon, nor on streams."""
    recipe = load_recipe(STARTER)
    train = {part.file for part in recipe.train}
    assert not train & (set(recipe.test) | {part.file for part in recipe.dev})
    assert not any(".test." in name or name.startswith("stream/") for name in train)
    assert not any("phrasebank" in name or "weibo_senti" in name for name in train)


def test_an_unknown_field_is_named(tmp_path: Path) -> None:
    """A typo is not silently ignored for an hour."""
    path = tmp_path / "r.yaml"
    path.write_text("name: x\nbase: y\nlerning_rate: 1\ntrain: []\ndev: []\n", encoding="utf-8")
    with pytest.raises(UsageError, match="lerning_rate"):
        load_recipe(path)


def test_a_recipe_needs_something_to_start_from(tmp_path: Path) -> None:
    """Either a base, or an encoder and a tokenizer."""
    path = tmp_path / "r.yaml"
    path.write_text("name: x\ntrain: []\ndev: []\n", encoding="utf-8")
    with pytest.raises(UsageError, match="base"):
        load_recipe(path)


def test_bad_yaml_is_named(tmp_path: Path) -> None:
    """The message carries YAML's own place."""
    path = tmp_path / "r.yaml"
    path.write_text("name: [", encoding="utf-8")
    with pytest.raises(UsageError, match="line"):
        load_recipe(path)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    """The path that was tried is in the message."""
    with pytest.raises(NotFoundError, match=r"gone\.yaml"):
        load_recipe(tmp_path / "gone.yaml")
