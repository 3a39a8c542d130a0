"""A recognising process: one line of JSON a file on standard input, one line an answer.

Run as `python -m pipeline.local.speech`. It ends with its input. A file that brings the process
down takes nothing else with it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import warnings
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from pocketsphinx import Decoder, Vad

from pipeline.local import words
from pipeline.local.media import RATE, open_media, sound
from pipeline.local.recogniser import MediaRefused, MediaSettings
from pipeline.local.utterances import FRAME, Utterance, Utterances

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRAMES_A_SECOND = 100
_STRICTNESS = 1  # of 0..3 in taking sound for speech: words lost here are lost for good
_NOT_A_WORD = re.compile(r"^[<\[(+].*")
_PRONUNCIATION = re.compile(r"\(\d+\)$")


class Ear:
    """The model, loaded when it is first needed."""

    def __init__(self) -> None:
        self._decoder: Any = None
        self._tuned_to: int | None = None

    def listen(self, path: str, settings: MediaSettings) -> dict[str, Any]:
        """The words of one file, and what was detected in it.

        Raises:
            MediaRefused: in the service's words.
        """
        self._tuned_to = None
        with open_media(path, settings) as media:
            apart = settings.channel_identification
            channels = [_utterances() for _ in range(media.channels if apart else 1)]
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
            for text, start, end, confidence in self._recognise(channel, offset, speech)
        ]

    def _tune(self, channel: int) -> None:
        """Forget the noise of another file or channel: what is heard must not depend on it."""
        if self._decoder is None:
            self._decoder = Decoder(loglevel="FATAL")
        if self._tuned_to != channel:
            # 5.0 calls this unnecessary, but it is what makes a file's words repeatable.
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                self._decoder.start_stream()
            self._tuned_to = channel

    def _recognise(
        self, channel: int, offset: float, speech: bytes
    ) -> Iterator[tuple[str, float, float, float]]:
        self._tune(channel)
        self._decoder.start_utt()
        self._decoder.process_raw(speech, no_search=False, full_utt=True)
        self._decoder.end_utt()
        for segment in self._decoder.seg() if self._decoder.hyp() else ():
            if _NOT_A_WORD.match(segment.word):
                continue
            start = offset + segment.start_frame / _FRAMES_A_SECOND
            end = offset + (segment.end_frame + 1) / _FRAMES_A_SECOND
            text = _PRONUNCIATION.sub("", segment.word)
            yield text, round(start, 3), round(end, 3), min(1.0, max(0.0, segment.prob))


def _utterances() -> Utterances:
    detector = Vad(mode=_STRICTNESS, frame_length=FRAME)
    return Utterances(detector.frame_bytes, detector.is_speech)


def answer(ear: Ear, line: bytes) -> bytes:
    """One request's answer: the speech, or why the file was refused."""
    request = json.loads(line)
    settings = MediaSettings(**request["settings"])
    try:
        found = ear.listen(request["path"], settings)
    except MediaRefused as refused:
        found = {"refused": refused.reason}
    except OSError:
        found = {"refused": words.INPUT_UNREADABLE}
    return json.dumps(found).encode() + b"\n"


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
