"""Python source as a tree, in any thread."""

from __future__ import annotations

import ast
import threading

TRIES = 5
_ONE_AT_A_TIME = threading.RLock()  # a finalizer may parse in the middle of its own thread's parsing


def tree_of(source: str | bytes, feature_version: tuple[int, int] | None = None) -> ast.Module:
    """As ``ast.parse``. Python 3.11 counts the depth of all trees that are being built in one place, so two threads
    upset each other's count ("SystemError: AST constructor recursion depth mismatch"): ours build one after another,
    and what collides with somebody else's (``traceback`` of the standard library parses too) is built once more.
    Raises SyntaxError, ValueError, RecursionError or MemoryError for what is no source."""
    for _ in range(TRIES - 1):
        try:
            return _built(source, feature_version)
        except SystemError:
            continue
    return _built(source, feature_version)


def _built(source: str | bytes, feature_version: tuple[int, int] | None) -> ast.Module:
    with _ONE_AT_A_TIME:
        return ast.parse(source, feature_version=feature_version)
