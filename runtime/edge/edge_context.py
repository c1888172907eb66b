"""What the routes of one process share: its gateway, its keys and its check of grammars."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request

from runtime.clock import SYSTEM, Clock
from runtime.edge.access_log import AccessLog
from runtime.edge.auth import KeyRing
from runtime.errors import BaseloadError, InternalError
from runtime.gateway import Gateway
from runtime.grammar.compile_check import GrammarCheck
from runtime.observers.metrics_server import MetricsServer
from runtime.request.request_record import RequestRecord
from runtime.wire.api_key import bearer_key
from scheduler.tenant_limits import TenantLimiter

RECORD = "baseload.record"  # in a scope: what is known of the request
SEND = "baseload.send"  # and the server's own way to answer it, with nothing in between

KeyOf = Callable[[Mapping[str, str]], str | None]

_NO_ORIGINS: list[str] = []


class Edge:
    """What the routes need; filled in when the process has started."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self.clock = clock
        self.opened_s = clock.unix_ms() // 1000
        self.grammars = GrammarCheck()
        self.tenant_limiter = TenantLimiter()
        self.access_log = AccessLog(clock=clock)
        self._gateway: Gateway | None = None
        self._keys: KeyRing | None = None
        self._metrics: MetricsServer | None = None

    def open(self, gateway: Gateway, keys: KeyRing, metrics: MetricsServer | None = None) -> None:
        """``metrics`` is where the gateway's are served, if they are."""
        self._gateway, self._keys, self._metrics = gateway, keys, metrics

    def close(self) -> None:
        """Ends what the routes have started; the gateway is its maker's to close."""
        self.grammars.close()
        self.access_log.flush()

    @property
    def gateway(self) -> Gateway:
        if self._gateway is None:
            raise InternalError("a request came before the gateway was open")
        return self._gateway

    @property
    def metrics_url(self) -> str | None:
        return self._metrics.url if self._metrics is not None else None

    def turned_away(self, record: RequestRecord, error: BaseloadError) -> None:
        """A request for an answer was refused as it was read."""
        if self._gateway is not None:
            self._gateway.observers.refused(record, error)

    @property
    def allowed_origins(self) -> list[str]:
        gateway = self._gateway
        return gateway.config.http.allowed_origins if gateway is not None else _NO_ORIGINS

    @property
    def logs_requests(self) -> bool:
        return self._gateway is None or self._gateway.config.telemetry.access_log

    @property
    def example_model(self) -> str:
        """One that is served; a placeholder while the process starts."""
        served = self._gateway.models() if self._gateway is not None else []
        return served[0] if served else "THE-MODEL"

    def tenant(self, request: Request, key_of: KeyOf = bearer_key) -> str:
        """The owner of the key that a request has; ``key_of`` knows where it stands."""
        if self._keys is None:
            raise InternalError("a request came before the keys were loaded")
        return self._keys.tenant_of(key_of(request.headers))
