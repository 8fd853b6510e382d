import pytest

from trivium.platform.settings import Settings, dump, validate
from trivium.trainers.rl.decay import Decay, constant


class Holder(Settings):
    rate: Decay = constant(0.5)


def test_a_linear_decay_falls_by_equal_differences_and_then_stays():
    decay = Decay(start=1.0, end=0.0, env_steps=10)
    assert [decay.at(n) for n in (0, 5, 10, 99)] == [1.0, 0.5, 0.0, 0.0]


def test_an_exponential_decay_falls_by_equal_factors():
    decay = Decay(start=1.0, end=0.01, env_steps=100, shape="exponential")
    assert [decay.at(n) for n in (0, 50, 100, 200)] == pytest.approx([1.0, 0.1, 0.01, 0.01])


@pytest.mark.parametrize("written", [0.25, {"start": 1.0, "end": 0.1, "env_steps": 9}])
def test_what_is_written_comes_back_from_the_resolved_job(written):
    read = validate(Holder, {"rate": written})
    assert validate(Holder, dump(read)) == read
    assert isinstance(dump(read)["rate"], type(written))


def test_the_schema_allows_a_number():
    schema = Holder.model_json_schema()
    assert schema["$defs"]["Decay"]["anyOf"][0] == {"type": "number"}
