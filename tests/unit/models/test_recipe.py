from pathlib import Path

import pytest

from core.errors import NotFoundError, UsageError
from models.recipe import load_recipe

STARTER = Path(__file__).parents[3] / "models" / "recipes" / "starter.yaml"


def test_the_committed_recipe_can_be_read() -> None:
    """The starter can be trained again from what is in the repository."""
    recipe = load_recipe(STARTER)
    assert recipe.name == "starter"
    assert recipe.base == "e5-small"
    assert recipe.save_dtype == "int8"


def test_the_starter_trains_on_nothing_it_is_tested_on() -> None:
    """Nor on what decides when to stop, nor on streams."""
    recipe = load_recipe(STARTER)
    train = {part.file for part in recipe.train}
    assert not train & (set(recipe.test) | {part.file for part in recipe.dev})
    assert not any(".test." in name or name.startswith("stream/") for name in train)


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


def test_a_recipe_without_a_base_takes_the_configured_one(tmp_path: Path) -> None:
    """`OPINION_MODELS__BASE` fills in; what a recipe names itself is never replaced."""
    path = tmp_path / "r.yaml"
    path.write_text("name: x\ntrain: []\ndev: []\n", encoding="utf-8")
    assert load_recipe(path, "var/bases/e5-small").base == "var/bases/e5-small"
    path.write_text("name: x\nbase: mine\ntrain: []\ndev: []\n", encoding="utf-8")
    assert load_recipe(path, "var/bases/e5-small").base == "mine"
    path.write_text("name: x\nencoder: {model_type: bert}\ntrain: []\ndev: []\n", encoding="utf-8")
    with pytest.raises(UsageError, match="`encoder` and `tokenizer`") as caught:
        load_recipe(path, "var/bases/e5-small")
    assert "OPINION_MODELS__BASE" in str(caught.value.remedy)


def test_a_baseline_of_a_file_that_is_not_tested_is_named(tmp_path: Path) -> None:
    """A typo in a file's name would silently drop it from the card."""
    path = tmp_path / "r.yaml"
    path.write_text(
        "name: x\nbase: y\ntrain: []\ndev: []\ntest: [a/tnews.jsonl]\nbaselines: {tnew.jsonl: [1, 2]}\n",
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match=r"not in `test`: tnew\.jsonl"):
        load_recipe(path)


def test_sections_of_the_card_lie_beside_the_recipe(tmp_path: Path) -> None:
    """They are found from any working directory; one that is missing is named before hours of training."""
    path = tmp_path / "r.yaml"
    path.write_text("name: x\nbase: y\ntrain: []\ndev: []\nsections: {Tried: tried.md}\n", encoding="utf-8")
    with pytest.raises(NotFoundError, match=r"tried\.md"):
        load_recipe(path)
    (tmp_path / "tried.md").write_text("nothing", encoding="utf-8")
    assert load_recipe(path).sections == {"Tried": tmp_path / "tried.md"}


def test_a_recipe_takes_from_the_one_it_extends(tmp_path: Path) -> None:
    """Stages of one training share their data; what a stage says itself stands, an empty answer too."""
    (tmp_path / "a.yaml").write_text("name: a\nbase: y\nlayers: 3\ntrain: [{file: t}]\ndev: []\n", encoding="utf-8")
    path = tmp_path / "b.yaml"
    path.write_text("extends: a.yaml\nbase: z\nlayers: null\n", encoding="utf-8")
    recipe = load_recipe(path)
    assert (recipe.name, recipe.base, recipe.layers, recipe.train[0].file) == ("a", "z", None, "t")


@pytest.mark.parametrize(("first", "second"), [("a.yaml", "a.yaml"), ("b.yaml", "a.yaml")])
def test_recipes_that_extend_each_other_are_refused(tmp_path: Path, first: str, second: str) -> None:
    """A circle ends with a message and not with a full stack."""
    (tmp_path / "a.yaml").write_text(f"extends: {first}\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text(f"extends: {second}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="extends itself"):
        load_recipe(tmp_path / "a.yaml")


@pytest.mark.parametrize("stage", ["starter-longer", "starter-teacher", "starter-distilled"])
def test_every_stage_of_the_starter_can_be_read(stage: str) -> None:
    """All of them train and are judged on the same rows."""
    first, recipe = load_recipe(STARTER), load_recipe(STARTER.with_name(f"{stage}.yaml"))
    assert (recipe.train, recipe.dev, recipe.test) == (first.train, first.dev, first.test)
    assert recipe.with_seed(9).optimisation.seed == 9 != recipe.optimisation.seed
