"""What teachers think of the training rows: soft answers, beside people's hard ones (Hinton et al. 2015).

Larger classifiers, and several together, are right more often than a small one, and their doubt says which classes
lie close to each other. They answer every head of every row, also where nobody labelled it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from core.errors import UsageError
from core.logs import get_logger
from models.checkpoints import load_checkpoint, window_length
from models.datasets import LabelledText
from models.encoding import EncodedRows, PadToLongest
from models.recipe import Distillation

log = get_logger(__name__)
BATCH_ROWS: Final = 256


def ask_teachers(distillation: Distillation, texts: Sequence[str], heads: dict[str, list[str]]) -> torch.Tensor:
    """The mean of the teachers' scores: (texts, classes of all heads) float16; each head sums to 1.

    Blocks for as long as the teachers take to read all texts.

    Args:
        heads: of the student, the same as the teachers'.

    Raises:
        CheckpointError: a teacher cannot be loaded.
        UsageError: it has other classes, or the same ones in another order.
    """
    total = torch.zeros(len(texts), sum(map(len, heads.values())))
    for teacher in distillation.teachers:
        total += _answers(Path(teacher), texts, heads, distillation.temperature)
        log.info("teacher_asked", teacher=teacher, texts=len(texts))
    return (total / len(distillation.teachers)).half()


@torch.inference_mode()
def _answers(teacher: Path, texts: Sequence[str], heads: dict[str, list[str]], temperature: float) -> torch.Tensor:
    model, tokenizer = load_checkpoint(teacher)
    if model.config.heads != heads:
        raise UsageError(
            f"the teacher {teacher} answers with other classes than its student", remedy="train it again"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    rows = EncodedRows([LabelledText(text) for text in texts], tokenizer, heads, window_length(tokenizer))
    pad = PadToLongest(int(tokenizer.pad_token_id))
    found = torch.empty(len(texts), sum(map(len, heads.values())))
    shortest_first = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for start in range(0, len(texts), BATCH_ROWS):
        chosen = shortest_first[start : start + BATCH_ROWS]
        batch = pad([rows[index] for index in chosen])
        with torch.autocast(device, torch.bfloat16):
            logits = model(batch["input_ids"].to(device), batch["attention_mask"].to(device)).logits
        scores = [torch.softmax(part / temperature, dim=-1) for part in model.split_heads(logits.float()).values()]
        found[chosen] = torch.cat(scores, dim=-1).cpu()
    return found
