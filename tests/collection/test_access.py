"""How a server is entered: certificates, databases, tenants."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from milvus_lite.adapter.grpc.server import start_server_in_thread
from PIL import Image

import ocelot
from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.collection.connection import Access
from ocelot.errors import ConfigurationError, DatabaseUnavailable
from tests.forwarder import Forwarder
from tests.milvus_server import TOKEN

ENCODER = EncoderIdentity("test", "0123456789abcdef", 4)
SECRET = "s3cret"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(folder, name) for name in ("server", "client")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Milvus Lite as a server on a port."""
    folder = str(tmp_path_factory.mktemp("lite") / "served.db")
    server, database, port = start_server_in_thread(folder)
    yield f"http://127.0.0.1:{port}"
    server.stop(grace=0)
    database.close()


def speaking(certificates: dict[str, tuple[Path, Path]]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates["server"])
    context.set_alpn_protocols(["h2"])
    return context


def test_a_server_with_a_certificate_of_ones_own(
    plain: str, certificates: dict[str, tuple[Path, Path]]
) -> None:
    with Forwarder(plain, speaking(certificates)) as forwarder:
        access = Access(ca=certificates["server"][0])
        with Collection.open(forwarder.uri, name="tls", encoder=ENCODER, access=access) as opened:
            opened.upsert([Row("a", {"/a.jpg": 1}, 1, vector=np.ones(4))])
            assert opened.count() == 1 and opened.uri.startswith("https://")
        for wrong in (None, Access(ca=certificates["client"][0])):
            with pytest.raises(DatabaseUnavailable, match=r"its certificate \(tls_ca\)"):
                Collection.open(forwarder.uri, name="tls", access=wrong, timeout=2)


def test_a_server_that_wants_a_certificate(
    plain: str, certificates: dict[str, tuple[Path, Path]]
) -> None:
    context = speaking(certificates)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates["client"][0])
    with Forwarder(plain, context) as forwarder:
        files = {"tls_ca": certificates["server"][0]}
        with pytest.raises(DatabaseUnavailable):
            Collection.open(forwarder.uri, access=Access(ca=files["tls_ca"]), timeout=2)
        files |= dict(zip(("tls_cert", "tls_key"), certificates["client"], strict=True))
        encoder = ocelot.FunctionEncoder(lambda image, text: np.ones(3), dimension=3)
        options = files | {"encoder": encoder, "reranker": None, "collection": "mutual"}
        with ocelot.open(forwarder.uri, **options) as engine:
            assert engine.count() == 0


@pytest.mark.parametrize(
    ("uri", "access", "said"),
    [
        ("http://h:1", Access(ca=Path("a")), "Certificates are for an https:// server"),
        ("https://h:1", Access(ca=Path("a"), key=Path("b")), "needs three files"),
        ("https://h:1", Access(certificate=Path("a"), key=Path("b")), "needs three files"),
        ("https://h:1", Access(ca=Path("a")), r"file a cannot be read \(No such file"),
        ("shop.db", Access(database="d"), "has no databases in it, such as 'd'"),
    ],
)
def test_what_does_not_go_together(uri: str, access: Access, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Collection.open(uri, access=access)


def test_replicas_are_for_clusters(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no replicas"):
        Collection.open(tmp_path / "a.db", encoder=ENCODER, replicas=2)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    access = Access(token=SECRET, user="u", password=SECRET)
    assert SECRET not in repr(access) + str(access)
    with Collection.open(tmp_path / "a.db", encoder=ENCODER, access=access) as collection:
        assert SECRET not in repr(collection)


def test_user_database_and_replicas_of_a_server(milvus: str) -> None:
    from pymilvus import MilvusClient

    client = MilvusClient(milvus, token=TOKEN)
    client.create_database("north")
    client.close()
    north = Access(user="root", password="Milvus", database="north")
    with Collection.open(milvus, name="db", encoder=ENCODER, access=north) as there:
        there.upsert([Row("a", {"/a.jpg": 1}, 1, vector=np.ones(4))])
        with Collection.open(milvus, name="db", encoder=ENCODER, token=TOKEN) as here:
            assert (there.count(), here.count()) == (1, 0)  # two collections of the same name
            here.drop()
        other = EncoderIdentity("other", "fedcba9876543210", 4)
        with there.beside(other) as beside:
            beside.make_newest()
        with Collection.open(milvus, name="db", access=north) as newest:
            assert newest.identity == other
            assert newest.drop_older() == ("db",)
            newest.drop()
    for access, said in (
        (Access(token=TOKEN, database="south"), "There is no database .*/south: correct"),
        (Access(user="root", password=SECRET), "refused the credentials"),
    ):
        with pytest.raises(DatabaseUnavailable, match=said) as caught:
            Collection.open(milvus, name="db", access=access)
        assert SECRET not in str(caught.value)
    with pytest.raises(ConfigurationError, match="cannot hold 3 replicas of 'replicated'"):
        Collection.open(milvus, name="replicated", encoder=ENCODER, token=TOKEN, replicas=3)


def test_tenants_see_none_of_each_other(tmp_path: Path, bare_environment: None) -> None:
    encoder = ocelot.FunctionEncoder(
        lambda image, text: np.ones(3) if image is None else 1 + np.asarray(image).mean((0, 1)),
        dimension=3,
    )
    options = {"encoder": encoder, "reranker": None}
    place = tmp_path / "shop.db"
    red = Image.new("RGB", (9, 9), "red")
    with (
        ocelot.open(place, tenant="a", **options) as a,
        ocelot.open(place, tenant="b", **options) as b,
        ocelot.open(place, **options) as nobody,
    ):
        items = [engine.add(red, metadata={"of": name}) for engine, name in ((a, "a"), (b, "b"))]
        b.add(Image.new("RGB", (9, 9), "blue"))
        assert items[0].id == items[1].id  # the same picture is in both
        assert [engine.count() for engine in (a, b, nobody)] == [1, 2, 0]
        assert [hit.metadata for hit in a.search(text="x", limit=9)] == [{"of": "a"}]
        assert [item.metadata for item in a.items()] == [{"of": "a"}]
        assert a.count(filter='of == "b" or of == "a"') == 1
        assert a.delete(items[0].id) == 1
        assert b.count() == 2 and b.images.original(b.get(items[0].id)).id == items[0].id
    with pytest.raises(ConfigurationError, match="it must be 1 to 64 letters and digits"):
        ocelot.open(place, tenant="a__b", **options)
