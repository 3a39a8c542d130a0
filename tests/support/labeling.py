"""Label Studio's strict checks of a task, as its server (1.23.2) makes them.

The server itself was asked about every rule; the SDK that holds the original weighs 500 MB.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

_TYPES = {"TextArea": "textarea", "Labels": "labels", "Choices": "choices"}


def assert_accepted_by_label_studio(task: Any, config: str) -> None:
    """Hold a task to the checks of an import into a project with this labeling configuration."""
    view = ET.fromstring(config)
    data = task["data"]
    for tag in view.iter():
        if tag.get("name") and (variable := tag.get("value", "")).startswith("$"):
            assert variable[1:] in data, f"{variable[1:]!r} key is expected in task data"
    assert isinstance(data["audio"], str)
    [prediction] = task["predictions"]
    assert isinstance(prediction["model_version"], str)
    assert_is_a_score(prediction["score"])
    controls = {tag.get("name"): tag for tag in view.iter() if tag.tag in _TYPES}
    seen: dict[tuple[str, str], Any] = {}
    for result in prediction["result"]:
        assert_fits(result, controls[result["from_name"]], data)
        assert (result["from_name"], result["id"]) not in seen
        seen[result["from_name"], result["id"]] = result["value"]
    for (name, region), value in seen.items():
        if name == "text":
            who = seen["speaker", region]
            assert [who.get(key) for key in ("start", "end", "channel")] == [
                value.get(key) for key in ("start", "end", "channel")
            ]


def assert_fits(result: Any, control: ET.Element, data: Any) -> None:
    """Hold one result to the control that it fills."""
    assert result["to_name"] == control.get("toName")
    assert result["type"] == _TYPES[control.tag]
    value = result["value"]
    if "score" in result:
        assert_is_a_score(result["score"])
    if control.tag == "TextArea":
        assert all(isinstance(text, str) for text in value["text"])
    else:
        offered = [each["value"] for each in data[control.get("value", "")[1:]]]
        assert len(offered) == len(set(offered))
        chosen = value["labels" if control.tag == "Labels" else "choices"]
        assert chosen
        assert set(chosen) <= set(offered)
    if "start" in value:
        assert 0 <= value["start"] <= value["end"]


def assert_is_a_score(score: Any) -> None:
    """A score is a number from 0 to 1."""
    assert isinstance(score, float | int)
    assert 0 <= score <= 1
