"""How a tenant's key stands in a configuration: as its SHA-256, never as the key."""

from __future__ import annotations

import re

KEY_HASH = re.compile(r"[0-9a-f]{64}")
LOCAL_TENANT = "local"  # of the key that a local start makes
