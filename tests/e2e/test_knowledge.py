"""Documents: dropped on the page, watched until they are ready, read, and nobody else's."""

import re

from playwright.sync_api import expect

from tests.e2e.conftest import SignIn

# The worker may be busy with what other stories have asked for.
SLOW = 40_000
TEXT = "# House rules\n\nKeys hang behind the door of the office.\n\n## Noise\n\nQuiet after ten.\n"


def test_a_dropped_file_is_watched_until_it_is_ready_and_read(sign_in: SignIn) -> None:
    page = sign_in("learner")
    page.get_by_role("link", name="Knowledge").click()
    page.wait_for_url("**/knowledge/", wait_until="load")
    page.get_by_label("Choose files to add").set_input_files(
        {"name": "rules.md", "mimeType": "text/markdown", "buffer": TEXT.encode()}
    )
    # The page of the collection it went to; nothing is reloaded from here on.
    page.wait_for_url(re.compile(r"/knowledge/[0-9a-f-]{36}/"), timeout=SLOW)
    line = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="rules.md"))
    expect(line.get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW)
    line.get_by_role("link", name="rules.md").click()
    expect(page.get_by_role("heading", name="Noise")).to_be_visible()
    start = TEXT.index("behind")
    page.goto(f"{page.url}?version=1&page=1&from={start}&to={start + 15}#passage")
    expect(page.locator("mark#passage")).to_have_text("behind the door")
    stranger = sign_in("outsider")
    answer = stranger.goto(page.url)
    assert answer is not None
    assert answer.status == 404
    expect(stranger.get_by_text("rules.md")).to_have_count(0)
