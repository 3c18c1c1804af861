"""Ways by which an address leads into a network that nobody may reach. Not a test module."""

# Hosts: this machine and private networks in all notations, services of clouds, IPv4 addresses
# within IPv6 ones (mapped, NAT64, 6to4, ISATAP, Teredo).
HOSTS = [
    "127.0.0.1", "127.1", "127.255.255.254", "2130706433", "0x7f.1", "0x7f000001", "017700000001",
    "0177.0.0.1", "0", "0.0.0.0", "localhost", "LOCALHOST", "127。0。0。1",
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "169.254.169.254", "0xa9fea9fe", "168.63.129.16",
    "100.100.100.200", "::1", "::", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::",
    "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a00:1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
]  # fmt: skip

# Addresses that are refused by their form or port, wherever the host leads.
ADDRESSES = [
    "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "ftp://127.0.0.1/", "dict://127.0.0.1/",
    "unix:///var/run/docker.sock", "http://user@127.0.0.1/", "http://user:key@127.0.0.1/",
    "http://8.8.8.8@127.0.0.1/", "http://127.0.0.1:22/", "http://8.8.8.8:22/",
    "https://8.8.8.8:6379/", "http://[::1/",
]  # fmt: skip


def url_of(host: str) -> str:
    """A host as a web address."""
    return f"http://[{host}]/" if ":" in host else f"http://{host}/"
