"""A service and a client with dbus-python: `service`, or `client`, which prints what it saw as JSON."""

import json
import os
import sys

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

NAME = "org.example.Python"
PATH = "/org/example/Python"

DBusGMainLoop(set_as_default=True)
bus = dbus.bus.BusConnection(os.environ["DBUS_SESSION_BUS_ADDRESS"])
loop = GLib.MainLoop()


class Service(dbus.service.Object):
    @dbus.service.method(NAME, in_signature="ii", out_signature="i")
    def Add(self, left, right):
        self.Added(left + right)
        return left + right

    @dbus.service.method(NAME, in_signature="h", out_signature="s")
    def Read(self, descriptor):
        return os.pread(descriptor.take(), 100, 0).decode()

    @dbus.service.method(NAME, out_signature="h")
    def Open(self):
        return dbus.types.UnixFd(file_with("from the service"))

    @dbus.service.method(NAME)
    def Fail(self):
        raise dbus.DBusException("on purpose", name="org.example.Purpose")

    @dbus.service.signal(NAME, signature="i")
    def Added(self, total):
        pass

    @dbus.service.method(NAME)
    def Quit(self):
        GLib.idle_add(loop.quit)


def file_with(content):
    descriptor = os.memfd_create("conformance")
    os.write(descriptor, content.encode())
    return descriptor


def client():
    seen = {"signals": []}
    proxy = bus.get_object(NAME, PATH)
    service = dbus.Interface(proxy, NAME)
    bus.add_signal_receiver(lambda total: seen["signals"].append(int(total)), "Added", NAME)
    seen["sum"] = int(service.Add(2, 3))
    seen["read"] = str(service.Read(dbus.types.UnixFd(file_with("from the client"))))
    seen["opened"] = os.pread(service.Open().take(), 100, 0).decode()
    seen["introspected"] = "Add" in proxy.Introspect(dbus_interface=dbus.INTROSPECTABLE_IFACE)
    seen["owner"] = bus.get_name_owner(NAME) != ""
    try:
        service.Fail()
    except dbus.DBusException as error:
        seen["error"] = error.get_dbus_name()
    # Signals wait for the loop; the answer to this call comes after them.
    service.Add(20, 30, reply_handler=lambda _: loop.quit(), error_handler=lambda _: loop.quit())
    loop.run()
    service.Quit()
    print(json.dumps(seen))


if sys.argv[1] == "service":
    name = dbus.service.BusName(NAME, bus)
    service = Service(bus, PATH)
    loop.run()
else:
    client()
