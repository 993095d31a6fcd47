"""The page in a real browser: Chromium without a window, wide and narrow, light and dark, by keyboard, in both languages."""

from __future__ import annotations

import shutil
import threading
from urllib.parse import urlencode

import pytest
from waitress.server import create_server

from apolar.page.answer import answer
from apolar.page.server import LOOPBACK_NAMES, application

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="Chromium and its driver are not installed"),
]

EXAMPLES = [
    {},
    {"f": "cos(x^2)", "at": "x=0.5", "order": 2},
    {"f": "x^2*y + sin(x*y)", "at": "x=1, y=2", "order": 2},
    {"f": "x*y*z + sin(z)", "at": "x=1, y=2, z=pi"},
    {"f": "sqrt(x)", "at": "0"},
    {"f": "+".join(f"sin({k}*x)" for k in range(1, 20)), "at": "123456.789"},
    {"f": "2x" * 100, "at": "x=1"},
    {"f": "log(x)", "at": "-1"},
]


@pytest.fixture(scope="module")
def address():
    server = create_server(application(answer, LOOPBACK_NAMES), host="127.0.0.1", port=0)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}/"
    server.close()


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield found
    found.quit()


def show(browser, address, width=1200, scheme="light", **query):
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(f"{address}?{urlencode(query)}")


def one(browser, selector):
    from selenium.webdriver.common.by import By

    return browser.find_element(By.CSS_SELECTOR, selector)


def press(browser, *keys):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [320, 390, 1200])
@pytest.mark.parametrize("query", EXAMPLES, ids=lambda query: query.get("f", "start")[:20])
def test_nothing_is_wider_than_the_screen_and_the_policy_blocks_nothing(browser, address, query, width, lang):
    show(browser, address, width, lang=lang, **query)
    wide, screen = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen <= width
    messages = [entry["message"] for entry in browser.get_log("browser")]
    assert [message for message in messages if "status of 422" not in message] == []


def contrast(browser, selector):
    """Of a text on what is behind it, by the formula of WCAG 2."""
    return browser.execute_script(
        """
        const channels = colour => {
          const canvas = new OffscreenCanvas(1, 1).getContext('2d');
          canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const light = colour => {
          const [r, g, b] = channels(colour).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const found = document.querySelector(arguments[0]);
        let behind = found;
        while (behind && channels(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
        const [a, b] = [light(getComputedStyle(found).color), light(getComputedStyle(behind).backgroundColor)];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        """,
        selector,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read_in_both_schemes(browser, address, scheme):
    show(browser, address, scheme=scheme, f="sqrt(x)", at="x=0")
    texts = [
        "h1",
        ".point",
        ".results math",
        "label",
        ".hint",
        "button",
        "footer",
        "figcaption",
        ".notice p",
        "td math",
    ]
    assert {selector: contrast(browser, selector) for selector in texts if contrast(browser, selector) < 4.5} == {}
    show(browser, address, scheme=scheme, f="2x", at="x=0")
    assert contrast(browser, ".problem p") >= 4.5
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_the_graph_scrolls_in_its_own_box(browser, address):
    show(browser, address, 390, f="sin(cos(sin(cos(x))))", at="1")
    inside, outside = browser.execute_script(
        "const box = document.querySelector('figure .scroll'); return [box.scrollWidth, box.clientWidth]"
    )
    assert inside > outside
    assert outside <= 390


def test_by_keyboard_alone(browser, address):
    from selenium.webdriver.common.keys import Keys

    show(browser, address, lang="en")
    press(browser, "x^3 + 2*x^2 + 1", Keys.TAB, "x=2", Keys.TAB, Keys.ARROW_RIGHT, Keys.ENTER)
    assert one(browser, "h1").text == "f(x) = x^3 + 2*x^2 + 1"
    assert "order=2" in browser.current_url
    assert one(browser, "input[value='2']").is_selected()
    press(browser, Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    assert browser.current_url.endswith("#result")


def test_an_error_keeps_the_input_and_the_focus_and_the_back_button_returns(browser, address):
    from selenium.webdriver.common.keys import Keys

    show(browser, address, f="cos(x^2)", at="x=0.5", lang="zh")
    field = one(browser, "#f")
    field.clear()
    field.send_keys("2x", Keys.ENTER)
    assert one(browser, "[role=alert]").text.startswith("无法读懂这个函数。")
    assert browser.switch_to.active_element.get_attribute("value") == "2x"
    assert one(browser, "#at").get_attribute("value") == "x=0.5"
    browser.back()
    assert one(browser, "h1").text == "f(x) = cos(x^2)"
    assert "f=cos" in browser.current_url


def test_zooming_keeps_everything_else(browser, address):
    show(browser, address, f="cos(x^2)", at="x=0.5", order=2, lang="zh")
    one(browser, ".heading nav a").click()
    assert "zoom=1" in browser.current_url
    assert one(browser, "html").get_attribute("lang") == "zh-Hans"
    assert one(browser, "input[value='2']").is_selected()


def test_without_scripts_the_page_is_the_same(browser, address):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, address, f="x^2", at="3", lang="en")
        assert "f(x) = x^2" in one(browser, "h1").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
