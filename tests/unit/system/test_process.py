"""system/process.py: all subprocesses go through run()."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.errors import StackError
from hardener.system.process import environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = sys.executable


def test_output_status_and_time_are_returned(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd()); print(sys.stdin.read(), file=sys.stderr); sys.exit(3)"
    done = run([PYTHON, "-c", code], cwd=tmp_path, stdin=b"in")
    assert (done.status, done.text, done.complaint) == (3, str(tmp_path), "in")
    assert done.argv[0] == PYTHON
    assert done.seconds > 0


def test_a_silent_failure_complains_with_its_standard_output() -> None:
    assert run([PYTHON, "-c", "print(' no ')"]).complaint == "no"


def test_output_need_not_be_utf_8() -> None:
    done = run([PYTHON, "-c", r"import sys; sys.stdout.buffer.write(b'\xff\r\n')"])
    assert (done.stdout, done.text) == (b"\xff\r\n", "\ufffd\r")


def test_standard_input_is_empty_not_the_terminal() -> None:
    assert run([PYTHON, "-c", "import sys; print(repr(sys.stdin.read()))"]).text == "''"


def test_words_are_passed_as_they_are_no_shell_reads_them(tmp_path: Path) -> None:
    words = ["$HOME", "a b", "; touch x", "*", "'", tmp_path]
    done = run([PYTHON, "-c", "import sys; print(sys.argv[1:])", *words])
    assert done.text == str([str(word) for word in words])


def test_a_missing_program_is_an_error_with_a_hint() -> None:
    with pytest.raises(StackError, match="cannot run no-such-program") as caught:
        run(["no-such-program", "x"])
    assert caught.value.exit_code == 8
    assert caught.value.hint == "hardener doctor"


DROPPED = (
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_PREFIX"
    " GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT GIT_DIFF_OPTS GIT_SHALLOW_FILE GIT_GRAFT_FILE GIT_REPLACE_REF_BASE"
    " GIT_EXTERNAL_DIFF GIT_LITERAL_PATHSPECS GIT_ICASE_PATHSPECS GIT_DEFAULT_HASH GIT_TRACE GIT_EXEC_PATH GIT_NAMESPACE"
    " NODE_OPTIONS NODE_ENV NODE_PATH NODE_V8_COVERAGE NODE_DEBUG npm_config_omit npm_config_include npm_config_script_shell"
    " NPM_CONFIG_OMIT Npm_Config_Include npm_config_ignore_scripts LD_PRELOAD LD_LIBRARY_PATH PYTHONPATH PYTHONSTARTUP"
    " PYTHONOPTIMIZE LANGUAGE SASS_PATH MAKEFLAGS TAR_OPTIONS GREP_OPTIONS BROWSERSLIST GITHUB_TOKEN BASH_ENV ENV"
).split()
KEPT = (
    "PATH HOME TMPDIR https_proxy HTTPS_PROXY NO_PROXY ALL_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE GIT_SSL_CAINFO"
    " GIT_SSH_COMMAND SSH_AUTH_SOCK NODE_EXTRA_CA_CERTS npm_config_registry NPM_CONFIG_CACHE npm_config_cafile NPM_TOKEN"
    " npm_config_//registry.example/:_authToken npm_config_@own:registry DOCKER_HOST XDG_CACHE_HOME"
).split()


@pytest.mark.parametrize("name", DROPPED)
def test_what_would_change_a_program_unseen_is_dropped(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """LANGUAGE is among it: gettext prefers it to LC_ALL=C.UTF-8, and git's messages are parsed."""
    monkeypatch.setenv(name, "x")
    assert name not in environment()


def test_an_unknown_variable_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_OF_NEXT_YEAR", "x")
    assert "GIT_OF_NEXT_YEAR" not in environment()


@pytest.mark.parametrize("name", KEPT)
def test_what_says_how_to_reach_the_network_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    assert environment()[name] == "x"


@pytest.mark.parametrize("name", ["HARDENER_UPSTREAM", "NPM_TOKEN", "https_proxy", "GIT_SSH_COMMAND", "SSH_AUTH_SOCK"])
def test_upstreams_code_sees_no_secret_and_no_switch(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "planted")
    code = "import os; print(sorted(os.environ.items()))"
    assert "planted" in run([PYTHON, "-c", code]).text, "others may need it"
    assert "planted" not in run([PYTHON, "-c", code], upstreams=True).text


def test_upstreams_code_finds_programs_and_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/a/home")
    given = environment({"PATH": "/a:/b"}, upstreams=True)
    assert (given["PATH"], given["HOME"], given["LC_ALL"]) == ("/a:/b", "/a/home", "C.UTF-8")


def test_the_locale_is_fixed_and_extra_variables_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert (environment()["LC_ALL"], environment()["TZ"]) == ("C.UTF-8", "UTC")
    assert environment({"TZ": "x", "GIT_DIR": "y"})["TZ"] == "x"
    assert environment({"GIT_DIR": "y"})["GIT_DIR"] == "y", "what is asked for in the code is meant"


def test_gits_messages_are_english_whatever_the_users_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert "not a git command" in run(["git", "no-such-verb"]).complaint


def test_each_command_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "hardener.system.process")
    run([PYTHON, "-c", "pass"])
    assert f"{PYTHON} -c pass" in caplog.text


class Interrupted:
    """Makes the wait for a child end with an error, and keeps the child to look at."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.ready = 0  # bytes that the child writes once it runs
        self.to_the_end = False
        self.processes: list[subprocess.Popen[bytes]] = []

    def communicate(self, process: subprocess.Popen[bytes], stdin: bytes) -> None:
        """Replace Popen.communicate."""
        self.processes.append(process)
        assert process.stdout
        process.stdout.read(self.ready)
        if self.to_the_end:
            process.wait()
        raise self.error

    def end(self) -> None:
        """Close what is left open."""
        for process in self.processes:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Interrupted]:
    """Interrupt every wait for a child."""
    interrupted = Interrupted(KeyboardInterrupt())
    monkeypatch.setattr(subprocess.Popen, "communicate", lambda *words: interrupted.communicate(*words))  # noqa: PLW0108
    yield interrupted
    interrupted.end()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError()], ids=["interrupt", "error"])
def test_an_interrupt_ends_the_child_and_its_children(interrupted: Interrupted, error: BaseException) -> None:
    """The child starts a child of its own, both say that they run, then the wait is interrupted."""
    interrupted.error, interrupted.ready = error, 2
    with pytest.raises(type(error)):
        run([PYTHON, "-c", "import os, signal; os.fork(); os.write(1, b'x'); signal.pause()"])
    pid = interrupted.processes[0].pid
    with pytest.raises(ChildProcessError):  # it was waited for: no zombie is left
        os.waitpid(pid, 0)
    assert set(group_states(pid)) <= {"Z"}, "none of its group runs any more"


def group_states(group: int) -> list[str]:
    """States (proc_pid_stat(5)) of a group's processes, as soon as all are dead or after a while."""
    states: list[str] = []
    for _ in range(2_000):
        states = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rsplit(") ", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == group:
                states.append(fields[0])
        if set(states) <= {"Z"}:
            break
        os.sched_yield()
    return states


def test_an_interrupt_of_a_child_that_has_ended_is_still_that_interrupt(interrupted: Interrupted) -> None:
    """Popen.communicate waits up to 0.25 s for the child before it hands an interrupt on: a short one is gone then."""
    interrupted.to_the_end = True
    with pytest.raises(KeyboardInterrupt):
        run([PYTHON, "-c", "pass"])


def test_the_child_is_asked_to_end_not_killed(interrupted: Interrupted) -> None:
    """A child may clean up."""
    interrupted.ready = 1
    code = "import os, signal, sys; signal.signal(15, lambda *_: sys.exit(7)); os.write(1, b'x'); signal.pause()"
    with pytest.raises(KeyboardInterrupt):
        run([PYTHON, "-c", code])
    assert interrupted.processes[0].returncode == 7


def test_after_an_interrupt_no_pipe_is_left_open(interrupted: Interrupted) -> None:
    with pytest.raises(KeyboardInterrupt):
        run([PYTHON, "-c", "import signal; signal.pause()"])
    (process,) = interrupted.processes
    assert all(pipe.closed for pipe in (process.stdin, process.stdout, process.stderr) if pipe)
