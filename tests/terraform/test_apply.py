"""The module, smallest and largest, is really applied, planned again without a difference, and
destroyed.

Against moto's server with the patches of moto_server.py: it remembers what Terraform sends, so
this shows that Terraform can make and unmake everything and reads back what it wrote. That AWS
takes it, it does not show.
"""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from testkit import PROJECT

SWITCH = "FACEVEIL_TEST_APPLY"
SERVER = PROJECT / "testkit" / "servers" / "moto_server.py"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
IMAGES = {
    "server": f"{REGISTRY}/faceveil-server@sha256:{'a' * 64}",
    "postprocess": f"{REGISTRY}/faceveil-postprocess@sha256:{'b' * 64}",
}
DIFFERENCE = 2
"""What `terraform plan -detailed-exitcode` answers when something differs."""


@pytest.fixture
def endpoint():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, SERVER, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            assert server.poll() is None, "moto's server ended"
            with socket.socket() as caller:
                if caller.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get(SWITCH) != "1",
    reason=f"takes three minutes, nearly all of them the provider's fixed waits: {SWITCH}=1",
)
def test_apply_then_no_difference_then_destroy(terraform, tmp_path, endpoint):
    terraform.ready(tmp_path)
    root = tmp_path / "deployment"
    terraform.init(root)
    variables = {"endpoint": endpoint, "images": json.dumps(IMAGES)}
    quick = ("-no-color", "-input=false", "-parallelism=40")

    applied = terraform.run(root, "apply", "-auto-approve", *quick, variables=variables)
    assert applied.returncode == 0, applied.stderr

    planned = terraform.run(root, "plan", "-detailed-exitcode", *quick, variables=variables)
    assert planned.returncode != DIFFERENCE, planned.stdout
    assert planned.returncode == 0, planned.stderr

    destroyed = terraform.run(root, "destroy", "-auto-approve", *quick, variables=variables)
    assert destroyed.returncode == 0, destroyed.stderr
    left = terraform.run(root, "state", "list")
    assert left.stdout == "", left.stdout
