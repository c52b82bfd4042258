"""ChatApp, a Spring Boot application: needs its database to come up, answers `/login`."""

from __future__ import annotations

import re

from kubepane_embedded.kubelet.network import UNKNOWN_HOST, Destination
from kubepane_embedded.kubelet.processes import TERMINATED, Process

URL = re.compile(r"jdbc:(?:mysql|mariadb)://([^:/?]+)(?::(\d+))?(?:/([^?]*))?")
BANNER = r"""
  .   ____          _            __ _ _
 /\\ / ___'_ __ _ _(_)_ __  __ _ \ \ \ \
( ( )\___ | '_ | '_| | '_ \/ _` | \ \ \ \
 \\/  ___)| |_)| | | | | || (_| |  ) ) ) )
  '  |____| .__|_| |_|_| |_\__, | / / / /
 =========|_|==============|___/=/_/_/_/
 :: Spring Boot ::                (v2.7.18)
"""
TOMCAT = "o.s.b.w.embedded.tomcat.TomcatWebServer"
POOL = "com.zaxxer.hikari.HikariDataSource"
PAGES = {"/login": 200, "/register": 200, "/": 302, "/chat": 302, "/logout": 302}
"""Path → status without a session; everything behind the login redirects to it."""
LINK_FAILURE = "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure"
FAILED = "Application run failed"


class ChatApp(Process):
    """Comes up when its database answers and takes its password; otherwise the context fails and the process ends with 1."""

    end_code = TERMINATED

    def start(self) -> None:
        """Banner, Tomcat, connection pool."""
        self.around.say(BANNER)
        host = self.around.hostname
        self._log("INFO", "c.s.chatapp.ChatAppApplication", f"Starting ChatAppApplication v1.0 using Java 17.0.9 on {host} with PID 1")
        self._log("INFO", "c.s.chatapp.ChatAppApplication", 'No active profile set, falling back to 1 default profile: "default"')
        self.around.later(self.around.start_seconds * 0.6, self._connect)

    def _connect(self) -> None:
        self._log("INFO", TOMCAT, f"Tomcat initialized with port(s): {self._port()} (http)")
        if not self.around.env.get("SPRING_DATASOURCE_URL"):
            self.around.later(self.around.start_seconds * 0.4, self.come_up)
            return
        self._log("INFO", POOL, "HikariPool-1 - Starting...")
        trouble = self._trouble()
        if trouble:
            self.around.later(self.around.start_seconds * 0.3, lambda: self._fail(trouble))
        else:
            self._log("INFO", POOL, "HikariPool-1 - Start completed.")
            self.around.later(self.around.start_seconds * 0.4, self.come_up)

    def _trouble(self) -> str:
        """Why the database cannot be used, "" when it can."""
        env = self.around.env
        url = env.get("SPRING_DATASOURCE_URL") or ""
        found = URL.match(url)
        if found is None:
            return f"java.lang.RuntimeException: Driver com.mysql.cj.jdbc.Driver claims to not accept jdbcUrl, {url}"
        reached = self.around.network.connect(self.around.namespace, found[1], int(found[2] or 3306))
        if not isinstance(reached, Destination):
            return f"{LINK_FAILURE}\nCaused by: {_cause(reached, found[1])}"
        users = reached.listener.credentials(reached.port) if reached.listener is not None else None
        user, password = env.get("SPRING_DATASOURCE_USERNAME") or "", env.get("SPRING_DATASOURCE_PASSWORD") or ""
        if users is None or users.get(user) == password:
            return ""
        using = "YES" if password else "NO"
        return f"java.sql.SQLException: Access denied for user '{user}'@'{self.around.address}' (using password: {using})"

    def _fail(self, trouble: str) -> None:
        self._log("ERROR", "com.zaxxer.hikari.pool.HikariPool", f"HikariPool-1 - Exception during pool initialization.\n\n{trouble}")
        reason = "Error creating bean with name 'entityManagerFactory': Unable to build Hibernate SessionFactory"
        self._log("WARN", "ConfigServletWebServerApplicationContext", f"Exception encountered during context initialization: {reason}")
        self._log("INFO", "o.apache.catalina.core.StandardService", "Stopping service [Tomcat]")
        self._log("ERROR", "o.s.boot.SpringApplication", f"{FAILED}\n\norg.springframework.beans.factory.BeanCreationException: {reason}")
        self.around.exit(1)

    def come_up(self) -> None:
        """Take connections."""
        super().come_up()
        seconds = self.around.start_seconds
        self._log("INFO", TOMCAT, f"Tomcat started on port(s): {self._port()} (http) with context path ''")
        text = f"Started ChatAppApplication in {seconds:.3f} seconds (JVM running for {seconds + 0.6:.3f})"
        self._log("INFO", "c.s.chatapp.ChatAppApplication", text)

    def terminate(self) -> None:
        """A graceful shutdown of the context."""
        self.up = False
        self._log("INFO", POOL, "HikariPool-1 - Shutdown initiated...", thread="ionShutdownHook")
        self._log("INFO", POOL, "HikariPool-1 - Shutdown completed.", thread="ionShutdownHook")
        super().terminate()

    def listens(self, port: int) -> bool:
        """Its port is 8080 unless SERVER_PORT says otherwise."""
        return self.up and port == self._port()

    def http(self, port: int, path: str, agent: str) -> int | None:
        """The pages it has, else 404."""
        return PAGES.get(path.partition("?")[0], 404)

    def _port(self) -> int:
        text = self.around.env.get("SERVER_PORT") or ""
        return int(text) if text.isdigit() else self.around.image.ports[0]

    def _log(self, level: str, logger: str, text: str, thread: str = "main") -> None:
        moment = self.around.now().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        self.around.say(f"{moment} {level:>5} 1 --- [{thread:>15}] {logger:<40.40} : {text}")


def _cause(why: str, host: str) -> str:
    if why == UNKNOWN_HOST:
        return f"java.net.UnknownHostException: {host}: Name or service not known"
    return "java.net.ConnectException: Connection refused"
