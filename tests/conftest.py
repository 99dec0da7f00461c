"""Hypothesis for all tests: no verdict by the clock (a busy machine is no defect), the same examples every time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

settings.register_profile(
    "foureyes", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("foureyes")

# It also draws constants of the modules that are imported by then, and which these are hangs on what ran before. There
# is no setting for that, nor this function in the oldest version that we take.
if hasattr(providers, "_get_local_constants"):
    _NONE = type(providers._get_local_constants())()
    providers._get_local_constants = lambda: _NONE
