#!/bin/sh
# One source on a Ray cluster, as a job that Ray keeps: sh submit.sh, wherever the cluster's dashboard can
# be reached.
#
# Change the buckets, the region and the number of shards. RAY_ADDRESS is the dashboard's address,
# http://HEAD:8265, and RAY_AUTH_TOKEN_PATH the file of the cluster's token. `ray job submit` comes with
# ray[default], here and on the head. Every node needs transcribe-pipeline[ray] and AWS credentials.
#
# Ray knows two ends of a job. 1 (some recordings failed) and 3 (--until is over) are a success here, as
# nothing is wrong with the cluster; the log and `status --output` have the true code. After
# `ray job stop` the shards write what they have, for which Ray gives them two minutes. The same line
# again goes on. docs/how-to/several-machines.md has the rest.
set -u

exec ray job submit --no-wait \
	--runtime-env-json '{"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "120"}}' \
	-- sh -c 'transcribe-pipeline run s3://my-bucket/calls/ \
		--results s3://my-bucket/transcripts/ \
		--output s3://my-bucket/tasks/ \
		--engine ray --shards 4 \
		--region eu-central-1 \
		--json
	code=$?
	case $code in 1 | 3) exit 0 ;; *) exit $code ;; esac'
