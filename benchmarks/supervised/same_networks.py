"""Whether the peers' networks are Trivium's: as many parameters, and the same outputs for them."""

import sys
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent
SHAPE = (1, 28, 28)


def main() -> None:
    """Print the parameter counts; exit with a sentence when a network differs."""
    from trivium.platform.job import open_job, read_job
    from trivium.platform.settings import build

    sys.path.insert(0, str(HERE / "peers"))
    from networks import NETWORKS

    for name, network in NETWORKS.items():
        job = read_job(open_job(HERE / "jobs" / f"{name}.yaml"))
        facts = {"input_shape": SHAPE, "output_size": 10}
        ours: nn.Module = build(job.model, "trivium.models.registry:MODELS", facts)  # type: ignore[attr-defined]
        theirs = network()
        weights = list(ours.state_dict().values())
        names = list(theirs.state_dict())
        theirs.load_state_dict(dict(zip(names, weights, strict=True)))
        images = torch.randn(16, *SHAPE)
        # In training mode, so that normalisation over the batch is compared too.
        if not torch.allclose(ours.train()(images), theirs.train()(images), atol=1e-5):
            sys.exit(f"peers/networks.py: {name} is not Trivium's: outputs differ")
        print(f"{name}: {sum(p.numel() for p in theirs.parameters()):,} parameters, same outputs")


if __name__ == "__main__":
    main()
