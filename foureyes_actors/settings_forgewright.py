"""What is made of recorded failures without anybody asking."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from foureyes_actors.settings_section import Section


class ForgewrightSettings(Section):
    platforms_per_day: Annotated[int, Field(ge=0, le=1000)] = 10  # in any 24 hours; 0: none is made unasked
