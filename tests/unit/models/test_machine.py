"""Where a training computes, and how batches are cut to fit."""

import pytest
import torch

from models import machine
from models.machine import Cut, Machine, choose_machine, cut_batches


@pytest.mark.parametrize("tokens", [16, 100, 640, 8192, None])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_no_piece_is_above_the_bound(tokens: int | None, processes: int) -> None:
    """Pieces times passes times processes is the batch at least, and a piece of the longest rows fits (one row
    always does)."""
    cut = cut_batches(32, [5, 20, 64], micro_tokens=tokens, processes=processes)
    assert 32 <= cut.rows * cut.passes * processes < 32 + cut.passes * processes * 2
    assert tokens is None or cut.rows == 1 or cut.rows * 64 <= tokens


def test_without_a_bound_a_batch_is_one_pass() -> None:
    """Also when there is nothing to measure."""
    assert cut_batches(32, [500], micro_tokens=None) == Cut(32, 1)
    assert cut_batches(32, [], micro_tokens=16) == Cut(32, 1)


@pytest.mark.parametrize("is_ampere", [True, False])
def test_a_gpu_computes_in_bfloat16_where_it_can(monkeypatch: pytest.MonkeyPatch, is_ampere: bool) -> None:
    """Older GPUs only emulate it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: is_ampere)
    assert choose_machine("auto") == Machine(is_cuda=True, is_bfloat16=is_ampere)


def test_the_cpu_is_taken_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that workers use is left to them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(machine, "has_native_bfloat16", lambda: False)
    assert choose_machine("cpu") == Machine(is_cuda=False, is_bfloat16=False)


def test_a_gpu_that_is_wanted_and_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than training on the CPU for days."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="no CUDA device"):
        choose_machine("cuda")
