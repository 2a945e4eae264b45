"""The suites. A module registers its own when it is loaded."""
import importlib

SUBJECT = "compeer"     # who is tested; another client with --stand-in

# those of Compeer alone, one a line
OURS = [
    "first_try",
    "stream",
    "webdav",
    "doors",
    "swarm",
    "crash",
    "bad_input",
    "web_seed",
    "whole_tree",
    "start_up",
    "simulated",
    "dht",
    "dht_magnets",
    "idle",
    "trackers",
    "updates",
    "utp",
    "encryption",
    "nat",
    "overlay",
    "overlay_nat",
    "private",
    "groups",
    "messages",
    "message_delivery",
    "message_secrets",
    "message_costs",
    "message_view",
    "attachments",
    "private_nat",
    "relays",
    "refused",
    "restore",
    "invitations",
    "discovery",
    "controls",
    "budget",
    "way_out",
    "irc",
    "page",
    "transmission_rpc",
    "transmission_windows",
    "automation",
    "qbittorrent_api",
    "top",
    "unattended",
    "feeds",
    "desktop_files",
]


def load(stand_in=""):
    global SUBJECT
    SUBJECT = stand_in or "compeer"
    for module in ("exchange", "info_hash"):
        importlib.import_module(f"cases.{module}")
    if not stand_in:
        for module in OURS:
            importlib.import_module(f"cases.{module}")
