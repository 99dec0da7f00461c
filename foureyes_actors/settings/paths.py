"""A path as a setting: a leading ``~`` or ``~user`` is the home folder. Nothing else is expanded, and what looks like a
variable is refused: it would become a folder of that name.

Only texts are expanded, which is what a file and the environment give, so that it happens once; ``./~`` is a folder
that is named so.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

_VARIABLE = re.compile(r"(?:^|[/\\])(\$[A-Za-z_]\w*|\$\{\w+\}|%\w+%)(?=$|[/\\])")


def expanded(value: Any) -> Any:
    """A text as a path; anything else as it is. Raises ValueError."""
    if not isinstance(value, str):
        return value
    if variable := _VARIABLE.search(value):
        raise ValueError(
            f"has {variable[1]} in it, and variables are not expanded; write the path itself, or begin it with ~"
        )
    if not value.startswith("~"):
        return Path(value)
    home = os.path.expanduser(value)  # noqa: PTH111 - a Path would make ~ of ./~, and raises RuntimeError
    if home.startswith("~"):
        user = re.split(r"[/\\]", value)[0]
        raise ValueError(
            f"begins with {user}, whose home folder is not known; write the path, or ./{user} for a folder"
        )
    return Path(home)


SettingPath = Annotated[Path, BeforeValidator(expanded)]
