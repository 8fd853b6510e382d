import subprocess
import sys

import pytest
import torch

from trivium.trainers.supervised.eager import MARKED_FOR_THE_COMPILER, eager

SCRIPT = """
import sys, torch
from trivium.trainers.supervised.eager import eager
for kind in (torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adam, torch.optim.AdamW):
    layer = torch.nn.Linear(2, 1)
    optimizer = eager(kind)(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""


def test_the_compiler_is_never_imported() -> None:
    # When torch wraps more functions for its compiler, this fails: a second before each first step.
    assert subprocess.run([sys.executable, "-c", SCRIPT], check=False).returncode == 0


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_steps_states_and_hooks_are_those_of_torch(name: str) -> None:
    kind = getattr(torch.optim, name)
    weights = [torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2)]
    stock, ours = kind(weights[:1], lr=0.1), eager(kind)(weights[1:], lr=0.1)
    calls: list[str] = []
    ours.register_step_pre_hook(lambda *_: calls.append("hook"))
    for _ in range(3):
        for weight, optimizer in zip(weights, (stock, ours), strict=True):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()
    assert torch.equal(*weights)
    assert calls == ["hook"] * 3
    assert not weights[1].requires_grad or weights[1].grad_fn is None
    assert repr(stock.state_dict()) == repr(ours.state_dict())
    again = eager(kind)([torch.nn.Parameter(torch.zeros(2))], lr=0.5)
    again.load_state_dict(stock.state_dict())
    assert again.param_groups[0]["lr"] == 0.1


def test_torch_still_wraps_what_is_taken_unwrapped() -> None:
    for name in (*MARKED_FOR_THE_COMPILER, "step"):
        assert hasattr(getattr(torch.optim.Adam, name), "__wrapped__")
