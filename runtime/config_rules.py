"""What the configuration says of tasks and models: which may answer what, and how good they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from models.config_values import ConfigSection, Ms, written
from models.money import NanoUsd, format_usd, nano_usd
from runtime.config_facts import Places
from runtime.config_problems import Path, all_wrong
from runtime.config_types import ModelName
from runtime.wire.tags import Sensitivity
from scheduler.routing.rule import Abilities, Candidate, Choose, Needs, Rule, Substitute

RULES_MAX = 256
CANDIDATES_MAX = 16  # of a rule: each is looked at for every request
TASKS_MAX = 256
LANGUAGES_MAX = 64
AUTO = "auto"  # the model of a request whose task shall choose
DEFAULT_TASK = "default"  # stands for a task that no rule names
MALAY_INDONESIAN = "ms-id"


def _language(code: str) -> str:
    if code in ("ms", "id"):
        raise ValueError(f"is not told apart: write {MALAY_INDONESIAN}, for Malay and Indonesian")
    return code


Task = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]  # as in a request
Language = Annotated[
    str,
    Field(pattern=r"^([a-z]{2,3}|ms-id)$"),
    AfterValidator(_language),
    written("codes such as zh"),
]
Languages = Annotated[frozenset[Language], Field(max_length=LANGUAGES_MAX)]
Score = Annotated[float, Field(ge=0, le=1)]
Tokens = Annotated[int, Field(ge=1)]
Usd = Annotated[
    NanoUsd,
    BeforeValidator(nano_usd),
    written('quoted decimal, such as "0.05"'),
    PlainSerializer(format_usd, return_type=str, when_used="json"),
]


class CandidateConfig(ConfigSection):
    """A model that may answer what a rule is for."""

    model: ModelName
    """The model's catalogue id, as its pool or its offers have it."""
    substitute: Substitute = Substitute.OVERLOAD
    """When it may answer for one before it: overload, full or failed; failure, failed alone."""
    quality_floor: Score | None = None
    """Its own floor; none takes the rule's."""
    first_token_ms_max: Ms | None = None
    """Its own limit to the first token, in ms; none takes the rule's."""

    def candidate(self) -> Candidate:
        return Candidate(self.model, self.substitute, self.quality_floor, self.first_token_ms_max)


def _candidate(given: Any) -> Any:
    return {"model": given} if isinstance(given, str) else given


class NeedsConfig(ConfigSection):
    """What every candidate of a rule must be able to do, whatever a request asks."""

    tools: bool = False
    """Whether it must call tools."""
    images: bool = False
    """Whether it must read images."""
    structured_output: bool = False
    """Whether it must keep to a JSON schema."""
    languages: Languages = frozenset()
    """Languages that it must be good at, such as zh, yue, en; ms-id is Malay and Indonesian."""
    context_tokens: Annotated[int, Field(ge=0)] = 0
    """Tokens that prompt and answer must be able to have together."""

    def needs(self) -> Needs:
        return Needs(**dict(self))


class DefaultsConfig(ConfigSection):
    """What a request counts as saying where it does not say it."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Temperature; none leaves it to the model."""
    max_tokens: Tokens | None = None
    """Most tokens of an answer; none leaves it to the target. A cost ceiling counts by it."""


class RuleConfig(ConfigSection):
    """Which models answer the requests of some tasks, in what order, and within which bounds."""

    tasks: Annotated[frozenset[Task], Field(max_length=TASKS_MAX)] = frozenset()
    """Tasks (`X-Baseload-Task`) for which `auto` is this rule; `default` is all others and none."""
    candidates: Annotated[
        list[Annotated[CandidateConfig, BeforeValidator(_candidate)]],
        Field(min_length=1, max_length=CANDIDATES_MAX),
    ]
    """The models that may answer, the first choice first; a name alone has the defaults."""
    choose: Choose = Choose.IN_ORDER
    """Who is asked first: as written, the least expected cost, or quality less cost."""
    quality_floor: Score = 0.0
    """Least score of a model, from 0 to 1, by what is published in `quality` and seen since."""
    cost_usd_max: Usd | None = None
    """USD that a request may cost at most, its longest answer counted; none has no ceiling."""
    score_per_usd: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """For best_value: how much score a dollar per request weighs; 0 looks at quality alone."""
    needs: NeedsConfig = NeedsConfig()
    """What every candidate must be able to do, by `abilities`; one that cannot is not asked."""
    inference_within: Places | None = None
    """Where its targets may run, such as eu; none is wherever the packs in force let them."""
    allowed_sensitivity: frozenset[Sensitivity] = frozenset(Sensitivity)
    """Sensitivities of requests that may follow it; all others are refused."""
    first_token_ms_max: Ms | None = None
    """Longest wait for the first token of one attempt, in ms; none takes that of `stream`."""
    deadline_ms: Ms | None = None
    """Longest time over all attempts together, in ms; none bounds each attempt by itself."""
    defaults: DefaultsConfig = DefaultsConfig()
    """What a request counts as saying where it does not say it."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if wrongs := list(_rule_wrongs(self)):
            raise all_wrong(wrongs)
        return self

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(each.model for each in self.candidates)

    def rule(self, name: str) -> Rule:
        return Rule(
            name=name,
            tasks=self.tasks,
            candidates=tuple(each.candidate() for each in self.candidates),
            choose=self.choose,
            quality_floor=self.quality_floor,
            cost_nano_max=self.cost_usd_max,
            needs=self.needs.needs(),
            first_token_ms_max=self.first_token_ms_max,
            deadline_ms=self.deadline_ms,
            score_per_usd=self.score_per_usd,
            temperature=self.defaults.temperature,
            max_tokens=self.defaults.max_tokens,
        )


def _rule_wrongs(rule: RuleConfig) -> Iterator[tuple[Path, str]]:
    models = rule.models
    for number, model in enumerate(models):
        if model == AUTO:
            yield ("candidates", number), f"{AUTO!r} is no model: name one"
        if (first := models.index(model)) != number:
            yield ("candidates", number), f"{model!r} is candidate {first + 1} already"
    if rule.score_per_usd and rule.choose is not Choose.BEST_VALUE:
        yield ("score_per_usd",), "is read with choose: best_value alone"


class QualityConfig(ConfigSection):
    """What others measured of a model, as a share of 1."""

    overall: Score | None = None
    """Score over all tasks."""
    tasks: dict[Task, Score] = Field(default_factory=dict, max_length=TASKS_MAX)
    """Score by task; a task without one has that over all."""


class AbilitiesConfig(ConfigSection):
    """What a model can do. What is left out it is taken to do."""

    tools: bool = True
    """Whether it calls tools."""
    images: bool = True
    """Whether it reads images."""
    structured_output: bool = True
    """Whether it keeps to a JSON schema."""
    languages: Languages | None = None
    """Languages that it is good at, such as zh, yue, en, ms-id; none is any."""
    context_tokens_max: Tokens | None = None
    """Tokens that prompt and answer may have together; none takes those of its pool and offers."""

    def abilities(self) -> Abilities:
        return Abilities(**dict(self))


def _read_rules(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """What is wrong between rules is said together with what is wrong within them."""
    wrongs = list(_between(given)) if isinstance(given, Mapping) else []
    try:
        rules = read(given)
    except ValidationError as error:
        raise all_wrong(wrongs, error) from None
    if wrongs:
        raise all_wrong(wrongs)
    return rules


def _between(rules: Mapping[Any, Any]) -> Iterator[tuple[Path, str]]:
    """Of rules as they are written, in whatever form."""
    owners: dict[str, str] = {}
    models: set[str] = set()
    for name, rule in rules.items():
        for number, task in enumerate(_texts(rule, "tasks", "task")):
            if (owner := owners.setdefault(task, name)) != name:
                yield (name, "tasks", number), f"{task!r} stands in rule {owner!r}, too"
        models.update(_texts(rule, "candidates", "model"))
    models.discard(AUTO)  # is said below, and of the candidate
    if AUTO in rules:
        yield (AUTO,), "is what asks for the rule of a task: choose another name"
    yield from called_as_models(rules, models)


def _texts(rule: Any, key: str, inner: str) -> list[str]:
    """The texts of a list in a rule; ``inner`` is where they stand in what is no text itself."""
    listed = _at(rule, key)
    items = listed if isinstance(listed, list | tuple | set | frozenset) else ()
    found = [each if isinstance(each, str) else _at(each, inner) for each in items]
    return [each for each in found if isinstance(each, str)]


def _at(section: Any, key: str) -> Any:
    return section.get(key) if isinstance(section, Mapping) else getattr(section, key, None)


def called_as_models(
    rules: Iterable[str], models: Collection[str], at: Path = ()
) -> list[tuple[Path, str]]:
    """The rules that are called as one of ``models``, each with what is wrong with that."""
    wrong = "is the name of a model, too, and a request could mean either: choose another name"
    return [((*at, name), wrong) for name in rules if name in models]


Rules = Annotated[
    dict[ModelName, RuleConfig], Field(max_length=RULES_MAX), WrapValidator(_read_rules)
]
