"""`faceveil aws build-images`: the two images into the deployment's registries, by digest."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from faceveil.aws.ecr import registry_password
from faceveil.cli.aws.deployment import read_outputs
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.files import replace_file

IMAGES = {"server": "Dockerfile", "postprocess": "postprocess_lambda/Dockerfile"}
ENGINES = ("podman", "docker")
PLATFORM = "linux/amd64"
"""Of everything in terraform/, whatever machine builds."""
NO_ATTESTATIONS = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""Docker puts an index around an image and its attestations, which Lambda does not take."""
LOCAL = "localhost/faceveil-{0}"
_ECR = re.compile(r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/.+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Engine:
    """podman or docker. dry_run: its commands are printed, not run."""

    name: str
    dry_run: bool

    def run(self, *words: str, given: str | None = None) -> str:
        """What a command prints, whose own messages are shown. Raises OutputError."""
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


def build_images(options: Namespace) -> int:
    """Build, push, and write the digests; the exit code."""
    for file in IMAGES.values():
        if not (options.checkout / file).is_file():
            raise InputError(
                f"{options.checkout / file}: is not there: --checkout is a checkout of faceveil"
            )
    engine = Engine(_engine(options), options.dry_run)
    tag = options.tag or f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    repositories = {} if options.no_push else _repositories(options)
    names = {image: f"{repositories.get(image, LOCAL.format(image))}:{tag}" for image in IMAGES}
    for image, file in IMAGES.items():
        words = ["--platform", PLATFORM, *options.build_option]
        words += ["--file", str(options.checkout / file), "--tag", names[image]]
        engine.run("build", *words, str(options.checkout))
    if options.no_push:
        return 0
    for registry in sorted({address.partition("/")[0] for address in repositories.values()}):
        _log_in(engine, registry, next(a for a in repositories.values() if a.startswith(registry)))
    digests = {image: _push(engine, names[image], repositories[image]) for image in IMAGES}
    _write(digests, repositories, options)
    return 0


def _engine(options: Namespace) -> str:
    for name in [options.engine] if options.engine else ENGINES:
        if shutil.which(name) or options.dry_run:
            return str(name)
    raise UsageError(f"images are built by {' or '.join(ENGINES)}, which is not on this machine")


def _repositories(options: Namespace) -> dict[str, str]:
    given = {image: getattr(options, f"{image}_repository") for image in IMAGES}
    outputs = read_outputs(options.outputs).get("repositories", {})
    found = {image: given[image] or outputs.get(image) for image in IMAGES}
    missing = [f"--{image}-repository" for image, address in found.items() if not address]
    if missing:
        raise UsageError(f"push where? Give --outputs or {' and '.join(missing)}, or --no-push")
    for address in found.values():
        if not _ECR.fullmatch(address):
            raise UsageError(f"{address}: is not the address of an ECR repository")
    return found


def _log_in(engine: Engine, registry: str, address: str) -> None:
    """Raises OutputError where ECR gives no password, which no command line ever shows."""
    match = _ECR.fullmatch(address)
    assert match is not None
    password = None if engine.dry_run else registry_password(match[1])
    engine.run("login", "--username", "AWS", "--password-stdin", registry, given=password)


def _push(engine: Engine, name: str, repository: str) -> str:
    """The digest by which the registry knows the image. Raises OutputError."""
    if engine.name == "podman":
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "digest")
            engine.run("push", "--digestfile", str(file), name)
            said = file.read_text() if file.exists() else ""
    else:
        engine.run("push", name)
        words = ("--format", '{{join .RepoDigests "\\n"}}', name)
        listed = engine.run("image", "inspect", *words).splitlines()
        said = next((line for line in listed if line.startswith(f"{repository}@")), "")
    digest = _DIGEST.search(said)
    if digest is None and not engine.dry_run:
        raise OutputError(f"{name}: is pushed, but {engine.name} does not tell its digest")
    return digest[0] if digest else "sha256:…"


def _write(digests: dict[str, str], repositories: dict[str, str], options: Namespace) -> None:
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
