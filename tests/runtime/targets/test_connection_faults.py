"""What operators are told when no connection can be had."""

from __future__ import annotations

import errno
import logging
import socket
import ssl

import pytest

from runtime.targets.connection_faults import (
    TOLD_EVERY_S,
    ConnectionFaults,
    Fault,
    NoConnection,
    fault_of,
)
from runtime.targets.connector import Connector, Origin
from runtime.targets.resolver import NameFailure, Resolver
from tests.runtime.targets.servers import (
    CERTIFICATE,
    HOST,
    PATIENCE_S,
    Visit,
    polite,
    site,
)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (NameFailure("x"), Fault.NAME),
        (socket.gaierror(-2, "x"), Fault.NAME),
        (UnicodeError("x"), Fault.NAME),
        (ConnectionRefusedError(), Fault.REFUSED),
        (TimeoutError(), Fault.TIMEOUT),
        (OSError(errno.ETIMEDOUT, "x"), Fault.TIMEOUT),
        (OSError(errno.ENETUNREACH, "x"), Fault.UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, "x"), Fault.UNREACHABLE),
        (ssl.SSLCertVerificationError("x"), Fault.CERTIFICATE),
        (ssl.SSLError("x"), Fault.TLS),
        (ConnectionResetError(), Fault.CLOSED),
        (NoConnection("x"), Fault.CLOSED),
        (OSError(errno.EMFILE, "x"), Fault.OTHER),
    ],
)
def test_every_error_is_of_one_kind(error: Exception, fault: Fault) -> None:
    assert fault_of(error) is fault


async def _real(url: str, host: str, connector: Connector) -> Fault:
    port = Origin.of(url).port
    with pytest.raises((OSError, UnicodeError)) as caught:
        await connector.connect(Origin(host, port, tls=url.startswith("https")), PATIENCE_S)
    await connector.close()
    return fault_of(caught.value)


async def test_what_really_comes_is_of_the_kind_that_it_is() -> None:
    def unknown(host: str, port: int) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with site(polite, host="localhost", certificate=CERTIFICATE) as s:
        port = s.origin.port
        assert await _real(f"https://x:{port}", "localhost", Connector()) is Fault.CERTIFICATE
        nobody = Connector(resolver=Resolver(unknown))  # type: ignore[arg-type]
        assert await _real(f"https://x:{port}", "a.test", nobody) is Fault.NAME

    async def rude(visit: Visit) -> None:
        await visit.say(b"220 something else\r\n")
        await visit.reader.read()

    async with site(rude) as s:
        assert await _real(f"https://x:{s.origin.port}", HOST, Connector()) is Fault.TLS
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        url = f"http://x:{taken.getsockname()[1]}"
        assert await _real(url, HOST, Connector()) is Fault.REFUSED


def test_one_trouble_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    faults = ConnectionFaults()
    for n in range(100):
        faults.note("offer:v/m", "v:443", TimeoutError(), n / 10)
    faults.note("offer:v/m", "v:443", NameFailure("no answer"), 10.0)
    faults.note("offer:w/m", "w:443", TimeoutError(), 10.0)
    faults.note("offer:v/m", "v:443", TimeoutError(), TOLD_EVERY_S)
    first = "offer:v/m: no connection to v:443 (timeout): TimeoutError"
    assert [record.getMessage() for record in caplog.records] == [
        first,
        "offer:v/m: no connection to v:443 (name): no answer",
        "offer:w/m: no connection to w:443 (timeout): TimeoutError",
        f"{first}, 100 times since it was last told",
    ]
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    assert faults.counts == {
        ("offer:v/m", Fault.TIMEOUT): 101,
        ("offer:v/m", Fault.NAME): 1,
        ("offer:w/m", Fault.TIMEOUT): 1,
    }
