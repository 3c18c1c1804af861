"""Amazon SES against a stand-in of it, and the messages of SNS."""

import base64
import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer

from integrations_app.errors import (
    AuthFailed,
    InvalidSettings,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    SignatureInvalid,
    Transient,
)
from integrations_app.providers.base import Request
from integrations_app.providers.registry import provider_of
from integrations_app.providers.ses import sns
from integrations_app.types import DeliveryStatus, Reason
from tests.integrations.providers.mail_accounts import account_for, sent, whole_chain
from tests.integrations.web_server import running_web_server

KEYS = {"access_key_id": "AKIACANARY", "secret_access_key": "canary-ses-secret"}
REGION = "eu-central-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:bounces"
CERTIFICATE = f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-{'0' * 32}.pem"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SES = "ses"


@pytest.fixture(scope="module")
def amazon():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def ses(**settings):
    return account_for(SES, {"region": REGION, **settings}, KEYS)


async def test_only_a_verified_sender_may_send(amazon, settings):
    settings.ONE_PROVIDER_URLS = {"ses": amazon}
    account = ses()
    with pytest.raises(Permanent) as raised:
        await sent(account, SES)
    assert raised.value.code == "MessageRejected"
    assert "canary-" not in whole_chain(raised.value)
    assert "no identity" in await provider_of(SES).test_connection(account)
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = boto3.client("ses", region_name=REGION, endpoint_url=amazon, **keys)
    client.verify_domain_identity(Domain="example.org")
    client.verify_email_identity(EmailAddress="sender@example.org")
    client.close()
    assert (await sent(account, SES)).message_id


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "UnrecognizedClientException", AuthFailed),
        (403, "SignatureDoesNotMatch", AuthFailed),
        (400, "TooManyRequestsException", RateLimited),
        (400, "SendingPausedException", Permanent),
        (400, "BadRequestException", Permanent),
        (500, "InternalServiceErrorException", OutcomeUnknown),
        (503, "ServiceUnavailable", Transient),
        (200, "", OutcomeUnknown),
    ],
)
async def test_what_an_answer_means(settings, status, code, error):
    async def refuse(request):
        headers = {"x-amzn-errortype": code} if code else {}
        return web.json_response({"message": "no"}, status=status, headers=headers)

    async with running_web_server(refuse) as server:
        settings.ONE_PROVIDER_URLS = {"ses": server.url}
        with pytest.raises(error) as raised:
            await sent(ses(), SES)
        assert type(raised.value) is error
        assert len(server.requests) == 1, "nothing is sent twice"
    assert "canary-" not in whole_chain(raised.value)


async def test_a_connection_that_ends_leaves_it_unknown(settings):
    async def cut(request):
        request.transport.abort()
        return web.Response()

    async with running_web_server(cut) as server:
        settings.ONE_PROVIDER_URLS = {"ses": server.url}
        with pytest.raises(OutcomeUnknown):
            await sent(ses(), SES)
        assert len(server.requests) == 1


async def test_where_nobody_listens_it_may_work_later(settings):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.ONE_PROVIDER_URLS = {"ses": f"http://127.0.0.1:{unused.getsockname()[1]}"}
        with pytest.raises(Transient):
            await sent(ses(), SES)


@pytest.mark.parametrize(
    "changed",
    [
        {"region": "eu-central-1.evil.example/"},
        {"region": ""},
        {"region": "x"},
        {"topic_arn": "arn:aws:sns:x"},
        {"configuration_set": "a b"},
    ],
)
def test_a_region_is_a_region(changed):
    with pytest.raises(InvalidSettings):
        ses(**changed)


# --- SNS -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signer():
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, made.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def said(signer):
    """Makes a message of SNS; ``unsigned`` is changed after signing."""
    key, _ = signer
    sns._key.cache_clear()

    def saying(event=None, unsigned=None, **changed):
        message = {
            "Type": "Notification",
            "MessageId": "sns-1",
            "TopicArn": TOPIC,
            "Message": json.dumps(event or {}),
            "Timestamp": "2026-11-21T12:00:00.000Z",
            "SignatureVersion": "1",
            "SigningCertURL": CERTIFICATE,
            **changed,
        }
        names = sns._NOTIFICATION if message["Type"] == "Notification" else sns._ABOUT_SUBSCRIPTION
        text = "".join(f"{one}\n{message[one]}\n" for one in names if one in message)
        digest = hashes.SHA256() if message["SignatureVersion"] == "2" else hashes.SHA1()
        signature = key.sign(text.encode(), padding.PKCS1v15(), digest)
        message |= {"Signature": base64.b64encode(signature).decode(), **(unsigned or {})}
        body = json.dumps(message).encode()
        return Request(method="POST", url="https://x/", headers={}, body=body, received_at=NOW)

    yield saying
    sns._key.cache_clear()


@pytest.fixture
def amazons(signer, settings):
    """A server in the place of SNS, on a thread of its own: it is asked by blocking calls."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(signer[1])

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    settings.ONE_PROVIDER_URLS = {"sns": f"http://127.0.0.1:{server.server_port}"}
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("event", "status", "reason"),
    [
        ({"eventType": "Delivery", "delivery": {"recipients": ["reader@example.org"]}},
         DeliveryStatus.DELIVERED, Reason.DELIVERED),
        ({"notificationType": "Bounce", "bounce": {"bounceType": "Permanent", "bounceSubType": "x",
          "bouncedRecipients": [{"emailAddress": "reader@example.org"}]}},
         DeliveryStatus.BOUNCED, Reason.BOUNCED),
        ({"eventType": "Bounce", "bounce": {"bounceType": "Transient", "bounceSubType": "Full",
          "bouncedRecipients": [{"emailAddress": "reader@example.org"}]}},
         DeliveryStatus.FAILED, Reason.PROVIDER_REFUSED),
        ({"eventType": "Complaint", "complaint": {"complainedRecipients": [
          {"emailAddress": "reader@example.org"}]}}, None, Reason.COMPLAINED),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["1", "2"])
def test_what_became_of_a_letter(amazons, said, event, status, reason, version):
    provider, account = provider_of(SES), ses(topic_arn=TOPIC)
    request = said({**event, "mail": {"messageId": "m-1"}}, SignatureVersion=version)
    provider.verify_webhook(account, request)
    provider.verify_webhook(account, request)
    [told] = provider.parse_status(account, request)
    assert (told.message_id, told.status, told.reason) == ("m-1", status, reason)
    assert "reader@" not in repr(told)
    assert len(amazons) == 1, "the certificate is kept"


@pytest.mark.parametrize(
    "options",
    [
        {"unsigned": {"Message": '{"eventType": "Delivery"}'}},
        {"unsigned": {"Signature": "AAAA"}},
        {"unsigned": {"Signature": ""}},
        {"TopicArn": TOPIC + "2"},
        {"Timestamp": "2026-11-21T11:54:00.000Z"},
        {"Timestamp": "2026-11-21T12:00:00"},
        {"SigningCertURL": CERTIFICATE.replace("https", "http")},
        {"SigningCertURL": CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example")},
        {"SigningCertURL": CERTIFICATE.replace("sns.", "sns.evil.example/sns.")},
        {"SigningCertURL": CERTIFICATE.replace(REGION, "us-east-1")},
        {"SigningCertURL": f"https://user@sns.{REGION}.amazonaws.com/x.pem"},
        {"SigningCertURL": "file:///etc/passwd"},
    ],
)
def test_what_is_not_of_the_topic_is_refused(amazons, said, options):
    with pytest.raises(SignatureInvalid):
        provider_of(SES).verify_webhook(ses(topic_arn=TOPIC), said({}, **options))
    with pytest.raises(SignatureInvalid):
        provider_of(SES).verify_webhook(ses(), said())


def test_a_subscription_of_the_topic_is_confirmed_and_no_other(amazons, said):
    provider, account = provider_of(SES), ses(topic_arn=TOPIC)
    url = f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t"
    asking = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": url}
    request = said(**asking)
    provider.verify_webhook(account, request)
    assert provider.parse_status(account, request) == []
    assert [one for one in amazons if "ConfirmSubscription" in one]
    amazons.clear()
    for bad in (
        url.replace("ConfirmSubscription", "Unsubscribe"),
        url.replace(TOPIC, TOPIC + "2"),
        url.replace("amazonaws.com", "example.org"),
        url.replace("https", "http"),
    ):
        with pytest.raises(SignatureInvalid):
            provider.verify_webhook(account, said(**{**asking, "SubscribeURL": bad}))
    assert amazons == []
