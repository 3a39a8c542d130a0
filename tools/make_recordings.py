#!/usr/bin/env python3
"""Makes the bundled recordings, and `texts.json` with what is said in them.

    python -m tools.make_recordings [FOLDER]

FOLDER is where they go; without it, `pipeline/local/recordings/`. `flite` speaks the sentences
and `ffmpeg` encodes them; both must be on the PATH. The same releases make the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

BUNDLED = Path(__file__).parent.parent / "pipeline" / "local" / "recordings"
VOICE = "slt"
RATE = 16_000  # frames a second, as the voice speaks
FRAME = 2  # bytes of one channel's sample
PAUSE = 0.5  # seconds between the end of one voice and the start of the next
SILENCE = 3.0  # seconds of the clip in which nobody speaks
HISS = 16  # its loudest sample; the recogniser hears a word in a clip that is nothing but zeros
KEPT_OF_BROKEN = 0.6  # the index of an .m4a stands at its end: with this share it has none

WAV = ("-c:a", "pcm_s16le")
FLAC = ("-c:a", "flac")
MP3 = ("-ar", "22050", "-c:a", "libmp3lame", "-b:a", "48k", "-f", "mp3")
VORBIS = ("-ar", "44100", "-c:a", "libvorbis", "-q:a", "3", "-f", "ogg")
OPUS_IN_OGG = ("-c:a", "libopus", "-b:a", "32k", "-f", "ogg")
OPUS_IN_WEBM = ("-c:a", "libopus", "-b:a", "32k", "-f", "webm")
AAC = ("-ar", "44100", "-c:a", "aac", "-b:a", "64k", "-f", "ipod")

REPEATABLE = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact")


@dataclass(frozen=True)
class Clip:
    """One recording: where it lies, how it is encoded, what each of its channels says in turn."""

    path: str
    encoding: tuple[str, ...]
    channels: tuple[str, ...]

    @property
    def text(self) -> str:
        """All that is said, in the order of time."""
        return " ".join(self.channels)


CLIPS = (
    Clip(
        "calls/account-number.m4a",
        AAC,
        ("could you please give me your account number",),
    ),
    Clip(
        "calls/call-back.webm",
        OPUS_IN_WEBM,
        ("we will call you back in about twenty minutes",),
    ),
    Clip(
        "calls/cancelled-order.mp3",
        MP3,
        ("i want to cancel my order and get my money back",),
    ),
    Clip(
        "calls/empty-box.ogg",
        VORBIS,
        ("the package arrived on monday but the box was empty",),
    ),
    Clip(
        "calls/invoice.wav",
        WAV,
        ("please send the invoice to my office tomorrow morning",),
    ),
    Clip(
        "calls/manager.flac",
        FLAC,
        ("i would like to speak to the manager please",),
    ),
    Clip(
        "calls/two-channels.flac",
        FLAC,
        (
            "thank you for calling how can i help you today",
            "there was a problem with the payment last month",
        ),
    ),
    Clip("calls/nobody-speaks.flac", FLAC, ("",)),
    Clip(
        "monday/call.mp3",
        MP3,
        ("is there anything else that i can do for you",),
    ),
    Clip(
        "monday/letter.webm",
        OPUS_IN_WEBM,
        ("we have received your letter and will answer soon",),
    ),
    Clip(
        "monday/technician.ogg",
        OPUS_IN_OGG,
        ("the technician will visit your house in the afternoon",),
    ),
    Clip(
        "tuesday/call.mp3",
        MP3,
        ("my computer has not been working since yesterday",),
    ),
    Clip(
        "tuesday/car.m4a",
        AAC,
        ("please tell your brother that the car is ready",),
    ),
    Clip(
        "tuesday/late-flight.wav",
        WAV,
        ("the flight was delayed because of the heavy rain",),
    ),
    Clip(
        "tuesday/train.ogg",
        VORBIS,
        ("the train to the city leaves every thirty minutes",),
    ),
    Clip(
        "Grüße aus Köln.flac",
        FLAC,
        ("the weather is going to be nice this weekend",),
    ),
)

# An upload that broke off: the start of a file whose index, at its end, never came.
BROKEN = Clip("broken/cut-off.m4a", AAC, ("my telephone number has changed since last year",))


def run(*command: str) -> None:
    """Runs one tool; what it complains about is shown, and ends the script."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def hiss() -> bytes:
    """An empty room: faint noise, the same at every call."""
    noise = hashlib.shake_128(b"nobody speaks").digest(int(RATE * SILENCE))
    levels = [
        (byte % (2 * HISS + 1) - HISS).to_bytes(FRAME, "little", signed=True) for byte in noise
    ]
    return b"".join(levels)


def speak(sentence: str, scratch: Path) -> bytes:
    """The samples of one spoken sentence; of an empty one, an empty room."""
    if not sentence:
        return hiss()
    spoken = scratch / "spoken.wav"
    run("flite", "-voice", VOICE, "-t", sentence, "-o", str(spoken))
    with wave.open(str(spoken), "rb") as sound:
        if (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) != (RATE, FRAME, 1):
            sys.exit(f"flite's voice {VOICE} does not speak {RATE} Hz, 16 bit, one channel")
        return sound.readframes(sound.getnframes())


def in_turn(voices: list[bytes]) -> bytes:
    """The voices side by side, one channel each, every one silent while another speaks."""
    pause = FRAME * int(RATE * PAUSE)
    total = sum(map(len, voices)) + pause * (len(voices) - 1)
    frames = bytearray(total * len(voices))
    start = 0
    for channel, voice in enumerate(voices):
        track = bytes(start) + voice + bytes(total - start - len(voice))
        for byte in range(FRAME):
            frames[channel * FRAME + byte :: len(voices) * FRAME] = track[byte::FRAME]
        start += len(voice) + pause
    return bytes(frames)


def make(clip: Clip, folder: Path, scratch: Path) -> Path:
    """Speaks and encodes one clip below the folder; gives back the file."""
    plain = scratch / "plain.wav"
    with wave.open(str(plain), "wb") as sound:
        sound.setnchannels(len(clip.channels))
        sound.setsampwidth(FRAME)
        sound.setframerate(RATE)
        sound.writeframes(in_turn([speak(sentence, scratch) for sentence in clip.channels]))
    made = folder / clip.path
    made.parent.mkdir(parents=True, exist_ok=True)
    quiet = ("ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(plain))
    run(*quiet, *clip.encoding, *REPEATABLE, str(made))
    return made


def make_broken(folder: Path, scratch: Path) -> None:
    """Makes the one file that no decoder opens."""
    made = make(BROKEN, folder, scratch)
    whole = made.read_bytes()
    made.write_bytes(whole[: int(len(whole) * KEPT_OF_BROKEN)])


def write_texts(folder: Path) -> None:
    """Writes what is said in each file: "" where nobody speaks, null where nothing decodes."""
    texts: dict[str, str | None] = {clip.path: clip.text for clip in CLIPS}
    texts[BROKEN.path] = None
    said = json.dumps(texts, ensure_ascii=False, indent=2)
    (folder / "texts.json").write_text(said + "\n", encoding="utf-8")


def main() -> None:
    """Makes all of it."""
    missing = [tool for tool in ("flite", "ffmpeg") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"not on the PATH: {' and '.join(missing)}; install them and start again")
    folder = (
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else Path(__file__).parent.parent / "pipeline" / "local" / "recordings"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for clip in CLIPS:
            make(clip, folder, Path(scratch))
        make_broken(folder, Path(scratch))
    write_texts(folder)
    sys.stdout.write(f"{len(CLIPS) + 1} recordings and texts.json in {folder}\n")


if __name__ == "__main__":
    main()
