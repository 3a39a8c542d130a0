"""A recognising process: one line of JSON a file on standard input, one line an answer.

Run as `python -m pipeline.local.speech`. It ends with its input. A file that brings the process
down takes nothing else with it.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson
from pocketsphinx import Decoder, Endpointer, Vad

from pipeline.local import words
from pipeline.local.media import RATE, open_media, sound
from pipeline.local.recogniser import MediaRefused, MediaSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRAMES_A_SECOND = 100
_BYTES_A_SECOND = 2 * RATE
_LONG = 20 * _BYTES_A_SECOND
_TOO_LONG = 30 * _BYTES_A_SECOND
_SHORTEST = _BYTES_A_SECOND // 10
_NOT_A_WORD = re.compile(r"^[<\[(+].*")
_PRONUNCIATION = re.compile(r"\(\d+\)$")

Utterance = tuple[float, bytes]
"""When it begins, in seconds, and its 16-bit samples."""


class Utterances:
    """Cuts one channel's sound where nobody speaks.

    Speech that does not pause is cut after 20 s at the first quiet moment, after 30 s anywhere.
    """

    def __init__(self) -> None:
        # Values that begin early and end late: a clipped first sound spoils the first words.
        self._ends = Endpointer(window=0.5, ratio=0.5, vad_mode=1)
        self._quiet = Vad(mode=3)
        self._waiting = b""
        self._speech = bytearray()
        self._start = 0.0

    def feed(self, sound_bytes: bytes) -> Iterator[Utterance]:
        """Take more sound; yields the utterances that have ended (start in seconds, samples)."""
        self._waiting += sound_bytes
        size = self._ends.frame_bytes
        # The last frame is held back: the end of the stream must be told with one.
        while len(self._waiting) > size:
            frame, self._waiting = self._waiting[:size], self._waiting[size:]
            yield from self._take(self._ends.process(frame), frame)

    def finish(self) -> Iterator[Utterance]:
        """The sound has ended; yields what was still being spoken."""
        if self._waiting:
            self._collect(self._ends.end_stream(self._waiting))
        yield from self._utterance()

    def _take(self, speech: bytes | None, frame: bytes) -> Iterator[Utterance]:
        self._collect(speech)
        ended = not self._ends.in_speech
        size = len(self._speech)
        if ended or size > _TOO_LONG or (size > _LONG and not self._quiet.is_speech(frame)):
            yield from self._utterance()

    def _collect(self, speech: bytes | None) -> None:
        if speech and not self._speech:
            self._start = max(self._start, self._ends.speech_start)
        self._speech += speech or b""

    def _utterance(self) -> Iterator[Utterance]:
        if not self._speech:
            return
        start, speech = self._start, bytes(self._speech)
        self._start = start + len(speech) / _BYTES_A_SECOND
        self._speech.clear()
        if len(speech) >= _SHORTEST:
            yield start, speech


class Ear:
    """The model, loaded when it is first needed."""

    def __init__(self) -> None:
        self._decoder: Any = None

    def listen(self, path: str, settings: MediaSettings) -> dict[str, Any]:
        """The words of one file, and what was detected in it.

        Raises:
            MediaRefused: in the service's words.
        """
        with open_media(path, settings) as media:
            apart = settings.channel_identification
            channels = [Utterances() for _ in range(media.channels if apart else 1)]
            samples = 0
            heard = []
            for pieces in sound(media, apart=apart):
                samples += len(pieces[0]) // 2
                for number, piece in enumerate(pieces):
                    heard += self._words(number, channels[number].feed(piece))
            for number, channel in enumerate(channels):
                heard += self._words(number, channel.finish())
            return {
                "words": heard,
                "duration": samples / RATE,
                "media_format": media.media_format,
                "sample_rate": media.sample_rate,
                "channels": len(channels),
            }

    def _words(
        self, channel: int, utterances: Iterator[Utterance]
    ) -> list[tuple[str, float, float, float, int]]:
        return [
            (text, start, end, confidence, channel)
            for offset, speech in utterances
            for text, start, end, confidence in self._recognise(offset, speech)
        ]

    def _recognise(self, offset: float, speech: bytes) -> Iterator[tuple[str, float, float, float]]:
        if self._decoder is None:
            self._decoder = Decoder(loglevel="FATAL")
        self._decoder.start_utt()
        # A whole utterance at once is normalised by itself: no file colours the next.
        self._decoder.process_raw(speech, no_search=False, full_utt=True)
        self._decoder.end_utt()
        for segment in self._decoder.seg() or () if self._decoder.hyp() else ():
            if _NOT_A_WORD.match(segment.word):
                continue
            start = offset + segment.start_frame / _FRAMES_A_SECOND
            end = offset + (segment.end_frame + 1) / _FRAMES_A_SECOND
            text = _PRONUNCIATION.sub("", segment.word)
            yield text, round(start, 3), round(end, 3), min(1.0, max(0.0, segment.prob))


def answer(ear: Ear, line: bytes) -> bytes:
    """One request's answer: the speech, or why the file was refused."""
    request = orjson.loads(line)
    settings = MediaSettings(**request["settings"])
    try:
        found = ear.listen(request["path"], settings)
    except MediaRefused as refused:
        found = {"refused": refused.reason}
    except OSError:
        found = {"refused": words.INPUT_UNREADABLE}
    return orjson.dumps(found) + b"\n"


def _read(lines: BinaryIO, queue: SimpleQueue[bytes]) -> None:
    for line in lines:
        queue.put(line)
    # Whoever asked is gone, and with it any use for what is being recognised.
    os._exit(0)


def main() -> None:
    """Answer until standard input ends."""
    queue: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, queue), daemon=True).start()
    # Nothing a library prints may come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    ear = Ear()
    while True:
        answers.write(answer(ear, queue.get()))
        answers.flush()


if __name__ == "__main__":
    main()
