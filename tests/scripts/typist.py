"""Types into an interactive shell on a terminal of its own, and prints all that is seen there.

usage: typist.py PROMPT WORD... -- LINE...

WORD... is the shell. Each LINE is typed when PROMPT is seen again, and the last one should end the shell, which has ten
seconds in all. The terminal has 200 columns and 200 lines, so that no list of choices is cut or paged.
"""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios

prompt = sys.argv[1].encode()
end = sys.argv.index("--")
words, lines = sys.argv[2:end], sys.argv[end + 1:]

# The shell waits for its first line, so it sees the size.
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 200, 0, 0))
    os.execvp(words[0], words)
signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
signal.alarm(10)
unread = b""
try:
    while seen := os.read(terminal, 65536):
        sys.stdout.buffer.write(seen)
        unread += seen
        if lines and prompt in unread:
            os.write(terminal, lines.pop(0).encode())
            unread = b""
except OSError:
    pass  # The shell has closed its terminal.
os.waitpid(pid, 0)
