"""What each known image does: log lines, start time, answers to probes, how it ends."""

from __future__ import annotations

from kubepane_embedded.kubelet.applications.chatapp import ChatApp
from kubepane_embedded.kubelet.applications.generic import Pause, Server
from kubepane_embedded.kubelet.applications.mysql import MySql
from kubepane_embedded.kubelet.applications.nginx import Nginx
from kubepane_embedded.kubelet.applications.script import Script
from kubepane_embedded.kubelet.processes import Process

KINDS: dict[str, type[Process]] = {
    "chatapp": ChatApp,
    "mysql": MySql,
    "nginx": Nginx,
    "server": Server,
    "pause": Pause,
    "shell": Script,
}
"""`images.Application.kind` → what runs."""
