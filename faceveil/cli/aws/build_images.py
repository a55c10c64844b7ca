"""`faceveil aws build-images`: the two images into the deployment's registries, by digest."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import add_dry_run, read_outputs
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.files import replace_file

DESCRIPTION = """\
Build the images of the server and of post-processing in a checkout, push them to ECR, and write
their digests as images.auto.tfvars for Terraform.

  terraform output -json > outputs.json
  faceveil aws build-images --outputs outputs.json --tfvars images.auto.tfvars
  faceveil aws build-images --no-push                   only build, with podman or docker
  faceveil aws build-images --gpu …                     a server for ml.g4dn and ml.g5 instances

The images are stored in Docker's format (manifest v2, schema 2), which is read back after the push:
SageMaker refuses OCI's.
"""

DOCKERFILE = "Dockerfile"
IMAGES = ("server", "postprocess")
"""The Dockerfile's targets."""
PLATFORM = "linux/amd64"
"""The platform of everything in terraform/, whatever machine builds."""
# SageMaker refuses OCI's manifests, which both engines make by default.
BUILD_OPTIONS = {
    "podman": ("--format", "docker"),
    "docker": ("--output", "type=image,oci-mediatypes=false"),
}
PUSH_OPTIONS = {"podman": ("--format", "v2s2"), "docker": ()}
NO_ATTESTATIONS = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""Docker puts an index around an image and its attestations, which Lambda does not take."""
# Both of CUDA 12: newer versions of onnxruntime-gpu need CUDA 13, and with it newer drivers than
# SageMaker's instances have.
GPU_OPTIONS = (
    "--build-arg=BASE_IMAGE=docker.io/nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04",
    "--build-arg=ONNXRUNTIME=onnxruntime-gpu==1.26.0",
)
LOCAL = "localhost/faceveil-{0}"
_ECR = re.compile(
    r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<name>.+)"
)


@dataclass(frozen=True, slots=True)
class Engine:
    """podman or docker. dry_run: its commands are printed, not run."""

    name: str
    dry_run: bool

    def run(self, *words: str, given: str | None = None) -> str:
        """Return what a command prints. Raises OutputError when it fails."""
        command = [self.name, *words]
        print(shlex.join(command), file=sys.stdout if self.dry_run else sys.stderr)
        if self.dry_run:
            return ""
        done = subprocess.run(
            command,
            input=given,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **NO_ATTESTATIONS},
            check=False,
        )
        if done.returncode:
            raise OutputError(f"`{shlex.join(command)}` ended with {done.returncode}: see above")
        return done.stdout


def add_build_images_parser(verbs: Commands) -> None:
    """Add `build-images` to the verbs."""
    parser = add_command(verbs, "build-images", "", "build and push the images", DESCRIPTION)
    parser.add_argument(
        "--checkout",
        type=parsing.path,
        default=Path(),
        metavar="FOLDER",
        help="a checkout of faceveil (default: this folder)",
    )
    parser.add_argument(
        "--engine", choices=tuple(BUILD_OPTIONS), help="default: the first one installed"
    )
    parser.add_argument("--tag", help="default: the time; a tag is used once")
    parser.add_argument("--no-push", action="store_true", help="only build")
    parser.add_argument(
        "--gpu", action="store_true", help="the server on NVIDIA's CUDA base image (not measured)"
    )
    parser.add_argument(
        "--build-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="passed to the engine's build: --build-option=--no-cache; may be repeated",
    )
    for image in IMAGES:
        parser.add_argument(
            f"--{image}-repository", metavar="ADDRESS", help="default: of --outputs"
        )
    parser.add_argument(
        "--tfvars", type=parsing.path, metavar="FILE", help="default: standard output"
    )
    parser.add_argument(
        "--outputs", type=parsing.path, metavar="JSON", help="what `terraform output -json` printed"
    )
    add_dry_run(parser)
    parser.set_defaults(func=run_build_images)


def run_build_images(options: argparse.Namespace) -> int:
    """`faceveil aws build-images`: build both images, push them, and write their digests.

    Raises
    ------
    InputError
        `--checkout` is not a checkout of faceveil.
    UsageError
        No engine is on this machine, or no repository is named.
    OutputError
        A command of the engine failed, ECR does not answer, or SageMaker would refuse the image.
    """
    from faceveil.aws.ecr import registry_password
    from faceveil.paths import Written, check_paths

    dockerfile = options.checkout / DOCKERFILE
    if not dockerfile.is_file():
        raise InputError(
            f"{dockerfile}: there is no such file: name a checkout of faceveil with --checkout"
        )
    if options.tfvars is not None:
        written = [Written("the file of digests", options.tfvars)]
        # The digests of an older build are there to be replaced.
        check_paths(filter(None, [options.outputs]), written, overwrite=True)
    engine = Engine(_engine(options), options.dry_run)
    tag = options.tag or f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    repositories = {} if options.no_push else _repositories(options)
    names = {image: f"{repositories.get(image, LOCAL.format(image))}:{tag}" for image in IMAGES}
    for image in IMAGES:
        words = ["--platform", PLATFORM, *BUILD_OPTIONS[engine.name]]
        words += GPU_OPTIONS if options.gpu and image == "server" else ()
        words += [*options.build_option, "--file", str(dockerfile), "--target", image]
        engine.run("build", *words, "--tag", names[image], str(options.checkout))
    if options.no_push:
        return 0
    for registry in sorted({address.partition("/")[0] for address in repositories.values()}):
        # The password goes through standard input: no command line shows it.
        password = None if options.dry_run else registry_password(_region(registry))
        engine.run("login", "--username", "AWS", "--password-stdin", registry, given=password)
    for name in names.values():
        engine.run("push", *PUSH_OPTIONS[engine.name], name)
    digests = {
        image: "sha256:…" if options.dry_run else pushed_digest(repositories[image], tag)
        for image in IMAGES
    }
    _write(digests, repositories, options)
    return 0


def _engine(options: argparse.Namespace) -> str:
    for name in [options.engine] if options.engine else BUILD_OPTIONS:
        if shutil.which(name) or options.dry_run:
            return str(name)
    raise UsageError(f"images are built by {' or '.join(BUILD_OPTIONS)}: install one of them")


def _repositories(options: argparse.Namespace) -> dict[str, str]:
    given = {image: getattr(options, f"{image}_repository") for image in IMAGES}
    outputs = read_outputs(options.outputs).get("repositories", {})
    found = {image: given[image] or outputs.get(image) for image in IMAGES}
    missing = [f"--{image}-repository" for image, address in found.items() if not address]
    if missing:
        raise UsageError(
            f"no repository to push to: give --outputs, {' and '.join(missing)}, or --no-push"
        )
    for address in found.values():
        if not _ECR.fullmatch(address):
            raise UsageError(f"{address}: is not the address of an ECR repository")
    return found


def _region(registry: str) -> str:
    """The region in the host of a registry that `_ECR` matches."""
    return registry.split(".")[3]


def pushed_digest(repository: str, tag: str) -> str:
    """Read back what ECR holds under a tag that was pushed.

    Returns
    -------
    str
        The manifest's digest, `sha256:…`.

    Raises
    ------
    OutputError
        ECR does not answer, or the manifest is one that SageMaker refuses.
    """
    from faceveil.aws.ecr import DOCKER_MANIFEST, pushed_manifest

    match = _ECR.fullmatch(repository)
    assert match is not None
    media_type, digest = pushed_manifest(match["region"], match["name"], tag)
    if media_type != DOCKER_MANIFEST:
        raise OutputError(
            f"{repository}:{tag} is pushed as {media_type}, which SageMaker refuses: it must be "
            f"{DOCKER_MANIFEST}. Update the engine (podman 4, docker with buildx 0.10), or convert "
            "the image with `skopeo copy --format v2s2`"
        )
    return digest


def _write(
    digests: dict[str, str], repositories: dict[str, str], options: argparse.Namespace
) -> None:
    text = tfvars({image: f"{repositories[image]}@{digest}" for image, digest in digests.items()})
    if options.tfvars is None or options.dry_run:
        print(text, end="")
    else:
        replace_file(options.tfvars, text.encode())
        print(f"{options.tfvars} is written: terraform apply")


def tfvars(images: dict[str, str]) -> str:
    """terraform/'s variable `images`."""
    width = max(map(len, images))
    lines: Sequence[str] = [f'  {name:<{width}} = "{uri}"' for name, uri in images.items()]
    return "\n".join(["images = {", *lines, "}", ""])
