"""The nginx image: its entrypoint's lines, access lines, a page at `/`."""

from __future__ import annotations

from kubepane_embedded.kubelet.processes import Process, Surroundings
from kubepane_embedded.kubelet.shell.effects import Context, Steps, complain

VERSION = "nginx/1.29.3"
ENTRY = "/docker-entrypoint.sh"
START = (
    f"{ENTRY}: /docker-entrypoint.d/ is not empty, will attempt to perform configuration",
    f"{ENTRY}: Looking for shell scripts in /docker-entrypoint.d/",
    f"{ENTRY}: Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh",
    f"{ENTRY}: Configuration complete; ready for start up",
)
PAGES = {"/": 615, "/index.html": 615}
"""Path → bytes of what is served."""


class Nginx(Process):
    """Serves the welcome page and what is mounted into its document root."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        around.commands["nginx"] = self._control

    def start(self) -> None:
        """The entrypoint's lines."""
        for line in START:
            self.around.say(line)
        super().start()

    def come_up(self) -> None:
        """The server's own lines."""
        super().come_up()
        for text in ('using the "epoll" event method', VERSION, "start worker processes"):
            self._notice(text)

    def http(self, port: int, path: str, agent: str) -> int | None:
        """200 for its page and for mounted files, else 404; each request is a line of the access log."""
        plain = path.partition("?")[0]
        page = self.around.files.read(f"/usr/share/nginx/html{plain if plain != '/' else '/index.html'}")
        size = len(page) if page is not None else PAGES.get(plain)
        status = 404 if size is None else 200
        moment = self.around.now().strftime("%d/%b/%Y:%H:%M:%S +0000")
        client = self.around.address.rpartition(".")[0] + ".1"
        self.around.say(f'{client} - - [{moment}] "GET {path} HTTP/1.1" {status} {153 if size is None else size} "-" "{agent}" "-"')
        return status

    def terminate(self) -> None:
        """Shut down fast."""
        self._notice("signal 15 (SIGTERM) received, exiting")
        super().terminate()

    def _control(self, shell: Context, arguments: list[str]) -> Steps:
        """`nginx -t`, `nginx -s quit`, `nginx -v`."""
        if "-t" in arguments:
            path = "/etc/nginx/nginx.conf"
            lines = f"nginx: the configuration file {path} syntax is ok\nnginx: configuration file {path} test is successful"
            return (yield from complain(lines, 0))
        if "quit" in arguments or "stop" in arguments:
            self.terminate()
            return 0
        return (yield from complain(f"nginx version: {VERSION}", 0))

    def _notice(self, text: str) -> None:
        self.around.say(f"{self.around.now():%Y/%m/%d %H:%M:%S} [notice] 1#1: {text}")
