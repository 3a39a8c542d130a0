"""A server before real services that answers chosen calls as `hostile_answers` has them.

It speaks real HTTP. Every other call goes on to the service that is meant: S3 and Transcribe to a
local cloud, IAM, STS and the queues of events to an emulator or to `tests.support.amazon`, Label
Studio's API to a small one. What was asked is kept by its kind, and every job that was started by
its recording.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web
from yarl import URL

from pipeline.local.s3_wire import Target
from pipeline.local.store import TRANSCRIPTS, VOCABULARIES
from pipeline.net.bounds import LARGEST_ANSWER, MIB
from tests.support.amazon import Account
from tests.support.between import Answer, Asked
from tests.support.endless import BOMB, CHUNK
from tests.support.hostile_answers import (
    BODIES,
    PAGE,
    REDIRECTS,
    Hostile,
    Refusal,
    Wire,
    refusal,
    says,
    written,
)
from tests.support.job_events import event
from tests.support.small_label_studio import Request as LabelStudioRequest
from tests.support.small_label_studio import SmallLabelStudio
from tests.support.small_queue import SmallQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import ScriptedCloud

LABELS = "/labels"
"""Below this path the API of Label Studio is."""

_MOST = 2**26
_ENDLESS_SECONDS = 20.0
_TOLD_SECONDS, _WAITED_SECONDS = 0.2, 0.1
_HUGE = 2 * LARGEST_ANSWER
_DRIP_SECONDS = 1.0
_SAID = (
    *("Content-Type", "Content-Range", "ETag", "Last-Modified"),
    *("x-amz-bucket-region", "x-amz-request-id"),
)


OUTPUT = "o/"
"""Below this key an output on S3 is."""

_OF_AN_OUTPUT = {
    "cluster.json": "description",
    "parts": "part",
    "state": "state copy",
    "summaries": "summary",
    "beats": "beat",
    "failures": "failures",
}
_OUTPUTS = tuple(_OF_AN_OUTPUT.values())


class Kind(NamedTuple):
    """A kind of call: how its service writes, and the action that a policy allows it by.

    `gone` is what the service says of it when what was asked for is not there; None where it has
    no such answer. What is asked for may be `encrypted`, an answer have `headers_alone` or, when
    all is well, be `empty`. A `presigned` address is the service's own: it names a bucket of the
    service's, and a time.
    """

    wire: Wire
    action: str
    gone: Refusal | None = None
    encrypted: bool = False
    headers_alone: bool = False
    empty: bool = False
    presigned: bool = False


_NO_BUCKET = Refusal(404, "NoSuchBucket", "The specified bucket does not exist")
_NO_KEY = Refusal(404, "NoSuchKey", "The specified key does not exist.")
_NO_MEDIA = Refusal(
    400,
    "BadRequestException",
    "The S3 URI that you provided can't be accessed. "
    "Make sure that you have read permission and try your request again.",
)
_NO_JOB = Refusal(
    400,
    "NotFoundException",
    "The requested job couldn't be found. Check the job name and try your request again.",
)
_NO_VOCABULARY = Refusal(
    400,
    "NotFoundException",
    "The requested vocabulary couldn't be found. "
    "Check the vocabulary name and try your request again.",
)
_NO_QUEUE = Refusal(400, "QueueDoesNotExist", "The specified queue does not exist.")
_NO_RULE = Refusal(400, "ResourceNotFoundException", "Rule does not exist on EventBus default.")
_NO_PROJECT = Refusal(404, "", "No Project matches the given query.")

KINDS: dict[str, Kind] = {
    "list recordings": Kind(Wire.S3, "s3:ListBucket", _NO_BUCKET),
    "list results": Kind(Wire.S3, "s3:ListBucket", _NO_BUCKET),
    "find bucket": Kind(Wire.S3, "s3:ListBucket", _NO_BUCKET, headers_alone=True),
    "read recording": Kind(Wire.S3, "s3:GetObject", _NO_KEY, encrypted=True),
    "read transcript": Kind(Wire.S3, "s3:GetObject", _NO_KEY, encrypted=True),
    "fetch transcript": Kind(Wire.S3, "s3:GetObject", _NO_KEY, presigned=True),
    "find recording": Kind(Wire.S3, "s3:GetObject", _NO_KEY, headers_alone=True),
    "read sidecar": Kind(Wire.S3, "s3:GetObject", _NO_KEY, encrypted=True),
    "read tags": Kind(Wire.S3, "s3:GetObjectTagging", _NO_KEY),
    "find transcript": Kind(Wire.S3, "s3:GetObject", headers_alone=True),
    "write object": Kind(Wire.S3, "s3:PutObject", _NO_BUCKET, encrypted=True),
    "delete object": Kind(Wire.S3, "s3:DeleteObject", _NO_BUCKET, empty=True),
    "find CORS rules": Kind(Wire.S3, "s3:GetBucketCORS", _NO_BUCKET),
    "make CORS rules": Kind(Wire.S3, "s3:PutBucketCORS", _NO_BUCKET),
    **{f"list {each}": Kind(Wire.S3, "s3:ListBucket", _NO_BUCKET) for each in _OUTPUTS},
    **{f"find {each}": Kind(Wire.S3, "s3:GetObject", headers_alone=True) for each in _OUTPUTS},
    **{f"read {each}": Kind(Wire.S3, "s3:GetObject", _NO_KEY, encrypted=True) for each in _OUTPUTS},
    **{
        f"write {each}": Kind(Wire.S3, "s3:PutObject", _NO_BUCKET, encrypted=True)
        for each in _OUTPUTS
    },
    **{
        f"delete {each}": Kind(Wire.S3, "s3:DeleteObject", _NO_BUCKET, empty=True)
        for each in _OUTPUTS
    },
    "start job": Kind(Wire.JSON, "transcribe:StartTranscriptionJob", _NO_MEDIA, encrypted=True),
    "get job": Kind(Wire.JSON, "transcribe:GetTranscriptionJob", _NO_JOB),
    "list jobs": Kind(Wire.JSON, "transcribe:ListTranscriptionJobs"),
    "delete job": Kind(Wire.JSON, "transcribe:DeleteTranscriptionJob", _NO_JOB),
    "get vocabulary": Kind(Wire.JSON, "transcribe:GetVocabulary", _NO_VOCABULARY),
    "make vocabulary": Kind(Wire.JSON, "transcribe:CreateVocabulary"),
    "who asks": Kind(Wire.QUERY, "sts:GetCallerIdentity"),
    "find users": Kind(Wire.QUERY, "iam:GetPolicy"),
    "make users": Kind(Wire.QUERY, "iam:CreatePolicy"),
    "rights": Kind(Wire.QUERY, "iam:SimulatePrincipalPolicy"),
    "quotas": Kind(Wire.JSON, "servicequotas:ListServiceQuotas"),
    "find queue": Kind(Wire.JSON, "sqs:GetQueueUrl", _NO_QUEUE),
    "make queue": Kind(Wire.JSON, "sqs:CreateQueue"),
    "delete queue": Kind(Wire.JSON, "sqs:DeleteQueue", _NO_QUEUE),
    "look for events": Kind(Wire.JSON, "sqs:ReceiveMessage", _NO_QUEUE),
    "receive events": Kind(Wire.JSON, "sqs:ReceiveMessage", _NO_QUEUE),
    "delete events": Kind(Wire.JSON, "sqs:DeleteMessage", _NO_QUEUE),
    "find rule": Kind(Wire.JSON, "events:DescribeRule", _NO_RULE),
    "make rule": Kind(Wire.JSON, "events:PutRule"),
    "delete rule": Kind(Wire.JSON, "events:RemoveTargets", _NO_RULE),
    "project": Kind(Wire.LABELS, "", _NO_PROJECT),
    "projects": Kind(Wire.LABELS, ""),
    "tasks": Kind(Wire.LABELS, "", _NO_PROJECT),
    "import": Kind(Wire.LABELS, "", _NO_PROJECT),
    "export": Kind(Wire.LABELS, "", _NO_PROJECT),
    "people": Kind(Wire.LABELS, ""),
    "storages": Kind(Wire.LABELS, "", _NO_PROJECT),
    "whoami": Kind(Wire.LABELS, ""),
}
"""Every kind of call that a command of the command line makes."""

ABOUT_AN_OUTPUT = frozenset(kind for kind in KINDS if kind.partition(" ")[2] in _OUTPUTS)
"""Those about what an output on S3 consists of."""

ABOUT_METADATA = frozenset({"find recording", "read sidecar", "read tags"})
"""Those about what else is known of a recording."""

_TRANSCRIBE = {
    "StartTranscriptionJob": "start job",
    "GetTranscriptionJob": "get job",
    "ListTranscriptionJobs": "list jobs",
    "DeleteTranscriptionJob": "delete job",
    "GetVocabulary": "get vocabulary",
    "ListVocabularies": "get vocabulary",
    "CreateVocabulary": "make vocabulary",
    "UpdateVocabulary": "make vocabulary",
}
_OF_EVENTS = {"ReceiveMessage": "receive events", "DeleteMessageBatch": "delete events"}
_BY_TARGET = {"AmazonSQS": "queue", "AWSEvents": "rule"}
_VERBS = {"Delete": "delete", "Remove": "delete", "Get": "find", "List": "find", "Describe": "find"}
_ASKED_OF_THE_ACCOUNT = {"GetCallerIdentity": "who asks", "SimulatePrincipalPolicy": "rights"}


_OF_THE_CLOUD = tuple(f"/{bucket}/" for bucket in (TRANSCRIPTS, VOCABULARIES))
_OF_OUR_OWN = {Hostile.REGION, Hostile.MISSIGNED, Hostile.SKEWED}
_OLD_ADDRESS = Refusal(403, "AccessDenied", "Request has expired")


def can_answer(kind: str, answer: Hostile) -> bool:
    """Whether a call of this kind is ever answered so."""
    about = KINDS[kind]
    if answer is Hostile.GONE:
        return about.gone is not None
    if answer is Hostile.KEY and not about.encrypted:
        return False
    if about.presigned and answer in _OF_OUR_OWN:
        return False
    if answer in BODIES:
        in_part = answer in (Hostile.CUT, Hostile.DRIPPING)
        return not (about.headers_alone or (about.empty and in_part))
    if about.headers_alone and answer is Hostile.MISSIGNED:
        return False  # it says so by its code, and such an answer has none
    return answer in REDIRECTS or says(about.wire, answer)


class Call(NamedTuple):
    """One call: its kind, and the key, job or place that it is about."""

    kind: str
    subject: str


def call_of(request: web.BaseRequest, body: bytes) -> Call:
    """Which call a request is."""
    if request.raw_path.startswith(LABELS):
        return Call(LabelStudioRequest.of(request.method, request.raw_path, body).call, "")
    if target := request.headers.get("X-Amz-Target"):
        service, _, operation = target.partition(".")
        if operation in _OF_EVENTS:
            waits = json.loads(body).get("WaitTimeSeconds") != 0
            return Call(_OF_EVENTS[operation] if waits else "look for events", "")
        if service in _BY_TARGET:
            return Call(f"{_verb(operation)} {_BY_TARGET[service]}", "")
        kind = _TRANSCRIBE[operation] if service == "Transcribe" else "quotas"
        return Call(kind, json.loads(body or b"{}").get("TranscriptionJobName", ""))
    if request.method == "POST":
        operation = parse_qs(body.decode())["Action"][0]
        return Call(_ASKED_OF_THE_ACCOUNT.get(operation) or f"{_verb(operation)} users", "")
    return _of_s3(request.method, Target.of(request.raw_path))


def _verb(operation: str) -> str:
    """Whether an operation finds, deletes or makes something, by its name."""
    return next((verb for name, verb in _VERBS.items() if operation.startswith(name)), "make")


def _of_s3(method: str, target: Target) -> Call:
    verb = {"HEAD": "find", "GET": "read", "PUT": "write", "DELETE": "delete"}[method]
    if not target.key:
        return Call(_of_a_bucket(method, target), target.bucket)
    if part := _part_of_output(target.key):
        return Call(f"{verb} {part}", target.key)
    if method in ("PUT", "DELETE"):
        return Call(f"{verb} object", target.key)
    if target.bucket in (TRANSCRIPTS, VOCABULARIES):
        return Call("fetch transcript", target.key)
    return Call(f"{verb} {_of_the_source(target)}", target.key)


def _of_the_source(target: Target) -> str:
    if "tagging" in target.query:
        return "tags"
    if target.key.startswith(("t/", "v/")):
        return "transcript"
    return "sidecar" if target.key.endswith(".json") else "recording"


def _of_a_bucket(method: str, target: Target) -> str:
    if "cors" in target.query:
        return f"{'make' if method == 'PUT' else 'find'} CORS rules"
    if method == "HEAD":
        return "find bucket"
    prefix = target.query.get("prefix", "")
    others = "results" if prefix.startswith("t/") else "recordings"
    return f"list {_part_of_output(prefix) or others}"


def _part_of_output(key: str) -> str:
    """What of an output on S3 a key is, or keys that begin so are; "" for another object."""
    below = key.removeprefix(OUTPUT)
    return "" if below == key else _OF_AN_OUTPUT[below.partition("/")[0]]


class Hostility(NamedTuple):
    """Which calls are answered how: all of a kind, or of these the first `most`.

    With `one` they are those about the first subject that is asked for. Throttling ends after
    `seconds`; what is too large is small on the wire where it is `zipped`.
    """

    kind: str
    answer: Hostile
    one: bool = False
    most: int = 1_000_000
    seconds: float = 0.15
    zipped: bool = False


class Interceptor:
    """Answers every request; `hostility` is set and taken away between commands."""

    def __init__(self, cloud: str, decoy: str, emulator: str = "") -> None:
        self.cloud, self.decoy, self.emulator = cloud, decoy, emulator
        self.url = ""
        self.hostility: Hostility | None = None
        self.labels = SmallLabelStudio()
        self.account = Account(cast("ScriptedCloud", None))
        self.events = SmallQueue()
        self.enlarged: Callable[[str, bytes], bytes] = lambda _, body: body
        """Makes another body of what the service answers, by the kind of call."""

        self.calls: Counter[str] = Counter()
        self.hits = 0
        self.starts: Counter[str] = Counter()
        """Jobs that the service took, by their recording."""

        self._first_hit = 0.0
        self._first_subject = ""
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(auto_decompress=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    def intercept(self, hostility: Hostility | None) -> None:
        """Answer these calls so from now on, or none."""
        self.hostility, self.hits = hostility, 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request: hostile, or what the service answers."""
        body = await request.read()
        call = call_of(request, body)
        self.calls[call.kind] += 1
        if self._hits(call):
            assert self.hostility
            with suppress(ConnectionError):  # who asked has enough of it
                return await self._hostile(request, body, self.hostility)
            return web.Response()
        well = await self._well(request, body)
        content = self.enlarged(call.kind, well.body or b"")
        return web.Response(status=well.status, body=content, headers=well.headers)

    def _hits(self, call: Call) -> bool:
        wanted = self.hostility
        if wanted is None or call.kind != wanted.kind or self.hits >= wanted.most:
            return False
        if not self.hits:
            self._first_hit, self._first_subject = time.monotonic(), call.subject
        if wanted.one and call.subject != self._first_subject:
            return False
        self.hits += 1
        late = time.monotonic() - self._first_hit > wanted.seconds
        return not (wanted.answer is Hostile.THROTTLED and late)

    async def _hostile(
        self, request: web.BaseRequest, body: bytes, hostility: Hostility
    ) -> web.StreamResponse:
        about, answer = KINDS[hostility.kind], hostility.answer
        if status := REDIRECTS.get(answer):
            headers = {"Location": f"{self.decoy}{request.raw_path}"}
            return web.Response(status=status, headers=headers)
        if answer is Hostile.PAGE:
            return web.Response(body=PAGE, content_type="text/html")
        if answer is Hostile.ENDLESS:
            return await _endless(request)
        if answer is Hostile.HUGE:
            return await _huge(request, zipped=hostility.zipped)
        if answer in BODIES:  # the call takes effect, and its answer is lost
            well = await self._well(request, body)
            return await _in_part(request, well, dripping=answer is Hostile.DRIPPING)
        refused = refusal(about.wire, answer, about.action, about.gone)
        if about.presigned and answer is Hostile.EXPIRED:
            refused = _OLD_ADDRESS
        content, headers = written(about.wire, refused)
        return web.Response(status=refused.status, body=content, headers=headers)

    async def _well(self, request: web.BaseRequest, body: bytes) -> Answer:
        """What the service answers."""
        path = request.raw_path
        if path.startswith(LABELS):
            asked = LabelStudioRequest.of(request.method, path, body)
            status, content = self.labels.answer(asked)
            return Answer(status, json.dumps(content).encode(), {})
        kind = call_of(request, body).kind
        if kind.endswith("events"):
            return await self._of_events(kind, json.loads(body))
        elsewhere = KINDS[kind].wire is Wire.QUERY or kind.endswith(("queue", "rule", "CORS rules"))
        if elsewhere and self.emulator:
            return await self._forwarded(request, body, self.emulator)
        if elsewhere or kind in ("quotas", "find bucket"):
            return self._of_the_account(request, body)
        answer = await self._forwarded(request, body, self.cloud)
        if kind == "start job" and answer.status == 200:
            self.starts[json.loads(body)["Media"]["MediaFileUri"]] += 1
            ended = event(TranscriptionJobName=json.loads(body)["TranscriptionJobName"])
            asyncio.get_running_loop().call_later(_TOLD_SECONDS, self.events.send, ended)
        return answer

    async def _of_events(self, kind: str, asked: dict[str, Any]) -> Answer:
        if kind == "delete events":
            answer = self.events.delete(asked)
        else:
            await asyncio.sleep(min(asked["WaitTimeSeconds"], _WAITED_SECONDS))
            answer = self.events.receive()
        return Answer(200, json.dumps(answer).encode(), {})

    def _of_the_account(self, request: web.BaseRequest, body: bytes) -> Answer:
        asked = Asked(
            cast("ScriptedCloud", None), self.url, request.method, request.raw_path,
            dict(request.headers), body,
        )  # fmt: skip
        return self.account(asked)

    async def _forwarded(self, request: web.BaseRequest, body: bytes, url: str) -> Answer:
        given = {k: v for k, v in request.headers.items() if k != "Content-Length"}
        # The cloud wants the host that was signed: its own, where it has signed the address itself.
        if url == self.emulator or request.path.startswith(_OF_THE_CLOUD):
            del given["Host"]
        address = URL(f"{url}{request.raw_path}", encoded=True)
        asked = self._http.request(
            request.method, address, data=body or None, headers=given, allow_redirects=False
        )
        async with asked as answer:
            content = (await answer.read()).replace(url.encode(), self.url.encode())
            headers = {name: answer.headers[name] for name in _SAID if name in answer.headers}
            if request.method == "HEAD":
                headers["Content-Length"] = answer.headers.get("Content-Length", "0")
            return Answer(answer.status, content, headers)


async def _endless(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    until = time.monotonic() + _ENDLESS_SECONDS
    while time.monotonic() < until:
        await response.write(b" " * 2**14)
        await asyncio.sleep(0.001)
    return response


async def _huge(request: web.BaseRequest, *, zipped: bool) -> web.StreamResponse:
    """Bytes as fast as they are taken, more than any answer has."""
    headers = {"Content-Type": "application/octet-stream"}
    if zipped:
        headers["Content-Encoding"] = "gzip"
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for _ in range(_HUGE // MIB):
        await response.write(BOMB if zipped else CHUNK)
    return response


async def _in_part(request: web.BaseRequest, well: Answer, *, dripping: bool) -> web.StreamResponse:
    """The first half of an answer under its whole length, or a byte of it each second."""
    body = well.body or b" " * 100
    response = web.StreamResponse(status=well.status, headers=well.headers)
    response.content_length = len(body)
    await response.prepare(request)
    if not dripping:
        await response.write(body[: len(body) // 2])
    for n in range(len(body)) if dripping else ():
        await response.write(body[n : n + 1])
        await asyncio.sleep(_DRIP_SECONDS)
    if request.transport is not None:
        request.transport.close()
    return response
