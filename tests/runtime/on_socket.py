#!/usr/bin/env python3
# Starts a program with one TCP socket as its descriptors 0, 1 and 2, as Postfix's spawn(8) does, and plays its client.
# Arguments: HOW PROGRAM... HOW is a list of words, joined by commas: nonblocking, or what the client does. Standard output
# has one line of JSON: what the client heard, and the program's exit status.
import json
import os
import socket
import struct
import subprocess
import sys
import time

how, argv = sys.argv[1].split(","), sys.argv[2:]
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(1)
client = socket.create_connection(server.getsockname())
client.settimeout(15)
theirs, _ = server.accept()
if "nonblocking" in how:
    theirs.setblocking(False)
if "early" in how:
    client.sendall(b"early ")
child = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs)
theirs.close()
heard = b""


def hear(count):
    global heard
    while len(heard) < count:
        more = client.recv(65536)
        if not more:
            return
        heard += more


for word in how:
    if word == "hello":
        client.sendall(b"hello")
        hear(len(heard) + 5)
    if word == "early":
        hear(6)
    if word == "ready":
        hear(6)
    if word == "shut":
        client.shutdown(socket.SHUT_WR)
        hear(1 << 40)
    if word == "much":
        client.sendall(b"m" * 3000000)
    if word == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    if word == "close":
        client.close()
    if word == "wait":
        time.sleep(0.3)
    if word == "all":
        hear(1 << 40)
try:
    status = child.wait(15)
except subprocess.TimeoutExpired:
    child.kill()
    status = "still there"
heard = heard.decode("latin-1")
json.dump({"heard": heard if len(heard) < 1000 else len(heard), "status": status}, sys.stdout)
