"""The mysql image: refuses to initialise without a root password option, then takes connections on 3306."""

from __future__ import annotations

from kubepane_embedded.kubelet.processes import Process, Surroundings
from kubepane_embedded.kubelet.shell.effects import Context, Output, Steps, complain, say

OPTIONS = ("MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD")
DATA = "/var/lib/mysql"
MARK = f"{DATA}/ibdata1"
"""The file that shows that the data directory is initialised."""
VERSION = "8.4.7"
BUILD = f"{{}}  Ver {VERSION} for Linux on x86_64 (MySQL Community Server - GPL)"
NO_SOCKET = "Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)"
UNSET = (
    "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n"
    "    You need to specify one of the following as an environment variable:\n"
    "    - MYSQL_ROOT_PASSWORD\n"
    "    - MYSQL_ALLOW_EMPTY_PASSWORD\n"
    "    - MYSQL_RANDOM_ROOT_PASSWORD"
)


class MySql(Process):
    """A database: users by its environment, data that stays when its volume does."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        around.commands |= {"mysqladmin": self._admin, "mysql": self._client}

    def start(self) -> None:
        """Initialise when the data directory is empty, then start the server."""
        self._entry("[Note]", f"Entrypoint script for MySQL Server {VERSION}-1.el9 started.")
        if self.around.files.read(MARK) is None:
            if not any(self.around.env.get(option) for option in OPTIONS):
                self.around.say(f"{self._moment()}+00:00 {UNSET}")
                self.around.later(0.3, lambda: self.around.exit(1))
                return
            self._entry("[Note]", "Initializing database files")
            self.around.later(self.around.start_seconds * 0.7, self._initialised)
        else:
            self.around.later(self.around.start_seconds * 0.4, self.come_up)
        self._server("0 [System] [MY-015015] [Server] MySQL Server - start.")

    def _initialised(self) -> None:
        self.around.files.write(MARK, "")
        self._entry("[Note]", "Database files initialized")
        database, user = self.around.env.get("MYSQL_DATABASE"), self.around.env.get("MYSQL_USER")
        if database:
            self._entry("[Note]", f"Creating database {database}")
        if user and self.around.env.get("MYSQL_PASSWORD"):
            self._entry("[Note]", f"Creating user {user}")
            if database:
                self._entry("[Note]", f"Giving user {user} access to schema {database}")
        self._entry("[Note]", "MySQL init process done. Ready for start up.")
        self.around.later(self.around.start_seconds * 0.3, self.come_up)

    def come_up(self) -> None:
        """Take connections."""
        super().come_up()
        ready = "/usr/sbin/mysqld: ready for connections. Version: '{}'  socket: '/var/run/mysqld/mysqld.sock'  port: 3306"
        self._server(f"0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld {VERSION}) starting as process 1")
        self._server("1 [System] [MY-013577] [InnoDB] InnoDB initialization has ended.")
        self._server(f"0 [System] [MY-010931] [Server] {ready.format(VERSION)}  MySQL Community Server - GPL.")

    def terminate(self) -> None:
        """An orderly shutdown."""
        self._server("0 [System] [MY-013172] [Server] Received SHUTDOWN from user <via user signal>. Shutting down mysqld.")
        super().terminate()

    def http(self, port: int, path: str, agent: str) -> int | None:
        """It does not speak HTTP."""
        return None

    def credentials(self, port: int) -> dict[str, str] | None:
        """root and the user of its environment."""
        if port != self.around.image.ports[0]:
            return None
        env = self.around.env
        users = {"root": env.get("MYSQL_ROOT_PASSWORD") or ""}
        if env.get("MYSQL_USER"):
            users[env["MYSQL_USER"]] = env.get("MYSQL_PASSWORD") or ""
        return users

    def _admin(self, shell: Context, arguments: list[str]) -> Steps:
        """`mysqladmin ping`: alive once it takes connections, whatever the password."""
        if _asks_version(arguments):
            return (yield from say(BUILD.format("mysqladmin")))
        if "ping" not in arguments:
            return (yield from complain("mysqladmin: only ping is simulated"))
        if self.up:
            return (yield from say("mysqld is alive"))
        yield Output(2, "mysqladmin: connect to server at 'localhost' failed\n")
        return (yield from complain(f"error: '{NO_SOCKET}'"))

    def _client(self, shell: Context, arguments: list[str]) -> Steps:
        """`mysql -u… -p… -e …`: says who may come in; there are no tables."""
        if _asks_version(arguments):
            return (yield from say(BUILD.format("mysql")))
        options = dict(_option(one) for one in arguments if one.startswith("-"))
        user = options.get("user") or "root"
        password = options.get("password") or shell.variables.get("MYSQL_PWD") or ""
        if not self.up:
            return (yield from complain(f"ERROR 2002 (HY000): {NO_SOCKET}"))
        if (self.credentials(self.around.image.ports[0]) or {}).get(user) != password:
            using = "YES" if password else "NO"
            return (yield from complain(f"ERROR 1045 (28000): Access denied for user '{user}'@'localhost' (using password: {using})"))
        return 0

    def _moment(self) -> str:
        return self.around.now().strftime("%Y-%m-%d %H:%M:%S")

    def _entry(self, level: str, text: str) -> None:
        self.around.say(f"{self._moment()}+00:00 {level} [Entrypoint]: {text}")

    def _server(self, text: str) -> None:
        self.around.say(f"{self.around.now():%Y-%m-%dT%H:%M:%S.%fZ} {text}")


def _asks_version(arguments: list[str]) -> bool:
    return "--version" in arguments or "-V" in arguments


def _option(word: str) -> tuple[str, str]:
    """`--user=x` or `-ux` as name and value."""
    if word.startswith("--"):
        name, _, value = word[2:].partition("=")
        return name, value
    return {"u": "user", "p": "password"}.get(word[1:2], word[1:2]), word[2:]
