"""The connector of aiohttp through a SOCKS proxy; a file of its own, because aiohttp takes 150 ms to import."""

from __future__ import annotations

import socket
import ssl

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace
from python_socks import ProxyConnectionError

from wscli.net.hosts import without_zone
from wscli.net.proxy import ProxyAddress
from wscli.net.socks import connect_socks

__all__ = ["SocksConnector"]


class SocksConnector(aiohttp.BaseConnector):
    """Connects through one proxy."""

    def __init__(self, proxy: ProxyAddress) -> None:
        super().__init__(force_close=True)
        self._proxy = proxy

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        try:
            return await self._connect(req)
        except ssl.SSLCertVerificationError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from None
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from None
        except socket.gaierror as error:
            raise aiohttp.ClientConnectorDNSError(req.connection_key, error) from None
        except ProxyConnectionError as error:
            raise aiohttp.ClientProxyConnectionError(req.connection_key, error) from None
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from None

    async def _connect(self, req: aiohttp.ClientRequest) -> ResponseHandler:
        host = without_zone(req.url.raw_host or "")
        sock = await connect_socks(self._proxy, host, req.url.port or 0)
        tls = req.ssl if req.is_ssl() and isinstance(req.ssl, ssl.SSLContext) else None
        name = None if tls is None else (req.server_hostname or host).rstrip(".")
        try:
            _, protocol = await self._loop.create_connection(self._factory, sock=sock, ssl=tls, server_hostname=name)
        except BaseException:
            sock.close()
            raise
        return protocol
