"""PocketSphinx in its processes, on the recordings that come with the program."""

import asyncio
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

import pipeline.local
from pipeline.local import CloudOptions, MediaRefused, MediaSettings, local_cloud, messages
from pipeline.local.pocketsphinx_pool import PocketSphinx, Worker
from tests.local.conftest import UNHURRIED, connected

RECORDINGS = Path(pipeline.local.__file__).parent / "recordings"
TEXTS = json.loads((RECORDINGS / "texts.json").read_text(encoding="utf-8"))


async def test_clear_speech_is_recognised_word_for_word_over_the_wire(tmp_path):
    """From a file in the folder to the transcript at the address that Get hands out."""
    shutil.copy(RECORDINGS / "calls/invoice.wav", tmp_path / "invoice.wav")
    options = CloudOptions(bucket="audio", quotas=UNHURRIED)
    async with local_cloud(tmp_path, options) as cloud, connected(cloud) as client:
        await client.start("job", "invoice.wav")
        job = await client.ended("job")
        found = (await client.read(job["Transcript"]["TranscriptFileUri"]))["results"]

    assert found["transcripts"][0]["transcript"] == TEXTS["calls/invoice.wav"]
    assert (job["MediaFormat"], job["MediaSampleRateHertz"]) == ("wav", 16000)
    ends = [float(item["end_time"]) for item in found["items"]]
    assert ends == sorted(ends)
    assert ends[-1] < 4
    assert all(0 <= float(item["alternatives"][0]["confidence"]) <= 1 for item in found["items"])


async def test_channels_silence_and_broken_files_each_get_their_due():
    """Two channels are heard apart, silence has no words, and a broken file a reason."""
    both = MediaSettings(channel_identification=True)
    async with PocketSphinx() as recogniser:
        apart, silence, broken = await asyncio.gather(
            recogniser.recognise(RECORDINGS / "calls/two-channels.flac", both),
            recogniser.recognise(RECORDINGS / "calls/nobody-speaks.flac", MediaSettings()),
            recogniser.recognise(RECORDINGS / "broken/cut-off.m4a", MediaSettings()),
            return_exceptions=True,
        )

    assert not isinstance(apart, BaseException)
    assert {word.channel for word in apart.words} == {0, 1}
    said = " ".join(word.text for word in sorted(apart.words, key=lambda word: word.channel))
    assert sorted(said.split()) == sorted(TEXTS["calls/two-channels.flac"].split())
    assert not isinstance(silence, BaseException)
    assert silence.words == ()
    assert isinstance(broken, MediaRefused)
    assert broken.reason == messages.DATA_NOT_VALID


async def test_what_is_heard_does_not_depend_on_what_was_heard_before():
    """The same file gives the same words and confidences, in a used process as in a fresh one."""
    path = RECORDINGS / "calls/manager.flac"
    async with PocketSphinx(processes=1) as recogniser:
        fresh = await recogniser.recognise(path, MediaSettings())
        await recogniser.recognise(RECORDINGS / "calls/empty-box.ogg", MediaSettings())
        used = await recogniser.recognise(path, MediaSettings())

    assert fresh == used


async def test_no_more_processes_begin_than_asked_for(write_wav):
    """Many files at once wait for few processes, and processes are used again."""
    path = write_wav("a.wav")
    async with PocketSphinx(processes=2) as recogniser:
        assert not recogniser._all
        await asyncio.gather(*(recogniser.recognise(path, MediaSettings()) for _ in range(8)))

        assert len(recogniser._all) == 2


async def test_a_process_that_dies_is_replaced_and_its_file_tried_again(write_wav):
    """One crash is nobody's failure."""
    path = write_wav("a.wav")
    async with PocketSphinx(processes=1) as recogniser:
        await recogniser.recognise(path, MediaSettings())
        (worker,) = recogniser._all
        worker._process.kill()
        speech = await recogniser.recognise(path, MediaSettings())

        assert speech.duration == 1.0
        assert worker not in recogniser._all


async def test_a_file_that_brings_down_two_processes_is_an_internal_failure(tmp_path):
    """It fails alone, in words that begin with "Internal"."""
    counted = ("sh", "-c", f"echo >> {tmp_path}/begun; read line; kill -SEGV $$")
    async with PocketSphinx(processes=1, program=counted) as recogniser:
        with pytest.raises(MediaRefused, match=r"^Internal"):
            await recogniser.recognise(tmp_path / "any.wav", MediaSettings())

        assert not recogniser._all
    assert (tmp_path / "begun").read_text() == "\n\n"


async def test_closing_in_the_middle_of_speech_takes_no_time():
    """Processes are ended, not waited for."""
    async with PocketSphinx(processes=1) as recogniser:
        path = RECORDINGS / "calls/invoice.wav"
        task = asyncio.create_task(recogniser.recognise(path, MediaSettings()))
        await asyncio.sleep(0.3)
        assert recogniser._all
        task.cancel()
        began = time.perf_counter()
    taken = time.perf_counter() - began
    with pytest.raises(asyncio.CancelledError):
        await task

    assert taken < 1


async def test_a_process_ends_when_nobody_is_left_to_ask(tmp_path):
    """It reads its standard input to the end, and ignores a Ctrl-C meant for its parent."""
    worker = await Worker.start()
    process = worker._process
    assert process.stdin

    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    process.stdin.close()
    code = await asyncio.wait_for(process.wait(), 10)

    assert code != -signal.SIGKILL
    await worker.end()


async def test_a_process_imports_nothing_from_where_it_was_started(
    tmp_path, monkeypatch, write_wav
):
    """A folder with a module of a well-known name does no harm."""
    (tmp_path / "pocketsphinx.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    async with PocketSphinx(processes=1) as recogniser:
        speech = await recogniser.recognise(write_wav("a.wav"), MediaSettings())

    assert speech.words == ()
