"""Targets that speak TLS, and those that do it badly."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

import pytest

from tests.runtime.targets.servers import (
    CERTIFICATE,
    LOOPS,
    PATIENCE_S,
    Loop,
    Visit,
    polite,
    site,
    whole,
)


@pytest.mark.parametrize("loop", LOOPS)
def test_tls_to_a_target_that_is_trusted(loop: Loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_served_twice_by_tls())


async def _served_twice_by_tls() -> None:
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    async with site(polite, host="localhost", certificate=CERTIFICATE, trusts=trusting) as s:
        for _ in range(2):
            assert await whole(await s.ask()) == b"a"
        assert len(s.visits) == 1


@pytest.mark.parametrize("loop", LOOPS)
def test_no_tls_to_a_target_that_is_not(loop: Loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_refused_by_tls())


async def _refused_by_tls() -> None:
    async with site(polite, host="localhost", certificate=CERTIFICATE) as s:
        with pytest.raises(ssl.SSLCertVerificationError):
            await s.ask()
        assert not s.connector._live


async def test_no_tls_to_another_than_was_asked_for() -> None:
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    async with site(polite, host="127.0.0.2", certificate=CERTIFICATE, trusts=trusting) as s:
        with pytest.raises(ssl.SSLCertVerificationError):
            await s.ask()


async def test_a_target_that_speaks_no_tls() -> None:
    async def rude(visit: Visit) -> None:
        await visit.say(b"220 something else\r\n")
        await visit.reader.read()

    async with site(rude) as s:
        with pytest.raises(ssl.SSLError):
            await s.connector.connect(replace(s.origin, tls=True), PATIENCE_S)
