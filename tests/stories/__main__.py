"""Tell a story: a defect planted into a copy of this repository, from the exception to a system that no longer fails.

python -m tests.stories parser|forecast|reconnect|all [--keep DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.stories.drive import tell
from tests.stories.steps import StoryFailed
from tests.stories.story import STORIES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stories", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=[*STORIES, "all"])
    parser.add_argument("--keep", type=Path, help="an empty folder, or none yet, that is left as it is in the end")
    arguments = parser.parse_args()
    names = list(STORIES) if arguments.name == "all" else [arguments.name]
    failed = [name for name in names if not told(name, arguments.keep)]
    print(f"failed: {', '.join(failed)}" if failed else "every story came to its end")
    return 1 if failed else 0


def told(name: str, keep: Path | None) -> bool:
    story = STORIES[name]
    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fe-", ignore_cleanup_errors=True)))
        else:
            folder = keep.absolute() / name
            folder.mkdir(parents=True)
        print(f"{name}: {story.defect} ({folder})", flush=True)
        try:
            tell(story, folder, lambda line: print(line, flush=True))
        except StoryFailed as failure:
            print(f"FAILED: {failure}", flush=True)
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
