"""A desktop without a screen: a session bus, and on it the service that notices go to (Desktop Notifications Specification)."""
import os
import subprocess
import threading

import drivers
from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return
from jeepney.io.blocking import open_dbus_connection

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"


class Desktop:
    """While this is open, what the suite starts finds a session bus. `notices`: (program, icon, heading, body) of what was shown."""

    def __enter__(self):
        self.bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address=1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.bus.stdout.readline().strip()
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = self.address
        self.notices = []
        self.connection = open_dbus_connection(self.address)
        bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        answer = self.connection.send_and_get_reply(new_method_call(bus, "RequestName", "su", (NAME, 0)))
        if answer.body != (1,):
            raise drivers.Timeout(f"the name {NAME} is not ours: {answer.body}")
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        answers = {"GetServerInformation": ("ssss", ("tests", "Compeer", "1", "1.2")), "GetCapabilities": ("as", (["body", "body-markup"],))}
        try:
            while True:
                message = self.connection.receive()
                if message.header.message_type != MessageType.method_call:
                    continue
                member = message.header.fields[HeaderFields.member]
                if member == "Notify":
                    program, _, icon, heading, body, *_ = message.body
                    self.notices.append((program, icon, heading, body))
                    answers["Notify"] = ("u", (len(self.notices),))
                self.connection.send(new_method_return(message, *answers[member]) if member in answers else new_error(message, "org.freedesktop.DBus.Error.UnknownMethod"))
        except (ConnectionError, OSError, EOFError):
            pass    # the bus has ended

    def __exit__(self, *_):
        os.environ.pop("DBUS_SESSION_BUS_ADDRESS", None)
        self.bus.terminate()
        self.bus.wait()
        self.connection.close()
