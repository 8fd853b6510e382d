"""Torch's optimizers without what serves torch.compile only.

Several of their methods import torch's compiler at the first call, to tell it where not to look:
a second of CPU and 800 modules before the first training step of each worker. The subclasses made
here do the same arithmetic and never import it.
"""

import inspect
from typing import TypeVar, cast

import torch

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)

MARKED_FOR_THE_COMPILER = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def eager(kind: type[Kind]) -> type[Kind]:
    """The optimizer class `kind` for models that are not compiled: same settings, same steps.

    The functions that torch wraps for the compiler are taken as they were written. `step` keeps
    the one effect of its wrapper: it records no gradients (`differentiable` is not supported).
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in MARKED_FOR_THE_COMPILER}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return cast(type[Kind], type(kind.__name__, (kind,), methods))
