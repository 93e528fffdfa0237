import json
import pickle
from pathlib import Path

import pytest

from core.errors import CheckpointError
from models.bases import load_base
from models.checkpoints import resolve
from tests.support import encoders


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.sign,)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return encoders.bert(tmp_path / "model")


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | fields), encoding="utf-8")


def test_pickled_weights_are_refused_unread(model: Path, tmp_path: Path) -> None:
    """A pickle runs code when it is loaded; the remedy says how to get rid of it."""
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(CheckpointError, match=r"pickled weights \(pytorch_model\.bin\)") as caught:
        load_base(model)
    assert "save_pretrained" in str(caught.value.remedy)
    assert not (tmp_path / "sprung").exists()


def test_pickles_beside_safetensors_are_never_opened(model: Path, tmp_path: Path) -> None:
    """Many models on hubs carry both; only the safe ones are read."""
    for name in ("pytorch_model.bin", "training_args.bin", "tokenizer.pkl"):
        (model / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    encoder, _ = load_base(model)
    assert encoder.config.num_hidden_layers == 3
    assert not (tmp_path / "sprung").exists()


def test_an_index_cannot_smuggle_pickles_in(model: Path) -> None:
    """transformers opens whatever files the index of a model in pieces names."""
    (model / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": "part-1.bin"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (model / "part-1.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"pickled weights \(part-1\.bin\)"):
        load_base(model)


def test_a_model_in_pieces_is_read(model: Path) -> None:
    """Large encoders come as several safetensors files and an index."""
    encoder, tokenizer = load_base(model)
    for path in model.iterdir():
        path.unlink()
    encoder.save_pretrained(model, max_shard_size="4KB")
    tokenizer.save_pretrained(model)
    assert len(list(model.glob("*.safetensors"))) > 1
    again, _ = load_base(model)
    weights, expected = (one.get_input_embeddings().weight for one in (again, encoder))
    assert weights.equal(expected)


def test_weights_of_other_programs_are_not_enough(model: Path) -> None:
    """A folder for ONNX or TensorFlow alone is no model for us."""
    (model / "model.safetensors").rename(model / "model.onnx")
    with pytest.raises(CheckpointError, match="no safetensors weights") as caught:
        resolve(model)
    assert "save_pretrained" in str(caught.value.remedy)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_its_own_is_refused_by_name(model: Path, file: str) -> None:
    """`auto_map` names Python files beside the weights, even where transformers would silently do without them."""
    change(model / file, auto_map={"AutoModel": "modeling_wild.WildModel", "AutoTokenizer": ["wild.Slow", None]})
    with pytest.raises(CheckpointError, match=rf"modeling_wild\.WildModel.*`auto_map` in {file}") as caught:
        load_base(model)
    assert "trust_remote_code" in caught.value.message
    assert "xlm-roberta" in str(caught.value.remedy)


def test_a_folder_that_is_no_model_is_said_so(tmp_path: Path) -> None:
    """The folder above the model is named easily by mistake."""
    with pytest.raises(CheckpointError, match=r"holds no model: there is no config\.json") as caught:
        resolve(tmp_path)
    assert "config.json and model.safetensors" in str(caught.value.remedy)


def test_a_file_is_no_folder(model: Path) -> None:
    """The weights themselves are named easily, too."""
    with pytest.raises(CheckpointError, match="is a file") as caught:
        resolve(model / "model.safetensors")
    assert "folder" in str(caught.value.remedy)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_config_is_named(model: Path, content: str) -> None:
    """A torn copy gives a message, and no traceback of a JSON reader."""
    (model / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json.*JSON"):
        resolve(model)
