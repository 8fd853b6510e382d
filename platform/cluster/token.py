"""The token that a Ray cluster asks for: found where Ray keeps it, never written anywhere by us.

Ray 2.60 answers 401 to who sends no token and 403 to who sends a wrong one.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trivium.platform.errors import UserError


@dataclass(frozen=True)
class Token:
    """A token and where it was found; it prints without its value."""

    value: str = field(repr=False)
    origin: str

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP header that carries it."""
        return {"Authorization": f"Bearer {self.value}"}


def find_token(environment: Mapping[str, str] | None = None) -> Token | None:
    """The token of this user, looked for where Ray looks, in Ray's order; None when there is none.

    Raises:
        UserError: `RAY_AUTH_TOKEN_PATH` names a file that cannot be read.
    """
    variables = os.environ if environment is None else environment
    if variables.get("RAY_AUTH_TOKEN"):
        return Token(variables["RAY_AUTH_TOKEN"], "RAY_AUTH_TOKEN")
    named = variables.get("RAY_AUTH_TOKEN_PATH")
    file = Path(named) if named else Path.home() / ".ray" / "auth_token"
    try:
        value = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        if named:
            raise UserError(
                f"RAY_AUTH_TOKEN_PATH={named}: cannot be read: {error.strerror}"
            ) from None
        return None
    return Token(value, str(file)) if value else None


def ask_token(address: str) -> Token | None:
    """Ask the person at the terminal, unseen; None when nobody is there or nothing is typed."""
    import getpass
    import sys

    if not sys.stdin.isatty():
        return None
    value = getpass.getpass(f"token of {address} (`ray get-auth-token` on its head prints it): ")
    return Token(value.strip(), "the terminal") if value.strip() else None


def missing_token(address: str) -> UserError:
    """The cluster wants a token and there is none."""
    return UserError(
        f"{address} wants a token (401) and none was found in RAY_AUTH_TOKEN, "
        f"RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token; `ray get-auth-token` on the head prints it: "
        f"export RAY_AUTH_TOKEN=..."
    )


def wrong_token(address: str, token: Token | None) -> UserError:
    """The cluster knows another token."""
    origin = token.origin if token else "nowhere"
    return UserError(
        f"{address} refuses the token from {origin} (403): it is another cluster's; "
        f"`ray get-auth-token` on the head prints the right one: export RAY_AUTH_TOKEN=..."
    )
