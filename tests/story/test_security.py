"""What must not leak does not, what must not be fetched is not, and no key forges a line."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import RECORDINGS, endpoint
from tests.support.between import Answer, between, refusal
from tests.support.signing import presigned

SECRET = "Wq3secretsecretsecret+9"
SPOKEN = "xylophone"
GET = "GetTranscriptionJob"


def transcript_of(asked):
    """Whether a request is for a transcript in the service's own bucket."""
    return "/asrOutput.json?" in asked.path


def garbled(asked):
    """A transcript that is JSON of another shape, with the words in it."""
    if not transcript_of(asked):
        return asked.forward()
    return Answer(200, json.dumps({"results": {"transcripts": [SPOKEN, 1]}}).encode(), {})


def of_another_job(asked):
    """A sound transcript that names another job."""
    answer = asked.forward()
    if not transcript_of(asked):
        return answer
    return answer._replace(body=re.sub(rb'"jobName": ?"', b'"jobName":"x', answer.body))


def without_answer(asked):
    """A bucket that closes every connection for a transcript."""
    return Answer(0, None, {}) if transcript_of(asked) else asked.forward()


def gone(asked):
    """Transcripts whose URLs never work."""
    if transcript_of(asked):
        return refusal(asked, "AccessDenied", "Request has expired", 403)
    return asked.forward()


def expired(asked):
    """A session that expires when the first transcript is asked for."""
    if asked.operation == GET:
        return refusal(asked, "ExpiredTokenException", "The security token is expired")
    return asked.forward()


def denied(asked):
    """An account that may start jobs and not look at them."""
    if asked.operation == GET:
        return refusal(asked, "AccessDeniedException", f"not authorized: {asked.operation}")
    return asked.forward()


def everything(run, outcome, *but):
    """All that a run said and wrote, the tasks aside."""
    written = [path for path in run.folder.rglob("*") if path.is_file() and path.name not in but]
    return b"".join([outcome.out.encode(), outcome.err.encode(), *map(Path.read_bytes, written)])


FAILURES = (garbled, of_another_job, without_answer, gone, expired, denied)
WATCHED = (
    *("--log-format", "json", "--metrics-file", "m.prom"),
    *("--heartbeat-file", "alive"),
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("reply", "watched"),
    [
        *((each, WATCHED) for each in FAILURES),
        (garbled, ()),
        (expired, ()),
        *(
            pytest.param(each, (), marks=pytest.mark.long)
            for each in FAILURES
            if each not in (garbled, expired)
        ),
    ],
)
def test_no_failure_tells_a_secret_a_signature_or_what_was_said(run, cloud, reply, watched):
    """However a transcript fails to arrive, neither query, key nor text shows up anywhere."""
    service = cloud()
    service.add(one=SPOKEN, two=f"{SPOKEN} again", bad="!Unsupported media format")

    with between(service, reply) as url:
        run.use(**endpoint(url) | {"AWS_SECRET_ACCESS_KEY": SECRET})
        outcome = run("run", "s3://audio/", "--json", *watched)

    told = everything(run, outcome)
    assert outcome.code in (1, 2)
    assert "Traceback" not in outcome.err
    for hidden in (b"X-Amz-", b"Signature=", SECRET.encode(), SPOKEN.encode()):
        assert hidden not in told


def test_what_was_said_is_in_the_tasks_alone(run, cloud):
    """After a run that succeeds, text is in the output, and in no state file, log or summary."""
    service = cloud("--fault", "expired_url=0.2", "--fault", "cut=0.1", "--key", f"mine:{SECRET}")
    service.add(**{f"rec{n}": SPOKEN for n in range(8)})
    run.use(AWS_ACCESS_KEY_ID="mine", AWS_SECRET_ACCESS_KEY=SECRET)

    outcome = run("run", "s3://audio/", "--json")

    told = everything(run, outcome, "tasks.jsonl")
    assert set(run.texts().values()) == {SPOKEN}
    for hidden in (b"X-Amz-", SECRET.encode(), SPOKEN.encode()):
        assert hidden not in told


@pytest.mark.parametrize(
    "place",
    [
        "{elsewhere}/stolen?X-Amz-Signature=1",
        "{elsewhere}/bucket/stolen.json",
        "file:///etc/passwd?X-Amz-Signature=1",
        "ftp://127.0.0.1/stolen?X-Amz-Signature=1",
        "https://s3.amazonaws.com.example.org/stolen?X-Amz-Signature=1",
        "{own}@{elsewhere}/stolen?X-Amz-Signature=1",
        "{own}/redirect?X-Amz-Signature=1",
    ],
)
def test_transcript_that_the_service_places_elsewhere_is_not_fetched(run, cloud, place):
    """A transcript's URL is followed to the service's own hosts alone, and through no redirect."""
    service = cloud()
    service.add(one="first")
    asked_elsewhere = []

    def other(asked):
        asked_elsewhere.append(asked.path)
        return Answer(200, b"{}", {})

    def reply(asked):
        if asked.path.startswith("/redirect"):
            return Answer(302, b"", {"Location": f"{elsewhere}/stolen"})
        answer = asked.forward()
        if asked.operation != GET:
            return answer
        facts = json.loads(answer.body)
        uri = place.format(elsewhere=elsewhere, own=asked.own_url)
        if "Transcript" in facts["TranscriptionJob"]:
            facts["TranscriptionJob"]["Transcript"] = {"TranscriptFileUri": uri}
        return answer._replace(body=json.dumps(facts).encode())

    with between(service, other) as elsewhere, between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run("run", "s3://audio/", "--json")

    assert asked_elsewhere == []
    assert outcome.code in (1, 2)
    assert run.tasks() == []


def test_keys_and_words_of_the_service_forge_no_line(run, cloud):
    """Control characters in keys and reasons reach no terminal, and every fact is one line."""
    service = cloud()
    service.put("\x1b[2J\x1b]0;owned\x07.mp3", "!Unsupported \x1b[31mmedia format")
    service.put("a\rDone in 1 s: 9 written.mp3", "!Unsupported media format")
    service.put("b\u2028\u202e\u0085c.mp3", "!Unsupported media format")
    service.put("e\nBalance: forged.mp3", "never heard")

    outcome = run("run", "s3://audio/")
    status = run("status")

    said = outcome.err + status.out + status.err
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", said)
    assert outcome.err.count("\nBalance: ") == 1
    assert len(run.failures()) == 4
    assert all(re.fullmatch(r"[0-9a-zA-Z._-]{1,200}", job) for job in service.counts()["created"])


def test_key_that_climbs_is_no_path_of_ours(run, cloud):
    """A key with dots and slashes names files of ours no more than any other does."""
    service = cloud()
    service.put("a/..b/...mp3", "first")
    service.put("..mp3", "second")

    outcome = run("run", "s3://audio/", "--results", "s3://audio/t/")

    assert outcome.code == 0
    assert {path.name for path in run.folder.iterdir()} == {
        "tasks.jsonl", "tasks.jsonl.state", "tasks.jsonl.state.lock",
    }  # fmt: skip
    made = {path.name for path in service.folder.joinpath("t").iterdir()}
    assert all(name.startswith((".write_access", "transcribe-pipeline-")) for name in made)


def listening(port):
    """The addresses on which somebody listens at a port, as the kernel lists them."""
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    wanted = f":{port:04X}"
    return [line[1].removesuffix(wanted) for line in lines if line[3] == "0A" and wanted in line[1]]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux lists its sockets there")
def test_local_endpoint_listens_on_the_loopback_interface_alone(run):
    """`serve` binds 127.0.0.1 and nothing else."""
    with run.start("serve", RECORDINGS) as process:
        port = int(process.stdout.readline().rpartition(":")[2])
        found = listening(port)
        process.terminate()

    assert found == ["0100007F"]


def test_local_endpoint_answers_to_no_foreign_name(cloud):
    """A web page that reaches the port under its own name reads nothing."""
    service = cloud()
    service.add(one="private words")
    request = urllib.request.Request(
        f"{service.url}/audio/one.mp3", headers={"Host": "evil.example"}
    )

    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


def test_local_endpoint_serves_no_link_out_of_its_folder(run, cloud, tmp_path):
    """What a symbolic link leads to is neither listed, fetched nor transcribed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "private.mp3").write_text("private words\n")
    service = cloud()
    (service.folder / "file.mp3").symlink_to(outside / "private.mp3")
    (service.folder / "folder").symlink_to(outside)

    outcome = run("run", "s3://audio/", "--json")

    assert (outcome.counts["listed"], outcome.counts["written"]) == (0, 0)
    for path in ("file.mp3", "folder/private.mp3", "../outside/private.mp3", "%2e%2e/outside/x"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(presigned(f"{service.url}/audio/{path}"))
