"""Secrets in what is written: found by where they stand, by their look, and by what they are."""

import pytest

from trivium.platform.redact import has_password, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mlflow at http://ada:pw@host:5000/x", "mlflow at http://***@host:5000/x"),
        ("s3://AKIA:SE%2FCRET@bucket/runs?region=x", "s3://***@bucket/runs?region=x"),
        ("--api-key abc123 --seed 3", "--api-key *** --seed 3"),
        ("--set tracking.token=abc", "--set tracking.token=***"),
        ("https://h/x?access_token=abc&y=1", "https://h/x?access_token=***&y=1"),
        ('{"password": "abc"}', '{"password": "***"}'),
        ("Authorization: Bearer abcdefghij", "Authorization: Bearer ***"),
        ("key AKIAIOSFODNN7EXAMPLE here", "key *** here"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ", "***"),
    ],
)
def test_a_secret_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "trivium train jobs/mnist-cnn.yaml --set model.tokenizer=bert --set num_tokens=5",
        "epoch 3/10  train loss 0.1  2,122 samples/s",
        "http://host:5000/path@home",
        "see max_tokens: 10, secrets of the trade",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert redact(text) == text


def test_the_value_of_a_secret_variable_is_hidden_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", "correct-horse")
    monkeypatch.setenv("TOKEN_FILE", "/run/secrets/token")
    assert (
        redact("it said correct-horse at /run/secrets/token") == "it said *** at /run/secrets/token"
    )


def test_only_a_url_with_a_password_has_one() -> None:
    assert has_password("postgresql://ada:pw@host/db")
    assert not has_password("postgresql://ada@host/db")
    assert not has_password("http://host:5000/a@b")
    assert not has_password("file.py:Net@x")
