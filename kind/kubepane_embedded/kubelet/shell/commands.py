"""The commands that the images' shells know, by name."""

from __future__ import annotations

from kubepane_embedded.kubelet.shell.effects import Command
from kubepane_embedded.kubelet.shell.file_commands import FILE_COMMANDS
from kubepane_embedded.kubelet.shell.network_commands import NETWORK_COMMANDS
from kubepane_embedded.kubelet.shell.system_commands import SYSTEM_COMMANDS
from kubepane_embedded.kubelet.shell.text_commands import TEXT_COMMANDS

COMMANDS: dict[str, Command] = {**TEXT_COMMANDS, **FILE_COMMANDS, **SYSTEM_COMMANDS, **NETWORK_COMMANDS}
