import subprocess
import sys

# A command that registers an exit handler, and leaves an object to Python's own end.
_PROGRAM = """
import atexit
import sys
from deployments import __main__

class Last:
    def __del__(self):
        print("Python's own end", flush=True)

def command(prog_name):
    sys.last = Last()
    atexit.register(print, "exit handlers")
    sys.stdout.write("results without a line end")
    {end}

__main__.main = command
__main__.run()
"""


def _ended(end: str) -> "subprocess.CompletedProcess[str]":
    program = _PROGRAM.format(end=end)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_a_command_ends_after_its_exit_handlers_with_its_code_and_all_output() -> None:
    ended = _ended("raise SystemExit(2)")
    assert ended.returncode == 2
    assert ended.stdout == "results without a line endexit handlers\n"


def test_an_error_of_ferflow_itself_ends_with_its_traceback() -> None:
    ended = _ended("raise RuntimeError('unexpected')")
    assert ended.returncode == 1
    assert "RuntimeError: unexpected" in ended.stderr
