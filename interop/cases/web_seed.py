"""A web server with the same files is a source like any other (BEP 19), and a file that it serves wrongly is found."""
import http.server
import re
import threading

import payloads
from harness import require, require_same, suite
from torrents import make


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Python's file server, with byte ranges (RFC 9110, 14.2): a web seed is asked for nothing else."""
    protocol_version = "HTTP/1.1"
    served = 0

    def do_GET(self):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        try:
            data = open(self.translate_path(self.path), "rb").read()
        except OSError:
            self.send_error(404)
            return
        if wanted:
            first, last = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
            body = data[first:last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        else:
            body = data
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        Ranges.served += len(body)

    def log_message(self, *_):
        pass


def serve(folder):
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Ranges(*a, directory=folder))
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, daemon=True).start()
    return web, f"http://127.0.0.1:{web.server_port}/"


@suite("web seeds", limit=240)
def _(t):
    source = t.sub("source")
    web, url = serve(source)
    for name, payload in (("a file", payloads.one_file), ("a folder with odd names", payloads.unicode_names)):
        with t.case(f"{name} from nothing but a web seed"):
            content = payload(source)
            torrent = t.folder / f"{content.name}.torrent"
            t.compeer("torrent", "create", content, "--output", torrent, "--web-seed", url + ("" if content.is_dir() else "one%20file.bin"))
            t.compeer("get", torrent, "--output", t.sub("got"), "--listen", "127.0.0.2:0", home=t.sub("homes", name))
            require_same(content, t.folder / "got" / content.name)
    with t.case("with bad bytes at the web seed, the rest comes from a peer"):
        film = payloads.mid_piece(source)
        torrent = make("compeer", film, t.folder / "bad.torrent", payloads.PIECE)
        peer = t.start("libtorrent")
        good = t.sub("good") / film.name
        good.write_bytes(film.read_bytes())
        peer.add([torrent.path], good.parent, seed=True)
        data = bytearray(film.read_bytes())
        data[10:20] = b"0123456789"
        film.write_bytes(data)
        t.compeer("torrent", "edit", torrent.path, "--web-seed", url + film.name)
        t.compeer("get", torrent.path, "--output", t.sub("got"), "--peer", f"{peer.ip}:{peer.port}", "--listen", "127.0.0.2:0", home=t.sub("homes", "bad"))
        require_same(good, t.folder / "got" / film.name)
    require(Ranges.served > 0, "the web server was never asked")
    web.shutdown()
