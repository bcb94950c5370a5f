"""nginx, HAProxy and Caddy, each in front of one address, with a limit for idle connections."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.peers.programs import absent
from tests.processes import Process
from tests.servers.program import Program

__all__ = ["PROXIES", "Caddy", "HAProxy", "Nginx", "ReverseProxy"]


class ReverseProxy(Program):
    """A proxy to a port of this machine that closes a WebSocket after so many seconds without a byte."""

    program = ""
    config = ""

    def __init__(self, directory: Path, upstream: int, idle: int) -> None:
        super().__init__(directory)
        self._upstream = upstream
        self._idle = idle
        with socket.create_server(("127.0.0.1", 0)) as free:  # none of them chooses a port
            self._port = free.getsockname()[1]

    def command(self) -> Sequence[str]:
        program = shutil.which(self.program, path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            absent(f"{self.program} is not installed")
        config = self.directory / "proxy.conf"
        values = {"port": self._port, "upstream": self._upstream, "idle": self._idle, "home": self.directory}
        config.write_text(self.config % values)
        return [program, *self.arguments(config)]

    def arguments(self, config: Path) -> Sequence[str]:
        """What it is started with."""
        raise NotImplementedError

    def listening(self, process: Process) -> int:
        with socket.socket() as probe:
            return self._port if probe.connect_ex(("127.0.0.1", self._port)) == 0 else 0


class Nginx(ReverseProxy):
    """https://nginx.org/en/docs/http/websocket.html"""

    program = "nginx"
    config = """
        daemon off; master_process off; pid %(home)s/pid; error_log stderr;
        events {}
        http {
          access_log off;
          client_body_temp_path %(home)s/body; proxy_temp_path %(home)s/proxy; fastcgi_temp_path %(home)s/fastcgi;
          uwsgi_temp_path %(home)s/uwsgi; scgi_temp_path %(home)s/scgi;
          server {
            listen 127.0.0.1:%(port)d;
            location / {
              proxy_pass http://127.0.0.1:%(upstream)d;
              proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade;
              proxy_set_header Connection upgrade;
              proxy_read_timeout %(idle)ds;
              proxy_send_timeout %(idle)ds;
            }
          }
        }
    """

    def arguments(self, config: Path) -> Sequence[str]:
        return ["-c", str(config), "-e", "stderr"]


class HAProxy(ReverseProxy):
    """https://docs.haproxy.org/2.6/configuration.html#4.2-timeout%20tunnel"""

    program = "haproxy"
    config = """
defaults
  mode http
  timeout connect 30s
  timeout client %(idle)ds
  timeout server %(idle)ds
  timeout tunnel %(idle)ds
listen gateway
  bind 127.0.0.1:%(port)d
  server manager 127.0.0.1:%(upstream)d
"""

    def arguments(self, config: Path) -> Sequence[str]:
        return ["-db", "-f", str(config)]


class Caddy(ReverseProxy):
    """https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#the-http-transport"""

    program = "caddy"
    config = """
{
  admin off
  auto_https off
}
:%(port)d {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:%(upstream)d {
    transport http {
      read_timeout %(idle)ds
      write_timeout %(idle)ds
    }
  }
}
"""

    def arguments(self, config: Path) -> Sequence[str]:
        return ["run", "--adapter", "caddyfile", "--config", str(config)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.directory), "XDG_DATA_HOME": str(self.directory)}


PROXIES = (Nginx, HAProxy, Caddy)
