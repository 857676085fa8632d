"""A GTK program that may run once: says on standard output what happens to it."""

import sys

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import Gio, GLib, Gtk  # noqa: E402


def say(text):
    print(text, flush=True)


class Program(Gtk.Application):
    def __init__(self, name):
        super().__init__(application_id=name)
        self.activations = 0
        self.window = None

    def do_startup(self):
        Gtk.Application.do_startup(self)
        greet = Gio.SimpleAction.new("greet", GLib.VariantType.new("s"))
        greet.connect("activate", lambda _, whom: say(f"greeted {whom.get_string()}"))
        quit_action = Gio.SimpleAction.new("quit", None)
        quit_action.connect("activate", lambda *_: self.quit())
        self.add_action(greet)
        self.add_action(quit_action)

    def do_activate(self):
        self.activations += 1
        if self.window is None:
            self.window = Gtk.ApplicationWindow(application=self, title="a window of the session")
            self.window.add(Gtk.Button(label="a button of the session"))
            self.window.show_all()
        say(f"activated {self.activations}")


sys.exit(Program(sys.argv[1]).run([]))
