"""Plays systemd for a service of Type=notify: reads what the service sends.

usage: python3 notified.py PATH
PATH may begin with @ for an abstract name. Prints each message as a line of JSON:
the process that has sent it, the microseconds when it came, and its text.
"""
import json
import socket
import struct
import sys
import time

path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind(path.replace("@", "\0", 1) if path.startswith("@") else path)
print(json.dumps({"bound": path}), flush=True)
while True:
    text, ancillary, _, _ = listener.recvmsg(65536, socket.CMSG_SPACE(12))
    pid = None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack("3i", data[:12])[0]
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    print(json.dumps({"pid": pid, "at": now, "text": text.decode()}), flush=True)
