"""The commands of the table: what is there before each, and what there is when it went well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import boto3

from tests.hostile.world import RECORDINGS, RESULTS, SOURCE, project_flags
from tests.support.hostile_answers import Hostile
from tests.support.interceptor import OUTPUT, Hostility

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.world import World

AUDIO = tuple(f"s3://audio/{key}" for key in RECORDINGS)
LATER = "calls/d.wav"
VOCABULARY = "words"
AT_S3 = ("--output", f"s3://audio/{OUTPUT}")
ON_S3 = (*AT_S3, *RESULTS)


class Command(NamedTuple):
    """A command as somebody gives it, where it is given, and when it has done its work.

    `before` is a command that goes well before it, `jobs` how many jobs a recording has when all
    is done, at most. What fails does so in the state file of `output`; where it is `retried` it has
    to be put back before it is tried again.
    """

    arguments: tuple[str, ...]
    prepare: Callable[[World], None] = lambda _: None
    done: Callable[[World], bool] = lambda _: True
    before: tuple[str, ...] = ()
    jobs: int = 1
    emulated: bool = False
    output: str = "tasks.jsonl"
    retried: bool = True


def well(world: World, *arguments: str) -> None:
    """A command that goes well."""
    outcome = world.run(*arguments)
    assert outcome.code == 0, outcome.err


def all_written(world: World) -> bool:
    """Every recording has one task."""
    return world.tasks() == dict.fromkeys(AUDIO, 1)


def and_the_later_one(world: World) -> bool:
    """Every recording has one task, that which came later too."""
    return world.tasks() == dict.fromkeys((*AUDIO, f"s3://audio/{LATER}"), 1)


def in_flight(world: World) -> None:
    """A run that stopped when its jobs were started, and a recording that came later."""
    world.interceptor.intercept(Hostility("list jobs", Hostile.DENIED))
    assert world.run("run", SOURCE).code == 2
    world.interceptor.intercept(None)
    assert not world.tasks()
    assert sum(world.interceptor.starts.values()) == len(RECORDINGS)
    world.put(LATER, len(RECORDINGS))


def one_failed(world: World) -> None:
    """A run in which one recording has failed, and was put back since."""
    path = world.bucket / RECORDINGS[0]
    content = path.read_bytes()
    path.write_text("!Unsupported media format\n")
    assert world.run("run", SOURCE).code == 1
    path.write_bytes(content)
    world.interceptor.starts.clear()


def written(world: World) -> None:
    """A run that went well."""
    well(world, "run", SOURCE)


def kept(world: World) -> None:
    """A run that went well and has its transcripts in a bucket."""
    well(world, "run", SOURCE, *RESULTS)


def all_sealed(world: World) -> bool:
    """Every recording has one task in a part on S3."""
    return world.sealed() == dict.fromkeys(AUDIO, 1)


def sealed(world: World) -> None:
    """A run that went well and has its tasks in parts on S3."""
    well(world, "run", SOURCE, *ON_S3)


def pushed(world: World) -> None:
    """Tasks in Label Studio."""
    written(world)
    well(world, "push", *project_flags())


def reviewed(world: World) -> None:
    """Reviews that were pulled, and one that was corrected since."""
    pushed(world)
    for task in world.interceptor.labels.tasks:
        world.interceptor.labels.review(task, "sound")
    well(world, "pull", *project_flags())
    world.review("a sound")


def table(world: World) -> None:
    """A table of a vocabulary."""
    rows = "Phrase\tSoundsLike\tIPA\tDisplayAs\nsounds\t\t\tSounds\n"
    (world.folder / "words.txt").write_text(rows)


def compared(world: World) -> None:
    """Reviews, and a vocabulary to try."""
    pushed(world)
    for task in world.interceptor.labels.tasks:
        world.interceptor.labels.review(task, "sound")
    well(world, "pull", *project_flags())
    table(world)
    well(world, "vocabulary", "apply", "words.txt", "--name", VOCABULARY, "--upload",
         "s3://audio/v/")  # fmt: skip


def has_each_task_once(world: World) -> bool:
    """Label Studio has the tasks, each once."""
    held = [each["data"]["audio"] for each in world.interceptor.labels.tasks]
    return sorted(held) == sorted(AUDIO)


def has_each_text(world: World) -> bool:
    """Each recording has its text in a file."""
    return {path.name for path in (world.folder / "texts/calls").iterdir()} == {
        f"{name}.txt" for name in "abc"
    }


def can_be_searched(world: World) -> bool:
    """Each recording is found, by an index that is made again."""
    (world.folder / "tasks.jsonl.state.search").unlink()
    return world.run("search", "sound", "--count").out == f"{len(AUDIO)}\n"


def has_the_correction(world: World) -> bool:
    """The ground truth has each review once, the corrected one as it is now."""
    lines = [json.loads(each) for each in world.lines("ground_truth.jsonl")]
    return sorted(each["text"] for each in lines) == ["a sound", "sound", "sound"]


def an_account(world: World) -> None:
    """A bucket of this account's own, and a place for keys."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    s3 = boto3.client("s3", "us-east-1", endpoint_url=world.interceptor.emulator, **keys)
    s3.create_bucket(Bucket=f"audio-{world.name}")
    world.use(
        AWS_SHARED_CREDENTIALS_FILE=str(world.folder / "credentials"),
        TRANSCRIBE_PIPELINE_JOB_PREFIX=f"calls-{world.name}",
    )


def told(world: World) -> None:
    """A queue that tells of ends."""
    an_account(world)
    well(world, *SETUP)


def with_metadata(source: str) -> Callable[[World], None]:
    """Settings that have metadata read there; each recording has a sidecar."""

    def prepare(world: World) -> None:
        for key in RECORDINGS:
            (world.bucket / key).with_suffix(".json").write_text('{"agent": "x"}')
        (world.folder / "night.toml").write_text(f'[metadata]\nsource = "{source}"\n')

    return prepare


def told_of_ends(world: World) -> None:
    """A queue that is told of each job that has ended."""
    world.use(TRANSCRIBE_PIPELINE_EVENTS=f"{world.interceptor.url}/123456789012/calls")


def has_one_key(world: World) -> bool:
    """The user has one key, the one that the credentials file has, and nothing is left to do."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    iam = boto3.client("iam", "us-east-1", endpoint_url=world.interceptor.emulator, **keys)
    found = iam.list_access_keys(UserName=f"nightly-{world.name}")["AccessKeyMetadata"]
    kept = (world.folder / "credentials").read_text()
    return len(found) == 1 and found[0]["AccessKeyId"] in kept and is_done(world, *IAM_APPLY)


def is_done(world: World, *arguments: str) -> bool:
    """Whether the command finds nothing left to do."""
    outcome = world.run(*arguments)
    return outcome.code == 0 and "othing" in outcome.err


SETUP = ("events", "setup", "--yes")
REMOVE = ("events", "remove", "--yes")
IAM = ("--bucket", "s3://audio-{name}/calls/", "--user", "nightly-{name}")
IAM_APPLY = ("iam", "apply", *IAM, "--cors", "https://labels.example.com", "--yes")

COMMANDS: dict[str, Command] = {
    "run": Command(("run", SOURCE), done=all_written),
    "run --results": Command(("run", SOURCE, *RESULTS), done=all_written),
    "run --transcripts": Command(
        ("run", SOURCE, "--transcripts", "texts/"),
        done=lambda world: all_written(world) and has_each_text(world),
    ),
    "run --output": Command(("run", SOURCE, *ON_S3), done=all_sealed),
    "run --events": Command(("run", SOURCE), told_of_ends, all_written),
    **{
        f"run --config {source}": Command(
            ("run", SOURCE, "--config", "night.toml"), with_metadata(source), all_written
        )
        for source in ("sidecar", "object", "tags")
    },
    "run, resumed": Command(("run", SOURCE), in_flight, and_the_later_one),
    "retry, then run": Command(("run", SOURCE), one_failed, all_written, before=("retry",)),
    "plan --exact": Command(("plan", SOURCE, "--exact", *RESULTS)),
    "check": Command(("check", SOURCE, *RESULTS, *project_flags())),
    "report": Command(("report",), pushed),
    "push": Command(("push", *project_flags()), written, has_each_task_once),
    "report --output": Command(("report", *AT_S3), sealed),
    "status --output": Command(("status", *AT_S3), sealed),
    "push --output": Command(("push", *project_flags(), *AT_S3), sealed, has_each_task_once),
    "pull": Command(("pull", *project_flags()), reviewed, has_the_correction),
    "clean": Command(("clean", "--older-than", "0h", "--yes"), written),
    "clean --output": Command(("clean", "--older-than", "0h", "--yes", *AT_S3), sealed),
    "export --output": Command(
        ("export", "--to", "exported/", *AT_S3),
        sealed,
        lambda world: len(json.loads(next(world.folder.glob("exported/*")).read_bytes())) == 3,
    ),
    "clean --results-too": Command(
        ("clean", "--older-than", "0h", "--yes", "--results-too"),
        kept,
        lambda world: not any(each.endswith(".json") for each in world.objects()),
    ),
    "tasks rebuild": Command(
        ("tasks", "rebuild", "--task", "segments"),
        written,
        lambda world: world.tasks("tasks.segments.jsonl") == dict.fromkeys(AUDIO, 1),
        output="tasks.segments.jsonl",
        retried=False,
    ),
    "tasks rebuild --output": Command(
        ("tasks", "rebuild", "--task", "segments", "--to", "tasks.jsonl", *AT_S3),
        sealed,
        all_written,
        retried=False,
    ),
    "transcripts": Command(("transcripts", "--to", "texts/"), written, has_each_text),
    "transcripts --output": Command(
        ("transcripts", "--to", "texts/", *AT_S3), sealed, has_each_text
    ),
    "transcripts --to s3": Command(
        ("transcripts", "--to", "s3://audio/texts/", "--format", "srt"),
        kept,
        lambda world: (
            {each.replace("calls/", "texts/calls/").replace("wav", "srt") for each in RECORDINGS}
            <= world.objects()
        ),
    ),
    "search": Command(("search", "sound"), written, can_be_searched),
    "vocabulary apply": Command(
        ("vocabulary", "apply", "words.txt", "--name", VOCABULARY, "--upload", "s3://audio/v/"),
        table,
    ),
    "compare": Command(("compare", SOURCE, "--vocabulary", VOCABULARY, "--yes"), compared, jobs=2),
    "events setup": Command(SETUP, an_account, lambda world: is_done(world, *SETUP), emulated=True),
    "events remove": Command(REMOVE, told, lambda world: is_done(world, *REMOVE), emulated=True),
    "iam policy": Command(("iam", "policy", *IAM[:2]), an_account, emulated=True),
    "iam apply": Command(IAM_APPLY, an_account, has_one_key, emulated=True),
}
