#!/usr/bin/env python3
# Stands in for Postfix's spawn(8): accepts connections on 127.0.0.1 and starts one program for each, with the socket as
# file descriptors 0, 1 and 2. Standard input has one line of JSON per change: {"argv": [...], "env": {...}}; env is added to
# the environment. Standard output has one line per event: "port N", "set", "start PID", "end PID STATUS" (negative: signal).
# Ends when its standard input ends, and kills what it started and still runs.
import json
import os
import socket
import subprocess
import sys
import threading

out = threading.Lock()
children = {}
setting = {"argv": ["/bin/false"], "env": {}}


def tell(text):
    with out:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def wait(child):
    status = child.wait()
    children.pop(child.pid, None)
    tell("end %d %d" % (child.pid, status))


def serve(listener):
    while True:
        connection, _ = listener.accept()
        now = setting
        child = subprocess.Popen(now["argv"], stdin=connection, stdout=connection, stderr=connection,
                                 env={**os.environ, **now.get("env", {})})
        connection.close()
        children[child.pid] = child
        tell("start %d" % child.pid)
        threading.Thread(target=wait, args=(child,), daemon=True).start()


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(64)
tell("port %d" % listener.getsockname()[1])
threading.Thread(target=serve, args=(listener,), daemon=True).start()
for line in sys.stdin:
    setting = json.loads(line)
    tell("set")
for child in list(children.values()):
    child.kill()
os._exit(0)
