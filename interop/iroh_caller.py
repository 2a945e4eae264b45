"""Calls a node of the overlay with iroh's own endpoint (PyPI `iroh`): anybody's program, with whatever key it is given.

    said = call(node, ["127.0.0.2:4001"], {"library": question}, key=None)

-> {service: what came back on the stream, as bytes; None: no stream was had}. The first byte is the other's welcome to the stream.
Runs as a process of its own, since a library with threads of its own does not survive a fork.
"""
import asyncio
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

PATIENCE = 10       # seconds for a connection, and for what is said on it: on a loopback either takes some milliseconds, on a busy computer more
HELLO = b"\x01"     # what opens a stream of the overlay, and what admits it
ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"


def z32(text):
    """The bytes of an id, which is written in z-base-32."""
    bits = "".join(f"{ALPHABET.index(c):05b}" for c in text)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits) - 7, 8))


def call(node, addresses, questions, key=None):
    """Opens one stream of each service to a node (its id as it is shown), and says one thing on it."""
    order = {"node": z32(node).hex(), "addresses": addresses, "key": key and key.hex(), "questions": {name: said.hex() for name, said in questions.items()}}
    done = subprocess.run([sys.executable, __file__], input=json.dumps(order), capture_output=True, text=True, timeout=150)
    if done.returncode:
        raise RuntimeError(f"iroh: {done.stderr[-600:]}")
    return {name: said if said is None else bytes.fromhex(said) for name, said in json.loads(done.stdout).items()}


def key_of(home):
    """The key of a node, as its home has it."""
    return (Path(home) / "keys/node").read_bytes()


def list_of(home, person):
    """The list of nodes of a person that a home holds: the certificate, signed."""
    with sqlite3.connect(f"file:{next(Path(home).glob('*.db'))}?mode=ro", uri=True) as db:
        return db.execute("SELECT list FROM people_persons WHERE person = ?", (z32(person),)).fetchone()[0]


def framed(message):
    return len(message).to_bytes(4, "big") + message


def questions(hash, list=b"", group=None, own=None, node=None):
    """What somebody asks of each service who knows all there is to know: the info-hash, who has it, the group's id."""
    text = lambda b: str(len(b)).encode() + b":" + b
    tag = hashlib.sha256(b"compeer group hello 1\n" + z32(group) + z32(own) + z32(node)).digest() if group else bytes(32)
    return {
        "wire": b"\x13BitTorrent protocol" + bytes(8) + hash[:20] + b"-XX0000-" + os.urandom(12),
        "library": framed(b"d4:fromi0e4:listlee"),
        "notice": framed(b"d5:bytesi1e5:filesi1e4:hash" + text(os.urandom(32)) + b"4:name3:foo5:nodes32:" + os.urandom(32) + b"7:versioni1ee"),
        "people": framed(b"\x00" + len(list).to_bytes(4, "big") + list + b"\x00\x00"),
        "group": framed(b"\x00" + tag + len(list).to_bytes(4, "big") + list),
    }


async def ask(endpoint, address, name, said):
    connection = await asyncio.wait_for(endpoint.connect(address, f"compeer/{name}/1".encode()), PATIENCE)
    stream = await connection.open_bi()
    heard = b""
    try:
        await stream.send().write_all(HELLO + said)
        if name in ("library", "notice"):
            await stream.send().finish()
        # an answer is one packet, or the end comes at once; what goes on for longer has said something
        while len(heard) < 2 and (more := await asyncio.wait_for(stream.recv().read(4096), PATIENCE)):
            heard += more
    except (iroh.IrohError, asyncio.TimeoutError):
        pass
    return heard if heard else None


async def main(order):
    options = iroh.EndpointOptions(preset=iroh.preset_minimal(), bind_addr="127.0.0.1:0", relay_mode=iroh.RelayMode.disabled(),
                                   secret_key=bytes.fromhex(order["key"]) if order["key"] else None)
    endpoint = await iroh.Endpoint.bind(options)
    address = iroh.EndpointAddr(iroh.EndpointId.from_bytes(bytes.fromhex(order["node"])), None, order["addresses"])
    answers = {}
    for name, said in order["questions"].items():
        try:
            heard = await ask(endpoint, address, name, bytes.fromhex(said))
        except (iroh.IrohError, asyncio.TimeoutError):
            heard = None
        answers[name] = heard and heard.hex()
    await endpoint.close()
    print(json.dumps(answers))


if __name__ == "__main__":
    import iroh
    asyncio.run(main(json.load(sys.stdin)))
