"""The configuration's part about pressure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from foureyes_actors.settings.section import Positive, Section


class PressureSettings(Section):
    """When less is asked of the machine (``resource/pressure.py``). Memory in MB of 10**6 bytes, CPU in percent."""

    enabled: bool = True
    low_memory: Positive = 500.0
    enough_memory: Positive = 1000.0
    high_cpu: Annotated[float, Field(gt=0, lt=100)] = 90.0
    calm_cpu: Annotated[float, Field(gt=0, lt=100)] = 70.0
    high_for: Annotated[float, Field(ge=0)] = 10.0
    step_after: Annotated[float, Field(ge=0)] = 30.0
    calm_for: Positive = 60.0

    @model_validator(mode="after")
    def _two_marks(self) -> PressureSettings:
        """One mark for both ways would flap."""
        if self.calm_cpu >= self.high_cpu:
            raise ValueError(f"calm_cpu {self.calm_cpu:g} must be less than high_cpu {self.high_cpu:g}")
        if self.enough_memory <= self.low_memory:
            raise ValueError(f"enough_memory {self.enough_memory:g} must be more than low_memory {self.low_memory:g}")
        return self
