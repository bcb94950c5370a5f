"""HTTP calls, and the rules for TLS, proxies and origins that every outgoing connection follows."""
