"""The simulated shell: programs and what they write, as `sh` in busybox would."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from embedded.kubelet_stage import WEB, Stage
from kubepane_embedded.kubelet.creating import found_running
from kubepane_embedded.kubelet.processes import Surroundings
from kubepane_embedded.kubelet.shell.driving import Outcome, run_at_once
from kubepane_embedded.kubelet.shell.parsing import parse
from kubepane_embedded.kubelet.shell.syntax import ShellSyntaxError


@pytest.fixture(scope="module")
def around() -> Surroundings:
    stage = Stage()
    stage.config("cfg", greeting="hello", motd="a\nb\n")
    stage.user.create("secrets", {"metadata": {"name": "sec", "namespace": "default"}, "stringData": {"pass": "s3"}})
    volumes: list[dict[str, Any]] = [
        {"name": "cfg", "configMap": {"name": "cfg"}},
        {"name": "sec", "secret": {"secretName": "sec"}},
        {"name": "info", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"name": "data", "emptyDir": {}},
    ]
    mounts = [
        {"name": "cfg", "mountPath": "/etc/cfg"},
        {"name": "sec", "mountPath": "/etc/sec", "readOnly": True},
        {"name": "info", "mountPath": "/etc/info"},
        {"name": "data", "mountPath": "/data"},
        {"name": "cfg", "mountPath": "/single/motd", "subPath": "motd"},
    ]
    env = [
        {"name": "COLOUR", "value": "blue"},
        {"name": "BOTH", "value": "$(COLOUR)-$(NOPE)-$$(COLOUR)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
    ]
    container = {"volumeMounts": mounts, "env": env, "resources": {"limits": {"memory": "64Mi"}}}
    labels = {"app": "box"}
    made = {"name": "c", "image": "busybox:1.36", "command": ["sleep", "1000000"], **container}
    stage.pod(labels=labels, containers=[made], volumes=volumes)
    stage.run(5)
    worker = next(iter(stage.kubelets._workers.values()))
    run = worker.slots[0].run
    assert run is not None
    return run.around


def sh(around: Surroundings, program: str) -> Outcome:
    """Run a program."""
    return run_at_once(around, ["sh", "-c", program], 1000.0)


PROGRAMS = [
    ("echo hello world", "hello world\n", 0),
    ("echo -n a; echo -e 'b\\tc'", "ab\tc\n", 0),
    ("exit 3", "", 3),
    ("false", "", 1),
    ("true && echo yes || echo no", "yes\n", 0),
    ("false && echo yes || echo no", "no\n", 0),
    ("false; echo $?", "1\n", 0),
    ("nosuch --x", "sh: nosuch: not found\n", 127),
    ("nosuch 2>/dev/null; echo $?", "127\n", 0),
    ("echo out; echo err >&2", "out\nerr\n", 0),
    ("echo $COLOUR \"$COLOUR\" '$COLOUR' ${COLOUR}s", "blue blue $COLOUR blues\n", 0),
    ("echo $BOTH", "blue-$(NOPE)-$(COLOUR)\n", 0),
    ("echo $POD $LABEL $LIMIT $CPUS", "p box 64 4\n", 0),
    ("printenv ADDRESS", "10.244.1.2\n", 0),
    ("printenv NOPE", "", 1),
    ("echo ${NOPE:-default value} ${COLOUR:+set} ${#COLOUR}", "default value set 4\n", 0),
    ("A=1; B=$A$A; echo $B; A=2 true; echo $A", "11\n1\n", 0),
    ("echo a   b; X='a   b'; echo $X; echo \"$X\"", "a b\na b\na   b\n", 0),
    ("echo $(echo inner) `echo tick`", "inner tick\n", 0),
    ("echo $((1 + 2 * 3)) $((7 / 2)) $((-7 / 2)) $((5 % 3)) $((2 > 1))", "7 3 -3 2 1\n", 0),
    ("i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done", "0\n1\n2\n", 0),
    ('until [ "$x" = xx ]; do x=x$x; done; echo $x', "xx\n", 0),
    ("for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0),
    ("while true; do echo once; break; done", "once\n", 0),
    ("if [ -f /etc/cfg/greeting ]; then echo there; elif true; then echo no; else echo never; fi", "there\n", 0),
    ("if false; then echo a; else echo b; fi", "b\n", 0),
    ("cat /etc/cfg/greeting; echo; cat /etc/sec/pass", "hello\ns3", 0),
    ("cat /etc/info/labels", 'app="box"', 0),
    ("cat /single/motd | wc -l", "2\n", 0),
    ("cat /etc/hostname", "p\n", 0),
    ("cat /nope", "cat: can't open '/nope': No such file or directory\n", 1),
    ("ls /etc/cfg", "greeting\nmotd\n", 0),
    ("ls /nope", "ls: /nope: No such file or directory\n", 1),
    ("echo data > /data/f && echo more >> /data/f && cat /data/f", "data\nmore\n", 0),
    ("echo x > /etc/sec/pass", "sh: can't create /etc/sec/pass: Read-only file system\n", 1),
    ("mkdir -p /data/d; touch /data/d/e; ls /data/d; rm -r /data/d; ls /data/d", "e\nls: /data/d: No such file or directory\n", 1),
    ("seq 3 | head -n 2 | tail -1", "2\n", 0),
    ("printf '%s=%d\\n' a 1 b 2", "a=1\nb=2\n", 0),
    ("printf 'b\\na\\n' | sort", "a\nb\n", 0),
    ("echo one two | grep -q two && echo found", "found\n", 0),
    ("echo abc | tr a-z A-Z", "ABC\n", 0),
    ("(cd /data; pwd); pwd", "/data\n/\n", 0),
    ("{ echo a; echo b; } | wc -l", "2\n", 0),
    ("set -e; false; echo never", "", 1),
    ("! false && echo not", "not\n", 0),
    ("sh -c 'echo $1 $0' name first", "first name\n", 0),
    ("exec echo last; echo never", "last\n", 0),
    ("echo 'a b' | while read x y; do echo $y $x; done", "b a\n", 0),
    ("hostname; hostname -i", "p\n10.244.1.2\n", 0),
    ("date +%Y-%m-%d", "2026-01-01\n", 0),
    ("id -u", "0\n", 0),
    ("test 2 -gt 1 -a -n x && [ ! -e /nope ] && echo both", "both\n", 0),
    ("echo # comment\necho second", "\nsecond\n", 0),
    ("echo joined \\\n line", "joined line\n", 0),
    ("f() { echo $1 $#; return 4; echo never; }\nf a b; echo $?", "a 2\n4\n", 0),
    ("f () (cd /data; pwd); f; pwd", "/data\n/\n", 0),
    ("f() { echo own; }; for n in 1 2; do f & done; wait", "own\nown\n", 0),
    ("chown 1:1 /data && chmod -R u+w /data && echo set; chown 1 /nope", "set\nchown: /nope: No such file or directory\n", 1),
    ("wget -q -O- http://nobody/", "wget: bad address 'nobody'\n", 1),
    ("nslookup nobody >/dev/null || echo unknown", "unknown\n", 0),
    ("curl -s http://nobody/; echo $?", "6\n", 0),
]


@pytest.mark.parametrize(("program", "output", "status"), PROGRAMS)
def test_programs(around: Surroundings, program: str, output: str, status: int) -> None:
    outcome = sh(around, program)
    assert (outcome.output, outcome.status) == (output, status)


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ('echo "open', "sh: syntax error: unterminated quoted string\n"),
        ("if true; then echo", 'sh: syntax error: unexpected "end of file"\n'),
        ("done", 'sh: syntax error: unexpected "done"\n'),
        ("echo $((1 / 0))", "sh: divide by zero\n"),
        ("(" * 200, "sh: syntax error: nested too deeply\n"),
    ],
)
def test_programs_that_cannot_be_read(around: Surroundings, program: str, text: str) -> None:
    outcome = sh(around, program)
    assert (outcome.output, outcome.status) == (text, 2)


def test_sleep_takes_its_time(around: Surroundings) -> None:
    assert sh(around, "sleep 5; sleep 1m; echo done").seconds == 65


def test_endless_loops_take_time_too(around: Surroundings) -> None:
    outcome = run_at_once(around, ["sh", "-c", "while true; do :; done"], 100.0)
    assert outcome.status is None
    outcome = run_at_once(around, ["sh", "-c", "while :; do echo y; done | wc -l"], 1e6)
    assert outcome.status == 0  # the pipe breaks when nobody can hold more


def test_image_without_a_shell_has_no_commands() -> None:
    stage = Stage()
    stage.pod(containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    worker = next(iter(stage.kubelets._workers.values()))
    outcome = run_at_once(found_running(worker, worker.slots[0]).around, ["sh", "-c", "echo"], 1.0)
    assert outcome.status == 127
    assert outcome.output.endswith('exec: "sh": executable file not found in $PATH')


@given(st.text(alphabet="abc $'\"`;|&(){}<>=!#\\\n#%-*+/?[]0123echo whiledotfi", max_size=60))
@settings(deadline=None, max_examples=400)
def test_any_text_is_a_program_or_a_syntax_error(program: str) -> None:
    with suppress(ShellSyntaxError):
        assert parse(program) is not None


@given(
    program=st.lists(
        st.sampled_from(
            [
                "echo a",
                "false",
                "$x",
                "x=$((x+1))",
                "while [ $x ]; do break; done",
                "cat",
                "| wc",
                "; ",
                "\n",
                "&& true",
                "> /run/f",
                "$(",
                ")",
                "${y:-z}",
            ]
        ),
        max_size=8,
    )
)
@settings(deadline=None, max_examples=200)
def test_any_program_ends(around: Surroundings, program: list[str]) -> None:
    outcome = sh(around, " ".join(program))
    assert outcome.status is None or 0 <= outcome.status < 256
