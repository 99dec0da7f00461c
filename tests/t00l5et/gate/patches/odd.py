"""What a patch must not be, whatever its code does: places, forms, encodings, sizes. Each mends the record as well,
where it can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.t00l5et.gate.defects import MONEY
from tests.t00l5et.gate.patches.bad import IMPORT, LONG
from tests.t00l5et.gate.patches.made import Patch, diff_of

MENDED = (MONEY, "unicodedata.name(character)", 'unicodedata.name(character, "")')


def beside(name: str, kind: str, path: str, old: str, new: str) -> Patch:
    """Also touches a file that is nobody's to touch."""
    return Patch(name, kind, "money", "paths", (MENDED, (path, old, new)))


def odd(name: str, kind: str, rule: str, made: Callable[[Path, bytes], bytes]) -> Patch:
    return Patch(name, kind, "money", rule, (MENDED,), made)


def after(text: str) -> Callable[[Path, bytes], bytes]:
    return lambda _tree, plain: plain + text.encode()


def renamed(old: str, new: str) -> Callable[[Path, bytes], bytes]:
    return lambda _tree, plain: plain.replace(old.encode(), new.encode())


def with_line(line: str) -> Callable[[Path, bytes], bytes]:
    def made(tree: Path, _plain: bytes) -> bytes:
        return diff_of(tree, MONEY, (MENDED, (MONEY, LONG, f"    {line}\n{LONG}"))).encode()

    return made


def new_file(path: str, *lines: str, mode: str = "100644") -> str:
    body = "".join(f"+{line}\n" for line in lines)
    head = f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n{body}"


def coded(tree: Path, _plain: bytes) -> bytes:
    text = (tree / MONEY).read_text(encoding="utf-8")
    first = text.split("\n", 1)[0]
    return diff_of(tree, MONEY, (MENDED, (MONEY, first, f"# -*- coding: utf-7 -*-\n{first}"))).encode()


def huge(tree: Path, _plain: bytes) -> bytes:
    more = "".join(f"_UNUSED_{number} = {number}\n" for number in range(70))
    return diff_of(tree, MONEY, (MENDED, (MONEY, IMPORT, IMPORT + more))).encode()


ODD = (
    beside(
        "the replay point's judge",
        "edited harness",
        "foureyes_actors/replay/replaying.py",
        "        except Exception as error:\n            outcome",
        "        except ArithmeticError as error:\n            outcome",
    ),
    beside(
        "the reproduction",
        "edited harness",
        "t00l5et/reproduction.py",
        "        except replay.spec.raises:",
        "        except Exception:",
    ),
    beside(
        "the sandbox", "edited harness", "t00l5et/sandbox.py", "    cpu: int = 30  # seconds", "    cpu: int = 3000"
    ),
    beside(
        "a message",
        "edited harness",
        "foureyes_actors/messages.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n# changed\n",
    ),
    beside(
        "a port",
        "edited harness",
        "foureyes_actors/ports/clock.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n# changed\n",
    ),
    beside(
        "a test",
        "edited test",
        "tests/readings/test_money.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\nimport pytest\npytest.skip(allow_module_level=True)\n",
    ),
    beside(
        "the conftest",
        "edited conftest",
        "tests/conftest.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\ncollect_ignore_glob = ['*']\n",
    ),
    beside(
        "pytest's settings", "edited pytest settings", "pyproject.toml", 'testpaths = ["tests"]', 'testpaths = ["docs"]'
    ),
    beside("the CI", "edited CI", ".ci/run", "set -e", "set +e"),
    beside("the build", "edited build", "Makefile", "PYTHON ?= python3", "PYTHON ?= true"),
    odd(
        "a new conftest in the product",
        "edited conftest",
        "paths",
        after(new_file("foureyes_actors/conftest.py", "collect_ignore_glob = ['*']")),
    ),
    odd("a link", "symlink", "paths", after(new_file("foureyes_actors/kept.py", "/etc/passwd", mode="120000"))),
    odd(
        "out of the folder",
        "path trick",
        "paths",
        renamed("foureyes_actors/readings", "foureyes_actors/../foureyes_actors/readings"),
    ),
    odd("an absolute path", "path trick", "paths", renamed("a/foureyes_actors", "/foureyes_actors")),
    odd(
        "a quoted path",
        "path trick",
        "paths",
        renamed("--- a/foureyes_actors/readings/money.py\n", '--- "a/foureyes_actors/readings/mone\\171.py"\n'),
    ),
    odd(
        "a rename",
        "path trick",
        "paths",
        after(
            "diff --git a/tests/conftest.py b/tests/old.py\nsimilarity index 100%\n"
            "rename from tests/conftest.py\nrename to tests/old.py\n"
        ),
    ),
    odd("a mode", "path trick", "paths", after("diff --git a/run.py b/run.py\nold mode 100644\nnew mode 100755\n")),
    odd(
        "a binary",
        "path trick",
        "paths",
        after("diff --git a/foureyes_actors/x.bin b/foureyes_actors/x.bin\nGIT binary patch\nliteral 0\n"),
    ),
    odd(
        "a deleted file",
        "path trick",
        "paths",
        after(
            "diff --git a/tests/conftest.py b/tests/conftest.py\ndeleted file mode 100644\n"
            "--- a/tests/conftest.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        ),
    ),
    odd("UTF-16", "encoding trick", "encoding", lambda _tree, plain: plain.decode().encode("utf-16")),
    odd("a NUL", "encoding trick", "encoding", with_line("text = text  # \0")),
    odd("another direction", "encoding trick", "encoding", with_line("text = text  # \u202e drow")),
    odd("an unseen character", "encoding trick", "encoding", with_line('text = text.replace("\u200b", "")')),
    odd("a line end of its own", "encoding trick", "encoding", with_line("# a comment\rraise MoneyError(text)")),
    odd("another encoding", "encoding trick", "parses", coded),
    odd("wide letters", "encoding trick", "smells", with_line('text = ｅｖａｌ("text")')),
    odd("letters as escapes", "encoding trick", "smells", with_line(r'text = text.replace("\x5f\x5f", "")')),
    odd("a silenced check", "encoding trick", "smells", with_line("text = text  # nosec")),
    odd("seventy lines", "huge diff", "size", huge),
    odd("a megabyte", "huge diff", "size", lambda _tree, plain: plain + b"+x = 1\n" * 150_000),
    odd("a very long line", "huge diff", "size", with_line("text = " + "(" * 5000 + "text" + ")" * 5000)),
    odd("prose around it", "no diff", "diff", lambda _tree, plain: b"Here is the fix:\n```diff\n" + plain + b"```\n"),
    odd("nothing", "no diff", "diff", lambda _tree, _plain: b""),
    odd("for another base", "no diff", "applies", renamed("for character in", "for letter in")),
)
