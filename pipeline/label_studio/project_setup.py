"""What a new project is given beside its labeling configuration: an order, tabs, instructions.

Without them "Label All Tasks" goes by number (1.23), and the Data Manager opens on one list of all
tasks. With them the first goes by score, beginning with the recordings in which nobody speaks, and
"Label Tasks As Displayed" by the tab, which leaves those out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.label_studio.client import Client

LOWEST_SCORE_FIRST = "Uncertainty sampling"

_INSTRUCTIONS = """\
<p>Listen, and write what is said, word for word. The least certain recordings come first; words \
marked in yellow are those that the service was not sure of.</p>
<p>What nobody can understand is <b>[unintelligible]</b>, speech on speech <b>[crosstalk]</b>. Say \
of the recording whether it is clear, noisy or unusable. <b>Submit</b> also what was right; \
<b>Skip</b> leaves a recording out.</p>
<p>The keys stand on the page.</p>"""

_HIDDEN = (
    *("inner_id", "completed_at", "annotations_results", "annotations_ids", "predictions_results"),
    *("predictions_model_versions", "file_upload", "storage_filename", "created_at", "updated_by"),
    *("avg_lead_time", "draft_exists", "data.job_id", "data.speakers", "data.languages"),
    *("data.dialogue", "data.channel_count", "total_predictions"),
)
_NUMBERS = ("word_count", "duration", "mean_confidence", "lowest_confidence")
_Filter = tuple[str, str]


def project_settings(title: str, description: str, label_config: str) -> dict[str, Any]:
    """What the project is made with."""
    return {
        "title": title,
        "description": description,
        "label_config": label_config,
        "sampling": LOWEST_SCORE_FIRST,
        "expert_instruction": _INSTRUCTIONS,
    }


def tabs(project: int) -> list[dict[str, Any]]:
    """The tabs of the Data Manager, the one that it opens on first."""
    spoken, neither = ("data.word_count", "greater"), ("cancelled_annotations", "equal")
    to_review = [spoken, ("total_annotations", "equal"), neither]
    return [
        _tab(project, "To review", to_review, ["tasks:predictions_score"]),
        _tab(project, "Without speech", [("data.word_count", "equal")], []),
        _tab(project, "Skipped", [("cancelled_annotations", "greater")], []),
        _tab(project, "Reviewed", [("total_annotations", "greater")], ["-tasks:updated_at"]),
    ]


async def add_tabs(client: Client, project: int) -> None:
    """Give a project its tabs, unless it has some."""
    there = await client.get(list[dict[str, Any]], "dm/views/", {"project": str(project)})
    for tab in tabs(project) if not there else ():
        await client.ask("POST", "dm/views/", None, msgspec.json.encode(tab))


def _tab(
    project: int, title: str, filters: Sequence[_Filter], ordering: list[str]
) -> dict[str, Any]:
    """One tab; its filters compare with 0, which a column must be shown as a number for."""
    items = [
        {"filter": f"filter:tasks:{column}", "operator": than, "type": "Number", "value": "0"}
        for column, than in filters
    ]
    hidden = [f"tasks:{column}" for column in _HIDDEN]
    data = {
        "title": title,
        "filters": {"conjunction": "and", "items": items},
        "ordering": ordering,
        "hiddenColumns": {"explore": hidden, "labeling": hidden},
        "columnsDisplayType": {f"tasks:data.{name}": "Number" for name in _NUMBERS},
    }
    return {"project": project, "data": data}
