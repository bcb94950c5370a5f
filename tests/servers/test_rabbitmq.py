"""What RabbitMQ's Web STOMP does on the wire, a kill included: it takes seconds to start."""

from __future__ import annotations

from pathlib import Path

from tests.servers.client import PlainClient, dialled
from tests.servers.rabbitmq import RabbitMq

CONNECT = "CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:{}\nheart-beat:0,0\n\n\0"


def command(client: PlainClient, frame: str) -> tuple[str, dict[str, str], str]:
    """Send a frame, and give the next: its command, headers and body."""
    client.send(frame)
    head, _, body = client.text().partition("\n\n")
    name, *lines = head.split("\n")
    assert body.endswith("\0\n")  # an end of line after NUL, which the specification allows
    return name, dict(line.split(":", 1) for line in lines), body[:-2]


def test_a_log_in_a_receipt_a_message_and_an_acknowledgement(tmp_path: Path) -> None:
    with RabbitMq(tmp_path) as server:
        with dialled(server.url, subprotocol="v12.stomp") as client:
            name, headers, _ = command(client, CONNECT.format("guest"))
            assert (name, headers["version"], headers["heart-beat"]) == ("CONNECTED", "1.2", "0,0")
            subscribe = "SUBSCRIBE\nid:7\ndestination:/queue/a\nack:client-individual\nreceipt:s1\n\n\0"
            assert command(client, subscribe) == ("RECEIPT", {"receipt-id": "s1"}, "")
            name, headers, body = command(client, "SEND\ndestination:/queue/a\n\nhällo\0")
            assert (name, headers["subscription"], body) == ("MESSAGE", "7", "hällo")
            assert headers["content-length"] == "6"  # in bytes
            receipt = command(client, f"ACK\nid:{headers['ack']}\nreceipt:a1\n\n\0")
            assert receipt == ("RECEIPT", {"receipt-id": "a1"}, "")
            refused = "SUBSCRIBE\nid:8\ndestination:/nowhere/a\nreceipt:s2\n\n\0"
            name, headers, _ = command(client, refused)
            assert (name, headers["message"], "receipt-id" in headers) == ("ERROR", "Unknown destination", False)
            assert command(client, "SEND\ndestination:/queue/a\n\nstill\0")[2] == "still"  # it goes on, unlike the spec
        with dialled(server.url, subprotocol="v12.stomp") as client:
            name, headers, _ = command(client, CONNECT.format("wrong"))
            assert (name, headers["message"]) == ("ERROR", "Bad CONNECT")
            assert client.is_silent(), "it closes nothing"
