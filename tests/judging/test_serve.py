import json

import pytest
from judging_world import HOSTILE, graded, pool

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("httpx", reason="fastapi's test client needs httpx")

from fastapi.testclient import TestClient

from ponderank.errors import DataError
from ponderank.judging import page
from ponderank.judging.opinions import Opinion
from ponderank.judging.serve import application, is_loopback, listening
from ponderank.judging.store import Store


@pytest.fixture
def many():
    return pool(6)


@pytest.fixture
def client(tmp_path, many):
    opinions = {many.items[0].key: [Opinion(many.items[0].key, "secret-judge", 1.0, 0.9, "true", "secret thought")]}
    with Store(tmp_path / "judgements.db") as store:
        yield TestClient(application(many, store, opinions), base_url="http://127.0.0.1:8765")


def post(client, many, kind="grade", *, name="client-1", item=0, **more):
    grade = {"grade": 2} if kind == "grade" else {}
    event = {"client": name, "assessor": "ada", "kind": kind, "item": many.items[item].key, **grade, **more}
    return client.post("/api/events", json=event)


def everything(client, many):
    """All that the page can be told without a grade."""
    outline = client.get("/api/outline", params={"assessor": "ada"})
    texts = [client.get(f"/api/passages/{query['key']}").text for query in outline.json()["queries"]]
    return outline.text + "".join(texts)


def test_before_grading_nothing_tells_of_run_rank_grade_or_opinion(client, many):
    told = everything(client, many)
    assert "passage 3" in told
    for secret in ("secret", "disagreeing", "before", '"rank"', '"d0"', '"q0"'):
        assert secret not in told


def test_what_was_hidden_is_told_to_who_has_graded_the_item_only(client, many):
    assert post(client, many, "reveal", name="reveal-1").status_code == 422
    post(client, many)
    shown = post(client, many, "reveal", name="reveal-2").json()["hidden"]
    assert shown["seen"] == [{"run": "secret-run", "rank": 7}]
    assert (shown["before"], shown["opinions"][0]["reasoning"]) == (1, "secret thought")
    assert post(client, many, "reveal", name="reveal-3", item=1).status_code == 422
    assert post(client, many, "reveal", name="reveal-4", assessor="ben").status_code == 422


def test_after_an_undo_it_is_hidden_again(client, many):
    post(client, many)
    post(client, many, "undo", name="client-2", undoes="client-1")
    assert post(client, many, "reveal", name="reveal-1").status_code == 422


def test_an_assessor_is_told_of_ones_own_judgements_only(client, many):
    post(client, many)
    outline = lambda name: client.get("/api/outline", params={"assessor": name}).json()["events"]  # noqa: E731
    assert [one["grade"] for one in outline("ada")] == [2]
    assert outline("ben") == []


def test_sending_a_judgement_again_is_answered_as_before_and_counts_once(client, many):
    assert [post(client, many).json()["new"] for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"host": "evil.example:8765"}, "127.0.0.1"),
        ({"origin": "http://evil.example"}, "own page"),
        ({"content-type": "text/plain"}, "application/json"),
    ],
)
def test_what_another_web_page_sends_is_refused(client, many, headers, told):
    body = json.dumps({"client": "client-1", "assessor": "a", "kind": "grade", "grade": 2, "item": many.items[0].key})
    answer = client.post("/api/events", content=body, headers={"content-type": "application/json", **headers})
    assert answer.status_code == 403
    assert told in answer.text


def test_a_page_by_another_name_is_not_served_even_to_read(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403
    for own in ("localhost:1", "127.0.0.1", "[::1]:8765", "[::1]"):
        assert client.get("/", headers={"host": own}).status_code == 200


@pytest.mark.parametrize("body", ["[]", "{", "{}", '"x"', '{"assessor": "ada"}'])
def test_nonsense_is_refused_in_a_sentence(client, body):
    answer = client.post("/api/events", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_a_body_without_end_is_not_read_to_its_end(client):
    answer = client.post("/api/events", content="x" * 70_000, headers={"content-type": "application/json"})
    assert (answer.status_code, "bytes" in answer.json()["error"]) == (422, True)


def test_every_answer_forbids_scripts_other_than_the_pages_own(client):
    for path in ("/", "/page.js", "/page.css", "/api/outline?assessor=a", "/nothing"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_a_passage_with_half_a_character_is_served(tmp_path):
    from dataclasses import replace

    one = pool(1)
    item = replace(one.items[0], doc=replace(one.items[0].doc, text="half \ud83d"))
    with Store(tmp_path / "half.db") as store:
        served = TestClient(application(replace(one, items=(item,)), store), base_url="http://127.0.0.1")
        (query,) = served.get("/api/outline", params={"assessor": "ada"}).json()["queries"]
        assert "half \\ud83d" in served.get(f"/api/passages/{query['key']}").text


def test_only_the_pages_own_files_are_served(client):
    assert [client.get(f"/{name}").status_code for name in page.PARTS] == [200, 200, 200]
    for name in ("page.py", "..%2fstore.py", "static", "openapi.json", "docs"):
        assert client.get(f"/{name}").status_code == 404


def test_the_page_itself_never_makes_markup_of_text():
    script = page.part("page.js")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert way not in script


def test_a_host_that_others_can_reach_needs_a_word():
    with pytest.raises(DataError, match="--open-to-network"):
        listening("0.0.0.0", 0)
    listening("0.0.0.0", 0, open_to_network=True).close()
    listening("127.0.0.1", 0).close()


def test_a_port_that_is_taken_is_one_line():
    with listening("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(DataError, match="another --port"):
            listening("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "alone"), [("::1", True), ("[::1]", True), ("10.0.0.1", False), ("localhost.evil.org", False)]
)
def test_loopback_is_this_machine_alone(host, alone):
    assert is_loopback(host) is alone


def test_hostile_text_stays_data_in_the_one_file_form(tmp_path):
    from dataclasses import replace

    from ponderank.judging.offline import single_file

    one = pool(1)
    item = replace(one.items[0], doc=replace(one.items[0].doc, text=HOSTILE))
    made = single_file(replace(one, items=(item,)))
    assert "<img" not in made
    assert made.count("<script") == 2
    assert made.count("</script>") == 2


def test_the_one_file_form_holds_nothing_that_was_hidden(many):
    from ponderank.judging.offline import single_file

    made = single_file(many)
    for secret in ("secret", "disagreeing", '"d0"', '"q0"'):
        assert secret not in made


def saved(many, events):
    from ponderank.judging.offline import FORMAT

    rows = [{**one.to_dict(), "assessor": one.assessor, "undoes": one.undoes, "time": one.time} for one in events]
    return json.dumps({"format": FORMAT, "pool": many.fingerprint, "events": rows})


def test_a_saved_file_taken_in_twice_counts_once(tmp_path, many):
    from ponderank.judging.offline import take_in

    (tmp_path / "ada.json").write_text(saved(many, graded(many, "ada", [0, 1, 2])))
    with Store(tmp_path / "s.db") as store:
        store.add_pool(many)
        assert [take_in(tmp_path / "ada.json", store) for _ in range(2)] == [(3, 3), (0, 3)]
        assert {event.origin for event in store.events(many.fingerprint)} == {"offline"}


def test_a_saved_file_of_another_pool_or_none_is_refused(tmp_path, many):
    from ponderank.judging.offline import take_in

    (tmp_path / "ada.json").write_text(saved(pool(7), []))
    (tmp_path / "other.json").write_text("{}")
    with Store(tmp_path / "s.db") as store:
        store.add_pool(many)
        with pytest.raises(DataError, match="--pool"):
            take_in(tmp_path / "ada.json", store)
        with pytest.raises(DataError, match="not a file that the judging page saved"):
            take_in(tmp_path / "other.json", store)
