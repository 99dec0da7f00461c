"""Addresses and tokens as they may stand in the settings. Pure.

What a library would refuse, or would quietly send elsewhere, hours later is refused here: blanks, control characters,
characters that turn the direction of writing round.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_HOST = re.compile(r"[\w.-]+")  # letters of any script: a name may be an international one
_TOKEN = re.compile(r"([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?")  # what an HTTP header can carry, RFC 9110


def is_host(host: str) -> bool:
    """A name or an IP address, without brackets."""
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_server_address(url: str) -> bool:
    """``http://host[:port][/path]``, or https. ``urlsplit`` leaves line ends and tabs out without a word."""
    if not url.isprintable() or any(character.isspace() for character in url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port  # ValueError for one that is no number up to 65535
    except ValueError:
        return False
    known = parts.scheme in ("http", "https") and is_host(parts.hostname or "")
    return known and port != 0 and not parts.query and not parts.fragment


def is_token(text: str) -> bool:
    """Of ASCII characters that can be printed alone, and no blank at either end."""
    return _TOKEN.fullmatch(text) is not None
