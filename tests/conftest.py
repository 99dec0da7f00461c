"""Hypothesis for all tests: no verdict by the clock (a busy machine is no defect), and no chance in the examples. They
are the same for the same modules: constants of those that are imported by then are drawn too."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "foureyes", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("foureyes")
