"""Stands for the library's ``tests/proxy.py``, with a proxy of the standard library in the place of mitmproxy."""

import asyncio
import base64
import contextlib
import socket
import ssl
import sys
import threading
from types import SimpleNamespace

import trustme

sys.modules.setdefault("mitmproxy", sys.modules[__name__])  # the tests are run where there is such a module

_AUTHORITY = trustme.CA()
_CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
_AUTHORITY.issue_cert("localhost", "overridden", "127.0.0.1").configure_cert(_CONTEXT)
_TLS_HANDSHAKE = b"\x16"


def _listener(port):
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


class ProxyMixin:
    """A proxy in a thread: ``socks5@PORT``, or ``regular@PORT`` for CONNECT, over TLS where the client begins it."""

    proxy_mode = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy_options = {"proxyauth": None, "break_http_connect": False, "close_http_connect": False}
        cls.proxy_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _AUTHORITY.configure_trust(cls.proxy_context)
        cls._connects, cls._flows, ready = [], [], threading.Event()
        cls._thread = threading.Thread(target=asyncio.run, args=(cls._run(ready),))
        cls._thread.start()
        ready.wait()

    @classmethod
    def tearDownClass(cls):
        cls._loop.call_soon_threadsafe(cls._stop.set)
        cls._thread.join()
        super().tearDownClass()

    def get_http_connects(self):
        connects, self._connects[:] = self._connects[:], []
        return connects

    def assertNumFlows(self, count):
        flows, self._flows[:] = self._flows[:], []
        self.assertEqual(len(flows), count)

    def tearDown(self):
        self._flows.clear()
        self._connects.clear()
        super().tearDown()

    @classmethod
    async def _run(cls, ready):
        cls._loop, cls._stop = asyncio.get_running_loop(), asyncio.Event()
        mode, port = cls.proxy_mode.split("@")
        while (listener := _listener(int(port))) is None:  # the tests name their ports, which others may use as well
            await asyncio.sleep(0.05)
        listener.setblocking(False)
        serve = {"socks5": cls._socks, "regular": cls._http}[mode]
        accepting = cls._loop.create_task(cls._accept(listener, serve))
        ready.set()
        await cls._stop.wait()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(accepting, *tasks, return_exceptions=True)
        listener.close()

    @classmethod
    async def _accept(cls, listener, serve):
        clients = set()
        while True:
            sock, _ = await cls._loop.sock_accept(listener)
            clients.add(cls._loop.create_task(cls._serve(sock, serve)))

    @classmethod
    async def _serve(cls, sock, serve):
        with contextlib.suppress(OSError, EOFError):
            readable = asyncio.Event()
            cls._loop.add_reader(sock, readable.set)
            await readable.wait()
            cls._loop.remove_reader(sock)
            tls = _CONTEXT if sock.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE else None
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await cls._loop.connect_accepted_socket(lambda: protocol, sock, ssl=tls)
            writer = asyncio.StreamWriter(transport, protocol, reader, cls._loop)
            try:
                await serve(reader, writer)
            finally:
                transport.abort()

    @classmethod
    async def _http(cls, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.split("\r\n")
        headers = {name.lower().encode(): value for name, _, value in (one.partition(": ") for one in lines)}
        if cls.proxy_options["close_http_connect"]:
            return
        if cls.proxy_options["break_http_connect"]:
            writer.write(b"HTTP/1.1 999 not a valid HTTP response\r\n\r\n")
            await writer.drain()
            return
        if (pair := cls.proxy_options["proxyauth"]) is not None:
            wanted = "Basic " + base64.b64encode(pair.encode()).decode()
            if headers.get(b"proxy-authorization") != wanted:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
        request = SimpleNamespace(headers={name.title(): value for name, value in headers.items()})
        cls._connects.append(SimpleNamespace(request=request))
        host, _, port = line.split(" ")[1].rpartition(":")
        await cls._pipe(reader, writer, host, int(port), b"HTTP/1.1 200 Connection established\r\n\r\n")

    @classmethod
    async def _socks(cls, reader, writer):
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        pair = cls.proxy_options["proxyauth"]
        if pair is None:
            writer.write(b"\x05\x00")
        else:
            writer.write(b"\x05\x02")
            await reader.readexactly(1)
            given = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
            if ":".join(given) != pair:
                writer.write(b"\x01\x01")
                await writer.drain()
                return
            writer.write(b"\x01\x00")
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = socket.inet_ntop(*((socket.AF_INET, await reader.readexactly(4)) if kind == 1 else (socket.AF_INET6, await reader.readexactly(16))))
        port = int.from_bytes(await reader.readexactly(2), "big")
        await cls._pipe(reader, writer, host, port, b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")

    @classmethod
    async def _pipe(cls, reader, writer, host, port, granted):
        upstream, sink = await asyncio.open_connection(host, port)
        cls._flows.append((host, port))
        writer.write(granted)

        async def carry(source, target):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()

        ways = [cls._loop.create_task(carry(*way)) for way in ((reader, sink), (upstream, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            sink.transport.abort()
