"""Downloads from a local server that misbehaves in many ways."""

import errno
import hashlib
import io
import os
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from dezero import download, files
from dezero.download import (
    DownloadError,
    cache_dir,
    cached_path,
    get_file,
    sha256_of,
)

BODY = bytes(np.random.default_rng(0).integers(0, 256, 300_000, np.uint8))
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Every address misbehaves as its name says; the part before the underscore chooses."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        self.close_connection = True
        self.server.asked.append((self.path, self.headers.get("Range")))
        name = self.path.strip("/").split(".")[0].replace("-", "_")
        try:
            getattr(self, name)()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has had enough

    def start(self, status=200, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()

    def rest(self):
        """The headers of an answer to a Range, and its first byte."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        if first >= len(BODY):
            self.start(416, Content_Range=f"bytes */{len(BODY)}", Content_Length=0)
        elif wanted:
            spread = f"bytes {first}-{len(BODY) - 1}/{len(BODY)}"
            self.start(206, Content_Range=spread, Content_Length=len(BODY) - first)
        else:
            self.start(Content_Length=len(BODY))
        return first

    def good(self):
        if self.headers.get("Accept-Encoding") != "identity":
            return self.send_error(406)  # the bytes of the file as they are, not packed
        self.wfile.write(BODY[self.rest() :])

    def lingering(self):
        time.sleep(0.3)
        self.good()

    def ignores_range(self):
        self.start(Content_Length=len(BODY))
        self.wfile.write(BODY)

    def other_range(self):
        self.start(206, Content_Range=f"bytes 7-99/{len(BODY)}", Content_Length=93)
        self.wfile.write(BODY[7:100])

    def odd_range(self):
        self.start(206, Content_Length=93)
        self.wfile.write(BODY[7:100])

    def cuts(self):
        first = self.rest()
        self.wfile.write(BODY[first : first + 100_001])

    def cuts_at_once(self):
        self.rest()

    def cuts_chunks(self):
        self.start(Transfer_Encoding="chunked")
        self.wfile.write(b"1000\r\n" + BODY[:4096] + b"\r\n1000\r\n" + BODY[4096:5000])

    def chunks(self):
        self.start(Transfer_Encoding="chunked")
        for i in range(0, len(BODY), 4096):
            piece = BODY[i : i + 4096]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def without_length(self):
        self.start()
        self.wfile.write(BODY)

    def says_more(self):
        self.start(Content_Length=len(BODY) + 5)
        self.wfile.write(BODY)

    def says_less(self):
        self.start(Content_Length=1000)
        self.wfile.write(BODY)

    def says_nonsense(self):
        self.start(Content_Length="many")
        self.wfile.write(BODY)

    def wrong(self):
        self.start(Content_Length=9)
        self.wfile.write(b"not found")

    def empty(self):
        self.start(Content_Length=0)

    def huge(self):
        self.start(Content_Length=10**13)
        self.wfile.write(BODY)

    def endless(self):
        self.start()
        for _ in range(100):  # as good as endless for a client that stops at a third of the first
            self.wfile.write(BODY)

    def drips(self, start, piece, pause=0.02):
        """Something at the start, and then little by little for as long as anybody listens."""
        self.wfile.write(start)
        while not self.server.stop.wait(pause):
            self.wfile.write(piece)

    def drips_status(self):
        self.drips(b"HTTP/1.1 200 O", b"K")

    def drips_headers(self):
        self.drips(b"HTTP/1.1 200 OK\r\nContent-Le", b"n")

    def drips_continue(self):
        self.drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n")

    def drips_chunk_sizes(self):
        self.drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x")

    def drips_after_redirect(self):
        self.drips(b"HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 9999\r\n\r\n", b"x")

    def leads_to(self, location):
        self.start(302, Location=location, Content_Length=0)

    def bad_redirect_1(self):
        self.leads_to("http://[nowhere")

    def bad_redirect_2(self):
        self.leads_to("http://" + "a" * 80 + ".org/a.bin")

    def bad_redirect_3(self):
        self.leads_to("http://127.0.0.1:port/a.bin")

    def bad_redirect_4(self):
        self.leads_to("http://a\x07b/")

    def silent(self):
        self.server.stop.wait(20)

    def falls_silent(self):
        self.start(Content_Length=len(BODY))
        self.wfile.write(BODY[:5000])
        self.wfile.flush()
        self.server.stop.wait(20)

    def trickles(self):
        self.start(Content_Length=len(BODY))
        for i in range(2000):
            self.wfile.write(BODY[i : i + 1])
            if self.server.stop.wait(0.01):
                break

    def gone(self):
        self.send_error(404)

    def broken(self):
        self.send_error(500)

    def always_416(self):
        self.start(416, Content_Length=0)

    def redirects(self):
        self.start(302, Location="/good.bin", Content_Length=0)

    def redirects_to_file(self):
        self.start(302, Location="file:///etc/passwd", Content_Length=0)

    def redirects_to_ftp(self):
        self.start(302, Location="ftp://127.0.0.1/x", Content_Length=0)

    def goes_round(self):
        self.start(302, Location=self.path, Content_Length=0)

    def no_http(self):
        self.wfile.write(b"hello\r\n")


@pytest.fixture(scope="module")
def running():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    made.at = lambda name: f"http://127.0.0.1:{made.server_address[1]}/{name}.bin"
    yield made
    made.shutdown()
    made.server_close()
    thread.join(5)


@pytest.fixture
def server(running, monkeypatch, tmp_path):
    monkeypatch.setenv("DEZERO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("DEZERO_SKIP_CHECKSUM", raising=False)
    running.asked, running.stop = [], threading.Event()
    yield running
    running.stop.set()  # those that keep silent may go


def fetch(server, *names, **options):
    options = {"file_name": "a.bin", "sha256": SHA256, "timeout": 5, "progress": False, **options}
    return get_file([server.at(name) for name in names], **options)


def is_right(path):
    """The file is whole, and nothing else is left in the folder."""
    return Path(path).read_bytes() == BODY and os.listdir(cache_dir) == [os.path.basename(path)]


# --- a good server ------------------------------------------------------------------------------


def test_a_file_is_fetched_once_and_named_as_its_address(server):
    path = get_file(server.at("good") + "?raw=1#top", progress=False)
    assert path == os.path.join(os.environ["DEZERO_HOME"], "good.bin") and is_right(path)
    assert get_file(server.at("good"), progress=False) == path
    assert [name for name, _ in server.asked] == ["/good.bin?raw=1"]


@pytest.mark.parametrize("name", ["good", "chunks", "without-length", "says-nonsense", "redirects"])
def test_good_answers_of_every_kind(server, name):
    for sha256 in (SHA256, SHA256.upper(), None):
        path = fetch(server, name, sha256=sha256)
        assert is_right(path)
        os.remove(path)


def test_the_cache_is_looked_up_when_used(monkeypatch, tmp_path):
    monkeypatch.setenv("DEZERO_HOME", str(tmp_path / "one"))
    assert str(cache_dir) == str(tmp_path / "one") and os.fspath(cache_dir) == str(cache_dir)
    assert os.path.join(cache_dir, "x") == cached_path("x") == str(tmp_path / "one" / "x")
    assert str(tmp_path) in repr(cache_dir)
    monkeypatch.setenv("DEZERO_HOME", os.path.join("~", "data"))
    assert str(cache_dir) == os.path.expanduser(os.path.join("~", "data"))
    monkeypatch.delenv("DEZERO_HOME")
    assert str(cache_dir) == os.path.expanduser(os.path.join("~", ".dezero"))
    assert not (tmp_path / "one").exists()


def test_a_file_name_stays_in_the_folder(server):
    for name in ("", ".", "..", "a/b", "../a", "/a", "a\\b", "c:a", "a\0", "a\nb"):
        with pytest.raises(ValueError, match="no plain file name"):
            cached_path(name)
        if name:
            with pytest.raises(ValueError, match="no plain file name"):
                fetch(server, "good", file_name=name)
    for path in ("a/%2e%2e", ""):
        with pytest.raises(ValueError, match="no plain file name"):
            get_file(f"http://127.0.0.1/{path}")
    assert server.asked == []


def test_only_the_web(server):
    for url in ("file:///etc/passwd", "ftp://a.b/c", "data:,x", "a.b", "/a", "http:///a", "http:a"):
        for urls in (url, [url], [server.at("good"), url]):
            with pytest.raises(ValueError, match="no http or https address"):
                get_file(urls, "a.bin")
    assert server.asked == []


def test_an_address_is_plain_letters():
    for url in ("http://a.b/c d", "http://a.b/\u00e4", "http://a.b/\n"):
        with pytest.raises(ValueError, match="percent-encoded"):
            get_file(url, "a.bin")


def test_no_address_at_all(server):
    with pytest.raises(ValueError, match="address"):
        get_file([], "a.bin")


# --- bad servers --------------------------------------------------------------------------------

BAD = [
    ("gone", "the server answers 404 Not Found"),
    ("broken", "the server answers 500 Internal Server Error"),
    ("always-416", "the server answers 416"),
    ("wrong", f"its SHA-256 is {hashlib.sha256(b'not found').hexdigest()}"),
    ("empty", "its SHA-256 is e3b0c44298fc"),
    ("says-less", f"its SHA-256 is {hashlib.sha256(BODY[:1000]).hexdigest()}"),
    ("says-more", "cut off after 300000 of 300005 bytes"),
    ("cuts-at-once", "cut off after 0 of 300000 bytes"),
    ("cuts-chunks", "IncompleteRead"),
    ("silent", "no answer within 0.3 s"),
    ("falls-silent", "no answer within 0.3 s"),
    ("trickles", "bytes in 0.3 s"),
    ("huge", "it is larger than 2147483648 bytes"),
    ("other-range", "another part came than was asked for"),
    ("odd-range", "another part came than was asked for"),
    ("redirects-to-file", "Redirection to url 'file:///etc/passwd' is not allowed"),
    ("redirects-to-ftp", "redirected: 'ftp://127.0.0.1/x' is no http or https address"),
    ("goes-round", "302"),
    ("no-http", "hello"),
]


def patience(name):
    """Seconds: few where they will pass, many where only a busy machine could use them up."""
    return 0.3 if name in ("silent", "falls-silent", "trickles") else 5


@pytest.mark.parametrize("name, reason", BAD, ids=[name for name, _ in BAD])
def test_a_bad_mirror_is_told_and_the_next_one_is_asked(server, name, reason):
    start = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        fetch(server, name, timeout=patience(name))
    told = str(caught.value)
    assert reason in told and server.at(name) in told and SHA256 in told
    assert os.path.join(os.environ["DEZERO_HOME"], "a.bin") in told
    assert "a.bin" not in os.listdir(cache_dir)
    assert is_right(fetch(server, name, "good", timeout=3 * patience(name)))
    assert time.monotonic() - start < 15


DRIPS = "status", "headers", "continue", "chunk-sizes", "after-redirect"


@pytest.mark.parametrize("name", DRIPS)
def test_a_server_that_drips_is_left_in_time(server, name):
    begin = time.monotonic()
    with pytest.raises(DownloadError, match=r"no answer within 0\.5 s"):
        fetch(server, f"drips-{name}", timeout=0.5)
    assert time.monotonic() - begin < 3
    assert is_right(fetch(server, f"drips-{name}", "good", timeout=2))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_after_a_malformed_redirection_the_next_mirror_is_asked(server, number):
    with pytest.raises(DownloadError):
        fetch(server, f"bad-redirect-{number}")
    assert is_right(fetch(server, f"bad-redirect-{number}", "good"))


@pytest.mark.parametrize("name", ["empty", "says-more", "falls-silent", "cuts-chunks"])
def test_without_a_checksum_a_broken_file_is_noticed_all_the_same(server, name):
    with pytest.raises(DownloadError):
        fetch(server, name, sha256=None, timeout=patience(name))
    assert len(server.asked) == 1, "each try would begin anew"
    assert is_right(fetch(server, name, "good", sha256=None, timeout=3 * patience(name)))


def test_nobody_listens(server):
    with pytest.raises(DownloadError, match="refused"):
        get_file("http://127.0.0.1:9/a.bin", timeout=2, progress=False)


def test_all_mirrors_are_named(server):
    with pytest.raises(DownloadError) as caught:
        fetch(server, "gone", "wrong", "cuts-at-once")
    places = [str(caught.value).index(server.at(n)) for n in ("gone", "wrong", "cuts-at-once")]
    assert places == sorted(places)


def test_the_size_is_bounded(server):
    for name in ("good", "endless", "chunks", "without-length"):
        with pytest.raises(DownloadError, match="larger than 100000 bytes"):
            fetch(server, name, max_bytes=100_000)
        assert os.listdir(cache_dir) == []
    assert is_right(fetch(server, "good", max_bytes=len(BODY)))


def test_https_is_not_left():
    from urllib.error import URLError
    from urllib.request import HTTPRedirectHandler, Request

    opener = download._opener()
    (redirect,) = [h for h in opener.handlers if isinstance(h, HTTPRedirectHandler)]
    for start, end, allowed in [
        ("https://a.b/c", "https://d.e/f", True),
        ("https://a.b/c", "HTTPS://d.e/f", True),
        ("http://a.b/c", "https://d.e/f", True),
        ("http://a.b/c", "http://d.e/f", True),
        ("https://a.b/c", "http://d.e/f", False),
        ("https://a.b/c", "HTTP://d.e/f", False),
    ]:
        arguments = Request(start, headers={"Range": "bytes=5-"}), None, 302, "", {}, end
        if allowed:
            request = redirect.redirect_request(*arguments)
            assert request.full_url == end and request.get_header("Range") == "bytes=5-"
        else:
            with pytest.raises(URLError, match="redirected from https"):
                redirect.redirect_request(*arguments)


def test_no_other_protocol_is_spoken(monkeypatch):
    for name in ("ftp_proxy", "all_proxy", "no_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert set(download._opener().handle_open) == {"http", "https"}


# --- going on where a download ended ------------------------------------------------------------


def test_a_cut_download_goes_on(server):
    assert is_right(fetch(server, "cuts"))
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100001-", "bytes=200002-"]


def test_another_mirror_and_another_call_go_on(server):
    with pytest.raises(DownloadError):
        fetch(server, "falls-silent", timeout=0.3)
    assert os.path.getsize(cached_path("a.bin.part")) == 5000
    assert len(server.asked) == 1, "a mirror that has fallen silent is left for the next one"
    assert is_right(fetch(server, "cuts-at-once", "good"))
    assert [wanted for _, wanted in server.asked][-2:] == ["bytes=5000-", "bytes=5000-"]


def leave(content):
    os.makedirs(cache_dir, exist_ok=True)
    Path(cached_path("a.bin.part")).write_bytes(content)


LEFT = {"a byte": BODY[:1], "all but one": BODY[:-1], "all": BODY, "one more": BODY + b"x",
        "wrong": b"?" * 1000, "all wrong": b"?" * len(BODY), "long": b"?" * 400_000}  # fmt: skip


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_whatever_is_left_of_an_earlier_try(server, left):
    for name in ("good", "ignores-range", "redirects", "cuts"):
        leave(left)
        path = fetch(server, name)
        assert is_right(path)
        os.remove(path)


def test_without_a_checksum_nobody_trusts_a_beginning(server):
    leave(b"?" * 1000)
    assert is_right(fetch(server, "good", sha256=None))
    assert server.asked == [("/good.bin", None)]


def test_a_mirror_that_sends_little_is_not_asked_for_ever(server, monkeypatch):
    monkeypatch.setattr(Handler, "cuts", lambda self: self.wfile.write(BODY[self.rest() :][:10]))
    with pytest.raises(DownloadError, match="cut off after 100 of 300000 bytes"):
        fetch(server, "cuts")
    assert len(server.asked) == download._MAX_TRIES == 10


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_as_it_is_and_of_which_file(server, monkeypatch, number):
    def full(*args):
        raise OSError(number, "No space left on device")

    monkeypatch.setattr(download, "_fetch", full)
    with pytest.raises(OSError, match="No space left on device: '.*a.bin'") as caught:
        fetch(server, "good", "good")
    assert not isinstance(caught.value, DownloadError)


# --- files of one's own -------------------------------------------------------------------------


def test_another_file_in_the_cache_is_refused_and_not_touched(server, monkeypatch):
    os.makedirs(cache_dir)
    mine = Path(cached_path("a.bin"))
    mine.write_bytes(b"mine")
    with pytest.raises(DownloadError, match="DEZERO_SKIP_CHECKSUM=1") as caught:
        fetch(server, "good")
    assert str(mine) in str(caught.value) and SHA256 in str(caught.value)
    assert mine.read_bytes() == b"mine" and server.asked == []
    monkeypatch.setenv("DEZERO_SKIP_CHECKSUM", "1")
    assert fetch(server, "good") == str(mine) and mine.read_bytes() == b"mine"
    monkeypatch.setenv("DEZERO_SKIP_CHECKSUM", "0")
    with pytest.raises(DownloadError):
        fetch(server, "good")
    mine.write_bytes(BODY)
    assert fetch(server, "good") == str(mine) and server.asked == []


def test_what_is_downloaded_is_checked_in_any_case(server, monkeypatch):
    monkeypatch.setenv("DEZERO_SKIP_CHECKSUM", "1")
    with pytest.raises(DownloadError, match="its SHA-256 is"):
        fetch(server, "wrong")


def test_an_empty_file_is_no_file(server):
    os.makedirs(cache_dir)
    Path(cached_path("a.bin")).touch()
    assert is_right(fetch(server, "good", sha256=None))


# --- two at the same time -----------------------------------------------------------------------


def test_threads_fetch_a_file_once(server):
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch(server, "lingering"))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(paths) == 6 and len(set(paths)) == 1 and is_right(paths[0])
    assert len(server.asked) == 1


PROGRAM = """
import sys
from dezero.download import get_file
print(get_file(sys.argv[1], 'a.bin', sys.argv[2], progress=False))
"""


def test_processes_fetch_a_file_once(server):
    command = [sys.executable, "-c", PROGRAM, server.at("lingering"), SHA256]
    run = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = {process.communicate(timeout=60)[0].strip() for process in run}
    assert [process.returncode for process in run] == [0, 0, 0]
    assert told == {cached_path("a.bin")} and is_right(cached_path("a.bin"))
    assert len(server.asked) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_process_blocks_nobody_and_its_bytes_are_used(server):
    command = [sys.executable, "-c", PROGRAM, server.at("falls-silent"), SHA256]
    process = subprocess.Popen(command)
    part = Path(cached_path("a.bin.part"))
    deadline = time.monotonic() + 20
    while not (part.exists() and server.asked) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait(10)
    left = part.stat().st_size
    assert is_right(fetch(server, "good"))
    assert server.asked[-1] == ("/good.bin", f"bytes={left}-" if left else None)


def test_where_there_are_no_locks_it_goes_on(server, monkeypatch):
    import errno

    def no_locks(file):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(files, "_try_lock", no_locks)
    assert is_right(fetch(server, "good"))


# --- the bar ----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_progress_in_a_log_and_in_a_terminal(server, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    fetch(server, "good", progress=True)
    told = sys.stderr.getvalue()
    assert told.endswith("100 % of 0.3 MB\n") and "a.bin [" in told
    assert ("\r" in told) == (stream is Terminal)
    assert stream is Terminal or told.count("\n") == 1


def test_no_progress(server, monkeypatch, capsys):
    fetch(server, "good")
    monkeypatch.setattr(sys, "stderr", None)
    fetch(server, "good", file_name="b.bin", progress=True)
    assert capsys.readouterr() == ("", "")


# --- the module ---------------------------------------------------------------------------------


def test_importing_it_brings_nothing_of_the_web():
    code = "import sys, numpy; old = set(sys.modules); import dezero.download; "
    code += "print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = {name.split(".")[0] for name in done.stdout.split()}
    assert "dezero" in new
    assert not new & {"urllib", "http", "ssl", "tarfile", "gzip", "zlib", "json", "hashlib", "tqdm"}


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(BODY)
    assert sha256_of(tmp_path / "a") == SHA256


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
def test_a_pipe_in_the_cache_is_not_waited_for(server):
    os.makedirs(cache_dir, exist_ok=True)
    os.mkfifo(cached_path("a.bin"))
    with pytest.raises(OSError, match="this is no file, but a pipe or a device: .*a.bin"):
        fetch(server, "good")
    assert server.asked == []


def test_a_name_too_long_for_a_file(server):
    with pytest.raises(ValueError, match="'nnn.*' is too long for the name of a file|too long"):
        fetch(server, "good", file_name="n" * 300)
