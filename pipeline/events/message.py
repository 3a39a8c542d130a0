"""Events that tell of ended jobs: what one says.

The service sends a `Transcribe Job State Change` event when a job has ended: to EventBridge, whose
rule puts it into an SQS queue. Delivery is best effort, and whoever may write to the queue can
forge one, so an event is only a reason to look at a job. Pure.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SOURCE = "aws.transcribe"
DETAIL_TYPE = "Transcribe Job State Change"
ENDED = ("COMPLETED", "FAILED")


class _Detail(msgspec.Struct):
    name: str = msgspec.field(name="TranscriptionJobName")
    status: Literal["COMPLETED", "FAILED"] = msgspec.field(name="TranscriptionJobStatus")


class _Event(msgspec.Struct):
    source: Literal["aws.transcribe"]
    kind: Literal["Transcribe Job State Change"] = msgspec.field(name="detail-type")
    detail: _Detail


def ended_job(body: str) -> str | None:
    """The name of the job that an event says has ended; None for whatever else a message holds.

    How it has ended, and why, is not read: the service is asked, or its transcript is.
    """
    try:
        event = msgspec.json.decode(body.encode("utf-8", "replace"), type=_Event)
    except Exception:  # noqa: BLE001 # whatever foreign text does to its reader
        return None
    return event.detail.name
