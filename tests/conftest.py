"""Hypothesis for all tests: no verdict by the clock (a busy machine is no defect), the same examples every time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "foureyes", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("foureyes")
