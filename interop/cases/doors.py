"""The doors of the API: who is refused, and what nobody can do to the node by it; its OpenAPI document against schemathesis, a
program that we did not write, its streams of events among it; other computers, which come in by TLS."""
import contextlib
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time

from drivers import free_port
from harness import HERE, Failed, require, suite, wait

MIB = 1 << 20
SLOW = 100          # connections that say a byte a second
HEAD_SECONDS = 30   # within which the head of a request has to be there (server/serve.rs)
BODY_SECONDS = 30   # and its body (server/body.rs)
SLACK = 30          # seconds that either may take longer on a busy computer
HELD_UP = 10        # seconds, on a busy computer, in which a call is answered that waits for none of the others
TRIES = 10          # wrong secrets that are looked at of one caller at once,
AGAIN_SECONDS = 6   # and one more in so many seconds (server/doors/throttle.rs)

# what leads out of a folder, or means another thing than it says, in paths and queries
ESCAPES = ["../../../../../../etc/passwd", "..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
           "..%5c..%5cetc%5cpasswd", "%252e%252e%252fetc%252fpasswd", "/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd",
           "%00", "..%00/etc/passwd", "%ff%fe", ".", "..", "~root", "C:%5c", "%c0%ae%c0%ae/etc/passwd", "x" * 4000]
SECRET = re.compile(rb"root:[x*]?:0:0")

# a flag of the command line, which no caller of the API has; a whole command is one way among others
COMMAND, FLAG = re.compile("`compeer [^`]*`"), re.compile("(^|[ `(])--[a-z]")

STREAM = "text/event-stream"
EVENT_SECONDS = 60  # within which a stream says something on a busy computer: the slowest one waits until the DHT answers


def looked_at(began):
    """How many wrong secrets of one caller are looked at at most, since a moment until now."""
    return TRIES + (time.monotonic() - began) // AGAIN_SECONDS + 1


class Door:
    """One node's API, as strangers see it."""

    def __init__(self, node):
        self.port = node.api
        self.token = (node.home / "token").read_text().strip()

    def ask(self, method, path, headers=None, body=None, token=True, timeout=60):
        """-> (status, headers, body). The path goes out as it is."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            all = {"Host": f"127.0.0.1:{self.port}", **({"Authorization": f"Bearer {self.token}"} if token else {}), **(headers or {})}
            if body is not None:
                all.setdefault("Content-Type", "application/json")
                all.setdefault("Content-Length", str(len(body)))
            for name, value in all.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            kind = answer.getheader("Content-Type") or ""
            return answer.status, answer.headers, b"" if kind.startswith(STREAM) else answer.read()

    def status(self, *args, **kw):
        return self.ask(*args, **kw)[0]

    def document(self):
        return json.loads(self.ask("GET", "/api/v1/openapi.json", token=False)[2])

    def calls(self):
        """Every call of the document: (method, path, what the document says of it)."""
        for path, methods in self.document()["paths"].items():
            for method, call in methods.items():
                if method in ("get", "put", "post", "patch", "delete"):
                    yield method.upper(), path, call


def problem(door, wanted, *args, **kw):
    """The call is refused with this status and a document that says what to do."""
    status, headers, body = door.ask(*args, **kw)
    require(status == wanted, f"{args}: {status} {body[:200]!r} instead of {wanted}")
    require(headers["Content-Type"] == "application/problem+json", f"{args}: {headers['Content-Type']}")
    said = json.loads(body)
    require(said["status"] == wanted and len(said["detail"]) > 10, f"{args}: {said}")
    require(not FLAG.search(COMMAND.sub("", said["detail"])), f"{args}: names a flag: {said}")


@suite("the API's doors: strangers", limit=320)
def _(t):
    door = Door(t.start("compeer"))
    calls = list(door.calls())
    filled = [(method, re.sub(r"\{[^}]*\}", "0" * 40, path), call) for method, path, call in calls]

    with t.case("a forged Host is answered 403, whatever is asked"):
        for host in ("evil.example", f"evil.example:{door.port}", f"127.0.0.1.evil.example:{door.port}", f"localhost.evil.example:{door.port}",
                     "127.0.0.1:1", f"0.0.0.0:{door.port}", f"127.0.0.1:{door.port}@evil.example", ""):
            for path in ("/", "/api/", "/health", "/api/v1/openapi.json", "/api/v1/session", "/stream/0/x", "/nothing"):
                status, _, body = door.ask("GET", path, {"Host": host})
                require(status in (400, 403), f"Host {host!r}: {path}: {status}")
                require(b'"version"' not in body, body[:200])
    with t.case("a foreign Origin is answered 403, for every call"):
        for origin in ("http://evil.example", f"https://127.0.0.1:{door.port}", "null", f"http://127.0.0.1:{door.port}.evil.example", "http://127.0.0.1:1", "file://"):
            for method, path, _ in filled if origin == "http://evil.example" else filled[:8]:
                problem(door, 403, method, path, {"Origin": origin}, body=b"{}" if method != "GET" else None)
    with t.case("without the token there is nothing but what the document says is open"):
        open_calls = {(method, path) for method, path, call in calls if call.get("security") == [] or {} in call.get("security", [])}
        require(open_calls == {("GET", "/health"), ("GET", "/api/v1/openapi.json"), ("POST", "/api/v1/login")}, f"{open_calls}")
        for (method, path, _), (_, written, _) in zip(filled, calls):
            if (method, written) not in open_calls:
                problem(door, 401, method, path, body=b"{}" if method != "GET" else None, token=False)
    with t.case("a wrong token a thousand times: slowed down, while the right one passes"):
        seen, began = {}, time.monotonic()
        for number in range(1000):
            status, headers, _ = door.ask("GET", "/api/v1/session", {"Authorization": f"Bearer {number:064x}"}, token=False)
            seen[status] = seen.get(status, 0) + 1
            require(status != 429 or int(headers["Retry-After"]) > 0, "no Retry-After")
        require(set(seen) == {401, 429} and seen[401] <= looked_at(began), f"{seen}")
        require(door.status("GET", "/api/v1/session") == 200, "the right token is refused")
        problem(door, 429, "POST", "/api/v1/login", body=json.dumps({"secret": "guess"}).encode(), token=False)
    with t.case("no path leads out, in no parameter of no call"):
        tried = 0
        for method, path, call in calls:
            names = re.findall(r"\{([^}]*)\}", path)
            queries = [it["name"] for it in call.get("parameters", []) if it["in"] == "query"]
            for escape in ESCAPES:
                for name in names:
                    url = re.sub(r"\{[^}]*\}", "0" * 40, path.replace("{%s}" % name, escape))
                    refused(door, method, url)
                    tried += 1
                for name in queries:
                    refused(door, method, re.sub(r"\{[^}]*\}", "0" * 40, path) + f"?{name}={escape}")
                    tried += 1
        for escape in ESCAPES:
            for path in (f"/{escape}", f"/api/{escape}", f"/stream/{'0' * 32}/{escape}", f"/stream/{escape}/x"):
                refused(door, "GET", path)
                tried += 1
        t.note(paths_tried=tried)


def refused(door, method, url):
    body = b"{}" if method not in ("GET", "DELETE") else None
    try:
        status, _, answer = door.ask(method, url, body=body)
    except http.client.InvalidURL:
        return
    require(status < 500, f"{method} {url[:120]}: {status} {answer[:200]!r}")
    require(not SECRET.search(answer), f"{method} {url[:120]} shows /etc/passwd")


@suite("the API's doors: too much and too slow", limit=220)
def _(t):
    node = t.start("compeer")
    door = Door(node)

    def raw(text):
        s = socket.create_connection(("127.0.0.1", door.port), timeout=60)
        s.sendall(text)
        return s

    with t.case("a head without an end is refused, and costs no memory"):
        before = node.usage()["rss_mb"]
        for line in (b"GET /" + b"a" * 4 * MIB, b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 500_000, b"GET / HTTP/1.1\r\nX-A: " + b"b" * 4 * MIB):
            with contextlib.closing(raw(b"")) as s, contextlib.suppress(ConnectionError):
                s.sendall(line)
                answer = s.recv(4096)
                require(not answer or re.match(rb"HTTP/1.1 4\d\d", answer), f"{answer[:100]!r}")
        grown = node.usage()["rss_mb"] - before
        require(grown < 20, f"{grown:.0f} MB")
    with t.case("a body that is too large is refused"):
        length = str(1 << 40)
        problem_or_closed(door, 413, "POST", "/api/v1/login", {"Content-Length": str(MIB)}, b" " * MIB, token=False)
        problem_or_closed(door, 413, "POST", "/api/v1/torrents", {"Content-Length": length}, b"{}")
        problem_or_closed(door, 401, "POST", "/api/v1/torrents", {"Content-Length": length}, b"{}", token=False)

    def dripping():
        with t.case(f"{SLOW} callers that say a byte a second hold nobody else up, and are sent away"):
            slow = [raw(b"GET /health HTTP/1.1\r\nHost: ") for _ in range(SLOW)]
            began = time.monotonic()
            try:
                left = set(slow)
                while left and time.monotonic() < began + HEAD_SECONDS + SLACK:
                    for s in list(left):
                        if is_closed(s):
                            left.discard(s)
                        else:
                            with contextlib.suppress(OSError):
                                s.sendall(b"1")
                    one = time.monotonic()
                    require(door.status("GET", "/health") == 200, "not served")
                    require(time.monotonic() - one < HELD_UP, "held up")
                    time.sleep(1)
                require(not left, f"{len(left)} of them are there after {HEAD_SECONDS + SLACK} s")
            finally:
                for s in slow:
                    s.close()

    def silent_body():
        with t.case("a body that does not come is not waited for"):
            head = f"POST /api/v1/torrents HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nAuthorization: Bearer {door.token}\r\n" \
                   "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            with contextlib.closing(raw(head.encode())) as s:
                s.settimeout(BODY_SECONDS + SLACK)
                answer = s.recv(4096)
                require(answer.startswith(b"HTTP/1.1 408"), f"{answer[:200]!r}")

    t.side_by_side(dripping, silent_body)
    with t.case("afterwards it is as it was"):
        require(door.status("GET", "/api/v1/session") == 200, "not served")


def is_closed(s):
    s.setblocking(False)
    try:
        while True:
            if not s.recv(4096):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        with contextlib.suppress(OSError):
            s.setblocking(True)
            s.settimeout(60)


def problem_or_closed(door, wanted, *args, **kw):
    """Refused; who still sends when the answer comes may see the connection end instead."""
    try:
        status = door.status(*args[:3], body=args[3], **kw)
    except (ConnectionError, http.client.RemoteDisconnected):
        return
    require(status == wanted, f"{args[:2]}: {status} instead of {wanted}")


@suite("the API's doors: other computers", limit=180)
def _(t):
    node = t.client("compeer")
    at = ("127.0.0.1", free_port())
    node.home.mkdir(parents=True)
    (node.home / "config.toml").write_text(f'[api.remote]\nlisten = "{at[0]}:{at[1]}"\nnames = ["nas.example"]\n')
    secret = t.folder / "secret"

    def password(text, **kw):
        secret.write_text(text + "\n")
        with secret.open() as stdin:
            return t.compeer("password", home=node.home, stdin=stdin, **kw)

    with t.case("without a password nothing is opened, and easy ones are none"):
        done = t.compeer("up", "--api", "127.0.0.1:0", home=node.home, ok=False)
        require(done.returncode == 1 and "compeer password" in done.stderr, f"{done.returncode} {done.stderr}")
        for easy in ("", "compeer", "aaaaaaaaaaaaaaaaaaaa"):
            done = password(easy, ok=False)
            require(done.returncode == 1, f"{easy!r} is taken: {done.stderr}")
    password("correct horse battery staple")
    node.start(keep_home=True)
    door = Door(node)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def far(method, path, headers=None, body=None):
        with contextlib.closing(http.client.HTTPSConnection(*at, timeout=30, context=context)) as connection:
            connection.request(method, path, body, {"Host": f"{at[0]}:{at[1]}", "Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    with t.case("the fingerprint is that of the certificate, and old versions of TLS are refused"):
        shown = node.call("GET", "session")["remote"]["fingerprint"]
        certificate = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(at))
        require(shown.replace(":", "").lower() == hashlib.sha256(certificate).hexdigest(), shown)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        try:
            with socket.create_connection(at, timeout=60) as s, old.wrap_socket(s):
                raise Failed("TLS 1.1 is spoken")
        except (ssl.SSLError, ConnectionError):
            pass
    with t.case("without TLS nothing is said"):
        with socket.create_connection(at, timeout=60) as s:
            s.sendall(b"GET /health HTTP/1.1\r\nHost: nas.example\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                require(b"HTTP" not in s.recv(4096), "it is served without TLS")
    with t.case("the token is of no use there, the password is, and a new one ends it"):
        require(far("GET", "/api/v1/session", {"Authorization": f"Bearer {door.token}"})[0] == 401, "the token is good from elsewhere")
        require(far("POST", "/api/v1/login", body=json.dumps({"secret": door.token}))[0] == 401, "the token logs in from elsewhere")
        status, headers, _ = far("POST", "/api/v1/login", body=json.dumps({"secret": "correct horse battery staple"}))
        cookie = headers["Set-Cookie"]
        require(status == 200 and all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Strict")), f"{status} {cookie}")
        cookie = {"Cookie": cookie.split(";")[0]}
        require(far("GET", "/api/v1/session", cookie)[0] == 200, "the cookie is not good")
        require(far("GET", "/api/v1/session", {**cookie, "Host": "nas.example"})[0] == 200, "its name is not known")
        for wrong in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Host": f"127.0.0.1:{door.port}.evil.example"}):
            require(far("GET", "/api/v1/session", {**cookie, **wrong})[0] == 403, f"{wrong}")
        require(far("PUT", "/api/v1/limits", cookie, "{}")[0] == 403, "a form of another page changes something")
        node.stop()
        require(cookie["Cookie"].split("=")[1].encode() not in (node.home / "compeer.db").read_bytes(), "the secret is on the disk")
        node.start(keep_home=True)
        require(far("GET", "/api/v1/session", cookie)[0] == 200, "the log-in ends with the node's run")
        password("another horse, another staple")
        wait("the old log-in is good no longer", lambda: far("GET", "/api/v1/session", cookie)[0] == 401)
    with t.case("a wrong password a hundred times: looked at a few times only"):
        seen, began = {}, time.monotonic()
        for number in range(100):
            status = far("POST", "/api/v1/login", body=json.dumps({"secret": f"correct horse battery {number}"}))[0]
            seen[status] = seen.get(status, 0) + 1
        require(set(seen) == {401, 429} and seen[401] <= looked_at(began), f"{seen}")


@suite("the API's document: schemathesis", limit=300)
def _(t):
    node = t.start("compeer")
    door = Door(node)
    # endless answers, which it would wait for: the next suite looks at them
    without = [path for path in streams(door.document()) if "{" not in path]
    folders = t.sub("folders")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{door.port}/api/v1/openapi.json", "-H", f"Authorization: Bearer {door.token}",
               "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance",
               "--phases", "examples,coverage,fuzzing", "--seed", "1", "--generation-database", "none", "--request-timeout", "20", "--workers", "1",
               "--no-shrink", "--continue-on-failure", "--no-color", "--warnings", "off"]
    env = dict(os.environ, PYTHONPATH=str(HERE), SCHEMATHESIS_HOOKS="schemathesis_hooks", FOLDERS=str(folders))

    def run(*which, timeout):
        done = subprocess.run([*command, *which], capture_output=True, text=True, timeout=timeout, cwd=t.folder, env=env)
        t.note(schemathesis=done.stdout.strip().splitlines()[-1] if done.stdout else "")
        if done.returncode:
            raise Failed(done.stdout[-6000:] + done.stderr[-1000:])

    with t.case("no 5xx, and no answer that the document does not describe"):
        run("--max-examples", "5", *(word for path in without for word in ("--exclude-path", path)), timeout=200)
    with t.case("folders are made"):
        run("--max-examples", "60", "--include-operation-id", "make", timeout=80)
        require(any(folders.iterdir()), "none is there")
    with t.case("the node goes on"):
        require(door.status("GET", "/api/v1/session") == 200, "not served")


def streams(document):
    """-> {path: the schema of its events} of all that answer with a stream of events"""
    answers = {path: calls.get("get", {}).get("responses", {}).get("200", {}).get("content", {}) for path, calls in document["paths"].items()}
    return {path: content[STREAM]["schema"] for path, content in answers.items() if STREAM in content}


class Stream:
    """One stream of events, read as it comes (HTML, "Server-sent events")."""

    def __init__(self, door, path):
        self.connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=EVENT_SECONDS)
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {door.token}"})
        self.answer, self.text = self.connection.getresponse(), b""

    def more(self, until):
        """-> the data of some events that are there, or come by then; of none when there are none."""
        events = []
        while not events:
            # the answer holds the socket once the connection is to end with it
            self.answer.fp.raw._sock.settimeout(max(0.1, until - time.monotonic()))
            try:
                part = self.answer.read1(1 << 16)
            except TimeoutError:
                break
            if not part:
                break
            *whole, self.text = (self.text + part).split(b"\n\n")
            for event in whole:
                lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
                events += [json.loads(b"\n".join(lines))] if lines else []
        return events


@suite("the API's document: streams of events", limit=300)
def _(t):
    import jsonschema_rs    # schemathesis brings it
    entry = t.start("compeer", without="lsd,mapping,relays", transport="both")
    node = t.start("compeer", without="lsd,mapping,relays", transport="both", bootstrap=f"{entry.ip}:{entry.port}")
    door = Door(node)
    document = door.document()
    node.call("POST", "identity", {"name": "Alice"})
    content = t.folder / "content"
    content.write_bytes(b"a" * MIB)
    torrent = shared(node, content)
    node.call("POST", "groups", {"name": "Tea", "kind": "private"})
    # what the parts of paths mean; a new stream about something else says here what there is of it
    meant = {"/api/v1/torrents/{id}/events": torrent, "/api/v1/dht/peers/{id}": torrent}

    def happenings():
        """What streams tell of."""
        node.call("POST", "groups", {"name": "Coffee", "kind": "open"})
        node.call("POST", "chats/group:Tea/messages", {"text": "hello"})
        node.call("POST", "invites", {})
        node.call("POST", f"torrents/{torrent}/pause")

    open_streams, all = {}, streams(document)
    with t.case("each answers as the document says"):
        require(len(all) >= 4, f"{list(all)}")
        for path in all:
            require("{" not in path or path in meant, f"{path}: `meant` does not say of what")
            stream = open_streams[path] = Stream(door, re.sub(r"\{[^}]*\}", lambda _: meant[path], path))
            kind = stream.answer.getheader("Content-Type")
            require(stream.answer.status == 200 and kind.startswith(STREAM), f"{path}: {stream.answer.status} {kind}")
            require("no-cache" in (stream.answer.getheader("Cache-Control") or ""), f"{path}: may be kept by caches")
    with t.case("each event is one of those that the document describes"):
        told = {path: stream.more(time.monotonic() + EVENT_SECONDS) for path, stream in open_streams.items()}
        happenings()
        until = time.monotonic() + 4
        for path, stream in open_streams.items():
            while events := stream.more(until):
                told[path] += events
        # some are told late
        wanted, until = {"snapshot", "rates", "group", "message", "changed"}, time.monotonic() + EVENT_SECONDS
        main, stream = told["/api/v1/events"], open_streams["/api/v1/events"]
        while not wanted <= {event["event"] for event in main} and (events := stream.more(until)):
            main += events
        for path, schema in all.items():
            valid = jsonschema_rs.validator_for({"components": document["components"], **schema})
            require(told[path], f"{path}: nothing came within {EVENT_SECONDS} s")
            for event in told[path]:
                wrong = [str(error)[:1500] for error in valid.iter_errors(event)]
                require(not wrong, f"{path}: {json.dumps(event)[:500]}: {wrong}")
        kinds = {path: sorted({event["event"] for event in events}) for path, events in told.items()}
        t.note(kinds=kinds)
        require(wanted <= set(kinds["/api/v1/events"]), f"{kinds}")
        firsts = {path: events[0]["event"] for path, events in told.items()}
        require(firsts["/api/v1/events"] == firsts["/api/v1/torrents/{id}/events"] == "snapshot", f"{firsts}")
    with t.case("what a document does not describe is found"):
        valid = jsonschema_rs.validator_for({"components": document["components"], **all["/api/v1/events"]})
        require(not valid.is_valid({"event": "snapshot", "data": {"torrents": 7}}), "a wrong event passes")
        require(not valid.is_valid({"event": "nothing", "data": {}}), "an unknown event passes")
    for stream in open_streams.values():
        stream.connection.close()
    with t.case("who names nothing that there is gets no stream"):
        for path in meant:
            problem(door, 404, "GET", re.sub(r"\{[^}]*\}", "nothing", path))


def shared(node, path):
    """Shares a file. -> the torrent's id"""
    job = node.call("POST", "shares", {"path": str(path)})
    until = time.monotonic() + 30
    while job["state"] == "running" and time.monotonic() < until:
        time.sleep(0.05)
        job = node.call("GET", f"jobs/{job['id']}")
    require(job["torrent"], f"{job}")
    return job["torrent"]
