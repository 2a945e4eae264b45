"""Computers with addresses of their own, as network namespaces: Ethernets, and hosts that are plugged into them.

    lan = Lan()
    alice, bob = (Host(name).plug(lan, f"10.77.0.{i}/24") for i, name in ((1, "alice"), (2, "bob")))
    seeder = t.start("transmission", on=alice)      # listens on 10.77.0.1, its own loopback beside it
    t.compeer("get", link, on=bob, home=…)
    print(bob.run("ip", "addr"))

Nothing has to be removed: a namespace lives for as long as this process holds it open, or something runs in it. A host has no route but to
its own Ethernets unless it is given one (`host.run("ip", "route", "add", …)`), so that what wants to leave fails and is counted (`leaks`).
Needs root, or to appear as root in a user namespace: `cargo xtask test` sees to it.
"""
import contextlib
import ctypes
import ipaddress
import os
import subprocess
import threading

from harness import Failed, require

CLONE_NEWNET = 0x40000000       # sched.h
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class Space:
    """A network namespace with a loopback."""

    def __init__(self, name):
        self.name = name
        self.fd = None

        def make():
            checked(LIBC.unshare(CLONE_NEWNET), "a network namespace")
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

        # of a thread that ends at once, so that ours stays where it is
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        require(self.fd is not None, "no network namespace could be made: run this as root, or by `cargo xtask test`")
        self.run("ip", "link", "set", "lo", "up")

    @property
    def path(self):
        """What `ip` takes for the namespace's name."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def inside(self):
        """The thread that calls this is in the namespace: its new sockets are, and the processes that it starts."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            checked(LIBC.setns(self.fd, CLONE_NEWNET), f"entering {self.name}")
            yield self
        finally:
            checked(LIBC.setns(before, CLONE_NEWNET), "coming back")
            os.close(before)

    def run(self, *command, **options):
        """Runs a command in the namespace to its end; -> what it printed."""
        with self.inside():
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=30, stdin=options.pop("stdin", subprocess.DEVNULL), **options)
        if done.returncode:
            raise Failed(f"{self.name}: {' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout

    def set(self, **settings):
        """Sets what lies in /proc/sys/net, with dots written as two underscores: set(ipv4__ip_forward=1)."""
        for name, value in settings.items():
            self.run("sh", "-c", f"echo {value} > /proc/sys/net/{name.replace('__', '/')}")

    def leaks(self):
        """How often something here wanted to go where no route leads (IP's OutNoRoutes)."""
        names, values = [line.split()[1:] for line in self.run("cat", "/proc/net/snmp").splitlines() if line.startswith("Ip:")]
        return int(values[names.index("OutNoRoutes")])


class Lan(Space):
    """An Ethernet: a switch to which hosts are plugged."""

    def __init__(self, name="lan"):
        super().__init__(name)
        self.ports = 0
        # every multicast goes to everybody, as on a simple switch
        self.run("ip", "link", "add", "switch", "type", "bridge", "mcast_snooping", "0")
        self.run("ip", "link", "set", "switch", "up")


class Host(Space):
    """A computer. `ip`: its first address; `ips`: all of them."""

    def __init__(self, name="host"):
        super().__init__(name)
        self.ips = []
        self.cables = 0

    @property
    def ip(self):
        return self.ips[0]

    def plug(self, lan, *addresses):
        """A network card of its own in an Ethernet, with these addresses ("10.77.0.1/24"). The first card is eth0."""
        card, port = f"eth{self.cables}", f"port{lan.ports}"
        self.cables += 1
        lan.ports += 1
        lan.run("ip", "link", "add", port, "type", "veth", "peer", "name", card, "netns", self.path)
        lan.run("ip", "link", "set", port, "master", "switch", "up")
        for address in addresses:
            # an address of IPv6 would otherwise be on probation for a second (RFC 4862, 5.4)
            more = ("nodad",) if ipaddress.ip_interface(address).version == 6 else ()
            self.run("ip", "addr", "add", address, "dev", card, *more)
            self.ips.append(str(ipaddress.ip_interface(address).ip))
        self.run("ip", "link", "set", card, "up")
        return self


def hosts(number, lan=None, network="10.77.0"):
    """So many hosts in one Ethernet, with the addresses .1, .2, … of a /24."""
    lan = lan or Lan()
    return [Host(f"host{i}").plug(lan, f"{network}.{i}/24", f"fd77::{i}/64") for i in range(1, number + 1)]
