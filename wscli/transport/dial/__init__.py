"""Everything before the upgrade: the URL, DNS, TCP, proxies, and the HTTP messages of the upgrade."""
