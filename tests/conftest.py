"""One setting for all property tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that is busy with other work must not fail a property that holds.
settings.register_profile("baseload", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("baseload")
