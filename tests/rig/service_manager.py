#!/usr/bin/env python3
# Plays a service manager with socket activation: it holds a listening socket, and hands it to a program as descriptor 3.
# Arguments: tcp or a path for a unix socket, then the program's words. Standard output has the port of a tcp socket, and
# the process id of each start. A line of standard input is a signal's name: the program gets it, and when it has ended, it
# is started again. At the end of the input it gets SIGQUIT.
import os
import signal
import socket
import subprocess
import sys

place, words = sys.argv[1], sys.argv[2:]
if place == "tcp":
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
else:
    server = socket.socket(socket.AF_UNIX)
    server.bind(place)
server.listen(4096)
os.dup2(server.fileno(), 3)
# The program's own shell says for which process the socket is meant.
shell = ["/bin/sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "-", *words]


def start():
    child = subprocess.Popen(shell, pass_fds=[3], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    return child


child = start()
for line in sys.stdin:
    child.send_signal(signal.Signals[line.strip()])
    child.wait()
    child = start()
child.send_signal(signal.SIGQUIT)
child.wait()
