"""What the state file knows of itself: its source, runs and output, and which results exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import StateUnusable
from pipeline.naming import parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.naming import S3Uri
    from pipeline.state.database import Database


class Facts:
    """Facts about the file as a whole, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def value(self, name: str) -> str | None:
        """The fact of this name, or None."""
        fact: str | None = self._database.fact(name)
        return fact

    @property
    def run(self) -> int:
        """The number of the newest run, from 1; 0 before the first."""
        return int(self.value("run") or 0)

    def note_accounts(self, accounts: Sequence[str]) -> None:
        """Remember under which ones jobs were started; the last one first, "" where not known."""
        with self._database.transaction():
            self._database.set_fact("account", " ".join(accounts))

    def check_belongs(self, source: str, name_prefix: str) -> None:
        """Refuse a file that holds recordings of another source, or jobs of other names.

        Jobs under way have names: another prefix would start and pay for them again.

        Raises:
            StateUnusable: the file holds recordings of another source, or jobs of other names.
        """
        known, names = self.value("source"), self.value("name prefix")
        if not self._database.rows("SELECT 1 FROM recordings LIMIT 1"):
            return
        if known not in (None, source):
            raise StateUnusable(
                f"The state file {self._database.path} belongs to {known}, not to {source}",
                "Name another one with --state, or another --output.",
            )
        if names not in (None, name_prefix):
            raise StateUnusable(
                f"The jobs of the state file {self._database.path} are named {names}..., not "
                f"{name_prefix}...",
                "Put job_prefix back, or name another state file with --state.",
            )

    @property
    def output_size(self) -> int:
        """Bytes of the output that are committed."""
        return int(self.value("output size") or 0)

    @property
    def output_lines(self) -> int:
        """Lines of the output that are committed; a changed recording has one for each content."""
        return int(self.value("output lines") or 0)

    def skipped(self) -> dict[str, int]:
        """How many objects the last run skipped, by reason."""
        return self._counts("skipped: ")

    def not_audio(self) -> dict[str, int]:
        """How many of them are not audio, by extension."""
        return self._counts("not audio: ")

    def _counts(self, prefix: str) -> dict[str, int]:
        query = "SELECT substr(name, ?), value FROM meta WHERE name LIKE ?"
        return dict(self._database.rows(query, len(prefix) + 1, f"{prefix}%"))

    def results_are_known(self, *, redacted: bool = False) -> bool:
        """Whether the results that existed before this state file did were looked for."""
        return self.value("redacted results known" if redacted else "results known") is not None

    def result_places(self) -> list[S3Uri]:
        """Below which places the jobs of this and earlier runs were told to write."""
        names = self._database.rows(
            "SELECT substr(name, 12) FROM meta WHERE name LIKE 'results at s3:%'"
        )
        return [place for (uri,) in names if (place := parse_s3_uri(uri))]

    def told_results(self) -> list[str]:
        """The --results of this and earlier runs as they were given; "" where there was none."""
        names = self._database.rows(
            "SELECT substr(name, 12) FROM meta WHERE name LIKE 'results at %'"
        )
        return [name for (name,) in names]

    def earlier_fingerprints(self) -> list[str]:
        """The fingerprints of settings that jobs of this and earlier runs were named after."""
        rows = self._database.rows(
            "SELECT substr(name, 14) FROM meta WHERE name LIKE 'fingerprint: %'"
        )
        return [fingerprint for (fingerprint,) in rows]

    def note_skipped(self, skipped: dict[str, int], not_audio: dict[str, int]) -> None:
        """Remember how many objects this run skipped, by reason, and not audio by extension."""
        with self._database.transaction():
            for prefix, counts in (("skipped: ", skipped), ("not audio: ", not_audio)):
                self._database.change("DELETE FROM meta WHERE name LIKE ?", f"{prefix}%")
                for each, count in counts.items():
                    self._database.set_fact(f"{prefix}{each}", count)

    def remember_fingerprints(self, fingerprints: Iterable[str]) -> None:
        """Remember the settings that jobs are named after, which their names do not tell."""
        with self._database.transaction():
            for each in fingerprints:
                self._database.set_fact(f"fingerprint: {each}", 1)

    def set_results_known(self, *, redacted: bool = False) -> None:
        """The results that exist have been looked for; new ones are this state's own."""
        with self._database.transaction():
            self._database.set_fact("redacted results known" if redacted else "results known", 1)


def accounts_in(facts: Facts) -> tuple[str, ...]:
    """Under which ones runs have started jobs; the last one first, "" where it is not known.

    None where no run has noted one.
    """
    noted = facts.value("account")
    return () if noted is None else tuple(noted.split(" "))


def note_account(facts: Facts, account: str) -> None:
    """Remember under which one this run starts jobs, "" where it is not known.

    Runs of before this was noted were under one that is not known.
    """
    noted = accounts_in(facts) or ("",) * (facts.run > 1)
    facts.note_accounts([account, *(each for each in noted if each != account)])


def note_unknown_account(facts: Facts) -> None:
    """Remember that some jobs were started by nobody knows which one."""
    if "" not in (noted := accounts_in(facts)):
        facts.note_accounts([*noted, ""])


def take_facts_of_jobs(facts: Facts, earlier: Facts) -> None:
    """Remember of another file's jobs what their names do not tell: settings and accounts."""
    facts.remember_fingerprints(earlier.earlier_fingerprints())
    if accounts := accounts_in(earlier):
        facts.note_accounts(accounts)
