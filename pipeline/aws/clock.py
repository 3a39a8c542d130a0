"""Whether a refusal is about this machine's clock, and by how much that is wrong; pure.

The services word it in several ways, and some with the code of a wrong secret key or of a missing
permission. Of the moments in such a message the first is that of the signature by this machine's
clock, the last one the service's own:

    Signature expired: 20261128T100000Z is now earlier than 20261128T110500Z (20261128T111000Z - 5 min.)
"""  # noqa: E501 # as the service writes it

from __future__ import annotations

import re
from datetime import datetime

from pipeline.text import duration

CLOCK_STEP = "Have it set by NTP, such as with `timedatectl set-ntp true`."

_CODES = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
_WORDS = re.compile(
    r"signature (has )?expired|signature not yet current|request has expired"
    r"|request is not (yet valid|valid yet)|request time and the current time",
    re.IGNORECASE,
)
_MOMENT = re.compile(r"\b\d{8}T\d{6}Z\b")


def clock_fault(code: str, message: str) -> str:
    """What is wrong with the clock, "" where a refusal is about something else."""
    if code not in _CODES and not _WORDS.search(message):
        return ""
    moments = list(map(datetime.fromisoformat, _MOMENT.findall(message)))
    if len(moments) < 2:  # noqa: PLR2004 # ours and the service's
        return "this machine's clock is wrong"
    seconds = (moments[0] - moments[-1]).total_seconds()
    return (
        f"this machine's clock is {duration(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"
    )
