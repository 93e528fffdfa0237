"""One of several processes that train together: `torchrun … -m opinion.training_worker FOLDER`."""

import sys
from pathlib import Path

from opinion.training_child import learn, step_back


def main(folder: Path) -> None:
    """Train at low priority; the first process writes what comes out."""
    import torch.distributed

    step_back()
    learn(folder)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
