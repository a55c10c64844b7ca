"""SQS: the messages of a queue, each deleted once it is dealt with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import OutputError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MOST_AT_ONCE = 10
HIDDEN_SECONDS = 300
"""How long a message that was received stays hidden from others, and from the next call."""


class Message(NamedTuple):
    """A message. body: as it was sent. receipt: with which it is deleted."""

    body: str
    receipt: str


def receive_all(client: SQSClient, queue_url: str) -> Iterator[Message]:
    """Receive the messages of a queue until none is left. Raises OutputError where SQS refuses."""
    while True:
        try:
            answer = client.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=MOST_AT_ONCE,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=1,
            )
        except AWS_ERRORS as error:
            raise OutputError(f"queue {queue_url}: cannot be read ({error})") from error
        messages = answer.get("Messages", [])
        if not messages:
            return
        for message in messages:
            yield Message(message["Body"], message["ReceiptHandle"])


def delete_message(client: SQSClient, queue_url: str, message: Message) -> None:
    """Delete a message that was received. Raises OutputError where SQS refuses."""
    try:
        client.delete_message(QueueUrl=queue_url, ReceiptHandle=message.receipt)
    except AWS_ERRORS as error:
        raise OutputError(f"queue {queue_url}: cannot delete a message ({error})") from error


def release_message(client: SQSClient, queue_url: str, message: Message) -> None:
    """Let a message be received again at once. Raises OutputError where SQS refuses."""
    try:
        client.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=message.receipt, VisibilityTimeout=0
        )
    except AWS_ERRORS as error:
        raise OutputError(f"queue {queue_url}: cannot release a message ({error})") from error
