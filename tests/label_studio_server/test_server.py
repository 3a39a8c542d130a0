"""The server of these tests is a real one and as strict as any."""

from __future__ import annotations

import pytest

CONFIG = (
    '<View><Audio name="audio" value="$audio"/>'
    '<TextArea name="transcription" toName="audio" editable="true" maxSubmissions="1"/></View>'
)


def test_server_is_the_pinned_version(label_studio):
    """The server that the tests talk to is the one that the documents speak of."""
    assert label_studio.call("GET", "version")["release"] == "1.23.2"


def test_predictions_are_checked_strictly(label_studio):
    """A prediction for a control that is not there is refused, which Label Studio can leave out."""
    project = label_studio.create_project(CONFIG)
    result = {"from_name": "other", "to_name": "audio", "type": "textarea", "value": {"text": []}}
    task = {"data": {"audio": "s3://b/a.mp3"}, "predictions": [{"result": [result]}]}

    with pytest.raises(AssertionError, match="'other' not found in configuration"):
        label_studio.call("POST", f"projects/{project}/import", [task])

    assert label_studio.tasks(project) == []


def test_server_has_a_personal_access_token(personal_token):
    """The token that people make in their account settings is a JWT."""
    assert personal_token.count(".") == 2
