"""試行・モデル事業: what is tried before it is agreed for longer."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from domain import errors
from domain.dates import plus
from domain.event import Context
from domain.partnership.state import Partnership, PartnershipEvent, finished
from domain.text import PartyId, Text
from domain.values import Code, Duration, FiscalYear, Ordinal, Slug, Yen
from domain.vocabulary import EARLY, REFUSED, TRYING, Status, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BEFORE_TRYING = EARLY | TRYING | REFUSED | frozenset({Status.ACCEPTED})


class TrialStarted(PartnershipEvent):
    """A trial run begins, of the stated length (試行)."""

    needs = _BEFORE_TRYING - REFUSED
    leads = Status.TRIAL
    step = Step.TRIAL
    length: Duration | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        trial = context.rules.trial
        if trial is not None and trial.max_length and self.length and days(self.length) > days(trial.max_length):
            yield errors.LimitExceeded(what="length", given=self.length, limit=trial.max_length)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(trials=(*state.trials, False))


class TrialCompleted(PartnershipEvent):
    """The trial run is over, with its result."""

    length: Duration | None = None
    result: Code | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if False not in state.trials:
            yield errors.NotStarted(what="trial")

    def apply(self, state: Partnership) -> Partnership:
        return state.having(trials=finished(state.trials))


class ModelYearStarted(PartnershipEvent):
    """Year `n` of a model project begins (モデル事業), for its fiscal year and grant where they are stated."""

    needs = _BEFORE_TRYING
    leads = Status.MODEL_YEAR
    step = Step.MODEL_YEAR
    programme: Slug
    n: Ordinal
    fiscal_year: FiscalYear | None = None
    grant_yen: Yen | None = None
    content: tuple[Text, ...] = ()
    done_by: tuple[PartyId, ...] = ()
    status: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return self.done_by

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        done = [n for programme, n, _ in state.model_years if programme == self.programme]
        expected = max(done, default=0) + 1
        if self.n != expected:
            yield errors.NumberOutOfSequence(what="model year", given=self.n, expected=expected)
        rules = context.rules.model_years
        if rules is not None and rules.maximum is not None and self.n > rules.maximum:
            yield errors.LimitExceeded(what="model year", given=self.n, limit=rules.maximum)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(model_years=(*state.model_years, (self.programme, self.n, False)))


class ModelYearCompleted(PartnershipEvent):
    """Year `n` of the model project was carried out."""

    programme: Slug
    n: Ordinal
    fiscal_year: FiscalYear | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if (self.programme, self.n, False) not in state.model_years:
            yield errors.NotStarted(what=f"model year {self.n}")

    def apply(self, state: Partnership) -> Partnership:
        year = (self.programme, self.n, False)
        return state.having(model_years=tuple((*y[:2], True) if y == year else y for y in state.model_years))


def days(duration: str) -> int:
    """About how many days it is, for comparing two durations."""
    start = date(2001, 1, 1)
    return (plus(start, duration) - start).days
