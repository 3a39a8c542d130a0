"""Every way in which things go wrong, drawn as a tree.

    PipelineError
    ├── CannotRun                 the run stops, exit 2; its sentence says what to do next
    │   ├── BadSettings           configuration, flags, environment
    │   ├── MissingExtra          a package that only some commands need is not installed
    │   ├── NoAccess              credentials are missing or wrong
    │   │   ├── Denied            a permission is missing
    │   │   └── Expired           the session token has expired; renewed once before it counts
    │   ├── NoSuchSource          a bucket or folder that is missing or in another region
    │   ├── StateUnusable         locked, of another source, not ours, damaged
    │   │   └── StateOutdated     of an earlier version, which a run brings up to date
    │   ├── OutputUnusable        can't be written, changed by someone, disk full
    │   ├── SystematicFailure     the first recordings all fail for the same reason
    │   ├── TasksRefused          Label Studio refuses the tasks, or the project is not for them
    │   ├── AnswerTooLarge        an answer that has no end, or none of ours
    │   └── ServiceUnreachable    no answer for too long; the next run goes on
    ├── BudgetSpent               --until or --max-hours: stop, exit 3
    ├── RecordingFailed           one recording ends here, the others go on
    ├── JobExists                 Start met a job of the same name
    ├── JobMissing                Get asked for a job that the service does not know
    ├── VocabularyMissing         the service knows no custom vocabulary of this name
    ├── VocabularyTaken           it knows one already, or is still working on it
    ├── ResourceMissing           a service knows none of this name: no such role, queue or rule
    ├── ResourceTaken             it knows one of this name already
    ├── DryRunOk                  the call was a trial, and would have gone well
    ├── Deferred                  this recording met faults for too long; the next run tries again
    └── Retryable                 worth another try
        ├── Throttled             the rate of one call was too high
        ├── NoFreeSlot            the account runs as many jobs as it may
        └── Unavailable           no answer, or a fault at the service; the outcome is unknown

Foreign errors become one of these in `aws/`, `net/http.py`, `state/database.py` and `label_studio/`
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.text import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDS_OF_SENTENCES = ("!", "?", "\N{HORIZONTAL ELLIPSIS}", ":")


class PipelineError(Exception):
    """The root of the tree: what is wrong and where, and what to do about it.

    `problem` is a sentence without its full stop, `advice` what helps, "" where nothing is known
    to. `action` is the IAM action or the operation that failed, `message` the service's own words
    with their code; "" where no service answered. As text it is the sentence for the user, which
    is made here alone. A service may repeat a token or a signed address: no fact holds one.
    """

    def __init__(
        self, problem: str = "", advice: str = "", *, action: str = "", message: str = ""
    ) -> None:
        super().__init__(redacted(problem), advice)
        self.problem = redacted(problem).removesuffix(".")
        self.advice = advice
        self.action = action
        self.message = message

    @property
    def message(self) -> str:
        """The service's own words."""
        return self._message

    @message.setter
    def message(self, words: str) -> None:
        self._message = redacted(words)

    @property
    def sentence(self) -> str:
        """The problem with its full stop."""
        whole = not self.problem or self.problem.endswith(_ENDS_OF_SENTENCES)
        return self.problem if whole else f"{self.problem}."

    def __str__(self) -> str:
        """The problem as a sentence, and the advice."""
        return f"{self.sentence} {self.advice}".rstrip()


class CannotRun(PipelineError):
    """The run can't start or can't go on: exit 2, nothing lost."""


class BadSettings(CannotRun):
    """A flag, an environment variable or the configuration file is wrong."""


class MissingExtra(CannotRun):
    """A package that only some commands need is not installed."""


class NoAccess(CannotRun):
    """Credentials are missing, wrong or expired."""


class Denied(NoAccess):
    """The credentials are good, but a permission is missing."""


class Expired(NoAccess):
    """The session token has expired."""


class SystematicFailure(CannotRun):
    """The first recordings all failed for one reason: it is not the recordings."""


class TasksRefused(CannotRun):
    """Label Studio does not take the tasks, or the project is not made for them."""


class NoSuchSource(CannotRun):
    """The folder or bucket is not there, or the bucket is in another region."""


class StateUnusable(CannotRun):
    """The state file is locked, damaged, or not this run's."""


class StateOutdated(StateUnusable):
    """The state file is of an earlier version, and may only be read here."""


class NoFullTextSearch(StateUnusable):
    """The SQLite of this Python has no full-text index (FTS5)."""


class OutputUnusable(CannotRun):
    """The output can't be written or is not the file this state wrote."""


class AnswerTooLarge(CannotRun):
    """An answer is larger than any that a service gives: it is another one's, or has no end."""


class ServiceUnreachable(CannotRun):
    """The service gave no usable answer for too long."""


class BudgetSpent(PipelineError):
    """The time that the run was given is over."""


class RecordingFailed(PipelineError):
    """One recording ends without a task; `reason` is the class, `message` the service's words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, message=message)
        self.reason = reason


class Deferred(PipelineError):
    """A recording met faults for too long while others went well: it is left for the next run."""


class JobExists(PipelineError):
    """The name of the job is taken (`ConflictException`)."""


class JobMissing(PipelineError):
    """The service does not know the job."""


class VocabularyMissing(PipelineError):
    """The service knows no custom vocabulary of this name."""


class VocabularyTaken(PipelineError):
    """The service has a vocabulary of this name already, or is still working on it."""


class ResourceMissing(PipelineError):
    """A service knows nothing of this name: no such user, role, policy, queue, rule or key."""


class ResourceTaken(PipelineError):
    """A service has something of this name already."""


class DryRunOk(PipelineError):
    """A call that was only tried, and would have gone well (`DryRun`)."""


class Retryable(PipelineError):
    """A call that may succeed when it is made again."""


class Throttled(Retryable):
    """The rate of one operation was too high (`ThrottlingException` and the like)."""


class NoFreeSlot(Retryable):
    """Every job slot of the account is taken (`LimitExceededException`): back-pressure."""


class Unavailable(Retryable):
    """No answer, or a fault at the service: whether the call took effect is unknown."""


def first_of(group: BaseExceptionGroup) -> BaseException:
    """The error to show: one that stops runs, else one of ours, else the first one of all."""
    leaves = list(_leaves(group))
    for kind in (CannotRun, PipelineError, BaseException):
        for each in leaves:
            if isinstance(each, kind):
                return each
    raise AssertionError  # a group is never empty


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
