"""What the reviewers of these tests are given to review: real sound, and what was heard in it."""

from __future__ import annotations

import io
import json
import wave
from typing import TYPE_CHECKING

import av

from pipeline.model import Segment, Transcript, Word
from tests.conftest import RECORDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 16_000
PAUSE = 0.4
UNSURE_TURN, UNSURE = 2, 6
"""The word that is wrong: that of the account, in the third turn."""
TURNS = (
    ("monday/call.mp3", "is there anything else that i can do for you"),
    ("tuesday/call.mp3", "my computer has not been working since yesterday"),
    ("calls/account-number.m4a", "could you please give me your count number"),
    ("calls/manager.flac", "i would like to speak to the manager please"),
    ("calls/call-back.webm", "we will call you back in about twenty minutes"),
)
"""Bundled recordings that make a conversation, and what was heard: one word of it is wrong."""

SAID = json.loads((RECORDINGS / "texts.json").read_text(encoding="utf-8"))


ENGLISH = tuple(text for _, text in TURNS)
ARABIC = (
    "هل يمكنني مساعدتك في شيء آخر؟ 😀",
    "جهاز الكمبيوتر الخاص بي لا يعمل منذ أمس (Windows 11)",
    "هل يمكنك إعطائي رقم حسابك من فضلك؟",
    "أود التحدث إلى المدير 🙏🏽 من فضلك",
    "سنتصل بك مرة أخرى خلال 20 دقيقة",
)
"""What was heard; and the same from right to left, with words and digits of ours, and emoji."""


def conversation(times: int = 1, texts: tuple[str, ...] = ENGLISH) -> tuple[bytes, Transcript]:
    """Two speakers who take turns: the sound as WAV, and the transcript in an identified language.

    Each turn is a segment with the times of its recording in the whole; all turns are there as
    many times as is said.
    """
    sounds = [b"".join(_samples(name)) for name, _ in TURNS] * times
    sound, segments = bytearray(), []
    for number, (turn, text) in enumerate(zip(sounds, texts * times, strict=True)):
        start = len(sound) / 2 / RATE
        sound += turn
        end = len(sound) / 2 / RATE
        segments.append(_turn(number, text, round(start, 3), round(end, 3)))
        sound += bytes(int(PAUSE * RATE) * 2)
    return _wav(bytes(sound)), _transcript(segments)


def _turn(number: int, text: str, start: float, end: float) -> Segment:
    unsure = {UNSURE: 0.31} if number % len(TURNS) == UNSURE_TURN else {}
    words = [Word(word, start, end, unsure.get(n, 0.98)) for n, word in enumerate(text.split())]
    who = f"spk_{number % 2}"
    return Segment(text, start, end, who, confidence=0.98, words=tuple(words))


def hour(of_segments: int) -> Transcript:
    """An hour's conversation of two; nobody recorded it."""
    seconds = 3600 / of_segments
    return _transcript(
        [
            Segment(f"segment number {n}", n * seconds, (n + 0.9) * seconds, f"spk_{n % 2}")
            for n in range(of_segments)
        ]
    )


def _transcript(segments: list[Segment]) -> Transcript:
    text = " ".join(each.text for each in segments)
    languages = ("en-US", "de-DE")
    return Transcript("calls", text, tuple(segments), len(text.split()), 0.98, languages)


def _samples(name: str) -> Iterator[bytes]:
    """The sound of a bundled recording: 16-bit samples of one channel."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(RECORDINGS / name)) as container:
        for frame in (*container.decode(audio=0), None):
            for piece in resampler.resample(frame):
                yield bytes(piece.planes[0])[: piece.samples * 2]


def _wav(sound: bytes) -> bytes:
    whole = io.BytesIO()
    with wave.open(whole, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes(sound)
    return whole.getvalue()
