"""Fixtures of the server's tests: pictures, and one running server for those that share it."""

import pytest
from PIL import Image as Picture

from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.errors import UsageError
from faceveil.weights.catalogue import fetch_networks
from testkit.portraits import portrait_path
from testkit.request_pictures import encoded
from testkit.servers.model_server import RunningServer, start_server

PACKAGES = ("mms", "sagemaker_inference")


@pytest.fixture(scope="session")
def weights():
    """The default networks are in the cache: the server itself never fetches."""
    return fetch_networks()


@pytest.fixture(scope="session")
def analyzer(weights):
    return build_analyzer(AnalyzerOptions())


@pytest.fixture(scope="session")
def java(weights) -> str:
    for package in PACKAGES:
        pytest.importorskip(package, reason=f"needs the extra `serve`: {package}")
    from handler.frontend import java

    try:
        return java()
    except UsageError as problem:
        pytest.skip(str(problem))


@pytest.fixture(scope="session")
def compiled(java, tmp_path_factory) -> dict[str, str]:
    """The variable that names the compiled plugin; none on a machine without a JDK."""
    from handler.plugin.build import build, has_compiler

    if not has_compiler():
        return {}
    return {"FACEVEIL_MMS_PLUGIN": str(build(tmp_path_factory.mktemp("plugin") / "plugin.jar"))}


@pytest.fixture
def plugin(compiled) -> None:
    """Asked for by tests of what only the plugin does."""
    if not compiled:
        pytest.skip("needs javac to compile the server's plugin: no JDK on this machine")


@pytest.fixture(scope="module")
def server(compiled) -> RunningServer:
    """A ready server with two workers."""
    with start_server(SAGEMAKER_MODEL_SERVER_WORKERS="2", **compiled) as running:
        running.wait_until_ready(workers=2)
        yield running


@pytest.fixture(scope="session")
def portrait() -> bytes:
    """A JPEG with one face."""
    return encoded(Picture.open(portrait_path("obama2")).convert("RGB"), "JPEG")


@pytest.fixture(scope="session")
def large_portrait() -> bytes:
    """A JPEG whose analysis takes long enough to be interrupted."""
    photo = Picture.open(portrait_path("obama2")).convert("RGB")
    return encoded(photo.resize((4000, 5000)), "JPEG")
