"""A recognising process: one line of JSON a file on standard input, one line an answer.

Run as `python -m pipeline.local.speech`. It ends with its input. A file that brings the process
down takes nothing else with it.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
from pocketsphinx import Decoder, Vad

from pipeline.local import messages
from pipeline.local.media import RATE, open_media, sound
from pipeline.local.recogniser import Answer, MediaRefused, Speech, SpokenWord, Task, Versions
from pipeline.local.utterances import FRAME, Utterance, Utterances

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.local.recogniser import MediaSettings, Phrase

_FRAMES_A_SECOND = 100
_STRICTNESS = 1  # of 0..3 in taking sound for speech: words lost here are lost for good
_NOT_A_WORD = re.compile(r"^[<\[(+].*")
_PHRASE = "custom vocabulary "  # no word of the dictionary has a space
_TAUGHT = re.compile(re.escape(_PHRASE) + r"\d+")
_MOST_TRIED = 500  # most of them differ in nothing but how a word is said
_PRONUNCIATION = re.compile(r"\(\d+\)$")


class Transcriber:
    """The model, loaded when it is first needed, and once more for each other vocabulary."""

    def __init__(self) -> None:
        self._decoder: Any = None
        self._phrases: tuple[Phrase, ...] = ()
        self._stream_of: int | None = None
        self._wanted = 1
        self._versions: list[Versions] = []

    def transcribe(self, path: str, settings: MediaSettings) -> Speech:
        """The words of one file, and what was detected in it.

        Raises:
            MediaRefused: in the service's words.
        """
        self._stream_of, self._wanted, self._versions = None, settings.versions, []
        if settings.phrases != self._phrases:
            self._decoder, self._phrases = None, settings.phrases
        with open_media(path, settings) as media:
            apart = settings.channel_identification
            channels = [_utterances() for _ in range(media.channels if apart else 1)]
            samples = 0
            words: list[SpokenWord] = []
            for pieces in sound(media, apart=apart):
                samples += len(pieces[0]) // 2
                for number, piece in enumerate(pieces):
                    words += self._words(number, channels[number].feed(piece))
            for number, channel in enumerate(channels):
                words += self._words(number, channel.finish())
            return Speech(
                words=tuple(words),
                duration=samples / RATE,
                media_format=media.media_format,
                sample_rate=media.sample_rate,
                channels=len(channels),
                versions=tuple(self._versions),
            )

    def _words(self, channel: int, utterances: Iterator[Utterance]) -> Iterator[SpokenWord]:
        for offset, speech in utterances:
            yield from self._recognise(channel, offset, speech)

    def _start_stream(self, channel: int) -> None:
        """Forget the noise of another file or channel: the words must not depend on it."""
        if self._decoder is None:
            self._decoder = Decoder(loglevel="FATAL")
            _add_phrases(self._decoder, self._phrases)
        if self._stream_of != channel:
            # 5.0 calls this unnecessary, but it is what makes a file's words repeatable.
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                self._decoder.start_stream()
            self._stream_of = channel

    def _recognise(self, channel: int, offset: float, speech: bytes) -> list[SpokenWord]:
        self._start_stream(channel)
        self._decoder.start_utt()
        self._decoder.process_raw(speech, no_search=False, full_utt=True)
        self._decoder.end_utt()
        spoken: list[SpokenWord] = []
        for segment in self._decoder.seg() if self._decoder.hyp() else ():
            if _NOT_A_WORD.match(segment.word):
                continue
            start = offset + segment.start_frame / _FRAMES_A_SECOND
            end = offset + (segment.end_frame + 1) / _FRAMES_A_SECOND
            text = self._written(_PRONUNCIATION.sub("", segment.word))
            confidence = min(1.0, max(0.0, segment.prob))
            spoken.append(SpokenWord(text, round(start, 3), round(end, 3), confidence, channel))
        if spoken and self._wanted > 1:
            texts = self._texts(spoken)
            self._versions.append(Versions(spoken[0].start, spoken[-1].end, texts))
        return spoken

    def _texts(self, spoken: Sequence[SpokenWord]) -> tuple[str, ...]:
        """What was recognised, and what else it may have been, the likeliest first."""
        best = " ".join(word.text for word in spoken)
        others = (
            _TAUGHT.sub(lambda match: self._written(match[0]), each.hypstr)
            for each in islice(self._decoder.nbest(), _MOST_TRIED)
        )
        return tuple(dict.fromkeys([best, *filter(None, others)]))[: self._wanted]

    def _written(self, word: str) -> str:
        """The word, or the phrase it stands for."""
        if not word.startswith(_PHRASE):
            return word
        return self._phrases[int(word.removeprefix(_PHRASE))].shown


def _add_phrases(decoder: Any, phrases: Sequence[Phrase]) -> None:
    """Make each phrase one word of the model, said as its parts are.

    The dictionary knows 134,000 English words and the letters. A phrase with a part that it does
    not know can't be taught: nothing here guesses how a name is said.
    """
    sounds = {number: _pronunciations(decoder, phrase) for number, phrase in enumerate(phrases)}
    known = [number for number, parts in sounds.items() if all(parts)]
    for number in known:
        # The search learns all of them with the last: it takes 0.1 s, however many they are.
        last = number == known[-1]
        decoder.add_word(f"{_PHRASE}{number}", " ".join(filter(None, sounds[number])), last)


def _pronunciations(decoder: Any, phrase: Phrase) -> list[str | None]:
    """How each word is said, None where the dictionary does not know it; "a." is the letter."""
    return [
        (len(word) == 1 and decoder.lookup_word(f"{word}.")) or decoder.lookup_word(word)
        for word in phrase.words
    ]


def _utterances() -> Utterances:
    detector = Vad(mode=_STRICTNESS, frame_length=FRAME)
    return Utterances(detector.frame_bytes, detector.is_speech)


def answer(transcriber: Transcriber, task: Task) -> Answer:
    """The speech of one file, or why it was refused."""
    try:
        return Answer(transcriber.transcribe(os.fsdecode(task.path), task.settings))
    except MediaRefused as refused:
        return Answer(None, refused.reason)
    except OSError:
        return Answer(None, messages.INPUT_UNREADABLE)


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
    transcriber = Transcriber()
    while True:
        task = msgspec.json.decode(queue.get(), type=Task)
        answers.write(msgspec.json.encode(answer(transcriber, task)) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
