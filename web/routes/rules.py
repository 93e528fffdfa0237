"""`/api/v1/rules`: what is judged as a surge, changed by people, tried before it holds, and what they say of it."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import Connection

from alerts.rulebook.entries import MAX_NAME_CHARS, RuleDefinition, definition_of, rule_of
from alerts.rulebook.laboratory import Trial
from alerts.rulebook.merging import Rulebook, rulebook
from core.errors import UsageError
from storage import feedback, rules
from storage.feedback import FeedbackRow, Precision, Verdict
from storage.rules import RuleChange
from web.auditing import ChangesNothing
from web.database import Reading
from web.errors import ErrorAnswer, respond
from web.laboratory import reserved, trial_of
from web.problems import Problem, ProblemError
from web.rendering import console_of
from web.roles import Analyst
from web.routes.api import LARGEST_ID
from web.routes.incident_care import BY
from web.view import no_nul

TRIED_NAME: Final = "trial"

router = APIRouter(
    prefix="/api/v1",
    responses={status: {"model": ErrorAnswer} for status in (400, 403, 404, 409, 422, 503)},
    tags=["rules"],
)
Name = Annotated[
    str, Path(min_length=1, max_length=MAX_NAME_CHARS, description="Of the rule."), AfterValidator(no_nul)
]
IncidentId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class FeedbackCounts(BaseModel):
    """Incidents of a rule by what people said of them."""

    useful: int
    late: int
    noise: int


class RuleAnswer(BaseModel):
    """A rule that holds. `definition` is a `RuleDefinition`, unless somebody wrote it by SQL; `problem` says so."""

    name: str
    definition: Any
    enabled: bool
    problem: str | None
    owner: str = Field(description="`default`, a rules file, or who changed it last.")
    updated_at: datetime | None = Field(description="Null for a default rule.")
    incidents: int
    feedback: FeedbackCounts
    precision: float | None = Field(description="Of the incidents people spoke of, the share of true ones.")


class ChangeAnswer(BaseModel):
    """Who made a rule what. `definition` is null where it was removed."""

    revision: int
    name: str
    definition: Any
    file: str | None
    changed_at: datetime
    changed_by: str


class RuleTrial(BaseModel):
    """A definition to try on the stored counts."""

    rule: RuleDefinition
    name: str = Field(TRIED_NAME, max_length=MAX_NAME_CHARS, description="Of the rule that it is to replace.")
    days: int = Field(28, ge=1, le=28)
    messages_per_week: float | None = Field(None, ge=0, le=100_000, description="Find the least threshold for it.")


class FeedbackRequest(BaseModel):
    """What somebody says of an incident."""

    verdict: Verdict
    comment: Annotated[str, Field(max_length=2000), AfterValidator(no_nul)] = ""
    by: Annotated[str, AfterValidator(no_nul)] | None = Field(None, min_length=1, max_length=200, description=BY)


class FeedbackAnswer(BaseModel):
    """What somebody said of an incident."""

    verdict: Verdict
    comment: str
    given_by: str
    given_at: datetime


@router.get("/rules")
def list_rules(connection: Reading) -> list[RuleAnswer]:
    """The rules that hold, those that hold by default first, and how they were taken."""
    book, precision = rulebook(connection), feedback.precision_by_rule(connection)
    return [_answer(book, name, precision) for name in book.names]


@router.get("/rules/{name}")
def show(connection: Reading, name: Name) -> RuleAnswer:
    """One rule."""
    return _one(connection, name)


@router.get("/rules/{name}/history")
def history(connection: Reading, name: Name) -> list[ChangeAnswer]:
    """Who changed it to what, newest first; empty for a rule that nobody changed."""
    return [_change(one) for one in rules.history(connection, name)]


@router.put("/rules/{name}", response_model=RuleAnswer)
def put(request: Request, name: Name, definition: RuleDefinition, person: Analyst) -> Response | RuleAnswer:
    """Make or change a rule: this is its whole definition. 409 where the rules file owns it."""
    try:
        wanted = rule_of(name, definition.model_dump(exclude_defaults=True))
    except UsageError as error:
        return respond(request, Problem(422, "bad_rule", error.message))
    with console_of(request).engine.begin() as connection:
        try:
            rules.put(connection, {wanted.name: definition_of(wanted)}, by=person.name)
        except UsageError as error:
            return respond(request, Problem(409, "rule_not_yours", error.message))
        return _one(connection, wanted.name)


@router.delete("/rules/{name}", status_code=204, response_class=Response)
def remove(request: Request, name: Name, person: Analyst) -> Response:
    """Judge by it no longer. 409 where the rules file owns it, or it holds by default."""
    with console_of(request).engine.begin() as connection:
        book = rulebook(connection)
        try:
            if name in book.rules and name not in book.stored:
                raise UsageError(f"the rule {name!r} holds by default: disable it")
            rules.remove(connection, name, by=person.name)
        except UsageError as error:
            return respond(request, Problem(409, "rule_not_yours", error.message))
    return Response(status_code=204)


@router.post("/rules/test", responses={429: {"model": ErrorAnswer}}, dependencies=[ChangesNothing])
def try_definition(request: Request, connection: Reading, trial: RuleTrial, person: Analyst) -> Trial:
    """What a rule would have done, over the 20 largest of its series; changes nothing. One at a time."""
    try:
        rule = rule_of(trial.name, trial.rule.model_dump(exclude_defaults=True))
    except UsageError as error:
        raise ProblemError(Problem(422, "bad_rule", error.message)) from error
    with reserved():
        return trial_of(request, connection, rule, days=trial.days, messages_per_week=trial.messages_per_week)


@router.get("/incidents/{incident_id}/feedback")
def list_feedback(connection: Reading, incident_id: IncidentId) -> list[FeedbackAnswer]:
    """What was said of an incident, oldest first."""
    return [_said(row) for row in feedback.of_incident(connection, incident_id)]


@router.post("/incidents/{incident_id}/feedback", status_code=201)
def give_feedback(
    request: Request, incident_id: IncidentId, said: FeedbackRequest, person: Analyst
) -> list[FeedbackAnswer]:
    """Say whether an incident was useful; a person's newest word counts."""
    with console_of(request).engine.begin() as connection:
        feedback.give(connection, incident_id, said.verdict, by=person.acting_for(said.by), comment=said.comment)
        return [_said(row) for row in feedback.of_incident(connection, incident_id)]


def _one(connection: Connection, name: str) -> RuleAnswer:
    book = rulebook(connection)
    if name not in book.unusable:
        book.rule(name)
    return _answer(book, name, feedback.precision_by_rule(connection))


def _answer(book: Rulebook, name: str, precision: dict[str, Precision]) -> RuleAnswer:
    return RuleAnswer.model_validate(book.described(name, precision.get(name, Precision())))


def _change(row: RuleChange) -> ChangeAnswer:
    return ChangeAnswer.model_validate(row._asdict())


def _said(row: FeedbackRow) -> FeedbackAnswer:
    return FeedbackAnswer.model_validate(row._asdict())
