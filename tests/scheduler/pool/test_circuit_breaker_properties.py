"""Whatever happens to a breaker, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decision import Outcome, Refusal
from scheduler.pool.circuit_breaker import PAUSES, Breaker, BreakerState, OfferBreaker
from scheduler.settings import CircuitBreakerSettings

SETTINGS = CircuitBreakerSettings(
    failures=2,
    open_ms=1_000,
    open_ms_max=4_000,
    probe_ms_max=3_000,
    pause_ms=500,
    pause_ms_max=6_000,
)
LEASE_S = SETTINGS.probe_ms_max / 1000
ROUNDING_S = 1e-6  # of times that are added and taken away again
SHUT_S_MAX = max(SETTINGS.open_ms_max, SETTINGS.pause_ms_max) / 1000 + ROUNDING_S
OF_CLIENTS = (Outcome.CLIENT_LEFT, Outcome.CLIENT_ERROR)

# What happens next: time passes, a request is sent if it may be, one speaks, one ends.
STEP = st.one_of(
    st.tuples(st.just("wait"), st.floats(0.01, 4.0)),
    st.tuples(st.just("start"), st.none()),
    st.tuples(st.just("speak"), st.integers(0, 30)),
    st.tuples(
        st.just("end"),
        st.tuples(
            st.integers(0, 30),
            st.sampled_from(Outcome),
            st.one_of(st.none(), st.floats(0, 50)),
        ),
    ),
)
STEPS = st.lists(STEP, max_size=80)


@dataclass
class Course:
    breaker: Breaker = field(default_factory=Breaker)
    now: float = 0.0
    under_way: list[str] = field(default_factory=list)
    sent: int = 0

    def take(self, step: tuple[str, object]) -> None:
        kind, what = step
        if kind == "wait":
            assert isinstance(what, float)
            self.now += what
        elif kind == "start":
            self.start()
        elif kind == "speak" and self.under_way:
            assert isinstance(what, int)
            self.breaker.on_first_token(self.under_way[what % len(self.under_way)])
        elif kind == "end" and self.under_way:
            assert isinstance(what, tuple)
            which, outcome, pause_s = what
            request_id = self.under_way.pop(which % len(self.under_way))
            self.end(request_id, outcome, pause_s)

    def start(self) -> None:
        if self.breaker.refuses(self.now) is None:
            self.sent += 1
            self.under_way.append(f"q{self.sent}")
            self.breaker.on_start(f"q{self.sent}", SETTINGS, self.now)

    def end(self, request_id: str, outcome: Outcome, pause_s: float | None) -> None:
        self.breaker.on_end(request_id, outcome, SETTINGS, self.now, pause_s)


@given(STEPS)
def test_it_never_stays_shut(steps: list[tuple[str, object]]) -> None:
    """Nothing more needs to happen for a request to be let through: only time."""
    course = Course()
    for step in steps:
        course.take(step)
        assert course.breaker.condition(course.now).left_s <= SHUT_S_MAX
        assert course.breaker.refuses(course.now + SHUT_S_MAX + LEASE_S) is None


@given(STEPS)
def test_while_it_is_not_closed_at_most_one_request_holds_a_lease(
    steps: list[tuple[str, object]],
) -> None:
    course, leases = Course(), dict[str, float]()
    for step in steps:
        before = set(course.under_way)
        was_closed = course.breaker.condition(course.now).state is BreakerState.CLOSED
        course.take(step)
        if course.breaker.condition(course.now).state is BreakerState.CLOSED:
            leases.clear()
        elif not was_closed:
            leases |= dict.fromkeys(set(course.under_way) - before, course.now + LEASE_S)
        leases = {
            name: until
            for name, until in leases.items()
            if name in course.under_way and until > course.now
        }
        assert len(leases) <= 1


@given(STEPS)
def test_what_clients_do_changes_nothing_but_the_lease(steps: list[tuple[str, object]]) -> None:
    course = Course()
    for step in steps:
        before = course.breaker.condition(course.now)
        course.take(step)
        if step[0] == "end" and isinstance(step[1], tuple) and step[1][1] in OF_CLIENTS:
            assert course.breaker.condition(course.now) == before


@given(STEPS)
@settings(max_examples=200)
def test_nothing_is_sent_to_a_shut_target(steps: list[tuple[str, object]]) -> None:
    """And the refusal says which it is."""
    course = Course()
    for step in steps:
        course.take(step)
        condition = course.breaker.condition(course.now)
        refusal = course.breaker.refuses(course.now)
        if condition.is_shut:
            is_pause = condition.cause in PAUSES
            assert (condition.state is BreakerState.PAUSED) == is_pause
            assert refusal is (Refusal.PAUSED if is_pause else Refusal.BREAKER_OPEN)
        elif condition.state is BreakerState.CLOSED:
            assert (refusal, condition.cause, condition.left_s) == (None, None, 0.0)


@given(STEPS)
def test_it_remembers_no_more_than_what_is_under_way(steps: list[tuple[str, object]]) -> None:
    course = Course()
    for step in steps:
        course.take(step)
        assert course.breaker._probes <= set(course.under_way)
        assert course.breaker._on_trial in (None, *course.under_way)


@given(STEPS, st.sampled_from(["speak", "end"]))
def test_a_target_that_is_well_is_closed_by_its_next_probe(
    steps: list[tuple[str, object]], how: str
) -> None:
    course = Course()
    for step in steps:
        course.take(step)
    course.now += SHUT_S_MAX + LEASE_S
    course.start()
    newest = f"q{course.sent}"
    if how == "speak":
        course.breaker.on_first_token(newest)
    else:
        course.end(newest, Outcome.OK, None)
    assert course.breaker.condition(course.now).state is BreakerState.CLOSED


@given(STEPS, st.lists(st.booleans(), min_size=80, max_size=80))
def test_two_offers_of_one_account_never_stay_shut(
    steps: list[tuple[str, object]], at_first: list[bool]
) -> None:
    account = Breaker()
    offers, now, under_way, sent = (OfferBreaker(account), OfferBreaker(account)), 0.0, [], 0
    for (kind, what), is_first in zip(steps, at_first, strict=False):
        offer = offers[not is_first]
        if kind == "wait":
            assert isinstance(what, float)
            now += what
        elif kind == "start" and offer.refuses(now) is None:
            sent += 1
            offer.on_start(f"q{sent}", SETTINGS, now)
            under_way.append((offer, f"q{sent}"))
        elif kind == "end" and under_way:
            assert isinstance(what, tuple)
            which, outcome, pause_s = what
            ended, request_id = under_way.pop(which % len(under_way))
            ended.on_end(request_id, outcome, SETTINGS, now, pause_s)
        for each in offers:
            assert each.refuses(now + SHUT_S_MAX + LEASE_S) is None
    assert account._probes <= {request_id for _, request_id in under_way}
