"""Events of jobs as EventBridge sends them."""

from __future__ import annotations

from typing import Any


def event(**detail: Any) -> dict[str, Any]:
    """The documented shape of an event."""
    job = {"TranscriptionJobName": "calls-1", "TranscriptionJobStatus": "COMPLETED"}
    return {
        "version": "0",
        "id": "1de9a55a-39aa-d889-84eb-22d245492319",
        "detail-type": "Transcribe Job State Change",
        "source": "aws.transcribe",
        "account": "123456789012",
        "time": "2026-11-23T02:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": job | detail,
    }
