"""Recordings of a folder, which reviewers hear as copies that push has made."""

from __future__ import annotations

from copy import deepcopy
from urllib.parse import quote

import pytest

from pipeline.label_studio.copies import LARGEST, NotCopied, checked_file
from pipeline.label_studio.task_lines import TaskLine
from tests.label_studio_server.outputs import add_files
from tests.support.small_label_studio import (
    PROJECT,
    TITLE,
    Request,
    SmallLabelStudio,
    served,
)

TEXTS = {"a b.mp3": "one two", "Grüße.wav": "three", "c.amr": "four"}
HEARD = ["a b.mp3", "Grüße.wav"]


class Labels(SmallLabelStudio):
    """It refuses the calls named in `refused`, such as `task`, with a status."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, int] = {}

    def answer(self, request: Request) -> tuple[int, object]:
        """What it answers."""
        if status := self.refused.get(request.call):
            return status, {"status_code": status, "detail": "not now"}
        return super().answer(request)


@pytest.fixture
def labels(run):
    """A server with a project, which the commands of a test use."""
    labels = Labels()
    with served(labels, run):
        yield labels


@pytest.fixture
def folder(run, tmp_path_factory):
    """A folder of recordings whose tasks are in the output."""
    folder = tmp_path_factory.mktemp("calls of today")
    for name in TEXTS:
        (folder / name).write_bytes(name[:7].encode().ljust(7)[:7])
    add_files(folder, run.folder, TEXTS)
    return folder


def copies(labels: Labels) -> dict[str, bytes]:
    """What is heard of each task, by its recording's name; nothing is what no copy is played of."""
    return {
        each["data"]["recording"]: labels.uploads.get(each["data"]["audio"], b"")
        for each in labels.tasks
    }


def test_recordings_of_a_folder_are_copied_once(run, labels, folder):
    """Each task plays its own recording; a second push copies nothing again."""
    first = run("push", "--create", TITLE, "--upload-audio")
    second = run("push", "--create", TITLE, "--upload-audio", "--again")

    assert (first.code, second.code) == (0, 0)
    assert "Heard:   2 recordings of this machine" in first.err
    assert "Heard" not in second.err
    assert copies(labels) == {name: (folder / name).read_bytes() for name in HEARD} | {"c.amr": b""}
    assert len(labels.uploads) == 2
    assert len(labels.tasks) == 3


def test_what_was_pushed_without_sound_is_heard_later(run, labels, folder):
    """Without the option push says how many bytes it would copy; with it the tasks there get it."""
    said = run("push", "--create", TITLE).err
    assert not labels.uploads
    add_files(folder, run.folder, {"late.mp3": "five"})
    (folder / "late.mp3").write_bytes(b"late on")

    later = run("push", "--create", TITLE, "--upload-audio", "--json").summary

    assert "3 recordings lie in a folder of this machine (file://), 0.0 MB" in said
    assert "--upload-audio" in said
    assert (later["copied"], later["sent"], later["there"]) == (3, 1, 3)
    assert copies(labels)["late.mp3"] == b"late on"
    assert ["AMR" in each for each in later["advice"]] == [True]


def test_tasks_that_are_not_of_this_recording_stay_as_they_are(run, labels, folder):
    """One of the file's earlier content, and another program's."""
    run("push", "--create", TITLE)
    earlier, other = deepcopy(labels.tasks[0]), deepcopy(labels.tasks[0])
    earlier["meta"]["etag"] = "another"
    earlier["data"]["job_id"] = "another"
    other["data"] = {"audio": other["data"]["audio"]}
    labels.tasks += [earlier | {"id": 4}, other | {"id": 5}]
    before = deepcopy(labels.tasks[3:])

    said = run("push", "--create", TITLE, "--upload-audio", "--json").summary

    assert (said["copied"], len(labels.uploads)) == (2, 2)
    assert labels.tasks[3:] == before
    assert labels.tasks[0]["data"]["audio"] in labels.uploads


def test_both_contents_of_a_file_are_told_whether_they_are_heard(run, labels, folder):
    """A file that was transcribed, changed and transcribed again has two tasks in one batch."""
    add_files(folder, run.folder, {"a b.mp3": "one two"}, settings="later")
    lines = (run.folder / "tasks.jsonl").read_bytes().splitlines(keepends=True)
    lines[-1] = lines[-1].replace(b'"etag":"1"', b'"etag":"2"')
    (run.folder / "tasks.jsonl").write_bytes(b"".join(lines))

    run("push", "--create", TITLE, "--upload-audio")

    heard = [each["data"]["audio"] in labels.uploads for each in labels.tasks]
    assert sorted(each["meta"]["etag"] for each in labels.tasks) == ["1", "1", "1", "2"]
    assert sum(heard) == 3


def test_a_review_of_a_copy_is_one_of_the_recording(run, labels, folder):
    """The ground truth names the file, and no column of the user's for it."""
    run("push", "--create", TITLE, "--upload-audio")
    labels.review(labels.tasks[0], "one two three")

    run("pull", "--project", PROJECT)

    [line] = run.tasks("ground_truth.jsonl")
    assert line["audio"] == f"{folder.as_uri()}/{quote(labels.tasks[0]['data']['recording'])}"
    assert "metadata" not in line


@pytest.mark.parametrize("option", [["--upload-audio"], []])
def test_a_second_round_finds_the_recording_and_keeps_its_copy(run, labels, folder, option):
    """One task a recording, with the new prediction and the sound that it had."""
    run("push", "--create", TITLE, "--upload-audio")
    before = copies(labels)
    (run.folder / "second").mkdir()
    add_files(folder, run.folder / "second", TEXTS, settings="amazon-transcribe/de-DE")

    again = run("push", "--create", TITLE, "--output", "second/tasks.jsonl", *option)

    assert "Renewed: 3 of recordings that were there" in again.err
    assert len(labels.uploads) == 2
    assert copies(labels) == before


def test_a_copy_is_not_made_again_when_its_task_could_not_be_told(run, labels, folder):
    """Whoever is stopped between the copy and the task goes on with the copy that is there."""
    labels.refused = {"task": 403}
    stopped = run("push", "--create", TITLE, "--upload-audio")
    labels.refused = {}

    assert (stopped.code, len(labels.uploads)) == (2, 1)
    assert run("push", "--create", TITLE, "--upload-audio").code == 0
    assert len(labels.uploads) == 2
    assert all(copies(labels)[name] for name in HEARD)


def test_what_cannot_be_copied_is_named_and_copied_later(run, labels, folder):
    """The tasks are there all the same; --again gives them their sound once it can."""
    (folder / HEARD[0]).rename(folder / "elsewhere")
    (folder / HEARD[1]).write_bytes(b"another call")

    said = run("push", "--create", TITLE, "--upload-audio")
    (folder / "elsewhere").rename(folder / HEARD[0])
    labels.refused = {"upload": 413}
    refused = run("push", "--create", TITLE, "--upload-audio", "--again").err
    labels.refused = {}
    mended = run("push", "--create", TITLE, "--upload-audio", "--again").err

    assert said.code == 0
    assert "Silent:  2 recordings that could not be copied" in said.err
    assert "a%20b.mp3: it can't be read: No such file or directory." in said.err
    assert "it is not the file any more that was transcribed" in said.err
    assert "the server refuses it: A proxy before" in refused
    assert "Heard:   1 recording of" in mended
    assert len(labels.tasks) == 3


def test_a_recording_that_label_studio_would_not_read_is_not_sent(tmp_path):
    """It answers 500 to a body over its limit, which would be tried again and again."""
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(LARGEST)
    line = TaskLine(b"", 0, "job", {"audio": path.as_uri()}, [], size=LARGEST)

    with pytest.raises(NotCopied, match="it has 262,144,000 bytes, and Label Studio takes"):
        checked_file(line)
