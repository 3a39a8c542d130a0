"""A night of transcribe-pipeline as an array of AWS Batch, begun and watched by Airflow 3.

Change the queue, the job definition and the number of runs; deploy/cloudformation/nightly.yaml with
ArraySize makes both, and its schedule can then be disabled. The task is

    success   every run did its work, also where some recordings failed
    skipped   a budget ended a run with work left, which the next night does
    failed    a run could not begin or go on

docs/how-to/several-machines.md says what the runs share. Put what follows the night, such as
`push`, behind it with trigger_rule="none_failed", so that it comes after skipped runs too.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

JOB_QUEUE = "transcribe-pipeline"
JOB_DEFINITION = "transcribe-pipeline"
RUNS = 4  # 2 to 256

CANNOT_RUN, WORK_LEFT = 2, 3


class NightOnBatch(BatchOperator):
    """An array job whose runs may end with work left."""

    def execute(self, context: Context) -> Any:
        """Submit the array, wait for it, and skip where a budget ended what has failed of it."""
        try:
            return super().execute(context)
        except AirflowException as error:
            if self.job_id and self._has_failed() and self._failed_with() == {WORK_LEFT}:
                raise AirflowSkipException("A budget ended the night with work left") from error
            raise

    def _has_failed(self) -> bool:
        """Whether the array has ended: where Batch can't be asked for long enough it may run on."""
        status = self.hook.get_job_description(self.job_id)["status"]
        return bool(status == self.hook.FAILURE_STATE)

    def _failed_with(self) -> set[int | None]:
        """The exit codes of the runs that have failed; None of one that had none."""
        list_jobs = self.hook.client.get_paginator("list_jobs")
        pages = list_jobs.paginate(arrayJobId=self.job_id, jobStatus="FAILED")
        runs = [run for page in pages for run in page["jobSummaryList"]]
        return {run.get("container", {}).get("exitCode") for run in runs}


with DAG(
    "transcribe_on_batch",
    schedule="0 22 * * *",
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 # Airflow's own zone
    catchup=False,
    max_active_runs=1,
    tags=["transcribe-pipeline"],
):
    NightOnBatch(
        task_id="transcribe",
        job_name="night",
        job_queue=JOB_QUEUE,
        job_definition=JOB_DEFINITION,
        array_properties={"size": RUNS},
        container_overrides={
            "environment": [
                {"name": "NIGHTLY_EXIT_CODES", "value": str(WORK_LEFT)},
                {"name": "TRANSCRIBE_PIPELINE_SHARDS", "value": str(RUNS)},
            ]
        },
        # Batch begins a run again that was interrupted; Airflow would begin them all again.
        retry_strategy={
            "attempts": 3,
            "evaluateOnExit": [
                {"onExitCode": str(CANNOT_RUN), "action": "EXIT"},
                {"onExitCode": str(WORK_LEFT), "action": "EXIT"},
                {"onReason": "*", "action": "RETRY"},
            ],
        },
        retries=0,
        deferrable=False,  # the operator looks at the runs once the array has ended
        execution_timeout=timedelta(hours=23),
    )
