"""The policies that this program needs, and no broader ones; pure.

What each call needs is written in the Service Authorization Reference and in the Transcribe
Developer Guide: starting and listing jobs know no resource, and without a role of its own the
service reads and writes S3 with the rights of the one who started the job.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from pipeline.aws.partitions import partition_of, sqs_region
from pipeline.errors import BadSettings
from pipeline.naming import S3Uri, as_folder, parse_queue_url, trial_place

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = dict[str, Any]
Statement = dict[str, Any]

VERSION = "2012-10-17"
"""Of the policy language; in an older one `${*}` would not stand for a star."""

_SERVICE = "transcribe.amazonaws.com"
_READ_KEY = ["kms:Decrypt"]
_WRITE_KEY = ["kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
_KEY_ID = re.compile(r"(mrk-)?[0-9a-f-]{32,36}")
_KEY_ARN = re.compile(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+")
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}")
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/([!-~]*/)?[\w+=,.@-]{1,64}")
_QUEUE_ARN = re.compile(r"arn:[\w-]+:sqs:[\w-]+:\d{12}:[\w.-]+")


class Owner(NamedTuple):
    """The account, 12 digits, and the region that the rights are for."""

    account: str
    region: str

    @property
    def partition(self) -> str:
        """The first part of every ARN there."""
        return partition_of(self.region)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this account and region; IAM has no regions."""
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"

    def role(self, named: str) -> str:
        """The ARN of a role by its name or ARN; "" stays "".

        Raises:
            BadSettings: it is neither, or a role of another account, which can't be passed.
        """
        arn = _ROLE_ARN.fullmatch(named)
        if not named or (arn and arn[1] == self.account):
            return named
        if arn:
            raise BadSettings(
                f"The role {named} is of another account than {self.account}",
                "Name one of this account: the service takes no other's.",
            )
        if not _ROLE_NAME.fullmatch(named):
            raise BadSettings(f"{named!r} is no role: give its name or its ARN")
        return self.arn("iam", f"role/{named}")

    def key(self, named: str) -> str:
        """The ARN of a KMS key by its id or ARN; "" stays "".

        Raises:
            BadSettings: it is neither; policies take no alias.
        """
        if not named or _KEY_ARN.fullmatch(named):
            return named
        if not _KEY_ID.fullmatch(named):
            raise BadSettings(
                f"{named!r} is no KMS key: give its id or ARN; a policy can't name an alias"
            )
        return self.arn("kms", f"key/{named}")

    def queue(self, named: str) -> str:
        """The ARN of an SQS queue by its URL or ARN; "" stays "".

        Raises:
            BadSettings: it is neither.
        """
        if not named or _QUEUE_ARN.fullmatch(named):
            return named
        queue = parse_queue_url(named)
        if queue is None:
            raise BadSettings(f"{named!r} is no queue: give its URL or its ARN")
        return Owner(queue.account, sqs_region(queue.host) or self.region).arn("sqs", queue.name)


class Scope(msgspec.Struct, frozen=True):
    """What a caller works with; what is left empty needs no right.

    Args:
        sources: bucket and prefix of the recordings.
        results: the place of `--results`.
        output: the place of `--output`, where that is on S3.
        transcripts: the place of transcripts as files or tables, where that is on S3.
        job_prefix: what the names of all jobs begin with.
        role: ARN of the role with which the service queues jobs.
        recordings_key: ARN of the KMS key that the recordings are encrypted with.
        results_keys: ARNs of the KMS keys that transcripts are encrypted with.
        manifests: places of manifests and inventories.
        queue: ARN of the queue with the events about jobs.
        vocabularies: names of vocabularies that are made or updated, `*` for any part of them.
        tags: jobs are started with tags.
        object_tags: the tags of recordings are read.
        cleaning: job records are deleted, as `clean` does.
        cleaning_results: with them what is below `--results`.
        checking: quotas and rights, the caller's and the role's, are asked for, as `check` does.
        user: who the caller is; "" is any user of the account.
    """

    owner: Owner
    sources: tuple[S3Uri, ...]
    results: S3Uri | None = None
    output: S3Uri | None = None
    transcripts: S3Uri | None = None
    job_prefix: str = "transcribe-pipeline"
    role: str = ""
    recordings_key: str = ""
    results_keys: tuple[str, ...] = ()
    manifests: tuple[S3Uri, ...] = ()
    queue: str = ""
    vocabularies: tuple[str, ...] = ()
    tags: bool = False
    object_tags: bool = False
    cleaning: bool = False
    cleaning_results: bool = False
    checking: bool = False
    user: str = ""


def caller_policy(scope: Scope) -> Document:
    """What whoever runs the program may do: each action that it uses, where it uses it."""
    results = _folders(scope.results)
    written = [*_folders(scope.output), *_folders(scope.transcripts)]
    to_the_service = {"StringEquals": {"iam:PassedToService": _SERVICE}}
    reading = ["s3:GetObject"] + ["s3:GetObjectTagging"] * scope.object_tags
    return _document(
        *_listing(scope.owner, [*scope.sources, *scope.manifests, *results, *written]),
        _allow("ReadRecordings", reading, _objects(scope, *scope.sources)),
        _allow("ReadManifests", ["s3:GetObject"], _objects(scope, *scope.manifests)),
        _allow("Results", _of_results(scope), _objects(scope, *results)),
        _allow("Output", ["s3:GetObject", "s3:PutObject"], _objects(scope, *written)),
        *_jobs(scope),
        *_keys(scope, _READ_KEY + _WRITE_KEY),
        _allow("PassRole", ["iam:PassRole"], _any(scope.role), to_the_service),
        _allow("Events", ["sqs:DeleteMessage", "sqs:ReceiveMessage"], _any(scope.queue)),
        *_vocabularies(scope),
        *_checks(scope),
    )


def data_access_policy(scope: Scope) -> Document:
    """What the service may do in the role with which it queues jobs: read, and write results."""
    results = _folders(scope.results)
    return _document(
        *_listing(scope.owner, scope.sources),
        _allow("ReadRecordings", ["s3:GetObject"], _objects(scope, *scope.sources)),
        _allow("WriteResults", ["s3:PutObject"], _objects(scope, *results)),
        *_keys(scope, _WRITE_KEY),
    )


def trust_policy(owner: Owner) -> Document:
    """Who may assume that role: Transcribe, for jobs of this account and region alone.

    Without the conditions the service could be made to use it on behalf of another account.
    """
    condition = {
        "StringEquals": {"aws:SourceAccount": owner.account},
        "ArnLike": {"aws:SourceArn": owner.arn("transcribe", "*")},
    }
    return _document(
        {
            "Sid": "TranscribeForThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": _SERVICE},
            "Action": "sts:AssumeRole",
            "Condition": condition,
        }
    )


def reviewing_policy(scope: Scope) -> Document:
    """What Label Studio may do so that reviewers hear the recordings: read them, nothing else.

    It makes sure of a storage's bucket by HeadBucket (1.23), which S3 counts as listing it and
    which a condition on the prefix would refuse.
    """
    buckets = [_bucket(scope.owner, each.bucket) for each in scope.sources]
    return _document(
        _allow("OpenBuckets", ["s3:ListBucket"], buckets),
        _allow("ReadRecordings", ["s3:GetObject"], _objects(scope, *scope.sources)),
        _allow("ReadKey", _READ_KEY, _any(scope.recordings_key)),
    )


CORS_ID = "transcribe-pipeline"
"""What the rule of a bucket is known by among those of others."""


def cors_rule(address: str) -> Document:
    """The bucket's rule by which a browser on Label Studio's pages may play presigned URLs.

    Of the address, as the browser shows it, the origin counts.

    Raises:
        BadSettings: it is no address.
    """
    url = urlsplit(address)
    if url.scheme not in {"http", "https"} or not url.hostname or "*" in url.netloc:
        raise BadSettings(f"{address!r} is no address of Label Studio: https://labels.example.com")
    return {
        "ID": CORS_ID,
        "AllowedOrigins": [f"{url.scheme}://{url.netloc}"],
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedHeaders": ["*"],
        "MaxAgeSeconds": 3600,
    }


def _jobs(scope: Scope) -> Iterable[Statement | None]:
    ours = scope.owner.arn("transcribe", f"transcription-job/{scope.job_prefix}-*")
    of_a_job = ["transcribe:GetTranscriptionJob"]
    of_a_job += ["transcribe:DeleteTranscriptionJob"] * scope.cleaning
    of_a_job += ["transcribe:TagResource"] * scope.tags
    starting = ["transcribe:ListTranscriptionJobs", "transcribe:StartTranscriptionJob"]
    yield _allow("StartAndListJobs", starting, ["*"])
    yield _allow("OwnJobs", of_a_job, [ours])


def _folders(place: S3Uri | None) -> list[S3Uri]:
    return [as_folder(place)] if place else []


def _of_results(scope: Scope) -> list[str]:
    deleting = ["s3:DeleteObject"] * scope.cleaning_results
    return [*deleting, "s3:GetObject", "s3:PutObject"]


def _checks(scope: Scope) -> Iterable[Statement | None]:
    """Quotas, what the caller and the role may do, and taking away what was written as a trial."""
    if not scope.checking:
        return
    yield _allow("Quotas", ["servicequotas:ListServiceQuotas"], ["*"])
    itself = scope.owner.arn("iam", f"user/{scope.user or '${aws:username}'}")
    yield _allow("OwnRights", ["iam:SimulatePrincipalPolicy"], [itself, *_any(scope.role)])
    yield _allow("Trust", ["iam:GetRole"], _any(scope.role))
    places = scope.results, scope.output, scope.transcripts
    trials = [trial_place(each) for each in places if each]
    objects = [f"{_bucket(scope.owner, each.bucket)}/{_literal(each.key)}" for each in trials]
    yield _allow("TrialObject", ["s3:DeleteObject"], objects)


def _keys(scope: Scope, of_results: list[str]) -> Iterable[Statement | None]:
    yield _allow("ReadKey", _READ_KEY, _any(scope.recordings_key))
    yield _allow("ResultsKey", of_results, list(scope.results_keys))


def _vocabularies(scope: Scope) -> Iterable[Statement | None]:
    arns = [scope.owner.arn("transcribe", f"vocabulary/{name}") for name in scope.vocabularies]
    yield _allow("MakeVocabularies", ["transcribe:CreateVocabulary"], ["*"] * bool(arns))
    using = ["transcribe:GetVocabulary", "transcribe:UpdateVocabulary"]
    yield _allow("Vocabularies", using, arns)


def _listing(owner: Owner, places: Iterable[S3Uri]) -> Iterable[Statement | None]:
    """The right to list each bucket, of those with prefixes only what lies below them."""
    prefixes: dict[str, set[str]] = {}
    for place in places:
        prefixes.setdefault(place.bucket, set()).add(place.key)
    whole = [bucket for bucket, keys in prefixes.items() if "" in keys]
    yield _allow("List", ["s3:ListBucket"], [_bucket(owner, bucket) for bucket in whole])
    parts = [(bucket, keys) for bucket, keys in prefixes.items() if "" not in keys]
    for number, (bucket, keys) in enumerate(parts, 1):
        below = {"StringLike": {"s3:prefix": sorted(f"{_literal(key)}*" for key in keys)}}
        yield _allow(f"ListBelow{number}", ["s3:ListBucket"], [_bucket(owner, bucket)], below)


def _bucket(owner: Owner, bucket: str) -> str:
    return f"arn:{owner.partition}:s3:::{_literal(bucket)}"


def _objects(scope: Scope, *places: S3Uri) -> list[str]:
    return [f"{_bucket(scope.owner, each.bucket)}/{_literal(each.key)}*" for each in places]


def _literal(text: str) -> str:
    """A bucket or key in a policy, where `*`, `?` and `$` would stand for more than themselves."""
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)


def _any(arn: str) -> list[str]:
    return [arn] if arn else []


def _allow(
    sid: str, actions: list[str], resources: list[str], condition: Document | None = None
) -> Statement | None:
    """A statement, or None where there is nothing that it would be about."""
    if not resources:
        return None
    stated = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": sorted(set(resources))}
    return stated | ({"Condition": condition} if condition else {})


def _document(*statements: Statement | None) -> Document:
    return {"Version": VERSION, "Statement": [each for each in statements if each]}
