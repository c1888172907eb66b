"""A prompt that takes the stand-in down for itself, and for nobody else."""

from __future__ import annotations

import aiohttp

from runtime.edge.private_server import PrivateServer
from runtime.engine.prompted_outage import MARK, down_where_asked
from tests.runtime.parts import TOKEN, chat, serving


async def test_a_marked_prompt_has_an_outage_and_no_other_one() -> None:
    async with serving() as served, aiohttp.ClientSession() as http:
        server = PrivateServer(down_where_asked(served.engine.app.asgi()), "127.0.0.1")
        await server.start()
        url = f"http://127.0.0.1:{server.port}/v1/chat/completions"
        bearer = {"authorization": f"Bearer {TOKEN}"}
        try:
            for text, headers, status in (
                ("Hello", bearer, 200),
                (f"Hello {MARK.decode()}", bearer, 503),
                (f"Hello {MARK.decode()}", {}, 401),
                ("Hello", bearer, 200),
            ):
                async with http.post(url, json=chat(text), headers=headers) as answer:
                    assert answer.status == status
        finally:
            await server.stop()
        assert len(served.engine.asked) == 2
