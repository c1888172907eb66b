"""The plan of a request: the rule that it asks for, and what that rule leaves of its candidates.

``model`` of a request is ``auto`` (the rule of its task), the name of a rule, or that of a model,
which is then the one candidate. Every request gets its plan here, whatever it asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from models.unknown_names import did_you_mean
from runtime.config import GatewayConfig
from runtime.config_rules import AUTO, DEFAULT_TASK
from runtime.errors import BadRequest
from runtime.routing.demotions import RuleQuality, standings
from runtime.routing.rule_restriction import Restriction, facts_by_target, restriction_of
from runtime.wire.tags import Sensitivity, header_of
from scheduler.compliance.compliance_matrix import Allowance
from scheduler.routing.quality_table import NOT_ASKED, QualityTable
from scheduler.routing.routing_plan import CandidateStanding, Place, RoutingPlan, plan
from scheduler.routing.rule import ANY_ABILITY, Abilities, Candidate, Needs, Rule, named
from scheduler.routing.sessions import Kept

TASK_HEADER = header_of("task")
TASKS_SHOWN_MAX = 12

Places = Callable[[str], Sequence[Place]]  # of a model, by its name; none: nobody serves it


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of itself, or was found to say. ``model`` is as it was sent, and
    ``sensitivity`` the one that counts. ``needs`` has no language: that is a hint, where ``needs``
    are not."""

    model: str
    task: str | None
    language: str | None
    needs: Needs
    sensitivity: Sensitivity


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A rule with what its candidates can do, and what it asks of targets itself. ``task`` is what
    a request without one is about."""

    rule: Rule
    candidates: tuple[tuple[Candidate, Abilities], ...]
    restriction: Restriction
    task: str


class Routing:
    """The rules in force. It changes with the configuration, the table of quality stays."""

    def __init__(
        self, config: GatewayConfig, table: QualityTable, pools: Collection[str] = ()
    ) -> None:
        self._table = table
        self._pools = frozenset(pools)
        abilities = {model: each.abilities() for model, each in config.abilities.items()}
        facts = facts_by_target(config)
        self._by_name = {
            name: _compiled(each.rule(name), abilities, restriction_of(name, each, facts))
            for name, each in config.rules.items()
        }
        self._by_task = {task: each for each in self._by_name.values() for task in each.rule.tasks}
        scored = {task for each in config.quality.values() for task in each.tasks}
        self._tasks = scored.union(self._by_task)
        self.half_life_days = config.feedback_half_life_days

    @property
    def names(self) -> tuple[str, ...]:
        """What a request may name as its model besides models: none while there is no rule."""
        return (AUTO, *self._by_name) if self._by_name else ()

    def models(self, name: str) -> list[str]:
        """All that a rule may take, or any rule for ``auto``."""
        rules = self._by_name.values() if name == AUTO else (self._by_name[name],)
        return [candidate.model for each in rules for candidate, _ in each.candidates]

    def knows(self, model: str) -> bool:
        """Whether a rule is meant; if not, it can only be the name of a model. A model that runs
        here is never replaced by a rule of its name."""
        if not self._by_name or model in self._pools:
            return False
        return model == AUTO or model in self._by_name

    def rule(self, asked: Asked) -> Rule:
        """The rule that a request means, where ``knows`` says that one is meant. BadRequest where
        ``auto`` has none for the task."""
        return self._asked_for(asked).rule

    def plan(
        self, asked: Asked, places: Places, allowance: Allowance, kept: Kept | None = None
    ) -> RoutingPlan:
        """``allowance`` is of the request, by the laws that are kept; ``kept`` is where the turn
        before it was served. BadRequest where ``auto`` has no rule for the task."""
        if not self.knows(asked.model):
            return self._of_model(asked, places, allowance)
        compiled = self._asked_for(asked)
        needs = asked.needs
        if asked.language is not None:
            needs = replace(needs, languages=frozenset((asked.language,)))
        task, language = self.chosen_by(asked)
        quality = self._table
        standings = [
            CandidateStanding(
                candidate,
                abilities,
                quality.quality(candidate.model, task, language),
                places(candidate.model),
            )
            for candidate, abilities in compiled.candidates
        ]
        narrowed = compiled.restriction.narrowed(allowance, asked.sensitivity)
        return plan(compiled.rule, standings, needs, narrowed, kept)

    def narrowed(self, rule: str, allowance: Allowance, sensitivity: Sensitivity) -> Allowance:
        """What a rule, as it is now, leaves of what the laws do; one that has gone asks nothing."""
        compiled = self._by_name.get(rule)
        return compiled.restriction.narrowed(allowance, sensitivity) if compiled else allowance

    def chosen_by(self, asked: Asked) -> tuple[str, str]:
        """The task and the language by which the quality of models is looked up for a request. A
        task that the configuration does not know is none: callers may invent any."""
        task = asked.task
        if task is None:
            task = self._asked_for(asked).task if self.knows(asked.model) else ""
        return task if task in self._tasks else "", asked.language or ""

    def qualities(self) -> list[RuleQuality]:
        """How the candidates of all rules stand."""
        return [
            each
            for compiled in self._by_name.values()
            for candidate, _ in compiled.candidates
            for task in self._tasks_of(compiled, candidate)
            for each in standings(self._table, compiled.rule, candidate, task)
        ]

    def _tasks_of(self, compiled: _Compiled, candidate: Candidate) -> list[str]:
        """By which its quality is looked up under this rule, "" only where it was."""
        tasks = {*compiled.rule.tasks, compiled.task} - {""}
        unnamed = not tasks or bool(self._table.languages(candidate.model, ""))
        return sorted(tasks | {""} if unnamed else tasks)

    def _of_model(self, asked: Asked, places: Places, allowance: Allowance) -> RoutingPlan:
        """Who names a model knows what it can do, so only the law and settings are looked at."""
        rule = named(asked.model)
        standing = CandidateStanding(
            rule.candidates[0], ANY_ABILITY, NOT_ASKED, places(asked.model)
        )
        return plan(rule, (standing,), Needs(), allowance)

    def _asked_for(self, asked: Asked) -> _Compiled:
        if asked.model != AUTO:
            return self._by_name[asked.model]
        task = asked.task or DEFAULT_TASK
        found = self._by_task.get(task) or self._by_task.get(DEFAULT_TASK)
        if found is None:
            raise self._no_rule(asked.task)
        return found

    def _no_rule(self, task: str | None) -> BadRequest:
        known = sorted(self._by_task)
        more = len(known) - TASKS_SHOWN_MAX
        shown = ", ".join(known[:TASKS_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
        listed = f"Known: {shown}." if known else "No rule has a task: name a rule as the model."
        if task is None:
            says = f"The model `{AUTO}` needs the header `{TASK_HEADER}`."
        else:
            near = did_you_mean(task, known)
            says = f"No rule is for the task `{task}`{'; ' + near if near else '.'}"
        return BadRequest(f"{says} {listed}", param=TASK_HEADER)


def routing_of(config: GatewayConfig, table: QualityTable, pools: Collection[str] = ()) -> Routing:
    """Publishes the scores of the configuration in the table, in the place of those before.
    ``pools`` are the models that run here."""
    scores = {(model, ""): each.overall for model, each in config.quality.items()}
    scores |= {
        (model, task): score
        for model, each in config.quality.items()
        for task, score in each.tasks.items()
    }
    table.publish({key: score for key, score in scores.items() if score is not None})
    return Routing(config, table, pools)


def _compiled(
    rule: Rule, abilities: Mapping[str, Abilities], restriction: Restriction
) -> _Compiled:
    candidates = tuple(
        (candidate, abilities.get(candidate.model, ANY_ABILITY)) for candidate in rule.candidates
    )
    only_task = next(iter(rule.tasks)) if len(rule.tasks) == 1 else ""
    return _Compiled(rule, candidates, restriction, only_task)
