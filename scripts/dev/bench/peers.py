"""What network.c does, by way of pyroute2 and of mininet.

    peers.py pyroute2 pairs|routes|lab N
    peers.py mininet lab N

For each byte on standard input it does so once, and answers with a byte;
then it lets go of what it has made.
"""

import ctypes
import os
import sys

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
addresses = []  # of routes: the text is there before, as for all others


def new_namespace():
    if libc.unshare(CLONE_NEWNET) == -1:
        raise OSError(ctypes.get_errno(), "unshare")


def pyroute2_pairs(count):
    from pyroute2 import IPRoute

    new_namespace()
    with IPRoute() as ip:
        for i in range(count):
            ip.link("add", ifname=f"a{i}", kind="veth", num_tx_queues=1,
                    num_rx_queues=1, peer={"ifname": f"b{i}",
                                           "num_tx_queues": 1,
                                           "num_rx_queues": 1})


def pyroute2_routes(count):
    from pyroute2 import IPRoute

    new_namespace()
    with IPRoute() as ip:
        ip.link("set", index=1, state="up")
        for address in addresses:
            ip.route("add", dst=address, oif=1)


def pyroute2_lab(count):
    from pyroute2 import IPRoute, NetNS, netns

    new_namespace()
    names = [f"farside-{os.getpid()}-{i}" for i in range(count)]
    with IPRoute() as ip:
        ip.link("add", ifname="sw", kind="bridge", index=2)
        ip.link("set", index=2, state="up")
        for i, name in enumerate(names):
            netns.create(name)
            ip.link("add", ifname=f"h{i}", kind="veth", master=2, state="up",
                    num_tx_queues=1, num_rx_queues=1,
                    peer={"ifname": "eth0", "num_tx_queues": 1,
                          "num_rx_queues": 1, "net_ns_fd": name})
            with NetNS(name) as host:
                eth0 = host.link_lookup(ifname="eth0")[0]
                host.link("set", index=1, state="up")
                host.link("set", index=eth0, state="up")
                host.addr("add", index=eth0, prefixlen=16,
                          address=f"10.0.{(i + 1) >> 8}.{(i + 1) & 255}")

    def drop():
        for name in names:
            netns.remove(name)
    return drop


def mininet_lab(count):
    from mininet.net import Mininet
    from mininet.nodelib import LinuxBridge
    from mininet.topo import SingleSwitchTopo

    new_namespace()
    net = Mininet(topo=SingleSwitchTopo(count), switch=LinuxBridge,
                  controller=None)
    net.start()
    return net.stop


def main():
    peer, what, count = sys.argv[1:]
    make = globals()[f"{peer}_{what}"]
    __import__(peer)
    addresses.extend(f"10.1.{i >> 8}.{i & 255}/32" for i in range(int(count)))
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    while os.read(0, 1):
        drop = make(int(count))
        os.write(1, b"\n")
        if drop:
            drop()
        if libc.setns(home, CLONE_NEWNET) == -1:
            raise OSError(ctypes.get_errno(), "setns")


main()
