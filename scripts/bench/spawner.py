#!/usr/bin/env python3
# Starts programs as Postfix's spawn(8) does, with a TCP socket as descriptors 0, 1 and 2, and measures the cost of each.
# Standard input has one line of JSON per turn: {"argv": [...], "env": {...}, "together": N, "size": OCTETS}. N
# programs start at a time. "env" is added to the environment. The rest of it is what spawn(8) leaves: the names of
# Postfix's default export_environment, and a PATH of its own.
# Each gets one whole message of that size, or none if it is 0. Standard output has one line of JSON per turn, a list of
# {"wall": ms, "cpu": ms, "faults": page faults, "memory": peak MB}. All but the first are of the program and its children
# (wait4(2)).
#
# {"read": [PATH...]} brings executables into one state: not in the page cache, and then read from their beginning to their
# end. A program that was only ever run has smaller pieces there, and more page faults. The answer is [].
import json
import os
import socket
import sys
import threading
import time

LINE = b"0123456789" * 7 + b"\r\n"
ENVIRONMENT = {name: os.environ[name] for name in ("TZ", "MAIL_CONFIG", "LANG") if name in os.environ}
ENVIRONMENT["PATH"] = "/usr/bin:/bin"


def talk(client, size):
    replies = client.makefile("rb")

    def expect(code):
        line = replies.readline()
        while line[3:4] == b"-":
            line = replies.readline()
        if not line.startswith(code):
            raise Exception("expected %s, heard %r" % (code.decode(), line))

    # Like Postfix's smtpd: first its own client, then the envelope in one piece (PIPELINING), then the message in another.
    expect(b"220")
    client.sendall(b"EHLO client.example\r\n")
    expect(b"250")
    client.sendall(b"XFORWARD NAME=client.example ADDR=192.0.2.1 PROTO=ESMTP HELO=client.example\r\n")
    expect(b"250")
    client.sendall(b"MAIL FROM:<sender@example.org>\r\nRCPT TO:<recipient@example.net>\r\nDATA\r\n")
    expect(b"250")
    expect(b"250")
    expect(b"354")
    client.sendall(b"Subject: bench\r\n\r\n" + LINE * (size // len(LINE)) + b".\r\n")
    expect(b"250")
    client.sendall(b"QUIT\r\n")
    expect(b"221")


def run(argv, env, size, results):
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    client = socket.create_connection(server.getsockname())
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.settimeout(30)
    theirs, _ = server.accept()
    server.close()
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, {**ENVIRONMENT, **env},
                         file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), number) for number in (0, 1, 2)])
    theirs.close()
    try:
        if size > 0:
            talk(client, size)
    except Exception as error:
        os.kill(pid, 9)
        os.wait4(pid, 0)
        results.append("%s: %s" % (argv[0], error))
        return
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    client.close()
    if status != 0:
        results.append("%s: wait status %d" % (argv[0], status))
        return
    results.append({
        "wall": wall * 1000,
        "cpu": (usage.ru_utime + usage.ru_stime) * 1000,
        "faults": usage.ru_minflt + usage.ru_majflt,
        "memory": usage.ru_maxrss / 1024,
    })


def read_anew(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(1 << 20):
            pass


for line in sys.stdin:
    turn = json.loads(line)
    results = []
    for path in turn.get("read", []):
        read_anew(path)
    threads = [
        threading.Thread(target=run, args=(turn["argv"], turn["env"], turn["size"], results))
        for _ in range(turn.get("together", 0))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(results, sys.stdout)
    sys.stdout.write("\n")
    sys.stdout.flush()
