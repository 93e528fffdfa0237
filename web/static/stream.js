// The stream as it comes: draws so many documents a second, counts the others, and says what state it is in.
"use strict";

(() => {
  const DRAWN_A_SECOND = 4; // more cannot be read
  const MOST_ROWS = 60;
  const SILENT_MS = 60e3; // the server pings more often: after so long without a word the connection is dead
  const SAID_EVERY_MS = 20e3; // to screen readers, as a sum
  const FIRST_RETRY_MS = 2000;
  const LONGEST_RETRY_MS = 30e3;
  const NONE_RETRY_MS = 60e3; // without a broker there is nothing to hurry for

  const pane = () => document.querySelector("#stream[data-stream]");
  if (!pane()) return;
  const words = JSON.parse(pane().querySelector(".words").textContent);
  const address = pane().dataset.stream;
  let source = null;
  let connection = "connecting"; // connecting, live, lost, none
  let isPaused = false;
  let isHeld = false;
  let hasGap = false;
  let cursor = null;
  let heardAt = performance.now();
  let retryMs = FIRST_RETRY_MS;
  let retryTimer = null;
  let drawnNow = 0;
  let hidden = { count: 0, from: null, to: null };
  let said = { count: 0, negative: 0 };

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);

  function show() {
    const place = pane();
    if (!place) return;
    const state = connection !== "live" ? connection : isPaused ? "paused" : isHeld ? "held" : "live";
    const said = place.querySelector(".stream-state");
    said.dataset.state = state;
    said.textContent = words[`stream.${state}`];
    const button = place.querySelector(".stream-pause");
    button.hidden = connection === "none";
    button.setAttribute("aria-pressed", String(isPaused));
    button.textContent = words[isPaused ? "stream.resume" : "stream.pause"];
    const why = place.querySelector(".stream-why");
    why.textContent = connection === "none" ? words["stream.none.why"] : hasGap ? words["stream.gap"] : "";
    why.hidden = !why.textContent;
    // Without a stream the list is refreshed with the rest of the page.
    place.toggleAttribute("hx-morph-skip", connection !== "none");
    const link = place.querySelector(".stream-hidden");
    link.hidden = hidden.count === 0;
    link.textContent = fill(words["stream.hidden"], { n: hidden.count.toLocaleString("en") });
    if (hidden.count) link.href = hiddenAddress();
  }

  function hiddenAddress() {
    const found = new URL(pane().dataset.documents, location.href);
    found.searchParams.set("from", minute(hidden.from, 0));
    found.searchParams.set("to", minute(hidden.to, 60e3));
    return found.pathname + found.search;
  }

  function minute(at, later) {
    return `${new Date(Math.floor(at / 60e3) * 60e3 + later).toISOString().slice(0, 16)}Z`;
  }

  function hide(one) {
    const at = +new Date(one.published_at);
    hidden = { count: hidden.count + 1, from: Math.min(hidden.from ?? at, at), to: Math.max(hidden.to ?? at, at) };
  }

  function receive(event) {
    heardAt = performance.now();
    cursor = event.lastEventId || cursor;
    const one = JSON.parse(event.data);
    said.count += 1;
    if (one.sentiment === "negative") said.negative += 1;
    if (isPaused || isHeld || document.hidden || drawnNow >= DRAWN_A_SECOND) hide(one);
    else draw(one);
    show();
  }

  const clock = new Intl.DateTimeFormat("en", {
    timeZone: document.documentElement.dataset.zone, year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  });

  function local(at) {
    const part = Object.fromEntries(clock.formatToParts(at).map((one) => [one.type, one.value]));
    return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}`;
  }

  function scoped(name, value) {
    const found = new URL(pane().dataset.documents, location.href);
    found.searchParams.set(name, value);
    return found.pathname + found.search;
  }

  const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

  function draw(one) {
    drawnNow += 1;
    const place = pane();
    const row = place.querySelector(".stream-row").content.firstElementChild.cloneNode(true);
    row.classList.add("fresh");
    if (Object.hasOwn(one.sentiment_scores ?? {}, one.sentiment)) row.classList.add(one.sentiment);
    const tag = row.querySelector(".tag");
    tag.classList.add(row.classList.contains(one.sentiment) ? one.sentiment : "neutral");
    tag.textContent = `${words[`sentiment.${one.sentiment}`] ?? one.sentiment} ${Math.round((one.sentiment_scores?.[one.sentiment] ?? 0) * 100)} %`;
    const topic = row.querySelector(".topic");
    topic.textContent = words[`topic.${one.topic_label}`] ?? cut(one.topic_label, 60);
    topic.href = scoped("topic", one.topic_label);
    const from = row.querySelector(".source");
    from.firstElementChild.textContent = cut(one.source, 60);
    from.href = scoped("source", one.source);
    row.querySelector(".lang").textContent = words[`lang.${one.lang}`] ?? cut(one.lang, 20);
    const time = row.querySelector("time");
    time.dateTime = one.published_at;
    time.textContent = local(new Date(one.published_at));
    row.querySelector(".whole").href = `/documents/${encodeURIComponent(one.id)}`;
    const title = row.querySelector("h3");
    title.hidden = !one.title;
    title.textContent = cut(one.title ?? "", 140);
    row.querySelector(".text").textContent = cut(one.text, 200);
    const list = place.querySelector(".documents");
    list.querySelector(".nothing")?.remove();
    list.prepend(row);
    while (list.children.length > MOST_ROWS) list.lastElementChild.remove();
  }

  function goingOn() {
    const wanted = new URL(address, location.href);
    if (cursor) wanted.searchParams.set("cursor", cursor);
    return wanted;
  }

  function open() {
    clearTimeout(retryTimer);
    source?.close();
    source = new EventSource(goingOn());
    heardAt = performance.now();
    source.addEventListener("open", () => {
      connection = "live";
      retryMs = FIRST_RETRY_MS;
      heardAt = performance.now();
      show();
    });
    source.addEventListener("document", receive);
    source.addEventListener("ping", (event) => {
      heardAt = performance.now();
      cursor = event.lastEventId || cursor;
    });
    source.addEventListener("gap", (event) => {
      heardAt = performance.now();
      cursor = event.lastEventId || cursor;
      hasGap = true;
      show();
    });
    source.addEventListener("error", (event) => {
      if (event.target === source) fail(source.readyState === EventSource.CLOSED);
    });
  }

  // The browser comes back by itself, with its cursor, as long as the server answers; if it refuses, we ask why.
  async function fail(isRefused) {
    connection = connection === "none" ? "none" : "lost";
    show();
    if (!isRefused) return;
    const status = await refusal();
    if (status === 503 || status === 404) connection = "none";
    if (status === 422 && cursor) [cursor, hasGap] = [null, true]; // what it stood for is gone: go on from now
    retryTimer = setTimeout(open, connection === "none" ? NONE_RETRY_MS : retryMs);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    show();
  }

  async function refusal() {
    const asked = new AbortController();
    try {
      const response = await fetch(goingOn(), { headers: { accept: "application/json" }, signal: asked.signal });
      return response.status;
    } catch {
      return 0;
    } finally {
      asked.abort();
    }
  }

  function tick() {
    drawnNow = 0;
    if (connection === "live" && performance.now() - heardAt > SILENT_MS) {
      connection = "lost";
      open();
      show();
    }
  }

  function tell() {
    if (!said.count || isPaused) return;
    pane().querySelector(".stream-said").textContent = fill(words["stream.said"], { n: said.count, negative: said.negative });
    said = { count: 0, negative: 0 };
  }

  function pause(wanted) {
    isPaused = wanted;
    show();
  }

  // The pane may be morphed, so its parts are looked up when something happens, and nothing is bound to them.
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".stream-pause")) pause(!isPaused);
  });
  document.addEventListener("console:live", (event) => pause(event.detail.isPaused));
  function hold() {
    const wanted = Boolean(pane()?.querySelector(".documents").matches(":hover, :focus-within"));
    if (wanted !== isHeld) {
      isHeld = wanted;
      show();
    }
  }
  for (const name of ["pointerover", "focusin", "focusout"]) document.addEventListener(name, () => setTimeout(hold, 0));
  document.addEventListener("htmx:after:swap", show);
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (event) => event.persisted && open());
  setInterval(tick, 1000);
  setInterval(tell, SAID_EVERY_MS);
  connection = "connecting";
  show();
  open();
})();
