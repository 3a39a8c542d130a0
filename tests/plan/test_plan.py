"""`plan`: what a run would do, found out without starting anything."""

from __future__ import annotations

import shutil
import signal

import boto3
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.pricing import Prices
from pipeline.model import Recording
from pipeline.naming import identity
from pipeline.plan.forecast import CountEstimate, Plan, RunTime, Tasks
from pipeline.plan.job_duration import JobDuration, fitted
from pipeline.plan.sampling import Estimate
from pipeline.plan.text_report import as_text
from pipeline.state.recordings import Standing
from pipeline.state.statistics import JobTimes
from tests.conftest import RECORDINGS, endpoint
from tests.support import made_media as made
from tests.support.between import Answer, between, refusal
from tests.support.decoding import decoded_seconds
from tests.support.state_files import begun, listed, running, written

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/transcripts/")


def plan(run, *arguments):
    """The plan that the command prints as JSON."""
    outcome = run("plan", *arguments, "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    return msgspec.json.decode(outcome.out, type=Plan)


@pytest.mark.timeout(120)
def test_bundled_recordings_are_planned_exactly(run, recordings):
    """Hours are within 1 % of what decoding finds; the broken recording is refused."""
    truth = sum(
        decoded_seconds(path)
        for path in recordings.rglob("*.*")
        if path.is_file() and path.parent.name != "broken"
    )

    found = plan(run, recordings, "--exact")

    assert found.hours.value * 3600 == pytest.approx(truth, rel=0.01)
    assert (found.listed, found.to_start, found.probed) == (17, 17, 17)
    assert found.refused == {"not valid media": CountEstimate(1, 1)}
    assert found.billed_minutes == {"transcription": Estimate(16 * 15 / 60)}
    assert found.cost.value == pytest.approx(4 * 0.006)
    assert list(run.folder.iterdir()) == []  # it leaves nothing behind


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("count", "largest_error"), [(400, 1 / 3), pytest.param(2000, 1 / 4, marks=pytest.mark.long)]
)
def test_recordings_of_skewed_lengths(run, tmp_path, count, largest_error):
    """`--exact` is within 1 % of the truth, and a sample's error holds it."""
    folder = tmp_path / "made"
    folder.mkdir()
    lengths = made.fill(folder, count, seed=3)
    truth = sum(lengths.values()) / 3600

    exact = plan(run, folder, "--exact")
    sampled = plan(run, folder, "--sample", str(count * 3 // 20), "--seed", "5")

    assert exact.hours.value == pytest.approx(truth, rel=0.01)
    assert exact.hours.error == 0
    assert sampled.probed < 0.45 * count < exact.probed == count
    assert 0 < abs(sampled.hours.value - truth) <= sampled.hours.error < largest_error * truth
    assert abs(sampled.cost.value - exact.cost.value) <= sampled.cost.error
    assert exact.refused.keys() == {"too many channels", "not valid media"}
    assert sum(each.seen for each in exact.refused.values()) > count / 100


def test_a_bucket_is_planned_over_the_wire(run, cloud):
    """A bucket is listed and read in parts; no job is started, and none is asked for."""
    service = cloud()
    made.mp3(service.folder / "long.mp3", 3600)
    made.wav(service.folder / "a b+%41.wav", 60)
    made.wav(service.folder / "too many.wav", 60, channels=4)
    made.wav(service.folder / "endless.wav", 5 * 3600)
    (service.folder / "notes.txt").write_text("no recording")
    (service.folder / "empty.mp3").write_bytes(b"")
    (service.folder / "torn.m4a").write_bytes(b"\0\0\0\x18ftypM4A ")

    found = plan(run, "s3://audio/", *RESULTS)
    calls = service.counts()["calls"]

    assert found.hours.value == pytest.approx(1 + 2 / 60 + 5, rel=0.001)
    assert found.hours.error == 0
    assert found.skipped == {"not audio": 1, "empty object": 1}
    assert found.not_audio == {".txt": 1}
    assert found.refused == {
        "too many channels": CountEstimate(1, 1),
        "not valid media": CountEstimate(1, 1),
    }
    assert found.over_four_hours == CountEstimate(1, 1)
    assert found.billed_minutes["transcription"].value == pytest.approx(60 + 1 + 300, rel=0.001)
    assert found.calls == {
        "ListObjectsV2": 2,
        "StartTranscriptionJob": 5,
        "ListTranscriptionJobs": found.calls["ListTranscriptionJobs"],
        "GetTranscriptionJob": 2,
        "GetObject": 3,
    }
    assert {name for name, count in calls.items() if count} == {"ListObjectsV2", "GetObject"}
    assert calls["GetObject"] <= 12


def test_the_plan_is_what_the_run_then_does(run, cloud):
    """Jobs, calls and what is left alone are those of the run that follows."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(8)})
    service.add(bad="!The data in your input media file isn't valid.")
    run("run", "s3://audio/", "--include", "rec[0-3]*", "--include", "bad*")
    service.add(rec0="other words than before")

    before = plan(run, "s3://audio/", "--exclude", "rec7*")
    done = run("run", "s3://audio/", "--exclude", "rec7*", "--json").summary
    after = plan(run, "s3://audio/", "--exclude", "rec7*")

    assert (before.written, before.failed_before, before.to_start) == (3, 1, 4)
    assert before.skipped == done["counts"]["skipped"] == {"excluded": 1}
    assert done["counts"]["started"] == before.to_start
    assert done["calls"]["StartTranscriptionJob"] == before.calls["StartTranscriptionJob"]
    assert done["calls"]["ListObjectsV2"] == before.calls["ListObjectsV2"] == 1
    assert (after.written, after.to_start, after.tasks.count) == (7, 0, 0)
    assert after.calls == {"ListObjectsV2": 1}
    assert after.cost == Estimate(0)


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("sidecar", {"GetObject": 3}),
        ("object", {"HeadObject": 3}),
        ("tags", {"GetObjectTagging": 3}),
    ],
)
def test_metadata_that_is_asked_for_is_a_call_for_each_recording(run, cloud, source, more):
    """As many as the run then makes of it."""
    service = cloud()
    for name in ("one", "two", "three"):
        made.wav(service.folder / f"{name}.wav", 1)
    (run.folder / "night.toml").write_text(f'[metadata]\nsource = "{source}"')
    command = ("s3://audio/", "--config", "night.toml")

    plain = plan(run, "s3://audio/").calls
    before = plan(run, *command).calls
    done = run("run", *command, "--json").summary["calls"]

    assert before == plain | {name: plain.get(name, 0) + count for name, count in more.items()}
    assert {name: done[name] for name in more} == {name: before[name] for name in more}


def test_results_that_are_there_already_cost_nothing(run, cloud):
    """With a lost state file the transcripts in --results are found, as the run finds them."""
    cloud().add(one="first", two="second")
    run("run", "s3://audio/", "--include", "one*", *RESULTS)
    for path in run.folder.iterdir():
        path.unlink()

    found = plan(run, "s3://audio/", "--include", "*.mp3", *RESULTS)

    assert (found.found, found.to_start) == (1, 1)
    assert list(run.folder.iterdir()) == []


def test_a_manifest_says_which(run, cloud):
    """What a manifest names is planned, and what is not there is told."""
    service = cloud()
    made.mp3(service.folder / "one.mp3", 60)
    made.mp3(service.folder / "two.mp3", 60)
    (run.folder / "keys.txt").write_text("one.mp3\nthree.mp3\n")

    found = plan(run, "s3://audio/", "--manifest", "keys.txt")

    assert (found.listed, found.to_start, found.skipped) == (2, 1, {"not there": 1})
    assert found.calls["HeadObject"] == 2


def test_what_is_asked_for_on_top_is_in_the_cost(run, cloud):
    """Rules say what is billed for which recordings, and a price that is not set is named."""
    service = cloud()
    for key in ("a.mp3", "b.mp3"):
        made.mp3(service.folder / key, 600)
    (run.folder / "c.toml").write_text(
        "[transcribe]\ntoxicity = true\n"
        '[prices]\nprice_per_minute = 1.0\nprice_of_redaction = 0.5\ncurrency = "EUR"\n'
        '[[rules]]\ninclude = ["a*"]\ntoxicity = false\nredaction = "redacted"\n'
    )

    found = plan(run, "s3://audio/", "--config", "c.toml")
    said = run("plan", "s3://audio/", "--config", "c.toml").out

    minutes = {item: each.value for item, each in found.billed_minutes.items()}
    assert minutes == pytest.approx(
        {"transcription": 20, "redaction": 10, "toxicity detection": 10}, rel=0.01
    )
    assert found.cost.value == pytest.approx(25, rel=0.01)
    assert found.unknown_prices == ["toxicity detection"]
    assert "without toxicity detection, whose price is not set" in said


def test_a_recording_that_is_gone_is_told(run, cloud):
    """What was deleted since it was listed is refused with its reason; a stale size matters not."""
    service = cloud()
    made.mp3(service.folder / "one.mp3", 60)
    (run.folder / "keys.csv").write_text("key,etag,size\none.mp3,1,480000\ngone.mp3,1,480000\n")

    found = plan(run, "s3://audio/", "--manifest", "keys.csv")

    assert found.refused == {"no longer there": CountEstimate(1, 1)}
    assert found.hours.value == pytest.approx(1 / 60, rel=0.02)


@pytest.mark.parametrize("code", ["InvalidObjectState", "KMS.DisabledException"])
def test_a_recording_that_nobody_can_read_is_one_alone(run, cloud, code):
    """An archived object, or one of a disabled key, is told; the others are not held up."""
    service = cloud()
    for name in ("good", "shut"):
        made.wav(service.folder / f"{name}.wav", 60)

    def reply(asked):
        if asked.method == "GET" and "shut.wav" in asked.path:
            return Answer(403, f"<Error><Code>{code}</Code></Error>".encode(), {})
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        found = plan(run, "s3://audio/", "--exact")
        outcome = run("run", "s3://audio/", "--max-cost", "10")

    assert found.refused == {"media not accessible": CountEstimate(1, 1)}
    assert found.hours.value == pytest.approx(1 / 60)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["s3://no-such-bucket/"], "There is no bucket"),
        (["nowhere"], "There is no folder nowhere"),
        (["s3://audio/", "--sample", "0"], "--sample"),
    ],
)
def test_what_can_not_be_planned_is_one_sentence(run, cloud, arguments, said):
    """A plan of nothing ends with 2 and says why."""
    cloud()

    outcome = run("plan", *arguments)

    assert outcome.code == 2
    assert said in outcome.err


def test_what_goes_wrong_with_every_recording_is_one_sentence(run, cloud):
    """Credentials that end while recordings are probed stop the plan, and it says so."""
    service = cloud()
    for name in ("one", "two"):
        made.wav(service.folder / f"{name}.wav", 60)

    def reply(asked):
        if ".wav" in asked.path:
            return Answer(403, b"<Error><Code>InvalidAccessKeyId</Code></Error>", {})
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run("plan", "s3://audio/")

    assert outcome.code == 2
    assert "the credentials are not valid here" in outcome.err
    assert "should not happen" not in outcome.err


def test_recordings_that_may_not_be_read_at_all_stop_the_plan(run, cloud):
    """Where a policy refuses every one of them it is said, and no hours of none are told."""
    service = cloud()
    for name in ("one", "two"):
        made.wav(service.folder / f"{name}.wav", 60)

    def reply(asked):
        if ".wav" in asked.path:
            return refusal(asked, "AccessDenied", "no policy allows s3:GetObject", 403)
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run("plan", "s3://audio/", "--exact")

    assert outcome.code == 2
    assert "no policy allows s3:GetObject" in outcome.err
    assert "Allow it" in outcome.err


def test_a_state_file_of_another_source_is_not_believed(run, cloud):
    """What was done elsewhere says nothing of this source."""
    cloud().add(one="first")
    run("run", "s3://audio/")

    outcome = run("plan", "s3://audio/calls/")

    assert outcome.code == 2
    assert "belongs to s3://audio/, not to s3://audio/calls/" in outcome.err


def test_ministack_has_its_recordings_read_in_parts(run, ministack, tmp_path):
    """An S3 that nobody here wrote gives the parts, for keys of any kind."""
    run.use(**endpoint(ministack))
    s3 = boto3.client(
        "s3",
        endpoint_url=ministack,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    s3.create_bucket(Bucket="planned")
    paths = [path for path in RECORDINGS.rglob("*.*") if path.suffix not in {".md", ".json"}]
    for path in paths:
        key = path.relative_to(RECORDINGS).as_posix()
        s3.put_object(Bucket="planned", Key=key, Body=path.read_bytes())
    truth = made.mp3(tmp_path / "long.mp3", 1800)
    s3.upload_file(str(tmp_path / "long.mp3"), "planned", "a//b c+%41.mp3")

    found = plan(run, "s3://planned/", "--exact")

    assert found.to_start == len(paths) + 1
    assert found.refused == {"not valid media": CountEstimate(1, 1)}
    assert truth < found.hours.value * 3600 < truth + 60
    shutil.rmtree(tmp_path / "work", ignore_errors=True)


FACTS = Plan(
    source="s3://calls/",
    state="tasks.jsonl.state",
    listed=1_250,
    skipped={"not audio": 40, "excluded": 10},
    not_audio={".txt": 30, ".json": 10},
    recordings=1_200,
    bytes=3_400_000_000,
    written=100,
    in_flight=0,
    found=0,
    failed_before=0,
    to_start=1_100,
    bytes_to_start=3_000_000_000,
    probed=400,
    exact=False,
    certainty=0.99,
    hours=Estimate(123.45, 6.7),
    refused={"too many channels": CountEstimate(12, 4)},
    over_four_hours=CountEstimate(0, 0),
    billed_minutes={"transcription": Estimate(7_500.0, 400.0)},
    cost=Estimate(45.0, 2.4),
    currency="USD",
    prices_date=Prices().prices_date,
    unknown_prices=[],
    run_time=RunTime(Estimate(3_600.0, 100.0), 250, 25.0, JobDuration()),
    calls={"ListObjectsV2": 2, "StartTranscriptionJob": 1_100},
    tasks=Tasks(1_088, 2_500_000, 1),
)


def test_a_plan_is_read_by_people():
    """What is to be done, what it costs and how long it takes, each with its unit and error."""
    assert as_text(FACTS) == (
        "Plan of s3://calls/; nothing was started.\n"
        "Recordings:   1,200 (3.4 GB) of 1,250 objects; skipped: 40 not audio (30 .txt, "
        "10 .json), 10 excluded\n"
        "Done:         100 written\n"
        "To start:     1,100 jobs (3.0 GB)\n"
        "Audio:        123.5 ± 6.7 h (400 were probed; the errors are those of 99% "
        "certainty)\n"
        "Refused:      about 12 (4 seen) too many channels. Mix it down to one or two channels.\n"
        "Cost:         USD 45.00 ± 2.40 for 7,500.0 billed minutes (prices of 2026-10, us-east-1)\n"
        "Time:         about 1 h with 250 slots and 25 starts a second, if a job takes 60 s and "
        "0.25 s for each second of audio\n"
        "Calls:        1,100 StartTranscriptionJob, 2 ListObjectsV2\n"
        "Label Studio: 1,088 tasks, about 2.5 MB, in 1 file of `export`"
    )


def test_what_was_written_once_is_done(tmp_path):
    """Where a recording stands is what a run would make of it, also when it is as it once was."""
    with begun(tmp_path / "state") as state:
        written(state, "a", "b")
        listed(state, "c")
    with begun(tmp_path / "state") as state:
        listed(state, "a", etag="2")
        _, second = running(state, "c", "d")  # those of a and c, which were there before
        state.failed(second, "too long", "Words.")
        state.note_results([(identity("calls", Recording("e", "1", 7), ""), 1)])
        page = [
            *(("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "2"), ("c", "1"), ("d", "1")),
            *(("d", "2"), ("e", "1"), ("f", "1")),
        ]
        recordings = [Recording(key, etag, 7) for key, etag in page]

        stand = state.recordings.standings(
            [(each, identity("calls", each, "")) for each in recordings]
        )

    assert "".join(each.name[0] for each in stand) == "WITWTFTTFT"
    assert (stand[5], stand[8]) == (Standing.FAILED, Standing.FOUND)


@given(st.floats(1, 100), st.floats(0, 2), st.lists(st.floats(1, 9_000), min_size=1))
def test_jobs_last_as_long_as_earlier_ones(fixed, per_second, audio):
    """Jobs on a line are fitted by that line, and few jobs by none."""
    took = [fixed + per_second * each for each in audio]
    n = len(audio)
    means = (sum(audio) / n, sum(took) / n)
    both = sum(a * t for a, t in zip(audio, took, strict=True)) / n
    times = JobTimes(50, *means, both, sum(a * a for a in audio) / n)

    found = fitted(times)

    assert sum(map(found.seconds, audio)) == pytest.approx(sum(took), rel=0.02, abs=0.1 * n)
    assert fitted(times._replace(jobs=49)) == JobDuration()


def test_a_plan_knows_how_long_jobs_took(run, cloud):
    """Fifty jobs of earlier runs tell how long one lasts, and the plan says so."""
    service = cloud("--seconds", "0.5")
    service.add(**{f"rec{n}": f"number {n}" for n in range(50)})
    run("run", "s3://audio/")
    service.add(more="one more")

    found = plan(run, "s3://audio/")
    said = run("plan", "s3://audio/").out

    assert found.run_time.job.jobs == 50
    assert 0.4 < found.run_time.job.seconds(1.0) < 20
    assert "as the last 50 jobs took" in said


def test_a_plan_that_is_interrupted_ends_at_once(run, cloud):
    """Ctrl-C ends a plan within seconds, whatever it waits for, without a traceback."""
    service = cloud("--fault", "slow=1")
    for number in range(300):
        made.mp3(service.folder / f"{number}.mp3", 60)
    with run.start("plan", "s3://audio/", "--exact") as process:
        while not service.counts()["calls"].get("GetObject"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (2**31, "2.1 GB")],
)
def test_sizes_are_said_in_units(count, said):
    """Bytes are told as people say them."""
    assert f"Recordings:   1,200 ({said}) of" in as_text(
        msgspec.structs.replace(FACTS, bytes=count)
    )
