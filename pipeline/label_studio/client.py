"""The calls of Label Studio's API that the review loop needs, each made once.

`Client.retried` makes one again, or several as one, through the one retry layer. An import is not
safe to repeat by itself: `push.py` looks up what arrived before it sends again.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from functools import partial
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, TypeVarTuple

import aiohttp
import msgspec
from yarl import URL

from pipeline.config.schema import Limits
from pipeline.errors import BadSettings, Expired, NoAccess, Unavailable
from pipeline.label_studio.content import decoded, sendable
from pipeline.label_studio.errors import (
    ACCESS_STEP,
    Credential,
    api_error,
    untrusted,
)
from pipeline.label_studio.filters import changed_filter, job_id_filter
from pipeline.label_studio.schema import Changed, Imported, Page, Project, Storage, TaskRow
from pipeline.label_studio.token import is_personal
from pipeline.net.body import body_of
from pipeline.net.bounds import LABEL_STUDIO_SECONDS
from pipeline.net.http import answered
from pipeline.net.paging import Pages
from pipeline.net.retry import RateLimitedCall
from pipeline.net.unreachable import OTHER_HINTS, redirected
from pipeline.net.wait_times import WaitTimes
from pipeline.text import count_of, hide

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from pipeline.label_studio.content import Upload

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

Query = dict[str, str] | list[tuple[str, str]]

_TIMEOUT = aiohttp.ClientTimeout(total=LABEL_STUDIO_SECONDS, sock_connect=10, sock_read=900)
_RATE = 50.0
_NO_OTHER_LIMITS = Limits()
_ACCESS_SECONDS = 240.0
"""Access tokens made from a personal one live for 300 seconds (1.23)."""

_FIRST_ERROR_STATUS = 300
MOST_ROWS = 1000
"""Of tasks that one answer gives out."""
_LISTED = "id,title,description,sampling,created_at"
CHANGED = "id,total_annotations,meta"
"""What `Changed` reads of a task."""


class _Person(msgspec.Struct, frozen=True):
    id: int
    email: str = ""


class _ProjectPage(msgspec.Struct, frozen=True):
    results: list[Project]
    next: str | None


class _Created(msgspec.Struct, frozen=True):
    created: int


class _Access(msgspec.Struct, frozen=True):
    access: str


class _Call(NamedTuple):
    method: str
    path: str
    query: Query | None
    body: bytes | Upload | None


class Client:
    """One Label Studio, in the name of one user; `url` has no slash at its end."""

    def __init__(
        self, url: str, token: str, http: aiohttp.ClientSession, limits: Limits = _NO_OTHER_LIMITS
    ) -> None:
        self.url = url
        self._token = token
        hide(token)
        self._personal = is_personal(token)
        self._http = http
        self._access = ""
        self._access_made = 0.0
        self._refreshing = asyncio.Lock()
        self._answer_seconds = limits.answer_seconds
        self._operation = RateLimitedCall("Label Studio", _RATE, WaitTimes(), self._renew)
        self._operation.retry_seconds = limits.retry_seconds

    async def retried(
        self, attempt: Callable[[*Arguments], Awaitable[T]], *arguments: *Arguments
    ) -> T:
        """Make calls that may be made again, until they succeed.

        Raises:
            ServiceUnreachable: no usable answer for too long.
            CannotRun: an answer that trying again does not change.
        """
        return await self._operation.call(partial(attempt, *arguments))

    async def project(self, number: int) -> Project:
        """A project by its number."""
        return await self.get(Project, f"projects/{number}/")

    async def projects(self) -> list[Project]:
        """All projects, the oldest first; without their counts and configurations."""
        query = {"include": _LISTED, "page_size": "100", "ordering": "id"}
        pages = Pages(f"The list of projects at {self.url}")
        found: list[Project] = []
        for number in count(1):
            page = await self.get(_ProjectPage, "projects/", query | {"page": str(number)})
            found += page.results
            if not page.next:
                break
            pages.following(tuple(each.id for each in page.results))
        return found

    async def create_project(self, settings: dict[str, Any]) -> Project:
        """A new project; its `title` and its `label_config` are among the settings."""
        return await self._post(Project, "projects/", msgspec.json.encode(settings))

    async def import_tasks(self, project: int, tasks: Sequence[bytes]) -> Imported:
        """Add tasks, each a JSON object: all of them or none.

        Raises:
            Unavailable: as of `ask`; and Label Studio Enterprise imports in the background.
        """
        body = b"[" + b",".join(tasks) + b"]"
        answer = await self._post(Imported, f"projects/{project}/import", body)
        if answer.task_count is None:
            raise Unavailable(f"{self.url} has not imported the tasks yet")
        return answer

    async def import_predictions(self, project: int, predictions: Sequence[dict[str, Any]]) -> int:
        """Add predictions to tasks, each with the `task` it belongs to; how many were added."""
        body = msgspec.json.encode(predictions)
        path = f"projects/{project}/import/predictions"
        return (await self._post(_Created, path, body)).created

    async def find_tasks(self, project: int, job_ids: Sequence[str]) -> list[TaskRow]:
        """The tasks whose `data.job_id` is one of these; a thousand at most.

        The ids travel in the address, of which the server reads 16 KB: see `query_size`.
        """
        query = tasks_query(project, "id,data,meta,total_predictions", job_id_filter(job_ids))
        page = await self.get(Page[TaskRow], "tasks", query)
        if not {row.data.job_id for row in page.tasks} <= set(job_ids):
            raise untrusted(self.url, "it gives out other tasks than were asked for")
        if len(page.tasks) < min(page.total, MOST_ROWS):
            raise Unavailable(f"{self.url} counts more tasks than it gives out")
        return page.tasks

    async def changed_tasks(self, project: int, after: int, since: str) -> Page[Changed]:
        """The tasks with a number over `after`, a thousand at most, by number.

        Args:
            project: its number.
            after: a task's number: going on by number loses none while tasks come and go.
            since: a moment as the server writes it: those changed later, which it also says of a
                task whose annotation was deleted; "" is all with an annotation.
        """
        query = tasks_query(project, CHANGED, changed_filter(after, since))
        page = await self.get(Page[Changed], "tasks", query)
        numbers = [after, *(task.id for task in page.tasks)]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise untrusted(self.url, f"after task {after} it gives out others than those behind")
        if page.total and not page.tasks:
            raise untrusted(
                self.url, f"it counts {count_of(page.total, 'task')} and gives out none"
            )
        return page

    async def annotated_tasks(self, project: int, ids: Sequence[int]) -> list[dict[str, Any]]:
        """Tasks with annotations, each of which carries the prediction that it began from."""
        query = [("exportType", "JSON"), *(("ids[]", str(each)) for each in ids)]
        found = await self.get(list[dict[str, Any]], f"projects/{project}/export", query)
        if any(task.get("id") not in list(ids) for task in found):
            raise untrusted(self.url, "it exports other tasks than were asked for")
        return found

    async def people(self) -> dict[int, str]:
        """The addresses of the organization's people by their number."""
        people = await self.get(list[_Person], "users/")
        return {each.id: each.email for each in people if each.email}

    async def whoami(self) -> str:
        """The address of the user whom the token is of."""
        return (await self.get(_Person, "current-user/whoami")).email

    async def storages(self, project: int) -> list[Storage]:
        """The S3 source storages of a project."""
        return await self.get(list[Storage], "storages/s3", {"project": str(project)})

    async def create_storage(self, settings: dict[str, Any]) -> Storage:
        """A new S3 source storage; the server tries to reach the bucket."""
        return await self._post(Storage, "storages/s3", msgspec.json.encode(settings))

    async def get(self, kind: type[T], path: str, query: Query | None = None) -> T:
        """What a GET below `/api/` answers; raises as `ask` does."""
        return decoded(self.url, kind, await self.ask("GET", path, query))

    async def _post(self, kind: type[T], path: str, body: bytes) -> T:
        return decoded(self.url, kind, await self.ask("POST", path, None, body))

    async def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | Upload | None = None,
    ) -> bytes:
        """Make one call below `/api/`, with JSON or a file; the body of its successful answer.

        Raises:
            OSError: the file can't be read.
            Unavailable: no answer, or a fault at the server: the outcome is unknown.
            CannotRun: another refusal; its sentence says what to do.
        """
        used = Credential.ACCESS if self._personal else Credential.LEGACY
        return await self._sent(_Call(method, path, query, body), used)

    async def _sent(self, call: _Call, used: Credential) -> bytes:
        headers = {"Content-Type": "application/json"} if isinstance(call.body, bytes) else {}
        if used is not Credential.PERSONAL:
            headers["Authorization"] = await self._authorization()
        url = URL(f"{self.url}/api/{call.path}").with_query(call.query)
        with sendable(call.body) as data:
            how: dict[str, Any] = {"data": data, "headers": headers}
            answer, content = await answered(
                self._http, call.method, url, OTHER_HINTS, self._body, **how
            )
        if elsewhere := redirected(url, answer.status, answer.headers):
            raise BadSettings(
                elsewhere.problem, "Name the address at which the browser ends, with --url."
            )
        if answer.status >= _FIRST_ERROR_STATUS:
            action = f"{call.method} {url.path}"
            raise api_error(self.url, action, answer.status, content, used)
        return content

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        async with asyncio.timeout(self._answer_seconds):  # it is worked out already
            return await body_of(answer)

    async def _authorization(self) -> str:
        """A legacy token goes as it is; a personal one is exchanged for one that lives shortly."""
        if not self._personal:
            return f"Token {self._token}"
        async with self._refreshing:
            if not self._access or time.monotonic() - self._access_made > _ACCESS_SECONDS:
                body = msgspec.json.encode({"refresh": self._token})
                call = _Call("POST", "token/refresh/", None, body)
                answer = await self._sent(call, Credential.PERSONAL)
                self._access = decoded(self.url, _Access, answer).access
                hide(self._access)
                self._access_made = time.monotonic()
            return f"Bearer {self._access}"

    async def _renew(self, signed: float) -> None:
        """Take a new access token, unless this one is newer than the call that failed with it."""
        if self._access_made > signed:
            raise NoAccess(
                f"Label Studio at {self.url} does not take the access token that it made just now",
                ACCESS_STEP,
            ) from Expired()
        self._access = ""


def tasks_query(project: int, fields: str, conditions: str) -> Query:
    """What is asked of a project's tasks, a thousand at most."""
    return {
        "project": str(project),
        "fields": "task_only",
        "include": fields,
        "resolve_uri": "false",
        "page_size": str(MOST_ROWS),
        "query": conditions,
    }


@asynccontextmanager
async def connected(
    url: str, token: str, limits: Limits = _NO_OTHER_LIMITS
) -> AsyncIterator[Client]:
    """A client of the Label Studio at `url`, such as `address` gives it."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        yield Client(url, token, http, limits)
