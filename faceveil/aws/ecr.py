"""ECR: the password with which images are pushed, and what was pushed."""

from __future__ import annotations

import base64
import json
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from faceveil.aws.account import AbsentError, ask
from faceveil.aws.clients import ecr_client
from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import InputError, OutputError

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_SECONDS = 30


def registry_password(region: str) -> str:
    """Return the password for the registries of a region, valid for 12 hours.

    Raises OutputError where ECR refuses.
    """
    try:
        answer = ecr_client(region).get_authorization_token()
    except AWS_ERRORS as error:
        raise OutputError(
            f"ECR in {region} returns no password ({error}): these credentials need "
            "ecr:GetAuthorizationToken"
        ) from error
    token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
    return str(token.partition(":")[2])


def pushed_manifest(region: str, repository: str, tag: str) -> tuple[str, str]:
    """Return the media type and the digest of the manifest under a tag of a repository.

    Raises OutputError where ECR refuses, or holds an index of several images under the tag.
    """
    try:
        answer = ecr_client(region).batch_get_image(
            repositoryName=repository,
            imageIds=[{"imageTag": tag}],
            acceptedMediaTypes=[DOCKER_MANIFEST, OCI_MANIFEST],
        )
    except AWS_ERRORS as error:
        raise OutputError(
            f"{repository}:{tag} is pushed, but ECR does not say how it is stored ({error}): these "
            "credentials need ecr:BatchGetImage"
        ) from error
    if not answer["images"]:
        raise OutputError(
            f"{repository}:{tag} is pushed, but ECR holds no image manifest under this tag "
            f"({answer['failures']}): SageMaker and Lambda take no index of several images"
        )
    image = answer["images"][0]
    # OCI's manifest may leave its type out, Docker's may not.
    media_type = json.loads(image["imageManifest"]).get("mediaType", OCI_MANIFEST)
    return str(media_type), str(image["imageId"]["imageDigest"])


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in a registry. labels: of its configuration."""

    media_type: str
    labels: dict[str, str] = field(default_factory=dict)


def stored_image(client: Any, image: str) -> StoredImage:  # noqa: ANN401, there are no stubs of ECR
    """Return how an image is stored, and its labels. image: `REGISTRY/REPOSITORY@sha256:DIGEST`.

    Raises
    ------
    NotAllowedError
        When these credentials lack a permission, which it names.
    AbsentError
        When there is no such image.
    InputError
        When ECR refuses for another reason, or does not hand out the configuration.
    """
    name, _, digest = image.partition("@")
    repository = name.partition("/")[2]
    answer = ask(
        client,
        "batch_get_image",
        "ecr:BatchGetImage",
        repositoryName=repository,
        imageIds=[{"imageDigest": digest}],
        acceptedMediaTypes=[DOCKER_MANIFEST, OCI_MANIFEST],
    )
    if not answer["images"]:
        raise AbsentError(f"{image}: the registry has no such image")
    manifest = json.loads(answer["images"][0]["imageManifest"])
    address = ask(
        client,
        "get_download_url_for_layer",
        "ecr:GetDownloadUrlForLayer",
        repositoryName=repository,
        layerDigest=manifest["config"]["digest"],
    )["downloadUrl"]
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as download:
            configuration = json.load(download)
    except (OSError, ValueError) as error:
        raise InputError(f"{image}: its configuration cannot be read ({error})") from error
    labels = configuration.get("config", {}).get("Labels") or {}
    return StoredImage(str(manifest.get("mediaType", OCI_MANIFEST)), labels)
