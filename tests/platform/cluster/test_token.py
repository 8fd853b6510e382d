"""Tokens: found where Ray finds them, told apart from each other, never shown."""

import os
from pathlib import Path

import pytest

from trivium.platform.cluster.token import Token, find_token, missing_token, wrong_token
from trivium.platform.errors import UserError


def test_a_token_is_found_in_rays_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert find_token({}) is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("of-the-home\n")
    assert find_token({}) == Token("of-the-home", str(tmp_path / ".ray" / "auth_token"))
    (tmp_path / "other").write_text("of-a-file")
    named = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "other")}
    assert find_token(named) == Token("of-a-file", str(tmp_path / "other"))
    found = find_token({**named, "RAY_AUTH_TOKEN": "typed"})
    assert found == Token("typed", "RAY_AUTH_TOKEN")


def test_a_token_file_that_is_named_must_be_there() -> None:
    with pytest.raises(UserError) as refused:
        find_token({"RAY_AUTH_TOKEN_PATH": "/nowhere/token"})
    reason = os.strerror(2)
    assert str(refused.value) == f"RAY_AUTH_TOKEN_PATH=/nowhere/token: cannot be read: {reason}"


def test_a_token_prints_without_its_value() -> None:
    assert "abc123" not in f"{Token('abc123', 'RAY_AUTH_TOKEN')!r}"


def test_401_and_403_explain_themselves() -> None:
    assert str(missing_token("http://h:8265")) == (
        "http://h:8265 wants a token (401) and none was found in RAY_AUTH_TOKEN, "
        "RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token; `ray get-auth-token` on the head prints it: "
        "export RAY_AUTH_TOKEN=..."
    )
    assert str(wrong_token("http://h:8265", Token("x", "~/.ray/auth_token"))) == (
        "http://h:8265 refuses the token from ~/.ray/auth_token (403): it is another cluster's; "
        "`ray get-auth-token` on the head prints the right one: export RAY_AUTH_TOKEN=..."
    )
