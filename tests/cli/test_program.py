"""How a program ends: one line, an exit code, and never a result lost to its own messages."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from faceveil.cli.program import EXTRAS, run_program
from faceveil.errors import InputError, WeightsError

BEGIN = "import os, signal, sys, time\nfrom faceveil.cli.program import run_program\n"


def program(body, **options):
    """A process whose work is the body of a function."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    end = "sys.exit(run_program('p', work, interrupted='nothing was written'))"
    code = f"{BEGIN}def work():\n{lines}\n    return 0\n{end}"
    return subprocess.Popen([sys.executable, "-c", code], text=True, **options)


def ended(error, capsys, **options):
    def work():
        raise error

    code = run_program("p", work, interrupted="nothing was written", **options)
    return code, capsys.readouterr().err


def test_our_errors_are_a_message_and_their_code(capsys):
    assert ended(InputError("a.mp4: broken"), capsys) == (3, "p: a.mp4: broken\n")
    assert ended(WeightsError("none"), capsys) == (6, "p: none\n")
    code, message = ended(KeyboardInterrupt(), capsys)
    assert (code, message) == (130, "\np: interrupted; nothing was written\n")


def test_any_other_error_is_one_line_that_says_what_and_where(capsys):
    code, message = ended(ValueError("two\nlines"), capsys)
    assert code == 1
    assert message.count("\n") == 1
    assert "ValueError: two lines" in message and "line" in message and "--debug" in message
    code, message = ended(ValueError("x"), capsys, debug=True)
    assert code == 1
    assert "Traceback" in message


def test_a_missing_extra_is_named(capsys):
    for module, extra in EXTRAS.items():
        code, message = ended(ModuleNotFoundError("no", name=module), capsys)
        assert code == 2
        assert f"pip install 'faceveil[{extra}]'" in message


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_clean_up_alike(name):
    """What a `finally` removes is removed, whichever way the program is stopped."""
    body = "try:\n    print('ready', flush=True)\n    time.sleep(60)\nfinally:\n    print('clean')"
    number = getattr(signal, name)
    # A test that runs in the background of a shell has inherited an ignored SIGINT.
    default = {"preexec_fn": lambda: signal.signal(number, signal.SIG_DFL)}
    process = program(body, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **default)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    output, message = process.communicate(timeout=30)
    assert output == "clean\n"
    assert "interrupted; nothing was written" in message
    assert process.returncode == 128 + number


def test_under_nohup_a_hangup_stays_ignored():
    body = "print('ready', flush=True)\ntime.sleep(1)\nprint('done')"
    process = program(
        body,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    output, _ = process.communicate(timeout=30)
    assert (output, process.returncode) == ("done\n", 0)


def test_with_closed_streams_messages_never_reach_the_output(tmp_path):
    """A closed standard error would otherwise hand its number to the next file opened."""
    out = tmp_path / "out"
    body = (
        f"out = open({str(out)!r}, 'w')\nprint('message', file=sys.stderr)\n"
        "os.write(2, b'message of a library')\nsys.stderr.isatty()\n"
        "out.write('result')\nout.close()"
    )
    assert program(body, preexec_fn=lambda: os.closerange(0, 3)).wait() == 0
    assert out.read_text() == "result"


def test_a_reader_of_messages_that_goes_stops_nothing(tmp_path):
    out = tmp_path / "out"
    body = (
        "for _ in range(10000):\n    print('message', file=sys.stderr, flush=True)\n"
        f"open({str(out)!r}, 'w').write('result')"
    )
    process = program(body, stderr=subprocess.PIPE)
    assert process.stderr.readline() == "message\n"
    process.stderr.close()
    assert process.wait(30) == 0
    assert out.read_text() == "result"


def test_a_reader_of_the_answer_that_goes_is_no_error():
    process = program(
        "for _ in range(100000):\n    print('a long answer')",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == "a long answer\n"
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_progress_as_json_survives_its_reader():
    body = (
        "from faceveil.progress import JsonProgress\n"
        "with JsonProgress().stage('render', 3) as stage:\n"
        "    for _ in range(30):\n        time.sleep(0.05)\n        stage.advance()\n"
        "with JsonProgress().stage('verify', 3) as stage:\n    stage.advance()\nprint('result')"
    )
    process = program(body, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert json.loads(process.stderr.readline())["stage"] == "render"
    process.stderr.close()
    time.sleep(0.1)
    output, _ = process.stdout.read(), process.wait(30)
    process.stdout.close()
    assert output == "result\n"
    assert process.returncode == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interruption_that_python_drops_is_made_again(name):
    """`faceveil watch` went on for ever where Ctrl-C came just as a network was freed."""
    body = f"""signal.signal(signal.SIGINT, signal.default_int_handler)
class Freed:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        for _ in range(1000):
            pass
Freed()
time.sleep(20)"""
    process = program(body, stderr=subprocess.PIPE)
    said = process.communicate(timeout=15)[1]
    assert process.returncode == 128 + getattr(signal, name)
    assert "interrupted; nothing was written" in said
