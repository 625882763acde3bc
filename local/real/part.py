"""What the scripts of this folder share: how a real part is fetched once, started, watched and ended.

Nothing of one part is here; those are `kafka` and `dynamodb`. Python's standard library alone.
"""
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pathlib
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "target" / "real"
PR_SET_PDEATHSIG = 1
# Below the range from which Linux takes the ports of outgoing connections: one from there could be gone before its part
# listens on it.
RANDOM_PORTS = range(20_000, 32_000)
PARENT_POLL_SECONDS = 0.5


class Failed(Exception):
    """Ends the program with its sentence, whichever thread it happens in."""


def run(main):
    """Runs a program's main function; what fails is one sentence on stderr and exit code 1."""
    try:
        main()
    except Failed as failure:
        sys.exit(f"local/real/{pathlib.Path(sys.argv[0]).name}: {failure}")


def say(name, line):
    print(f"{name} | {line}", file=sys.stderr, flush=True)


def fetched(name, manifest, fetch):
    """The directory that `fetch` fills with what this manifest names. Another manifest is another directory, and only a
    complete one has its final name."""
    digest = hashlib.sha256((HERE / manifest).read_bytes()).hexdigest()[:12]
    directory = TARGET / f"{name}-{digest}"
    TARGET.mkdir(parents=True, exist_ok=True)
    with open(TARGET / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests start several at once
        if not directory.is_dir():
            say(name, f"fetching what local/real/{manifest} names")
            with tempfile.TemporaryDirectory(dir=TARGET) as unfinished:
                fetch(HERE / manifest, pathlib.Path(unfinished) / name)
                os.rename(pathlib.Path(unfinished) / name, directory)
    return directory


def fetch_by(command, what):
    """Runs a registry's client; its own words go to stderr."""
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode != 0:
        raise Failed(f"{what} could not be fetched, see above; that needs the network once")


def pip(what):
    """Installs what a list of packages names, at the versions that it names, for `fetched`."""
    def install(requirements, directory):
        if importlib.util.find_spec("pip") is None:
            raise Failed(f"pip is missing, which fetches {what}; on Debian and Ubuntu: apt-get install python3-pip")
        # Not a virtual environment, which would know its own path and could not be renamed. Every package is named, so
        # nothing has to be resolved, and what else is on this machine does not matter.
        fetch_by([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
                  "--root-user-action", "ignore", "--no-deps", "--target", str(directory),
                  "--requirement", str(requirements)], what)
    return install


def free_ports(count):
    """Ports that were free a moment ago, and are all different: each is held until the last is known."""
    ports = []
    with contextlib.ExitStack() as held:
        for port in random.sample(RANDOM_PORTS, len(RANDOM_PORTS)):
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise Failed(f"no {count} free ports from {RANDOM_PORTS.start} to {RANDOM_PORTS.stop}")


def free(port):
    """This port, if it is free."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise Failed(f"port {port} is taken ({error.strerror}); end what has it, or give another --port") from error
    return port


def start(command, **more):
    """A child whose lines come through a pipe, and that ends with this process even when that is killed with -9. Call
    it from the main thread, for the tie is to the thread."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, errors="replace", preexec_fn=end_with_parent, **more)


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgid(0, 0)  # a Ctrl-C is for this process, which ends its children itself


class Orders:
    """What ends a part, or wants something of it: a signal, the parent's end, a line on stdin, the end of stdin. Made
    first of all, so that nothing happens unseen."""

    def __init__(self):
        self.parent, self.received = os.getppid(), queue.SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))

    def serve(self, obey=None):
        """Until told to end; `obey` gets each line of stdin."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.received.put(None))
        if obey:
            threading.Thread(target=self.read, daemon=True).start()
        while os.getppid() == self.parent:
            try:
                order = self.received.get(timeout=PARENT_POLL_SECONDS)
            except queue.Empty:
                continue
            if order is None:
                return
            obey(order)

    def read(self):
        for line in sys.stdin:
            self.received.put(line.strip())
        self.received.put(None)
