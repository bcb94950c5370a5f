"""Stands for the library's ``tests/proxy.py``, which runs mitmproxy."""


class ProxyMixin:
    pass
