"""A long recording on its way into several tasks and back into one line, over the real wire."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy
from typing import Any
from urllib.parse import quote

import pytest

from pipeline.config.label_studio import LabelStudio
from pipeline.config.schema import Limits
from pipeline.ground_truth.record import GroundTruth, read_ground_truth
from pipeline.label_studio.addresses import task_addresses
from pipeline.label_studio.annotations import reviews, unreviewed
from pipeline.label_studio.task_lines import MOST_BYTES
from pipeline.model import Segment, TaskKind, Transcript
from pipeline.tasks.builder import TaskBuilder
from pipeline.tasks.recording_parts import in_parts
from tests.label_studio_server.outputs import MODEL, add_transcripts
from tests.support.small_label_studio import PROJECT, SmallLabelStudio, served

pytestmark = pytest.mark.usefixtures("in_this_process")

SETTINGS = "calls.toml"


def long(segments: int) -> Transcript:
    """A recording of so many segments, half of a second apart, of two speakers."""
    said = [
        Segment(f"text {n}", n * 3.0, n * 3.0 + 2.5, speaker=f"spk_{n % 2}", confidence=0.8)
        for n in range(segments)
    ]
    text = " ".join(each.text for each in said)
    return Transcript("calls", text, tuple(said), 2 * segments, 0.8, ("en-US",))


@pytest.fixture
def labels(run):
    """A server with a project for segments, which the commands of a test use."""
    labels = SmallLabelStudio(TaskKind.SEGMENTS)

    (run.folder / SETTINGS).write_text("[label_studio]\nsegments_per_task = 20\n")
    with served(labels, run):
        yield labels


def add(run, settings: str = "", **segments: int) -> None:
    """Write the tasks of recordings with so many segments."""
    heard = {f"{name}.mp3": long(count) for name, count in segments.items()}
    add_transcripts(run.folder, heard, TaskBuilder(TaskKind.SEGMENTS, MODEL), settings)


def push(run, *more: str):
    """What a push said."""
    outcome = run("push", "--project", PROJECT, "--config", SETTINGS, "--json", *more)
    assert outcome.code == 0
    return outcome.summary


def pull(run, *more: str):
    """What a pull changed."""
    outcome = run("pull", "--project", PROJECT, "--config", SETTINGS, "--json", *more)
    assert outcome.code == 0
    return outcome.summary


def truth(run) -> list[GroundTruth]:
    """The lines of the ground truth."""
    return list(read_ground_truth(run.folder / "ground_truth.jsonl"))


def corrected(task: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """The results of a task with the text of its first segment corrected."""
    changed: list[dict[str, Any]] = deepcopy(task["predictions"][0]["result"])
    first = next(each for each in changed if each["from_name"] == "text")
    first["value"]["text"] = [text]
    return changed


def results(task: dict[str, Any]) -> Any:
    """What is predicted of a task."""
    return task["predictions"][0]["result"]


def accept(labels, *tasks: dict[str, Any], **more: Any) -> None:
    """Have tasks submitted as they were predicted."""
    for each in tasks:
        labels.submit(each, results(each), **more)


def test_a_long_recording_is_several_tasks_and_one_line(run, labels):
    """Its line has the corrections of all parts, and says what it would as one task."""
    add(run, long=50, short=3)
    pushed = push(run)
    assert (pushed["sent"], pushed["split"], pushed["parts"]) == (2, 1, 3)
    one, two, three, short = labels.tasks

    labels.submit(one, corrected(one, "first"), lead_time=10.0)
    accept(labels, two, lead_time=20.5)
    labels.submit(three, corrected(three, "last"), lead_time=30.0)
    assert pull(run)["added"] == 1

    whole = json.loads((run.folder / "tasks.jsonl").read_bytes().splitlines()[0])
    said = [each for task in labels.tasks[:3] for each in task["annotations"][0]["result"]]
    predicted = {
        "score": 0.8,
        "result": [each for task in (one, two, three) for each in results(task)],
    }
    annotation = one["annotations"][0] | {"result": said, "prediction": predicted}
    as_one = {"id": one["id"], "annotations": [annotation]} | whole
    [expected] = reviews(as_one, truth(run)[0].project, {1: "anna@example.com"})
    [line] = truth(run)
    assert (line.text, line.predicted) == (expected.text, expected.predicted)
    assert (line.segments, line.deleted) == (expected.segments, expected.deleted)
    assert line.text.count("first") == line.text.count("last") == 1
    assert (line.audio, line.job_id, line.duration) == (
        expected.audio,
        expected.job_id,
        expected.duration,
    )
    assert (line.reviewer, line.seconds_spent, line.score) == ("anna@example.com", 60.5, 0.8)
    assert [each.task_id for each in line.parts] == [1, 2, 3]
    accept(labels, short)
    assert (pull(run)["added"], len(truth(run))) == (1, 2)


def test_a_recording_that_is_reviewed_in_part_has_no_line(run, labels):
    """It is told which tasks it lacks, at every pull; a shortened text is never written."""
    add(run, long=50)
    push(run)
    accept(labels, labels.tasks[0], labels.tasks[2])

    first = run("pull", "--project", PROJECT, "--config", SETTINGS)
    again = pull(run)

    assert "1 long recording of project 1 is reviewed in part" in first.err
    assert "1 of the tasks is not reviewed (2)" in first.err
    assert (again["incomplete"], again["to_review"], again["total"]) == (1, [2], 0)
    assert truth(run) == []
    accept(labels, labels.tasks[1])
    last = pull(run)
    assert (last["added"], last["incomplete"], last["doubt"]) == (1, 0, "")


def test_pulling_again_changes_nothing(run, labels):
    """The counts match, with complete and incomplete recordings: nothing is taken twice."""
    add(run, long=50, other=50)
    push(run)
    accept(labels, *labels.tasks[:5])
    pull(run)
    before = (run.folder / "ground_truth.jsonl").read_bytes()
    labels.calls.clear()

    assert (pull(run)["added"], pull(run, "--all")["added"]) == (0, 0)
    assert labels.calls.count("people") == 2
    assert (run.folder / "ground_truth.jsonl").read_bytes() == before
    (run.folder / "ground_truth.jsonl.parts").unlink()
    assert pull(run)["incomplete"] == 1


def test_a_part_that_changes_changes_the_line(run, labels):
    """A later correction of one part is in the line, with what the others say."""
    add(run, long=50)
    push(run)
    accept(labels, *labels.tasks)
    pull(run)

    labels.submit(labels.tasks[1], corrected(labels.tasks[1], "better"))

    changes = pull(run)
    assert (changes["replaced"], changes["total"]) == (1, 1)
    assert truth(run)[0].text.split().count("better") == 1
    assert len(truth(run)[0].segments) == 50


@pytest.mark.parametrize("gone", ["annotation", "task"])
def test_a_part_whose_review_is_deleted_takes_the_line_back(run, labels, gone):
    """As for any task: what nobody has reviewed is no ground truth."""
    add(run, long=50, short=3)
    push(run)
    accept(labels, *labels.tasks)
    assert pull(run)["total"] == 2

    if gone == "annotation":
        labels.withdraw(labels.tasks[1])
    else:
        del labels.tasks[1]

    labels.calls.clear()
    changes = pull(run)
    assert (changes["removed"], changes["incomplete"], changes["total"]) == (1, 1, 1)
    assert labels.calls.count("people") == (1 if gone == "annotation" else 2)
    assert [line.audio for line in truth(run)] == ["s3://calls/short.mp3"]


def test_a_part_that_the_server_does_not_give_out_takes_nothing_back(run, labels):
    """Omission is no deletion: the line stays as it was, and that is told."""
    add(run, long=50, short=3)
    push(run)
    one, two, three, short = labels.tasks
    accept(labels, one, two, three)
    pull(run)
    before = truth(run)
    labels.submit(two, corrected(two, "better"))
    accept(labels, short)
    labels.withheld.add(three["id"])

    assert "it counts annotations of 1 task (3)" in pull(run)["doubt"]
    assert truth(run)[:1] == before
    labels.withheld.clear()
    assert pull(run, "--all")["replaced"] == 1


def test_of_a_part_that_is_there_twice_no_review_is_taken_for_the_other(run, labels):
    """The server gives out one of the two: which review counts is not known, so nothing changes."""
    add(run, long=50, short=3)
    push(run)
    accept(labels, *labels.tasks[:3])
    two = labels.tasks[1]
    labels.tasks.append(deepcopy(two) | {"id": 9})
    labels.submit(labels.tasks[4], corrected(two, "later"), id=99, unique_id="later")
    pull(run)
    before = truth(run)
    labels.submit(two, corrected(two, "latest"))
    accept(labels, labels.tasks[3])
    labels.withheld.add(9)

    assert "does not give out" in pull(run)["doubt"]
    assert truth(run)[:1] == before


def test_a_page_links_to_the_first_part(run, labels, monkeypatch):
    """Of a recording that is several tasks the address is that at which it begins."""
    add(run, long=50)
    push(run)
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.setenv(name, run.env[name])
    project = f"{run.env['LABEL_STUDIO_URL']}/projects/{PROJECT}"
    job_id = labels.tasks[0]["data"]["job_id"]

    found = asyncio.run(task_addresses(LabelStudio(), Limits(), project, [job_id]))

    assert found == {job_id: f"{project}/data?task=1"}


def test_of_two_reviews_of_a_part_that_with_the_star_counts(run, labels):
    """The second person's reviews of some parts are no line of their own, and are counted."""
    add(run, long=50)
    push(run)
    accept(labels, *labels.tasks)
    task = labels.tasks[1]
    own = task["annotations"][0]
    labels.submit(task, corrected(task, "starred"), id=99, ground_truth=True, completed_by=2)
    task["annotations"].append(own | {"updated_at": "2026-12-24T12:00:00Z"})

    assert pull(run)["added"] == 1
    [line] = truth(run)
    assert "starred" in line.text
    assert line.reviewer == "anna@example.com, 2"
    assert [each.annotation_id for each in line.parts] == [10, 99, 30]
    labels.calls.clear()
    assert (pull(run)["incomplete"], labels.calls.count("people")) == (0, 1)


def test_a_recording_is_cut_once(run, labels):
    """Pushed again, or with another setting, its tasks are known; what is deleted comes back."""
    add(run, long=50)
    push(run)
    (run.folder / SETTINGS).write_text("[label_studio]\nsegments_per_task = 40\n")
    assert (push(run, "--again")["there"], len(labels.tasks)) == (1, 3)
    before = [results(each) for each in labels.tasks]
    del labels.tasks[1]

    again = run("push", "--project", PROJECT, "--config", SETTINGS, "--again")

    assert "Tasks:   1 pushed, 0 were there already" in again.err
    assert "Parts:   1 of these is long, and got 1 new task" in again.err
    assert len(labels.tasks) == 3
    assert [results(labels.tasks[n]) for n in (0, 2, 1)] == before


def test_what_was_pushed_whole_stays_whole(run, labels):
    """A project that has a long recording's one task gets no parts of it beside."""
    (run.folder / SETTINGS).write_text("[label_studio]\nsegments_per_task = 0\n")
    add(run, long=50)
    push(run)
    (run.folder / SETTINGS).write_text("[label_studio]\nsegments_per_task = 20\n")

    assert (push(run, "--again")["there"], len(labels.tasks)) == (1, 1)


def test_all_parts_of_a_recording_are_reviewed_or_none(run, labels):
    """By its score, or by the audit; what needs no review is one line of the whole."""
    add(run, long=50)

    assert push(run, "--review-below", "0.7")["good"] == 1
    assert labels.tasks == []
    [line] = truth(run)
    assert line == unreviewed(json.loads((run.folder / "tasks.jsonl").read_bytes()))
    push(run, "--review-below", "0.7", "--audit", "100%")
    assert [each["meta"]["audit"] for each in labels.tasks] == [True] * 3
    accept(labels, *labels.tasks)
    pull(run)
    assert [(each.source, each.audit) for each in truth(run)] == [("reviewed", True)]


def test_an_export_has_the_tasks_that_a_push_makes(run, labels):
    """Who imports by hand gets the same parts, which `pull` joins as well."""
    add(run, long=50, short=3)
    push(run)

    outcome = run("export", "--config", SETTINGS)

    [path] = outcome.out.split()
    exported = json.loads((run.folder / path).read_bytes())
    assert [results(each) for each in exported] == [results(each) for each in labels.tasks]
    assert [(each["data"], each["meta"]) for each in exported] == [
        (each["data"], each["meta"]) for each in labels.tasks
    ]


def test_a_pair_of_tasks_of_one_part_is_told(run, labels):
    """The same part twice, from elsewhere, is doubled; several parts of a recording are not."""
    add(run, long=50)
    push(run)
    labels.tasks.append(labels.tasks[1] | {"id": 9})

    assert push(run, "--again")["doubled"] == 1


def test_a_task_of_the_whole_beside_its_parts_is_told(run, labels):
    """It is there twice, once in parts; which of the two is deleted a person says."""
    add(run, long=50)
    push(run)
    labels.tasks.insert(0, labels.tasks[0] | {"id": 9, "meta": {}})

    outcome = run("push", "--project", PROJECT, "--config", SETTINGS, "--again")

    assert "Doubled: 1 task too many" in outcome.err
    assert "a task of the whole beside its parts, delete that one" in outcome.err


def test_a_reviewer_who_wants_one_part_is_preferred(run, labels):
    """`prefer` decides between the reviews of one part, as between those of a recording."""
    add(run, long=50)
    push(run)
    accept(labels, *labels.tasks)
    task = labels.tasks[0]
    newest = {"id": 98, "completed_by": 2, "updated_at": "2026-12-24T12:00:00Z"}
    task["annotations"].append(task["annotations"][0] | newest)
    with (run.folder / SETTINGS).open("a") as settings:
        settings.write('prefer = ["anna@example.com"]\n')

    pull(run)

    assert [each.annotation_id for each in truth(run)[0].parts] == [10, 20, 30]


def test_another_preferred_reviewer_is_chosen_at_the_next_pull(run, labels):
    """What is chosen between reviews of a part is chosen again when the setting has changed."""
    add(run, long=50, other=50)
    push(run)
    accept(labels, *labels.tasks)
    task = labels.tasks[0]
    newest = {"id": 98, "completed_by": 2, "updated_at": "2026-12-24T12:00:00Z"}
    task["annotations"].append(task["annotations"][0] | newest)
    assert pull(run)["total"] == 2
    assert truth(run)[0].parts[0].annotation_id == 98
    with (run.folder / SETTINGS).open("a") as settings:
        settings.write('prefer = ["anna@example.com"]\n')
    labels.calls.clear()

    assert (pull(run)["replaced"], truth(run)[0].parts[0].annotation_id) == (1, 10)
    assert labels.calls.count("people") == 1
    assert pull(run)["replaced"] == 0


def test_two_reviews_of_a_part_are_compared(run, labels):
    """`quality` names the pair, and leads to the task of the part; both are told what they took."""
    add(run, long=50)
    push(run)
    accept(labels, *labels.tasks, lead_time=60.0)
    task = labels.tasks[1]
    own = task["annotations"][0]
    labels.submit(task, corrected(task, "other"), id=99, completed_by=2, lead_time=30.0)
    task["annotations"].append(own)
    pull(run)

    figures = run("quality", "--json").summary

    [pair] = figures["agreement"]["pairs"]
    assert (pair["reviewers"], pair["recordings"], pair["differing"]) == (
        ["2", "anna@example.com"],
        1,
        2,
    )
    [apart] = figures["agreement"]["disagreements"]
    assert apart["address"].endswith("/projects/1/data?task=2")
    assert (apart["counts"], apart["why"]) == ("2", "is the newest")
    spent = {name: each["spent_hours"] for name, each in figures["pace"].items()}
    assert spent == {"2": 30 / 3600, "anna@example.com": 180 / 3600}


def two_reviews_of_the_second(run, labels) -> dict[str, Any]:
    """Have two people review one part of three; that task."""
    add(run, long=50)
    push(run)
    task: dict[str, Any] = labels.tasks[1]
    accept(labels, task, lead_time=60.0)
    own = task["annotations"][0]
    labels.submit(task, corrected(task, "other"), id=99, completed_by=2, lead_time=30.0)
    task["annotations"].append(own)
    return task


def agreed(run) -> tuple[Any, Any]:
    """Who differed in how many words of how many recordings, and how many seconds each took."""
    figures = run("quality", "--json").summary
    pairs = figures["agreement"]["pairs"]
    spent = {name: round(e["spent_hours"] * 3600) for name, e in figures["pace"].items()}
    return [(e["reviewers"], e["recordings"], e["differing"]) for e in pairs], spent


def test_a_part_is_compared_before_the_others_are_reviewed(run, labels):
    """Pair and pace are the same when the recording has its line: nothing counts twice."""
    two_reviews_of_the_second(run, labels)
    pair = (["2", "anna@example.com"], 1, 2)
    assert (pull(run)["total"], pull(run)["to_review"]) == (0, [1, 3])
    assert agreed(run) == ([pair], {"2": 30, "anna@example.com": 60})

    accept(labels, labels.tasks[0], lead_time=10.0)
    pull(run)
    assert agreed(run) == ([pair], {"2": 30, "anna@example.com": 70})
    accept(labels, labels.tasks[2], lead_time=10.0)
    assert pull(run)["total"] == 1

    assert agreed(run) == ([pair], {"2": 30, "anna@example.com": 80})
    labels.tasks[2]["annotations"].clear()
    labels.tasks[2]["total_annotations"] = 0
    pull(run, "--all")
    assert agreed(run) == ([pair], {"2": 30, "anna@example.com": 70})


def test_parts_alone_are_compared_with_no_whole_recording(run, labels):
    """A line of the same recording in another project has another text, of all parts."""
    two_reviews_of_the_second(run, labels)
    pull(run)
    path = run.folder / "ground_truth.jsonl"
    [noted] = json.loads(path.with_name("ground_truth.jsonl.parts").read_bytes()).values()
    [one] = noted.values()
    line = {"audio": one["partial"]["audio"], "source": "reviewed", "text": "all", "reviewer": "x"}
    path.write_text(json.dumps(line) + "\n")

    pairs, _ = agreed(run)

    assert pairs == [(["2", "anna@example.com"], 1, 2)]


@pytest.mark.parametrize("more", [(), ("--all",)])
def test_hours_of_a_part_that_the_server_does_not_give_out_stay(run, labels, more):
    """Another part changed, so all are fetched: what is noted of this one is as it was."""
    task = two_reviews_of_the_second(run, labels)
    accept(labels, labels.tasks[0], lead_time=10.0)
    pull(run)
    before = agreed(run)
    accept(labels, labels.tasks[0], lead_time=20.0)
    labels.withheld.add(task["id"])

    assert "does not give out" in pull(run, *more)["doubt"]

    assert agreed(run) == before == ([(["2", "anna@example.com"], 1, 2)], before[1])
    labels.withheld.clear()
    pull(run, "--all")
    assert agreed(run)[1] == {"2": 30, "anna@example.com": 80}


def test_hours_of_a_part_count_once_where_its_recording_got_its_line(run, labels):
    """A part of another cutting is not given out: only what is noted of that one stays."""
    task = two_reviews_of_the_second(run, labels)
    another = cut_anew(run, labels, 70.0)
    accept(labels, another[0], lead_time=5.0)
    pull(run)
    assert agreed(run)[1] == {"2": 30, "anna@example.com": 65}
    accept(labels, labels.tasks[0], labels.tasks[2], lead_time=10.0)
    labels.withheld.add(another[0]["id"])

    assert pull(run)["total"] == 1

    assert agreed(run)[1] == {"2": 30, "anna@example.com": 85}
    assert [part.task_id for part in truth(run)[0].parts] == [1, task["id"], 3]


@pytest.mark.parametrize("damage", ["cut short", "emptied", "a folder"])
def test_hours_of_parts_that_cannot_be_read_are_not_taken_for_none(run, labels, damage):
    """`quality` refuses what is damaged, as people are paid by it, and what it advises mends it."""
    two_reviews_of_the_second(run, labels)
    pull(run)
    before = agreed(run)
    path = run.folder / "ground_truth.jsonl.parts"
    content = path.read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    else:
        path.write_bytes(content[:-20] if damage == "cut short" else b"")

    outcome = run("quality")

    assert outcome.code == 2
    assert "ground_truth.jsonl.parts can't be read: " in outcome.err
    assert "Move it away, and run `transcribe-pipeline pull --all`" in outcome.err
    path.rename(run.folder / "moved")
    pull(run, "--all")
    assert agreed(run) == before


def test_parts_of_a_server_with_two_names_count_once(run, labels):
    """As for lines: an annotation is known by its own name, however its server is asked."""
    task = two_reviews_of_the_second(run, labels)
    for number, each in enumerate(task["annotations"]):
        each["unique_id"] = f"uid-{number}"
    pull(run)
    run.use(LABEL_STUDIO_URL=run.env["LABEL_STUDIO_URL"].replace("127.0.0.1", "localhost"))
    pull(run)

    assert agreed(run) == ([(["2", "anna@example.com"], 1, 2)], {"2": 30, "anna@example.com": 60})


@pytest.mark.parametrize("third", ["accepted", "silent", "scratch"])
@pytest.mark.parametrize("lost", [[1], [1, 2], [1, 2, 3]])
def test_a_part_is_known_by_its_name_where_its_meta_is_lost(run, labels, lost, third):
    """A storage of the server drops `meta`: there is one line, also where no region has a key."""
    add(run, long=50)
    push(run)
    ends = [part["meta"]["part"]["cuts"][-1] for part in labels.tasks]
    heard = sum(each["from_name"] == "text" for each in results(labels.tasks[2]))
    if third == "silent":
        labels.tasks[2]["predictions"][0]["result"] = []
    for number in lost:
        labels.tasks[number - 1]["meta"] = {}
    accept(labels, labels.tasks[0], lead_time=10.0)
    assert (pull(run)["total"], pull(run)["unknown_parts"]) == (0, [])
    accept(labels, *labels.tasks[1:], lead_time=10.0)
    if third == "scratch":
        drawn = [each | {"id": each["id"].rpartition("-")[0]} for each in results(labels.tasks[2])]
        labels.submit(labels.tasks[2], drawn, prediction=None, lead_time=10.0)

    assert (pull(run)["added"], pull(run)["added"], pull(run, "--all")["doubt"]) == (1, 0, "")

    [line] = truth(run)
    assert [part.task_id for part in line.parts] == [1, 2, 3]
    assert len(line.segments) == (50 - heard if third == "silent" else 50)
    assert int(line.parts[2].start) == int(ends[2])


@pytest.mark.parametrize("audio", ["as it is", "quoted", "copied"])
def test_a_recording_that_is_called_like_a_part_has_its_own_line(run, labels, audio):
    """Its URI ends with that name; the URI of a part is that of its recording."""
    add(run, short=3)
    name = "one · part 1 of 3, 0:00-1:00"
    push(run)
    data = labels.tasks[0]["data"]
    data["recording"] = name
    data["audio"] = f"file:///calls/{quote(name)}" if audio == "quoted" else f"s3://calls/{name}"
    if audio == "copied":
        data |= {"recording_uri": data["audio"], "audio": "/data/upload/1/0-one.mp3"}
    labels.submit(labels.tasks[0], [], prediction=None)

    changes = pull(run)

    assert (changes["added"], changes["unknown_parts"]) == (1, [])
    assert truth(run)[0].parts == ()


def test_a_part_of_which_nothing_tells_which_is_no_line(run, labels):
    """It is told by its number at every pull; a line of the whole with its text would be wrong."""
    add(run, long=50)
    push(run)
    accept(labels, *labels.tasks)
    assert pull(run)["total"] == 1
    del labels.tasks[1:]
    labels.tasks[0]["meta"] = None
    for name in ("long.mp3", labels.tasks[0]["data"]["recording"]):
        labels.tasks[0]["data"]["recording"] = name

        outcome = run("pull", "--project", PROJECT, "--all")

        assert outcome.code == 0
        assert "1 of project 1's tasks is a part of a long recording" in outcome.err
        assert (pull(run)["unknown_parts"], pull(run)["doubt"], truth(run)) == ([1], "", [])
    labels.tasks.clear()
    assert pull(run)["unknown_parts"] == []


def test_parts_are_sent_in_bodies_that_a_proxy_takes(run, labels):
    """A recording of hours is several imports, though it is one line."""
    add(run, long=2_900)
    (run.folder / SETTINGS).write_text("")

    assert push(run)["parts"] == len(labels.tasks) == 17
    assert len(labels.imported) == 2
    assert max(labels.imported) < MOST_BYTES


def test_all_that_is_to_review_is_counted(run, labels):
    """A thousand of the tasks that long recordings lack are named, and all are counted."""
    add(run, long=50)
    push(run)
    part = labels.tasks[0]["meta"]["part"] | {"cuts": [float(n) for n in range(1, 1_202)]}
    labels.tasks = [
        labels.tasks[0] | {"id": n, "meta": {"part": part | {"number": n}}} for n in range(1, 1_203)
    ]
    accept(labels, labels.tasks[0])

    told = pull(run)

    assert (told["incomplete"], told["to_review_total"]) == (1, 1_201)
    assert told["to_review"] == list(range(2, 1_002))
    outcome = run("pull", "--project", PROJECT, "--config", SETTINGS)
    assert "1,201 of the tasks are not reviewed (2, 3, " in outcome.err


def test_an_empty_review_of_a_part_is_no_ground_truth(run, labels):
    """Words were predicted there, so the line would be shortened; a review with text counts."""
    add(run, long=50)
    push(run)
    accept(labels, *labels.tasks[:2])
    third = labels.tasks[2]
    labels.submit(third, [])

    changes = pull(run)

    assert (changes["total"], changes["incomplete"], changes["to_review"]) == (0, 1, [3])
    assert pull(run)["to_review"] == [3]
    [empty] = third["annotations"]
    accept(labels, third)
    third["annotations"].append(empty | {"id": 99, "ground_truth": True})
    assert pull(run)["total"] == 1
    assert len(truth(run)[0].segments) == 50


def test_an_empty_review_of_a_silent_part_is_as_it_should_be(run, labels):
    """The recording's words are in its other parts; nobody is asked to look at it again."""
    add(run, long=50)
    push(run)
    third = labels.tasks[2]
    third["predictions"][0]["result"] = []
    accept(labels, *labels.tasks)

    changes = pull(run)

    assert (changes["total"], changes["empty"], changes["to_review"]) == (1, [], [])


def heard_anew(run, labels, transcript: Transcript, *more: str) -> None:
    """Push another transcript of the long recording into the project."""
    folder = run.folder / "second"
    folder.mkdir()
    settings = "amazon-transcribe/de-DE"
    add_transcripts(
        folder, {"long.mp3": transcript}, TaskBuilder(TaskKind.SEGMENTS, MODEL), settings
    )
    push(run, "--output", "second/tasks.jsonl", "--reviewed-too", *more)


def across_the_cut(cut: float, score: float = 0.7) -> Transcript:
    """The long recording with one segment where there were two, on both sides of a cut."""
    segments = list(long(50).segments)
    after = next(n for n, each in enumerate(segments) if each.start > cut)
    one, two = segments[after - 1 : after + 1]
    both = Segment(f"{one.text} {two.text}", one.start, two.end, speaker="spk_0", confidence=0.8)
    segments[after - 1 : after + 1] = [both]
    text = " ".join(each.text for each in segments)
    return Transcript("calls", text, tuple(segments), 100, score, ("de-DE",))


@pytest.mark.parametrize("score", [0.7, 0.8])
def test_a_line_is_of_one_transcript(run, labels, score):
    """What is said across a cut is there once, also where two transcripts have the same score."""
    add(run, long=50)
    push(run)
    first = labels.tasks[0]
    accept(labels, first)
    heard_anew(run, labels, across_the_cut(first["meta"]["part"]["cuts"][0], score))
    accept(labels, *labels.tasks[1:])

    changes = pull(run)

    assert (changes["total"], changes["to_review"]) == (0, [1])
    accept(labels, first)
    assert pull(run)["total"] == 1
    assert truth(run)[0].text == across_the_cut(first["meta"]["part"]["cuts"][0]).text


def test_who_had_a_part_open_while_it_was_renewed_reviewed_the_earlier_one(run, labels):
    """The server's snapshot is of the later prediction, the regions are of the earlier one."""
    add(run, long=50)
    push(run)
    first = labels.tasks[0]
    earlier = results(deepcopy(first))
    heard_anew(run, labels, across_the_cut(first["meta"]["part"]["cuts"][0]))
    accept(labels, *labels.tasks[1:])
    labels.submit(first, earlier)

    changes = pull(run)

    assert (changes["total"], changes["to_review"]) == (0, [1])
    [line] = reviews(first, "", {})
    assert (line.predicted, line.deleted, line.text[:6]) == (None, (), "text 0")


def cut_anew(run, labels, *cuts: float) -> list[dict[str, Any]]:
    """Have somebody import the long recording once more, cut elsewhere."""
    content = (run.folder / "tasks.jsonl").read_bytes()
    tasks = [
        json.loads(task) | {"id": 10 + part.number, "annotations": []}
        for part, task in in_parts(content, cuts)
    ]
    labels.tasks += tasks
    return tasks


def test_a_recording_that_was_cut_in_two_ways_has_one_line(run, labels):
    """That of the later review; and of what lacks reviews that way is told which lacks fewest."""
    add(run, long=50)
    push(run)
    again = cut_anew(run, labels, 70.0, 100.0)
    accept(labels, labels.tasks[0], labels.tasks[2], again[1])

    changes = pull(run)

    assert (changes["total"], changes["incomplete"], changes["to_review"]) == (0, 1, [2])
    accept(labels, again[0], again[2], labels.tasks[1])
    assert pull(run)["total"] == 1
    assert [each.task_id for each in truth(run)[0].parts] == [1, 2, 3]
    labels.submit(again[1], corrected(again[1], "later"))
    assert pull(run)["total"] == 1
    assert [each.task_id for each in truth(run)[0].parts] == [11, 12, 13]


def test_a_complete_review_stays_until_a_later_one_is_complete(run, labels):
    """A new transcript of which some parts are reviewed takes no line away."""
    add(run, long=50)
    push(run)
    accept(labels, *labels.tasks)
    pull(run)
    before = truth(run)[0].text
    heard_anew(run, labels, across_the_cut(labels.tasks[0]["meta"]["part"]["cuts"][0]))

    for task in labels.tasks:
        assert [line.text for line in truth(run)] == [before]
        [earlier] = task["annotations"]
        accept(labels, task, id=100 + task["id"], unique_id=f"later-{task['id']}")
        task["annotations"].append(earlier)
        pull(run)

    assert len(truth(run)[0].segments) == 49


@pytest.mark.parametrize("how", [(), ("--all",)])
def test_a_push_that_stops_between_two_parts_takes_no_line_away(run, labels, how):
    """Tasks of the earlier and of the later job: the line stays, and the push is to run again."""
    add(run, long=50, short=3)
    push(run)
    accept(labels, *labels.tasks)
    pull(run)
    before = truth(run)
    job = labels.tasks[0]["data"]["job_id"]
    first = labels.tasks[0]
    heard_anew(run, labels, across_the_cut(first["meta"]["part"]["cuts"][0]))
    later = {}
    for task in labels.tasks[1:3]:  # as if it had ended behind the first part
        later[task["id"]] = deepcopy({name: task[name] for name in ("data", "meta")})
        task["data"], task["meta"] = deepcopy(task["data"]), deepcopy(task["meta"])
        task["data"]["job_id"] = task["meta"]["part"]["job_id"] = job

    changes = pull(run, *how)

    assert "have another job than the other tasks" in changes["doubt"]
    assert (changes["removed"], changes["incomplete"], truth(run)) == (0, 0, before)
    for task in labels.tasks[1:3]:
        task.update(later[task["id"]])
    labels.withdraw(labels.tasks[1])
    last = pull(run)
    assert (last["removed"], last["to_review"], last["doubt"]) == (1, [2], "")


def test_numbers_that_other_recordings_have_now_hide_none_of_them(run, labels):
    """A server that was set up again begins at 1: the tasks of a line there are others' now."""
    add(run, long=50)
    push(run)
    accept(labels, *labels.tasks)
    pull(run)
    labels.tasks.clear()
    (run.folder / "second").mkdir()
    heard = {"other.mp3": long(30), "third.mp3": long(45)}
    add_transcripts(run.folder / "second", heard, TaskBuilder(TaskKind.SEGMENTS, MODEL))
    push(run, "--output", "second/tasks.jsonl")
    for task in labels.tasks[2:]:
        task["meta"]["part"]["cuts"] = [16.0, 70.0]
    accept(labels, labels.tasks[0], labels.tasks[2])

    changes = pull(run, "--all")

    assert (changes["doubt"], changes["incomplete"], changes["to_review"]) == ("", 2, [2, 4, 5])


def test_a_kept_recording_that_lacks_a_part_is_told(run, labels):
    """A second round leaves a reviewed recording as it is, also one of which a part is deleted."""
    add(run, long=50, other=50, short=3)
    push(run)
    accept(labels, labels.tasks[0], labels.tasks[3], labels.tasks[6])
    del labels.tasks[1]
    (run.folder / "second").mkdir()
    heard = {name: long(count) for name, count in [("long.mp3", 50), ("other.mp3", 50)]}
    heard["short.mp3"] = long(3)
    builder = TaskBuilder(TaskKind.SEGMENTS, MODEL)
    add_transcripts(run.folder / "second", heard, builder, "amazon-transcribe/de-DE")
    second = ("--config", SETTINGS, "--output", "second/tasks.jsonl")

    told = run("push", "--project", PROJECT, *second)
    counted = push(run, "--again", "--output", "second/tasks.jsonl")
    push(run, "--again")
    mended = push(run, "--again", "--output", "second/tasks.jsonl")

    assert "Kept:    3 of recordings that are reviewed" in told.err
    assert "Lacking: 1 of these is in several tasks, of which some were deleted" in told.err
    assert (counted["reviewed"], counted["lacking"], counted["sent"]) == (3, 1, 0)
    assert (mended["reviewed"], mended["lacking"]) == (3, 0)
    assert len(labels.tasks) == 7
