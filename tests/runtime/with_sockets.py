#!/usr/bin/env python3
# Starts a program with listening sockets from descriptor 3 on, as a service manager does. Arguments: COUNT PROGRAM...
# The variable SOCKETS has the port of each: 3:PORT,4:PORT...
import os
import socket
import sys

count = int(sys.argv[1])
ports = []
for fd in range(3, 3 + count):
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(100)
    if server.fileno() != fd:
        os.dup2(server.fileno(), fd)
        server.close()
    else:
        server.detach()
    os.set_inheritable(fd, True)
    ports.append("%d:%d" % (fd, socket.socket(fileno=os.dup(fd)).getsockname()[1]))
os.environ["SOCKETS"] = ",".join(ports)
os.execvp(sys.argv[2], sys.argv[2:])
