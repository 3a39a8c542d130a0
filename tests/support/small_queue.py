"""A queue of SQS's, in memory: sent to, received from and deleted from, as its JSON has it."""

from __future__ import annotations

import json
import time
from itertools import count, islice
from typing import Any

_HIDDEN_SECONDS = 60.0


class SmallQueue:
    """The messages that nobody has deleted; each is hidden for a minute after it was received."""

    def __init__(self) -> None:
        self._numbers = count()
        self._bodies: dict[str, str] = {}
        self._hidden: dict[str, float] = {}

    def send(self, content: dict[str, Any]) -> None:
        """Put a message of this JSON into the queue."""
        self._bodies[str(next(self._numbers))] = json.dumps(content)

    def receive(self) -> dict[str, Any]:
        """What ReceiveMessage answers: up to ten messages, none where there is none to be seen."""
        now = time.time()
        seen = (each for each in self._bodies if self._hidden.get(each, 0.0) < now)
        found = list(islice(seen, 10))
        self._hidden |= dict.fromkeys(found, now + _HIDDEN_SECONDS)
        sent = {"SentTimestamp": str(int(now * 1000))}
        return {
            "Messages": [
                {"MessageId": each, "ReceiptHandle": each, "Body": self._bodies[each]}
                | {"Attributes": sent}
                for each in found
            ]
        }

    def delete(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What DeleteMessageBatch answers."""
        for each in asked["Entries"]:
            self._bodies.pop(each["ReceiptHandle"], None)
        return {"Successful": [{"Id": each["Id"]} for each in asked["Entries"]], "Failed": []}
