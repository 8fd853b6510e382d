"""Secrets taken out of text before it is written or shown: run files, logs, messages.

Taken out are passwords and keys in URLs, values of options and parameters with a telling name,
tokens that are known by their look, and the values of environment variables whose names say that
they are secret. A secret that is none of these cannot be told from other text.
"""

import os
import re
from functools import lru_cache

HIDDEN = "***"

_SECRET_NAME = (  # the last word of a name: `api_token`, but neither `tokenizer` nor `num_tokens`
    r"(?:[\w.-]*(?:password|passwd|secret|token|credentials?|api[_-]?key|access[_-]?key|"
    r"private[_-]?key|signature)(?!\w))"
)
# scheme://user:password@host and scheme://key@host
_USERINFO = re.compile(r"(?P<scheme>\b[a-zA-Z][\w+.-]*://)[^\s/@'\"]+@")
# --api-key VALUE, api_key=VALUE, "password": "VALUE"
_NAMED = re.compile(
    rf"(?P<name>(?<![\w]){_SECRET_NAME})(?P<mark>[\"']?\s*[=:]\s*[\"']?)"
    r"(?!\s|//)(?P<value>[^\s&'\",;}\]]+)",
    re.IGNORECASE,
)
_OPTION = re.compile(
    rf"(?P<name>--?{_SECRET_NAME})(?P<mark>\s+)(?P<value>[^\s-]\S*)", re.IGNORECASE
)
_KNOWN = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|hf_\w{20,}|"
    r"sk-[\w-]{20,}|xox[abpr]-[\w-]{10,}|glpat-[\w-]{15,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})"
    r"|(?<=[Bb]earer )[\w.~+/=-]{8,}"
)
_SECRET_VARIABLE = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)", re.IGNORECASE
)
_SHORTEST = 8  # a shorter value of a variable may stand in innocent text


def redact(text: str) -> str:
    """`text` with every secret that can be recognised replaced by `***`."""
    for value in _secret_values(tuple(sorted(os.environ.items()))):
        text = text.replace(value, HIDDEN)
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _NAMED.sub(_hide_value, text)
    text = _OPTION.sub(_hide_value, text)
    return _KNOWN.sub(HIDDEN, text)


def has_password(url: str) -> bool:
    """Whether `url` is a URL with a password (or key) in it."""
    return _USERINFO.match(url) is not None and ":" in url.split("://", 1)[1].split("@")[0]


def _hide_value(match: re.Match[str]) -> str:
    return f"{match['name']}{match['mark']}{HIDDEN}"


@lru_cache(maxsize=4)
def _secret_values(environment: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Longest first, so that one that contains another goes whole."""
    found = {
        value
        for name, value in environment
        if _SECRET_VARIABLE.search(name) and len(value) >= _SHORTEST and not value.startswith("/")
    }
    return tuple(sorted(found, key=len, reverse=True))
