"""Which command survives which answer, and how: one table, data alone.

A row is a command and a kind of call that it makes, a column what is answered, a cell the exit code
and what must be said: the place, the service's own words, and what to do. `CALLS` are the rows;
`USUAL` says what an answer means wherever nothing else is written, and `UNUSUAL` where it means
something else. Nothing is ever lost, paid twice or removed, whatever the cell says.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.support.hostile_answers import BODIES, REDIRECTS, Hostile, Wire
from tests.support.interceptor import KINDS, can_answer

COLUMNS = tuple(Hostile)

_OF_A_RUN = ("who asks", "list recordings", "start job", "list jobs", "get job", "fetch transcript")
CALLS: dict[str, tuple[str, ...]] = {
    "run": _OF_A_RUN,
    "run --results": (
        *("who asks", "list results", "list recordings", "start job", "list jobs"),
        "read transcript",
    ),
    "run --output": (
        *("write description", "read description", "list summary", "list beat", "read beat"),
        *("write beat", "find state copy", "list part", "write part", "write summary"),
        *("write failures", "write state copy"),
    ),
    "run --transcripts": _OF_A_RUN,
    "run --events": (
        *("who asks", "list recordings", "look for events", "start job", "receive events"),
        *("get job", "fetch transcript", "delete events"),
    ),
    "run --config sidecar": ("read sidecar",),
    "run --config object": ("find recording",),
    "run --config tags": ("read tags",),
    "run, resumed": _OF_A_RUN,
    "retry, then run": _OF_A_RUN,
    "plan --exact": ("list results", "list recordings", "read recording"),
    "check": (
        *("who asks", "find bucket", "list recordings", "read recording", "list results"),
        *("write object", "read transcript", "delete object", "list jobs", "get job", "rights"),
        *("quotas", "whoami", "project", "storages"),
    ),
    "report": ("tasks",),
    "report --output": ("find state copy", "read state copy"),
    "status --output": (
        *("read description", "list summary", "read summary", "list beat", "read beat"),
    ),
    "push": ("project", "projects", "storages", "tasks", "import"),
    "push --output": ("list part", "read part"),
    "pull": ("people", "project", "tasks", "export"),
    "clean": ("who asks", "get job", "delete job"),
    "clean --output": (
        *("read description", "list summary", "read summary", "list beat", "read beat"),
        *("find state copy", "read state copy", "list part", "write state copy"),
    ),
    "clean --results-too": (
        *("who asks", "get job", "delete job", "find transcript", "delete object"),
    ),
    "export --output": ("list part", "read part"),
    "tasks rebuild": ("get job", "fetch transcript"),
    "transcripts": ("get job", "fetch transcript"),
    "tasks rebuild --output": (
        *("read description", "list state copy", "read state copy", "list part", "read part"),
    ),
    "transcripts --output": (
        *("read description", "list state copy", "read state copy", "list part", "read part"),
    ),
    "transcripts --to s3": ("read transcript", "write object"),
    "search": ("get job", "fetch transcript"),
    "vocabulary apply": ("get vocabulary", "write object", "make vocabulary"),
    "compare": (
        *("who asks", "get vocabulary", "find recording", "start job", "list jobs", "get job"),
        "fetch transcript",
    ),
    "events setup": ("who asks", "find queue", "make queue", "find rule", "make rule"),
    "events remove": ("who asks", "find queue", "delete queue", "find rule", "delete rule"),
    "iam policy": ("who asks",),
    "iam apply": ("who asks", "find users", "make users", "find CORS rules", "make CORS rules"),
}
"""The commands that call somebody, and the kinds of calls that each makes when all is well."""

ALONE: dict[str, tuple[str, ...]] = {
    "config example": (),
    "config schema": (),
    "config show": (),
    "convert": ("srt",),
    "export": (),
    "labeling-config": (),
    "quality": (),
    "retry": (),
    "status": (),
    "vocabulary build": (),
}
"""The commands that call nobody, so that no answer concerns them, and what they are given."""

SERVES = "serve"
"""The command that is called, and calls nobody."""


class Cell(NamedTuple):
    """How a command ends: its exit code, and texts that it must have said.

    `fails` counts recordings that fail by it; `text` is how a table shows it.
    """

    code: int
    says: tuple[str, ...] = ()
    fails: int = 0

    @property
    def text(self) -> str:
        """The exit code, and whether one recording has failed alone."""
        return f"{self.code}, one fails" if self.fails else str(self.code)


NEVER = "\N{EN DASH}"
"""How a table shows a call that is never answered so."""

PLACES = {
    **{kind: "s3://audio" for kind, about in KINDS.items() if about.wire is Wire.S3},
    **{kind: about.action for kind, about in KINDS.items() if about.wire is not Wire.S3},
    **{kind: "127.0.0.1:" for kind, about in KINDS.items() if about.wire is Wire.LABELS},
    "fetch transcript": "The service's URL of a transcript",
}
"""What a sentence about a refused call has to name."""

HOST = "127.0.0.1:"
"""What a sentence has to name where no service has answered."""

_AGAIN = "same command again"
_SIGNED = "Signature expired: 20261128T100000Z is now earlier than"
_OLD = "The security token included in the request is expired"
_NO_ANSWER = {
    **dict.fromkeys(BODIES, Cell(2, (HOST, _AGAIN))),
    Hostile.HUGE: Cell(2, (HOST, "answers with more than 48 MiB", "Check the address")),
    Hostile.PAGE: Cell(2, (HOST, "answers with a web page", "HTTPS_PROXY", _AGAIN)),
    **dict.fromkeys(
        REDIRECTS, Cell(2, (HOST, "redirects to http://localhost", "Check the address"))
    ),
}
_TOO_LONG = dict.fromkeys(
    (Hostile.ENDLESS, Hostile.DRIPPING), Cell(2, ("{place}", "too long", _AGAIN))
)
_REFUSED = {
    Hostile.DENIED: Cell(2, ("{place}", "is not authorized to perform: {action}", "llow")),
    Hostile.KEY: Cell(2, ("{place}", "is not authorized to perform: kms:Decrypt", "llow")),
    Hostile.THROTTLED: Cell(0),
}

USUAL: dict[Wire, dict[Hostile, Cell]] = {
    Wire.S3: {
        **_REFUSED,
        Hostile.GONE: Cell(2, ("There is no bucket {place}", "Check its name")),
        Hostile.REGION: Cell(2, ("{place} is in eu-west-1", "--region eu-west-1")),
        Hostile.MISSIGNED: Cell(2, ("{place} is in eu-west-1", "--region eu-west-1")),
        **_NO_ANSWER,
        Hostile.SKEWED: Cell(2, ("{place}", "the current time is too large", "clock")),
        Hostile.EXPIRED: Cell(2, ("{place}", "The provided token has expired", _AGAIN)),
    },
    Wire.JSON: {
        **_REFUSED,
        Hostile.GONE: Cell(0),
        **(_NO_ANSWER | _TOO_LONG),
        Hostile.SKEWED: Cell(2, ("{place}", _SIGNED, "clock")),
        Hostile.EXPIRED: Cell(2, ("{place}", _OLD, _AGAIN)),
    },
    Wire.QUERY: {
        **_REFUSED,
        **(_NO_ANSWER | _TOO_LONG),
        Hostile.SKEWED: Cell(2, ("{place}", _SIGNED, "clock")),
        Hostile.EXPIRED: Cell(2, ("{place}", _OLD, _AGAIN)),
    },
    Wire.LABELS: {
        Hostile.DENIED: Cell(2, ("{place}", "do not have permission", "another user's token")),
        Hostile.GONE: Cell(2, ("{place}", "No Project matches", "projects/NUMBER")),
        **_NO_ANSWER,
        **dict.fromkeys(REDIRECTS, Cell(2, ("{place}", "redirects to http://localhost", "--url"))),
        Hostile.PAGE: Cell(2, ("{place}", "There is no Label Studio", "Give --url")),
        Hostile.THROTTLED: Cell(0),
        Hostile.EXPIRED: Cell(2, ("{place}", "Invalid token", "LABEL_STUDIO_API_KEY")),
    },
}

_ONE_FAILS = Cell(1, ("1 failed",), fails=1)
_NOT_LINKED = Cell(0, ("The page has no links to tasks", "{place}"))
_UNKNOWN = Cell(0, ("which no run needs",))
_ELSEWHERE = Cell(0, ("does not say in which region",))
_STAYS = Cell(0, ("it may not be removed, which no run needs",))
_SKIPPED = Cell(0, ("skipped",))
_LOST = (Hostile.CUT, Hostile.DRIPPING)
_CORS = ("find CORS rules", "make CORS rules")
_CORS_SAYS = {  # of these the action is told, and the bucket by the command
    Hostile.DENIED: ("is not authorized to perform", "llow"),
    Hostile.GONE: ("NoSuchBucket",),
    Hostile.ENDLESS: ("too long", _AGAIN),
    Hostile.DRIPPING: ("too long", _AGAIN),
    Hostile.SKEWED: ("the current time is too large", "clock"),
    Hostile.EXPIRED: ("The provided token has expired", _AGAIN),
}
_OF_THE_WAY = (*BODIES, *REDIRECTS)

UNUSUAL: dict[tuple[str, str, Hostile], Cell] = {
    ("*", "start job", Hostile.GONE): _ONE_FAILS,
    ("*", "read transcript", Hostile.GONE): _ONE_FAILS,
    ("*", "fetch transcript", Hostile.GONE): _ONE_FAILS,
    ("*", "read transcript", Hostile.HUGE): _ONE_FAILS,
    ("*", "fetch transcript", Hostile.HUGE): _ONE_FAILS,
    ("*", "fetch transcript", Hostile.EXPIRED): Cell(
        2, ("{place}", "Request has expired", "same command")
    ),
    **{
        ("*", kind, answer): Cell(2, ("{place}",))  # an answer that is headers alone has no words
        for kind in ("find recording", "find transcript", "find state copy")
        for answer in (Hostile.DENIED, Hostile.SKEWED, Hostile.EXPIRED)
    },
    **{
        ("report", "tasks", answer): _NOT_LINKED
        for answer in COLUMNS
        if can_answer("tasks", answer) and answer is not Hostile.THROTTLED
    },
    # The answer is lost, the tasks are there: they are looked up before anything is sent again.
    **{("push", "import", answer): Cell(0, ("3 pushed",)) for answer in _LOST},
    ("pull", "people", Hostile.DENIED): Cell(0),
    ("tasks rebuild", "get job", Hostile.GONE): _ONE_FAILS,
    # Every task is sealed by then; what other machines need alone is made by the next run.
    **{
        ("run --output", kind, answer): Cell(0, ("Other machines are not told of this run's end",))
        for kind in ("write summary", "write failures", "write state copy")
        for answer in COLUMNS
        if can_answer(kind, answer) and answer is not Hostile.THROTTLED
    },
    # Nothing is there yet, which a listing proves; such an answer is 403 and no word.
    **{
        ("run --output", "find state copy", answer): Cell(0)
        for answer in (Hostile.DENIED, Hostile.SKEWED)
    },
    ("*", "read beat", Hostile.GONE): Cell(0),  # a run that has ended since
    ("*", "read description", Hostile.GONE): Cell(2, ("cluster.json", "Run the same `run`")),
    ("*", "read part", Hostile.GONE): Cell(2, ("00000000.jsonl is missing", "Put it back")),
    ("*", "read state copy", Hostile.GONE): Cell(2, ("was replaced just now", "same command")),
    ("status --output", "read summary", Hostile.GONE): Cell(0),
    ("clean --output", "read summary", Hostile.GONE): Cell(2, ("go on: shard 0", "Wait until")),
    **{
        (command, kind, answer): Cell(1, ("Left without a file: 1 of them",))
        for command, kind, answer in (
            *(("transcripts", kind, Hostile.GONE) for kind in ("get job", "fetch transcript")),
            ("transcripts", "fetch transcript", Hostile.HUGE),
            *(("transcripts --to s3", "read transcript", a) for a in (Hostile.GONE, Hostile.HUGE)),
        )
    },
    **{
        ("search", kind, answer): Cell(0, ("1 of 3 recordings can't be searched",))
        for kind, answer in (
            *((kind, Hostile.GONE) for kind in ("get job", "fetch transcript")),
            ("fetch transcript", Hostile.HUGE),
        )
    },
    **{
        ("*", kind, answer): Cell(2, (KINDS[kind].action, "another region", "--region"))
        for kind in _CORS
        for answer in (Hostile.REGION, Hostile.MISSIGNED)
    },
    **{
        ("*", kind, answer): Cell(2, (KINDS[kind].action, *said))
        for kind in _CORS
        for answer, said in _CORS_SAYS.items()
    },
    ("compare", "find recording", Hostile.GONE): Cell(0, ("WER of 2 recordings",)),
    ("compare", "start job", Hostile.GONE): Cell(0, ("WER of 2 recordings", "1 failed")),
    ("compare", "fetch transcript", Hostile.GONE): Cell(0, ("WER of 2 recordings", "1 failed")),
    ("compare", "get vocabulary", Hostile.GONE): Cell(
        2, ("There is no vocabulary", "vocabulary apply")
    ),
    **{
        (f"run --config {source}", kind, answer): Cell(0, ("is left out", *said))
        for source, kind, answer, *said in (
            ("sidecar", "read sidecar", Hostile.DENIED, "{action} on {place} is not allowed"),
            ("sidecar", "read sidecar", Hostile.KEY, "{action} on {place} is not allowed"),
            ("sidecar", "read sidecar", Hostile.GONE, "there is no such file"),
            ("object", "find recording", Hostile.DENIED, "{action} on {place} is not allowed"),
            ("object", "find recording", Hostile.SKEWED, "{action} on {place} is not allowed"),
            ("object", "find recording", Hostile.GONE, "the recording is no longer there"),
            ("tags", "read tags", Hostile.DENIED, "{action} on {place} is not allowed"),
            ("tags", "read tags", Hostile.GONE, "the recording is no longer there"),
        )
    },
    # Who can't be told the account goes on: nothing is known to be in another one.
    **{
        (command, "who asks", answer): Cell(0)
        for command, kinds in CALLS.items()
        if "who asks" in kinds and command.startswith(("run", "retry", "compare", "clean"))
        for answer in COLUMNS
        if can_answer("who asks", answer)
    },
    **{("check", "who asks", answer): _UNKNOWN for answer in (Hostile.DENIED, *_OF_THE_WAY)},
    **{
        ("check", kind, answer): _SKIPPED
        for kind in ("rights", "quotas")
        for answer in (Hostile.DENIED, *_OF_THE_WAY)
    },
    **{
        ("check", "find bucket", answer): _ELSEWHERE
        for answer in (Hostile.DENIED, Hostile.SKEWED, Hostile.EXPIRED)
    },
    **{
        ("check", "delete object", answer): _STAYS
        for answer in (Hostile.DENIED, Hostile.GONE, Hostile.REGION, Hostile.MISSIGNED)
    },
    **{
        ("run --events", kind, answer): Cell(0)  # the run goes on by listing its jobs
        for kind in ("receive events", "delete events")
        for answer in COLUMNS
        if can_answer(kind, answer)
    },
    ("run --events", "look for events", Hostile.GONE): Cell(
        2, ("There is no queue", "events setup")
    ),
    ("plan --exact", "read recording", Hostile.GONE): Cell(0, ("1 no longer there",)),
    ("check", "read recording", Hostile.DRIPPING): Cell(0, ("One byte of {place}",)),
    ("check", "read recording", Hostile.GONE): Cell(
        0, ("gone when it was read", "Check once more")
    ),
    ("check", "read transcript", Hostile.HUGE): Cell(0, ("is not what an earlier check wrote",)),
    ("compare", "fetch transcript", Hostile.HUGE): Cell(0, ("WER of 2 recordings", "1 failed")),
    ("check", "read transcript", Hostile.GONE): Cell(
        2, ("was written, and is not there", "See what removes objects")
    ),
}
"""By command ("*" for each), kind of call and answer."""

_OF_WHO_GOES_ON = (_AGAIN, "Check the address")


def _usual(command: str, kind: str, answer: Hostile) -> Cell:
    """What an answer means; `check` goes on with nothing, so its advice leaves that out."""
    found = USUAL[KINDS[kind].wire][answer]
    if command != "check":
        return found
    return found._replace(says=tuple(each for each in found.says if each not in _OF_WHO_GOES_ON))


RED: frozenset[tuple[str, str, str]] = frozenset()
"""Cells that do not hold yet."""


def cell(command: str, kind: str, answer: Hostile) -> Cell | None:
    """What the table says; None where no call of the command is ever answered so."""
    if kind not in CALLS.get(command, ()) or not can_answer(kind, answer):
        return None
    about = KINDS[kind]
    places = ((command, kind, answer), ("*", kind, answer))
    unusual = [UNUSUAL[each] for each in places if each in UNUSUAL]
    found = unusual[0] if unusual else _usual(command, kind, answer)
    facts = {"place": PLACES[kind], "action": about.action}
    return found._replace(says=tuple(text.format(**facts) for text in found.says))
