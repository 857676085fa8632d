"""Waits until the tree of accessible objects has a program with a button of this name; prints the way to it."""

import sys

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

wanted = sys.argv[1]


def way_to(accessible, depth=0):
    if accessible is None or depth > 8:
        return None
    if accessible.get_name() == wanted and accessible.get_role() == Atspi.Role.PUSH_BUTTON:
        return [accessible]
    for index in range(accessible.get_child_count()):
        way = way_to(accessible.get_child_at_index(index), depth + 1)
        if way is not None:
            return [accessible, *way]
    return None


def is_there():
    try:
        way = way_to(Atspi.get_desktop(0))
    except GLib.Error:
        # A program that has just come or gone; another event follows.
        return False
    if way is not None:
        print(" / ".join(f"{one.get_role_name()} “{one.get_name()}”" for one in way), flush=True)
    return way is not None


def look(_event):
    if is_there():
        Atspi.event_quit()


Atspi.init()
listener = Atspi.EventListener.new(look)
for event in ["object:children-changed:add", "object:state-changed:showing", "window:create"]:
    listener.register(event)
if not is_there():
    Atspi.event_main()
