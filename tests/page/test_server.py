"""The site without a browser: forms that keep what was typed, both languages, bounds, headers, hosts."""

from __future__ import annotations

from functools import lru_cache
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest

from apolar.page.answer import answer
from apolar.page.question import Question
from apolar.page.server import EXAMPLES, HEADERS, LOOPBACK_NAMES, application
from apolar.page.workers import Busy, Crashed, TooLong

ask = lru_cache(None)(answer)


@pytest.fixture
def client():
    return application(ask, LOOPBACK_NAMES).test_client()


class Elements(HTMLParser):
    """All start tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag):
        return [attrs for found, attrs in self.found if found == tag]


def elements(response):
    return Elements(response.text)


def test_the_start_asks_nothing(client):
    response = client.get("/")
    assert response.status_code == 200
    assert "Type a function" in response.text
    assert 'role="alert"' not in response.text


def test_every_field_has_a_label_and_a_hint(client):
    page = elements(client.get("/?f=2x&at="))
    labels = {label.get("for") for label in page.named("label")}
    identities = {attrs["id"] for _, attrs in page.found if "id" in attrs}
    fields = [field for field in page.named("input") if field["type"] == "text"]
    assert {field["id"] for field in fields} == {"f", "at"} <= labels
    assert all(set(field["aria-describedby"].split()) <= identities for field in fields)


def test_identities_are_unique_but_for_the_arrow_of_the_graphs(client):
    page = elements(client.get("/?f=x*y&at=x=1,y=2&order=2"))
    found = [attrs["id"] for _, attrs in page.found if "id" in attrs and attrs["id"] != "arrow"]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.formula)
def test_examples_lead_to_answers(client, example):
    page = elements(client.get("/"))
    links = [link["href"] for link in page.named("a") if parse_qs(urlsplit(link["href"]).query).get("f")]
    (link,) = [link for link in links if parse_qs(urlsplit(link).query)["f"] == [example.formula]]
    response = client.get(link)
    assert response.status_code == 200
    assert 'id="result"' in response.text


def test_without_a_script_and_without_inline_style(client):
    for query in ("", "?f=x*y&at=x=1,y=2&order=2", "?f=2x&at=1"):
        page = elements(client.get(f"/{query}"))
        assert not page.named("script")
        assert not page.named("style")
        assert not [attrs for _, attrs in page.found if any(name == "style" or name.startswith("on") for name in attrs)]


@pytest.mark.parametrize("field", ["f", "at"])
@pytest.mark.parametrize("typed", ['"><script>alert(1)</script>', "<b>'&amp;", "{{ 7*7 }}", "\\x00", "ﬁ‮"])
def test_what_was_typed_is_kept_and_is_not_markup(client, field, typed):
    response = client.get("/", query_string={"f": "x^2", "at": "1", field: typed})
    assert response.status_code == 422
    page = elements(response)
    (kept,) = [entry for entry in page.named("input") if entry.get("id") == field]
    assert kept["value"] == typed
    assert kept["aria-invalid"] == "true"
    assert not page.named("script")
    assert not page.named("b")[1:]  # the name in the heading of the page is the only one


@pytest.mark.parametrize(
    "query, header, language",
    [
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("", "de-DE,de;q=0.9,en;q=0.5", "en"),
        ("", "fr", "en"),
        ("lang=zh", "en", "zh-Hans"),
        ("lang=en", "zh-CN", "en"),
        ("lang=xx", "zh-CN", "zh-Hans"),
    ],
)
def test_languages(client, query, header, language):
    page = elements(client.get(f"/?{query}", headers={"Accept-Language": header}))
    assert page.named("html")[0]["lang"] == language


def test_a_language_is_changed_without_losing_the_question(client):
    page = elements(client.get("/?f=cos(x^2)&at=x%3D0.5&order=2&zoom=1&lang=en"))
    (link,) = [link["href"] for link in page.named("a") if link.get("hreflang") == "zh-Hans"]
    assert parse_qs(urlsplit(link).query) == {
        "f": ["cos(x^2)"],
        "at": ["x=0.5"],
        "order": ["2"],
        "zoom": ["1"],
        "lang": ["zh"],
    }
    assert "反向传播" in client.get(link).text


@pytest.mark.parametrize("query", ["order=9", "order=x", "order=-1", "zoom=999", "zoom=-999", "zoom=1e9", "lang=../.."])
def test_choices_that_do_not_exist_do_no_harm(client, query):
    assert client.get(f"/?f=x^2&at=1&{query}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/?f=x^2&at=1", "/?f=2x", "/missing", "/static/page.css", "/explain.css"])
def test_headers_of_every_response(client, path):
    response = client.get(path, buffered=True)
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_get(client, method):
    response = client.open("/", method=method)
    assert response.status_code == 405
    assert set(HEADERS) <= set(response.headers.keys())


@pytest.mark.parametrize("host, status", [(h, 200) for h in ("localhost", "127.0.0.1:8765", "[::1]:1", "LocalHost:1")])
def test_own_names(client, host, status):
    assert client.get("/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("path", ["/", "/?f=x&at=1", "/static/page.css"])
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "a b", "[x", ""]
)
def test_other_names_are_refused(client, host, path):
    response = client.get(path, headers={"Host": host})
    assert response.status_code == 400
    assert "<form" not in response.text


def test_any_name_where_the_server_listens_for_others():
    assert application(ask).test_client().get("/", headers={"Host": "lab.example"}).status_code == 200


@pytest.mark.parametrize(
    "error, status, message",
    [(TooLong(20), 422, "20 seconds"), (Busy(), 503, "other requests"), (Crashed(), 500, "fault")],
)
def test_what_workers_refuse_is_said_and_the_form_is_kept(error, status, message):
    def refuse(question):
        raise error

    response = application(refuse).test_client().get("/?f=x^2&at=1")
    assert response.status_code == status
    assert message in response.text
    assert 'value="x^2"' in response.text


def test_an_answer_is_remembered():
    asked = []

    def count(question):
        asked.append(question)
        return answer(question)

    client = application(count).test_client()
    for _ in range(3):
        client.get("/?f=x^2&at=1")
    assert asked == [Question("x^2", "1")]


def test_a_missing_page(client):
    response = client.get("/missing?lang=zh")
    assert response.status_code == 404
    assert "没有这个页面" in response.text
