"""What this machine says of an account: profile, region, endpoints, and whose certificates count.

Everything is read as botocore reads it, once, and handed on to every connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from aiobotocore.session import AioSession
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.utils import parse_timestamp
from yarl import URL

from pipeline.aws.error_codes import translated
from pipeline.aws.http_session import SessionConfig, trusted
from pipeline.aws.metadata import ask_no_other_host
from pipeline.aws.partitions import host_of, is_known, is_label, is_well_formed, no_region
from pipeline.errors import BadSettings, PipelineError
from pipeline.net.proxies import proxy_for

if TYPE_CHECKING:
    from pipeline.config.schema import Aws


def machine_session(settings: Aws, keys: tuple[str, str] | None = None) -> Any:
    """A new session of botocore's: it reads the environment and the credentials files again."""
    machine = AioSession(profile=settings.profile or None)
    machine.set_default_client_config(SessionConfig())
    ask_no_other_host(machine)
    parsers = machine.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_timestamp)
    if region := settings.region or os.environ.get("AWS_REGION"):
        machine.set_config_variable("region", region)
    if keys:
        machine.set_credentials(*keys)
    return machine


def _timestamp(value: str | float) -> datetime:
    """The moment of a service's answer, as botocore gives it."""
    # Its own way asks for the machine's time zone first: 6 µs, of which an answer has three.
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        found: datetime = parse_timestamp(value)
        return found


def bundle_of(machine: Any) -> str:
    """The file of the authorities that are trusted: AWS_CA_BUNDLE, `ca_bundle`, else botocore's."""
    return trusted(machine.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE"))


def endpoint_of(machine: Any, settings: Aws, service: str) -> str | None:
    """The address that the settings, the environment or the profile name for a service.

    None is AWS's own.

    Raises:
        BadSettings: it is none.
    """
    if settings.endpoint_url:
        return settings.endpoint_url
    if machine.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    configured = ConfiguredEndpointProvider(
        machine.full_config, machine.get_scoped_config(), service
    )
    address: str | None = configured.provide() or None
    if address and not address.lower().startswith(("http://", "https://")):
        raise BadSettings(
            f"The endpoint {address!r} of AWS_ENDPOINT_URL or of the profile is no address",
            "Write it with http:// or https://.",
        )
    return address


def with_defaults(settings: Aws) -> Aws:
    """The settings, with the region and S3's endpoint that the environment or the profile name.

    Where those can't be read the settings stay as they are: nothing of AWS is asked here.
    """
    try:
        with translated("reading the profile"):
            machine = machine_session(settings)
            region = machine.get_config_variable("region") or ""
            endpoint = endpoint_of(machine, settings, "s3") or ""
    except PipelineError:
        return settings
    return msgspec.structs.replace(settings, region=region, endpoint_url=endpoint)


async def checked_region(machine: Any, *, elsewhere: bool) -> str:
    """The region; where there is none of that name AWS is asked nothing.

    With `elsewhere` the service is at an address of the user's own, which may call it anything.

    Raises:
        BadSettings: it is none, or none is set.
    """
    region: str | None = machine.get_config_variable("region")
    if region is None:
        raise BadSettings(
            "No AWS region is set", "Name the bucket's region with --region or AWS_REGION."
        )
    if not (is_label(region) if elsewhere else is_known(region) or await _is_new(region)):
        raise no_region(region)
    return region


async def _is_new(region: str) -> bool:
    """Whether it may be a region that botocore does not know yet: the service has a host there."""
    if not is_well_formed(region):
        return False
    host = host_of("transcribe", region)
    if proxy_for(URL(f"https://{host}")):
        return True  # who goes through a proxy may know no address, and need none
    try:
        await asyncio.get_running_loop().getaddrinfo(host, 443)
    except OSError as error:
        return error.errno != socket.EAI_NONAME
    return True
