"""Processes that use a ledger, for tests that kill them, starve them or watch them.

Run as ``python -m tests.runtime.ledger.workers <what> <url> <owner> [<number>]``. Each
prints a line per acknowledgement, in one write, only after the ledger gave it.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import sys

from runtime.errors import LedgerUnavailable
from runtime.ledger.ledger import Ledger
from runtime.ledger.rows import Ending
from tests.runtime.ledger.samples import reserve, settle

CLIENTS = 8


def say(*words: object) -> None:
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


async def workload(ledger: Ledger, seed: int, requests: int, clients: int = CLIENTS) -> None:
    """Clients that reserve and end attempts in seeded random ways, each said when durable."""
    chance = random.Random(seed)
    numbers = iter(range(requests))

    async def client() -> None:
        for number in numbers:
            name = f"{ledger.owner}-{number}"
            await ledger.reserve(reserve(name, owner=ledger.owner))
            say("reserve", name)
            if chance.random() < 0.1:
                continue  # left open
            ending = chance.choice([Ending.SETTLE, Ending.SETTLE, Ending.VOID])
            cost = chance.randrange(10**6) if ending is Ending.SETTLE else 0
            if await ledger.settle(settle(name, ending=ending, cost_nano_usd=cost)):
                say(ending, name, cost)
            if chance.random() < 0.1:
                assert not await ledger.settle(settle(name))  # a replay changes nothing

    await asyncio.gather(*(client() for _ in range(clients)))


def work(url: str, owner: str, requests: int) -> None:
    ledger = Ledger.open(url, owner=owner)
    asyncio.run(workload(ledger, seed=requests, requests=requests))
    ledger.close()


def work_alone(url: str, owner: str, requests: int) -> None:
    """One client: nothing is written while it is being told."""
    ledger = Ledger.open(url, owner=owner)
    asyncio.run(workload(ledger, seed=requests, requests=requests, clients=1))
    ledger.close()


def lives(url: str, owner: str, seed: int) -> None:
    """One life after another, each in a fork: whoever reads the lines decides when it ends."""
    life = 0
    while sys.stdin.readline():
        life += 1
        child = os.fork()
        if child == 0:
            ledger = Ledger.open(url, owner=f"{owner}-{life}")
            asyncio.run(workload(ledger, seed=seed + life, requests=10**9))
        say("born", child)
        os.waitpid(child, 0)
        say("dead", child)


def wait(url: str, owner: str, reserves: int) -> None:
    """Has attempts open, says so, and lives on; a line of input starts a child that does, too."""
    ledger = Ledger.open(url, owner=owner)

    async def work() -> None:
        for number in range(reserves):
            await ledger.reserve(reserve(f"{owner}-{number}", owner=owner))
            say("reserve", number)

    asyncio.run(work())
    say("there")
    while sys.stdin.readline():
        say(subprocess.Popen(["sleep", "60"]).pid)


def full_disk(url: str, owner: str, file_bytes_max: int) -> None:
    """No file may grow past a limit: a disk with no room left."""
    ledger = Ledger.open(url, owner=owner)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
    try:
        asyncio.run(workload(ledger, seed=0, requests=10**6))
    except LedgerUnavailable:
        say("refused", ledger.healthy(), ledger.failure)
    ledger.close()


def failing_disk(url: str, owner: str, requests: int) -> None:
    """Its flushes fail, by the hand of whoever started it."""
    ledger = Ledger.open(url, owner=owner)
    try:
        asyncio.run(workload(ledger, seed=0, requests=requests, clients=1))
    except LedgerUnavailable:
        say("refused", ledger.healthy(), ledger.failure)
    ledger.close()


def no_disk(url: str, owner: str, file_bytes_max: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
    try:
        Ledger.open(url, owner=owner)
    except LedgerUnavailable as error:
        say(error)


if __name__ == "__main__":
    what, ledger_url, owner_name, argument = sys.argv[1:]
    workers = (work, work_alone, lives, wait, full_disk, failing_disk, no_disk)
    run = {worker.__name__: worker for worker in workers}[what]
    run(ledger_url, owner_name, int(argument))
