"""Which IP addresses are the public internet. Pure.

Stricter than ``ipaddress.is_global``, which calls public what leads back inside: NAT64, 6to4 and
ISATAP addresses with a private one in them, and services of clouds.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_REFUSED_V4 = [
    ip_network(one)
    for one in (
        "0.0.0.0/8",
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # a cloud's inner services, on a public address
    )
]
_UNICAST_V6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_REFUSED_V6 = [
    ip_network(one)
    for one in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
]
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_public(address: str) -> bool:
    """Whether this address is on the public internet; False for what is no address."""
    try:
        # A scope ("fe80::1%eth0") belongs to addresses of a link only.
        found = ip_address(address)
    except ValueError:
        return False
    return _public_v4(found) if isinstance(found, IPv4Address) else _public_v6(found)


def _public_v4(address: IPv4Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _REFUSED_V4)


def _public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _NAT64:
        return _public_v4(low)
    if address not in _UNICAST_V6 or not address.is_global:
        return False
    if any(address in network for network in _REFUSED_V6):
        return False
    is_isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    return not is_isatap or _public_v4(low)
