"""A section of a configuration file, with an example that a check accepts."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

SMALLEST = """\
http_options: { host: 127.0.0.1, port: 8000 }
applications:
  - name: baseload
    route_prefix: /
    import_path: cluster.application:build
    args:
      local_key: true
      pools: [{ model: tiny-moe, card: cpu }]
    deployments:
      - name: Scheduler
        user_config: {}
"""


@dataclass(frozen=True, slots=True)
class Section:
    """``example`` starts at `http_options`, `args` or `user_config` of the whole file."""

    path: str
    model: type[BaseModel]
    lead: str
    example: str
    without: frozenset[str] = frozenset()
