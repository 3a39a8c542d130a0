# ruff: noqa: T201
"""What Airflow makes of `deploy/airflow`; run by the Python that has Airflow, it prints JSON.

python inside.py FOLDER                    what the DagBag holds
python inside.py FOLDER DAG [RUN]          how the operator's own code ends the task
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from airflow.sdk.exceptions import AirflowException, AirflowSkipException


def facts(bag: Any) -> dict[str, Any]:
    """Import errors, and of each task what its DAG promises."""
    tasks = [(dag, task) for dag in bag.dags.values() for task in dag.tasks]
    return {
        "import_errors": bag.import_errors,
        "tasks": {
            dag.dag_id: {
                "task": task.task_id,
                "operators": [each.__name__ for each in classes_of(task)],
                "at_once": dag.max_active_runs,
                "catchup": dag.catchup,
                "runs": runs_of(task),
            }
            for dag, task in tasks
        },
    }


def classes_of(task: Any) -> tuple[type, ...]:
    """The operator's class, and those that it is made of."""
    made: tuple[type, ...] = getattr(task, "operator_class", type(task)).__mro__
    return made


def runs_of(task: Any) -> Any:
    """What is different from one run to the other: the size of an array, or environments."""
    return getattr(task, "array_properties", None) or task.expand_input.value["env_vars"]


def context_of(task: Any) -> dict[str, Any]:
    """A task instance, as far as the operators look at it."""
    instance = SimpleNamespace(
        dag_id=task.dag.dag_id, task_id=task.task_id, map_index=1, try_number=1,
        xcom_push=lambda **_: None,
    )  # fmt: skip
    return {"ti": instance, "run_id": "tonight", "dag": task.dag}


def ended(task: Any) -> str:
    """How a task ends, by the exception that its operator raises."""
    task.do_xcom_push = False
    BatchClientHook.STATUS_RETRIES = 1
    BatchClientHook.DEFAULT_DELAY_MIN = BatchClientHook.DEFAULT_DELAY_MAX = 0
    try:
        task.execute(context_of(task))
    except AirflowSkipException:
        return "skipped"
    except AirflowException as error:
        return f"failed: {type(error).__name__}"
    return "success"


def answer() -> Any:
    """What the arguments ask for."""
    folder, *which = sys.argv[1:]
    bag = DagBag(folder)
    if not which:
        return facts(bag)
    [task] = bag.dags[which[0]].tasks
    if len(which) > 1:
        task = task.unmap({"env_vars": runs_of(task)[int(which[1])]})
    return ended(task)


if __name__ == "__main__":
    print(f"\n{json.dumps(answer())}")  # behind Airflow's own log
