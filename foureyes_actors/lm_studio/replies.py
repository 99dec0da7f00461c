"""What a model server's reply says, whatever its status pretends. Pure functions.

LM Studio answers 200 to a route that it does not have, 400 to most failures, and 401 when it wants a token: so the body
is read first.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from foureyes_actors.errors import LMStudioError, ServerRefused
from foureyes_actors.inference.server_faults import error_words, fault_of, has_error
from foureyes_actors.inference.strict_json import BYTE_ORDER_MARK
from foureyes_actors.ports.http import HttpReply

logger = logging.getLogger(__name__)

MISSING_ROUTE = "unexpected endpoint or method"


class RouteMissing(LMStudioError):
    """The server is there and has no such route; ``lm_studio``: it says so in LM Studio's words."""

    def __init__(self, route: str, words: str) -> None:
        super().__init__(f"the server has no route {route}" + (f" ({words})" if words else ""))
        self.lm_studio = MISSING_ROUTE in words.lower()


def body_of(reply: HttpReply, route: str, secret: str = "") -> Any:
    """The JSON of a reply that is no error; None when the reply is empty. ``secret``: the token that was sent, which
    no error repeats.

    Raises RouteMissing; ServerRefused (token, unknown model); ServerFault for any other error; LMStudioError for what
    is not JSON.
    """
    text = reply.body.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK)
    document = _parsed(text)
    words = error_words(document, text, secret)
    if reply.status in (401, 403):
        raise ServerRefused(f"HTTP {reply.status}: the server wants another API token; set model_server.api_token")
    if MISSING_ROUTE in words.lower() or (reply.status in (404, 405) and not _says_what(document)):
        raise RouteMissing(route, words if has_error(document) else f"HTTP {reply.status}")
    if not 200 <= reply.status < 300 or has_error(document):
        raise fault_of(reply.status, words)
    if document is None and text.strip() not in ("", "null"):
        raise LMStudioError(f"{route}: the answer is not JSON but {words[:100]!a}")
    return document


def rows_of(document: Any, key: str, route: str, *, names: bool = False) -> list[Mapping[str, Any]]:
    """The objects in the list under ``key``; what is none of them is left out. ``names``: the list
    is of ids, which become objects. Raises LMStudioError when there is no list, or nothing in it that can be read."""
    found = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(found, list):
        raise LMStudioError(f"{route}: the answer has no list {key!r}")
    rows = [{"id": row} for row in found if isinstance(row, str)] if names else found
    good = [row for row in rows if isinstance(row, Mapping)]
    if found and not good:
        raise LMStudioError(f"{route}: nothing in the list {key!r} is {'a name' if names else 'an object'}")
    if len(good) < len(found):  # with each check of the server: no news
        logger.debug("%s: %d of %d rows are left out", route, len(found) - len(good), len(found))
    return good


def _says_what(document: object) -> bool:
    """A 404 with an error object is about a model, one without is about the route."""
    return isinstance(document, Mapping) and isinstance(document.get("error"), Mapping)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
