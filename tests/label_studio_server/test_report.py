"""Links from the report of a run to the tasks in a real Label Studio."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import unquote

import pytest

pytestmark = pytest.mark.timeout(300)
LINK = re.compile(r'<span class="key">([^<]+)</span>.*?<a [^>]*href="([^"]+/data\?task=\d+)"')


def test_the_least_certain_recordings_lead_to_their_tasks(run, recordings, label_studio):
    """Each recording of the table has the address of its own task, once the tasks were pushed."""
    run("run", recordings)
    run("report")
    page = run.folder / "tasks.report.html"
    before = page.read_text("utf-8")
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)
    pushed = json.loads(run("push", "--create", "Report", "--json").out)

    outcome = run("report")

    assert (outcome.code, outcome.err) == (0, "")
    assert LINK.findall(before) == []
    address = f"{label_studio.url}/projects/{pushed['project']}"
    rows = page.read_text("utf-8").partition("The least certain first")[2].split("<tr>")
    links = {html.unescape(key): link for row in rows for key, link in LINK.findall(row)}
    assert len(links) == 15
    assert links == {
        unquote(task["data"]["audio"]).rpartition("/recordings/")[2]: (
            f"{address}/data?task={task['id']}"
        )
        for task in label_studio.tasks(pushed["project"])
        if not task["meta"].get("silent")
    }
