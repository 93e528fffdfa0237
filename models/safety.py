"""What is refused before anything of a model's folder is loaded: pickles and code of its own."""

import json
from pathlib import Path
from typing import Any, Final

from core.errors import CheckpointError

CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "model.safetensors"
SHARDS_FILE: Final = "model.safetensors.index.json"
TOKENIZER_CONFIG_FILE: Final = "tokenizer_config.json"
PICKLED: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
CODE_FIELD: Final = "auto_map"  # where a config names classes of the Python files beside it


def refuse_unsafe(folder: Path) -> None:
    """Check that a folder holds a model whose files are all data. Nothing is loaded.

    Pickled weights beside safetensors may stay: they are never opened.

    Raises:
        CheckpointError: it holds no model, only pickled weights, or a model that runs code of its own.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise CheckpointError(
            f"{folder} holds no model: there is no {CONFIG_FILE}",
            remedy="name the folder that `save_pretrained` wrote, with config.json and model.safetensors",
        )
    _refuse_pickles(folder)
    for file in (CONFIG_FILE, TOKENIZER_CONFIG_FILE):
        _refuse_code(folder / file)


def _refuse_pickles(folder: Path) -> None:
    if not any((folder / name).is_file() for name in (WEIGHTS_FILE, SHARDS_FILE)):
        pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
        _refuse_weights(folder, pickled)
    elif not (folder / WEIGHTS_FILE).is_file():
        # transformers reads the shards that the index names, whatever they are.
        shards = set(_fields(folder / SHARDS_FILE).get("weight_map", {}).values())
        if pickled := sorted(name for name in shards if not str(name).endswith(".safetensors")):
            _refuse_weights(folder, pickled)


def _refuse_weights(folder: Path, pickled: list[str]) -> None:
    raise CheckpointError(
        f"{folder} holds pickled weights ({', '.join(pickled)}), which could run code when they are loaded"
        if pickled
        else f"{folder} holds no safetensors weights",
        remedy="save the model with `save_pretrained`, which writes model.safetensors",
    )


def _refuse_code(path: Path) -> None:
    code = _fields(path).get(CODE_FIELD) if path.is_file() else None
    if not code:
        return
    named = code.values() if isinstance(code, dict) else code
    classes = sorted({str(name) for name in named if name} if not isinstance(code, str) else {code})
    raise CheckpointError(
        f"{path.parent} wants to run code of its own ({', '.join(classes)}; `{CODE_FIELD}` in {path.name}), "
        "and trust_remote_code is never given",
        remedy="take a model of an architecture that transformers has, such as bert, xlm-roberta or deberta-v2; if "
        f"this is one, remove `{CODE_FIELD}` from a copy of the folder",
    )


def _fields(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} does not hold a JSON object")
    return found
