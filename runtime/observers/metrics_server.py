"""The Prometheus series of a process on a port of their own."""

from __future__ import annotations

from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server


class MetricsServer:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._server: tuple[WSGIServer, Thread] | None = None

    def serve(self, host: str, port: int) -> None:
        """Serves from here on; OSError when the port is taken, and then nothing changes."""
        opened = start_http_server(port, addr=host, registry=self._registry)
        self.close()
        self._server = opened

    @property
    def url(self) -> str | None:
        """Where the metrics are, as of now; None: nowhere. The port is the one that was free."""
        if self._server is None:
            return None
        host, port = self._server[0].server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}/metrics"

    def close(self) -> None:
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
            self._server = None
