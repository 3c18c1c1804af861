"""Which addresses are the public internet."""

import pytest

from integrations_app.providers.addresses import is_public

INSIDE = """127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1
169.254.169.254 100.100.100.200 168.63.129.16 192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 224.0.0.1
239.1.2.3 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%1 fc00::1 fd00:ec2::254 ff02::1 fec0::1
::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::808:808
2002:7f00:1:: 2002:808:808:: 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 3fff::1
5f00::1 100::1 2606:4700::5efe:7f00:1 2606:4700::200:5efe:a00:1 localhost 127.1 2130706433
0x7f.0.0.1 017700000001"""


@pytest.mark.parametrize("address", [*INSIDE.split(), ""])
def test_what_leads_inside_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::808:808"]
)
def test_the_internet_is_public(address):
    assert is_public(address)
