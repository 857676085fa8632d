"""One connection to a bus, driven by JSON lines on stdin and reported as JSON lines on stdout.

Node cannot pass descriptors nor become another user for one connection; this can. It knows nothing of D-Bus: bytes and
descriptors go through it in both directions. Commands: {"connect": path, "identity": {uid, gid, groups} or null},
{"send": base64, "files": [content, ...]}, {"flush": true}. The end of stdin closes the connection.
"""

import array
import base64
import json
import os
import selectors
import socket
import sys


def report(**event):
    print(json.dumps(event), flush=True)


def become(identity):
    os.setgroups(identity["groups"])
    os.setresgid(identity["gid"], identity["gid"], identity["gid"])
    os.setresuid(identity["uid"], identity["uid"], identity["uid"])


def file_with(content):
    """A new open file that contains `content`."""
    descriptor = os.memfd_create("conformance")
    os.write(descriptor, content.encode())
    return descriptor


def describe(descriptor):
    status = os.fstat(descriptor)
    try:
        content = os.pread(descriptor, 65536, 0).decode(errors="replace")
    except OSError as error:
        content = error.strerror
    return {"content": content, "identity": f"{status.st_dev}:{status.st_ino}"}


def send(connection, data, contents):
    """Blocks until the kernel has everything; the descriptors go with the first bytes."""
    descriptors = [file_with(content) for content in contents]
    try:
        if descriptors:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
            sent = connection.sendmsg([data], ancillary)
            connection.sendall(data[sent:])
        else:
            connection.sendall(data)
    except OSError:
        pass  # the bus has closed: the reading side will say so
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def receive(connection):
    """Reports what has arrived; False at the end of the connection."""
    try:
        data, ancillary, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(4 * 253))
    except OSError:
        data, ancillary = b"", []
    files = []
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors = array.array("i")
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
            for descriptor in descriptors:
                files.append(describe(descriptor))
                os.close(descriptor)
    if data:
        report(event="bytes", bytes=base64.b64encode(data).decode(), files=files)
    return bool(data)


def main():
    pending = b""
    connection = None
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj == 0:
                chunk = os.read(0, 1 << 20)
                if not chunk:
                    return
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    command = json.loads(line)
                    if "connect" in command:
                        if command["identity"]:
                            become(command["identity"])
                        connection = socket.socket(socket.AF_UNIX)
                        connection.connect(command["connect"])
                        selector.register(connection, selectors.EVENT_READ)
                        report(event="connected")
                    elif "send" in command:
                        send(connection, base64.b64decode(command["send"]), command["files"])
                    else:
                        report(event="flushed")
            elif not receive(connection):
                selector.unregister(connection)
                report(event="closed")


try:
    main()
except OSError as problem:
    report(event="failed", reason=str(problem))
    sys.exit(1)
