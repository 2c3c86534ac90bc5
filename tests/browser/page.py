"""Every view and every action of the page, in a browser: page.py URL FOLDER."""

import pathlib
import sys
from urllib.parse import quote

from playwright.sync_api import expect, sync_playwright

URL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
AXE = (FOLDER / "axe.min.js").read_text()
SHOTS = FOLDER / "shots"
EVIL = "<script>alert(1)</script>\"'&\u202eevil"
HOST = "/hosts/bastion.example.org"
VIEWS = {
    "fleet": "/",
    "hosts": "/?by=host&columns=all",
    "filtered": "/?by=host&q=bast&group=web",
    "host": HOST,
    "evil": "/hosts/" + quote(EVIL, safe=""),
    "correct": HOST + "/correct?setting=motd",
    "settings": "/settings",
    "setting": "/settings/motd",
    "runs": "/runs",
    "run": "/runs/r-told",
    "elsewhere": "/runs/r100001",
    "live": "/runs/r-live",
    "schedules": "/schedules",
    "schedule": "/schedules/hourly",
    "notices": "/notices",
    "actions": "/actions",
    "missing": "/hosts/nobody",
}
# Where light and dark differ by more than the same few colours.
COLOURFUL = ["fleet", "hosts", "host", "correct", "run", "notices"]
wrong = []


def watch(page):
    """What a page of ours never does: ask a person, write errors, break its own policy."""
    page.on("dialog", lambda dialog: (wrong.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))

    def heard(message):
        # A page that is not there says so, in the console too.
        if message.type == "error" and "404" not in message.text and "409" not in message.text and "401" not in message.text:
            wrong.append(f"{page.url}: {message.text}")

    page.on("console", heard)


def log_in(page):
    page.goto(URL + "/login?next=/settings")
    page.get_by_label("Name").fill("eva")
    page.get_by_label("Password").fill("correct horse & battery")
    page.keyboard.press("Enter")
    page.wait_for_url(URL + "/settings")


def judged(page, name, options="{}"):
    """What axe finds; it is put in by the browser itself, since the policy lets nothing in."""
    found = page.evaluate(f"axe.run(document, {options}).then(r => r.violations)")
    for violation in found:
        nodes = [node["html"][:200] + " — " + node["failureSummary"][:300] for node in violation["nodes"][:3]]
        wrong.append(f"{name}: axe: {violation['id']}: {violation['help']}: {nodes}")


def looked_at(browser, width, scheme, whole):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.add_init_script(AXE)
    page = context.new_page()
    watch(page)
    page.goto(URL + "/login")
    judged(page, f"login {width} {scheme}")
    page.screenshot(path=SHOTS / f"login-{width}-{scheme}.png")
    log_in(page)
    for name, path in VIEWS.items():
        if not whole and name not in COLOURFUL:
            continue
        page.goto(URL + path)
        said = f"{name} {width} {scheme}"
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{said}: it is {wide} pixels wide")
        judged(page, said, "{}" if whole else "{runOnly: ['color-contrast']}")
        page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
    context.close()


def by_keyboard(browser):
    """From the top of the fleet to a host and back, without a mouse."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    watch(page)
    log_in(page)
    page.goto(URL + "/?by=host&q=bast")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "bastion.example.org":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(URL + HOST)
    page.close()


def acts(browser, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    watch(page)
    log_in(page)
    page.goto(URL + HOST)
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("status")).to_contain_text("The check is begun")
    page.locator("summary", has_text="Hold corrections").click()
    page.get_by_label("For how many hours").fill("3")
    page.get_by_label("Why").fill("we look for something")
    page.get_by_role("button", name="Hold").click()
    expect(page.get_by_role("status")).to_contain_text("The host is held")
    expect(page.get_by_text("we look for something")).to_be_visible()
    page.get_by_role("button", name="End the hold").click()
    expect(page.get_by_role("status")).to_contain_text("The hold is ended")
    page.get_by_role("link", name="Correct … motd").click()
    expect(page.get_by_text("+Call 112 when it burns.")).to_be_visible()
    page.get_by_role("button", name="Correct 2 items on bastion.example.org").click()
    expect(page.get_by_role("status")).to_contain_text("The correction is begun")
    page.goto(URL + "/settings/motd")
    page.locator("summary", has_text="Object").click()
    page.get_by_label("For the owner").select_option("team1")
    page.get_by_label("Why").fill("our pager reads it")
    page.get_by_role("button", name="Object").click()
    expect(page.get_by_role("status")).to_contain_text("The objection is recorded")
    page.goto(URL + "/schedules/hourly")
    page.get_by_role("button", name="Check all its hosts now").click()
    expect(page.get_by_role("status")).to_contain_text("The check is begun")
    page.goto(URL + "/actions")
    for word in ["check", "hold", "release", "correct", "object"]:
        expect(page.get_by_role("cell", name=word, exact=True).first).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(URL + "/login")
    page.close()


def goes_on(browser):
    """What goes on is asked for again, and shown in its place."""
    page = browser.new_page()
    watch(page)
    log_in(page)
    page.goto(URL + "/runs/r-live")
    page.evaluate("document.getElementById('live').dataset.old = 'yes'")
    page.locator("#live:not([data-old])").wait_for(timeout=15_000)
    expect(page.get_by_text("hosts are through")).to_be_visible()
    page.close()


def without_script(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    page.goto(URL + "/")
    page.get_by_role("combobox", name="State").select_option("drifted")
    page.get_by_role("searchbox", name="Name").fill("bast")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="bastion.example.org").click()
    expect(page.get_by_text("+Call 112 when it burns.").first).to_be_visible()
    page.goto(URL + "/runs/r-live")
    expect(page.get_by_text("Load the page again")).to_be_visible()
    context.close()


def main():
    SHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        # Root has no sandbox of its own; what is opened is our own page.
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        try:
            looked_at(browser, 1280, "light", whole=True)
            looked_at(browser, 390, "dark", whole=True)
            looked_at(browser, 1280, "dark", whole=False)
            looked_at(browser, 390, "light", whole=False)
            by_keyboard(browser)
            goes_on(browser)
            without_script(browser)
            acts(browser, 1280)
            acts(browser, 390)
        except Exception as error:
            wrong.append(str(error))
        browser.close()
    if wrong:
        sys.exit("\n".join(dict.fromkeys(wrong)))


main()
