"""Connections to a bus as several users, driven by JSON lines on stdin and reported as JSON lines on stdout.

One process, so that the bus sees one program: its effective user is another one while it connects. It knows nothing of
D-Bus. Commands: {"open": number, "path": socket, "uid": u, "gid": g, "groups": [...]}, {"send": number, "bytes": base64,
"descriptors": n}, {"close": number}. Events: opened, failed, bytes, closed, each with the number.
"""

import array
import base64
import json
import os
import selectors
import socket
import sys

selector = selectors.DefaultSelector()
connections = {}


def report(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def open_connection(number, command):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.setgroups(command["groups"])
    os.setegid(command["gid"])
    os.seteuid(command["uid"])
    try:
        connection.connect(command["path"])
    except OSError as error:
        report(event="failed", number=number, reason=str(error))
        return
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups([])
    connections[number] = connection
    selector.register(connection, selectors.EVENT_READ, number)
    report(event="opened", number=number)


def close(number):
    connection = connections.pop(number, None)
    if connection is not None:
        selector.unregister(connection)
        connection.close()


def send(number, data, count):
    connection = connections.get(number)
    if connection is None:
        return
    descriptors = [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]
    try:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        sent = connection.sendmsg([data], ancillary if descriptors else [])
        connection.sendall(data[sent:])
    except OSError:
        pass  # the bus has closed: the reading side will say so
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def receive(number):
    try:
        data, ancillary, _, _ = connections[number].recvmsg(1 << 18, socket.CMSG_SPACE(4 * 253))
    except OSError:
        data, ancillary = b"", []
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors = array.array("i")
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
            for descriptor in descriptors:
                os.close(descriptor)
    if data:
        report(event="bytes", number=number, bytes=base64.b64encode(data).decode())
    else:
        close(number)
        report(event="closed", number=number)


def obey(command):
    if "open" in command:
        open_connection(command["open"], command)
    elif "send" in command:
        send(command["send"], base64.b64decode(command["bytes"]), command["descriptors"])
    else:
        close(command["close"])


def main():
    pending = b""
    selector.register(0, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj != 0:
                if key.data in connections:
                    receive(key.data)
                continue
            chunk = os.read(0, 1 << 20)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                obey(json.loads(line))


main()
