"""A service of the system bus: owns the name it is given, says who it is, and ends when it is asked to."""

import json
import os
import sys

from gi.repository import Gio, GLib

NAME = sys.argv[1]
INTERFACE = Gio.DBusNodeInfo.new_for_xml(
    """<node><interface name="org.example.onehop.System">
         <method name="Describe"><arg type="s" direction="out"/></method>
         <method name="Quit"/>
       </interface></node>"""
).interfaces[0]

loop = GLib.MainLoop()


def called(_connection, _sender, _path, _interface, member, _parameters, invocation):
    if member == "Quit":
        invocation.return_value(None)
        loop.quit()
        return
    description = {
        "uid": os.getresuid(),
        "gid": os.getresgid(),
        "groups": sorted(os.getgroups()),
        "environment": {key: os.environ[key] for key in os.environ if key != "LC_CTYPE"},
        "words": sys.argv[1:],
    }
    invocation.return_value(GLib.Variant("(s)", (json.dumps(description),)))


bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
bus.register_object("/org/example/onehop/System", INTERFACE, called, None, None)
Gio.bus_own_name_on_connection(bus, NAME, Gio.BusNameOwnerFlags.NONE, None, lambda *_: loop.quit())
loop.run()
