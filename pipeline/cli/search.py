"""`search`: where something was said, over all transcripts of a run."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from pipeline.cli.flags import AWS, FILES, Given, refuse_idle, with_settings
from pipeline.cli.options import Json, Quiet, examples, told
from pipeline.errors import BadSettings
from pipeline.terminal import answer, counted, say, style_for
from pipeline.text import count_of, printable, tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.config.schema import Config
    from pipeline.launch.rebuild import Written
    from pipeline.state.search_index import SearchIndex
    from pipeline.transcripts.searchable import Hit

EXAMPLES = examples(
    ("Where a phrase was said, in whatever case", 'search "order number"'),
    ("With another phrase within 20 words of it", 'search "order number" --near refund'),
    ("In how many recordings", 'search "order number" --count'),
)
_NOTHING_FOUND = 1
_JOINERS = ("\u200c", "\u200d")
"""Letters of Persian and Indian scripts stand apart or together by them."""

_SPLIT = re.compile("([\u200c\u200d])")


@with_settings(FILES, ("results",), AWS, on_s3=True)
def command(
    words: Annotated[str, typer.Argument(metavar="WORDS", help="The words, one after the other.")],
    *,
    near: Annotated[
        list[str] | None,
        typer.Option(metavar="WORDS", help="Others within 20 words of them; may be repeated."),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=1_000_000_000, help="Print this many places at most."),
    ] = 100,
    count: Annotated[
        bool, typer.Option("--count", help="Print only in how many recordings it was said.")
    ] = False,
    chosen: Config,
    given: Given,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find where something was said.

    It prints a line for each place: recording, time, speaker, and the words around. Case, accents
    and punctuation do not count, and words are whole. The first call reads the transcripts of the
    run where they are stored, as `transcripts` does, and keeps an index of them next to the state
    file (STATE.search). Later runs add to it, and later calls read only what it lacks. No job is
    started. You may delete the index of a bucket; the next call makes it again. A run over a
    folder always keeps one, as a folder's transcripts are kept nowhere else.

    Exit codes: 0 it was said; 1 nothing was found; 2 it can't search; 130 or 143 interrupted.
    After 130 and 143 the same command continues. Recordings that can't be searched are counted on
    stderr.
    """
    from pipeline.launch.on_s3 import with_written_here
    from pipeline.state.search_index import index_path, open_index
    from pipeline.transcripts.searchable import NEAR

    if count:
        refuse_idle(given, ["limit"], "--count prints no places", "Leave one of them out.")
    phrases = tuple(_phrase(each) for each in (words, *(near or ())))
    path = index_path(chosen.state_path)
    with with_written_here(chosen) as run, open_index(path) as index:
        missing = _missing(chosen, run, index, quiet=quiet)
        of = run.state.recordings.counts().written if missing else 0
        if count:
            found = index.count(phrases, NEAR)
            shown = {"recordings": found}
        else:
            hits = _hits(index, phrases)
            found, shown = _listed(hits, limit) if json else (_printed(hits, limit), {})
    if json:
        answer(msgspec.json.encode({**shown, "not_searched": missing}))
    elif count:
        typer.echo(found)
    if missing:
        say(_lacking(missing, of, path))
    if not found and not quiet:
        typer.echo("Nothing was found.", err=True)
    raise typer.Exit(0 if found else _NOTHING_FOUND)


def _lacking(missing: dict[str, int], of: int, path: Path) -> str:
    from pipeline.launch.search import NOT_KEPT

    advice = (
        "Run the folder again with another --output."
        if NOT_KEPT in missing
        else f"Once they can be read, deleting {path} has them read again."
    )
    count = sum(missing.values())
    return (
        f"{count:,} of {count_of(of, 'recording')} can't be searched ({tally(missing)}). {advice}"
    )


def _phrase(words: str) -> str:
    """The words as the index has them.

    Raises:
        BadSettings: there are none.
    """
    from pipeline.transcripts.searchable import has_words, spaced

    if not has_words(words):
        raise BadSettings(
            f"There is no word in {words!r}", "Name what was said: letters or digits."
        )
    return spaced(words)


def _missing(chosen: Config, run: Written, index: SearchIndex, *, quiet: bool) -> dict[str, int]:
    """Bring the index up to date; how many recordings it lacks, by the reason.

    Raises:
        Exit: it was interrupted.
        CannotRun: it can't be brought up to date.
    """
    if index.made_of == run.mark:
        return index.lacking()
    from pipeline.launch.event_loop import in_event_loop
    from pipeline.launch.search import bring_up_to_date, is_of_a_folder, note_what_was_not_kept

    if is_of_a_folder(run.state):
        note_what_was_not_kept(run, index)
        return index.lacking()
    with counted(style_for(quiet=quiet), None, "recordings read") as progress:
        work = bring_up_to_date(chosen, run, index, told(progress))
        received, passing = in_event_loop(work)
    if received:
        raise typer.Exit(128 + received)
    return dict(Counter(index.lacking()) + Counter(passing))


def _listed(hits: Iterator[tuple[str, Hit]], limit: int) -> tuple[int, dict[str, Any]]:
    """How many places there are, at most so many, and what JSON has of them."""
    facts = [
        {"recording": key, "start": hit.start, "speaker": hit.speaker or None, "text": hit.text}
        for key, hit in itertools.islice(hits, limit)
    ]
    return len(facts), {"hits": facts, "more": any(True for _ in hits)}


def _printed(hits: Iterator[tuple[str, Hit]], limit: int) -> int:
    """Print so many places at most; how many there are."""
    printed = 0
    for printed, each in enumerate(itertools.islice(hits, limit), 1):  # noqa: B007 # counts them
        typer.echo(_line(*each))
    if any(True for _ in hits):
        typer.echo(f"There are more; --limit {limit * 10} prints up to {limit * 10:,}.", err=True)
    return printed


def _hits(index: SearchIndex, phrases: Sequence[str]) -> Iterator[tuple[str, Hit]]:
    from pipeline.transcripts.searchable import NEAR, hits_of

    for key, text, places, times in index.find(phrases, NEAR):
        for hit in hits_of(text, places, times, near=len(phrases) > 1):
            yield key, hit


def _line(key: str, hit: Hit) -> str:
    minutes, seconds = divmod(int(hit.start), 60)
    clock = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    shown = [_visible(each) for each in hit.parts]
    if not os.environ.get("NO_COLOR"):  # typer prints colours on a terminal alone
        shown[1::2] = [typer.style(each, fg="red", bold=True) for each in shown[1::2]]
    said = f"{'…' * hit.before}{''.join(shown)}{'…' * hit.after}"
    speaker = [f"{printable(hit.speaker)}:"] if hit.speaker else []
    return "  ".join([printable(key), clock, " ".join([*speaker, said])])


def _visible(text: str) -> str:
    return "".join(c if c in _JOINERS else printable(c) for c in _SPLIT.split(text))
