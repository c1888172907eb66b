"""``docs/config.md``: every key that Baseload reads of a Serve config file."""

from __future__ import annotations

import re

from benchmarks.documents.markdown import paragraphs, table
from cluster.reference.config_example import SMALLEST, Section
from cluster.reference.config_keys import HEADS, rows
from cluster.reference.config_sections import SECTIONS
from runtime.request.job import PRIORITIES
from runtime.wire.tags import NO_TAGS

_CHANGES = (
    ("`user_config`", "is applied in place: no restart, and no request is lost"),
    (
        "`user_config.telemetry.metrics_host`, `.metrics_port`",
        "are read when a Scheduler starts: a change waits for its next start",
    ),
    (
        "the variable that a `key_env` names",
        "is looked up as a `user_config` is applied, in the environment that the Scheduler was "
        "started with: a new variable or value needs a new start",
    ),
    (
        "`args`",
        "replaces what it is about, engines or the Scheduler, one after the other; engines finish "
        "what they have",
    ),
    ("`http_options`", "needs a new start of the whole"),
)
_HEAD = (
    "`baseload check FILE` says all that is wrong with a file, each with what to write instead "
    "(`--elsewhere` where the file is for another machine); `serve deploy FILE` applies a changed "
    "one, and changes under `user_config` need no restart, but for where the metrics listen.",
    "The file is Ray Serve's. Baseload reads `http_options`, the `args` of the application and "
    "the `user_config` of its deployment `Scheduler`; any other key is Serve's own, and one that "
    "neither knows is an error. *none* is a key that is left out, or `null`. Each example stands "
    "in the place of the same part of the smallest file:",
)


def page() -> str:
    return paragraphs(
        "# The configuration file",
        *_HEAD,
        _yaml(SMALLEST),
        "## What a change needs",
        table(("what is changed", "what becomes of it"), _CHANGES, "ll"),
        "## What an untagged request counts as",
        _untagged(),
        *(_section(each) for each in SECTIONS),
    )


def _untagged() -> str:
    sensitivity, tier = NO_TAGS.sensitivity.value, NO_TAGS.cost_tier.value
    place = PRIORITIES[NO_TAGS.cost_tier] + 1
    return paragraphs(
        "A request without `X-Baseload-*` headers "
        "([api.md](api.md#what-a-request-says-of-itself)), of a tenant without `defaults` and "
        f"`sensitivity_floor`, counts as sensitivity `{sensitivity}` and cost tier `{tier}`, "
        f"class {place} of {len(PRIORITIES)} in the queue. It may wait `ttft_budget_ms` for its "
        "first token, has no deadline, and stands in the ledger without a feature and a task.",
        f"So it **may be sent to each provider** whose `allowed_sensitivity` has `{sensitivity}`, "
        "as it has unless you say otherwise. What must stay here has to be tagged "
        "`X-Baseload-Sensitivity: pii` or `regulated`, or its tenant or provider restricted: a "
        f'`sensitivity_floor` of `pii`, `spill_usd_per_hour_max: "0"`, or an `allowed_sensitivity` '
        f"without `{sensitivity}`.",
    )


def _section(section: Section) -> str:
    listed = rows(
        section.model,
        without=section.without,
        places={
            each.model: f"[{each.path}](#{slug(each.path)})"
            for each in SECTIONS
            if each is not section
        },
    )
    return paragraphs(
        f"## {section.path}", section.lead, table(HEADS, listed, "l" * 5), _yaml(section.example)
    )


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _yaml(text: str) -> str:
    return f"```yaml\n{text}```"
