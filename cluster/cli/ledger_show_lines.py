"""The story of one request in words: who asked, what it was taken for, who might have it and who
not, where it went and why, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cluster.enum_comments import commented
from models.money import format_usd
from runtime.ledger.request_history import AttemptStory, RequestStory
from runtime.ledger.rows import Ending, UsageSource
from runtime.request.evidence import ALLOWED
from scheduler.decision import Reason

REASONS = commented(Reason)
SOURCES = {
    UsageSource.TARGET: "told by the target",
    UsageSource.LIMIT: "the target told more than can be, so that this is the most that can be",
    UsageSource.ESTIMATE: "estimated where the target did not tell",
    UsageSource.NONE: "nobody told",
}

Facts = Mapping[str, Any]


def story_lines(story: RequestStory) -> Iterator[str]:
    """Whole sentences, a line each; what belongs to the line before is set in."""
    first, last = story.attempts[0], story.attempts[-1]
    tags = [f"feature {story.feature}"] * bool(story.feature) + [f"task {story.task}"] * bool(
        story.task
    )
    said = f" ({', '.join(tags)})" if tags else ""
    yield f"{story.request_id}"
    evidence = last.evidence
    asked = (evidence or {}).get("asked", story.model)
    yield f"{story.tenant} asked for {asked}{said}, {_time(first.reserved_at_ms)}."
    if evidence is None:
        yield "What it was taken for is not known: the version that wrote it kept no evidence."
    else:
        yield from _protection_lines(evidence)
        yield from _candidate_lines(evidence)
    for attempt in story.attempts:
        yield ""
        yield from _refusal_lines(attempt) if attempt.is_refusal else _attempt_lines(attempt)
    yield ""
    yield f"In all it cost {story.cost_usd} USD.{_kept(evidence)}"


def _protection_lines(evidence: Facts) -> Iterator[str]:
    yield f"It was said to be: {_words(evidence.get('said', {})) or 'nothing'}."
    yield _found(evidence.get("found"))
    where = evidence.get("user_in")
    by = "as its edge says" if "region" in evidence.get("said", {}) else "as its key has it"
    user = f"a user in {where} ({by})" if where else "a user of whom nobody said where"
    classes = evidence.get("data_classes")
    holds = f"; it holds {', '.join(classes)}" if classes else ""
    yield f"It was taken for: {_words(evidence.get('effective', {}))}, of {user}{holds}."


def _found(found: Facts | None) -> str:
    if found is None:
        return "Its text was not searched for personal data: nothing could depend on it."
    by = f"(detector {found.get('detector')})"
    if found.get("kinds"):
        return f"Personal data was found in its text: {', '.join(found['kinds'])} {by}."
    if not found.get("is_complete"):
        return f"Its text could not be searched to the end, so it counts as personal data {by}."
    return f"No personal data was found in its text {by}."


def _candidate_lines(evidence: Facts) -> Iterator[str]:
    rule = evidence.get("rule")
    yield f"Rule {rule} named the models." if rule else "The model was asked for by its name."
    versions = [f"configuration {evidence['config']}"] * ("config" in evidence)
    versions += [f"laws and facts {evidence['matrix']}"] * ("matrix" in evidence)
    by = f" ({', '.join(versions)})" if versions else ""
    verdicts = evidence.get("verdicts", [])
    if not verdicts:
        yield f"No verdicts on targets were kept{by}."
        return
    yield f"Who might have it{by}:"
    names = [f"{model} at {target}" if target else model for model, target, *_ in verdicts]
    width = max(map(len, names))
    for name, (_, _, code, detail) in zip(names, verdicts, strict=True):
        why = "" if code == ALLOWED else f": {code}" + (f", {detail}" if detail else "")
        yield f"  {name.ljust(width)}  {'yes' if code == ALLOWED else 'no'}{why}"
    if left_out := evidence.get("verdicts_left_out"):
        yield f"  and {left_out} more, for which the row had no room"


def _refusal_lines(attempt: AttemptStory) -> Iterator[str]:
    yield f"Refused: {attempt.reason} ({_entries(attempt)}). It was sent to nobody."


def _attempt_lines(attempt: AttemptStory) -> Iterator[str]:
    why = REASONS.get(attempt.reason)
    reason = attempt.reason + (f", {why}" if why else "")
    yield (
        f"Attempt {attempt.attempt} asked {attempt.model} at {attempt.target} "
        f"({_entries(attempt)}): {reason}."
    )
    if attempt.evidence is not None:
        for line in _ground_lines(attempt.evidence.get("target", {})):
            yield f"  {line}"
    for line in _ending_lines(attempt):
        yield f"  {line}"


def _ground_lines(target: Facts) -> Iterator[str]:
    if operator := target.get("operator"):
        yield f"It is run by {operator}."
    if rules := target.get("rules"):
        yield f"Rules that apply, and let it go there: {_listed(rules)}."
    facts, agreements = target.get("facts", {}), target.get("agreements", [])
    for name, value in facts.items() if isinstance(facts, dict) else [("facts", facts)]:
        yield f"  {name}: {_listed(value)}"
    for each in agreements if isinstance(agreements, list) else []:
        yield f"  agreement {each['kind']} {each['reference']}, valid until {each['valid_until']}"
    if "leaves_to" in target:
        places = target["leaves_to"]
        crossed = f"to {_listed(places)}" if places else "nowhere"
        yield f"Data of the user goes across a border {crossed}."
    if registration := target.get("registration"):
        yield (
            f"Shown to the user: registered model {registration['model_name']}, "
            f"number {registration['number']} ({registration['jurisdiction']})."
        )


def _ending_lines(attempt: AttemptStory) -> Iterator[str]:
    if attempt.ending is None:
        bound = _bound(attempt)
        yield f"It is under way, or its gateway has died and the next sweep ends it.{bound}"
        return
    if attempt.ending == Ending.EXPIRE:
        yield f"Its gateway died before it ended: what was done is in doubt.{_bound(attempt)}"
        return
    first = "no token came" if attempt.ttft_ms is None else f"first token at {attempt.ttft_ms} ms"
    yield (
        f"It waited {attempt.held_ms} ms for its target; {first}, "
        f"and it ended at {attempt.e2e_ms} ms: {attempt.outcome}."
    )
    if attempt.ending == Ending.SETTLE:
        yield _tokens(attempt)
    cost_usd = format_usd(attempt.cost_nano_usd or 0)
    yield f"Cost: {cost_usd} USD = {attempt.derivation}.{_bound(attempt)}"


def _tokens(attempt: AttemptStory) -> str:
    prompt = "unknown" if attempt.prompt_tokens is None else f"{attempt.prompt_tokens:,}"
    cached = f" ({attempt.cached_tokens:,} of them cached)" if attempt.cached_tokens else ""
    answer = "unknown" if attempt.completion_tokens is None else f"{attempt.completion_tokens:,}"
    source = SOURCES.get(attempt.usage_source, attempt.usage_source)  # type: ignore[call-overload]
    return f"Tokens: prompt {prompt}{cached}, answer {answer}; {source}."


def _bound(attempt: AttemptStory) -> str:
    if not attempt.bound_nano_usd:
        return ""
    return f" At most {format_usd(attempt.bound_nano_usd)} USD was reserved for it."


def _kept(evidence: Facts | None) -> str:
    until = None if evidence is None else evidence.get("retain_until")
    return f" These entries are to be kept until {until}; nothing deletes them then." * bool(until)


def _entries(attempt: AttemptStory) -> str:
    numbers = " and ".join(map(str, attempt.entries))
    return f"ledger {'entry' if len(attempt.entries) == 1 else 'entries'} {numbers}"


def _words(said: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in said.items())


def _listed(value: object) -> str:
    """What had no room is a text in the place of a list."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
