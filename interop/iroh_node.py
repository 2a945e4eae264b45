"""An endpoint of iroh's own Python package, driven by lines of JSON.

`iroh_node.py '{"relay": "http://192.0.2.1:3340", "seed": 7}'` answers each line of its input with one of its output, the
first one by itself: its id. `{"do": "online"}`: waits for its relay. `{"do": "echo"}`: accepts one connection and sends back
what comes. `{"do": "ask", "node": ID, "bytes": N}`: dials by the relay alone, says so many bytes and hears them back; -> by
which way.
"""
import asyncio
import hashlib
import json
import sys

import iroh

ALPN = b"compeer-interop/1"
TIMEOUT = 60


async def echo(endpoint):
    incoming = await endpoint.accept_next()
    connection = await (await incoming.accept()).connect()
    stream = await connection.accept_bi()
    said = await stream.recv().read_to_end(1 << 30)
    await stream.send().write_all(said)
    await stream.send().finish()
    await connection.closed()
    return {"bytes": len(said)}


async def ask(endpoint, relay, order):
    # the bytes of a key are hashed nowhere: an id is the key
    address = iroh.EndpointAddr(iroh.EndpointId.from_bytes(bytes.fromhex(order["node"])), relay, [])
    connection = await endpoint.connect(address, ALPN)
    stream = await connection.open_bi()
    said = hashlib.shake_256(b"said").digest(order["bytes"])
    await stream.send().write_all(said)
    await stream.send().finish()
    heard = await stream.recv().read_to_end(1 << 30)
    ways = [{"relay": path.is_relay, "to": path.remote_addr} for path in connection.paths() if path.is_selected]
    connection.close(0, b"done")
    return {"same": heard == said, "ways": ways}


async def main():
    settings = json.loads(sys.argv[1])
    relay = settings["relay"]
    options = iroh.EndpointOptions(preset=iroh.preset_minimal(), alpns=[ALPN], secret_key=bytes([settings["seed"]]) * 32,
                                   relay_mode=iroh.RelayMode.custom_from_urls([relay]))
    endpoint = await iroh.Endpoint.bind(options)
    print(json.dumps({"id": endpoint.id().to_bytes().hex()}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        doing = {"online": endpoint.online, "echo": lambda: echo(endpoint), "ask": lambda: ask(endpoint, relay, order)}[order["do"]]
        try:
            answer = await asyncio.wait_for(doing(), TIMEOUT)
        except (Exception, asyncio.TimeoutError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer or {}), flush=True)
    await endpoint.close()


asyncio.run(main())
