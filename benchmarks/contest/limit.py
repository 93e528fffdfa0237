"""The limit: the same model and precision over perfectly length-sorted batches, everything else free.

    python -m benchmarks.contest.limit CHECKPOINT TEXTS

Tokens are made and sorted beforehand; only forward passes are timed, in the batch size that suits them best. Prints
documents per second. A process of its own, so that no contestant runs beside its threads.
"""

import json
import sys
import time
from pathlib import Path

import torch

from models.batching import token_budget_batches
from models.checkpoints import load_checkpoint
from models.inference import pick_device
from models.precision import has_native_bfloat16

BUDGETS = (1024, 2048)  # tokens of a batch; larger ones leave the cache


def limit(checkpoint: Path, texts: list[str]) -> float:
    """Documents per second, the best of the budgets."""
    model, tokenizer = load_checkpoint(checkpoint)
    device = pick_device("auto")
    is_bfloat16 = device.type == "cuda" or has_native_bfloat16()
    model = model.to(device, torch.bfloat16 if is_bfloat16 else torch.float32)
    encoded = sorted(tokenizer(texts)["input_ids"], key=len, reverse=True)
    best = 0.0
    for budget in BUDGETS:
        batches = [
            tokenizer.pad({"input_ids": [encoded[n] for n in batch]}, return_tensors="pt").to(device)
            for batch in token_budget_batches([len(ids) for ids in encoded], budget)
        ]
        best = max(best, len(encoded) / _seconds(model, batches))
    return best


@torch.inference_mode()
def _seconds(model: torch.nn.Module, batches: list[dict[str, torch.Tensor]]) -> float:
    model(batches[0]["input_ids"], batches[0]["attention_mask"])  # the first pass allocates
    started = time.perf_counter()
    for batch in batches:
        model(batch["input_ids"], batch["attention_mask"])
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(limit(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))))
