"""Home routers: a host between two Ethernets that translates addresses, and may map ports for those who ask.

    internet, home = Lan("internet"), Lan("home")
    router = Router("router", internet, "11.0.0.10/24", home, "192.168.1.1/24")
    alice = router.host("alice", 2)                  # 192.168.1.2, everything else through the router
    with router.mapping(t, upnp=True, pcp=False):    # a real miniupnpd
        print(router.mappings())

The outside of such a router is an address of the internet: miniupnpd maps no port of one that is not (RFC 5737's included).
"""
import contextlib
import ipaddress
import re
import subprocess
import time

from harness import require
from network import Host

# What a home router does (RFC 4787 calls it: mapping independent of the endpoint where a port is free, filtering by address and port).
# What comes from outside unasked is dropped without a word: an answer, or a remembered connection, would spoil a punched hole.
RULES = """
table inet home {{
    chain miniupnpd {{ }}
    chain prerouting_miniupnpd {{ }}
    chain postrouting_miniupnpd {{ }}
    chain input {{
        type filter hook input priority 0; policy accept;
        iifname "eth0" ct state new drop
    }}
    chain forward {{
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "eth1" accept
        jump miniupnpd
    }}
    chain prerouting {{
        type nat hook prerouting priority -100;
        jump prerouting_miniupnpd
    }}
    chain postrouting {{
        type nat hook postrouting priority 100;
        jump postrouting_miniupnpd
        oifname "eth0" masquerade {how}
    }}
}}
"""

CONFIG = """
ext_ifname=eth0
listening_ip=eth1
port=0
enable_upnp={upnp}
enable_natpmp={pcp}
secure_mode=yes
system_uptime=yes
notify_interval=60
uuid=00000000-0000-0000-0000-000000000001
serial=1
lease_file={folder}/leases
upnp_table_name=home
upnp_nat_table_name=home
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


class Router(Host):
    """`symmetric`: every destination sees another port of ours, so that no hole can be punched."""

    def __init__(self, name, outside, address, inside, gateway, symmetric=False):
        super().__init__(name)
        self.plug(outside, address).plug(inside, gateway)
        self.home, self.network = inside, ipaddress.ip_interface(gateway)
        self.set(ipv4__ip_forward=1)
        self.run("nft", "-f", "-", stdin=None, input=RULES.format(how="random" if symmetric else ""))

    def host(self, name, number):
        """A computer behind the router, with this number in its network."""
        address = self.network.network.network_address + number
        host = Host(name).plug(self.home, f"{address}/{self.network.network.prefixlen}")
        host.run("ip", "route", "add", "default", "via", str(self.network.ip))
        return host

    @contextlib.contextmanager
    def mapping(self, t, upnp=True, pcp=True):
        """miniupnpd, for as long as the block lasts."""
        folder = t.sub("homes", self.name)
        config = folder / "miniupnpd.conf"
        config.write_text(CONFIG.format(folder=folder, upnp="yes" if upnp else "no", pcp="yes" if pcp else "no"))
        with self.inside(), open(folder / "log.txt", "w") as log:
            daemon = subprocess.Popen(["/usr/sbin/miniupnpd", "-d", "-f", config, "-P", folder / "pid"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 60
            while not re.search(r"listening on port|HTTP listening|Listening for NAT-PMP", (folder / "log.txt").read_text()):
                require(daemon.poll() is None and time.monotonic() < end, f"miniupnpd does not start: {(folder / 'log.txt').read_text()[-400:]}")
                time.sleep(0.05)
            yield self
        finally:
            daemon.terminate()
            daemon.wait(10)

    def mappings(self):
        """-> [(protocol, external port, internal address, internal port)] as they are in the kernel."""
        rules = self.run("nft", "list", "chain", "inet", "home", "prerouting_miniupnpd")
        names = {"0x6": "tcp", "0x11": "udp"}
        return sorted((names[protocol], int(outside), ip, int(port))
                      for protocol, outside, ip, port in re.findall(r"(0x6|0x11) th dport (\d+) dnat ip to ([\d.]+):(\d+)", rules))
