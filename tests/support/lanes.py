"""Several accounts for one output: a profile for each, and who answers for it."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pipeline.naming import job_name_prefix, parse_job_name
from tests.support.amazon import Account
from tests.support.between import between
from tests.support.signing import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.conftest import ScriptedCloud

LANES = ("account-a", "account-b")
NUMBERS = {"account-a": "111111111111", "account-b": "222222222222"}


@contextmanager
def lane_profiles(of: Mapping[str, ScriptedCloud], config: Path) -> Iterator[dict[str, Account]]:
    """Who answers for the account of each lane, whose profile stands in this file of settings.

    Args:
        of: the cloud of each lane, and under "" that of the run's own account.
        config: is written, as AWS_CONFIG_FILE names it.
    """
    with ExitStack() as stack:
        doors = {
            lane: Account(of[lane], arn=f"arn:aws:iam::{NUMBERS[lane]}:user/nightly")
            for lane in LANES
        }
        urls = {each: stack.enter_context(between(of[each], doors[each])) for each in LANES}
        profiles = [
            f"[{f'profile {name}' if name else 'default'}]\nregion = us-east-1\n"
            f"aws_access_key_id = {KEYS.access_key}\n"
            f"aws_secret_access_key = {KEYS.secret_key}\nendpoint_url = {url}\n"
            for name, url in ({"": of[""].url} | urls).items()
        ]
        config.write_text("".join(profiles))
        yield doors


def created_in(of: Mapping[str, ScriptedCloud]) -> dict[str, Counter[bytes]]:
    """How often each account was told to start a job of each identity."""
    prefix = job_name_prefix("transcribe-pipeline", "audio")
    found = {}
    for lane, account in of.items():
        names = Counter(account.counts()["created"])
        parsed = {name: parse_job_name(prefix, name) for name in names}
        found[lane] = Counter({each[0]: names[n] for n, each in parsed.items() if each})
    return found
