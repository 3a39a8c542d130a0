"""A night of transcribe-pipeline as pods that share a source, begun and watched by Airflow 3.

Change the image, the buckets, the region and the number of runs. The namespace has the service
account of deploy/kubernetes/cronjob.yaml. Each run is a mapped task, which is

    success   it did its work, also where some recordings failed
    skipped   a budget ended it with work left, which the next night does
    failed    it could not begin or go on; one whose node was lost goes on where it stopped

docs/how-to/several-machines.md says what the runs share. Put what follows the night, such as
`push`, behind it with trigger_rule="none_failed", so that it comes after skipped runs too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG
from kubernetes.client import models as k8s

IMAGE = "registry.example.com/transcribe-pipeline:0.1.0"
SOURCE = "s3://my-bucket/calls/"
NAMESPACE = "speech"
RUNS = 4  # 1 to 256

WORK_LEFT = 3

ENVIRONMENT = {
    "TRANSCRIBE_PIPELINE_RESULTS": "s3://my-bucket/transcripts/",
    "TRANSCRIBE_PIPELINE_OUTPUT": "s3://my-bucket/tasks/",
    "TRANSCRIBE_PIPELINE_REGION": "eu-central-1",
    "TRANSCRIBE_PIPELINE_SHARDS": str(RUNS),
    "TRANSCRIBE_PIPELINE_MAX_HOURS": "8",
    "NIGHTLY_EXIT_CODES": str(WORK_LEFT),
}

with DAG(
    "transcribe_on_kubernetes",
    schedule="0 22 * * *",
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 # Airflow's own zone
    catchup=False,
    max_active_runs=1,
    tags=["transcribe-pipeline"],
):
    KubernetesPodOperator.partial(
        task_id="transcribe",
        name="transcribe-pipeline",
        namespace=NAMESPACE,
        image=IMAGE,
        cmds=["nightly"],
        arguments=[SOURCE],
        service_account_name="transcribe-pipeline",
        automount_service_account_token=False,
        skip_on_exit_code=WORK_LEFT,
        termination_grace_period=120,
        security_context=k8s.V1PodSecurityContext(
            run_as_non_root=True, run_as_user=10001, run_as_group=10001, fs_group=10001
        ),
        container_security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False, read_only_root_filesystem=True
        ),
        container_resources=k8s.V1ResourceRequirements(
            requests={"cpu": "250m", "memory": "256Mi"}, limits={"memory": "512Mi"}
        ),
        volumes=[
            k8s.V1Volume(name=name, empty_dir=k8s.V1EmptyDirVolumeSource())
            for name in ("state", "tmp")
        ],
        volume_mounts=[
            k8s.V1VolumeMount(name="state", mount_path="/state"),
            k8s.V1VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108 # of the pod alone
        ],
        retries=2,
        retry_delay=timedelta(minutes=2),
        execution_timeout=timedelta(hours=23),
    ).expand(
        env_vars=[ENVIRONMENT | {"TRANSCRIBE_PIPELINE_SHARD": str(run)} for run in range(RUNS)]
    )
