"""ECR: the password with which images are pushed, and what was pushed."""

from __future__ import annotations

import base64
import json

from faceveil.aws.clients import ecr_client
from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import OutputError

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


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
