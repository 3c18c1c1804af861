"""A long PDF on its way through a real worker: pages a second by stage, and the worker's memory."""

import io
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psutil

from benchmarks import options, processes
from benchmarks.people import make_user
from benchmarks.sample_files import pdf_of
from benchmarks.searching.made_up import MadeUp
from benchmarks.searching.place import Place

if TYPE_CHECKING:
    from one_project.accounts.models import Organisation

PAGE_WORDS = 330  # about 2,200 characters
PARAGRAPH = 60  # words
SECTION = 5  # pages
READY_WITHIN = 60.0  # seconds
LOOK_EVERY = 0.05
STAGES = ("queued", "parsing", "chunking", "embedding")


def bench_ingestion(place: Place, organisation: "Organisation", pages: int) -> dict[str, Any]:
    """Seconds of each stage of a document of ``pages`` pages, and MiB of the worker before, at
    most (with the process that parses) and after. Raises TimeoutError, RuntimeError."""
    from agents_app.providers.local_embeddings import local_model_installed

    has_model = local_model_installed()
    environment = {**place.environment, "ONE_LOCAL_EMBEDDINGS": "1" if has_model else "0"}
    log = place.folder / "worker.log"
    command = [sys.executable, "-m", "celery", "-A", "one_project", "worker"]
    command += ["--pool", "threads", "--concurrency", "4", "-Q", "celery"]
    command += ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    worker = processes.start(command, environment, log)
    try:
        _wait_for(worker, environment["REDIS_URL"])
        return {"embedded": has_model, **_ingest(organisation, pages, worker.pid)}
    finally:
        processes.stop(worker)


def _ingest(organisation: "Organisation", pages: int, pid: int) -> dict[str, Any]:
    from agents_app.services.collections import create_collection
    from agents_app.services.documents import add_upload

    user = make_user(organisation)
    collection = create_collection(organisation, user=user, name="Long")
    data = pdf_of(page_texts(pages))
    options.say(f"A PDF of {pages} pages, {len(data) / 2**20:.1f} MiB, goes to a worker ...")
    before, most = processes.rss_mib(pid), 0.0
    begun, cpu = time.perf_counter(), processes.cpu_seconds(pid)
    file = io.BytesIO(data)
    version = add_upload(collection, user=user, file=file, filename="long.pdf")
    stages, chunks = dict.fromkeys(STAGES, 0.0), 0
    last, until = begun, begun + READY_WITHIN + 5 * pages
    while True:
        status, error, chunks = _state(organisation.pk, version.pk)
        now = time.perf_counter()
        if status not in stages:
            break
        stages[status] += now - last
        last = now
        if now > until:
            raise TimeoutError(f"the document is still {status}")
        most = max(most, processes.rss_mib(pid))
        time.sleep(LOOK_EVERY)
    if status != "ready":
        raise RuntimeError(f"the document has ended as {status}: {error}")
    took = now - begun
    return {
        "pages": pages,
        "chunks": chunks,
        "seconds": took,
        "pages_a_second": pages / took,
        "cpu_s": processes.cpu_seconds(pid) - cpu,
        "stages_s": stages,
        "worker_rss_mib": {
            "before": before,
            "most": most,
            "after": psutil.Process(pid).memory_info().rss / 2**20,
        },
    }


def page_texts(pages: int) -> list[str]:
    """Pages with a heading every few, and paragraphs of whole sentences."""
    made = MadeUp(200)
    texts = made.texts(made.topics(pages, of=100), PAGE_WORDS)
    found = []
    for number, text in enumerate(texts):
        words = text.split()
        parts = [words[place : place + PARAGRAPH] for place in range(0, len(words), PARAGRAPH)]
        paragraphs = [" ".join(part).capitalize() + "." for part in parts]
        head = [f"# Section {number // SECTION + 1}", ""] if number % SECTION == 0 else []
        found.append("\n".join([*head, "\n\n".join(paragraphs)]))
    return found


def _state(organisation_id: UUID, version_id: UUID) -> tuple[str, str, int]:
    from agents_app.models import DocumentVersion
    from one_project.common.tenancy import in_tenant

    with in_tenant(organisation_id):
        version = DocumentVersion.objects.get(pk=version_id)
    return version.status, version.error, version.chunks_total or 0


def _wait_for(worker: "subprocess.Popen[bytes]", redis_url: str) -> None:
    """Its engine listens on the control channel once it runs. Raises TimeoutError."""
    import redis

    from one_project.workflows.bell import CHANNEL

    until = time.monotonic() + READY_WITHIN
    with redis.Redis.from_url(redis_url) as client:
        while time.monotonic() < until and worker.poll() is None:
            with suppress(redis.RedisError):
                if client.pubsub_numsub(CHANNEL)[0][1]:
                    return
            time.sleep(0.05)
    raise TimeoutError("the worker is not ready")
