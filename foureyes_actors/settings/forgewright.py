"""What is made of recorded failures without anybody asking, and what may be changed."""

from __future__ import annotations

import shlex
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from foureyes_actors.settings.paths import SettingPath
from foureyes_actors.settings.section import Positive, Section

PerDay = Annotated[int, Field(ge=0, le=1000)]


def _words(text: str) -> str:
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValueError(f"is no command: {str(error).lower()}") from None
    return text


class FixerSettings(Section):
    """Who writes patches: one of ``command`` and ``model``; neither: nobody. ``seconds``: for one attempt."""

    command: Annotated[str, AfterValidator(_words)] = ""  # task as JSON on its standard input, a unified diff back
    model: str = ""  # of the model server that reads screens
    allow_remote: bool = False  # the model's server may be another machine, which then sees what failed
    attempts: Annotated[int, Field(ge=1, le=3)] = 3
    seconds: Annotated[float, Field(gt=0, le=7200)] = 900.0
    per_day: PerDay = 5  # failures for which patches are asked for
    pass_env: tuple[str, ...] = ()  # names of environment variables that the command may see

    @model_validator(mode="after")
    def _one(self) -> FixerSettings:
        if self.command and self.model:
            raise ValueError("command and model are both set; keep one of them")
        return self

    @property
    def there(self) -> bool:
        return bool(self.command or self.model)


class ForgewrightSettings(Section):
    platforms_per_day: PerDay = 10  # in any 24 hours; 0: none is made unasked
    triage_file: SettingPath | None = None  # rules of your own, which come before the shipped ones
    fixer: FixerSettings = FixerSettings()
    suite: tuple[str, ...] = ("tests",)  # what of the test suite a patch must pass
    apply_mitigations: bool = True  # a proven setting within its bounds, without asking
    apply_patches: bool = False  # merge a patch without asking, where forgewright/trust.py says that it was earned
    applications_per_day: Annotated[int, Field(ge=0, le=100)] = 5  # without asking, in any 24 hours
    watch_hours: Positive = 24.0  # after a remedy; the same failure within them means that it did not help
