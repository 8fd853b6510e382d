"""What the single structures compute, and what they say when they do not fit."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from trivium.models.cnn import Cnn, CnnSettings
from trivium.models.lstm import Lstm, LstmSettings
from trivium.models.matrix_factorization import MatrixFactorization, MatrixFactorizationSettings
from trivium.models.mlp import Mlp, MlpSettings
from trivium.models.summary import Part, summarize
from trivium.platform.errors import UserError
from trivium.platform.settings import build, read_component

REGISTRY = "trivium.models.registry:MODELS"


def mistake(settings: dict[str, Any], **facts: Any) -> str:
    with pytest.raises(UserError) as caught:
        build(read_component(settings, REGISTRY), REGISTRY, facts)
    return str(caught.value)


def test_an_mlp_without_hidden_layers_is_a_linear_model() -> None:
    model = Mlp(MlpSettings(name="mlp", hidden=()), input_shape=(2,), output_size=1)
    with torch.no_grad():
        model.head.weight.copy_(torch.tensor([[2.0, -1.0]]))
        model.head.bias.fill_(0.5)
    assert model(torch.tensor([[3.0, 4.0]])).tolist() == [[2.5]]


def test_outputs_for_a_real_target_start_around_its_mean() -> None:
    torch.manual_seed(0)
    settings = MlpSettings(name="mlp", hidden=(16,))
    outputs = Mlp(settings, input_shape=(3,), output_size=1, target_mean=150.0)(torch.randn(50, 3))
    assert abs(outputs.mean().item() - 150.0) < 3.0


def test_he_keeps_the_size_of_values_through_many_relu_layers() -> None:
    torch.manual_seed(0)
    model = Mlp(MlpSettings(name="mlp", hidden=(256,) * 12), (256,), 1)
    features = model.features(torch.randn(200, 256))
    assert 0.3 < features.square().mean().item() < 3.0  # unlike 2 ** -12 without the gain


def test_xavier_draws_within_its_bound() -> None:
    model = Mlp(MlpSettings(name="mlp", hidden=(20,), initialization="xavier"), (30,), 1)
    weight = next(m for m in model.features.modules() if isinstance(m, nn.Linear)).weight
    bound = math.sqrt(2.0) * math.sqrt(6 / (20 + 30))
    assert 0.9 * bound < weight.abs().max().item() <= bound


def test_mlp_settings_that_cannot_take_effect_are_refused() -> None:
    assert mistake({"name": "mlp", "hidden": [], "dropout": 0.5}) == (
        "dropout, residual and normalization act on hidden layers, and hidden is empty: "
        "give hidden a width, or leave them out"
    )
    assert mistake({"name": "mlp", "hidden": [8, 4], "residual": True}) == (
        "residual needs two neighbouring hidden layers of one width, and hidden is [8, 4]: "
        "repeat a width, or leave residual out"
    )
    assert mistake({"name": "mlp", "hidden": [8, 0]}) == (
        "hidden: widths must be at least 1, got [8, 0]"
    )


def test_a_cnn_says_which_images_it_needs() -> None:
    assert mistake({"name": "cnn"}, input_shape=(30,), output_size=2) == (
        "cnn needs images [C, H, W]; this data has inputs of shape [30]: use mlp"
    )
    settings = {"name": "cnn", "channels": [8, 8, 8, 8]}
    assert mistake(settings, input_shape=(1, 9, 28), output_size=2) == (
        "cnn halves the image in each of its 4 blocks, and nothing is left of images of 9 x 28: "
        "give channels at most 3 values"
    )
    assert (
        mistake({"name": "cnn", "kernel_size": 4}) == "kernel_size must be odd (3, 5, ...), got 4"
    )


def test_a_cnn_takes_images_in_any_memory_order_and_of_one_channel() -> None:
    for channels in (1, 3):
        settings = CnnSettings(name="cnn", channels=(4,), hidden=())
        model = Cnn(settings, input_shape=(channels, 6, 6), output_size=2).eval()
        images = torch.randn(5, channels, 6, 6)
        plain = model.head(model.features(images))
        torch.testing.assert_close(model(images), plain)
        torch.testing.assert_close(model(images.to(memory_format=torch.channels_last)), plain)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("layers", [1, 2])
def test_padding_changes_nothing(pooling: Any, layers: int) -> None:
    settings = LstmSettings(
        name="lstm", embedding_size=4, hidden_size=5, pooling=pooling, layers=layers
    )
    model = Lstm(settings, vocabulary_size=9, output_size=2)
    text = torch.tensor([[3, 1, 4, 1, 5]])
    padded = torch.cat((text, torch.zeros(1, 6, dtype=torch.int64)), dim=1)
    length = torch.tensor([5])
    torch.testing.assert_close(model(padded, length), model(text, length))


def test_the_reading_from_the_end_is_that_of_a_packed_sequence() -> None:
    settings = LstmSettings(name="lstm", embedding_size=4, hidden_size=5, pooling="last")
    model = Lstm(settings, vocabulary_size=9, output_size=2)
    tokens, lengths = torch.tensor([[3, 1, 4, 1], [2, 7, 0, 0]]), torch.tensor([4, 2])
    reference = nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    layer = model.layers[0]
    state = {f"{k}": v for k, v in layer.forwards.state_dict().items()}
    state |= {f"{k}_reverse": v for k, v in layer.backwards.state_dict().items()}
    reference.load_state_dict(state)
    packed = nn.utils.rnn.pack_padded_sequence(model.embedding(tokens), lengths, batch_first=True)
    _, (last, _) = reference(packed)
    torch.testing.assert_close(model.features(tokens, lengths), torch.cat((last[0], last[1]), 1))


def test_an_empty_text_has_an_output_too() -> None:
    settings = LstmSettings(name="lstm", embedding_size=4, hidden_size=5, pooling="mean")
    model = Lstm(settings, vocabulary_size=9, output_size=2)
    assert model(torch.zeros(1, 3, dtype=torch.int64), torch.tensor([0])).isfinite().all()


def test_lstm_residual_of_one_layer_is_refused() -> None:
    assert mistake({"name": "lstm", "residual": True}) == (
        "residual acts from the second layer on, and layers is 1"
    )


def test_a_rating_is_the_sum_of_its_parts() -> None:
    settings = MatrixFactorizationSettings(name="matrix_factorization", rank=2)
    model = MatrixFactorization(settings, num_users=3, num_items=3, target_mean=3.5)
    model.eval()
    assert model.user_biases and model.item_biases and model.user_factors and model.item_factors
    with torch.no_grad():
        model.user_biases.weight[1] = 0.5
        model.item_biases.weight[2] = -0.25
        model.user_factors.weight[1] = torch.tensor([1.0, 2.0])
        model.item_factors.weight[2] = torch.tensor([0.5, -1.0])
    # 3.5 + 0.5 - 0.25 + (1 * 0.5 - 2 * 1); an unknown user adds nothing, nor an unknown item.
    ratings = model(torch.tensor([1, 0, 1, 0]), torch.tensor([2, 2, 0, 0]))
    assert ratings.tolist() == [2.25, 3.25, 4.0, 3.5]


def test_without_a_share_the_unknown_user_and_item_are_never_trained() -> None:
    settings = MatrixFactorizationSettings(name="matrix_factorization", rank=2, unknown_share=0.0)
    model = MatrixFactorization(settings, num_users=3, num_items=3, target_mean=3.5)
    model(torch.tensor([0, 1]), torch.tensor([1, 0])).sum().backward()
    for embedding in (model.user_biases, model.item_factors):
        assert embedding is not None and embedding.weight.grad is not None
        assert embedding.weight.grad[0].tolist() == [0.0] * embedding.weight.shape[1]


def test_with_a_share_the_unknown_learns_from_forgotten_rows_in_training_only() -> None:
    settings = MatrixFactorizationSettings(name="matrix_factorization", unknown_share=0.25)
    model = MatrixFactorization(settings, num_users=2, num_items=2, target_mean=3.5)
    known = torch.ones(4000, dtype=torch.int64)
    model(known, known).sum().backward()
    assert model.user_biases is not None and model.user_biases.weight.grad is not None
    forgotten, kept = model.user_biases.weight.grad[:, 0].tolist()
    assert forgotten + kept == 4000
    assert 0.2 < forgotten / 4000 < 0.3
    assert model.eval()(known, known).unique().numel() == 1


def test_matrix_factorization_of_rank_0_needs_biases() -> None:
    settings = {"name": "matrix_factorization", "rank": 0, "biases": False}
    assert mistake(settings) == (
        "rank: 0 leaves the biases alone: it needs biases: true, and no dropout"
    )
    assert mistake({"name": "matrix_factorization"}, input_shape=(3,), output_size=1) == (
        "matrix_factorization needs num_users, num_items, target_mean, which this data does not "
        "have (it has input_shape, output_size)"
    )


def test_a_summary_counts_parameters_by_part() -> None:
    settings = CnnSettings(name="cnn", channels=(4,), hidden=())
    model = Cnn(settings, input_shape=(1, 4, 4), output_size=3)
    model.head.weight.requires_grad = False
    found = summarize(model)
    # A 3 x 3 kernel from 1 to 4 channels, scale and shift of 4 channels; 4 * 2 * 2 places to 3.
    assert found.parts == (Part("features", "Sequential", 36 + 8), Part("head", "Linear", 48 + 3))
    assert (found.num_parameters, found.num_trainable) == (95, 47)
    # Float32, and the batch norm's buffers: mean and variance of 4 channels, an int64 count.
    assert found.num_bytes == 4 * (95 + 8) + 8


def test_a_summary_counts_shared_and_own_parameters_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))
            self.first = nn.Linear(2, 2, bias=False)
            self.second = nn.Linear(2, 2, bias=False)
            self.second.weight = self.first.weight

    found = summarize(Tied())
    assert found.parts == (Part("first", "Linear", 4), Part("(own)", "", 2))
    assert found.num_parameters == 6
