"""Fixtures shared by all tests."""

import os
import signal
import tomllib
from pathlib import Path

import pytest
from hypothesis import settings

from testkit import SHARED_DATA, THESIS_TABLES

pytest_plugins = (
    "testkit.servers.fixtures",
    "testkit.terraform_fixtures",
    "testkit.job_fixtures",
    "testkit.browser_fixtures",
    "testkit.published",
)

# No test asserts a time: machines are busy, and hypothesis would by default.
settings.register_profile("faceveil", deadline=None)
settings.load_profile("faceveil")


# Results are compared with figures and between programs: the same on every machine. The tests of
# engines name theirs.
os.environ.setdefault("FACEVEIL_ENGINE", "onnxruntime")


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="leave out tests marked slow")


def pytest_configure():
    """Restore SIGINT: a shell ignores it for background jobs, which the programs whose interruption
    is tested would inherit."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--fast"):
        return
    skip = pytest.mark.skip(reason="--fast leaves out slow tests")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips and photos beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real clips of ../shared/data, which are not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def thesis_tables() -> dict:
    """The figures of the thesis's tables 4.1 to 4.14, as ../shared/thesis/tables.toml has them."""
    if not THESIS_TABLES.is_file():
        pytest.skip("needs the figures of ../shared/thesis, which are not beside this checkout")
    return tomllib.loads(THESIS_TABLES.read_text())
