"""What those cost who follow a node of many idle torrents: followers.py [TORRENTS]; $COMPEER names the program.

Adds that many torrents of one small file each, then prints how long the list takes, how large the first event is, and how much
of a core the node needs while nobody, one and ten follow `/api/v1/events`.
"""
import hashlib
import http.client
import statistics
import sys
import tempfile
import time
from pathlib import Path

from compeer_driver import Compeer
from special import bencode

SECONDS = 20    # that each measurement of the CPU lasts
PATIENCE = 600  # seconds until all torrents are checked


def torrents(folder, count):
    """Makes that many files, and torrents of them; -> their paths."""
    made = []
    for n in range(count):
        body = f"content {n}\n".encode() * 10
        (folder / f"file{n}").write_bytes(body)
        info = {b"name": f"file{n}".encode(), b"length": len(body), b"piece length": 16384, b"pieces": hashlib.sha1(body).digest()}
        made.append(folder / f"file{n}.torrent")
        made[-1].write_bytes(bencode({b"info": info}))
    return made


def get(node, path):
    """-> the connection, which the caller keeps, and the answer"""
    connection = http.client.HTTPConnection("127.0.0.1", node.api)
    connection.request("GET", f"/api/v1/{path}", headers={"Authorization": f"Bearer {(node.home / 'token').read_text().strip()}"})
    answer = connection.getresponse()
    assert answer.status == 200, (answer.status, answer.read(200))
    return connection, answer


def follow(node):
    """-> the open stream, and the length of its first event"""
    stream, answer = get(node, "events")
    line = answer.readline()
    while not line.startswith(b"data"):
        line = answer.readline()
    return (stream, answer), len(line)


def load(node, what):
    before, began = node.cpu(), time.monotonic()
    time.sleep(SECONDS)
    print(f"{what}: {100 * (node.cpu() - before) / (time.monotonic() - began):.2f} % of a core")


def main():
    count = int((sys.argv[1:] or [5000])[0])
    with tempfile.TemporaryDirectory(prefix="compeer-followers-") as folder:
        data = Path(folder, "data")
        data.mkdir()
        node = Compeer(folder, "127.0.0.1").start()
        try:
            node.add(torrents(data, count), data)
            node.wait_complete(PATIENCE, count)
            times = []
            for _ in range(11):
                began = time.monotonic()
                size = len(get(node, "torrents")[1].read())
                times.append(time.monotonic() - began)
            print(f"list: {1000 * statistics.median(times):.0f} ms, {size} bytes")
            load(node, "nobody follows")
            before = node.cpu()
            streams = [follow(node)]
            print(f"first event: {streams[0][1]} bytes, {1000 * (node.cpu() - before):.0f} ms of CPU")
            load(node, "one follows")
            streams += [follow(node) for _ in range(9)]
            load(node, "ten follow")
        finally:
            node.stop()


main()
