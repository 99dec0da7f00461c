"""MongoDB's address: what of it may be shown. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

_USER_INFO = re.compile(r"//(.*)@", re.DOTALL)  # greedy: an unescaped @ in a password is still a part of it
_SECRET_OPTION = re.compile(r"(?i)\b(authMechanismProperties|tlsCertificateKeyFilePassword|password)=[^&\s]*")
_SHORTEST = 3  # a shorter password would blank out half of every sentence; the driver's errors hold none


def masked_uri(uri: str) -> str:
    """Without name, password and options that hold secrets."""
    return _SECRET_OPTION.sub(r"\1=***", _USER_INFO.sub("//***@", uri))


def masked(text: str, uri: str) -> str:
    """``text`` (a driver's error, say) without the secrets of ``uri``, should it hold any."""
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = text.replace(secret, "***")
    return masked_uri(text)


def _secrets(uri: str) -> set[str]:
    found = _USER_INFO.search(uri)
    user, _, password = found[1].partition(":") if found else ("", "", "")
    given = {uri, user, password, f"{user}:{password}"}
    return {secret for text in given for secret in (text, unquote_plus(text)) if len(secret) >= _SHORTEST}
