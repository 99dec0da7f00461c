"""The rules that only read: what each finds in a few lines, and what it leaves alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t00l5et.gate.diff import MAX_CHANGED, Change, changes_of, check_paths, check_size, text_of
from t00l5et.gate.leaves import Blobs, leaves
from t00l5et.gate.literals import Captured, captured_of, known_literals
from t00l5et.gate.mutations import MOST, mutations
from t00l5et.gate.report import Stopped
from t00l5et.gate.smells import smells
from t00l5et.gate.sources import Source
from t00l5et.gate.strategies import generated

SETTINGS = Path(__file__).parents[3] / "foureyes_actors" / "settings"
BEFORE = '''
"""A module."""
from a import Wrong, replay_point

ALLOWED = (Wrong,)


class Held:
    limit = 3


@replay_point(raises=ALLOWED)
def read(text):
    assert text
    if not text:
        raise Wrong("no text")
    return first(text)


def first(text):
    return text[0]
'''


def source(after: str, before: str = BEFORE) -> Source:
    return Source(Change("foureyes_actors/x.py", (), (), ""), ast.parse(before), ast.parse(after), before, after)


def with_body(*lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return BEFORE.replace("    return text[0]\n", f"{body}\n")


def kinds(after: str) -> set[str]:
    return {kind for kind, _ in smells([source(after)], {"IndexError", "LookupError"})}


@pytest.mark.parametrize(
    "lines",
    [
        ("return text[0] if text else None",),
        ("try:", "    return text[0]", "except IndexError:", "    raise Wrong(text) from None"),
        ("try:", "    return int(text)", "except ValueError:", "    return text[:1]"),  # not what was recorded
        ("for character in text:", "    return character", "return None"),
        ("while True:", "    text = text.strip()", "    if text:", "        return text[0]", "    raise Wrong(text)"),
        ("count = len(text)", "return text[0] if count else '€'"),
        ("match = text.strip().find('x')", "return text[max(match, 0) :][:1]"),
    ],
    ids=str,
)
def test_what_an_honest_mending_needs_is_left_alone(lines: tuple[str, ...]) -> None:
    assert kinds(with_body(*lines)) == set()


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("swallowed exception", ("try:", "    return text[0]", "except LookupError:", "    return None")),
        ("swallowed exception", ("try:", "    return text[0]", "except* IndexError:", "    pass", "return None")),
        ("swallowed exception", ("try:", "    return text[0]", "finally:", "    return None")),
        ("swallowed exception", ("for c in text:", "    try:", "        pass", "    finally:", "        break")),
        ("swallowed exception", ("with contextlib.suppress(IndexError):", "    return text[0]")),
        ("swallowed exception", ("quiet = contextlib.suppress", "with quiet(IndexError):", "    return text[0]")),
        ("swallowed exception", ("kind = IndexError", "return text[0]")),
        ("broad except", ("try:", "    return text[0]", "except (ValueError, Exception):", "    return None")),
        ("broad except", ("try:", "    return text[0]", "except builtins.Exception:", "    return None")),
        ("broad except", ("try:", "    return text[0]", "except kinds()[0]:", "    return None")),
        ("broad except", ("try:", "    return text[0]", "except EVERYTHING:", "    return None")),
        ("broad except", ("try:", "    return text[0]", "except Exception:", "    return None", "    raise")),
        ("retry", ("for _ in text:", "    try:", "        return text[0]", "    except KeyError:", "        pass")),
        ("retry", ("try:", "    return text[0]", "except KeyError:", "    return first(text)")),
        ("endless", ("while 1:", "    pass")),
        ("endless", ("while not 0:", "    pass")),
        ("endless", ("for _ in iter(int, 1):", "    pass")),
        ("endless", ("for _ in itertools.count():", "    pass")),
        ("dead code", ("if 1 == 2:", "    return None", "return text[0]")),
        ("dynamic", ("return getattr(text, 'x')",)),
        ("dynamic", ("return text.__class__",)),
        ("dynamic", ("return type('X', (), {})",)),
        ("dynamic", ("return '{0.real}'.format_map({'x': text})",)),
        ("dynamic", ("return __builtins__",)),
        ("outside world", ("return text.os.environ",)),
        ("outside world", ("return open(text)",)),
        ("hashing", ("return hash(text)",)),
        ("sleep", ("text.sleep(1)",)),
        ("clock", ("while text.monotonic() < 3:", "    pass")),
        ("clock", ("return text.utc_now()",)),
        ("frames", ("return text.f_back",)),
        ("escape", ("raise SystemExit(0)",)),
        ("test detection", ("return 'pytest' in text",)),
        ("hidden text", ("return 'ev' + 'al'",)),
        ("hidden text", ("return 'lave'[::-1]",)),
        ("hidden text", ("return ''.join(['e', 'val'])",)),
        ("hidden text", ("return '%s' % ('x',)",)),
        ("hidden text", (r"return '\x65val'",)),
        ("hidden text", (r"return '\145val'",)),
        ("hidden text", (r"return '\N{LATIN SMALL LETTER E}val'",)),
        ("hidden state", ("global kept", "kept = text")),
        ("hidden state", ("Held.limit = 4",)),
        ("hidden state", ("len = max",)),
        ("silenced check", ("return text[0]  # noqa",)),
        ("silenced check", ("return text[0]  # type: ignore",)),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_added(kind: str, lines: tuple[str, ...]) -> None:
    assert kind in kinds(with_body(*lines))


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("assertion taken away", "    assert text\n", ""),
        ("assertion taken away", "assert text\n", "assert text or True\n"),
        ("raise taken away", '        raise Wrong("no text")', "        return None"),
        ("raise taken away", 'raise Wrong("no text")', 'raise KeyError("no text")'),
        ("contract", "@replay_point(raises=ALLOWED)\n", ""),
        ("contract", "raises=ALLOWED", "raises=(*ALLOWED, IndexError)"),
        ("contract", "ALLOWED = (Wrong,)", "ALLOWED = (Wrong, IndexError)"),
        ("contract", "class Held:", "class Held(Wrong):"),
        ("contract", "import Wrong, replay_point", "import Wrong\nfrom b import replay_point"),
        ("import", "from a import", "import os\nfrom a import"),
        ("import", "from a import", "from foureyes_actors.ports.files import LocalFiles\nfrom a import"),
        ("import", "from a import", "from foureyes_actors.world import World\nfrom a import"),
        ("import", "from a import", "from operator import *\nfrom a import"),
        ("import", "from a import", "from itertools import count\nfrom a import"),
        ("hidden state", "def first(", "@functools.lru_cache\ndef first("),
    ],
)
def test_what_is_taken_away_or_put_around(kind: str, old: str, new: str) -> None:
    assert BEFORE.count(old) == 1
    found = kinds(BEFORE.replace(old, new))
    assert kind in found or (kind == "contract" and "import" in found)


@pytest.mark.parametrize("guarded", [p.stem for p in sorted(SETTINGS.glob("*.py")) if p.stem != "__init__"])
def test_the_settings_may_be_brought_in_but_nothing_that_makes_them(guarded: str) -> None:
    for line in (
        f"from foureyes_actors.settings import {guarded}",
        f"from foureyes_actors.settings.{guarded} import A",
    ):
        assert kinds(BEFORE.replace("from a import", f"{line}\nfrom a import")) == {"import"}
    assert (
        kinds(BEFORE.replace("from a import", "from foureyes_actors.settings import Settings\nfrom a import")) == set()
    )


def test_what_only_moves_is_neither() -> None:
    moved = BEFORE.replace('    assert text\n    if not text:\n        raise Wrong("no text")\n', "    check(text)\n")
    moved += '\n\ndef check(text):\n    assert text\n    if not text:\n        raise Wrong("no text")\n'
    assert kinds(moved) == set()


# --- the diff ---


def diff(path: str = "foureyes_actors/readings/x.py", lines: int = 1) -> str:
    added = "".join(f"+new {n}\n" for n in range(lines))
    return f"--- a/{path}\n+++ b/{path}\n@@ -1,2 +1,{lines + 1} @@ def f():\n kept\n-old\n{added}"


def test_a_plain_diff_is_written_anew() -> None:
    (change,) = changes_of(text_of(diff().encode()))
    assert (change.path, change.added, change.removed) == ("foureyes_actors/readings/x.py", ("new 0",), ("old",))
    assert change.text.startswith("diff --git a/foureyes_actors/readings/x.py b/") and "def f" not in change.text
    check_paths([change])
    assert check_size([change]) == "2 lines in 1 file"


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_x.py",
        "foureyes_actors/../run.py",
        "foureyes_actors/./x.py",
        "foureyes_actors//x.py",
        "foureyes_actors/x.pyc",
        "foureyes_actors/x.py/y.txt",
        "foureyes_actors/settings/bug.py",
        "foureyes_actors/settings/config.py",
        "foureyes_actors/ports/clock.py",
        "foureyes_actors/replay/point.py",
        "foureyes_actors/wiring.py",
        "foureyes_actors/program.py",
        "foureyes_actors/entry.py",
        "run.py",
        "foureyes_actors/readings/__init__.py",
        "Foureyes_actors/readings/x.py",
        ".git/hooks/post-checkout",
        "foureyes_actors/.hidden/x.py",
        "t00l5et/gate/gate.py",
        "pyproject.toml",
    ],
)
def test_a_path_that_is_not_to_be_touched(path: str) -> None:
    with pytest.raises(Stopped):
        check_paths(changes_of(diff(path)))


def test_sizes_have_bounds() -> None:
    check_size(changes_of(diff(lines=MAX_CHANGED - 1)))
    with pytest.raises(Stopped, match="at most 60"):
        check_size(changes_of(diff(lines=MAX_CHANGED)))
    with pytest.raises(Stopped, match="4 files"):
        check_size(changes_of("".join(diff(f"foureyes_actors/x{n}.py") for n in range(4))))
    with pytest.raises(Stopped, match="comes twice"):
        check_paths(changes_of(diff() + diff()))


@given(st.text(max_size=300))
def test_any_text_is_changes_or_stopped(text: str) -> None:
    for tried in (text, diff() + text, diff().replace("kept", text)):
        try:
            for change in changes_of(text_of(tried.encode("utf-8", "surrogatepass"))):
                assert change.text.startswith("diff --git a/")
        except Stopped as stopped:
            assert stopped.reason


# --- literals ---

CAPTURED = captured_of({"arguments": {"text": "$ 8,421.50", "n": 4711, "state": "idle"}}, {"0": b"\x89PNG-bytes"})


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("return text == '8,421.50'", True),
        ("return text.startswith('$ 8')", True),
        ("return '842150' in text", True),
        ("return text == 8421.5", True),
        ("return number == 4711", True),
        ("return number == 4700 + 11", True),
        ("return len(text) == 10", True),
        ("return len(text) in (9, 10)", True),
        ("return data[:4] == b'PNG-'", True),
        ("return 'd5b23b7a' in digest(text)", False),
        ("return state == 'idle'", False),  # FourEyes's own word
        ("raise Wrong('the amount has no digits')", False),
        ("return len(text) == 2", False),
        ("return number == 1000", False),
    ],
)
def test_literals_of_the_captured_data(line: str, found: bool) -> None:
    known = known_literals([source(with_body(line))], CAPTURED, lambda: frozenset({"idle"}))
    assert bool(known) is found, known


def test_a_digest_of_the_captured_data_is_known() -> None:
    import hashlib

    shown = hashlib.md5(b"$ 8,421.50", usedforsecurity=False).hexdigest()
    assert known_literals([source(with_body(f"return digest(text) == '{shown}'"))], CAPTURED, frozenset)
    assert not known_literals([source(with_body(f"return digest(text) == '{'0' * 32}'"))], CAPTURED, frozenset)
    assert isinstance(CAPTURED, Captured)


# --- variants ---

DOCUMENT = {
    "arguments": {
        "text": "1,234.50",
        "number": 3,
        "part": {"$": "data", "type": "x:Y", "fields": {"value": {"$": "decimal", "text": "7.25"}, "items": [1, 2]}},
        "body": {"$": "bytes", "sha256": "0" * 64, "size": 20},
    },
    "tape": [{"port": "clock", "op": "monotonic", "asked": [], "result": 2.5}],
}
BODY = {"0" * 64: b'{"a": "{\\"b\\": 1e999}"}'}


def test_every_place_has_its_variants_and_they_are_the_same_each_time(tmp_path: Path) -> None:
    blobs = Blobs(BODY)
    found = mutations(DOCUMENT, blobs)
    places = {leaf.where for leaf in leaves(DOCUMENT, blobs)}
    assert {"text", "number", "part.value", "part.items", "body", "body.a.b", "reply 1"} <= places
    assert all(any(variant.what.startswith(f"{place}: ") for variant in found) for place in places)
    assert 50 < len(found) <= MOST and blobs.new
    assert found == mutations(DOCUMENT, Blobs(BODY))
    assert generated(DOCUMENT, Blobs(BODY), tmp_path) == generated(DOCUMENT, Blobs(BODY), tmp_path)


def test_a_variant_says_nothing_of_the_data() -> None:
    assert not any("234" in variant.what for variant in mutations(DOCUMENT, Blobs(BODY)))
