"""From corrections to a vocabulary that the next run uses, through the command itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import boto3
import pytest

from tests.conftest import ROOT, end, endpoint
from tests.support.signing import KEYS
from tests.support.state_files import by_hand
from tests.support.trials import (
    APPLY,
    HEADER,
    review,
    trial,
    write_reviews,
    write_table,
)

pytestmark = pytest.mark.usefixtures("in_this_process")

SPOKEN = ROOT / "tests" / "local" / "andorra-la-vella.ogg"
COMPARE = ("compare", "s3://audio/", "--vocabulary", "calls")


def table(run: Any) -> list[str]:
    text: str = (run.folder / "vocabulary.txt").read_text(encoding="utf-8")
    return text.splitlines()[1:]


def calls(service: Any, name: str) -> int:
    found: int = service.counts()["calls"].get(name, 0)
    return found


CORRECTED = [
    review("a", "Ask Kowalczyk about the Dynamo.", "ask kyle check about the dynamo"),
    review("b", "The Dynamo is with Kowalczyk.", "the dynamo is with kyle check"),
    review("c", "The end.", "an end"),
]


def test_build_writes_a_table_of_what_was_corrected_repeatedly(run):
    """What was missed twice is a row, what was missed once or is usually right is none."""
    write_reviews(run, CORRECTED)

    outcome = run("vocabulary", "build")

    assert outcome.code == 0, outcome.err
    assert table(run) == ["Kowalczyk\t\t\t"]
    assert "2 of 2" in outcome.err
    assert "heard: kyle check" in outcome.err
    assert (run.folder / "vocabulary.txt").stat().st_mode & 0o777 == 0o600


def test_build_leaves_rows_that_people_edited_as_they_are(run):
    """Their rows stay first, in their order; what they wrote of a phrase is not rewritten."""
    write_reviews(run, [review(str(n), "Marrakesh, via DynamoDB", "mary cash via x") for n in "ab"])
    edited = ["zebra\t\t\tZebra", "marrakesh\tma-ra-kesh\t\tMarrakesh!"]
    write_table(run, *edited)

    run("vocabulary", "build")
    again = run("vocabulary", "build")

    assert table(run) == [*edited, "Dynamo-D.B.\t\t\tDynamoDB"]
    assert "0 new rows" in again.err


def test_a_row_that_people_deleted_does_not_come_back(run):
    """They looked at it and did not want it; new corrections are still offered."""
    write_reviews(run, CORRECTED)
    run("vocabulary", "build")
    write_table(run, "mine\t\t\t")
    run("vocabulary", "build")
    kept = table(run)
    write_reviews(
        run, [*CORRECTED, *(review(f"{n}", "to Marrakesh", "to mary cash") for n in "de")]
    )

    run("vocabulary", "build")

    assert kept == ["mine\t\t\t"]
    assert table(run) == ["mine\t\t\t", "Marrakesh\t\t\t"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "ground_truth.jsonl"),
        (("--language", "auto"), "A vocabulary is of one language"),
        (("--language", "ja-JP"), "no spaces between words"),
        (("--table", "ground_truth.jsonl"), "ground_truth.jsonl: "),
    ],
)
def test_build_says_in_a_sentence_what_it_lacks(run, options, said):
    """No reviews, no language, a language without words, a file that is no table."""
    if options:
        write_reviews(run, CORRECTED)

    outcome = run("vocabulary", "build", *options)

    assert outcome.code == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_apply_creates_then_leaves_alone_then_updates(run, cloud):
    """The same table again, in another order too, makes no other call than a look."""
    service = cloud("--vocabulary-seconds", "0.3")
    write_table(run, "Kowalczyk\t\t\t", "C.L.I.\t\t\tCLI")
    created = run(*APPLY)
    write_table(run, "C.L.I.\t\t\tCLI", "Kowalczyk\t\t\t")
    unchanged = run(*APPLY)
    write_table(run, "Kowalczyk\t\t\tKOWALCZYK")
    updated = run(*APPLY)

    ends = [outcome.err.splitlines()[-1] for outcome in (created, unchanged, updated)]
    assert ends == [
        "Vocabulary calls is READY (2 phrases, en-US): created.",
        "Vocabulary calls is READY (2 phrases, en-US): unchanged.",
        "Vocabulary calls is READY (1 phrase, en-US): updated.",
    ]
    assert "Waiting for the service to work on calls (PENDING)." in created.err
    assert (calls(service, "CreateVocabulary"), calls(service, "UpdateVocabulary")) == (1, 1)
    assert calls(service, "PutObject") == 2
    assert (service.folder / "v/calls.txt").read_text() == HEADER + "Kowalczyk\t\t\tKOWALCZYK\n"


def test_apply_survives_lost_answers(run, cloud):
    """Throttles, faults and cut connections are tried again, and the vocabulary is there once."""
    faults = ("throttle=0.3", "server_error=0.2", "cut=0.2")
    service = cloud(*(word for fault in faults for word in ("--fault", fault)), "--seed", "3")
    write_table(run, "Kowalczyk\t\t\t")

    outcome = run(*APPLY)

    assert outcome.code == 0, outcome.err
    assert sum(service.counts()["refused"].values()) > 0


def test_apply_takes_over_a_vocabulary_that_failed_and_shows_why_it_failed(run, cloud):
    """The service's own reason is shown, and a mended table makes it READY."""
    service = cloud()
    client = boto3.client(
        "transcribe", "us-east-1", endpoint_url=service.url,
        aws_access_key_id=KEYS.access_key, aws_secret_access_key=KEYS.secret_key,
    )  # fmt: skip
    client.create_vocabulary(VocabularyName="calls", LanguageCode="en-US", Phrases=["not ok"])
    write_table(run, "Kowalczyk\t\t\t")
    write_reviews(run, CORRECTED)
    failed = run(*COMPARE, "--yes")
    applied = run(*APPLY)
    mended = client.get_vocabulary(VocabularyName="calls")

    assert failed.code == 2
    assert "The vocabulary calls is FAILED: The vocabulary that you" in failed.err
    assert "`transcribe-pipeline vocabulary apply`" in failed.err
    assert applied.err.splitlines()[-1].endswith("updated.")
    assert mended["VocabularyState"] == "READY"


def test_a_failed_vocabulary_is_told_in_the_services_words(run, cloud):
    """What only the service finds wrong ends with 2, its reason and the place of the table."""
    cloud("--fault", "failed_vocabulary=1")
    write_table(run, "Kowalczyk\t\t\t")

    outcome = run(*APPLY)

    assert outcome.code == 2
    assert "could not make the vocabulary calls: The vocabulary that you" in outcome.err
    assert "incorrectly formatted terms" in outcome.err
    assert "s3://audio/v/calls.txt" in outcome.err


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("two words\t\t\t", "words are joined by hyphens, not spaces"),
        ("G20\t\t\t", "numbers are spelled out"),
        ("-x\t\t\t", "a hyphen stands between two words"),
        ("Köln\t\t\t", "the language has no 'ö'"),
        (f"{'x' * 257}\t\t\t", "longer than 256 characters"),
        ("a\tb\tc\td\te", "has 5 columns"),
    ],
)
def test_apply_refuses_a_table_before_anything_is_sent(run, cloud, row, said):
    """Each rule of the table is told with the phrase at fault."""
    service = cloud()
    write_table(run, row)

    outcome = run(*APPLY)

    assert outcome.code == 2
    assert said in outcome.err
    assert service.counts()["calls"] == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.txt", "--name", "x", "--upload", "s3://audio/"), "none.txt can't be read"),
        (("vocabulary.txt", "--upload", "s3://audio/"), "no name. Name it with --name"),
        (("vocabulary.txt", "--name", "x"), "Name s3://bucket/prefix/ with --upload"),
        (("vocabulary.txt", "--name", "x y", "--upload", "s3://audio/"), "use 1 to 200 of"),
        (("vocabulary.txt", "--name", "x", "--upload", "s3://none/"), "s3://none"),
    ],
)
def test_apply_says_in_a_sentence_what_it_lacks(run, cloud, arguments, said):
    """No table, no name, no place for it, a name that can't be, a bucket that is not there."""
    cloud()
    write_table(run, "Kowalczyk\t\t\t")

    outcome = run("vocabulary", "apply", *arguments)

    assert outcome.code == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_apply_waits_no_longer_than_it_may_and_goes_on_next_time(run, cloud):
    """A vocabulary that stays PENDING ends with 2; the same command waits for it again."""
    service = cloud("--vocabulary-seconds", "5")
    write_table(run, "Kowalczyk\t\t\t")

    late = run(*APPLY, "--minutes", "0.05")
    again = run(*APPLY)

    assert late.code == 2
    assert "still works on the vocabulary calls" in late.err
    assert again.err.splitlines()[-1].endswith("unchanged.")
    assert calls(service, "CreateVocabulary") == 1


def test_the_next_run_uses_the_vocabulary_and_pays_for_its_name_alone(run, cloud):
    """A run with a vocabulary has other jobs; an updated vocabulary of that name has not."""
    service = cloud()
    service.add(a="ask kyle check about it")
    write_table(run, "kyle-check\t\t\tKowalczyk")
    run("run", "s3://audio/")
    run(*APPLY)
    run("run", "s3://audio/", "--vocabulary", "calls")
    write_table(run, "kyle-check\t\t\tKowalczyk!")
    run(*APPLY)

    third = run("run", "s3://audio/", "--vocabulary", "calls", "--json")

    said = [each["predictions"][0]["result"][0]["value"]["text"] for each in run.tasks()]
    assert said == [["ask kyle check about it"], ["ask Kowalczyk about it"]]
    assert third.counts["started"] == 0


@pytest.mark.parametrize("name", ["nobody", "calls"])
def test_a_run_whose_vocabulary_is_not_there_marks_nothing_as_failed(run, cloud, name):
    """It ends with 2 and the next step, and every recording is left for the next run."""
    service = cloud()
    service.add(a="one", b="two")
    write_table(run, "x\t\t\t")
    run(*APPLY)
    client_language = ("--language", "en-GB") if name == "calls" else ()

    outcome = run("run", "s3://audio/", "--vocabulary", name, *client_language, "--json")

    assert outcome.code == 2
    assert "The service does not take the vocabulary" in outcome.err
    assert outcome.counts["failed"] == 0


def test_a_folder_has_no_vocabulary(run, recordings):
    """The recogniser for folders keeps none, and says where there is one."""
    outcome = run("run", recordings, "--vocabulary", "calls")

    assert outcome.code == 2
    assert "vocabulary goes with a bucket" in outcome.err


def test_compare_shows_the_error_rate_before_and_after(run, cloud):
    """Jobs of their own, the same recordings, each error counted, the bucket's run left alone."""
    service = trial(run, cloud)

    outcome = run(*COMPARE, "--sample", "0", "--yes")

    assert outcome.code == 0, outcome.err
    assert (
        "7 recordings are to be transcribed again: 7.0 billed minutes, about USD 0.04"
        in outcome.err
    )
    lines = outcome.out.splitlines()
    assert lines[0] == "WER of 7 recordings, 21 words:"
    assert lines[1].split()[:4] == ["before", "57.14", "%", "12"]
    assert lines[2].split()[:4] == ["after", "0.00", "%", "0"]
    assert lines[3].startswith("  change  -57.14 points")
    assert lines[3].endswith("points, too few recordings to tell: 7 of 8")
    assert "6 got better, first of all:" in outcome.out
    assert "worse" not in outcome.out
    assert not (run.folder / "tasks.jsonl").exists()
    assert all("-compare-" in name for name in service.counts()["created"])


def test_compare_tries_the_vocabulary_where_a_rule_has_another(run, cloud):
    """The trial's language and vocabulary hold for every recording, whatever rules say."""
    trial(run, cloud)
    (run.folder / "c.toml").write_text(
        '[[rules]]\ninclude = ["r*"]\nlanguage = "en-GB"\nvocabulary = "nobody"\n'
    )

    outcome = run(*COMPARE, "--sample", "0", "--yes", "--json", "--config", "c.toml")

    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["after"]["errors"] == 0


def test_compare_again_starts_nothing_until_the_vocabulary_changes(run, cloud):
    """The same version is compared for nothing; another one has jobs of its own."""
    service = trial(run, cloud)
    first = run(*COMPARE, "--sample", "3", "--yes", "--json")
    again = run(*COMPARE, "--sample", "3", "--json")
    started = calls(service, "StartTranscriptionJob")
    write_table(run, "kyle-check\t\t\tKovalchik")
    run(*APPLY)

    other = run(*COMPARE, "--sample", "3", "--yes", "--json")

    assert again.out == first.out
    assert started == 3
    assert calls(service, "StartTranscriptionJob") == 6
    assert json.loads(first.out)["after"]["errors"] < json.loads(other.out)["after"]["errors"]


def test_compare_goes_on_with_a_state_file_of_the_version_before(run, cloud):
    """It is brought up to date as `run` does it, and nothing is transcribed once more."""
    service = trial(run, cloud)
    first = run(*COMPARE, "--sample", "3", "--yes", "--json")
    [state] = run.folder.glob("compare/*/tasks.jsonl.state")
    size = state.with_suffix("").stat().st_size
    shutil.copy(ROOT / "tests" / "state" / "fixtures" / "version-1.state", state)
    by_hand(state, "UPDATE meta SET value = ? WHERE name = 'output size'", size)

    again = run(*COMPARE, "--sample", "3", "--json")

    assert again.code == 0, again.err
    assert again.out == first.out
    assert calls(service, "StartTranscriptionJob") == 3


def test_compare_starts_nothing_unless_somebody_agrees(run, cloud):
    """Without a terminal to ask at, and without --yes, it ends with 2 after saying the cost."""
    service = trial(run, cloud)

    outcome = run(*COMPARE)

    assert outcome.code == 2
    assert "about USD 0.04" in outcome.err
    assert "--yes" in outcome.err
    assert calls(service, "StartTranscriptionJob") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("s3://audio/", "--vocabulary", "nobody"), "There is no vocabulary nobody"),
        (("s3://audio/",), "Name the vocabulary to try with --vocabulary, another language"),
        (("s3://other/", "--vocabulary", "calls"), "no review in en-US of a recording below"),
        (("s3://audio/", "--vocabulary", "calls", "--language", "en-GB"), "of en-US, not of en-GB"),
    ],
)
def test_compare_says_in_a_sentence_what_it_lacks(run, cloud, arguments, said):
    """No such vocabulary, none named, no reviews there, another language."""
    trial(run, cloud)

    outcome = run("compare", *arguments, "--yes")

    assert outcome.code == 2
    assert said in outcome.err


def test_compare_beside_an_output_on_s3_keeps_its_tasks_in_a_file(run, cloud):
    """What it measures stands in files of its own, whatever the settings of the runs say."""
    service = trial(run, cloud)
    run.use(TRANSCRIBE_PIPELINE_OUTPUT="s3://audio/tasks/", TRANSCRIBE_PIPELINE_SHARDS="4")

    outcome = run(*COMPARE, "--sample", "0", "--yes", "--json")

    assert outcome.code == 0, outcome.err
    assert outcome.summary["recordings"] == 7
    assert not (service.folder / "tasks").exists()


def test_recordings_that_fail_are_left_out_of_the_comparison(run, cloud):
    """What can't be transcribed again is told, and the others are compared."""
    service = trial(run, cloud)
    service.add(r0="!Unsupported media format")

    outcome = run(*COMPARE, "--sample", "0", "--yes", "--json")

    assert outcome.code == 0
    assert "1 failed" in outcome.err
    assert outcome.summary["recordings"] == 6


@pytest.mark.long
@pytest.mark.timeout(120)
def test_corrections_teach_the_recogniser(run, tmp_path):
    """Heard wrong, corrected, built, applied, compared: the real recogniser gets it right."""
    folder = tmp_path / "audio"
    folder.mkdir()
    for name in ("a.ogg", "b.ogg"):
        shutil.copy(SPOKEN, folder / name)
    run.use(**endpoint(""))
    command = ("serve", folder, "--bucket", "audio", "--keys-from-env")
    server = run.start(*command, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout
        run.use(**endpoint(server.stdout.readline().rsplit(" ", 1)[1].strip()))
        run("run", "s3://audio/", "--include", "*.ogg")
        said = "Please call the office in Andorra la Vella tomorrow."
        write_reviews(
            run,
            [
                {"audio": audio, "source": "reviewed", "text": said, "predicted": heard}
                for audio, heard in run.texts().items()
            ],
        )
        run("vocabulary", "build")
        rows = table(run)
        run(*APPLY)
        outcome = run(*COMPARE, "--yes", "--json")
    finally:
        end(server)

    assert "Andorra-la-Vella\t\t\tAndorra la Vella" in rows
    found = json.loads(outcome.out)
    assert found["before"]["errors"] > 0
    assert found["after"]["errors"] == 0
