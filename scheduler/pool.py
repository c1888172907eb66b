"""All that may serve one model: its live replicas, its offers, and those who wait for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from scheduler.book import Book
from scheduler.offer_book import OfferBook
from scheduler.queue import Queue


@dataclass(slots=True)
class Pool:
    model: str
    replicas: dict[str, Book] = field(default_factory=dict)
    offers: list[OfferBook] = field(default_factory=list)
    queue: Queue = field(default_factory=Queue)
    had_replica: bool = False  # one that left is expected back: waiting for it makes sense
