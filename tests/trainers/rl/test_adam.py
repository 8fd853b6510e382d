import torch

from trivium.trainers.rl.adam import FlatAdam, flatten_parameters


def test_steps_equal_those_of_torch() -> None:
    torch.manual_seed(0)
    start = torch.randn(7)
    reference, flat = torch.nn.Parameter(start.clone()), start.clone()
    optimizer, adam = torch.optim.Adam([reference], lr=0.1, eps=1e-5), FlatAdam(flat, epsilon=1e-5)
    for _ in range(20):
        gradient = torch.randn(7)
        reference.grad = gradient.clone()
        optimizer.step()
        adam.step(gradient, 0.1)
    torch.testing.assert_close(flat, reference.detach(), rtol=1e-5, atol=1e-6)


def test_a_saved_state_goes_on_exactly() -> None:
    flats = [torch.zeros(3), torch.zeros(3)]
    first = FlatAdam(flats[0])
    first.step(torch.tensor([1.0, -2.0, 0.5]), 0.1)
    second = FlatAdam(flats[1])
    second.set_state(first.get_state())
    flats[1].copy_(flats[0])
    for adam in (first, second):
        adam.step(torch.tensor([0.3, 1.0, 2.0]), 0.1)
    assert torch.equal(flats[0], flats[1])


def test_parameters_follow_the_flat_tensor() -> None:
    layer = torch.nn.Linear(2, 2)
    before = layer(torch.ones(1, 2)).detach()
    flat = flatten_parameters(list(layer.parameters()))
    assert torch.equal(layer(torch.ones(1, 2)).detach(), before)
    flat.zero_()
    assert torch.equal(layer.weight, torch.zeros(2, 2))
